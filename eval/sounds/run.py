"""
``python -m eval alerts --evidence sounds``: alerts that the ears decide, and four others.

Owns the run: all streams are heard once by the batched tower and kept, each scorer says what it
hears, and the robot's detector and policy decide. Leaves ``alerts.json`` and pictures. A second
head, other rules or another threshold cost no hearing.
"""

import argparse
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from audio_interaction_ros.alerts.rules import AlertRules
from audio_interaction_ros.errors import ConfigurationError
from audio_interaction_ros.stream.sound_events import SoundRule
from eval.alert_figures.outcome import StreamOutcome, apply_constant
from eval.alert_plans import plans_of
from eval.scenes import ScenePlan
from eval.sounds import beside, pictures, tables
from eval.sounds.confusion import confusions, misses
from eval.sounds.embeddings import BatchedEars, EmbeddingCache, HeardScene
from eval.sounds.false_alarms import Begins, list_false_alarms
from eval.sounds.figures import calibration_by_class, goals, point_of, test_figures
from eval.sounds.scorers import HeadScorer, Scorer
from eval.sounds.settings import (
    Setting,
    choose_setting,
    join_model,
    score_streams,
    trade_off,
)
from eval.sounds.subset import public_subset
from eval.sounds.thresholds import RATES
from held_out.classes import EVENTS, robot_rules
from held_out.clips import HeldOutClip, read_held_out
from measure import report

__all__ = ['add_arguments', 'hear', 'measure', 'run']

CONFIGURED = 'as configured'
HearModel = Callable[[Sequence[ScenePlan], AlertRules], list[StreamOutcome]]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of evidence ``sounds``."""
    beside.add_arguments(parser)
    parser.add_argument('--profile', default='',
                        help='of the thresholds in config/alerts.yaml (default: its own)')
    parser.add_argument('--embeddings', type=Path, metavar='FOLDER',
                        help='where embeddings are kept (default: embeddings in --out)')
    parser.add_argument('--rates', default=','.join(f'{kind}={rate:g}'
                                                    for kind, rate in RATES.items()),
                        help='false alarms per hour of validation backgrounds that thresholds '
                             'are chosen for (default: %(default)s)')


def parse_rates(text: str) -> dict[str, float]:
    """Read --rates."""
    try:
        rates = {kind.strip(): float(rate) for kind, rate in (
            part.split('=') for part in text.split(','))}
    except ValueError:
        rates = {}
    if set(rates) != set(RATES):
        raise ConfigurationError(f'--rates: expected a number for each of {", ".join(RATES)}, '
                                 f'like ambience=0.5, found {text!r}')
    return rates


def hear(options: argparse.Namespace, items: Sequence[HeldOutClip], plans: Sequence[ScenePlan],
         known: AlertRules, out: Path) -> list[HeardScene]:
    """Return all streams as heard, from the cache where they are."""
    cache = EmbeddingCache(options.embeddings or out / 'embeddings',
                           BatchedEars(threads=options.threads), items, known)
    heard = cache.hear(plans)
    print(f'{len(heard)} streams, {sum(scene.seconds for scene in heard) / 3600:.2f} h, '
          f'{cache.fresh} of them heard now, the others from the cache')
    return heard


def run(options: argparse.Namespace, hear_model: HearModel | None = None) -> int:
    """Measure; return 0. With ``hear_model`` the model's replies count beside sounds as well."""
    known, out = robot_rules(), report.make_folder(options, 'alerts')
    items, rates = read_held_out(options.data), parse_rates(options.rates)
    plans = plans_of(options, items, known)
    heard = hear(options, items, plans, known, out)
    scorers = beside.make_scorers(options)
    measured = measure(heard, scorers, known.rules_of_sounds(options.profile), known, rates,
                       _hear_test_side(plans, heard, known, hear_model) if hear_model else {},
                       {plan.name: plan.recordings for plan in plans})
    pictures.draw(out, measured)
    path = report.write(out, 'alerts', options, measured,
                        next((scorer.identity for scorer in scorers
                              if isinstance(scorer, HeadScorer)), ''))
    tables.print_all(measured)
    print(f'written to {path}')
    return 0


