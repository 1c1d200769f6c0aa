"""
Thresholds per class for a stated rate of false alarms.

Owns how a rate is shared out among the classes: each threshold begins where its class never raises
a false alarm, and the class that gains most recall per false alarm goes down first, as long as the
sum over all classes stays within the rate. Knows only the table of curves.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from audio_interaction_ros.errors import ConfigurationError
from train.sound_head.curves import rate_of

__all__ = ['Chosen', 'HARMLESS_FACTOR', 'choose_thresholds', 'to_yaml']

HARMLESS_FACTOR = 10.0
"""Single close sounds, one after the other, are many days' worth in an hour: so many times the
stated rate is allowed on them."""


@dataclass(frozen=True)
class Chosen:
    """What is chosen for one class, and what it cost on the streams it was chosen on."""

    threshold: float
    recall: float
    rates: dict[str, float]
    """False alarms per hour by kind of stream."""


def limits_of(rate: float) -> dict[str, float]:
    """Return the allowed sum of false alarms per hour by kind of stream."""
    return {'ambience': rate, 'speech': rate, 'harmless': HARMLESS_FACTOR * rate}


def choose_thresholds(table: Mapping[str, Any], rate: float, rule: str = '1 of 1',
                      names: Sequence[str] = ()) -> dict[str, Chosen]:
    """Return a threshold of each class with events; ConfigurationError for a rule not in it."""
    if rule not in table['rules']:
        raise ConfigurationError(f'expected a rule among {sorted(table["rules"])}, got {rule!r}; '
                                 'give another')
    names = list(names) or [name for name, told in table['classes'].items() if told['recall']]
    last = len(table['thresholds']) - 1
    places = dict.fromkeys(names, last)
    while step := _best_step(table, places, rate, rule):
        places[step[0]] = step[1]
    return {name: _tell(table, name, _relax(table['classes'][name], place, rule), rule)
            for name, place in places.items()}


def _best_step(table: Mapping[str, Any], places: Mapping[str, int], rate: float,
               rule: str) -> tuple[str, int] | None:
    """Return the class, and its lower threshold, that brings most recall for what it costs."""
    best, most = None, 0.0
    for name, now in places.items():
        told = table['classes'][name]
        for place in range(now):
            brought = _recall(told, place, rule) - _recall(told, now, rule)
            worth = brought / (_cost(told, place, rule) - _cost(told, now, rule) + 1e-3)
            if worth > most and _within(table, {**places, name: place}, rate, rule):
                best, most = (name, place), worth
    return best


def _relax(told: Mapping[str, Any], place: int, rule: str) -> int:
    """Return the middle of the thresholds from here down that cost no more: not the very edge."""
    lowest = place
    while lowest and _cost(told, lowest - 1, rule) <= _cost(told, place, rule):
        lowest -= 1
    return (place + lowest) // 2


def _within(table: Mapping[str, Any], places: Mapping[str, int], rate: float, rule: str) -> bool:
    """Tell whether the sums over all classes stay within the rates."""
    return all(sum(rate_of(table['classes'][name], kind, rule, place)
                   for name, place in places.items()) <= limit + 1e-9
               for kind, limit in limits_of(rate).items())


def _recall(told: Mapping[str, Any], place: int, rule: str) -> float:
    recalls = [rules[rule][place] for rules in told['recall'].values()]
    return sum(recalls) / len(recalls)


def _cost(told: Mapping[str, Any], place: int, rule: str) -> float:
    """Return the false alarms per hour of all kinds, each beside what is allowed of it."""
    return sum(rate_of(told, kind, rule, place) / factor
               for kind, factor in limits_of(1.0).items())


def _tell(table: Mapping[str, Any], name: str, place: int, rule: str) -> Chosen:
    told = table['classes'][name]
    return Chosen(table['thresholds'][place], _recall(told, place, rule),
                  {kind: rate_of(told, kind, rule, place) for kind in limits_of(1.0)})


def to_yaml(chosen: Mapping[str, Chosen], indent: str = '    ') -> str:
    """Return lines of a profile of the rules file, with what each threshold costs beside it."""
    return '\n'.join(
        f'{indent}{name}: {one.threshold:g}'.ljust(34)
        + f'# recall {one.recall:.2f}; false alarms per hour: '
        + ', '.join(f'{kind} {value:.1f}' for kind, value in one.rates.items())
        for name, one in chosen.items())
