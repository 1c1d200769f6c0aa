"""
One stream played part by part, and what was shown of it and became final when.

Owns the clock: a part is heard when it is over, one thing after the other is computed, and what
takes long makes all that follows late, as in a process with one processor. Without a streaming
model (``play``) the words are those of the second pass alone; with one (``play_assistant``) it is
the assistant as it ships. Knows no figure.
"""

import argparse
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from audio_interaction_ros.assembly import build_live_words
from audio_interaction_ros.audio.block import AudioBlock, AudioChunk
from audio_interaction_ros.config import AssistantConfig, TranscriptConfig
from audio_interaction_ros.dialogue.word_interpreter import WordInterpreter
from audio_interaction_ros.offline import Assistant
from audio_interaction_ros.parameter_file import load_configuration
from audio_interaction_ros.protocol import (
    RELEASED_CHUNK,
    SAMPLE_RATE_HZ,
    ChunkSize,
)
from audio_interaction_ros.resources import shipped_path
from audio_interaction_ros.runtimes.base import Runtime
from audio_interaction_ros.runtimes.registry import load_turn_judge
from audio_interaction_ros.stream.events import FinalTranscript, PartialTranscript
from audio_interaction_ros.stream.final_text import FinalText
from audio_interaction_ros.stream.pause_judge import TurnJudge
from audio_interaction_ros.stream.span_reader import SpanReader
from audio_interaction_ros.stream.spoken_word import WordsShown
from audio_interaction_ros.stream.word_steps import WordsFinal, take_steps

__all__ = ['CLOCKS', 'Clock', 'HeardFinal', 'HeardStream', 'Play', 'PlayedAssistant', 'Shown',
           'TimedEvent', 'add_play_arguments', 'fail', 'make_play', 'play', 'play_assistant']

NS = 1e9
TAIL_S = 3.0
"""Silence behind a stream, so that its last words become final by silence."""
Clock = Callable[[], float]
"""Counts computing: time.perf_counter, or time.process_time where others use the machine too."""


@dataclass(frozen=True, kw_only=True)
class Shown:
    """What stood on the screen from a moment on; seconds of the stream."""

    at: float
    """End of the audio that was heard."""
    spent: float
    """Seconds from then to when it was shown: computing and waiting for it."""
    text: str
    stable: str


@dataclass(frozen=True, kw_only=True)
class HeardFinal:
    """One utterance that became final; seconds of the stream."""

    at: float
    spent: float
    text: str
    start: float
    end: float
    """Where it was said to be."""
    ended_by: str


@dataclass
class HeardStream:
    """All that was shown of one stream."""

    shown: list[tuple[str, Shown]] = field(default_factory=list)
    """Each with the name of its utterance."""
    finals: list[HeardFinal] = field(default_factory=list)
    busy_s: float = 0.0
    """Seconds of computing."""
    readings: list[float] = field(default_factory=list)
    """Seconds that each reading of speech took, where they can be told apart."""
    translated: list[tuple[str, Shown]] = field(default_factory=list)
    """Translations as they were shown and, stable as a whole, as they became final."""


Play = Callable[[np.ndarray], HeardStream]
"""Plays samples [n] at 16 kHz from the beginning of a stream."""
CLOCKS: dict[str, Clock] = {'wall': time.perf_counter, 'processor': time.process_time,
                            'none': lambda: 0.0}


