"""
Sounds and alerts as messages of this package.

Owns which field goes where. Knows no topics and no nodes.
"""

import math
from collections.abc import Mapping

from audio_interaction_msgs import msg
from audio_interaction_ros.alerts.alert import Alert
from audio_interaction_ros.nodes.io.stamps import (
    duration_message,
    header_message,
    time_message,
)
from audio_interaction_ros.stream.chunk import EncodedChunk
from audio_interaction_ros.stream.events import SoundEnded
from audio_interaction_ros.stream.sound_events import SoundEvent, list_likeliest

__all__ = ['alert_message', 'sound_event_message', 'sound_scores_message']

_UNREACHABLE = 2.0
"""Threshold of a sound that no rule asks for."""


def alert_message(alert: Alert, *, frame_id: str, bearing: float = math.nan) -> msg.Alert:
    """Return an alert as a message; ``bearing`` in radians in ``frame_id``."""
    return msg.Alert(
        header=header_message(alert.stamp_ns, frame_id), id=alert.id,
        severity=int(alert.severity), category=int(alert.category),
        state=int(alert.state), label=alert.label, message=alert.message,
        confidence=alert.confidence, count=alert.count,
        last_seen=time_message(alert.last_seen_ns), ttl=duration_message(alert.ttl_ns),
        requires_ack=alert.requires_ack, evidence=alert.evidence, sound=alert.sound,
        score=alert.score, threshold=alert.threshold, bearing=bearing)


def sound_event_message(event: SoundEvent, *, frame_id: str,
                        bearing: float = math.nan) -> msg.SoundEvent:
    """Return that a sound began or ended; ``bearing`` in radians in ``frame_id``."""
    kind = msg.SoundEvent
    offset_ns = event.offset_ns if isinstance(event, SoundEnded) else event.onset_ns
    return kind(
        header=header_message(event.onset_ns, frame_id), epoch=event.epoch, seq=event.seq,
        sound=event.sound, score=event.score,
        state=kind.ENDED if isinstance(event, SoundEnded) else kind.STARTED,
        threshold=event.threshold, onset=time_message(event.onset_ns),
        offset=time_message(offset_ns), bearing=bearing)


def sound_scores_message(chunk: EncodedChunk, *, frame_id: str, top: int,
                         thresholds: Mapping[str, float]) -> msg.SoundScores:
    """Return the likeliest ``top`` sounds of a chunk, each with the threshold of its rule."""
    likeliest = list_likeliest(chunk.sounds, top)
    return msg.SoundScores(
        header=header_message(chunk.stamp_ns, frame_id), epoch=chunk.epoch, seq=chunk.seq,
        rms_dbfs=chunk.rms_dbfs,
        sounds=[name for name, _ in likeliest], scores=[score for _, score in likeliest],
        thresholds=[thresholds.get(name, _UNREACHABLE) for name, _ in likeliest])
