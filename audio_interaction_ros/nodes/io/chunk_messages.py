"""
Encoded chunks and decisions as messages of this package, and chunks back.

Owns which field goes where. Knows no topics and no nodes.
"""

import array
import math
from typing import Any

import numpy as np

from audio_interaction_msgs import msg
from audio_interaction_ros.errors import AudioFormatError
from audio_interaction_ros.nodes.io.stamps import (
    duration_message,
    duration_ns,
    header_message,
    stamp_ns,
)
from audio_interaction_ros.stream.chunk import EncodedChunk, SoundScores
from audio_interaction_ros.stream.events import ReplyStarted, Silence

__all__ = ['chunk_from_message', 'chunk_message', 'decision_message']

_WIRE_DTYPE = 'float32'  # exact: the nodes decide what the offline command decides


def chunk_message(chunk: EncodedChunk, *, frame_id: str) -> msg.EncodedChunk:
    """Return an encoded chunk as a message."""
    kind = msg.EncodedChunk
    flags = (kind.SILENCE * chunk.quiet | kind.DISCONTINUITY * chunk.discontinuity
             | kind.ROBOT_SPEAKING * chunk.robot_speaking
             | kind.END_OF_STREAM * chunk.end_of_stream)
    return kind(
        header=header_message(chunk.stamp_ns, frame_id), epoch=chunk.epoch, seq=chunk.seq,
        duration=duration_message(chunk.duration_ns),
        lost_samples_before=min(chunk.lost_samples_before, 2 ** 32 - 1), flags=flags,
        rms_dbfs=chunk.rms_dbfs, model_id=chunk.model_id, dtype=_WIRE_DTYPE,
        shape=list(chunk.features.shape),
        data=array.array('B', chunk.features.astype(_WIRE_DTYPE).tobytes()),
        sound_names=list(chunk.sounds.names), sound_scores=chunk.sounds.scores.tolist())


def chunk_from_message(message: Any) -> EncodedChunk:
    """Return the chunk of a message; raises AudioFormatError for one that is damaged."""
    flags = message.flags
    return EncodedChunk(
        features=_read_features(message), stamp_ns=stamp_ns(message.header.stamp),
        epoch=message.epoch, seq=message.seq, model_id=message.model_id,
        duration_ns=duration_ns(message.duration),
        rms_dbfs=message.rms_dbfs, lost_samples_before=message.lost_samples_before,
        quiet=bool(flags & message.SILENCE),
        discontinuity=bool(flags & message.DISCONTINUITY),
        robot_speaking=bool(flags & message.ROBOT_SPEAKING),
        end_of_stream=bool(flags & message.END_OF_STREAM),
        sounds=_read_sounds(message))


def _read_features(message: Any) -> np.ndarray:
    """Return features [features, width], float32."""
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
    return np.frombuffer(message.data, message.dtype).reshape(shape).astype(np.float32)


def _read_sounds(message: Any) -> SoundScores:
    if len(message.sound_names) != len(message.sound_scores):
        raise AudioFormatError(
            f'Expected a score for each of {len(message.sound_names)} sounds, got '
            f'{len(message.sound_scores)}; the publisher of encoded must be an encoder_node')
    scores = np.array(message.sound_scores, np.float32)
    if not ((scores >= 0) & (scores <= 1)).all():  # NaN is neither
        raise AudioFormatError(
            f'Expected scores of sounds from 0 to 1, got {scores.min()} to {scores.max()}; the '
            f'publisher of encoded must be an encoder_node')
    return SoundScores(names=tuple(message.sound_names), scores=scores)


def decision_message(event: Silence | ReplyStarted, *, frame_id: str, queue_depth: int,
                     latency_s: float) -> msg.Decision:
    """Return the decision that an event stands for."""
    return msg.Decision(
        header=header_message(event.stamp_ns, frame_id), epoch=event.epoch, seq=event.seq,
        lane=event.lane, respond=isinstance(event, ReplyStarted) and not event.robot_speaking,
        p_respond=event.p_respond, queue_depth=queue_depth, decision_latency_s=latency_s)
