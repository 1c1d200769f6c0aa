"""
Thresholds per class for a stated rate of false alarms.

Owns how a rate is shared out among the classes: each threshold begins high, and the class that
gains most recall per false alarm goes down first, as long as the sum over all classes stays
within the rate. Knows only the table of curves.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from audio_interaction_ros.alerts.rules import load_rules
from audio_interaction_ros.errors import ConfigurationError
from audio_interaction_ros.resources import shipped_path
from audio_interaction_ros.stream.sound_events import SoundRule
from train.sound_head.checks import BACKGROUNDS
from train.sound_head.curves import rate_of

__all__ = ['Chosen', 'HARMLESS_FACTOR', 'choose_thresholds', 'compare_rules',
           'detection_of_alerts', 'price_thresholds', 'recall_curves', 'rules_of_alerts',
           'say_rules', 'share_evenly', 'to_yaml', 'weights_of_alerts']

HARMLESS_FACTOR = 10.0
"""Single close sounds, one after the other, are many days' worth in an hour: so many times the
stated rate is allowed on them."""
MISNAMED_FACTOR = 20.0
"""And so many times on other alerts one after the other: a wrong name beside the right one."""
WEIGHTS = {'CRITICAL': 4.0, 'ERROR': 2.0}
"""How much the recall of an alert of some severity counts beside that of others."""
PRICES = tuple(2.0 ** (step / 4) for step in range(-40, 60))
"""What a false alarm per hour may cost in recall, summed over classes."""
LEAST = 0.1
"""No threshold goes lower: that false alarms were rare in a few hours proves nothing there."""


@dataclass(frozen=True)
class Chosen:
    """What is chosen for one class, and what it cost on the streams it was chosen on."""

    threshold: float
    recall: float
    rates: dict[str, float]
    """False alarms per hour by kind of stream."""


def limits_of(rate: float) -> dict[str, float]:
    """Return the allowed sum of false alarms per hour by kind of stream."""
    return {'ambience': rate, 'speech': rate, 'harmless': HARMLESS_FACTOR * rate,
            'other_alerts': MISNAMED_FACTOR * rate}


def choose_thresholds(table: Mapping[str, Any], rate: float, rules: Mapping[str, str],
                      weights: Mapping[str, float] | None = None) -> dict[str, Chosen]:
    """
    Return a threshold of each class of ``rules``, which say how chunks make up an alarm.

    Recall of a class counts by its weight, 1 where none is given.
    ConfigurationError for a class without events in the table, or a rule that is not in it.
    """
    for name, rule in rules.items():
        if rule not in table['rules'] or not table['classes'].get(name, {}).get('recall'):
            raise ConfigurationError(
                f'{name}: expected a class with events and a rule among {sorted(table["rules"])}, '
                f'got {rule!r}; give others, or the curves of another run')
    places = dict.fromkeys(rules, len(table['thresholds']) - 1)
    while step := _best_step(table, places, rate, rules, weights or {}):
        places[step[0]] = step[1]
    relaxed = {name: max(_lowest(table), _relax(table['classes'][name], place, rules[name]))
               for name, place in places.items()}
    return {name: _tell(table, name, place, rules[name]) for name, place in relaxed.items()}


def price_thresholds(table: Mapping[str, Any], rate: float, rules: Mapping[str, str],
                     weights: Mapping[str, float] | None = None) -> dict[str, Chosen]:
    """
    Return thresholds for which all classes pay one price: that of a false alarm in recall.

    Each class takes the threshold with the most weighted recall less the price of what it costs;
    the price is the lowest at which the sums over all classes stay within the rates.
    """
    for price in PRICES:
        places = {name: _place_at(table, name, rule, (weights or {}).get(name, 1.0), price)
                  for name, rule in rules.items()}
        if _within(table, places, rate, rules):
            break
    return {name: _tell(table, name, place, rules[name]) for name, place in places.items()}


def _place_at(table: Mapping[str, Any], name: str, rule: str, weight: float, price: float) -> int:
    told = table['classes'][name]
    return max(range(_lowest(table), len(table['thresholds'])), key=lambda place: (
        weight * _recall(told, place, rule) - price * _cost(told, place, rule)))


def share_evenly(table: Mapping[str, Any], rate: float, rules: Mapping[str, str],
                 weights: Mapping[str, float] | None = None) -> dict[str, Chosen]:
    """Return the lowest thresholds at which each class alone keeps within its equal share."""
    highest = len(table['thresholds']) - 1
    return {name: _tell(table, name, next(
        (place for place in range(_lowest(table), highest) if _within(
            table, {name: place}, rate / len(rules), rules)), highest), rule)
        for name, rule in rules.items()}


def _lowest(table: Mapping[str, Any]) -> int:
    """Return the place of the lowest threshold that may be chosen."""
    return min(place for place, value in enumerate(table['thresholds']) if value >= LEAST)


def _best_step(table: Mapping[str, Any], places: Mapping[str, int], rate: float,
               rules: Mapping[str, str], weights: Mapping[str, float],
               ) -> tuple[str, int] | None:
    """Return the class, and its lower threshold, that brings most recall for what it costs."""
    best, most = None, 0.0
    for name, now in places.items():
        told, rule = table['classes'][name], rules[name]
        for place in range(_lowest(table), now):
            brought = _recall(told, place, rule) - _recall(told, now, rule)
            paid = _cost(told, place, rule) - _cost(told, now, rule)
            worth = weights.get(name, 1.0) * brought / (paid + 1e-3)
            if worth > most and _within(table, {**places, name: place}, rate, rules):
                best, most = (name, place), worth
    return best


def _relax(told: Mapping[str, Any], place: int, rule: str) -> int:
    """Return the middle of the thresholds from here down that cost no more: not the very edge."""
    lowest = place
    while lowest and _cost(told, lowest - 1, rule) <= _cost(told, place, rule):
        lowest -= 1
    return (place + lowest) // 2


def _within(table: Mapping[str, Any], places: Mapping[str, int], rate: float,
            rules: Mapping[str, str]) -> bool:
    """Tell whether the sums over all classes stay within the rates."""
    return all(sum(rate_of(table['classes'][name], kind, rules[name], place)
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


def compare_rules(table: Mapping[str, Any], rate: float,
                  names: Collection[str]) -> dict[str, dict[str, float]]:
    """
    Return the recall of each class by each rule, at an equal share of the allowed false alarms.

    The threshold is the lowest at which the class alone keeps within its share of each limit.
    """
    return {name: {rule: max((_recall(told, place, rule)
                              for place in range(_lowest(table), len(table['thresholds']))
                              if all(rate_of(told, kind, rule, place) <= limit / len(names)
                                     for kind, limit in limits_of(rate).items())), default=0.0)
                   for rule in table['rules']}
            for name, told in table['classes'].items() if name in names}


def say_rules(compared: Mapping[str, Mapping[str, float]]) -> str:
    """Return recall by class and rule as comments of a profile."""
    return '\n'.join(f'    # {name}: recall ' + ', '.join(
        f'{rule} {recall:.2f}' for rule, recall in by_rule.items())
        for name, by_rule in compared.items())


def detection_of_alerts(profile: str = '') -> dict[str, SoundRule]:
    """Return by class how the rules file that ships makes an alarm of scores, in a profile."""
    known = load_rules(shipped_path('config/alerts.yaml'))
    return {name: rule for profile in ([profile] if profile else known.profiles)
            for name, rule in known.rules_of_sounds(profile).items()}


def rules_of_alerts() -> dict[str, str]:
    """Return by class how the rules file that ships makes an alarm of chunks."""
    return {name: '1 of 1' if rule.hits == 1 else f'{rule.hits} of {rule.of}'
            for name, rule in detection_of_alerts().items()}


def weights_of_alerts() -> dict[str, float]:
    """Return by class how much its recall counts, by the severity in the rules file."""
    known = load_rules(shipped_path('config/alerts.yaml'))
    return {name: WEIGHTS.get(rule.severity.name, 1.0) for name, rule in known.of_sound.items()}


def recall_curves(table: Mapping[str, Any],
                  rules: Mapping[str, str]) -> dict[str, list[list[float]]]:
    """
    Return rows by class: threshold, recall, and false alarms per hour of each kind of stream.

    This is the short table that ships beside the head; recall is the mean of dry and 10 dB.
    """
    return {name: [[threshold, round(_recall(told, place, rules.get(name, '1 of 1')), 4),
                    *(round(rate_of(told, kind, rules.get(name, '1 of 1'), place), 3)
                      for kind in BACKGROUNDS)]
                   for place, threshold in enumerate(table['thresholds'])]
            for name, told in table['classes'].items() if told['recall']}


def to_yaml(chosen: Mapping[str, Chosen], indent: str = '    ') -> str:
    """Return lines of a profile of the rules file, with what each threshold costs beside it."""
    return '\n'.join(
        f'{indent}{name}: {one.threshold:g}'.ljust(34)
        + f'# recall {one.recall:.2f}; false alarms per hour: '
        + ', '.join(f'{kind} {value:.1f}' for kind, value in one.rates.items())
        for name, one in chosen.items())
