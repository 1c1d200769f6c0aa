"""
What is said as messages of this package, and back: transcripts, translations and replies.

Owns which field goes where. Knows no topics and no nodes.
"""

from collections.abc import Sequence
from typing import Any

from audio_interaction_msgs import msg
from audio_interaction_ros.nodes.io.stamps import header_message, stamp_ns, time_message
from audio_interaction_ros.stream.events import (
    AnswerText,
    FinalReply,
    FinalTranscript,
    FinalTranslation,
    PartialTranscript,
    PartialTranslation,
    ReplyFinished,
)
from audio_interaction_ros.stream.final_text import FinalText
from audio_interaction_ros.stream.spoken_word import SpokenWord, WordsShown
from audio_interaction_ros.stream.text_lane import RecognisedSpeech

__all__ = ['answer_message', 'final_transcript', 'partial_message', 'partial_transcript',
           'put_final', 'put_recognised', 'recognised_of', 'taken_back', 'translation_message',
           'words_transcript']


def put_recognised(message: Any, said: RecognisedSpeech) -> None:
    """Put what a second pass heard into the draft of a Translation, for the decoder node."""
    message.source_text, message.source_language = said.text, said.language
    if said.english is not None:
        message.text, message.language = said.english, 'en'
    message.source = 'second_pass' if said.text or said.nobody else 'streamed'
    message.word_confidence = said.confidence
    if said.start_ns is not None and said.end_ns is not None:
        _put_span(message, said.start_ns, said.end_ns)


def recognised_of(message: Any) -> RecognisedSpeech:
    """Return what ``put_recognised`` put into a Translation, with the times that it has now."""
    return RecognisedSpeech(
        text=message.source_text, language=message.source_language,
        english=message.text if message.language else None, confidence=message.word_confidence,
        nobody=message.source == 'second_pass' and not message.source_text,
        start_ns=stamp_ns(message.start), end_ns=stamp_ns(message.end))


def put_final(message: Any, final: FinalText) -> None:
    """Put what became of an utterance into its Transcript."""
    message.text, message.language = final.text, final.language
    message.source, message.word_confidence = final.source, final.confidence
    _put_span(message, final.start_ns, final.end_ns)
    _put_words(message, final.words)


def partial_message(shown: WordsShown) -> msg.Transcript:
    """Return what was read so far of an utterance that goes on as a Transcript."""
    nan = float('nan')
    message = msg.Transcript(
        utterance_id=shown.utterance_id, revision=shown.revision, text=shown.text,
        stable_length=shown.stable_length, language=shown.language, source='partial',
        confidence=nan, word_confidence=nan, encode_latency_s=nan, decode_latency_s=nan,
        bearing=nan)
    _put_span(message, shown.start_ns, shown.end_ns)
    _put_words(message, shown.words)
    return message


def taken_back(shown: Any) -> msg.Transcript:
    """Return the final without text that ends an utterance of which this was shown last."""
    nan = float('nan')
    return msg.Transcript(
        header=shown.header, utterance_id=shown.utterance_id, is_final=True,
        revision=shown.revision + 1, source='second_pass', start=shown.start, end=shown.end,
        ended_by='reset', confidence=nan, word_confidence=nan, encode_latency_s=nan,
        decode_latency_s=nan, bearing=nan)


def final_transcript(message: Any, reply: ReplyFinished) -> FinalTranscript:
    """Return what a final Transcript says of the reply of a lane that it came of."""
    return FinalTranscript(
        lane=reply.lane, stamp_ns=reply.stamp_ns, epoch=reply.epoch, seq=reply.seq,
        reply_id=reply.reply_id, utterance_id=message.utterance_id, text=message.text,
        language=message.language, source=message.source, confidence=message.word_confidence,
        streamed_text=reply.text, start_ns=stamp_ns(message.start), end_ns=stamp_ns(message.end),
        ended_by=message.ended_by)


def words_transcript(message: Any, lane: str) -> FinalTranscript:
    """Return what a final Transcript says that silence ended, before a lane had answered it."""
    end_ns = stamp_ns(message.end)
    return FinalTranscript(
        lane=lane, stamp_ns=end_ns, epoch=0, seq=0, reply_id=message.utterance_id,
        text=message.text, language=message.language, source=message.source,
        confidence=message.word_confidence, streamed_text='',
        start_ns=stamp_ns(message.start), end_ns=end_ns, utterance_id=message.utterance_id,
        ended_by=message.ended_by)


def partial_transcript(message: Any) -> PartialTranscript:
    """Return what a Transcript of speech that goes on says; without its words one by one."""
    end_ns = stamp_ns(message.end)
    return PartialTranscript(
        lane='transcript', stamp_ns=end_ns, epoch=0, seq=0, utterance_id=message.utterance_id,
        revision=message.revision, text=message.text, stable_length=message.stable_length,
        words=(), language=message.language, start_ns=stamp_ns(message.start), end_ns=end_ns)


def answer_message(event: AnswerText | FinalReply, *, frame_id: str,
                   first_text_s: float) -> msg.Reply:
    """Return an answer to words, growing or final; ``first_text_s`` after it was decided."""
    message = msg.Reply(
        header=header_message(event.stamp_ns, frame_id), reply_id=event.reply_id,
        revision=event.revision, text=event.text, first_text_latency_s=first_text_s,
        source_text=event.source_text, transcript_utterance_id=event.transcript_id)
    if isinstance(event, AnswerText):
        message.delta = event.delta
        return message
    message.is_final, message.finish_reason = True, event.reason
    message.delta = '' if event.revision else event.text
    message.emotion, message.intent = int(event.emotion), event.intent
    message.intent_confidence = event.intent_confidence
    message.slot_names, message.slot_values = list(event.slots), list(event.slots.values())
    return message


def translation_message(event: PartialTranslation | FinalTranslation, *,
                        frame_id: str) -> msg.Translation:
    """Return the translation of words that were read, growing or final, as a Translation."""
    nan = float('nan')
    message = msg.Translation(
        text=event.text, language=event.language, source_text=event.source_text,
        source_language=event.source_language, confidence=nan, word_confidence=nan,
        encode_latency_s=nan, decode_latency_s=nan)
    if isinstance(event, FinalTranslation):
        message.utterance_id, message.is_final = event.reply_id, True
        message.stable_length, message.word_confidence = len(event.text), event.confidence
    else:
        message.utterance_id, message.stable_length = event.utterance_id, event.stable_length
    message.revision, message.source = event.revision, 'second_pass'
    message.transcript_utterance_id = message.utterance_id
    _put_span(message, event.start_ns, event.end_ns)
    message.header.frame_id = frame_id
    return message


def _put_words(message: Any, words: Sequence[SpokenWord]) -> None:
    message.words = [word.text for word in words]
    message.word_starts = [time_message(word.start_ns) for word in words]
    message.word_ends = [time_message(word.end_ns) for word in words]
    message.word_confidences = [word.confidence for word in words]


def _put_span(message: Any, start_ns: int, end_ns: int) -> None:
    message.header.stamp = message.start = time_message(start_ns)
    message.end = time_message(end_ns)
