"""
``python -m eval psb``: ProactiveSound-Bench, tiers Single and Multiple.

Owns the scoring and the making of the Multiple tier. A model's
decision on a clip is RESPOND when any chunk of it, or of the silence behind it, gets a reply. A
row without a legal decision is wrong and lowers the coverage that is reported; the official
scorer drops it. The benchmark's audio is not part of this project: without it, predictions in a
file can be scored, and the two policies that need no ears always are.
"""

import argparse
import random
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from audio_interaction_ros.config import LaneConfig
from audio_interaction_ros.runtimes.base import Runtime
from eval.listening import CHUNK_S, Hearing, Listener
from eval.psb_quality import judge_replies, read_standard_answers
from eval.psb_rows import BenchmarkClip, read_benchmark, read_predictions
from eval.suites.judge import add_judge_arguments, make_judge
from held_out.clips import RATE, load
from measure import plots, report
from measure.intervals import Estimate, quotients, wilson

__all__ = ['add_arguments', 'answer_windows', 'make_triples', 'run', 'score']

LANE = 'assistant'
LATE_CHUNKS = 2


def _balanced_accuracy(pairs: Sequence[tuple[BenchmarkClip, bool | None]]) -> Estimate:
    """Return the mean of recall and specificity, with a bootstrap over rows."""
    sides = np.array([[row.respond, not row.respond] for row, _ in pairs], float).reshape(-1, 2)
    right = np.array([given == row.respond for row, given in pairs], float)
    return quotients(sides * right[:, None], sides)


def score(rows: Sequence[BenchmarkClip], decisions: Mapping[str, bool | None]) -> dict[str, Any]:
    """Return accuracy in all and by domain, recall, specificity, F1 and coverage."""
    pairs = [(row, decisions.get(row.id)) for row in rows]
    due = [given is True for row, given in pairs if row.respond]
    quiet = [given is False for row, given in pairs if not row.respond]
    said = [row.respond for row, given in pairs if given is True]
    hits = sum(due)
    precision = hits / len(said) if said else float('nan')
    domains = {}
    for domain in sorted({row.domain for row in rows}):
        mine = [pair for pair in pairs if pair[0].domain == domain]
        domains[domain] = wilson(sum(given == row.respond for row, given in mine), len(mine))
    return {
        'rows': len(rows), 'coverage': sum(given is not None for _, given in pairs) / max(
            1, len(pairs)),
        'accuracy': wilson(sum(given == row.respond for row, given in pairs), len(pairs)),
        'domains': domains, 'recall': wilson(hits, len(due)),
        'specificity': wilson(sum(quiet), len(quiet)), 'precision': precision,
        'f1': 2 * hits / (len(said) + len(due)) if said or due else float('nan'),
        'balanced_accuracy': _balanced_accuracy(pairs),
        'respond_rate': len(said) / max(1, len(pairs))}


def make_triples(rows: Sequence[BenchmarkClip], *, seed: int = 0,
                 size: int = 3) -> list[tuple[BenchmarkClip, ...]]:
    """
    Return the streams of the Multiple tier: ``size`` clips of one sub-category each, in order.

    The authors did not release theirs; these follow from the seed and the ids alone. Each clip
    is the first of exactly one stream, so that all are asked at least once.
    """
    groups: dict[tuple[str, str], list[BenchmarkClip]] = defaultdict(list)
    for row in sorted(rows, key=lambda row: row.id):
        groups[row.domain, row.category].append(row)
    streams = []
    for name, mine in sorted(groups.items()):
        rng = random.Random(f'{seed} {"/".join(name)}')
        for row in mine:
            others = [other for other in mine if other is not row]
            rng.shuffle(others)
            streams.append((row, *others[:size - 1]))
    return streams


def answer_windows(lengths_s: Sequence[float]) -> list[tuple[float, float]]:
    """
    Return (after, until) in seconds for clips played one after the other.

    An event's replies come between its onset and LATE_CHUNKS after the next one. What comes in
    these chunks belongs to the event before, so the windows do not overlap.
    """
    onsets = np.concatenate([[0.0], np.cumsum(lengths_s)])
    late = LATE_CHUNKS * CHUNK_S
    starts = [0.0, *(onset + late for onset in onsets[1:-1])]
    return [(start, end + late) for start, end in zip(starts, onsets[1:], strict=True)]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    report.add_common_arguments(parser)
    parser.add_argument('--predictions', type=Path,
                        help='score this file ({id, decision} or {id, response} a line) instead '
                             'of listening')
    add_judge_arguments(parser)
    parser.add_argument('--threshold', type=float, default=0.0)
    parser.add_argument('--seed', type=int, default=0, help='of the Multiple tier')
    parser.add_argument('--tier', default='both', choices=('single', 'multiple', 'both'))


def _reply_in(hearing: Hearing, after: float, until: float) -> str:
    return ' '.join(reply.text for reply in hearing.replies_of(LANE)
                    if reply.text and after < reply.at <= until)


def _load_samples(folder: Path, row: BenchmarkClip) -> np.ndarray | None:
    path = folder / row.path
    return load(path) if path.is_file() else None


def listen_single(listener: Listener, folder: Path, rows: Sequence[BenchmarkClip]) -> dict[
        str, str | None]:
    """Return the reply to each clip, empty for silence, None where its audio is missing."""
    replies: dict[str, str | None] = {}
    for row in report.track('Single', rows):
        samples = _load_samples(folder, row)
        replies[row.id] = None if samples is None else _reply_in(
            listener.hear(row.id, samples), -1.0, np.inf)
    return replies


