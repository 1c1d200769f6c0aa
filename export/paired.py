"""
The same clips through graphs in full precision and through others: words, alerts, probabilities.

Owns how both are heard and what is compared, clip by clip. Knows no command line; bars are in
export.bars, statistics in measure.intervals.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path

import numpy as np

from audio_interaction_ros.config import LaneConfig
from audio_interaction_ros.runtimes.base import Runtime
from eval.hearing.listener import Listener
from eval.hearing.record import Hearing
from export.bars import Bar, Verdict
from export.clips import Clip
from measure import report
from measure.intervals import Estimate, quotients
from measure.word_errors import UnderstoodUtterance, count_errors, word_error_rate

__all__ = ['Pair', 'compare_clips', 'hear_clips', 'lines']

WORDS = LaneConfig(name='transcript', kind='transcript')
ALERTS = LaneConfig(name='assistant', alerts=True)


def hear_clips(runtime: Runtime, clips: Sequence[Clip], *, cache: Path,
               variant: str) -> list[Hearing]:
    """
    Return what a model makes of each clip; ``variant`` tells apart what is in the cache.

    A clip is heard by the lanes that it is scored for; one that is scored for none by the lane
    that alerts.
    """
    cache.parent.mkdir(parents=True, exist_ok=True)
    listeners = {lanes: Listener(runtime, lanes, cache=cache, variant=variant)
                 for lanes in {_lanes(clip) for clip in clips}}
    with report.progress_bar() as bar:
        return [listeners[_lanes(clip)].hear(clip.name, clip.make()) for clip in bar.track(
            clips, description=f'clips, {variant}')]


def _lanes(clip: Clip) -> tuple[LaneConfig, ...]:
    alerts = (ALERTS,) if clip.alerts is not None or not clip.text else ()
    return (*((WORDS,) if clip.text else ()), *alerts)


@dataclass(frozen=True)
class Pair:
    """A clip, and what was heard of it: in full precision, and by the graphs in question."""

    clip: Clip
    full: Hearing
    other: Hearing

    @property
    def alerts(self) -> tuple[frozenset[str], frozenset[str]]:
        """Labels of the alerts of both."""
        return _labels(self.full), _labels(self.other)

    @property
    def right(self) -> tuple[bool, bool]:
        """Tell of both whether the alert that is due came, or none where none is."""
        due = self.clip.alerts or frozenset()
        first, second = (bool(due & found) if due else not found for found in self.alerts)
        return first, second

    @property
    def changes(self) -> np.ndarray:
        """Change of the probability to respond, of each chunk that each lane read."""
        both = [values for lane, p in self.full.p.items()
                for values in zip(p, self.other.p.get(lane, ()), strict=False)
                if any(values)]  # both are 0 where nothing was heard and no model asked
        return np.abs(np.diff(np.reshape(both, (-1, 2))))[:, 0]

    @property
    def peak_change(self) -> float:
        """Change of the largest probability to respond of the lane that alerts."""
        first, second = (max(heard.p.get(ALERTS.name, ()), default=0.0)
                         for heard in (self.full, self.other))
        return abs(first - second)


def _labels(hearing: Hearing) -> frozenset[str]:
    return frozenset(label for _, label in hearing.alerts)


_FULL, _OTHER = attrgetter('full'), attrgetter('other')


def _utterances(pairs: Sequence[Pair],
                hearing_of: Callable[[Pair], Hearing]) -> list[UnderstoodUtterance]:
    return [UnderstoodUtterance(pair.clip.text, ' '.join(
        reply.text for reply in hearing_of(pair).replies_of(WORDS.name)), pair.clip.group)
        for pair in pairs if pair.clip.text]


def _rise(pairs: Sequence[Pair]) -> Estimate:
    """Return by how much the word error rate is higher, paired, with its interval."""
    groups: dict[str, list[int]] = {}
    for full, other in zip(_utterances(pairs, _FULL), _utterances(pairs, _OTHER), strict=True):
        (before, words), (after, _) = (count_errors(one.reference, one.hypothesis)
                                       for one in (full, other))
        counts = groups.setdefault(full.group, [0, 0])
        counts[0] += after - before
        counts[1] += words
    rows = np.array(list(groups.values())).reshape(-1, 2)
    return quotients(rows[:, 0], rows[:, 1])


def _share_right(pairs: Sequence[Pair], which: int) -> Estimate:
    """Return the share of clips that were alerted to as is due, with a bootstrap over groups."""
    groups: dict[str, list[int]] = {}
    for pair in pairs:
        counts = groups.setdefault(pair.clip.group, [0, 0])
        counts[0] += pair.right[which]
        counts[1] += 1
    rows = np.array(list(groups.values())).reshape(-1, 2)
    return quotients(rows[:, 0], rows[:, 1], share=True)


def _heard_for_alerts(pairs: Sequence[Pair]) -> list[Pair]:
    return [pair for pair in pairs if ALERTS in _lanes(pair.clip)]


def _differing(pairs: Sequence[Pair]) -> list[Pair]:
    return [pair for pair in pairs if pair.alerts[0] != pair.alerts[1]]


def _due(pairs: Sequence[Pair]) -> list[Pair]:
    return [pair for pair in pairs if pair.clip.alerts]


def _none_due(pairs: Sequence[Pair]) -> list[Pair]:
    return [pair for pair in pairs if pair.clip.alerts is not None and not pair.clip.alerts]


def compare_clips(pairs: Sequence[Pair], bar: Bar) -> list[Verdict]:
    """Return a verdict on words, on alerts and on probabilities, as far as clips tell of them."""
    changes = np.concatenate([pair.changes for pair in pairs])
    verdicts = [Verdict('mean change of p, clips', float(changes.mean()) if len(changes)
                        else np.inf, bar.probability)]
    if any(pair.clip.text for pair in pairs):
        verdicts.append(Verdict('rise of word errors, clips', _rise(pairs).value,
                                bar.word_errors))
    if heard := _heard_for_alerts(pairs):
        verdicts.append(Verdict('alert sets that differ, clips', len(_differing(heard))
                                / len(heard), bar.alerts))
    if due := _due(pairs):
        full, other = (_share_right(due, which).value for which in (0, 1))
        verdicts.append(Verdict('fall of alerts due, clips', full - other, bar.recall))
    return verdicts


def lines(pairs: Sequence[Pair], names: tuple[str, str]) -> Iterator[str]:
    """Yield what a person reads of a comparison: rates with intervals, and what differs."""
    first, second = names
    if spoken := _utterances(pairs, _FULL):
        yield (f'word error rate of {len(spoken)} clips: {first} {word_error_rate(spoken)}, '
               f'{second} {word_error_rate(_utterances(pairs, _OTHER))}; paired rise '
               f'{_rise(pairs)}')
    for what, mine in (('with the alert due', _due(pairs)),
                       ('without an alert, as is due', _none_due(pairs))):
        if mine:
            yield (f'{what}, of {len(mine)} clips: {first} {_share_right(mine, 0)}, '
                   f'{second} {_share_right(mine, 1)}')
    changes = np.concatenate([pair.changes for pair in pairs])
    changes = changes if len(changes) else np.zeros(1)
    heard = _heard_for_alerts(pairs)
    peaks = [0.0, *(pair.peak_change for pair in heard)]
    yield (f'change of p of a chunk: mean {changes.mean():.4f}, largest {changes.max():.3f}; of '
           f'the largest p of a clip: mean {np.mean(peaks[1:] or peaks):.4f}, largest '
           f'{max(peaks):.3f}')
    differing = _differing(heard)
    yield f'alert sets that differ: {len(differing)} of {len(heard)} clips'
    for pair in differing:
        told = [', '.join(sorted(alerts)) or 'none' for alerts in pair.alerts]
        due = '' if pair.clip.alerts is None else \
            f' (due: {", ".join(sorted(pair.clip.alerts)) or "none"})'
        yield f'  {pair.clip.name}: {first} {told[0]}; {second} {told[1]}{due}'
