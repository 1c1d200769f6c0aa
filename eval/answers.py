"""
``python -m eval answers``: what a text model makes of questions, and of orders, that were read.

Owns the questions with their key words (``data/questions.yaml``), how a text model is asked which
intent an order has, and what stands beside: the model that listens, asked in its own text layout,
and the phrases of ``intents``. An answer is right where it names the key words; whether it is well
said nobody judges. What was written is kept, so that a run goes on where it was stopped.
"""

import argparse
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from audio_interaction_ros.assembly.answers import OWN_SLOTS
from audio_interaction_ros.config import REPLY_PROMPT
from audio_interaction_ros.dialogue.chat import Chat
from audio_interaction_ros.dialogue.text_writer import TaskWriter, TextWriter, TokenWriter, Turn
from audio_interaction_ros.runtimes.base import Runtime
from audio_interaction_ros.runtimes.registry import load_text_model
from audio_interaction_ros.strict_yaml import read_yaml
from held_out.lines import read_whole_lines
from held_out.splits import chance_of
from measure import report
from measure.intervals import percentiles, wilson
from measure.kept_lines import KeptLines, keep_rows

__all__ = ['QUESTIONS', 'add_arguments', 'is_right', 'run']

QUESTIONS = Path(__file__).parent / 'data' / 'questions.yaml'
INTENTS = ('orderDrink', 'go', 'stop', 'bring', 'open', 'close', 'wait', 'none')
_ORDER = ('Somebody talks near a robot that sells drinks. Say what is wanted of the robot in one '
          f'of these words: {", ".join(INTENTS)}. Say none where nothing is wanted.')
_SHOWN = (('One large tea with milk, please.', 'orderDrink'), ('He walked to the old house.',
                                                              'none'),
          ('Please go to the door.', 'go'), ('She had never been so happy.', 'none'))
