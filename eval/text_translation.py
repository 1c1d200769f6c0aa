"""
``python -m eval translation --texts N``: BLEU and chrF of translations of text that was read.

Owns the run: short sentence pairs that no training took, without any audio, through the text lane
of the model, through a text model (``--text-model``) at once and word by word as it would follow
somebody who speaks, beside what knows no language. What was written is kept, so that a run goes
on where it was stopped.
"""

import argparse
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

from audio_interaction_ros.config import LaneConfig
from audio_interaction_ros.dialogue.growing_translation import GrowingTranslation
from audio_interaction_ros.dialogue.interpreter import Interpreter
from audio_interaction_ros.dialogue.text_writer import TextWriter
from audio_interaction_ros.protocol import TRANSLATION_TARGETS, Emotion
from audio_interaction_ros.runtimes.base import Runtime
from audio_interaction_ros.runtimes.registry import load_text_model
from audio_interaction_ros.stream.events import FinalTranslation, ReplyFinished
from audio_interaction_ros.stream.session import Session
from audio_interaction_ros.stream.text_lane import RecognisedSpeech
from held_out.pairs import (
    DIRECTIONS,
    Pair,
    baseline_texts,
    find_references,
    keep_short,
    read_pairs,
    split_pairs,
)
from held_out.spoken_sentences import Sentence
from measure import report
from measure.bleu import score
from measure.intervals import percentiles
from measure.kept_lines import KeptLines, keep_rows

__all__ = ['add_text_arguments', 'choose_texts', 'follow_words', 'measure_texts', 'open_text_lane',
           'translate_read']

LANE = 'text lane'
GROWING = 'as it is spoken'
class TranslatedText(Protocol):
    """A sentence of which something was read."""

    name: str
    path: Path
    language: str
    references: tuple[str, ...]
    read: str
    beside: dict[str, str]


Translate = Callable[[Sentence], dict[str, Any]]
"""Returns the ``text`` of a translation, and figures of how it came."""


