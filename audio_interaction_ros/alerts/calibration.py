"""
Thresholds for one place: raised until what was heard there gives few enough false alarms.

Owns the choice and what it costs. A threshold is never lowered: an hour without an alarm says
nothing of how well alarms are heard. Knows no audio, no model and no files.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from audio_interaction_ros.errors import ConfigurationError
from audio_interaction_ros.stream.chunk import EncodedChunk, SoundScores
from audio_interaction_ros.stream.events import SoundEnded
from audio_interaction_ros.stream.sound_events import SoundDetector, SoundRule

__all__ = ['LEAST_RECALL_KEPT', 'Choice', 'Curves', 'bound_rate',
           'choose_thresholds', 'find_refusals', 'read_curves', 'recall_at']

Curves = Mapping[str, Sequence[Sequence[float]]]
"""Class -> rows that begin with a threshold and the recall there, as training measured it."""
LEAST_RECALL_KEPT = 0.9
"""A critical class keeps at least this share of the recall that it has in the profile, unasked."""
_STEP = 0.001


@dataclass(frozen=True, kw_only=True)
class Choice:
    """What becomes of one class."""

    sound: str
    critical: bool
    before: float
    """Threshold of the profile."""
    after: float
    events_before: int
    """Times that it began in what was heard."""
    events_after: int
    recall_before: float | None
    """None: no curve is known."""
    recall_after: float | None

    @property
    def recall_kept(self) -> float | None:
        """Share of the sounds heard in the profile that are heard still; None: no curve tells."""
        if self.recall_before is None or self.recall_after is None:
            return None
        return self.recall_after / self.recall_before if self.recall_before > 0 else 1.0


def recall_at(curve: Sequence[Sequence[float]] | None, threshold: float) -> float | None:
    """
    Return the recall at a threshold, between the rows of a curve; None without one.

    Above the last row, where nothing was measured, it falls to 0 at a threshold of 1.
    """
    if not curve:
        return None
    rows = sorted((float(row[0]), float(row[1])) for row in curve)
    if rows[-1][0] < 1.0:
        rows.append((1.0, 0.0))
    return float(np.interp(threshold, [row[0] for row in rows], [row[1] for row in rows]))


def bound_rate(events: int, hours: float, confidence: float = 0.95) -> float:
    """Return the rate per hour that so many events in that time still allow (Poisson, upper)."""
    if hours <= 0:
        return math.inf
    low, high = 0.0, 10.0 + 4 * events
    while high - low > 1e-9 * high:
        middle = (low + high) / 2
        terms = (k * math.log(middle) - math.lgamma(k + 1) - middle for k in range(events + 1))
        low, high = ((middle, high) if sum(map(math.exp, terms)) > 1 - confidence
                     else (low, middle))
    return high / hours


def choose_thresholds(chunks: Sequence[EncodedChunk], rules: Mapping[str, SoundRule], *,
                      allowed: int, curves: Curves, is_critical: Callable[[str], bool],
                      ) -> list[Choice]:
    """
    Return a choice per class that has a rule, so that at most ``allowed`` sounds begin in all.

    One false alarm after the other is raised away where that costs least recall, critical
    classes last. Where a class scores 1 all the time, no threshold helps and some remain.
    """
    classes = [_Class(name, rule, chunks, curves.get(name), is_critical(name))
               for name, rule in rules.items()]
    while sum(len(item.events) for item in classes) > allowed:
        able = [item for item in classes if item.can_rise]
        if not able:
            break
        min(able, key=_Class.price).rise()
    return [item.as_choice() for item in classes]


class _Class:
    """One class on its way up."""

    def __init__(self, name: str, rule: SoundRule, chunks: Sequence[EncodedChunk],
                 curve: Sequence[Sequence[float]] | None, critical: bool) -> None:
        self.name, self.rule, self.critical, self._curve = name, rule, critical, curve
        self._before = rule.threshold
        self._chunks = chunks
        self.events = self._count(rule)
        self._events_before = len(self.events)
        self.can_rise = bool(self.events)
        self._next = self._look_ahead()

    def price(self) -> tuple[bool, float, float]:
        """Return what the next step costs; the smallest goes first."""
        rule, events = self._next
        removed = max(1, len(self.events) - len(events))
        lost = ((recall_at(self._curve, self.rule.threshold) or 0.0)
                - (recall_at(self._curve, rule.threshold) or 0.0))
        return self.critical, lost / removed, rule.threshold

    def rise(self) -> None:
        """Take the next step."""
        self.can_rise = self._next[0].threshold < 1.0
        self.rule, self.events = self._next
        self.can_rise = self.can_rise and bool(self.events)
        self._next = self._look_ahead()

    def as_choice(self) -> Choice:
        """Return how far it came."""
        return Choice(
            sound=self.name, critical=self.critical, before=self._before,
            after=self.rule.threshold, events_before=self._events_before,
            events_after=len(self.events), recall_before=recall_at(self._curve, self._before),
            recall_after=recall_at(self._curve, self.rule.threshold))

    def _look_ahead(self) -> tuple[SoundRule, list[SoundEnded]]:
        """Return the lowest threshold that fewer sounds reach, and those that still do."""
        rule, events = self.rule, self.events
        while events and len(events) >= len(self.events) and rule.threshold < 1.0:
            # Sure to be passed by the weakest of them; by less, where it needs several chunks.
            weakest = min(event.score for event in events)
            step = max(_STEP, (weakest - rule.threshold) / 8)
            rule = replace(rule, threshold=min(1.0, math.ceil(
                (rule.threshold + step) / _STEP) * _STEP))
            events = self._count(rule)
        return rule, events

    def _count(self, rule: SoundRule) -> list[SoundEnded]:
        detector, found = SoundDetector({self.name: rule}), list[SoundEnded]()
        for chunk in self._chunks:  # a copy of each for every class would be gigabytes of a day
            one = replace(chunk, sounds=_only(chunk.sounds, self.name))
            found += [event for event in detector.push(one) if isinstance(event, SoundEnded)]
        found += [event for event in detector.reset() if isinstance(event, SoundEnded)]
        return found


def _only(sounds: SoundScores, name: str) -> SoundScores:
    if name not in sounds.names:
        return SoundScores()
    place = sounds.names.index(name)
    return SoundScores(names=(name,), scores=sounds.scores[place:place + 1])


def find_refusals(choices: Sequence[Choice], least: float = LEAST_RECALL_KEPT) -> list[str]:
    """
    Return, for each critical class that would hear too little, why that is refused.

    Too little is less than the share ``least`` of what it hears in the profile, by the curves of
    the model; without a curve nobody knows what is lost, so that is refused as well.
    """
    refused = []
    for choice in choices:
        if not choice.critical or choice.after <= choice.before:
            continue
        rise = f'{choice.sound}: its threshold would rise to {choice.after:.3f}'
        if choice.recall_kept is None:
            refused.append(f'{rise}, and no curve tells what that costs')
        elif choice.recall_kept < least:
            refused.append(f'{rise} and its recall fall from {choice.recall_before:.2f} to '
                           f'{choice.recall_after:.2f}, which keeps {choice.recall_kept:.0%}')
    return refused


def read_curves(document: object, source: str) -> Curves:
    """Return curves of what a JSON file holds; ConfigurationError for another."""
    try:
        assert isinstance(document, Mapping)
        return {str(name): [[float(value) for value in row[:2]] for row in rows]
                for name, rows in document.items()}
    except (AssertionError, TypeError, ValueError, KeyError) as error:
        raise ConfigurationError(f'{source}: expected curves, class: [[threshold, recall], …], '
                                 f'found others ({error}); fetch the model again') from error
