"""
``python -m eval alerts``: does it answer to what matters, and is it silent otherwise?

Owns the run: every held-out event clip, dry and over a background, and hours of backgrounds, all
heard by the assistant lane. Leaves ``alerts.json``, three pictures and the cache of what was
heard; a second run with the same --out hears nothing again.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from audio_interaction_ros.alerts.rules import AlertRules
from audio_interaction_ros.config import LaneConfig
from audio_interaction_ros.errors import ConfigurationError
from audio_interaction_ros.runtimes.registry import Runtime
from eval import plots, report
from eval.alert_figures import (
    Heard,
    always,
    calibrations,
    figures,
    trade_off,
)
from eval.classes import EVENTS, rules
from eval.listening import TRACE, Hearing, Listener
from eval.matching import Said
from eval.material import held_out
from eval.scenes import Plan, Scene, background_plans, event_plans
from eval.tagger import heard_by_tagger, read_scores

__all__ = ['LANE', 'add_arguments', 'heard_from', 'lanes', 'listen', 'run']

LANE = 'assistant'
GOAL = (1.0, 0.85)
"""False alarms per hour, recall."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    report.common_arguments(parser)
    parser.add_argument('--hours', type=float, default=2.0, help='hours of background')
    parser.add_argument('--per-class', type=int, default=40, metavar='CLIPS',
                        help='at most so many clips of a class')
    parser.add_argument('--snr', default='dry,10', metavar='LIST',
                        help='conditions of events: dry, or dB above the background')
    parser.add_argument('--tagger', type=Path, metavar='JSONL',
                        help='scores of an AudioSet tagger on the clips, drawn beside the model')
    parser.add_argument('--threshold', type=float, default=0.0,
                        help='of the assistant lane (default: as the model says)')


def conditions(text: str) -> list[float | None]:
    """Read --snr."""
    try:
        return [None if part.strip() == 'dry' else float(part) for part in text.split(',')]
    except ValueError:
        raise ConfigurationError(f'--snr: expected dry or numbers, separated by commas, found '
                                 f'{text!r}') from None


def lanes(threshold: float = 0.0) -> tuple[LaneConfig, ...]:
    """Return the assistant lane, and one that listens the same way and never replies."""
    return (LaneConfig(name=LANE, threshold=threshold, alerts=True, max_reply_tokens=48),
            LaneConfig(name=LANE + TRACE, threshold=1.0, max_reply_tokens=1))


def heard_from(scene: Scene, hearing: Hearing, known: AlertRules) -> Heard:
    """Join a scene with what was heard of it."""
    replies = hearing.of(LANE)
    said = tuple(Said(at=reply.at, urgent=reply.urgent, text=reply.text, labels=frozenset(
        rule.label for rule in known.match(reply.text))) for reply in replies)
    return Heard(name=scene.name, kind=scene.kind, seconds=hearing.seconds, events=scene.events,
                 replies=said, p=tuple(hearing.p.get(LANE + TRACE, ())),
                 computing=tuple(reply.shown[0][0] if reply.shown else 0.0 for reply in replies),
                 group=scene.group, origin=scene.origin, condition=scene.condition,
                 raised=len(hearing.alerts), unique_s=scene.unique_s)


def listen(listener: Listener, plans: Sequence[Plan], what: str,
           known: AlertRules) -> list[Heard]:
    """Hear all scenes, showing how far it is."""
    found = []
    with report.progress() as bar:
        task = bar.add_task(what, total=len(plans))
        for plan in plans:
            scene = plan.make()
            found.append(heard_from(scene, listener.hear(scene.name, scene.samples), known))
            bar.advance(task)
    return found


