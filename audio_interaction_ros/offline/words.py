"""
The words of one stream as they are read: while they are spoken, when they are over, and again.

Owns the audio history and the models that read it. A reading that fails is logged and costs its
words only; what was shown or streamed stands for them. Knows neither lanes nor answers.
"""

import logging
from collections import deque
from collections.abc import Iterable, Iterator
from typing import Any

from audio_interaction_ros.assembly import build_live_words, build_reader
from audio_interaction_ros.audio.block import AudioChunk
from audio_interaction_ros.config import AssistantConfig
from audio_interaction_ros.protocol import TRANSLATION_TARGETS
from audio_interaction_ros.runtimes.base import Transcriber
from audio_interaction_ros.stream.chunk import EncodedChunk
from audio_interaction_ros.stream.events import FinalTranscript, PartialTranscript, ReplyFinished
from audio_interaction_ros.stream.final_text import (
    Draft,
    FinalText,
    choose_final,
    read_for_translation,
    write_english,
)
from audio_interaction_ros.stream.final_words import SettledDraft, read_settled, settle_draft
from audio_interaction_ros.stream.live_words import LiveWords, OverSpan
from audio_interaction_ros.stream.pause_judge import TurnJudge
from audio_interaction_ros.stream.spoken_word import WordsShown
from audio_interaction_ros.stream.text_lane import RecognisedSpeech
from audio_interaction_ros.stream.word_steps import WordsFinal, finish_all, take_steps

__all__ = ['Words']

_LOG = logging.getLogger(__name__)
_EPOCH = 1
"""That of a stream without ROS, which begins once."""
_Read = PartialTranscript | FinalTranscript


class Words:
    """What second passes read of one stream; part by part, in one thread."""

    def __init__(self, config: AssistantConfig, *, lane: str, second_pass: Transcriber | None,
                 translation_second_pass: Transcriber | None,
                 turn_judge: TurnJudge | None) -> None:
        """
        Take who reads transcripts and translations; None: nobody does.

        ``lane`` is that of transcripts, empty where there is none: words are shown on it while
        they are spoken, where the first can read them so. ``turn_judge`` hears whether a voice is
        through.
        """
        self._lane = lane
        self.second_pass, self.translation_second_pass = second_pass, translation_second_pass
        self._reader = build_reader(config, translates=translation_second_pass is not None)
        self._live: LiveWords | None = (
            build_live_words(config, second_pass, judge=turn_judge) if lane else None)
        self._english = translation_second_pass if config.writes_english else None
        self._waiting: deque[AudioChunk] = deque()
        self._seq = 0  # of the chunk whose parts are heard

    @property
    def are_shown(self) -> bool:
        """True where words are shown while they are spoken."""
        return self._live is not None

    def remember(self, part: AudioChunk) -> None:
        """Take a part of a chunk in; it is worked off by ``read_on``, however many wait."""
        self._waiting.append(part)

    def read_on(self, chunk: EncodedChunk | None = None) -> Iterator[_Read]:
        """
        Yield what is read of the speech that goes on, and the finals of what silence ended.

        Of the next chunk all parts but the last are heard, as soon as they came; with that
        ``chunk`` the last one is, too. So it is the same however the audio was cut.
        """
        while self._waiting and not self._waiting[0].ends_chunk:
            yield from self._hear(self._waiting.popleft())
        if chunk is None:
            return
        if self._waiting:
            yield from self._hear(self._waiting.popleft())
        self._seq = chunk.seq + 1
        if chunk.end_of_stream and self._live is not None:
            yield from self._tell(self._finish(self._live.finish()), chunk.end_ns)

    def _hear(self, part: AudioChunk) -> Iterator[_Read]:
        if part.padding:
            return
        self._reader.remember(part)
        live = self._live
        if live is not None:
            live.remember(part)
            yield from self._tell(take_steps(
                live, self._reader, self._transcriber, _note_fault, read=live.read), part.end_ns)

    def _finish(self, spans: Iterable[OverSpan]) -> Iterator[WordsFinal]:
        return finish_all(spans, self._reader, self._transcriber, _note_fault)

    @property
    def _transcriber(self) -> Transcriber:
        assert self.second_pass is not None, 'words are shown by the second pass'
        return self.second_pass

    def _tell(self, words: Iterable[WordsShown | WordsFinal], stamp_ns: int) -> Iterator[_Read]:
        place: dict[str, Any] = {'lane': self._lane, 'stamp_ns': stamp_ns, 'epoch': _EPOCH,
                                 'seq': self._seq}
        for one in words:
            if isinstance(one, WordsShown):
                yield PartialTranscript(**place, **vars(one))
            else:
                name = one.span.utterance_id
                yield _final_event(one.text, reply_id=name, utterance_id=name, streamed_text='',
                                   ended_by=one.span.ended_by, **place)

    def read_again(self, reply: ReplyFinished) -> tuple[FinalTranscript, bool]:
        """Return what was said, and whether that was final already, so that nothing is left."""
        assert self.second_pass is not None, 'only what somebody reads is a draft'
        draft = _make_draft(reply)
        settled = SettledDraft(draft=draft) if self._live is None else settle_draft(
            self._live, draft)
        try:
            final = read_settled(settled, self._reader, self.second_pass)
        except Exception:  # the streamed text is still there
            _LOG.exception('second pass failed, keeping the streamed transcript')
            final = choose_final(draft, None)
        return _final_event(
            final, lane=reply.lane, stamp_ns=reply.stamp_ns, epoch=reply.epoch, seq=reply.seq,
            reply_id=reply.reply_id, streamed_text=reply.text, utterance_id=settled.utterance_id,
            ended_by=settled.was_final or 'model'), bool(settled.was_final)

    def read_for_translation(self, reply: ReplyFinished) -> RecognisedSpeech:
        """Return what was said, to be translated; nothing where the reading fails."""
        assert self.translation_second_pass is not None, 'only what somebody reads is a draft'
        try:
            return read_for_translation(self._reader, self.translation_second_pass,
                                        _make_draft(reply))
        except Exception:  # the streamed text is still there
            _LOG.exception('second pass failed, keeping the streamed translation')
            return RecognisedSpeech()

    def write_english(self, heard: FinalTranscript) -> str:
        """Return the English of words as who reads writes it of the audio; '' where none does."""
        if (self._english is None or not heard.text or heard.source != 'second_pass'
                or TRANSLATION_TARGETS.get(heard.language) != 'en'):
            return ''
        try:
            return write_english(self._reader, self._english, heard.language, heard.start_ns,
                                 heard.end_ns)
        except Exception:  # the words can still be translated
            _LOG.exception('the second pass cannot translate, words are translated instead')
            return ''


def _note_fault(what: str, error: Exception) -> None:
    _LOG.error(what, exc_info=error)


def _make_draft(reply: ReplyFinished) -> Draft:
    return Draft(text=reply.text, confidence=reply.confidence, start_ns=reply.start_ns,
                 end_ns=reply.end_ns)


def _final_event(final: FinalText, **event: Any) -> FinalTranscript:
    return FinalTranscript(
        text=final.text, language=final.language, source=final.source,
        confidence=final.confidence, start_ns=final.start_ns, end_ns=final.end_ns,
        words=final.words, **event)