def listen_multiple(listener: Listener, folder: Path,
                    streams: Sequence[tuple[BenchmarkClip, ...]]) -> list[
        tuple[BenchmarkClip, bool | None]]:
    """Return the decision on each event of each stream, None where audio is missing."""
    decisions: list[tuple[BenchmarkClip, bool | None]] = []
    for stream in report.track('Multiple', streams):
        clips = [_load_samples(folder, row) for row in stream]
        there = [clip for clip in clips if clip is not None]
        if len(there) < len(clips):
            decisions += [(row, None) for row in stream]
            continue
        hearing = listener.hear('+'.join(row.id for row in stream), np.concatenate(there))
        spans = answer_windows([len(clip) / RATE for clip in there])
        decisions += [(row, bool(_reply_in(hearing, *span)))
                      for row, span in zip(stream, spans, strict=True)]
    return decisions


def _score_multiple(pairs: Sequence[tuple[BenchmarkClip, bool | None]]) -> dict[str, Any]:
    """Score events of streams; a clip that stands in several streams counts each time."""
    rows = [replace(row, id=f'{row.id} {number}') for number, (row, _) in enumerate(pairs)]
    return score(rows, {row.id: given for row, (_, given) in zip(rows, pairs, strict=True)})


def score_policies(rows: Sequence[BenchmarkClip]) -> dict[str, Any]:
    """Return the scores of the two policies that need no ears."""
    return {'always IGNORE': score(rows, {row.id: False for row in rows}),
            'always RESPOND': score(rows, {row.id: True for row in rows})}


def run(options: argparse.Namespace, runtime: Runtime | None = None) -> int:
    """Measure; return 0."""
    out = report.make_folder(options, 'psb')
    folder, rows = _folder_of(options), read_benchmark(options.data)[:options.limit or None]
    scores, model_id = score_policies(rows), ''
    if options.predictions:
        scores['predictions, Single'] = _score_replies(
            options, rows, read_predictions(options.predictions), out)
    elif any((folder / row.path).is_file() for row in rows):
        runtime = runtime or report.load_model(options)
        model_id = runtime.encoder.spec.model_id
        scores |= _score_model(options, runtime, rows, out)
    else:
        print('NOT MEASURED: the audio of the benchmark is not beside its manifest; only the two '
              'policies that need no ears are scored. Put the audio there or give --predictions.')
    plots.draw_bars(out / 'psb.png', {domain: {name: part['domains'][domain]
                                               for name, part in scores.items()}
                                      for domain in next(iter(scores.values()))['domains']},
                    title='ProactiveSound-Bench: decisions that are right', label='accuracy')
    path = report.write(out, 'psb', options, scores, model_id)
    print_tables(scores)
    print(f'written to {path}')
    return 0


def _score_model(options: argparse.Namespace, runtime: Runtime, rows: Sequence[BenchmarkClip],
                 out: Path) -> dict[str, Any]:
    folder = _folder_of(options)
    listener = Listener(runtime, (LaneConfig(
        name=LANE, threshold=options.threshold, max_reply_tokens=48),),
        cache=out / 'hearings.jsonl', variant=report.describe_variant(options))
    scores: dict[str, Any] = {}
    if options.tier != 'multiple':
        scores['model, Single'] = _score_replies(
            options, rows, listen_single(listener, folder, rows), out)
    if options.tier != 'single':
        scores['model, Multiple'] = _score_multiple(listen_multiple(
            listener, folder, make_triples(rows, seed=options.seed)))
    return scores


def _score_replies(options: argparse.Namespace, rows: Sequence[BenchmarkClip],
                   replies: Mapping[str, str | None], out: Path) -> dict[str, Any]:
    """Return scores of decisions, and with a judge those of what was replied."""
    found = score(rows, {name: None if text is None else bool(text)
                         for name, text in replies.items()})
    judge = make_judge(options, out / 'verdicts.jsonl')
    if judge is None:
        return {**found, 'quality': 'not measured: it needs a judge; give --judge ENDPOINT'}
    answers = read_standard_answers(_folder_of(options))
    return {**found, 'quality': judge_replies(rows, replies, answers, judge)}


def _folder_of(options: argparse.Namespace) -> Path:
    """Return the folder of the benchmark, where the manifest itself may be named."""
    data: Path = options.data
    return data if data.is_dir() else data.parent


def print_tables(scores: dict[str, Any]) -> None:
    """Print the tables."""
    report.print_table('ProactiveSound-Bench', ['', 'rows', 'coverage', 'accuracy', 'recall',
                                                'specificity', 'F1', 'balanced accuracy'],
                       [(name, part['rows'], part['coverage'], part['accuracy'], part['recall'],
                         part['specificity'], part['f1'], part['balanced_accuracy'])
                        for name, part in scores.items()])
    for name, part in scores.items():
        if 'quality' in part:
            print(f'{name}, replies: {part["quality"]}')
    domains = list(next(iter(scores.values()))['domains'])
    report.print_table('Accuracy by domain', ['', *domains],
                       [(name, *(f'{100 * part["domains"][domain].value:.1f}' for domain
                                 in domains))
                        for name, part in scores.items()])
