"""
The whole assistant in one object without ROS: blocks of audio in, events and alerts out.

Joins the listening pipeline, the session, the second passes and the alert policy. Every chunk is
worked off before the next one enters, so the events of a recording depend on its samples only,
not on how it was cut or how fast it came.
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
    build_live_words,
    build_pipeline,
    build_policy,
    build_reader,
    build_session,
    build_talker,
    build_word_interpreter,
    load_judge,
    load_model,
    load_reader,
    load_reply_model,
    resolve_for,
)
from audio_interaction_ros.audio.block import AudioBlock, AudioChunk
from audio_interaction_ros.config import AssistantConfig
from audio_interaction_ros.dialogue.word_interpreter import WordInterpreter
from audio_interaction_ros.errors import AudioFormatError
from audio_interaction_ros.intents.answers import Answer
from audio_interaction_ros.protocol import TRANSLATION_TARGETS
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
    AnswerWanted,
    Event,
    FinalReply,
    FinalTranscript,
    PartialTranscript,
    ReplyFinished,
    ReplyWithheld,
    SoundEnded,
    StreamReset,
)
from audio_interaction_ros.stream.final_text import (
    Draft,
    FinalText,
    choose_final,
    nobody,
    read_for_translation,
    write_english,
)
from audio_interaction_ros.stream.final_words import (
    SettledDraft,
    finish_span,
    read_settled,
    settle_draft,
)
from audio_interaction_ros.stream.live_words import LiveWords, OverSpan
from audio_interaction_ros.stream.pause_judge import TurnJudge
from audio_interaction_ros.stream.sound_events import SoundEvent
from audio_interaction_ros.stream.text_lane import RecognisedSpeech

__all__ = ['Assistant', 'AssistantStats']

_LOG = logging.getLogger(__name__)
TAIL_S = 1.2
"""Silence after the end of a recording, so that a late decision can fire (as the release)."""


@dataclass
class AssistantStats:
    """What was heard and what it cost."""

    audio_s: float = 0.0
    busy_s: float = 0.0
    replies: int = 0
    withheld: int = 0
    """Replies that nobody was told of, for the model was not sure of their words."""
    alerts: int = 0

    @property
    def real_time_factor(self) -> float:
        """Computing time per second of audio."""
        return self.busy_s / self.audio_s if self.audio_s else 0.0


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
        self._reader = build_reader(config, translates=translates)
        self._pipeline = build_pipeline(config, encoder, sounds, on_chunk=self._remember)
        self._words_lane = next((lane.name for lane in config.lanes if lane.kind == 'transcript'),
                                '')
        self._live: LiveWords | None = (build_live_words(config, second_pass, judge=turn_judge)
                                        if self._words_lane else None)
        self.session = build_session(config, config.lanes, decoder=decoder, tokenizer=tokenizer,
                                     translates=translates and interpreter is None)
        if self._live is not None:  # what is read is better than what the lane would write
            self.session.let_write(self._words_lane, False)
        self.policy = build_policy(config.alerts, config.lanes)
        self.thresholds = {lane.name: lane.threshold for lane in config.lanes}
        self._kinds = {lane.name: lane.kind for lane in config.lanes}
        self._second_pass = second_pass
        self._translation_second_pass = translation_second_pass
        self.answers = build_answers(config, reads=second_pass is not None)
        """What answers words that were read; None where replies are the model's own."""
        self._talker = None if text_model is None else build_talker(config, text_model)
        self._interpreter = interpreter
        self._english = translation_second_pass if config.writes_english else None
        self.stats = AssistantStats()

    @property
    def read_again(self) -> frozenset[str]:
        """Lanes whose finished replies are drafts: what is read in a second pass decides."""
        passes = {'transcript': self._second_pass, 'translation': self._translation_second_pass,
                  'reply': self.answers}
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
        if config.reply.model:
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
        if self.answers is not None:
            yield from self._say(self.answers.give_up())

    @property
    def shows_words(self) -> frozenset[str]:
        """Lanes whose words are shown while they are spoken, and not as the lane streams them."""
        return frozenset([self._words_lane] if self._live is not None else [])

    def _remember(self, chunk: AudioChunk) -> None:
        self._reader.remember(chunk)
        if self._live is not None:
            self._live.remember(chunk)

    def _work(self, listen: Any, *block: Any) -> Iterator[Event | AlertChange]:
        began = time.perf_counter()
        for chunk in listen(*block):
            for event in self._step_chunk(chunk):
                self.stats.busy_s += time.perf_counter() - began
                yield event
                began = time.perf_counter()
        self.stats.busy_s += time.perf_counter() - began

    def _step_chunk(self, chunk: EncodedChunk) -> Iterator[Event | AlertChange]:
        self.policy.note_classes(chunk.sounds.names)
        for sound in self._push_chunk(chunk):  # before any pass: an alert waits for no model
            yield sound
            yield from self._count_alerts(self.policy.on_sound(sound))
        if self._live is not None:  # before what a lane writes, which takes longer
            yield from self._show_words(self._live, chunk)
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
        if self.answers is not None:
            yield from self._say(self.answers.tick(chunk.stamp_ns))
        yield from self._count_alerts(self.policy.tick(chunk.stamp_ns))

    def _show_words(self, live: LiveWords, chunk: EncodedChunk) -> Iterator[Event]:
        """Yield what is read of the speech that goes on, and the finals of what silence ended."""
        place: dict[str, Any] = {
            'lane': self._words_lane, 'stamp_ns': chunk.end_ns,
            'epoch': chunk.epoch, 'seq': chunk.seq}
        over = live.hear(chunk.stamp_ns)
        if live.due:
            try:
                shown = live.read()
            except Exception:  # the final is still to come
                _LOG.exception('reading speech that goes on failed')
                shown = None
            if shown is not None:
                self._cut_short(shown.text)
                words = PartialTranscript(**place, **vars(shown))
                yield words
                translated = self._interpreter and self._interpreter.on_partial(words)
                if translated:
                    yield translated
        for span in [*over, *live.end(), *(live.finish() if chunk.end_of_stream else [])]:
            final = self._end_words(span, place)
            yield final
            yield from self._answer(final)

    def _end_words(self, span: OverSpan, place: dict[str, Any]) -> FinalTranscript:
        """Return the final of an utterance that was over before a lane answered it."""
        assert self._second_pass is not None, 'words are shown by the second pass'
        try:
            final = finish_span(span, self._reader, self._second_pass)
        except Exception:  # what was shown must come to an end
            _LOG.exception('second pass failed, an utterance has no text')
            final = nobody(Draft(text='', confidence=0.0, start_ns=span.start_ns,
                                 end_ns=span.end_ns))
        return _final_event(final, reply_id=span.utterance_id, utterance_id=span.utterance_id,
                            streamed_text='', ended_by=span.ended_by, **place)

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
        if kind == 'transcript' and self._second_pass is not None:
            final, was_final = self._read_again(reply, self._second_pass)
            if not was_final:
                yield final
            yield from self._answer(final)
        if kind == 'translation' and self._translation_second_pass is not None:
            self._translate(reply, self._translation_second_pass)
        if kind == 'reply' and self.answers is not None:
            yield from self._say(self.answers.on_reply(reply))

    def _answer(self, heard: FinalTranscript) -> Iterator[Event]:
        """
        Yield what is answered to words, and their translation where it follows them.

        Replies that they cut short end before.
        """
        if self.answers is not None:
            self._cut_short(heard.text)
            yield from self._say(self.answers.on_words(heard))
        translated = self._interpreter and self._interpreter.on_final(
            heard, self._write_english(heard))
        if translated:
            yield translated

    def _write_english(self, heard: FinalTranscript) -> str:
        """Return the English of words as who reads writes it of the audio; '' where none does."""
        if self._english is None or not heard.text or heard.source != 'second_pass' or (
                TRANSLATION_TARGETS.get(heard.language) != 'en'):
            return ''
        try:
            return write_english(self._reader, self._english, heard.language, heard.start_ns,
                                 heard.end_ns)
        except Exception:  # the words can still be translated
            _LOG.exception('the second pass cannot translate, words are translated instead')
            return ''

    def _say(self, answers: Iterable[Answer]) -> Iterator[Event]:
        """Yield answers; what no intent explains is answered by the text model."""
        for answer in answers:
            if isinstance(answer, AnswerWanted) and self._talker is not None:
                yield from self._talker.answer(answer)
                continue
            if isinstance(answer, FinalReply) and self._talker is not None:
                self._talker.note(answer)
            yield answer

    def _cut_short(self, text: str) -> None:
        """End every reply at once where a text is a word such as "stop"."""
        if self.answers is not None and self.answers.is_cut_short(text):
            for lane, kind in self._kinds.items():
                if kind == 'reply':
                    self.session.cancel(lane)

    def _count_alerts(self, changes: list[AlertChange]) -> list[AlertChange]:
        self.stats.alerts += sum(change.previous is None for change in changes)
        return changes

    def _read_again(self, reply: ReplyFinished,
                    reading_model: Transcriber) -> tuple[FinalTranscript, bool]:
        """Return what was said, and whether that was final already, so that nothing is left."""
        draft = _make_draft(reply)
        settled = SettledDraft(draft=draft) if self._live is None else settle_draft(
            self._live, draft)
        try:
            final = read_settled(settled, self._reader, reading_model)
        except Exception:  # the streamed text is still there
            _LOG.exception('second pass failed, keeping the streamed transcript')
            final = choose_final(draft, None)
        return _final_event(
            final, lane=reply.lane, stamp_ns=reply.stamp_ns, epoch=reply.epoch, seq=reply.seq,
            reply_id=reply.reply_id, streamed_text=reply.text, utterance_id=settled.utterance_id,
            ended_by=settled.was_final or 'model'), bool(settled.was_final)

    def _translate(self, reply: ReplyFinished, reading_model: Transcriber) -> None:
        """Have what was said translated; without it the streamed text becomes final."""
        said = RecognisedSpeech()
        try:
            said = read_for_translation(self._reader, reading_model, _make_draft(reply))
        except Exception:  # the streamed text is still there
            _LOG.exception('second pass failed, keeping the streamed translation')
        self.session.translate(reply, said)


def _make_draft(reply: ReplyFinished) -> Draft:
    return Draft(text=reply.text, confidence=reply.confidence, start_ns=reply.start_ns,
                 end_ns=reply.end_ns)


def _final_event(final: FinalText, **event: Any) -> FinalTranscript:
    return FinalTranscript(
        text=final.text, language=final.language, source=final.source,
        confidence=final.confidence, start_ns=final.start_ns, end_ns=final.end_ns,
        words=final.words, **event)
