"""
The whole assistant in one object without ROS: blocks of audio in, events and alerts out.

Joins the listening pipeline, the session, the words that second passes read and the alert policy.
Every chunk is worked off before the next one enters, and what is said in its parts before it, so
the events of a recording depend on its samples only, not on how it was cut or how fast it came.
"""

import logging
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from audio_interaction_ros.alerts.alert import AlertChange
from audio_interaction_ros.assembly import (
    build_answers,
    build_pipeline,
    build_policy,
    build_session,
    build_talker,
    build_word_interpreter,
    load_judge,
    load_model,
    load_reader,
    load_reply_model,
    resolve_for,
)
from audio_interaction_ros.audio.block import AudioBlock
from audio_interaction_ros.config import AssistantConfig
from audio_interaction_ros.dialogue.word_interpreter import WordInterpreter
from audio_interaction_ros.errors import AudioFormatError
from audio_interaction_ros.offline.answering import Answering
from audio_interaction_ros.offline.words import Words
from audio_interaction_ros.runtimes.base import (
    Decoder,
    Encoder,
    Runtime,
    SoundHead,
    TextModel,
    Tokenizer,
    Transcriber,
)
from audio_interaction_ros.stream.chunk import EncodedChunk
from audio_interaction_ros.stream.events import (
    Event,
    FinalReply,
    FinalTranscript,
    PartialTranscript,
    ReplyFinished,
    ReplyWithheld,
    SoundEnded,
    StreamReset,
)
from audio_interaction_ros.stream.pause_judge import TurnJudge
from audio_interaction_ros.stream.sound_events import SoundEvent

__all__ = ['TAIL_S', 'Assistant', 'AssistantStats']

_LOG = logging.getLogger(__name__)
TAIL_S = 1.2
"""Silence after the end of a recording, so that a late decision can fire (as the release)."""


@dataclass
class AssistantStats:
    """What was heard and how long it took."""

    audio_s: float = 0.0
    busy_s: float = 0.0
    """Wall time it was worked on; beside other programs that is more than it computed."""
    replies: int = 0
    withheld: int = 0
    """Replies that nobody was told of, for the model was not sure of their words."""
    alerts: int = 0