Ask = Callable[[str], dict[str, Any]]
"""Returns the ``text`` of an answer, and figures of how it came."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    report.add_common_arguments(parser, data=False)
    parser.add_argument('--text-model', default='', metavar='MODEL',
                        help='a text model, as reply.model names it')
    parser.add_argument('--text-dtype', default='int8', choices=('int8', 'int4', 'float32'))
    parser.add_argument('--understood', type=Path, metavar='JSONL',
                        help='what python -m eval intents has read and understood: the text '
                        'model is asked what each wants')
    parser.add_argument('--orders', type=int, default=60, metavar='N',
                        help='so many orders and so many texts that want nothing of it')


def is_right(answer: str, groups: Sequence[Sequence[str]]) -> bool:
    """Tell whether an answer names one of each group; a word of Latin letters as a whole."""
    said = answer.casefold()
    return all(any(re.search(rf'(?<![a-z0-9]){re.escape(word)}(?![a-z0-9])', said)
                   if word.isascii() else word in said for word in group) for group in groups)


def open_chat(writer: TokenWriter, prompt: str = REPLY_PROMPT) -> Ask:
    """Return what asks a model as a robot asks it, each question for itself."""
    chat = Chat(writer, prompt=prompt, most_turns=0, most_tokens=64)
    chat.warm_up()

    def ask(said: str) -> dict[str, Any]:
        began, first_s, text, tokens = time.perf_counter(), None, '', 0
        for written in chat.answer(said, 0):
            text, tokens = written.text, len(written.ids)
            first_s = first_s or time.perf_counter() - began
        return {'text': text, 's': time.perf_counter() - began, 'first_s': first_s,
                'tokens': tokens}
    return ask


def open_orders(writer: TokenWriter) -> Ask:
    """Return what asks a text model which intent an order has."""
    turns = [Turn('system', _ORDER)]
    for said, wanted in _SHOWN:
        turns += [Turn('user', said), Turn('assistant', wanted)]

    def ask(said: str) -> dict[str, Any]:
        began = time.perf_counter()
        *_, last = writer.write(writer.lay_out([*turns, Turn('user', said)]), most_tokens=12)
        return {'text': last.text, 's': time.perf_counter() - began}
    return ask


Kept = KeptLines[dict[str, Any]]
"""Answers, of earlier runs too, by who gave them and to what."""


def ask_all(who: str, ask: Ask, kept: Kept, texts: Sequence[str]) -> list[dict[str, Any]]:
    """Return an answer to each text, showing how far it is."""
    def answer(text: str) -> dict[str, Any]:
        return {'who': who, 'asked': text, **ask(text)}
    return [kept.find(f'{who}: {text}', partial(answer, text))
            for text in report.track(who, texts)]


def _score(who: str, ask: Ask, kept: Kept, questions: Mapping[str, Any]) -> dict[str, Any]:
    result: dict[str, Any] = {}
    every: list[dict[str, Any]] = []
    for language, asked in questions.items():
        made = ask_all(who, ask, kept, [question['ask'] for question in asked])
        right = [is_right(row['text'], question['any'])
                 for row, question in zip(made, asked, strict=True)]
        result[language] = wilson(sum(right), len(right))
        every += made
    result['seconds'] = percentiles([row['s'] for row in every])
    if 'tokens' in every[0]:
        result['first_token_s'] = percentiles([row['first_s'] for row in every])
        result['tokens_per_s'] = sum(row['tokens'] for row in every) / sum(
            row['s'] for row in every)
    return result


def choose_orders(path: Path, most: int) -> dict[str, list[dict[str, Any]]]:
    """Return texts that were read: orders of drinks by unknown voices, and other speech."""
    rows = sorted(read_whole_lines(path), key=lambda row: chance_of(row['text'], 'orders'))
    sorts = {'drinks': 'orderDrink', 'other speech': 'none'}
    return {sort: [row | {'wanted': wanted} for row in rows
                   if row['clip']['sort'] == sort and row['text']][:most]
            for sort, wanted in sorts.items()}


def _score_orders(who: str, ask: Ask, kept: Kept,
                  chosen: Mapping[str, Sequence[dict[str, Any]]]) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for sort, rows in chosen.items():
        made = ask_all(f'{who}, orders', ask, kept, [row['text'] for row in rows])
        said = [re.sub(r'\W', '', row['text']).casefold() for row in made]
        result[sort] = {
            who: wilson(sum(one == row['wanted'].casefold() for one, row
                            in zip(said, rows, strict=True)), len(rows)),
            'phrases': wilson(sum((row['intent'] or 'none') == row['wanted'] for row in rows),
                              len(rows)),
            'seconds': percentiles([row['s'] for row in made])}
    return result


def memory_mb() -> float:
    """Return what this process holds now in 10^6 bytes, files that are mapped included."""
    for line in Path('/proc/self/status').read_text(encoding='ascii').splitlines():
        if line.startswith('VmRSS:'):
            return int(line.split()[1]) * 1024 / 1e6
    return float('nan')


def _open_all(options: argparse.Namespace, runtime: Runtime | None) -> Iterator[
        tuple[str, Ask, Ask | None, float]]:
    """Yield who answers, how, how it is asked for intents, and its memory in 10^6 bytes."""
    runtime = runtime or report.load_model(options)
    known, decoder = runtime.config.lanes.get('assistant'), runtime.decoder
    if known is not None and hasattr(decoder, 'open_text_net'):
        writer: TokenWriter = TaskWriter(decoder.open_text_net(OWN_SLOTS), runtime.tokenizer,
                                         decoder.spec.token_ids)
        yield (f'{options.model}, asked as text', open_chat(writer, known.prompt), None,
               float('nan'))
    if options.text_model:
        before = memory_mb()
        writer = TextWriter(load_text_model(options.text_model, threads=options.threads,
                                            dtype=options.text_dtype))
        writer.read(writer.lay_out([Turn('system', 'x')]))
        yield (f'{Path(options.text_model).stem} {options.text_dtype}', open_chat(writer),
               open_orders(writer), memory_mb() - before)


def run(options: argparse.Namespace, runtime: Runtime | None = None) -> int:
    """Measure; return 0."""
    out = report.make_folder(options, 'answers')
    kept, questions = keep_rows(out / 'answers_given.jsonl'), read_yaml(QUESTIONS)
    measured: dict[str, Any] = {'questions': {}, 'orders': {}}
    for who, ask, ask_order, held_mb in _open_all(options, runtime):
        measured['questions'][who] = _score(who, ask, kept, questions) | {'memory_mb': held_mb}
        if ask_order is not None and options.understood:
            measured['orders'] = _score_orders(who, ask_order, kept, choose_orders(
                options.understood, options.orders))
    path = report.write(out, 'answers', options, measured, options.model)
    report.print_table(
        'Questions answered with the key words',
        ['', 'en', 'zh', 's p50', 'first p50', 'tokens/s', 'MB'],
        [(who, row['en'], row['zh'], row['seconds']['p50'],
          row.get('first_token_s', {}).get('p50'), row.get('tokens_per_s'), row['memory_mb'])
         for who, row in measured['questions'].items()])
    if measured['orders']:
        report.print_table('What is wanted of the robot, said rightly', ['', 'who', 'share'], [
            (sort, who, share) for sort, row in measured['orders'].items()
            for who, share in row.items() if who != 'seconds'])
    print(f'written to {path}; what was answered: {kept.path}')
    return 0
