"""
Thresholds per class, chosen on the validation side for a stated rate of false alarms.

Owns the one way in which every scorer gets its thresholds: each class is put on a scale of its
own by the level at which it begins nowhere in backgrounds of the validation side, and one number
moves all classes together, down until the false alarms of those backgrounds are as many as they
may be. Test streams are refused.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from audio_interaction_ros.alerts.rules import AlertRules
from audio_interaction_ros.stream.sound_events import SoundRule
from eval.alert_figures.false_alarms import false_alarms_by_kind
from eval.alert_figures.outcome import StreamOutcome
from eval.sounds.detection import ScoredStream, raise_alerts
from eval.sounds.scorers import logits_of, probabilities_of

__all__ = ['LOOSEST', 'RATES', 'SHIFTS', 'SideError', 'background_levels', 'choose_shift',
           'move_thresholds']

RATES: Mapping[str, float] = {'ambience': 0.5, 'speech': 0.5, 'harmless': 5.0}
"""False alarms per hour that are allowed on each kind of background."""
SHIFTS = tuple(np.round(np.arange(-10.0, 4.01, 0.5), 2).tolist())
"""Log-odds above that level which are tried, for all classes together."""
LOOSEST = 1e-6
"""Lowest threshold: the log-odds of a class that backgrounds never resemble have no floor."""


class SideError(ValueError):
    """Thresholds were to be chosen on streams that they are reported on; the caller must not."""


def background_levels(streams: Sequence[ScoredStream],
                      rules: Mapping[str, SoundRule]) -> dict[str, float]:
    """Return for each class with a rule the log-odds above which backgrounds never begin it."""
    _require_validation(streams)
    return {name: max(_highest_start(stream.scores[:, place], rules[name]) for stream in streams)
            for place, name in enumerate(streams[0].names) if name in rules}


def _highest_start(scores: np.ndarray, rule: SoundRule) -> float:
    """Return the highest threshold, as log-odds, that ``hits`` of ``of`` scores in a row reach."""
    padded = np.concatenate([np.zeros(rule.of - 1), scores])
    windows = np.lib.stride_tricks.sliding_window_view(padded, rule.of)
    return float(logits_of(np.sort(windows, axis=1)[:, -rule.hits].max()))


def move_thresholds(rules: Mapping[str, SoundRule], levels: Mapping[str, float],
                    shift: float) -> dict[str, SoundRule]:
    """Return the rules with thresholds ``shift`` above the level of each class, as log-odds."""
    return {name: replace(rule, threshold=max(LOOSEST, float(probabilities_of(
        np.array(levels[name] + shift))))) for name, rule in rules.items() if name in levels}


def choose_shift(streams: Sequence[ScoredStream], rules: Mapping[str, SoundRule],
                 known: AlertRules, rates: Mapping[str, float] = RATES) -> float | None:
    """
    Return the lowest shift with at most ``rates`` false alarms per hour; None if there is none.

    All kinds of background must be within their rate, at that shift and at every higher one.
    """
    levels, found = background_levels(streams, rules), None
    for shift in sorted(SHIFTS, reverse=True):  # the strictest cost least to try
        moved = move_thresholds(rules, levels, shift)
        if not are_few([raise_alerts(stream, moved, known) for stream in streams], rates):
            break
        found = float(shift)
    return found


def are_few(heard: Sequence[StreamOutcome], rates: Mapping[str, float]) -> bool:
    """Tell whether no kind of background has more false alarms per hour than it may."""
    return all(row['false_alarms_per_hour'].value <= rates.get(kind, min(rates.values()))
               for kind, row in false_alarms_by_kind(heard).items())


def _require_validation(streams: Sequence[ScoredStream]) -> None:
    wrong = [stream.heard.scene.name for stream in streams
             if stream.heard.scene.side != 'validation' or stream.heard.scene.events]
    if wrong or not streams:
        raise SideError(f'expected backgrounds of the validation side, got {wrong[:3] or "none"}; '
                        'thresholds are never chosen on what they are reported on')
