"""
``python -m eval suite NAME --data FOLDER``: a public benchmark, as a live stream to the model.

``NAME`` is one of the suites, or ``all``: then ``FOLDER/NAME`` is looked for, for each of them,
and what is not there is said. Without ``--data`` three items of our own stand for each. Answers
are kept, so a run that was stopped goes on; they are written in the form of other harnesses too.
One report stands beside the paper's figures, as JSON and as a page. docs/suites.md tells the forms
and their traps.
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from audio_interaction_ros.errors import ConfigurationError
from audio_interaction_ros.runtimes.base import Runtime
from eval.suites.answering import Asking, answer_all
from eval.suites.exports import export
from eval.suites.items import Answered, SuiteItem
from eval.suites.judge import add_judge_arguments, make_judge
from eval.suites.page import OURS, paper_figure, write_page
from eval.suites.sample import NOTE, make_samples
from eval.suites.table import SUITES, Suite
from held_out.clips import MaterialError, load, scale_to
from measure import report
from measure.intervals import Estimate

__all__ = ['add_arguments', 'run']


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    parser.add_argument('suite', choices=(*SUITES, 'all'), metavar='NAME',
                        help=f'{", ".join(SUITES)} or all')
    report.add_common_arguments(parser, data=False)
    parser.add_argument('--part', default='', help='part of the data set: a folder, file or split')
    parser.add_argument('--protocol', default='streaming', choices=('streaming', 'offline'),
                        help='offline: the whole recording, then the answer, in the layout of the '
                        'paper (default: %(default)s)')
    parser.add_argument('--in-one-stream', type=int, default=1, metavar='N',
                        help='play N items one after the other in one context')
    parser.add_argument('--background', type=Path, metavar='FILE',
                        help='a recording that plays behind everything')
    parser.add_argument('--background-dbfs', type=float, metavar='DB',
                        help='level of the background (default: as it is)')
    parser.add_argument('--second-pass', default='none', choices=('none', 'whisper'),
                        help='who reads finished transcripts again')
    add_judge_arguments(parser)


def run(options: argparse.Namespace, runtime: Runtime | None = None) -> int:
    """Measure; return 0, or 1 where a suite of ``all`` had no data."""
    _check_protocol(options)
    out = report.make_folder(options, 'suite')
    runtime = runtime or report.load_model(options)
    wanted = list(SUITES) if options.suite == 'all' else [options.suite]
    data = options.data or make_samples(out / 'sample', wanted)
    second_pass = _load_second_pass(options)
    background = _load_background(options)
    figures: dict[str, dict[str, Any]] = {}
    for name in wanted:
        folder = data / name if options.suite == 'all' or options.data is None else data
        try:
            items = _read_items(options, SUITES[name], folder)
            answers = answer_all(runtime, items, Asking(
                lane=SUITES[name].lane, cache=out / f'{name}.hearings.jsonl',
                variant=report.describe_variant(options), background=background,
                in_one_stream=options.in_one_stream, second_pass=second_pass,
                protocol=options.protocol))
            figures[name] = _note_data(folder, items) | _score(options, name, answers, out)
        except MaterialError as error:
            if options.suite != 'all':
                raise
            figures[name] = {'not measured': str(error)}
    _print(figures)
    path = report.write(out, 'suite', options, figures, runtime.encoder.spec.model_id)
    page = write_page(out / 'suites.html', figures, json.loads(path.read_text(encoding='utf-8')))
    print(f'written to {path} and {page}')
    return int(any('not measured' in part for part in figures.values()))


def _check_protocol(options: argparse.Namespace) -> None:
    streamed = options.in_one_stream > 1 or options.background or options.second_pass != 'none'
    if options.protocol == 'offline' and streamed:
        raise ConfigurationError('--protocol offline: expected recordings one by one, found '
                                 '--in-one-stream, --background or --second-pass; leave them out')


def _read_items(options: argparse.Namespace, suite: Suite, folder: Path) -> list[SuiteItem]:
    items = suite.read(folder, options.part or suite.part)[:options.limit or None]
    if not items:
        raise MaterialError(f'{folder}: expected items of {suite.title}, found none; fetch it '
                            'again')
    return items


def _score(options: argparse.Namespace, name: str, answers: Sequence[Answered],
           out: Path) -> dict[str, Any]:
    suite = SUITES[name]
    for form in filter(None, ('answers', suite.export)):
        export(answers, form, out / f'{name}.{form}')
    return suite.score(answers, make_judge(options, out / f'{name}.verdicts.jsonl'))


def _note_data(folder: Path, items: Sequence[SuiteItem]) -> dict[str, Any]:
    """
    Return which file items are from, and whether they are our own.

    Beside our own ones nothing published stands.
    """
    note, source = folder / NOTE, items[0].source
    ours = {OURS: note.read_text(encoding='utf-8').strip()} if note.is_file() else {}
    return ours | ({'data': source} if source else {})


def _load_background(options: argparse.Namespace) -> np.ndarray | None:
    if not options.background:
        return None
    samples = load(options.background)
    return samples if options.background_dbfs is None else scale_to(samples,
                                                                    options.background_dbfs)


def _load_second_pass(options: argparse.Namespace) -> Any:
    if options.second_pass == 'none':
        return None
    from audio_interaction_ros.runtimes.registry import load_transcriber

    return load_transcriber(options.second_pass, threads=options.threads)


def _print(figures: dict[str, dict[str, Any]]) -> None:
    rows = []
    for name, part in figures.items():
        for figure, value in part.items():
            if isinstance(value, Estimate | str | float):
                rows.append((SUITES[name].title, figure, value, paper_figure(name, part, figure)))
    report.print_table('Suites', ['suite', 'figure', 'measured', 'paper (3B)'], rows)
