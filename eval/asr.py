"""
``python -m eval asr``: words of real speech and of synthetic voices that training never heard.

Owns the run: each utterance through the transcript lane alone, its second pass beside, and Whisper
base on the whole utterance next to them; then words while they are spoken (eval.shown_words), and
speech of minutes (eval.unbroken). Leaves ``asr.json``, pictures, the texts and the caches.
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from audio_interaction_ros.config import LaneConfig
from audio_interaction_ros.runtimes.base import Runtime
from eval.asr_figures import measure
from eval.asr_tables import draw, print_tables
from eval.asr_utterances import LANE, listen
from eval.hearing.listener import Listener
from eval.live_stream import add_play_arguments, make_play
from eval.shown_words import measure_words, print_words
from eval.speech_clips import LONGEST_S, SpeechClip, choose_clips, read_speech, read_synthetic
from eval.unbroken import measure_unbroken, print_unbroken
from eval.word_pictures import draw_words
from held_out.clips import HeldOutClip, MaterialError, read_held_out
from measure import report
from measure.whisper import make_reader

__all__ = ['add_arguments', 'run']

WORDS_FROM = ('speech_read', 'speech_addresses', 'speech_names', 'speech_numbers',
              'speech_phrase', 'speech_command', 'background_')
"""Kinds of clips that are read while they are spoken, by the beginning of their label."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    report.add_common_arguments(parser)
    parser.add_argument('--speech', type=Path, help='folder with utterances.jsonl (text, path, '
                        'voice, split): its voices of the split "validation"')
    parser.add_argument('--per-kind', type=int, default=150, metavar='CLIPS')
    parser.add_argument('--second-pass', default='whisper', choices=('whisper', 'none'))
    parser.add_argument('--words', type=int, default=40, metavar='CLIPS',
                        help='so many clips of each kind are read while they are spoken, and so '
                        'many in which nobody speaks; 0: none')
    parser.add_argument('--only-words', action='store_true',
                        help='nothing but words while they are spoken')
    parser.add_argument('--unbroken', type=float, default=0.0, metavar='MINUTES',
                        help='read books are joined to speech of so many minutes, to see what '
                        'is lost where it is cut into finals')
    add_play_arguments(parser)
    parser.add_argument('--reader', default='whisper', metavar='KIND[:FOLDER]',
                        help='who reads, as transcript.reader (default: %(default)s)')
    parser.add_argument('--partials-reader', default='', metavar='KIND[:FOLDER]',
                        help='who reads while it is spoken (default: the same)')
    parser.add_argument('--language', default='en', metavar='CODE',
                        help='language of the recordings (default: %(default)s); where a script '
                        'has no spaces, characters are counted')
    parser.add_argument('--beside', default='auto', choices=('auto', 'faster-whisper', 'own',
                                                             'none'),
                        help='who reads the whole utterances for comparison')


def run(options: argparse.Namespace, runtime: Runtime | None = None) -> int:
    """Measure; return 0."""
    out = report.make_folder(options, 'asr')
    second = _load_reader(options) if options.second_pass == 'whisper' else None
    measured: dict[str, Any] = {}
    if not options.only_words or options.as_shipped:
        runtime = runtime or report.load_model(options)
    if not options.only_words:
        assert runtime is not None, 'it was loaded'
        measured |= _measure_utterances(options, runtime, second, out)
    if options.words and second is not None:
        measured |= _measure_words(options, runtime, second)
        _write_lines(out / 'words.jsonl', measured['words'].pop('read'))
    if options.unbroken and second is not None:
        measured['unbroken'] = measure_unbroken(
            _load_whole(options), read_held_out(options.data), options.unbroken,
            make_play(options, second, runtime))
    path = report.write(out, 'asr', options, measured,
                        runtime.encoder.spec.model_id if runtime is not None else '')
    _draw_and_print(out, measured)
    print(f'written to {path}, with pictures; what was said and understood is beside it '
          '(texts.jsonl of whole utterances, words.jsonl while they are spoken)')
    return 0


def _load_reader(options: argparse.Namespace) -> Any:
    from audio_interaction_ros.assembly import load_reader
    from audio_interaction_ros.config import AssistantConfig, TranscriptConfig
    return load_reader(AssistantConfig(transcript=TranscriptConfig(
        reader=options.reader, partials_reader=options.partials_reader,
        language=options.language)), threads=options.threads)


def _measure_utterances(options: argparse.Namespace, runtime: Runtime, second: Any,
                        out: Path) -> dict[str, Any]:
    """Return word errors of finished utterances, and leave their texts."""
    listener = Listener(runtime, (LaneConfig(name=LANE, kind='transcript'),),
                        cache=out / 'hearings.jsonl',
                        variant=report.describe_variant(options), second_pass=second)
    beside = make_reader(out / 'whisper.jsonl', options.threads, options.beside)
    utterances = listen(listener, choose_utterances(options), beside)
    _write_lines(out / 'texts.jsonl', utterances)
    return measure(utterances, beside.name if beside else 'none')


def _write_lines(path: Path, things: Sequence[Any]) -> None:
    path.write_text(''.join(json.dumps(report.to_json(thing), ensure_ascii=False) + '\n'
                            for thing in things), encoding='utf-8')


def choose_utterances(options: argparse.Namespace) -> list[SpeechClip]:
    """Return the clips whose whole text is compared."""
    clips = read_speech(read_held_out(options.data))
    if options.speech:
        clips += read_synthetic(options.speech)
    clips = choose_clips(clips, options.per_kind, options.limit)
    if not clips:
        raise MaterialError('expected held-out speech with text, found none; add speech_* rows '
                            'with text to the manifest or give --speech')
    return clips


def _measure_words(options: argparse.Namespace, runtime: Runtime | None,
                   second: Any) -> dict[str, Any]:
    """Return the figures of words while they are spoken."""
    return {'reader': ' and '.join(filter(None, (options.reader, options.partials_reader))),
            'words': measure_words(_load_whole(options), choose_spoken(options),
                                   options.words, make_play(options, second, runtime))}


def _load_whole(options: argparse.Namespace) -> Any:
    """Return who reads whole clips: who is measured does not say what was said."""
    from audio_interaction_ros.runtimes.registry import load_transcriber
    return load_transcriber(language=options.language, threads=options.threads)


def choose_spoken(options: argparse.Namespace) -> list[HeldOutClip]:
    """Return the clips that are read while they are spoken, and those in which nobody speaks."""
    items = [item for item in read_held_out(options.data) if item.language in (
        options.language, '') and item.label.startswith(WORDS_FROM) and item.seconds <= LONGEST_S]
    if options.speech:
        items += [HeldOutClip(path=clip.path, label=f'speech_{clip.kind}', group=clip.group,
                              seconds=0.0, text=clip.text, language=options.language)
                  for clip in read_synthetic(options.speech)]
    return items


def _draw_and_print(out: Path, measured: dict[str, Any]) -> None:
    if 'kinds' in measured:
        draw(out, measured)
        print_tables(measured)
    if 'words' in measured:
        draw_words(out, measured['words'])
        print_words(measured['words'])
    if 'unbroken' in measured:
        print_unbroken(measured['unbroken'])