class Assistant:
    """Listens to a stream and yields what it makes of it."""

    def __init__(self, *, config: AssistantConfig, encoder: Encoder, decoder: Decoder,
                 tokenizer: Tokenizer, sounds: SoundHead | None = None,
                 second_pass: Transcriber | None = None,
                 translation_second_pass: Transcriber | None = None,
                 text_model: TextModel | None = None,
                 turn_judge: TurnJudge | None = None,
                 interpreter: WordInterpreter | None = None) -> None:
        """
        Take a configuration with resolved lanes and a model.

        ``sounds`` tells sounds apart; without it alerts come of replies only.
        ``second_pass`` reads finished transcripts again, ``translation_second_pass`` what
        translation lanes answered; both may be the same. Where it can, the first also reads
        speech that goes on (``transcript.partial_ms``); ``turn_judge`` hears then whether a voice
        is through. ``text_model`` is that of ``reply.model``, which answers what the first has
        read, and ``interpreter`` translates it where no lane does.
        """
        translates = translation_second_pass is not None
        self._words_lane = next((lane.name for lane in config.lanes if lane.kind == 'transcript'),
                                '')
        self._words = Words(
            config, lane=self._words_lane, second_pass=second_pass, turn_judge=turn_judge,
            translation_second_pass=translation_second_pass)
        self._pipeline = build_pipeline(config, encoder, sounds, on_part=self._words.remember)
        self.session = build_session(config, config.lanes, decoder=decoder, tokenizer=tokenizer,
                                     translates=translates and interpreter is None)
        if self._words.are_shown:  # what is read is better than what the lane would write
            self.session.let_write(self._words_lane, False)
        self.policy = build_policy(config.alerts, config.lanes)
        self.thresholds = {lane.name: lane.threshold for lane in config.lanes}
        self._kinds = {lane.name: lane.kind for lane in config.lanes}
        self._answering = Answering(
            build_answers(config, reads=second_pass is not None),
            build_talker(config, text_model, decoder=decoder, tokenizer=tokenizer,
                         lanes={}),  # those of the configuration are resolved
            cancel=self._cancel_replies, alerts_of=self._alerts_of)
        self._interpreter = interpreter
        self.stats = AssistantStats()

    @property
    def read_again(self) -> frozenset[str]:
        """Lanes whose finished replies are drafts: what is read in a second pass decides."""
        passes = {'transcript': self._words.second_pass,
                  'translation': self._words.translation_second_pass,
                  'reply': self._answering.answers}
        return frozenset(lane for lane, kind in self._kinds.items()
                         if passes.get(kind) is not None)

    @classmethod
    def load(cls, config: AssistantConfig,
             tell: Callable[[str], object] = lambda _: None) -> 'Assistant':
        """
        Load the model that a configuration names; lanes take their defaults from it.

        ``tell`` is told what is being loaded, for a person who waits.
        """
        return cls.maker(config, tell)()

    @classmethod
    def maker(cls, config: AssistantConfig,
              tell: Callable[[str], object] = lambda _: None) -> Callable[[], 'Assistant']:
        """
        Load the model as ``load`` does, and return what makes assistants on it.

        Each has heard nothing yet. They share the model, so only the newest one may listen.
        """
        tell(f'loading the model {config.model.path}')
        runtime, reader = load_model(config.model), None
        if config.second_passes:
            tell('loading the model of the second pass')
            reader = load_reader(config, threads=config.model.threads)
        judge = load_judge(config) if 'transcript' in config.second_passes else None
        if config.reply.names_text_model:
            tell(f'loading the text model {config.reply.model}')
        return partial(cls.over, runtime, config, reader=reader, turn_judge=judge,
                       text_model=load_reply_model(config))

    @classmethod
    def over(cls, runtime: Runtime, config: AssistantConfig, *, reader: Transcriber | None = None,
             turn_judge: TurnJudge | None = None,
             text_model: TextModel | None = None) -> 'Assistant':
        """
        Return an assistant over models that are loaded; it has heard nothing yet.

        ``reader`` makes the second passes that the configuration wants, of which there are none
        without it.
        """
        runtime.encoder.reset()
        wanted = config.second_passes
        return cls(
            config=replace(config, lanes=resolve_for(runtime, config.lanes)),
            encoder=runtime.encoder, decoder=runtime.decoder, tokenizer=runtime.tokenizer,
            sounds=runtime.sounds, turn_judge=turn_judge, text_model=text_model,
            second_pass=reader if 'transcript' in wanted else None,
            translation_second_pass=reader if 'translation' in wanted else None,
            interpreter=build_word_interpreter(
                config, text_model, decoder=runtime.decoder, tokenizer=runtime.tokenizer,
                lanes=runtime.config.lanes))

    def listen(self, blocks: Iterable[AudioBlock]) -> Iterator[Event | AlertChange]:
        """Yield events while the blocks come, to the end of the stream and a little beyond."""
        for block in blocks:
            self.stats.audio_s += len(block.samples) / block.sample_rate_hz
            yield from self._work(self._pipeline.push, block)
        yield from self._work(self._pipeline.flush, TAIL_S)
        yield from self._answering.give_up()

    @property
    def shows_words(self) -> frozenset[str]:
        """Lanes whose words are shown while they are spoken, and not as the lane streams them."""
        return frozenset([self._words_lane] if self._words.are_shown else [])

    def _work(self, listen: Any, *block: Any) -> Iterator[Event | AlertChange]:
        began = time.perf_counter()
        for event in self._follow(listen(*block)):
            self.stats.busy_s += time.perf_counter() - began
            yield event
            began = time.perf_counter()
        self.stats.busy_s += time.perf_counter() - began

    def _follow(self, chunks: Iterable[EncodedChunk]) -> Iterator[Event | AlertChange]:
        """Yield what comes of chunks, and of the parts of the one that is not whole yet."""
        for chunk in chunks:
            yield from self._step_chunk(chunk)
        yield from self._read_on()

    def _step_chunk(self, chunk: EncodedChunk) -> Iterator[Event | AlertChange]:
        self.policy.note_classes(chunk.sounds.names)
        yield from self._read_on()
        for sound in self._push_chunk(chunk):  # before any pass: an alert waits for no model
            yield sound
            yield from self._count_alerts(self.policy.on_sound(sound))
        yield from self._read_on(chunk)  # before what a lane writes, which takes longer
        while self.session.busy:
            for event in self.session.step():
                yield event
                if isinstance(event, SoundEnded):
                    yield from self._count_alerts(self.policy.on_sound(event))
                if isinstance(event, StreamReset) and event.fault:
                    _LOG.error('lane %s starts anew after: %s', event.lane, event.fault)
                self.stats.withheld += isinstance(event, ReplyWithheld)
                if isinstance(event, ReplyFinished):
                    yield from self._follow_up(event)
        yield from self._answering.tick(chunk.stamp_ns)
        yield from self._count_alerts(self.policy.tick(chunk.stamp_ns))

    def _read_on(self, chunk: EncodedChunk | None = None) -> Iterator[Event | AlertChange]:
        for words in self._words.read_on(chunk):
            yield from self._take_words(words)

    def _take_words(self, words: PartialTranscript | FinalTranscript
                    ) -> Iterator[Event | AlertChange]:
        """Yield words that were read, and what follows them."""
        if isinstance(words, FinalTranscript):
            yield words
            yield from self._answer(words)
            return
        self._answering.cut_short(words.text)
        yield words
        translated = self._interpreter and self._interpreter.on_partial(words)
        if translated:
            yield translated

    def _push_chunk(self, chunk: EncodedChunk) -> list[SoundEvent]:
        try:
            return self.session.push(chunk)
        except AudioFormatError as error:
            _LOG.error('a chunk is left out: %s', error)
            return []

    def _follow_up(self, reply: ReplyFinished) -> Iterator[Event | AlertChange]:
        self.stats.replies += 1
        yield from self._count_alerts(self.policy.on_reply(reply))
        kind = self._kinds[reply.lane]
        if kind == 'transcript' and self._words.second_pass is not None:
            final, was_final = self._words.read_again(reply)
            if not was_final:
                yield final
            yield from self._answer(final)
        if kind == 'translation' and self._words.translation_second_pass is not None:
            self.session.translate(reply, self._words.read_for_translation(reply))
        if kind == 'reply':
            yield from self._answering.on_reply(reply)

    def _answer(self, heard: FinalTranscript) -> Iterator[Event | AlertChange]:
        """Yield what is answered to words, and their translation where it follows them."""
        yield from self._answering.on_words(heard)
        translated = self._interpreter and self._interpreter.on_final(
            heard, self._words.write_english(heard))
        if translated:
            yield translated

    def _alerts_of(self, answer: FinalReply) -> list[AlertChange]:
        return self._count_alerts(self.policy.on_answer(answer))

    def _cancel_replies(self) -> None:
        for lane, kind in self._kinds.items():
            if kind == 'reply':
                self.session.cancel(lane)

    def _count_alerts(self, changes: list[AlertChange]) -> list[AlertChange]:
        self.stats.alerts += sum(change.previous is None for change in changes)
        return changes
