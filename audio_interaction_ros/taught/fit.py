"""
From embeddings of a few recordings, and of a background, to a taught sound and how good it is.

Owns the arithmetic: whitening by the background, the direction of the sound, the threshold that
keeps the background quiet, and the check that leaves one recording out. numpy only.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from audio_interaction_ros.errors import ConfigurationError
from audio_interaction_ros.protocol import CHUNK_S

__all__ = ['DIMENSIONS', 'HITS', 'OF', 'Background', 'Lesson', 'Recording', 'count_events',
           'count_unknown', 'find_middle', 'learn', 'sustain', 'whiten']

DIMENSIONS = 256
"""Chosen on sessions of users that docs/sounds_howto.md does not report."""
HITS, OF = 2, 3
"""Chunks that must reach the threshold, as config/alerts.yaml asks by default."""
_MOST_SAMPLES = 2000
_AT_ONCE = 1000
"""Chunks: those of a day in 32 bits are gigabytes."""
_LEAST_BACKGROUND = 150
"""Chunks: a minute."""
_SHARE_OF_RATE = 0.5
"""What is heard later is not quite what was recorded: of the false alarms only half are spent."""


@dataclass(frozen=True, kw_only=True)
class Background:
    """What the place sounds like, and the space that this makes."""

    places: np.ndarray
    """[chunks, dimensions] of length 1, in the order of time."""
    basis: np.ndarray
    offset: np.ndarray
    embeddings: np.ndarray
    """[chunks, width]: what was heard of it."""

    @property
    def hours(self) -> float:
        """How long it was heard."""
        return len(self.places) * CHUNK_S / 3600

    def place(self, embeddings: np.ndarray) -> np.ndarray:
        """Return embeddings [n, width] in that space [n, dimensions], each of length 1."""
        return _unit(embeddings @ self.basis.T + self.offset)


@dataclass(frozen=True, kw_only=True)
class Recording:
    """One recording of the sound, heard in several surroundings."""

    sounding: np.ndarray
    """[chunks, width]: embeddings of chunks in which it sounds, of all surroundings."""
    streams: Sequence[np.ndarray]
    """[chunks, width] each: everything that was heard of one surrounding, in order."""
    as_recorded: np.ndarray | None = None
    """[chunks, width]: as loud as it was recorded, between pieces of the background; or None."""


@dataclass(frozen=True, kw_only=True)
class Lesson:
    """What came of it."""

    direction: np.ndarray
    middle: float
    slope: float
    recall: float
    """Share of the surroundings of recordings that were left out in which it was heard."""
    as_recorded: float
    """Share of recordings that were left out and heard as loud as they were recorded; where none
    was, 1. A fan that always runs is heard when it is made louder, and not as it is."""
    trials: int
    false_alarms: int
    """In the background, at the threshold."""
    hours: float
    unknown: int | None = None
    """False alarms in both halves of the background, each by what was learnt with the other one;
    None where a half is too short to learn with."""


def whiten(embeddings: np.ndarray, dimensions: int = DIMENSIONS) -> Background:
    """
    Return a background by its embeddings [chunks, width] in the order of time, 16 or 32 bits.

    Raises ConfigurationError for less than a minute.
    """
    if len(embeddings) < _LEAST_BACKGROUND:
        raise ConfigurationError(
            f'expected a minute or more of background, found {len(embeddings) * CHUNK_S:.0f} s; '
            'record the place for ten minutes while the sound is not heard')
    drawn = np.random.default_rng(0).permutation(len(embeddings))[:_MOST_SAMPLES]
    samples = embeddings[drawn].astype(np.float32)
    mean, scale = samples.mean(axis=0), samples.std(axis=0) + 1e-3
    centred = (samples - mean) / scale
    values, vectors = np.linalg.eigh(centred @ centred.T)  # of as many numbers as samples
    keep = np.argsort(-values)[:min(dimensions, len(samples) - 1)]
    keep = keep[values[keep] > 1e-6 * values[keep[0]]]
    axes = centred.T @ vectors[:, keep] / np.sqrt(values[keep])
    deviations = np.sqrt(values[keep] / len(samples)) + 1e-3
    basis = (axes / deviations / scale[:, None]).T.astype(np.float32)
    offset = -(basis @ mean)
    return Background(places=_place_all(embeddings, basis, offset), basis=basis, offset=offset,
                      embeddings=embeddings)


def _place_all(embeddings: np.ndarray, basis: np.ndarray, offset: np.ndarray) -> np.ndarray:
    return np.concatenate([_unit(part.astype(np.float32) @ basis.T + offset) for part
                           in np.array_split(embeddings, len(embeddings) // _AT_ONCE + 1)])


def count_unknown(recordings: Sequence[Recording], background: Background,
                  rate: float) -> int | None:
    """
    Return false alarms in both halves of a background, each by what was learnt with the other.

    A threshold that was found on a background is quiet there; this says what an hour costs that
    was not known. None where a half is shorter than a minute.
    """
    halves, found = np.array_split(background.embeddings, 2), 0
    if min(map(len, halves)) < _LEAST_BACKGROUND:
        return None
    for known, other in (halves, halves[::-1]):
        room = whiten(known)
        direction = _direct(recordings, room)
        middle = find_middle(room.places @ direction, room.hours, rate)
        scores = _place_all(other, room.basis, room.offset) @ direction
        found += count_events(sustain(scores), middle)
    return found


def _unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)


def learn(recordings: Sequence[Recording], background: Background, rate: float) -> Lesson:
    """
    Return what is learnt of recordings, at ``rate`` false alarms per hour of the background.

    Each recording is left out once, and heard by what the others taught.
    """
    heard = trials = 0
    peaks, plain = list[float](), list[bool]()
    for left, recording in enumerate(recordings):
        others = [item for place, item in enumerate(recordings) if place != left]
        direction = _direct(others, background)
        middle = find_middle(background.places @ direction, background.hours, rate)
        for stream in recording.streams:
            peak = float(sustain(background.place(stream) @ direction).max())
            peaks.append(peak - middle)
            heard += peak >= middle
            trials += 1
        if recording.as_recorded is not None:
            scores = background.place(recording.as_recorded) @ direction
            plain.append(bool(sustain(scores).max() >= middle))
    direction = _direct(recordings, background)
    scores = background.places @ direction
    middle = find_middle(scores, background.hours, rate)
    # A recording that was left out scores 0.9 where it is heard as usual.
    usual = float(np.median([peak for peak in peaks if peak > 0] or [0.1]))
    return Lesson(direction=direction.astype(np.float32), middle=middle,
                  slope=min(200.0, math.log(9) / max(usual, 0.01)), recall=heard / trials,
                  as_recorded=float(np.mean(plain)) if plain else 1.0, trials=trials,
                  false_alarms=count_events(sustain(scores), middle),
                  hours=background.hours)


def _direct(recordings: Sequence[Recording], background: Background) -> np.ndarray:
    """Return the direction [dimensions] of length 1 of what recordings have in common."""
    each = [background.place(item.sounding).mean(axis=0) for item in recordings]
    return _unit(np.mean(each, axis=0)[None])[0]


def find_middle(scores: np.ndarray, hours: float, rate: float) -> float:
    """Return the lowest threshold at which the background stays within its false alarms."""
    allowed = int(_SHARE_OF_RATE * rate * hours)
    sustained = sustain(scores)
    steps = np.sort(np.unique(sustained))[::-1]
    low, high = 0, len(steps) - 1
    while low < high:  # events grow as the threshold falls, until they melt into one
        middle = (low + high + 1) // 2
        many = count_events(sustained, steps[middle]) > allowed or middle > len(steps) // 4
        low, high = (low, middle - 1) if many else (middle, high)
    best = steps[low]
    quiet = count_events(sustained, best) <= allowed
    return float(best) if quiet else float(best) + 1e-6


def sustain(scores: np.ndarray, hits: int = HITS, of: int = OF) -> np.ndarray:
    """Return of scores [chunks] what ``hits`` of the newest ``of`` chunks reach [chunks]."""
    padded = np.concatenate((np.full(of - 1, -np.inf), scores))
    windows = np.lib.stride_tricks.sliding_window_view(padded, of)
    return np.sort(windows, axis=1)[:, of - hits]


def count_events(sustained: np.ndarray, threshold: float, of: int = OF) -> int:
    """Return how often a sound begins that is over after ``of`` chunks below the threshold."""
    reached = np.flatnonzero(sustained >= threshold)
    return 0 if not len(reached) else 1 + int((np.diff(reached) > of).sum())
