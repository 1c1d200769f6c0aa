"""
Streams of which it is known where each utterance ends: clips one after the other, with pauses.

Also streams in which nobody speaks. Everything follows from names, so each run has the same.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from eval.speech_clips import LONGEST_S
from held_out.clips import (
    RATE,
    HeldOutClip,
    find_sounding,
    go_round,
    load,
    loop_samples,
    scale_to,
)
from held_out.splits import chance_of

__all__ = ['KINDS', 'PlacedClip', 'TurnStream', 'join_clips', 'make_quiet', 'pick_clips']

KINDS = ('speech_read', 'speech_command', 'speech_phrase', 'speech_names', 'speech_numbers',
         'speech_addresses')
SHORTEST_S = 0.6
AROUND_S = 0.1
"""Of a clip so much is kept around what sounds."""
LEVEL_DBFS, FLOOR_DBFS = -23.0, -65.0
WITH_VOICES = ('speech', 'scream', 'laughter', 'singing', 'radio_chatter', 'baby_cry', 'cough',
               'sneeze', 'breathing', 'gasp', 'pain_vocal', 'snoring')
"""Beginnings of labels in which one person is heard: no place without speech."""
QUIET_DBFS = (-45.0, -20.0)


@dataclass(frozen=True, kw_only=True)
class PlacedClip:
    """One utterance of a stream; seconds of it."""

    name: str
    kind: str
    start: float
    end: float
    """Where it sounds for the first and for the last time."""
    samples: np.ndarray


@dataclass(frozen=True, kw_only=True)
class TurnStream:
    """Samples [n] at 16 kHz and who speaks when."""

    samples: np.ndarray
    clips: tuple[PlacedClip, ...]


def pick_clips(items: Sequence[HeldOutClip], per_kind: int) -> list[HeldOutClip]:
    """Return at most so many English clips of each kind, mixed by chance."""
    kinds: dict[str, list[HeldOutClip]] = defaultdict(list)
    for item in items:
        if (item.label in KINDS and item.language in ('en', '') and not item.generated
                and SHORTEST_S <= item.seconds <= LONGEST_S and len(kinds[item.label]) < per_kind):
            kinds[item.label].append(item)
    return sorted((item for mine in kinds.values() for item in mine),
                  key=lambda item: chance_of(item.name, 'turns'))


def join_clips(clips: Sequence[HeldOutClip], pauses: tuple[float, float]) -> TurnStream:
    """Return a stream of clips with pauses drawn between two lengths, over a soft noise."""
    at, placed, pieces = 1.0, list[PlacedClip](), list[tuple[int, np.ndarray]]()
    for clip in clips:
        samples = scale_to(load(clip.path), LEVEL_DBFS)
        first, last = find_sounding(samples)
        begin = max(0, first - round(AROUND_S * RATE))
        piece = samples[begin:last + round(AROUND_S * RATE)]
        start = at + (first - begin) / RATE
        placed.append(PlacedClip(
            name=clip.name, kind=clip.label.removeprefix('speech_'), start=start,
            end=start + (last - first) / RATE, samples=piece))
        pieces.append((round(at * RATE), piece))
        at = placed[-1].end + pauses[0] + (pauses[1] - pauses[0]) * chance_of(clip.name, 'pause')
    length = max(start + len(piece) for start, piece in pieces)
    joined = np.random.default_rng(length).normal(
        0, 10 ** (FLOOR_DBFS / 20), length).astype(np.float32)
    for start, piece in pieces:
        joined[start:start + len(piece)] += piece
    return TurnStream(samples=joined, clips=tuple(placed))


def make_quiet(items: Sequence[HeldOutClip], seconds: float, piece_s: float = 60.0
               ) -> Iterator[tuple[str, np.ndarray]]:
    """
    Yield (name, samples) of places in which nobody speaks, ``seconds`` in all.

    Each is a background at a level of its own, with a sound, music or a crowd over it every ten
    seconds. Where recordings come again, they come from another place, at another level.
    """
    beds = [item for item in items if item.label.startswith('background_')]
    sounds = [item for item in items if not item.label.startswith(('background_', *WITH_VOICES))
              and not item.generated]
    more = go_round(sounds)
    for (number, bed), place in zip(go_round(beds), range(round(seconds / piece_s)),
                                    strict=False):
        name = f'{bed.name} {number}'
        low, high = QUIET_DBFS
        samples = scale_to(loop_samples(load(bed.path), round(piece_s * RATE), f'{name} {place}'),
                           low + (high - low) * chance_of(name, 'level'))
        for second in range(2, round(piece_s) - 2, 10):
            _, sound = next(more)
            piece = scale_to(load(sound.path)[:8 * RATE],
                             low + (high - low) * chance_of(sound.name, place, 'level'))
            at = second * RATE
            samples[at:at + len(piece)] += piece[:len(samples) - at]
        yield name, (samples / max(1.0, float(np.abs(samples).max()) / 0.98)).astype(np.float32)
