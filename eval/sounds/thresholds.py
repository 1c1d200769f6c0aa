"""
Thresholds per class, chosen on the validation side for a stated rate of false alarms.

Owns the one way in which every scorer gets its thresholds: each class is put on a scale of its
own by what it says of backgrounds of the validation side, and one number moves all classes
together until the false alarms of those backgrounds are few enough. Test streams are refused.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from audio_interaction_ros.alerts.rules import AlertRules
from audio_interaction_ros.stream.sound_events import SoundRule
from eval.alert_figures import StreamOutcome, false_alarms_by_kind
from eval.sounds.detection import ScoredStream, raise_alerts
from eval.sounds.scorers import logits_of, probabilities_of

__all__ = ['LOOSEST', 'RATES', 'SHIFTS', 'SideError', 'background_levels', 'choose_shift',
           'move_thresholds']

RATES: Mapping[str, float] = {'ambience': 0.5, 'speech': 0.5, 'harmless': 5.0}
"""False alarms per hour that are allowed on each kind of background."""
QUANTILE = 0.995
"""Of a class's log-odds on backgrounds: one chunk in 200 is above; this is its zero."""
SHIFTS = tuple(np.round(np.arange(-2.0, 10.01, 0.5), 2).tolist())
"""Log-odds above that zero which are tried, for all classes together."""
LOOSEST = 1e-6
"""Lowest threshold: the log-odds of a class that backgrounds never resemble have no floor."""


class SideError(ValueError):
    """Thresholds were to be chosen on streams that they are reported on; the caller must not."""


def background_levels(streams: Sequence[ScoredStream]) -> dict[str, float]:
    """Return for each class the log-odds that one chunk of backgrounds in 200 reaches."""
    _require_validation(streams)
    logits = logits_of(np.concatenate([stream.scores for stream in streams]))
    levels = np.quantile(logits, QUANTILE, axis=0)
    return dict(zip(streams[0].names, levels.tolist(), strict=True))


def move_thresholds(rules: Mapping[str, SoundRule], levels: Mapping[str, float],
                    shift: float) -> dict[str, SoundRule]:
    """Return the rules with thresholds ``shift`` above the level of each class, as log-odds."""
    return {name: replace(rule, threshold=max(LOOSEST, float(probabilities_of(
        np.array(levels[name] + shift))))) for name, rule in rules.items() if name in levels}


def choose_shift(streams: Sequence[ScoredStream], rules: Mapping[str, SoundRule],
                 known: AlertRules, rates: Mapping[str, float] = RATES) -> float | None:
    """
    Return the lowest shift with at most ``rates`` false alarms per hour; None if there is none.

    All kinds of background must be within their rate.
    """
    levels = background_levels(streams)
    for shift in SHIFTS:
        moved = move_thresholds(rules, levels, shift)
        heard = [raise_alerts(stream, moved, known) for stream in streams]
        if are_few(heard, rates):
            return float(shift)
    return None


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
