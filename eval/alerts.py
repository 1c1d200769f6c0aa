"""
``python -m eval alerts``: does it answer to what matters, and is it silent otherwise?

Owns the run with the model's replies (``--evidence model``): every held-out event clip, dry and
over a background, and hours of backgrounds, all heard by the assistant lane. Leaves
``alerts.json``, three pictures and the cache of what was heard; a second run with the same --out
hears nothing again, with another threshold or min_confidence only what that makes it say. What
sounds decide is the matter of eval.sounds.
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
from eval.alert_figures import (
    BARS,
    StreamOutcome,
    apply_constant,
    calibrations,
    choose_pair,
    figures,
    list_pairs,
    trade_off,
)
from eval.listening import CHUNK_S, TRACE, Hearing, Listener
from eval.matching import GivenReply
from eval.scenes import Scene, ScenePlan, background_plans, event_plans, single_plans
from eval.sounds import run as sounds
from eval.tagger import ask_tagger, read_scores
from eval.worker_pool import WorkerPool, add_pool_arguments, make_pool
from held_out.classes import EVENTS, robot_rules
from held_out.clips import read_held_out
from measure import plots, report

__all__ = ['LANE', 'AlertListener', 'add_arguments', 'add_replies', 'make_lanes', 'run',
           'join_trace']

LANE = 'assistant'
SIDES = ('validation', 'test')
GOAL = (1.0, 0.85)
"""False alarms per hour, recall."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    report.add_common_arguments(parser)
    add_pool_arguments(parser)
    add_evidence(parser)
    sounds.add_arguments(parser)
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


def add_evidence(parser: argparse.ArgumentParser) -> None:
    """Add who decides."""
    parser.add_argument('--evidence', default='sounds', choices=('sounds', 'model', 'both'),
                        help='sounds: the sound head, detector and policy, and others beside '
                             'them; model: replies of the assistant lane; both: these two, and '
                             'sounds with replies for what no sound is heard of, all of the same '
                             'streams (default: %(default)s)')


def parse_conditions(text: str) -> list[float | None]:
    """Read --snr."""
    try:
        return [None if part.strip() == 'dry' else float(part) for part in text.split(',')]
    except ValueError:
        raise ConfigurationError(f'--snr: expected dry or numbers, separated by commas, found '
                                 f'{text!r}') from None


def make_lanes(threshold: float = 0.0, min_confidence: float = 0.0) -> tuple[LaneConfig,
                                                                             LaneConfig]:
    """Return the assistant lane, and one that listens the same way and never replies."""
    return (LaneConfig(name=LANE, threshold=threshold, min_confidence=min_confidence, alerts=True,
                       max_reply_tokens=48),
            LaneConfig(name=LANE + TRACE, threshold=1.0, max_reply_tokens=1))


class AlertListener:
    """A model that listens twice: without ever replying, and as configured where that differs."""

    def __init__(self, runtime: Runtime, options: argparse.Namespace, cache: Path,
                 crew: WorkerPool) -> None:
        self.lane, self.trace = (Listener(
            runtime, (lane,), cache=cache, variant=report.describe_variant(options), crew=crew)
            for lane in make_lanes(options.threshold, getattr(options, 'min_confidence', 0.0)))

    @property
    def threshold(self) -> float:
        """Threshold of the lane that replies."""
        return self.lane.lanes[0].threshold

    @property
    def min_confidence(self) -> float:
        """Confidence below which that lane withholds a reply; 0: it withholds none."""
        return max(0.0, self.lane.lanes[0].min_confidence)

    def hear(self, plans: Sequence[ScenePlan], known: AlertRules) -> list[StreamOutcome]:
        """
        Hear all scenes, in their order, showing how far it is.

        A stream in which p_respond stays below the threshold is heard once: both lanes are the
        same up to the first reply.
        """
        outcomes: dict[int, StreamOutcome] = {}
        with report.progress_bar() as bar:
            task = bar.add_task('streams', total=len(plans))
            for place, scene, hearing in _hear_scenes(self.trace, plans, range(len(plans))):
                outcomes[place] = join_trace(scene, hearing, known)
                bar.advance(task)
            loud = [place for place, stream in sorted(outcomes.items())
                    if max(stream.p, default=0.0) >= self.threshold]
            task = bar.add_task('streams with replies', total=len(loud))
            for place, _, hearing in _hear_scenes(self.lane, plans, loud):
                outcomes[place] = add_replies(outcomes[place], hearing, known)
                bar.advance(task)
        return [outcomes[place] for place in sorted(outcomes)]


