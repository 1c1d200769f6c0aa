"""
``python -m eval curve NAME --data FOLDER``: quality over delay of a suite that is streamed.

Of LibriSpeech, how many words are wrong so long after each was spoken; of CoVoST2, BLEU over LAAL.
Owns the run: who hears (the lane of a model, and the words that a second pass reads while they are
spoken) and which settings of ``transcript`` are gone through. Leaves a table, ``curve.json`` and a
picture. Data is that of ``python -m eval suite``; without it our own three items stand in.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from audio_interaction_ros.runtimes.base import Runtime
from eval.live_stream import CLOCKS
from eval.suites.curves import (
    Translated,
    follow_replies,
    follow_words,
    score_translated,
    wer_over_delay,
)
from eval.suites.items import Answered, SuiteItem
from eval.suites.sample import NOTE, make_samples
from eval.suites.streamed import ask_lane, place_item, play_all, show_replies, show_words
from eval.suites.table import SUITES
from held_out.clips import RATE, MaterialError, load
from measure import plots, report

__all__ = ['STREAMED', 'add_arguments', 'run']

STREAMED = tuple(name for name in SUITES if name.startswith(('librispeech', 'covost')))
VARIED = ('partial_ms=400,800,1600', 'end_silence_ms=500,1500')
LANE, STABLE = 'lane of the model', ', stable'
_TITLE = 60


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    parser.add_argument('suite', choices=STREAMED, metavar='NAME', help=', '.join(STREAMED))
    report.add_common_arguments(parser, data=False)
    parser.add_argument('--part', default='', help='part of the data set: a folder, file or split')
    parser.add_argument('--who', default='both', choices=('words', 'lane', 'both'),
                        help='words that the second pass reads while they are spoken, the lane '
                        'of the model, or both (default: %(default)s)')
    parser.add_argument('--vary', nargs='*', default=list(VARIED), metavar='PARAMETER=V1,V2',
                        help='parameters of transcript and their values, one at a time from '
                        f'config/edge.yaml (default: {" ".join(VARIED)})')
    parser.add_argument('--clock', default='none', choices=sorted(CLOCKS),
                        help='how computing is counted; none: it takes no time, so that figures '
                        'do not depend on the machine (default: %(default)s)')


def run(options: argparse.Namespace, runtime: Runtime | None = None, second: Any = None) -> int:
    """Measure; return 0."""
    out = report.make_folder(options, 'curve')
    suite, folder = SUITES[options.suite], options.data or make_samples(
        out / 'sample', [options.suite]) / options.suite
    items = suite.read(folder, options.part or suite.part)[:options.limit or None]
    if not items:
        raise MaterialError(f'{folder}: expected items of {suite.title}, found none')
    translates = options.suite.startswith('covost')
    if runtime is None and (translates or options.who != 'words'):
        runtime = report.load_model(options)
    second = second or _load_reader(options, suite.lane.kind)
    heard = (_hear_translations if translates else _hear_words)(options, items, runtime, second)
    figures = {'note': _read_note(folder), 'clock': options.clock, 'items': len(items),
               'curves': heard}
    path = report.write(out, 'curve', options, figures,
                        runtime.encoder.spec.model_id if runtime else '')
    title = f'{suite.title} ({figures["note"] or "as published"})'
    picture = out / f'{options.suite}.png'
    (_print_translations if translates else _print_words)(picture, title, heard)
    print(f'written to {path} and {picture}')
    return 0


def _read_note(folder: Path) -> str:
    note = folder / NOTE
    return note.read_text(encoding='utf-8').strip() if note.is_file() else ''


def _load_reader(options: argparse.Namespace, kind: str) -> Any:
    from audio_interaction_ros.runtimes.registry import load_transcriber
    language = 'en' if kind == 'transcript' else ''  # detected
    return load_transcriber(threads=options.threads, language=language)


def _hear_words(options: argparse.Namespace, items: Sequence[SuiteItem], runtime: Any,
                second: Any) -> dict[str, Any]:
    """Return the words that are wrong by delay, of each setting and of the lane."""
    clips = [place_item(item, second) for item in items]
    computing, curves = options.clock != 'none', dict[str, Any]()
    if options.who != 'words':
        heard = list(map(show_replies, clips, ask_lane(options, items, runtime)))
        curves[LANE] = wer_over_delay(heard, computing=computing)
    if options.who != 'lane':
        for setting, streams in play_all(options, items, second):
            heard = list(map(show_words, clips, streams))
            curves[setting.name] = wer_over_delay(heard, computing=computing)
            curves[f'{setting.name}{STABLE}'] = wer_over_delay(heard, computing=computing,
                                                               stable=True)
    return curves


def _hear_translations(options: argparse.Namespace, items: Sequence[SuiteItem], runtime: Any,
                       second: Any) -> dict[str, Any]:
    """Return BLEU and LAAL of each setting and of the lane."""
    by_letter, curves = options.suite.endswith('-zh'), dict[str, Any]()

    def score(some: Sequence[Translated]) -> dict[str, Any]:
        return score_translated(some, by_letter=by_letter)
    if options.who != 'words':
        curves[LANE] = score([follow_replies(one, by_letter=by_letter)
                              for one in ask_lane(options, items, runtime)])
    if options.who != 'lane':
        bare = [Answered(item=item, text='', seconds=len(load(item.audio)) / RATE)
                for item in items]
        for setting, streams in play_all(options, items, second, runtime):
            curves[setting.name] = score([follow_words(stream, one, by_letter=by_letter)
                                          for stream, one in zip(streams, bare, strict=True)])
    return curves


def _print_words(path: Path, title: str, curves: dict[str, Any]) -> None:
    delays = list(next(iter(curves.values())))
    report.print_table(f'{title}: wrong words so long after each was spoken',
                       ['', *(f'{delay:g} s' for delay in delays)],
                       [(who, *curve.values()) for who, curve in curves.items()])
    plots.draw_curves(
        path, {who: curve for who, curve in curves.items()
               if not who.endswith(STABLE) or who.startswith('as shipped')},
        title=title[:_TITLE], x='seconds after each word was spoken', y='wrong words')


def _print_translations(path: Path, title: str, curves: dict[str, Any]) -> None:
    report.print_table(f'{title}: BLEU over LAAL', ['', 'LAAL, s', 'BLEU', 'silent'],
                       [(who, row['LAAL, s'], row['BLEU'], row['silent'])
                        for who, row in curves.items()])
    plots.draw_curves(
        path, {who: {row['LAAL, s'].value: row['BLEU']} for who, row in curves.items()},
        title=title[:_TITLE], x='LAAL, s', y='BLEU', ticks=False)
