"""
Which streams alerts are measured on, whoever decides them.

Held-out event clips, dry and over a background, single harmless sounds, and backgrounds of both
sides: on validation thresholds are chosen, on test they are reported.
"""

import argparse
from collections.abc import Sequence

from audio_interaction_ros.alerts.rules import AlertRules
from audio_interaction_ros.errors import ConfigurationError
from eval.scenes import ScenePlan, background_plans, event_plans, single_plans
from held_out.clips import HeldOutClip

__all__ = ['add_plan_arguments', 'plans_of']


def add_plan_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options that say how many streams there are and how they are mixed."""
    parser.add_argument('--hours', type=float, default=2.0,
                        help='hours of background to report on')
    parser.add_argument('--validation-hours', type=float, default=1.0,
                        help='hours of background to choose a threshold on')
    parser.add_argument('--per-class', type=int, default=40, metavar='CLIPS',
                        help='at most so many clips of a class')
    parser.add_argument('--snr', default='dry,10', metavar='LIST',
                        help='conditions of events: dry, or dB above the background')


def plans_of(options: argparse.Namespace, items: Sequence[HeldOutClip],
             known: AlertRules) -> list[ScenePlan]:
    """Return events, single sounds, and backgrounds of both sides."""
    return [*event_plans(items, known, snrs=_parse_conditions(options.snr),
                         per_class=options.per_class, limit=options.limit),
            *single_plans(items, options.limit),
            *background_plans(items, options.validation_hours, options.limit, 'validation'),
            *background_plans(items, options.hours, options.limit, 'test')]


def _parse_conditions(text: str) -> list[float | None]:
    """Read --snr."""
    try:
        return [None if part.strip() == 'dry' else float(part) for part in text.split(',')]
    except ValueError:
        raise ConfigurationError(f'--snr: expected dry or numbers, separated by commas, found '
                                 f'{text!r}') from None
