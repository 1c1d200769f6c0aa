"""
The records of the core as messages of this package, and back.

Owns which field goes where. Knows no topics and no nodes.
"""

import array
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from builtin_interfaces.msg import Duration, Time

from audio_interaction_msgs import msg
from audio_interaction_ros.alerts.alert import Alert
from audio_interaction_ros.audio.block import AudioBlock
from audio_interaction_ros.errors import AudioFormatError
from audio_interaction_ros.nodes.io.audio_messages import stamp_ns
from audio_interaction_ros.stream.chunk import EncodedChunk, SoundScores
from audio_interaction_ros.stream.events import (
    AnswerText,
    FinalReply,
    FinalTranscript,
    FinalTranslation,
    PartialTranscript,
    PartialTranslation,
    ReplyFinished,
    ReplyStarted,
    Silence,
    SoundEnded,
)
from audio_interaction_ros.stream.final_text import FinalText
from audio_interaction_ros.stream.sound_events import SoundEvent, list_likeliest
from audio_interaction_ros.stream.spoken_word import SpokenWord, WordsShown
from audio_interaction_ros.stream.text_lane import RecognisedSpeech

__all__ = ['alert_message', 'audio_message', 'chunk_from_message', 'chunk_message',
           'decision_message', 'duration_message', 'final_transcript', 'partial_message',
           'partial_transcript', 'put_final',
           'put_recognised', 'recognised_of', 'sound_event_message', 'sound_scores_message',
           'text_reply_message', 'time_message', 'translation_message', 'words_transcript']

_NS = 1_000_000_000
_LAST_NS = 2 ** 31 * _NS - 1
_UNREACHABLE = 2.0
"""Threshold of a sound that no rule asks for."""
_WIRE_DTYPE = 'float32'  # exact: the nodes decide what the offline command decides