def add_text_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this part of the command."""
    parser.add_argument('--texts', type=int, default=0, metavar='N',
                        help='no audio: N held-out short sentences of --pairs in each direction')
    parser.add_argument('--text-model', default='', metavar='MODEL',
                        help='a text model, as reply.model names it, that translates too')
    parser.add_argument('--text-dtype', default='int8', choices=('int8', 'int4', 'float32'))
    parser.add_argument('--growing', type=int, default=0, metavar='N',
                        help='so many of the texts are also translated word by word')


def choose_texts(pairs: Sequence[Pair], most: int) -> dict[str, list[Sentence]]:
    """Return short held-out sentences of each direction with every translation that is known."""
    chosen: dict[str, list[Sentence]] = {}
    for direction in DIRECTIONS:
        language = direction[:2]
        known = find_references(keep_short(pairs), direction)
        chosen[direction] = [
            Sentence(name=f'{direction} {place}', path=Path(), language=language, text=text,
                     references=references)
            for place, (text, references) in enumerate(list(known.items())[:most])]
    return chosen


def open_text_lane(runtime: Runtime) -> Translate:
    """Return what translates with the text lane of a model that listens."""
    known = runtime.config.lanes['translation']
    lane = LaneConfig(name='translation', kind='translation', prompt=known.prompt, threshold=0.5)
    session = Session(decoder=runtime.decoder, tokenizer=runtime.tokenizer, lanes=(lane,),
                      translate_text=True)

    def translate(sentence: Sentence) -> dict[str, Any]:
        began = time.perf_counter()
        session.translate(
            ReplyFinished(lane='translation', stamp_ns=0, epoch=0, seq=0, reply_id='r', text='',
                          emotion=Emotion.NORMAL, reason='end', start_ns=0, end_ns=1,
                          p_respond=1.0),
            RecognisedSpeech(text=sentence.text, language=sentence.language, confidence=1.0))
        final, = (event for event in session.drain() if isinstance(event, FinalTranslation))
        return {'text': final.text, 's': time.perf_counter() - began}
    return translate


def open_interpreter(interpreter: Interpreter) -> Translate:
    """Return what translates a sentence at once with a text model."""
    def translate(sentence: Sentence) -> dict[str, Any]:
        began, first_s, text, tokens = time.perf_counter(), None, '', 0
        for written in interpreter.translate(sentence.text, sentence.language):
            text, tokens = written.text, len(written.ids)
            first_s = first_s or time.perf_counter() - began
        return {'text': text.strip(), 's': time.perf_counter() - began, 'first_s': first_s,
                'tokens': tokens}
    return translate


def follow_words(interpreter: Interpreter) -> Translate:
    """Return what translates word by word, as if every word were stable when it is spoken."""
    def translate(sentence: Sentence) -> dict[str, Any]:
        growing = GrowingTranslation(interpreter, sentence.language)
        updates: list[float] = []
        shown, taken_back = '', 0
        for length in _word_ends(sentence.text)[:-1]:
            began = time.perf_counter()
            grown = growing.grow(sentence.text[:length], length)
            if grown is not None:
                updates.append(time.perf_counter() - began)
                taken_back += not grown.text.startswith(shown)
                shown = grown.text[:grown.stable_length]
        began = time.perf_counter()
        text = growing.finish(sentence.text).text
        return {'text': text, 's': time.perf_counter() - began, 'updates_s': updates,
                'stable_before_the_end': len(shown) / len(text) if text else 0.0,
                'taken_back': taken_back + (not text.startswith(shown))}
    return translate


def _word_ends(text: str) -> list[int]:
    """Return where the words of a text end; each Chinese character is one."""
    ends = [place + 1 for place, letter in enumerate(text)
            if letter == ' ' or '\u4e00' <= letter <= '\u9fff']
    return [*ends, len(text)]


def translate_read(options: argparse.Namespace, sentences: Sequence[TranslatedText]) -> None:
    """Let the text model, where one is named, translate what was read of spoken sentences."""
    if not options.text_model:
        return
    writer = TextWriter(load_text_model(options.text_model, threads=options.threads,
                                        dtype=options.text_dtype))
    translate, name = open_interpreter(Interpreter(writer)), f'{_name_of(options)}, of words read'
    with report.progress_bar() as bar:
        for sentence in bar.track(sentences, description=name):
            read = Sentence(sentence.name, sentence.path, sentence.language, sentence.read,
                            sentence.references)
            sentence.beside[name] = translate(read)['text'] if sentence.read else ''


def _ask(kept: KeptLines[dict[str, Any]], who: str, translate: Translate,
         sentence: Sentence) -> dict[str, Any]:
    """Return a translation, made now or by an earlier run."""
    return kept.find(f'{who}: {sentence.text}', lambda: {
        'who': who, 'source': sentence.text, 'wanted': sentence.references,
        **translate(sentence)})


def _name_of(options: argparse.Namespace) -> str:
    return f'{Path(options.text_model).stem} {options.text_dtype}'


def _open_all(options: argparse.Namespace, runtime: Runtime | None) -> Iterator[
        tuple[str, Translate, int]]:
    """Yield who translates, how, and of how many texts."""
    runtime = runtime or report.load_model(options)
    if 'translation' in runtime.config.lanes:
        yield f'{options.model} {LANE}', open_text_lane(runtime), options.texts
    if options.text_model:
        writer = TextWriter(load_text_model(options.text_model, threads=options.threads,
                                            dtype=options.text_dtype))
        name = _name_of(options)
        yield name, open_interpreter(Interpreter(writer)), options.texts
        if options.growing:
            yield f'{name}, {GROWING}', follow_words(Interpreter(writer)), options.growing


def measure_texts(options: argparse.Namespace, out: Path, runtime: Runtime | None = None) -> int:
    """Measure; return 0. PairsError for a file of pairs that is none."""
    train, held = split_pairs(read_pairs(options.pairs))
    texts, kept = choose_texts(held, options.texts), keep_rows(out / 'texts_read.jsonl')
    rows: dict[str, dict[str, Any]] = {direction: {} for direction in texts}
    for who, translate, most in _open_all(options, runtime):
        for direction, sentences in texts.items():
            some = sentences[:most]
            rows[direction][who] = _figures(some, [
                _ask(kept, who, translate, sentence)
                for sentence in report.track(f'{direction}: {who}', some)])
    for direction, sentences in texts.items():
        for name, said in baseline_texts(train, direction,
                                         [sentence.text for sentence in sentences]).items():
            rows[direction][name] = {'sentences': len(sentences), **score(sentences, said)}
    path = report.write(out, 'translation_of_texts', options,
                        {'measured': True, 'directions': rows},
                        runtime.decoder.spec.model_id if runtime else options.model)
    _print(rows)
    print(f'written to {path}; what was translated: {kept.path}')
    return 0


def _figures(sentences: Sequence[Sentence], made: Sequence[dict[str, Any]]) -> dict[str, Any]:
    result = {'sentences': len(made), **score(sentences, [row['text'] for row in made]),
              'seconds': percentiles([row['s'] for row in made])}
    if 'first_s' in made[0]:
        result['first_token_s'] = percentiles([row['first_s'] for row in made])
        result['tokens_per_s'] = sum(row['tokens'] for row in made) / sum(
            row['s'] for row in made)
    if 'updates_s' in made[0]:
        result['update_s'] = percentiles([s for row in made for s in row['updates_s']])
        result['stable_before_the_end'] = sum(
            row['stable_before_the_end'] for row in made) / len(made)
        result['taken_back'] = sum(row['taken_back'] for row in made)
    return result


def _print(rows: dict[str, dict[str, Any]]) -> None:
    report.print_table(
        'Translation of short held-out texts',
        ['', 'who', 'texts', 'BLEU', 'chrF', 's p50', 'first p50', 'tokens/s', 'update p50',
         'stable early', 'taken back'],
        [(direction, who, row['sentences'], row['BLEU'], row['chrF'],
          row.get('seconds', {}).get('p50'), row.get('first_token_s', {}).get('p50'),
          row.get('tokens_per_s'), row.get('update_s', {}).get('p50'),
          row.get('stable_before_the_end'), row.get('taken_back'))
         for direction, of in rows.items() for who, row in of.items()])
    for direction, of in rows.items():
        print(f'{direction}, signature of BLEU: {next(iter(of.values()))["BLEU_signature"]}')


assert set(DIRECTIONS) == {f'{given}-{wanted}' for given, wanted in TRANSLATION_TARGETS.items()}