def add_play_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options that say what hears the words, and how computing is counted."""
    parser.add_argument('--end', default='smart', choices=('smart', 'silence'),
                        help='what ends utterances, as transcript.end (default: %(default)s)')
    parser.add_argument('--partial-ms', type=float, metavar='MS',
                        help='how often speech that goes on is read, as transcript.partial_ms '
                        '(default: as shipped)')
    parser.add_argument('--as-shipped', action='store_true',
                        help='the whole assistant of config/edge.yaml hears the words; without it '
                        'the second pass does alone')
    parser.add_argument('--look-every', type=float, default=RELEASED_CHUNK.part.s, metavar='S',
                        help='how often the second pass looks whether an utterance is over; as '
                        'shipped: once a part of a chunk (default: %(default)s)')
    parser.add_argument('--clock', default='wall', choices=sorted(CLOCKS),
                        help='processor: count the time of the processor, where other programs '
                        'use the machine as well; none: computing takes no time (default: '
                        '%(default)s)')


def make_play(options: argparse.Namespace, second: Any, runtime: Runtime | None) -> Play:
    """Return what plays streams as the options say; ``runtime`` is needed as shipped only."""
    judge = load_turn_judge(threads=options.threads) if options.end == 'smart' else None
    clock = CLOCKS[options.clock]
    config = load_configuration(shipped_path('config/edge.yaml'))
    settings = replace(config.transcript, end=options.end)
    if options.partial_ms is not None:
        settings = replace(settings, partial_ms=options.partial_ms)
    config = replace(config, transcript=settings)
    if not options.as_shipped:
        return lambda samples: play(second, samples, settings, judge=judge, clock=clock,
                                    part=ChunkSize.of_seconds(options.look_every))
    assert runtime is not None, 'the streaming model'
    return lambda samples: play_assistant(
        Assistant.over(runtime, config, reader=second, turn_judge=judge), samples, clock=clock)


class _Processor:
    """Says when what is computed is there, if one thing is done after the other."""

    def __init__(self, clock: Clock) -> None:
        self._clock, self.free, self._from, self._began = clock, 0.0, 0.0, 0.0

    def begin(self, arrived: float) -> None:
        """Take work that arrived at a second of the stream."""
        self._from, self._began = max(arrived, self.free), self._clock()

    def now(self) -> float:
        """Return the second of the stream at which the computing has come so far."""
        self.free = self._from + self._clock() - self._began
        return self.free

    def spent(self) -> float:
        """Return seconds of computing since the work began."""
        return self._clock() - self._began


def _cut_up(samples: np.ndarray, tail_s: float, size: ChunkSize) -> Iterator[np.ndarray]:
    padded = np.pad(samples, (0, round(tail_s * SAMPLE_RATE_HZ)))
    yield from np.pad(padded, (0, -len(padded) % size.samples)).reshape(-1, size.samples)


def play(second: Any, samples: np.ndarray, settings: TranscriptConfig, *,
         judge: TurnJudge | None = None, clock: Clock = time.perf_counter,
         tail_s: float = TAIL_S, interpreter: WordInterpreter | None = None,
         part: ChunkSize = RELEASED_CHUNK.part) -> HeardStream:
    """
    Play samples [n] at 16 kHz to a second pass; as in the nodes it rests as long as it reads.

    ``judge`` hears whether a voice is through; ``interpreter`` translates the words. ``part`` is
    what is heard at once.
    """
    live = build_live_words(AssistantConfig(transcript=settings), second, judge=judge)
    assert live is not None, 'a second pass that reads speech that goes on'
    reader, heard, processor = SpanReader(seconds=settings.buffer_s), HeardStream(), _Processor(
        clock)
    rest_until = 0.0

    def read() -> WordsShown | None:
        nonlocal rest_until
        began = processor.now()
        if live.behind or not live.pausing and began < rest_until:
            return None
        shown = live.read()
        now = processor.now()
        rest_until = now + now - began
        heard.readings.append(now - began)
        return shown

    for place, piece in enumerate(_cut_up(samples, tail_s, part)):
        chunk = AudioChunk(samples=piece, stamp_ns=place * part.ns, lost_samples_before=0)
        reader.remember(chunk)
        live.remember(chunk)
        at = (place + 1) * part.s
        if processor.free > at + part.s:
            continue  # the reader is busy until the next part is there as well
        processor.begin(at)
        for words in take_steps(live, reader, second, fail, read=read):
            _note(heard, words, at, processor, interpreter)
        processor.now()
        heard.busy_s += processor.spent()
    return heard


def fail(what: str, error: Exception) -> None:
    """Let a fault end the measurement."""
    raise RuntimeError(what) from error


def _note(heard: HeardStream, words: WordsShown | WordsFinal, at: float, processor: _Processor,
          interpreter: WordInterpreter | None) -> None:
    """Note words that were read of the audio up to a second, and their translation."""
    spent = processor.now() - at
    if isinstance(words, WordsShown):
        name = words.utterance_id
        heard.shown.append((name, Shown(at=at, spent=spent, text=words.text,
                                        stable=words.text[:words.stable_length])))
        growing = None if interpreter is None else interpreter.on_partial(
            PartialTranscript(**_NO_PLACE, **vars(words)))
        told = None if growing is None else (growing.text, growing.text[:growing.stable_length])
    else:
        name, final = words.span.utterance_id, words.text
        heard.finals.append(HeardFinal(
            at=at, spent=spent, text=final.text, ended_by=words.span.ended_by,
            start=final.start_ns / NS, end=final.end_ns / NS))
        whole = None if interpreter is None else interpreter.on_final(
            _make_final(name, final, words.span.ended_by))
        told = None if whole is None else (whole.text, whole.text)
    if told is not None:
        text, stable = told
        heard.translated.append((name, Shown(at=at, spent=processor.now() - at, text=text,
                                             stable=stable)))


_NO_PLACE: dict[str, Any] = {'lane': '', 'stamp_ns': 0, 'epoch': 0, 'seq': 0}


def _make_final(name: str, final: FinalText, ended_by: str) -> FinalTranscript:
    return FinalTranscript(
        **_NO_PLACE, reply_id=name, utterance_id=name, text=final.text, language=final.language,
        streamed_text='', source=final.source, confidence=final.confidence,
        start_ns=final.start_ns, end_ns=final.end_ns, words=final.words, ended_by=ended_by)


@dataclass(frozen=True, kw_only=True)
class TimedEvent:
    """What an assistant said when; seconds of the stream, as of Shown."""

    at: float
    spent: float
    event: Any


class PlayedAssistant:
    """A whole assistant to which one stream is played; it hears nothing else any more."""

    def __init__(self, assistant: Assistant, *, clock: Clock = time.perf_counter) -> None:
        """Take it as it was made."""
        self._assistant, self._processor = assistant, _Processor(clock)
        self._at = self.busy_s = 0.0

    def play(self, samples: np.ndarray, tail_s: float = TAIL_S) -> Iterator[TimedEvent]:
        """Yield what it says to samples [n] at 16 kHz."""
        for event in self._assistant.listen(self._hand_out(samples, tail_s)):
            yield TimedEvent(at=self._at, spent=self._processor.now() - self._at, event=event)

    def _hand_out(self, samples: np.ndarray, tail_s: float) -> Iterator[AudioBlock]:
        part = RELEASED_CHUNK.part
        for place, piece in enumerate(_cut_up(samples, tail_s, part)):
            if place:
                self._processor.now()
                self.busy_s += self._processor.spent()
            self._at = (place + 1) * part.s
            self._processor.begin(self._at)
            yield AudioBlock(samples=piece, sample_rate_hz=SAMPLE_RATE_HZ,
                             stamp_ns=place * part.ns)


def play_assistant(assistant: Assistant, samples: np.ndarray, *,
                   clock: Clock = time.perf_counter, tail_s: float = TAIL_S) -> HeardStream:
    """Play samples [n] at 16 kHz to a whole assistant, and return its words."""
    heard, played = HeardStream(), PlayedAssistant(assistant, clock=clock)
    for one in played.play(samples, tail_s):
        event = one.event
        if isinstance(event, PartialTranscript):
            heard.shown.append((event.utterance_id, Shown(
                at=one.at, spent=one.spent, text=event.text,
                stable=event.text[:event.stable_length])))
        elif isinstance(event, FinalTranscript):
            heard.finals.append(HeardFinal(
                at=one.at, spent=one.spent, text=event.text, ended_by=event.ended_by,
                start=event.start_ns / NS, end=event.end_ns / NS))
    heard.busy_s = played.busy_s
    return heard