def time_message(nanoseconds: int) -> Time:
    """Return nanoseconds as builtin_interfaces/Time, or the nearest between 1970 and 2038."""
    held = min(max(nanoseconds, 0), _LAST_NS)
    return Time(sec=held // _NS, nanosec=held % _NS)


def duration_message(nanoseconds: int) -> Duration:
    """Return nanoseconds as builtin_interfaces/Duration."""
    return Duration(sec=nanoseconds // _NS, nanosec=nanoseconds % _NS)


def _to_array(values: np.ndarray) -> 'array.array[int]':
    data = array.array('B')
    data.frombytes(np.ascontiguousarray(values).data.cast('B'))
    return data


def audio_message(block: AudioBlock, *, seq: int, frame_id: str) -> msg.AudioChunk:
    """Return a block of signed or float samples [frames] or [frames, channels] as a message."""
    samples = block.samples if block.samples.ndim == 2 else block.samples[:, None]
    if samples.dtype.kind == 'i' and samples.dtype != np.int16:  # no encoding of the message
        samples = samples / -float(np.iinfo(samples.dtype).min)
    encoding = 's16le' if samples.dtype == np.int16 else 'f32le'
    frames, channels = samples.shape
    message = msg.AudioChunk(
        encoding=encoding, sample_rate=block.sample_rate_hz, channels=channels, frames=frames,
        seq=seq, data=_to_array(samples.astype('<i2' if encoding == 's16le' else '<f4')))
    message.header.stamp = time_message(block.stamp_ns or 0)
    message.header.frame_id = frame_id
    return message


def chunk_message(chunk: EncodedChunk, *, frame_id: str) -> msg.EncodedChunk:
    """Return an encoded chunk as a message."""
    kind = msg.EncodedChunk
    flags = (kind.SILENCE * chunk.quiet | kind.DISCONTINUITY * chunk.discontinuity
             | kind.ROBOT_SPEAKING * chunk.robot_speaking
             | kind.END_OF_STREAM * chunk.end_of_stream)
    message = kind(
        epoch=chunk.epoch, seq=chunk.seq, duration=duration_message(chunk.duration_ns),
        lost_samples_before=min(chunk.lost_samples_before, 2 ** 32 - 1), flags=flags,
        rms_dbfs=chunk.rms_dbfs, model_id=chunk.model_id, dtype=_WIRE_DTYPE,
        shape=list(chunk.features.shape), data=_to_array(chunk.features.astype(_WIRE_DTYPE)),
        sound_names=list(chunk.sounds.names), sound_scores=chunk.sounds.scores.tolist())
    message.header.stamp = time_message(chunk.stamp_ns)
    message.header.frame_id = frame_id
    return message


def chunk_from_message(message: Any) -> EncodedChunk:
    """Return the chunk of a message; raises AudioFormatError for one that is damaged."""
    shape = tuple(message.shape)
    if message.dtype not in ('float16', 'float32') or len(shape) != 2:
        raise AudioFormatError(
            f'Expected encoded features [features, width] of float16 or float32, got '
            f'{list(shape)} of {message.dtype!r}; the publisher of encoded must be an '
            f'encoder_node')
    expected = math.prod(shape) * np.dtype(message.dtype).itemsize
    if len(message.data) != expected:
        raise AudioFormatError(
            f'Expected {expected} bytes for features of shape {list(shape)}, got '
            f'{len(message.data)}; the publisher of encoded must be an encoder_node')
    if len(message.sound_names) != len(message.sound_scores):
        raise AudioFormatError(
            f'Expected a score for each of {len(message.sound_names)} sounds, got '
            f'{len(message.sound_scores)}; the publisher of encoded must be an encoder_node')
    scores = np.array(message.sound_scores, np.float32)
    if not ((scores >= 0) & (scores <= 1)).all():  # NaN is neither
        raise AudioFormatError(
            f'Expected scores of sounds from 0 to 1, got {scores.min()} to {scores.max()}; the '
            f'publisher of encoded must be an encoder_node')
    features = np.frombuffer(message.data, message.dtype).reshape(shape).astype(np.float32)
    flags = message.flags
    return EncodedChunk(
        features=features, stamp_ns=stamp_ns(message.header.stamp), epoch=message.epoch,
        seq=message.seq, model_id=message.model_id,
        duration_ns=message.duration.sec * _NS + message.duration.nanosec,
        rms_dbfs=message.rms_dbfs, lost_samples_before=message.lost_samples_before,
        quiet=bool(flags & message.SILENCE),
        discontinuity=bool(flags & message.DISCONTINUITY),
        robot_speaking=bool(flags & message.ROBOT_SPEAKING),
        end_of_stream=bool(flags & message.END_OF_STREAM),
        sounds=SoundScores(names=tuple(message.sound_names), scores=scores))


def decision_message(event: Silence | ReplyStarted, *, frame_id: str, queue_depth: int,
                     latency_s: float) -> msg.Decision:
    """Return the decision that an event stands for."""
    message = msg.Decision(
        epoch=event.epoch, seq=event.seq, lane=event.lane,
        respond=isinstance(event, ReplyStarted) and not event.robot_speaking,
        p_respond=event.p_respond,
        queue_depth=queue_depth, decision_latency_s=latency_s)
    message.header.stamp = time_message(event.stamp_ns)
    message.header.frame_id = frame_id
    return message


def put_recognised(message: Any, said: RecognisedSpeech) -> None:
    """Put what a second pass heard into the draft of a Translation, for the decoder node."""
    message.source_text, message.source_language = said.text, said.language
    if said.english is not None:
        message.text, message.language = said.english, 'en'
    message.source = 'second_pass' if said.text or said.nobody else 'streamed'
    message.word_confidence = said.confidence
    if said.start_ns is not None and said.end_ns is not None:
        _put_span(message, said.start_ns, said.end_ns)


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


def _put_words(message: Any, words: Sequence[SpokenWord]) -> None:
    message.words = [word.text for word in words]
    message.word_starts = [time_message(word.start_ns) for word in words]
    message.word_ends = [time_message(word.end_ns) for word in words]
    message.word_confidences = [word.confidence for word in words]


def _put_span(message: Any, start_ns: int, end_ns: int) -> None:
    message.header.stamp = message.start = time_message(start_ns)
    message.end = time_message(end_ns)


def recognised_of(message: Any) -> RecognisedSpeech:
    """Return what ``put_recognised`` put into a Translation, with the times that it has now."""
    return RecognisedSpeech(
        text=message.source_text, language=message.source_language,
        english=message.text if message.language else None, confidence=message.word_confidence,
        nobody=message.source == 'second_pass' and not message.source_text,
        start_ns=stamp_ns(message.start), end_ns=stamp_ns(message.end))


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


def text_reply_message(event: AnswerText | FinalReply, *, frame_id: str,
                       first_text_s: float) -> msg.Reply:
    """Return an answer of a text model, growing or final, as a Reply."""
    final = isinstance(event, FinalReply)
    message = msg.Reply(
        reply_id=event.reply_id, revision=event.revision, text=event.text,
        delta='' if isinstance(event, FinalReply) else event.delta, is_final=final,
        finish_reason=event.reason if isinstance(event, FinalReply) else '',
        first_text_latency_s=first_text_s, source_text=event.source_text,
        transcript_utterance_id=event.transcript_id)
    message.header.stamp = time_message(event.stamp_ns)
    message.header.frame_id = frame_id
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


def alert_message(alert: Alert, *, frame_id: str, bearing: float = math.nan) -> msg.Alert:
    """Return an alert as a message; ``bearing`` in radians in ``frame_id``."""
    message = msg.Alert(
        id=alert.id, severity=int(alert.severity), category=int(alert.category),
        state=int(alert.state), label=alert.label, message=alert.message,
        confidence=alert.confidence, count=alert.count,
        last_seen=time_message(alert.last_seen_ns), ttl=duration_message(alert.ttl_ns),
        requires_ack=alert.requires_ack, evidence=alert.evidence, sound=alert.sound,
        score=alert.score, threshold=alert.threshold, bearing=bearing)
    message.header.stamp = time_message(alert.stamp_ns)
    message.header.frame_id = frame_id
    return message


def sound_event_message(event: SoundEvent, *, frame_id: str,
                        bearing: float = math.nan) -> msg.SoundEvent:
    """Return that a sound began or ended; ``bearing`` in radians in ``frame_id``."""
    kind = msg.SoundEvent
    offset_ns = event.offset_ns if isinstance(event, SoundEnded) else event.onset_ns
    message = kind(
        epoch=event.epoch, seq=event.seq, sound=event.sound, score=event.score,
        state=kind.ENDED if isinstance(event, SoundEnded) else kind.STARTED,
        threshold=event.threshold, onset=time_message(event.onset_ns),
        offset=time_message(offset_ns), bearing=bearing)
    message.header.stamp = time_message(event.onset_ns)
    message.header.frame_id = frame_id
    return message


def sound_scores_message(chunk: EncodedChunk, *, frame_id: str, top: int,
                         thresholds: Mapping[str, float]) -> msg.SoundScores:
    """Return the likeliest ``top`` sounds of a chunk, each with the threshold of its rule."""
    likeliest = list_likeliest(chunk.sounds, top)
    message = msg.SoundScores(
        epoch=chunk.epoch, seq=chunk.seq, rms_dbfs=chunk.rms_dbfs,
        sounds=[name for name, _ in likeliest], scores=[score for _, score in likeliest],
        thresholds=[thresholds.get(name, _UNREACHABLE) for name, _ in likeliest])
    message.header.stamp = time_message(chunk.stamp_ns)
    message.header.frame_id = frame_id
    return message