def _hear_scenes(listener: Listener, plans: Sequence[ScenePlan],
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


def _make_reply(at: float, urgent: bool, text: str, known: AlertRules) -> GivenReply:
    return GivenReply(at=at, urgent=urgent, text=text,
                      labels=frozenset(rule.label for rule in known.match(text)))


def join_trace(scene: Scene, hearing: Hearing, known: AlertRules) -> StreamOutcome:
    """Join a scene with what a lane heard of it that never replies."""
    return StreamOutcome(name=scene.name, kind=scene.kind, seconds=hearing.seconds,
                         events=scene.events,
                         p=tuple(hearing.p.get(LANE + TRACE, ())),
                         asides=tuple((chunk, _make_reply((chunk + 1) * CHUNK_S, urgent, text,
                                                          known), sure)
                                      for chunk, urgent, text, sure in hearing.muttered),
                         group=scene.group, origin=scene.origin, side=scene.side,
                         condition=scene.condition, unique_s=scene.unique_s,
                         label=scene.label)


def add_replies(stream: StreamOutcome, hearing: Hearing, known: AlertRules) -> StreamOutcome:
    """Add what the lane that replies heard of the same stream."""
    replies = hearing.replies_of(LANE)
    return replace(
        stream, raised=len(hearing.alerts),
        withheld=sum(lane == LANE for lane, *_ in hearing.withheld),
        replies=tuple(_make_reply(reply.at, reply.urgent, reply.text, known) for reply in replies),
        computing=tuple(reply.shown[0][0] if reply.shown else 0.0
                        for reply in replies) if hearing.alone else ())


def plans_of(options: argparse.Namespace, known: AlertRules) -> list[ScenePlan]:
    """Return events, and backgrounds of both sides."""
    items = read_held_out(options.data)
    return [*event_plans(items, known, snrs=parse_conditions(options.snr),
                         per_class=options.per_class,
                         limit=options.limit),
            *single_plans(items, options.limit),
            *background_plans(items, options.hours, options.limit, 'test'),
            *background_plans(items, options.validation_hours, options.limit, 'validation')]


def run(options: argparse.Namespace, runtime: Runtime | None = None) -> int:
    """Measure by the evidence that is asked for; return 0."""
    if options.evidence == 'model':
        return run_model(options, runtime)

    def hear_model(plans: Sequence[ScenePlan], known: AlertRules) -> list[StreamOutcome]:
        pool = make_pool(options, runtime)
        ears = AlertListener(runtime or report.load_model(options), options,
                             report.make_folder(options, 'alerts') / 'hearings.jsonl', pool)
        return ears.hear(plans, known)
    return sounds.run(options, parse_conditions(options.snr),
                      hear_model if options.evidence == 'both' else None)


def run_model(options: argparse.Namespace, runtime: Runtime | None = None) -> int:
    """Measure the model's replies; return 0."""
    known, out = robot_rules(), report.make_folder(options, 'alerts')
    plans, crew = plans_of(options, known), make_pool(options, runtime)
    runtime = runtime or report.load_model(options)
    ears = AlertListener(runtime, options, out / 'hearings.jsonl', crew)
    heard = ears.hear(plans, known)
    measured = measure(heard, threshold=ears.threshold, min_confidence=ears.min_confidence)
    if options.beside:
        measured['beside'] = report.read(options.beside)
    if options.pick is not None:
        measured['picked'] = pick_pairs(heard, options.pick, BARS if not options.min_confidence
                                        else [ears.min_confidence])
    if options.tagger:
        measured['tagger'] = trade_off(ask_tagger(
            read_held_out(options.data), options.data, read_scores(options.tagger),
            [stream.name.rpartition(' ')[0] for stream in heard if stream.condition == 'dry']
            or [stream.name.rsplit(' ', 2)[0] for stream in heard if stream.events]))
    draw_pictures(out, measured)
    path = report.write(out, 'alerts', options, measured, runtime.encoder.spec.model_id)
    print_tables(measured)
    fresh = ears.trace.fresh + ears.lane.fresh
    print(f'written to {path} ({fresh} hearings now, the others from the cache)')
    return 0


def measure(heard: Sequence[StreamOutcome], threshold: float,
            min_confidence: float = 0.0) -> dict[str, Any]:
    """
    Return the figures of a model with those of the two policies without one beside.

    All held-out events count, but backgrounds of the test side only: thresholds are chosen on the
    others.
    """
    blind = [stream for stream in heard if stream.events or stream.side != 'validation']
    sides = {which: [stream for stream in heard if stream.side == which] for which in SIDES}
    return {'threshold': threshold, 'min_confidence': min_confidence, 'model': figures(blind),
            'always_silent': figures(apply_constant(blind, respond=False)),
            'always_respond': figures(apply_constant(blind, respond=True)),
            'classes_without_recordings': sorted(
                set(EVENTS) - {event.label for stream in heard for event in stream.events}),
            'calibration': calibrations(blind),
            'sides': {which: figures(mine) for which, mine in sides.items()},
            'trade_off': {which: trade_off(mine, min_confidence=min_confidence)
                          for which, mine in sides.items()}}


def pick_pairs(heard: Sequence[StreamOutcome], rate: float,
               bars: Sequence[float] = BARS) -> dict[str, Any]:
    """
    Return the pairs that validation allows for a rate, and what the best gives on both sides.

    A pair is a min_confidence with the lowest threshold that has at most ``rate`` false alarms an
    hour. The test side tells of the chosen pair only.
    """
    sides = {which: [stream for stream in heard if stream.side == which] for which in SIDES}
    points = list_pairs(sides['validation'], rate, bars)
    best = choose_pair(points)
    choice: dict[str, Any] = {'rate': rate, 'pairs': points, 'threshold': None}
    if best is not None:
        choice |= {key: best[key] for key in ('threshold', 'min_confidence')}
        choice |= {which: trade_off(mine, [best['threshold']], best['min_confidence'])[0]
                   for which, mine in sides.items()}
    return choice


def draw_pictures(out: Path, measured: dict[str, Any]) -> None:
    """Draw reliability, trade-off and recall per class."""
    plots.draw_reliability(out / 'reliability.png', measured['calibration'])
    curves = dict(measured['trade_off'])
    if 'beside' in measured:
        curves['test, the model beside'] = measured['beside']['trade_off']['test']
    if 'tagger' in measured:
        curves['AudioSet tagger on the clips, unmixed'] = measured['tagger']
    plots.draw_tradeoff(out / 'tradeoff.png', curves, measured['threshold'], GOAL)
    classes = measured['model']['classes']
    if classes:
        plots.draw_bars(out / 'recall.png', {
            f'{label} ({row["recordings"]})': {'any alert': row['any'], 'named': row['named']}
            for label, row in classes.items()}, title='Recall per class (source recordings)',
            label='recall, 95 % interval')


def print_tables(measured: dict[str, Any]) -> None:
    """Print the tables."""
    model = measured['model']
    report.print_table('Events', ['class', 'clips heard', 'recordings', 'recall (any alert)',
                                  'recall (named)', 'p50 from onset s', 'p50 from end s'],
                       [(label, row['events'], row['recordings'], row['any'], row['named'],
                         row['delay']['decision_from_onset_s']['p50'],
                         row['delay']['decision_from_end_s']['p50'])
                        for label, row in model['classes'].items()])
    report.print_table('Policies', ['', 'recall, mean of classes', 'named', 'false alarms/h',
                                    'false replies/h', 'balanced accuracy'],
                       [(name, part['recall']['any_mean_of_classes'],
                         part['recall']['named_mean_of_classes'],
                         part['background']['false_alarms_per_hour'],
                         part['background']['false_replies_per_hour'], part['balanced_accuracy'])
                        for name, part in ((_describe_setting(measured), model),
                                           *_rows_beside(measured, 'model'),
                                           ('always silent', measured['always_silent']),
                                           ('always respond', measured['always_respond']))])
    report.print_table('Backgrounds',
                       ['kind', 'hours', 'of different recordings', 'false alarms/h',
                                       'alerts raised/h', 'chatter/h', 'withheld/h'],
                       [(kind, row['hours'], row['hours_of_different_recordings'],
                         row['false_alarms_per_hour'], row['alerts_raised_per_hour'],
                         row['chatter_per_hour'], row['withheld_per_hour'])
                        for kind,
                        row in [*model['backgrounds'].items(), ('all', model['background'])]])
    report.print_table('Recall by condition and by origin',
                       ['', 'recordings', 'any alert', 'named'],
                       [(name, row['recordings'], row['any'], row['named'])
                        for part in ('conditions', 'origins') for name,
                        row in model[part].items()])
    report.print_table('Thresholds are chosen on validation', [
        'side', 'hours', 'recall, mean of classes', 'named', 'false alarms/h', 'chatter/h'],
        [(which, row['background']['hours'], row['recall']['any_mean_of_classes'],
          row['recall']['named_mean_of_classes'], row['background']['false_alarms_per_hour'],
          row['background']['chatter_per_hour']) for which, row in (
              *measured['sides'].items(), *_rows_beside(measured, 'sides', 'test'))])
    if 'picked' in measured:
        print_picked(measured['picked'])
    report.print_table('Response delay, s', ['', 'p50', 'p95', 'n'],
                       [(name, row['p50'], row['p95'], row['n'])
                        for name, row in model['delay'].items() if row['n']])
    if 'tagger' in measured:
        report.print_table('A tagger on the clips themselves (not the mixtures)',
                           ['score', 'recall', 'false alarms/h'],
                           [(point['threshold'], point['recall'], point['false_per_hour'])
                            for point in measured['tagger'] if point['threshold']
                            in (0.1, 0.3, 0.5, 0.7)])
    if measured['classes_without_recordings']:
        print('no held-out recording of: ' + ', '.join(measured['classes_without_recordings']))


def _describe_setting(measured: dict[str, Any]) -> str:
    bar = f', confidence {measured["min_confidence"]:.2f}' if measured['min_confidence'] else ''
    return f'model at {measured["threshold"]:.2f}{bar}'


def _rows_beside(measured: dict[str, Any], *keys: str) -> list[tuple[str, Any]]:
    """Return the name and a part of the model beside, nothing if there is none."""
    if 'beside' not in measured:
        return []
    part = measured['beside']
    for key in keys:
        part = part[key]
    return [(f'beside: {measured["beside"]["model_id"][:12]} at '
             f'{measured["beside"]["threshold"]:.2f}',
             part)]


def print_picked(choice: dict[str, Any]) -> None:
    """Print the pairs and the one that was picked."""
    if choice['threshold'] is None:
        print(f'NOT PICKED: no threshold up to 0.999 has {choice["rate"]:g} false alarms an hour '
              'or fewer on validation, or there are no backgrounds for validation')
        return
    columns = ['recall, mean of classes', 'named', 'false alarms/h', 'chatter/h']

    def row(point: dict[str, Any]) -> tuple[Any, ...]:
        return (point['recall'], point['named'], point['false_per_hour'],
                point['chatter_per_hour'])
    report.print_table(f'Pairs with at most {choice["rate"]:g} false alarms/h on validation, '
                       'where they were looked for', ['min_confidence', 'threshold', *columns],
                       [(f'{point["min_confidence"]:g}', point['threshold'], *row(point))
                        for point in choice['pairs']])
    report.print_table(f'Picked: threshold {choice["threshold"]:g}, min_confidence '
                       f'{choice["min_confidence"]:g}', ['side', *columns],
                       [(which, *row(choice[which])) for which in SIDES])
