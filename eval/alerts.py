"""
``python -m eval alerts``: does it answer to what matters, and is it silent otherwise?

Owns the run: every held-out event clip, dry and over a background, and hours of backgrounds, all
heard by the assistant lane. Leaves ``alerts.json``, three pictures and the cache of what was
heard; a second run with the same --out hears nothing again, with another threshold or
min_confidence only what that makes it say.
"""

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from audio_interaction_ros.alerts.rules import AlertRules
from audio_interaction_ros.config import LaneConfig
from audio_interaction_ros.errors import ConfigurationError
from audio_interaction_ros.runtimes.base import Runtime
from eval import plots, report
from eval.alert_figures import (
    BARS,
    Heard,
    always,
    calibrations,
    chosen,
    figures,
    pairs,
    trade_off,
)
from eval.classes import EVENTS, rules
from eval.crew import Crew
from eval.listening import CHUNK_S, TRACE, Hearing, Listener
from eval.matching import Said
from eval.material import held_out
from eval.scenes import Plan, Scene, background_plans, event_plans
from eval.tagger import heard_by_tagger, read_scores

__all__ = ['LANE', 'Ears', 'add_arguments', 'answered', 'lanes', 'run', 'traced']

LANE = 'assistant'
SIDES = ('validation', 'test')
GOAL = (1.0, 0.85)
"""False alarms per hour, recall."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    report.common_arguments(parser)
    report.crew_arguments(parser)
    parser.add_argument('--hours', type=float, default=2.0,
                        help='hours of background to report on')
    parser.add_argument('--validation-hours', type=float, default=1.0,
                        help='hours of background to choose a threshold on')
    parser.add_argument('--pick', type=float, metavar='RATE',
                        help='print for each min_confidence (or for the given one) the lowest '
                             'threshold with at most so many false alarms per hour on '
                             'validation, and the best of these pairs')
    parser.add_argument('--per-class', type=int, default=40, metavar='CLIPS',
                        help='at most so many clips of a class')
    parser.add_argument('--snr', default='dry,10', metavar='LIST',
                        help='conditions of events: dry, or dB above the background')
    parser.add_argument('--tagger', type=Path, metavar='JSONL',
                        help='scores of an AudioSet tagger on the clips, drawn beside the model')
    parser.add_argument('--beside', type=Path, metavar='alerts.json',
                        help='an earlier run, of another model, shown beside this one')
    parser.add_argument('--threshold', type=float, default=0.0,
                        help='of the assistant lane (default: as the model says)')
    parser.add_argument('--min-confidence', type=float, default=0.0,
                        help='of the assistant lane; -1: withhold nothing (default: as the model '
                             'says)')


def conditions(text: str) -> list[float | None]:
    """Read --snr."""
    try:
        return [None if part.strip() == 'dry' else float(part) for part in text.split(',')]
    except ValueError:
        raise ConfigurationError(f'--snr: expected dry or numbers, separated by commas, found '
                                 f'{text!r}') from None


def lanes(threshold: float = 0.0, min_confidence: float = 0.0) -> tuple[LaneConfig, LaneConfig]:
    """Return the assistant lane, and one that listens the same way and never replies."""
    return (LaneConfig(name=LANE, threshold=threshold, min_confidence=min_confidence, alerts=True,
                       max_reply_tokens=48),
            LaneConfig(name=LANE + TRACE, threshold=1.0, max_reply_tokens=1))


class Ears:
    """A model that listens twice: without ever replying, and as configured where that differs."""

    def __init__(self, runtime: Runtime, options: argparse.Namespace, cache: Path,
                 crew: Crew) -> None:
        self.lane, self.trace = (Listener(
            runtime, (one,), cache=cache, variant=report.variant(options), crew=crew)
            for one in lanes(options.threshold, getattr(options, 'min_confidence', 0.0)))

    @property
    def threshold(self) -> float:
        """Threshold of the lane that replies."""
        return self.lane.lanes[0].threshold

    @property
    def min_confidence(self) -> float:
        """Confidence below which that lane withholds a reply; 0: it withholds none."""
        return max(0.0, self.lane.lanes[0].min_confidence)

    def hear(self, plans: Sequence[Plan], known: AlertRules) -> list[Heard]:
        """
        Hear all scenes, in their order, showing how far it is.

        A stream in which p_respond stays below the threshold is heard once: both lanes are the
        same up to the first reply.
        """
        found: dict[int, Heard] = {}
        with report.progress() as bar:
            task = bar.add_task('streams', total=len(plans))
            for place, scene, hearing in _heard(self.trace, plans, range(len(plans))):
                found[place] = traced(scene, hearing, known)
                bar.advance(task)
            loud = [place for place, one in sorted(found.items())
                    if max(one.p, default=0.0) >= self.threshold]
            task = bar.add_task('streams with replies', total=len(loud))
            for place, _, hearing in _heard(self.lane, plans, loud):
                found[place] = answered(found[place], hearing, known)
                bar.advance(task)
        return [found[place] for place in sorted(found)]


def _heard(listener: Listener, plans: Sequence[Plan],
           places: Sequence[int]) -> Iterator[tuple[int, Scene, Hearing]]:
    """Yield (place, scene without samples, hearing) as they are done."""
    scenes = []

    def streams() -> Iterator[tuple[str, np.ndarray]]:
        for place in places:
            scene = plans[place].make()
            scenes.append(replace(scene, samples=scene.samples[:0]))
            yield scene.name, scene.samples
    for index, hearing in listener.hear_all(streams()):
        yield places[index], scenes[index], hearing


def _said(at: float, urgent: bool, text: str, known: AlertRules) -> Said:
    return Said(at=at, urgent=urgent, text=text,
                labels=frozenset(rule.label for rule in known.match(text)))


def traced(scene: Scene, hearing: Hearing, known: AlertRules) -> Heard:
    """Join a scene with what a lane heard of it that never replies."""
    return Heard(name=scene.name, kind=scene.kind, seconds=hearing.seconds, events=scene.events,
                 p=tuple(hearing.p.get(LANE + TRACE, ())),
                 asides=tuple((chunk, _said((chunk + 1) * CHUNK_S, urgent, text, known), sure)
                              for chunk, urgent, text, sure in hearing.muttered),
                 group=scene.group, origin=scene.origin, side=scene.side,
                 condition=scene.condition, unique_s=scene.unique_s)


def answered(one: Heard, hearing: Hearing, known: AlertRules) -> Heard:
    """Add what the lane that replies heard of the same stream."""
    replies = hearing.of(LANE)
    return replace(
        one, raised=len(hearing.alerts),
        withheld=sum(lane == LANE for lane, *_ in hearing.withheld),
        replies=tuple(_said(reply.at, reply.urgent, reply.text, known) for reply in replies),
        computing=tuple(reply.shown[0][0] if reply.shown else 0.0
                        for reply in replies) if hearing.alone else ())


def plans_of(options: argparse.Namespace, known: AlertRules) -> list[Plan]:
    """Return events, and backgrounds of both sides."""
    items = held_out(options.data)
    return [*event_plans(items, known, snrs=conditions(options.snr), per_class=options.per_class,
                         limit=options.limit),
            *background_plans(items, options.hours, options.limit, 'test'),
            *background_plans(items, options.validation_hours, options.limit, 'validation')]


def run(options: argparse.Namespace, runtime: Runtime | None = None) -> int:
    """Measure; return 0."""
    known, out = rules(), report.folder(options, 'alerts')
    plans, crew = plans_of(options, known), report.crew_of(options, runtime)
    runtime = runtime or report.model_of(options)
    ears = Ears(runtime, options, out / 'hearings.jsonl', crew)
    heard = ears.hear(plans, known)
    found = measure(heard, threshold=ears.threshold, min_confidence=ears.min_confidence)
    if options.beside:
        found['beside'] = report.read(options.beside)
    if options.pick is not None:
        found['picked'] = pick(heard, options.pick, BARS if not options.min_confidence
                               else [ears.min_confidence])
    if options.tagger:
        found['tagger'] = trade_off(heard_by_tagger(
            held_out(options.data), options.data, read_scores(options.tagger),
            [one.name.rpartition(' ')[0] for one in heard if one.condition == 'dry']
            or [one.name.rsplit(' ', 2)[0] for one in heard if one.events]))
    pictures(out, found)
    path = report.write(out, 'alerts', options, found, runtime.encoder.spec.model_id)
    tell(found)
    fresh = ears.trace.fresh + ears.lane.fresh
    print(f'written to {path} ({fresh} hearings now, the others from the cache)')
    return 0


def measure(heard: Sequence[Heard], threshold: float,
            min_confidence: float = 0.0) -> dict[str, Any]:
    """
    Return the figures of a model with those of the two policies without one beside.

    All held-out events count, but backgrounds of the test side only: thresholds are chosen on the
    others.
    """
    blind = [one for one in heard if one.events or one.side != 'validation']
    sides = {which: [one for one in heard if one.side == which] for which in SIDES}
    return {'threshold': threshold, 'min_confidence': min_confidence, 'model': figures(blind),
            'always_silent': figures(always(blind, respond=False)),
            'always_respond': figures(always(blind, respond=True)),
            'classes_without_recordings': sorted(
                set(EVENTS) - {event.label for one in heard for event in one.events}),
            'calibration': calibrations(blind),
            'sides': {which: figures(mine) for which, mine in sides.items()},
            'trade_off': {which: trade_off(mine, min_confidence=min_confidence)
                          for which, mine in sides.items()}}


def pick(heard: Sequence[Heard], rate: float,
         bars: Sequence[float] = BARS) -> dict[str, Any]:
    """
    Return the pairs that validation allows for a rate, and what the best gives on both sides.

    A pair is a min_confidence with the lowest threshold that has at most ``rate`` false alarms an
    hour. The test side tells of the chosen pair only.
    """
    sides = {which: [one for one in heard if one.side == which] for which in SIDES}
    points = pairs(sides['validation'], rate, bars)
    best = chosen(points)
    found: dict[str, Any] = {'rate': rate, 'pairs': points, 'threshold': None}
    if best is not None:
        found |= {key: best[key] for key in ('threshold', 'min_confidence')}
        found |= {which: trade_off(mine, [best['threshold']], best['min_confidence'])[0]
                  for which, mine in sides.items()}
    return found


def pictures(out: Path, found: dict[str, Any]) -> None:
    """Draw reliability, trade-off and recall per class."""
    plots.reliability(out / 'reliability.png', found['calibration'])
    curves = dict(found['trade_off'])
    if 'beside' in found:
        curves['test, the model beside'] = found['beside']['trade_off']['test']
    if 'tagger' in found:
        curves['AudioSet tagger on the clips, unmixed'] = found['tagger']
    plots.tradeoff(out / 'tradeoff.png', curves, found['threshold'], GOAL)
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
                 for name, part in ((_setting(found), model),
                                    *_beside(found, 'model'),
                                    ('always silent', found['always_silent']),
                                    ('always respond', found['always_respond']))])
    report.show('Backgrounds', ['kind', 'hours', 'of different recordings', 'false alarms/h',
                                'alerts raised/h', 'chatter/h', 'withheld/h'],
                [(kind, row['hours'], row['hours_of_different_recordings'],
                  row['false_alarms_per_hour'], row['alerts_raised_per_hour'],
                  row['chatter_per_hour'], row['withheld_per_hour'])
                 for kind, row in [*model['backgrounds'].items(), ('all', model['background'])]])
    report.show('Recall by condition and by origin', ['', 'recordings', 'any alert', 'named'],
                [(name, row['recordings'], row['any'], row['named'])
                 for part in ('conditions', 'origins') for name, row in model[part].items()])
    report.show('Thresholds are chosen on validation', [
        'side', 'hours', 'recall, mean of classes', 'named', 'false alarms/h', 'chatter/h'],
        [(which, row['background']['hours'], row['recall']['any_mean_of_classes'],
          row['recall']['named_mean_of_classes'], row['background']['false_alarms_per_hour'],
          row['background']['chatter_per_hour']) for which, row in (
              *found['sides'].items(), *_beside(found, 'sides', 'test'))])
    if 'picked' in found:
        tell_picked(found['picked'])
    report.show('Response delay, s', ['', 'p50', 'p95', 'n'],
                [(name, row['p50'], row['p95'], row['n'])
                 for name, row in model['delay'].items() if row['n']])
    if 'tagger' in found:
        report.show('A tagger on the clips themselves (not the mixtures)',
                    ['score', 'recall', 'false alarms/h'],
                    [(point['threshold'], point['recall'], point['false_per_hour'])
                     for point in found['tagger'] if point['threshold'] in (0.1, 0.3, 0.5, 0.7)])
    if found['classes_without_recordings']:
        print('no held-out recording of: ' + ', '.join(found['classes_without_recordings']))


def _setting(found: dict[str, Any]) -> str:
    bar = f', confidence {found["min_confidence"]:.2f}' if found['min_confidence'] else ''
    return f'model at {found["threshold"]:.2f}{bar}'


def _beside(found: dict[str, Any], *keys: str) -> list[tuple[str, Any]]:
    """Return the name and a part of the model beside, nothing if there is none."""
    if 'beside' not in found:
        return []
    part = found['beside']
    for key in keys:
        part = part[key]
    return [(f'beside: {found["beside"]["model_id"][:12]} at {found["beside"]["threshold"]:.2f}',
             part)]


def tell_picked(choice: dict[str, Any]) -> None:
    """Print the pairs and the one that was picked."""
    if choice['threshold'] is None:
        print(f'NOT PICKED: no threshold up to 0.999 has {choice["rate"]:g} false alarms an hour '
              'or fewer on validation, or there are no backgrounds for validation')
        return
    columns = ['recall, mean of classes', 'named', 'false alarms/h', 'chatter/h']

    def row(point: dict[str, Any]) -> tuple[Any, ...]:
        return (point['recall'], point['named'], point['false_per_hour'],
                point['chatter_per_hour'])
    report.show(f'Pairs with at most {choice["rate"]:g} false alarms/h on validation, '
                'where they were looked for', ['min_confidence', 'threshold', *columns],
                [(f'{point["min_confidence"]:g}', point['threshold'], *row(point))
                 for point in choice['pairs']])
    report.show(f'Picked: threshold {choice["threshold"]:g}, min_confidence '
                f'{choice["min_confidence"]:g}', ['side', *columns],
                [(which, *row(choice[which])) for which in SIDES])
