"""
Whether a sound may stand for a sub-event: identity, cleanliness, duration, continuity.

Owns the four checks, their thresholds and the verdict. Knows no index and no generator. The paper
(event curation) names the checks, the factor 0.5 to 2 and the three verdicts; the other
thresholds are ours and stand below.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from train.curation.clips import RATE
from train.curation.plan import SubEvent
from train.curation.tagger import Tagger
from train.sounds.signals import LABELS

__all__ = ['CHECKS', 'VERDICTS', 'Conflict', 'Verdict', 'verify']

CHECKS = ('identity', 'cleanliness', 'duration', 'continuity')
VERDICTS = ('accept', 'reprocess', 'reject')
BEST = 3
"""An accept-tag must be among so many best tags …"""
LEAST_SCORE = 0.03
"""… with at least this score."""
FOREIGN_SCORE = 0.7
"""Another tag above this is another sound in the clip, or instead of it."""
QUIETEST_DBFS = -55.0
CLIPPED_SHARE = 0.005
LONGEST_SILENCE_S = 0.6
"""Longer silence is cut by TFJP, except in signals that a standard gives pauses."""
PULSED = frozenset(LABELS)
SILENCE_DB = 45.0
"""A frame this far under the loud ones is silent."""
SHORTEST_FACTOR, LONGEST_FACTOR = 0.5, 2.0
EDGE_DB = 12.0
"""A sound whose last 5 ms are less than this under its loud part was cut through."""
_FRAME = 320
_EDGE = 80


@dataclass(frozen=True, kw_only=True)
class Conflict:
    """One thing that speaks against a sound."""

    check: str
    """One of CHECKS."""
    reason: str
    mendable: bool = False
    """Whether TFJP may remove it."""


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """The outcome with all that speaks against the sound."""

    verdict: str
    """One of VERDICTS."""
    conflicts: tuple[Conflict, ...]
    heard: Mapping[str, float]
    """The best tags with their scores."""
    unverified: str = ''
    """Not empty: why identity rests on the label of the source alone."""


def _measure_levels(samples: np.ndarray) -> np.ndarray:
    """Return the level of 20 ms frames in dBFS, -120 at the least; less is one frame."""
    frame = min(_FRAME, len(samples))
    whole = samples[:len(samples) // frame * frame].astype(np.float64).reshape(-1, frame)
    levels: np.ndarray = 10 * np.log10(np.maximum((whole ** 2).mean(axis=1), 1e-12))
    return levels


def _longest_run(flags: np.ndarray) -> int:
    edges = np.flatnonzero(np.diff(np.concatenate([[0], flags.astype(int), [0]])))
    return int((edges[1::2] - edges[::2]).max(initial=0))


def _check_identity(event: SubEvent, tags: Mapping[str, float]) -> Iterator[Conflict]:
    best = dict(list(tags.items())[:BEST])
    if not any(best.get(tag, 0.0) >= LEAST_SCORE for tag in event.accept_tags):
        heard = ', '.join(f'{label} {score:.2f}' for label, score in best.items())
        yield Conflict(check='identity', reason=f'expected one of {list(event.accept_tags)}, '
                                                f'heard {heard}')


def _check_foreign(event: SubEvent, tags: Mapping[str, float]) -> Iterator[Conflict]:
    label, score = next(iter(tags.items()), ('', 0.0))
    if score >= FOREIGN_SCORE and label not in event.accept_tags:
        yield Conflict(check='cleanliness', reason=f'also heard: {label} {score:.2f}')


def _check_cleanliness(event: SubEvent, samples: np.ndarray,
                       levels: np.ndarray) -> Iterator[Conflict]:
    loud = float(np.percentile(levels, 95))
    if loud < QUIETEST_DBFS:
        yield Conflict(check='cleanliness', reason=f'loudest part at {loud:.0f} dBFS is silence')
        return
    peak = float(np.abs(samples).max())
    clipped = float((np.abs(samples) >= 0.999 * peak).mean()) if peak > 0.98 else 0.0
    if clipped > CLIPPED_SHARE:
        yield Conflict(check='cleanliness', reason=f'{clipped:.1%} of the samples are clipped')
    silent = _longest_run(levels < max(loud - SILENCE_DB, -70.0)) * _FRAME / RATE
    pulsed = PULSED & {*event.accept_tags}
    if event.role == 'foreground' and silent > LONGEST_SILENCE_S and not pulsed:
        yield Conflict(check='cleanliness', reason=f'silent for {silent:.1f} s', mendable=True)


def _check_duration(event: SubEvent, seconds: float) -> Iterator[Conflict]:
    factor = seconds / event.rough_duration_s
    if factor < SHORTEST_FACTOR or factor > LONGEST_FACTOR:
        yield Conflict(check='duration', mendable=factor > LONGEST_FACTOR,
                       reason=f'{seconds:.1f} s is {factor:.2f} times the planned '
                              f'{event.rough_duration_s:g} s')


def _check_continuity(event: SubEvent, samples: np.ndarray, levels: np.ndarray, source: str,
                      before: str) -> Iterator[Conflict]:
    """Foregrounds follow one another: none repeats the last, none ends in mid-air."""
    if event.role != 'foreground':
        return
    if source and source == before:
        yield Conflict(check='continuity', reason=f'the same recording as just before ({source})')
    loud = float(np.percentile(levels, 95))
    if loud >= QUIETEST_DBFS and _measure_levels(samples[-_EDGE:])[0] > loud - EDGE_DB:
        yield Conflict(check='continuity', reason='ends in the middle of the sound', mendable=True)


def verify(samples: np.ndarray, event: SubEvent, *, tagger: Tagger, label: str = '',
           source: str = '', before: str = '') -> Verdict:
    """
    Return the verdict on float32 samples [n] at 16 kHz as a sub-event.

    ``label`` is what the source of a real clip says of it, empty for generated sounds: it counts
    only where the tagger knows none of the accept-tags. ``before`` is the recording of the
    foreground before.
    """
    levels = _measure_levels(samples)
    tags = tagger.tags(samples, source=source)
    conflicts: list[Conflict] = []
    unverified = ''
    if {*event.accept_tags} & tagger.labels:
        conflicts += _check_identity(event, tags)
        conflicts += _check_foreign(event, tags)
    elif label in event.accept_tags:
        unverified = f'the tagger knows none of {list(event.accept_tags)}'
    else:
        conflicts.append(Conflict(check='identity', reason='the tagger knows none of '
                                  f'{list(event.accept_tags)} and no source vouches for it'))
    conflicts += _check_cleanliness(event, samples, levels)
    conflicts += _check_duration(event, len(samples) / RATE)
    conflicts += _check_continuity(event, samples, levels, source, before)
    verdict = ('accept' if not conflicts else
               'reprocess' if all(c.mendable for c in conflicts) else 'reject')
    return Verdict(verdict=verdict, conflicts=tuple(conflicts), heard={
        label: float(score) for label, score in list(tags.items())[:BEST]}, unverified=unverified)