def _hear_test_side(plans: Sequence[ScenePlan], heard: Sequence[HeardScene], known: AlertRules,
                    hear_model: HearModel) -> dict[int, StreamOutcome]:
    """Return what the language model makes of streams of the test side, by place."""
    # It chooses no threshold here, and hearing takes it a quarter of the time that they last.
    test = [place for place, stream in enumerate(heard) if stream.scene.side == 'test']
    return dict(zip(test, hear_model([plans[place] for place in test], known), strict=True))


def measure(heard: Sequence[HeardScene], scorers: Sequence[Scorer],
            rules: Mapping[str, SoundRule], known: AlertRules,
            rates: Mapping[str, float] = RATES,
            said: Mapping[int, StreamOutcome] | None = None,
            recordings: Mapping[str, Begins] | None = None) -> dict[str, Any]:
    """
    Return the figures of all ways to decide, the configured head first.

    ``said``: what the language model replied, by place in ``heard``, for two ways more.
    ``recordings``: what sounds in a background, by its name, to tell where false alarms are.
    """
    told = dict(zip((scorer.name for scorer in scorers), score_streams(heard, scorers),
                    strict=True))
    settings = [Setting.decide(f'{beside.HEAD}, {CONFIGURED}', told[beside.HEAD], rules, known)
                ] if beside.HEAD in told else []
    if settings and said:
        settings += join_model(settings[0], said, known)
    refused = []
    for name, streams in told.items():
        chosen = choose_setting(name, streams, rules, known, rates)
        if chosen is None:
            refused.append(name)
        else:
            settings.append(chosen)
    test = [place for place, scene in enumerate(heard) if scene.scene.side == 'test']
    rows = {setting.name: _measure_setting(setting, test) for setting in settings}
    blind = [settings[0].outcomes[place] for place in test] if settings else []
    return {'rates': dict(rates), 'settings': rows, 'refused': refused,
            'false_alarms': list_false_alarms(blind, recordings or {}),
            'constant': {name: test_figures(apply_constant(blind, respond=respond))
                         for name, respond in (('always silent', False),
                                               ('always respond', True))} if blind else {},
            'subset': {name: public_subset(outcomes) for name, outcomes in _subsets(
                settings, test, blind).items()},
            'trade_off': {name: trade_off(streams, rules, known)
                          for name, streams in told.items()},
            'classes_without_recordings': sorted(set(EVENTS) - {
                event.label for place in test for event in heard[place].scene.events})}


def _subsets(settings: Sequence[Setting], test: Sequence[int],
             blind: Sequence[StreamOutcome]) -> dict[str, list[StreamOutcome]]:
    return {**{setting.name: [setting.outcomes[place] for place in test] for setting in settings},
            'always silent': apply_constant(blind, respond=False),
            'always respond': apply_constant(blind, respond=True)}


def _measure_setting(setting: Setting, test: Sequence[int]) -> dict[str, Any]:
    """Return what is told of one way to decide; of validation its false alarms only."""
    outcomes = [setting.outcomes[place] for place in test]
    streams = [setting.streams[place] for place in test]
    found = test_figures(outcomes)
    calibrated = calibration_by_class(streams, tuple(setting.rules))
    other = [outcome for place, outcome in enumerate(setting.outcomes)
             if outcome.side == 'validation' and place not in setting.unheard]
    return {**found, 'shift': setting.shift, 'thresholds': setting.thresholds(),
            'goals': goals(found, calibrated), 'calibration': calibrated,
            'confusion': {condition: confusions([
                outcome for outcome in outcomes if outcome.condition == condition
                and outcome.events]) for condition in found['by_condition']},
            'misses': misses(streams, outcomes, setting.rules),
            'validation': point_of(other) if other else None}
