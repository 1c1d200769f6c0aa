"""
The words of one stream as they are read: while they are spoken, when they are over, and again.

Owns the audio history and the models that read it. A reading that fails is logged and costs its
words only; what was shown or streamed stands for them. Knows neither lanes nor answers.
"""

import logging
from collections.abc import Iterator
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
from audio_interaction_ros.stream.text_lane import RecognisedSpeech

__all__ = ['Words']

_LOG = logging.getLogger(__name__)


class Words:
    """What second passes read of one stream; chunk by chunk, in one thread."""

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

    @property
    def are_shown(self) -> bool:
        """True where words are shown while they are spoken."""
        return self._live is not None

    def remember(self, chunk: AudioChunk) -> None:
        """Remember a chunk of audio."""
        self._reader.remember(chunk)
        if self._live is not None:
            self._live.remember(chunk)

    def read_on(self, chunk: EncodedChunk) -> Iterator[PartialTranscript | FinalTranscript]:
        """Yield what is read of the speech that goes on, and the finals of what silence ended."""
        live = self._live
        if live is None:
            return
        place: dict[str, Any] = {'lane': self._lane, 'stamp_ns': chunk.end_ns,
                                 'epoch': chunk.epoch, 'seq': chunk.seq}
        over = live.hear(chunk.stamp_ns)
        if live.due:
            try:
                shown = live.read()
            except Exception:  # the final is still to come
                _LOG.exception('reading speech that goes on failed')
                shown = None
            if shown is not None:
                yield PartialTranscript(**place, **vars(shown))
        for span in [*over, *live.end(), *(live.finish() if chunk.end_of_stream else [])]:
            yield self._finish(span, place)

    def _finish(self, span: OverSpan, place: dict[str, Any]) -> FinalTranscript:
        """Return the final of an utterance that was over before a lane answered it."""
        assert self.second_pass is not None, 'words are shown by the second pass'
        try:
            final = finish_span(span, self._reader, self.second_pass)
        except Exception:  # what was shown must come to an end
            _LOG.exception('second pass failed, an utterance has no text')
            final = nobody(Draft(text='', confidence=0.0, start_ns=span.start_ns,
                                 end_ns=span.end_ns))
        return _final_event(final, reply_id=span.utterance_id, utterance_id=span.utterance_id,
                            streamed_text='', ended_by=span.ended_by, **place)

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


def _make_draft(reply: ReplyFinished) -> Draft:
    return Draft(text=reply.text, confidence=reply.confidence, start_ns=reply.start_ns,
                 end_ns=reply.end_ns)


def _final_event(final: FinalText, **event: Any) -> FinalTranscript:
    return FinalTranscript(
        text=final.text, language=final.language, source=final.source,
        confidence=final.confidence, start_ns=final.start_ns, end_ns=final.end_ns,
        words=final.words, **event)
