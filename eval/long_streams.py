"""
``python -m eval long``: half an hour with sparse events; does it still hear at the end?

Owns the comparison: the last minutes of each stream are the first ones again, sample by sample, so
what is found less often there was lost to the time between. With ``--evidence sounds`` the streams
are made of the test side only. Leaves ``long.json`` and a picture.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from audio_interaction_ros.alerts.rules import AlertRules
from audio_interaction_ros.protocol import CHUNK_S
from audio_interaction_ros.runtimes.base import Runtime
from eval.alert_figures.outcome import StreamOutcome
from eval.hearing.playing import TRACE
from eval.matching import Matches, count_bursts, match
from eval.replies.listener import LANE, AlertListener
from eval.scenes import ScenePlan, long_scene
from eval.sounds import beside
from eval.sounds import run as sounds
from eval.sounds.settings import Setting, score_streams
from eval.worker_pool import add_pool_arguments, make_pool
from held_out.classes import robot_rules
from held_out.clips import HeldOutClip, read_held_out, side_of
from measure import plots, report
from measure.intervals import percentiles, poisson, quotients, wilson

__all__ = ['add_arguments', 'figures', 'run']


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    report.add_common_arguments(parser)
    add_pool_arguments(parser)
    parser.add_argument('--minutes', type=float, default=30.0, help='length of a stream')
    parser.add_argument('--count', type=int, default=2, help='how many streams')
    parser.add_argument('--every', type=float, default=30.0, metavar='SECONDS',
                        help='one event in each of these')
    parser.add_argument('--compare', type=float, default=5.0, metavar='MINUTES',
                        help='length of the part that comes first and last')
    parser.add_argument('--snr', type=float, default=15.0, help='dB above the background')
    parser.add_argument('--threshold', type=float, default=0.0)
    parser.add_argument('--evidence', default='sounds', choices=('sounds', 'model'),
                        help='who decides: the sound head, or replies of the assistant lane '
                             '(default: %(default)s)')
    sounds.add_arguments(parser)


def figures(heard: Sequence[StreamOutcome], minutes: float, compare_min: float) -> dict[str, Any]:
    """Return recall first and last, their quotient, false alarms per hour and per five minutes."""
    pairs = [(stream, match(stream.events, stream.replies)) for stream in heard]
    twins = [twin for stream,
             matches in pairs for twin in _match_twins(stream, matches, minutes, compare_min)]
    first, last = (sum(twin[side] for twin in twins) for side in (0, 1))
    hours = sum(stream.seconds for stream, _ in pairs) / 3600
    alarms = [said.at for _, matches in pairs for said in matches.false if said.alarm]
    count = sum(count_bursts([said.at for said in matches.false if said.alarm]) for _,
                matches in pairs)

    every = [said for _, matches in pairs for said in matches.detections]
    return {
        'streams': len(pairs), 'hours': hours, 'events': len(every),
        'recall': wilson(sum(said is not None for said in every), len(every)),
        'named': wilson(sum(sum(matches.tell_named(stream.events)) for stream, matches in pairs),
                        len(every)),
        'pairs': len(twins), 'recall_first': wilson(first, len(twins)),
        'recall_last': wilson(last, len(twins)),
        'last_over_first': quotients(
            [b for _, b in twins], [a for a, _ in twins]),
        'found_first_lost_last': sum(a and not b for a, b in twins),
        'found_last_only': sum(b and not a for a, b in twins),
        'false_alarms_per_hour': poisson(count, hours),
        'false_alarms_by_five_minutes': np.histogram(
            alarms, bins=np.arange(0, minutes * 60 + 300, 300))[0].tolist(),
        'p_first_minus_last': percentiles([
            abs(a - b) for stream in heard for a,
            b in _same_chunks(stream, minutes, compare_min)])}


def _match_twins(stream: StreamOutcome, matches: Matches, minutes: float,
                 compare_min: float) -> list[
        tuple[bool, bool]]:
    """Return (found first, found last) of each event that comes in both parts."""
    shift, hit = (minutes - compare_min) * 60, dict[float, bool]()
    for event, said in zip(stream.events, matches.detections, strict=True):
        hit[round(event.start, 3)] = said is not None
    return [(hit[start], hit[round(start + shift, 3)]) for start in hit
            if start < compare_min * 60 and round(start + shift, 3) in hit]


def _same_chunks(stream: StreamOutcome, minutes: float,
                 compare_min: float) -> list[tuple[float, float]]:
    count = round(compare_min * 60 / CHUNK_S)
    shift = round((minutes - compare_min) * 60 / CHUNK_S)
    return list(zip(stream.p[:count], stream.p[shift:shift + count], strict=False))


def run(options: argparse.Namespace, runtime: Runtime | None = None) -> int:
    """Measure; return 0."""
    out, known = report.make_folder(options, 'long'), robot_rules()
    if options.evidence == 'sounds':
        heard, about = _hear_sounds(options, known, out)
    else:
        heard, about = _hear_model(options, known, out, runtime)
    measured = {**about, **figures(heard, options.minutes, options.compare)}
    plots.draw_timeline(out / 'long.png', [picture_of(stream) for stream in heard],
                        options.minutes, options.compare)
    path = report.write(out, 'long', options, measured, about['model_id'])
    print_table(measured)
    print(f'written to {path}')
    return 0


def plans_of(options: argparse.Namespace, items: Sequence[HeldOutClip],
             known: AlertRules) -> list[ScenePlan]:
    """Return the streams that the options ask for."""
    def plan(number: int) -> ScenePlan:
        name = ' '.join(map(str, ('long', number, options.minutes, options.every,
                                  options.compare, options.snr)))
        return ScenePlan(name, lambda: long_scene(
            items, known, number=number, minutes=options.minutes, every_s=options.every,
            same_s=options.compare * 60, snr_db=options.snr))
    return [plan(number) for number in range(min(options.count, options.limit or options.count))]


def _hear_sounds(options: argparse.Namespace, known: AlertRules,
                 out: Path) -> tuple[list[StreamOutcome], dict[str, Any]]:
    """Return what the sound head decides in streams of the test side."""
    items = [item for item in read_held_out(options.data) if side_of(item) == 'test']
    scorer = beside.make_head(options)
    streams = score_streams(sounds.hear(options, items, plans_of(options, items, known), known,
                                        out), [scorer])[0]
    setting = Setting.decide(scorer.name, streams, known.rules_of_sounds(options.profile), known)
    return setting.outcomes, {'evidence': 'sounds', 'thresholds': setting.thresholds(),
                              'model_id': scorer.identity}


def _hear_model(options: argparse.Namespace, known: AlertRules, out: Path,
                runtime: Runtime | None) -> tuple[list[StreamOutcome], dict[str, Any]]:
    """Return what the assistant lane says in the streams."""
    items, pool = read_held_out(options.data), make_pool(options, runtime)
    runtime = runtime or report.load_model(options)
    ears = AlertListener(runtime, options, out / 'hearings.jsonl', pool)
    return ears.hear(plans_of(options, items, known), known), {
        'evidence': 'model', 'threshold': ears.threshold, 'lane': LANE, 'trace': LANE + TRACE,
        'model_id': runtime.encoder.spec.model_id}


def picture_of(stream: StreamOutcome) -> dict[str, Any]:
    """Return what the picture shows of a stream."""
    matches = match(stream.events, stream.replies)
    pairs = list(zip(stream.events, matches.detections, strict=True))
    return {'name': stream.name, 'p': stream.p, 'false': [said.at for said in matches.false],
            'found': [event.start for event, said in pairs if said is not None],
            'missed': [event.start for event, said in pairs if said is None]}


def print_table(measured: dict[str, Any]) -> None:
    """Print the table."""
    names = {'recall': 'recall, all of the stream', 'named': 'rightly named',
             'recall_first': 'recall, first part',
             'recall_last': 'recall, last part (the same audio)',
             'last_over_first': 'last over first', 'found_first_lost_last': 'found first, lost '
             'last', 'found_last_only': 'found last only',
             'false_alarms_per_hour': 'false alarms per hour'}
    report.print_table(f'{measured["streams"]} long streams, {measured["hours"]:.2f} h, '
                       f'{measured["events"]} '
                       f'events, {measured["pairs"]} heard twice', ['', 'figure'],
                       [(name, measured[key]) for key, name in names.items()])