def run(options: argparse.Namespace, runtime: Runtime | None = None) -> int:
    """Measure; return 0."""
    snrs, known, out = conditions(options.snr), rules(), report.folder(options, 'alerts')
    items = held_out(options.data)
    events = event_plans(items, known, snrs=snrs, per_class=options.per_class,
                         limit=options.limit)
    backgrounds = background_plans(items, options.hours, options.limit)
    runtime = runtime or report.model_of(options)
    listener = Listener(runtime, lanes(options.threshold), cache=out / 'hearings.jsonl',
                        variant=report.variant(options))
    heard = [*listen(listener, events, 'events', known),
             *listen(listener, backgrounds, 'backgrounds', known)]
    found = measure(heard, threshold=listener.lanes[0].threshold)
    if options.tagger:
        found['tagger'] = trade_off(heard_by_tagger(
            items, options.data, read_scores(options.tagger),
            [one.name.rpartition(' ')[0] for one in heard if one.condition == 'dry']
            or [one.name.rsplit(' ', 2)[0] for one in heard if one.events]))
    pictures(out, found)
    path = report.write(out, 'alerts', options, found, runtime.encoder.spec.model_id)
    tell(found)
    print(f'written to {path} ({listener.fresh} streams heard now, '
          f'{len(heard) - listener.fresh} from the cache)')
    return 0


def measure(heard: Sequence[Heard], threshold: float) -> dict[str, Any]:
    """Return the figures of a model with those of the two policies without one beside."""
    return {'threshold': threshold, 'model': figures(heard),
            'always_silent': figures(always(heard, respond=False)),
            'always_respond': figures(always(heard, respond=True)),
            'classes_without_recordings': sorted(
                set(EVENTS) - {event.label for one in heard for event in one.events}),
            'calibration': calibrations(heard), 'trade_off': trade_off(heard)}


def pictures(out: Path, found: dict[str, Any]) -> None:
    """Draw reliability, trade-off and recall per class."""
    plots.reliability(out / 'reliability.png', found['calibration'])
    plots.tradeoff(out / 'tradeoff.png', found['trade_off'], found['threshold'], GOAL,
                   beside=found.get('tagger', ()))
    classes = found['model']['classes']
    if classes:
        plots.bars(out / 'recall.png', {
            f'{label} ({row["recordings"]})': {'any alert': row['any'], 'named': row['named']}
            for label, row in classes.items()}, title='Recall per class (source recordings)',
            label='recall, 95 % interval')


def tell(found: dict[str, Any]) -> None:
    """Print the tables."""
    model = found['model']
    report.show('Events', ['class', 'clips heard', 'recordings', 'recall (any alert)',
                           'recall (named)', 'p50 from onset s', 'p50 from end s'],
                [(label, row['events'], row['recordings'], row['any'], row['named'],
                  row['delay']['decision_from_onset_s']['p50'],
                  row['delay']['decision_from_end_s']['p50'])
                 for label, row in model['classes'].items()])
    report.show('Policies', ['', 'recall, mean of classes', 'named', 'false alarms/h',
                             'false replies/h', 'balanced accuracy'],
                [(name, part['recall']['any_mean_of_classes'],
                  part['recall']['named_mean_of_classes'],
                  part['background']['false_alarms_per_hour'],
                  part['background']['false_replies_per_hour'], part['balanced_accuracy'])
                 for name, part in ((f'model at {found["threshold"]:.2f}', model),
                                    ('always silent', found['always_silent']),
                                    ('always respond', found['always_respond']))])
    report.show('Backgrounds', ['kind', 'hours', 'of different recordings', 'false alarms/h',
                                'alerts raised/h', 'chatter/h'],
                [(kind, row['hours'], row['hours_of_different_recordings'],
                  row['false_alarms_per_hour'], row['alerts_raised_per_hour'],
                  row['chatter_per_hour'])
                 for kind, row in [*model['backgrounds'].items(), ('all', model['background'])]])
    report.show('Recall by condition and by origin', ['', 'recordings', 'any alert', 'named'],
                [(name, row['recordings'], row['any'], row['named'])
                 for part in ('conditions', 'origins') for name, row in model[part].items()])
    report.show('Response delay, s', ['', 'p50', 'p95', 'n'],
                [(name, row['p50'], row['p95'], row['n'])
                 for name, row in model['delay'].items()])
    if 'tagger' in found:
        report.show('A tagger on the clips themselves (not the mixtures)',
                    ['score', 'recall', 'false alarms/h'],
                    [(point['threshold'], point['recall'], point['false_per_hour'])
                     for point in found['tagger'] if point['threshold'] in (0.1, 0.3, 0.5, 0.7)])
    if found['classes_without_recordings']:
        print('no held-out recording of: ' + ', '.join(found['classes_without_recordings']))
