"""
What is heard of a streamed suite, and when: by the lane of a model, and as words are read.

Owns which settings of ``transcript`` are gone through and where the words of an item end. Knows no
figure (``eval.suites.curves``).
"""

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from audio_interaction_ros.assembly import build_word_interpreter
from audio_interaction_ros.config import TranscriptConfig
from audio_interaction_ros.errors import ConfigurationError
from audio_interaction_ros.parameter_file import load_configuration
from audio_interaction_ros.resources import shipped_path
from audio_interaction_ros.runtimes.base import Runtime
from audio_interaction_ros.runtimes.registry import load_turn_judge
from eval.live_stream import CLOCKS, HeardStream, play
from eval.shown_words import ShownClip, note_words, place_words
from eval.suites.answering import Asking, answer_all
from eval.suites.items import Answered, SuiteItem
from eval.suites.table import SUITES
from held_out.clips import RATE, load
from measure import report
from measure.word_errors import normalise

__all__ = ['Setting', 'ask_lane', 'play_all', 'place_item', 'show_replies', 'show_words', 'vary']


class Setting(NamedTuple):
    """One way to read words while they are spoken."""

    name: str
    transcript: TranscriptConfig


def vary(base: TranscriptConfig, varied: Sequence[str]) -> list[Setting]:
    """Return the settings to go through: as shipped, then each value of ``PARAMETER=V1,V2``."""
    settings = [Setting('as shipped', base)]
    for part in varied:
        name, _, values = part.partition('=')
        if not hasattr(base, name) or not values:
            raise ConfigurationError(f'--vary: expected PARAMETER=V1,V2 of transcript, found '
                                     f'{part!r}; correct it')
        known = type(getattr(base, name))
        settings += [Setting(f'{name} {value}', replace(base, **{name: known(value)}))
                     for value in values.split(',') if known(value) != getattr(base, name)]
    return settings


def ask_lane(options: argparse.Namespace, items: Sequence[SuiteItem],
             runtime: Runtime) -> list[Answered]:
    """Return what the lane of the model says of each item, chunk by chunk."""
    out = report.make_folder(options, 'curve')
    return answer_all(runtime, items, Asking(
        lane=SUITES[options.suite].lane, cache=out / f'{options.suite}.hearings.jsonl',
        variant=report.describe_variant(options)))


def play_all(options: argparse.Namespace, items: Sequence[SuiteItem], second: Any,
             runtime: Any = None) -> Iterator[tuple[Setting, list[HeardStream]]]:
    """Yield what was heard of all items with each setting; ``runtime`` translates it."""
    config = load_configuration(shipped_path('config/edge.yaml'))
    translating = replace(config, translation=replace(config.translation, source='words'))
    judge = load_turn_judge(threads=options.threads)
    for setting in vary(config.transcript, options.vary):
        streams = list[HeardStream]()
        for item in report.track(setting.name, items):
            interpreter = None if runtime is None else build_word_interpreter(
                translating, None, decoder=runtime.decoder, tokenizer=runtime.tokenizer,
                lanes=runtime.config.lanes)
            streams.append(play(second, load(item.audio), setting.transcript, judge=judge,
                                clock=CLOCKS[options.clock], interpreter=interpreter))
        yield setting, streams


def place_item(item: SuiteItem, second: Any) -> ShownClip:
    """Return a clip with the ends of its words, as Whisper's attention on all of it has them."""
    samples = load(item.audio)
    read, words = second.transcribe(samples), normalise(item.references[0])
    placed = [(word, at.end_s) for at in read.words for word in normalise(at.written).split()]
    seconds = len(samples) / RATE
    return ShownClip(group=item.groups['speaker'], reference=words, whole=read.text,
                     ends=place_words(words.split(), placed, seconds), seconds=seconds,
                     name=item.id)


def show_replies(clip: ShownClip, answered: Answered) -> ShownClip:
    """Return a clip with what a lane wrote of it, each reply at the chunk it was decided on."""
    shown, text = [], ''
    for said in answered.said:
        text = f'{text} {said.text}'.strip()
        shown.append((said.at, 0.0, text, text))
    return replace(clip, shown=shown)


def show_words(clip: ShownClip, heard: HeardStream) -> ShownClip:
    """Return a clip with what was shown of its words while they were spoken, and became final."""
    return note_words(replace(clip, shown=[], finals=[], readings=[]), heard)
