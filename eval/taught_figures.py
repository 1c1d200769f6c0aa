"""
How well sounds of one device are told apart after a few recordings, and what stands beside it.

Owns the learners (the robot's own at several widths, nearest neighbours on YAMNet's embedding),
the trial that leaves each recording out, and the figures with their intervals over sessions. One
half of the sessions, by name, is for choosing between variants, the other for what is reported.
Knows no audio.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from audio_interaction_ros.protocol import CHUNK_S
from audio_interaction_ros.taught.fit import (
    DIMENSIONS,
    Recording,
    count_events,
    find_middle,
    learn,
    sustain,
    whiten,
)
from held_out.splits import chance_of
from measure.intervals import Estimate, poisson, quotients, wilson

__all__ = ['CASES', 'SHIPPED', 'SILENT', 'Negatives', 'Session', 'Trial', 'is_for_choosing',
           'learners', 'summarise', 'try_sessions']

SHIPPED = f'as shipped, {DIMENSIONS} dimensions'
NEIGHBOUR, SILENT = 'nearest neighbour, YAMNet alone', 'always silent'
WIDTHS = (64, DIMENSIONS, 256)
TAGGER_WIDTH = 1024
LEAST_CLIPS = 4
CASES: Mapping[int, str] = {4: 'dry', 5: '20 dB', 6: '10 dB'}
"""Surroundings that recordings are tested in, by place in eval.teach.SURROUNDINGS."""


@dataclass(frozen=True)
class Session:
    """Recordings of one sound by one user."""

    name: str
    label: str
    clips: Sequence[Recording]
    tests: Sequence[Mapping[int, np.ndarray]]
    """Of each recording, by place in CASES: embeddings [chunks, width] of what is heard."""


@dataclass(frozen=True)
class Negatives:
    """What the sound is not in; embeddings [chunks, width] float32."""

    known: np.ndarray
    """Heard while it is taught: first halves of backgrounds and speech."""
    later: Mapping[str, np.ndarray]
    """Second halves, by kind."""
    close: Sequence[tuple[str, np.ndarray]] = ()
    """(label, embeddings) of single sounds as close as the taught one; none is known before."""


@dataclass(frozen=True)
class Judge:
    """What came of a lesson: scores [chunks] of embeddings, and from which one it is heard."""

    score: Callable[[np.ndarray], np.ndarray]
    middle: float
    recall: float = 1.0
    """That it found of itself; the command stores nothing below half."""

    def count(self, embeddings: np.ndarray) -> int:
        """Return how often the sound begins in a stream."""
        return count_events(sustain(self.score(embeddings)), self.middle)


Learner = Callable[[Sequence[Recording]], Judge]


def learners(known: np.ndarray, rate: float) -> dict[str, Learner]:
    """Return all ways to learn, by name."""
    def by_direction(dimensions: int) -> Learner:
        room = whiten(known, dimensions)

        def teach(recordings: Sequence[Recording]) -> Judge:
            lesson = learn(recordings, room, rate)
            return Judge(lambda heard: room.place(heard) @ lesson.direction, lesson.middle,
                         lesson.recall)
        return teach

    def by_neighbour(recordings: Sequence[Recording]) -> Judge:
        taught = _unit(np.concatenate([item.sounding for item in recordings]))

        def score(heard: np.ndarray) -> np.ndarray:
            nearest: np.ndarray = (_unit(heard) @ taught.T).max(axis=1)
            return nearest
        return Judge(score, find_middle(score(known), len(known) * CHUNK_S / 3600, rate))
    return {**{SHIPPED if width == DIMENSIONS else f'{width} dimensions': by_direction(width)
               for width in WIDTHS}, NEIGHBOUR: by_neighbour,
            SILENT: lambda _: Judge(lambda heard: np.zeros(len(heard)), np.inf)}


def _unit(embeddings: np.ndarray) -> np.ndarray:
    heard = embeddings[:, -TAGGER_WIDTH:].astype(np.float32)
    return heard / np.maximum(np.linalg.norm(heard, axis=1, keepdims=True), 1e-9)


def is_for_choosing(session: str) -> bool:
    """Tell, by its name, whether a session serves to choose between variants."""
    return chance_of(session, 'taught sounds') < 0.5


@dataclass
class Trial:
    """What one way to learn made of one session."""

    session: str
    heard: dict[str, list[bool]] = field(default_factory=dict)
    """By case, of each recording that was left out."""
    alarms: dict[str, list[int]] = field(default_factory=dict)
    """By kind of negatives, of each head."""
    close: list[float] = field(default_factory=list)
    """Share of close sounds with an alarm, of each head."""
    own_recall: list[float] = field(default_factory=list)


def try_sessions(sessions: Sequence[Session], negatives: Negatives,
                 learner: Learner) -> list[Trial]:
    """Return what a learner makes of sessions with at least four recordings."""
    return [_try(session, negatives, learner) for session in sessions
            if len(session.clips) >= LEAST_CLIPS]


def _try(session: Session, negatives: Negatives, learner: Learner) -> Trial:
    trial = Trial(session.name, {case: [] for case in CASES.values()},
                  {kind: [] for kind in negatives.later})
    close = [heard for label, heard in negatives.close if label != session.label]
    for left, tests in enumerate(session.tests):
        judge = learner([clip for place, clip in enumerate(session.clips) if place != left])
        trial.own_recall.append(judge.recall)
        for place, case in CASES.items():
            trial.heard[case].append(judge.count(tests[place]) > 0)
        for kind, heard in negatives.later.items():
            trial.alarms[kind].append(judge.count(heard))
        if close:
            trial.close.append(float(np.mean([judge.count(heard) > 0 for heard in close])))
    return trial


def summarise(trials: Sequence[Trial], negatives: Negatives) -> dict[str, Any]:
    """Return recall by case, false alarms per hour by kind, and the share of close sounds."""
    cases: dict[str, tuple[str, ...]] = {'all': tuple(CASES.values()),
                                         **{case: (case,) for case in CASES.values()}}
    hours = {kind: len(heard) * CHUNK_S / 3600 for kind, heard in negatives.later.items()}
    return {
        'sessions': len(trials), 'heads': sum(len(trial.own_recall) for trial in trials),
        'recall': {name: quotients(
            [sum(sum(trial.heard[case]) for case in chosen) for trial in trials],
            [sum(len(trial.heard[case]) for case in chosen) for trial in trials], share=True)
            for name, chosen in cases.items()},
        'false_alarms': {'all': _rate(trials, hours), **{
            kind: _rate(trials, {kind: hours[kind]}) for kind in hours}},
        'close': _share_of_close(trials, len(negatives.close)),
        'by_session': {trial.session: {
            'recall': float(np.mean([hit for hits in trial.heard.values() for hit in hits])),
            'own_recall': float(np.mean(trial.own_recall))} for trial in trials}}


def _rate(trials: Sequence[Trial], hours: Mapping[str, float]) -> Estimate:
    """
    Return false alarms per hour of a head, wide enough for what was taught and for when.

    All heads hear the same hours, so more heads are no more time: the interval is the union of
    the bootstrap over sessions and Garwood's of what a mean head counts in those hours.
    """
    counts = [sum(sum(trial.alarms[kind]) for kind in hours) for trial in trials]
    heads = [len(trial.own_recall) for trial in trials]
    total = sum(hours.values())
    over = quotients(counts, [count * total for count in heads])
    when = poisson(round(sum(counts) / max(1, sum(heads))), total)
    return Estimate(value=over.value, low=min(over.low, when.low), high=max(over.high, when.high),
                    n=total)


def _share_of_close(trials: Sequence[Trial], recordings: int) -> Estimate:
    """Return the share of close sounds with an alarm, as wide as sessions or recordings ask."""
    over = quotients([sum(trial.close) for trial in trials],
                     [len(trial.close) for trial in trials], share=True)
    clips = wilson(over.value * recordings, recordings)
    return Estimate(value=over.value, low=min(over.low, clips.low),
                    high=max(over.high, clips.high), n=recordings)
