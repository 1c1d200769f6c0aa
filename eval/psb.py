"""
``python -m eval psb``: ProactiveSound-Bench, tiers Single and Multiple.

Owns the run and the making of the Multiple tier. A decision on a clip is RESPOND when any chunk of
it, or of the silence behind it, gets a reply, or a sound begins in it (``--evidence sounds``). The
benchmark's audio is not part of this project: without it, predictions in a file can be scored, and
the two policies that need no ears always are.
"""

import argparse
import random
from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from audio_interaction_ros.config import LaneConfig
from audio_interaction_ros.protocol import CHUNK_S
from audio_interaction_ros.runtimes.base import Runtime
from eval.hearing.listener import Listener
from eval.hearing.record import Hearing
from eval.psb_quality import judge_replies, read_standard_answers
from eval.psb_rows import BenchmarkClip, read_benchmark, read_predictions, write_predictions
from eval.psb_scores import (
    Decided,
    ignore_all,
    print_tables,
    score,
    score_decided,
    score_policies,
)
from eval.psb_sounds import SoundListener
from eval.suites.judge import add_judge_arguments, make_judge
from held_out.clips import RATE, load
from measure import plots, report

__all__ = ['add_arguments', 'answer_windows', 'make_triples', 'run']

LANE = 'assistant'
LATE_CHUNKS = 2
Ears = Listener | SoundListener


def make_triples(rows: Sequence[BenchmarkClip], *, seed: int = 0,
                 size: int = 3) -> list[tuple[BenchmarkClip, ...]]:
    """
    Return the streams of the Multiple tier: ``size`` clips of one sub-category each, mixed.

    The authors did not release theirs; these follow from the seed and the ids alone. Each clip
    is the first of exactly one stream, so that all are asked at least once; the first few
    streams are as good a sample as any.
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
    random.Random(seed).shuffle(streams)
    return streams


def answer_windows(lengths_s: Sequence[float]) -> list[tuple[float, float]]:
    """
    Return (after, until) in seconds for clips played one after the other.

    An event's replies come between its onset and LATE_CHUNKS after the next one. What comes in
    these chunks counts for both, for nobody can tell whose it is: if it were the earlier one's
    alone, a short event that is answered at once would count as missed.
    """
    onsets = np.concatenate([[0.0], np.cumsum(lengths_s)])
    return [(float(start), float(end) + LATE_CHUNKS * CHUNK_S)
            for start, end in pairwise(onsets)]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    report.add_common_arguments(parser)
    parser.add_argument('--predictions', type=Path,
                        help='score this file ({id, decision} or {id, response} a line) instead '
                             'of listening')
    add_judge_arguments(parser)
    parser.add_argument('--evidence', default='model', choices=('model', 'sounds'),
                        help='model: replies of the assistant lane; sounds: what the sound head '
                             'hears begin (default: %(default)s)')
    parser.add_argument('--profile', default='home',
                        help='of sounds, as alerts.profile (default: %(default)s)')
    parser.add_argument('--threshold', type=float, default=0.0)
    parser.add_argument('--seed', type=int, default=0, help='of the Multiple tier')
    parser.add_argument('--streams', type=int, default=0, metavar='N',
                        help='at most N streams of the Multiple tier (default: as many as clips)')
    parser.add_argument('--tier', default='both', choices=('single', 'multiple', 'both'))


def _reply_in(hearing: Hearing, after: float, until: float) -> str:
    return ' '.join(reply.text for reply in hearing.replies_of(LANE)
                    if reply.text and after < reply.at <= until)


def _load_samples(folder: Path, row: BenchmarkClip) -> np.ndarray | None:
    path = folder / row.path
    return load(path) if path.is_file() else None


def listen_single(listener: Ears, folder: Path,
                  rows: Sequence[BenchmarkClip]) -> dict[str, str | None]:
    """Return the reply to each clip, empty for silence, None where its audio is missing."""
    replies: dict[str, str | None] = {}
    for row in report.track('Single', rows):
        samples = _load_samples(folder, row)
        replies[row.id] = None if samples is None else _reply_in(
            listener.hear(row.id, samples), -1.0, np.inf)
    return replies


def listen_multiple(listener: Ears, folder: Path,
                    streams: Sequence[tuple[BenchmarkClip, ...]]) -> list[Decided]:
    """Return the decision on each event of each stream, None where audio is missing."""
    decisions: list[Decided] = []
    for stream in report.track('Multiple', streams):
        clips = [_load_samples(folder, row) for row in stream]
        there = [clip for clip in clips if clip is not None]
        if len(there) < len(clips):
            decisions += [Decided(row, None, place) for place, row in enumerate(stream)]
            continue
        hearing = listener.hear('+'.join(row.id for row in stream), np.concatenate(there))
        spans = answer_windows([len(clip) / RATE for clip in there])
        decisions += [Decided(row, bool(_reply_in(hearing, *span)), place)
                      for place, (row, span) in enumerate(zip(stream, spans, strict=True))]
    return decisions


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
    listener, who = _make_listener(options, runtime, out), options.evidence
    scores: dict[str, Any] = {}
    if options.tier != 'multiple':
        replies = listen_single(listener, folder, rows)
        write_predictions(out / 'predictions.jsonl', replies)
        scores[f'{who}, Single'] = _score_replies(options, rows, replies, out)
    if options.tier != 'single':
        streams = make_triples(rows, seed=options.seed)[:options.streams or None]
        heard = listen_multiple(listener, folder, streams)
        scores |= {'always IGNORE, Multiple': ignore_all(heard),
                   f'{who}, Multiple': score_decided(heard)}
    return scores


def _make_listener(options: argparse.Namespace, runtime: Runtime,
                   out: Path) -> Ears:
    if options.evidence == 'sounds':
        return SoundListener(runtime, options.profile, LANE)
    return Listener(runtime, (LaneConfig(
        name=LANE, threshold=options.threshold, max_reply_tokens=48),),
        cache=out / 'hearings.jsonl', variant=report.describe_variant(options))


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
