"""
``python -m eval alerts --evidence model``: alerts that the model's replies decide.

Owns the run: every stream is heard by the assistant lane. Leaves ``alerts.json``, three pictures
and the cache of what was heard; a second run with the same --out hears nothing again, with another
threshold or min_confidence only what that makes it say.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from audio_interaction_ros.runtimes.base import Runtime
from eval.alert_figures.outcome import StreamOutcome
from eval.alert_figures.trade_off import BARS, trade_off
from eval.alert_plans import plans_of
from eval.replies import pictures, tables
from eval.replies.figures import measure, pick_pairs
from eval.replies.listener import AlertListener
from eval.tagger import ask_tagger, read_scores
from eval.worker_pool import make_pool
from held_out.classes import robot_rules
from held_out.clips import HeldOutClip, read_held_out
from measure import report

__all__ = ['add_arguments', 'make_listener', 'run']


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of evidence ``model``."""
    parser.add_argument('--threshold', type=float, default=0.0,
                        help='of the assistant lane (default: as the model says)')
    parser.add_argument('--min-confidence', type=float, default=0.0,
                        help='of the assistant lane; -1: withhold nothing (default: as the model '
                             'says)')
    parser.add_argument('--pick', type=float, metavar='RATE',
                        help='print for each min_confidence (or for the given one) the lowest '
                             'threshold with at most so many false alarms per hour on '
                             'validation, and the best of these pairs')
    parser.add_argument('--tagger', type=Path, metavar='JSONL',
                        help='scores of an AudioSet tagger on the clips, drawn beside the model')
    parser.add_argument('--beside', type=Path, metavar='alerts.json',
                        help='an earlier run, of another model, shown beside this one')


def make_listener(options: argparse.Namespace, runtime: Runtime | None) -> AlertListener:
    """Return the model that the options mean, or the given one, ready to hear."""
    pool = make_pool(options, runtime)
    return AlertListener(runtime or report.load_model(options), options,
                         report.make_folder(options, 'alerts') / 'hearings.jsonl', pool)


def run(options: argparse.Namespace, runtime: Runtime | None = None) -> int:
    """Measure; return 0."""
    known, out = robot_rules(), report.make_folder(options, 'alerts')
    items = read_held_out(options.data)
    plans, ears = plans_of(options, items, known), make_listener(options, runtime)
    heard = ears.hear(plans, known)
    measured = measure(heard, threshold=ears.threshold, min_confidence=ears.min_confidence)
    measured |= _measure_beside(options, items, heard, ears.min_confidence)
    pictures.draw(out, measured)
    path = report.write(out, 'alerts', options, measured, ears.model_id)
    tables.print_all(measured)
    print(f'written to {path} ({ears.fresh} hearings now, the others from the cache)')
    return 0


def _measure_beside(options: argparse.Namespace, items: Sequence[HeldOutClip],
                    heard: Sequence[StreamOutcome], min_confidence: float) -> dict[str, Any]:
    """Return what the options ask for beside the model's own figures."""
    beside: dict[str, Any] = {}
    if options.beside:
        beside['beside'] = report.read(options.beside)
    if options.pick is not None:
        beside['picked'] = pick_pairs(heard, options.pick, BARS if not options.min_confidence
                                      else [min_confidence])
    if options.tagger:
        beside['tagger'] = trade_off(ask_tagger(
            items, options.data, read_scores(options.tagger), _list_events(heard)))
    return beside


def _list_events(heard: Sequence[StreamOutcome]) -> list[str]:
    """Return the names of the event clips that were heard dry, of all if none was."""
    return ([stream.name.rpartition(' ')[0] for stream in heard if stream.condition == 'dry']
            or [stream.name.rsplit(' ', 2)[0] for stream in heard if stream.events])
