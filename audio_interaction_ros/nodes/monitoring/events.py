"""
Messages of the assistant as events of the page: plain values, times in seconds, NaN as None.

Owns which field goes where. Knows neither nodes nor pages.
"""

import math
from typing import Any

from audio_interaction_msgs.msg import SoundEvent
from audio_interaction_ros.alerts.alert import AlertState, Severity
from audio_interaction_ros.nodes.io.stamps import stamp_ns

__all__ = ['alert_event', 'decision_event', 'number_or_none', 'scores_event', 'seconds_of',
           'sound_event', 'text_event']


def number_or_none(value: float, digits: int = 3) -> float | None:
    """Return a number that JSON can hold, rounded; None for what is none."""
    return round(value, digits) if math.isfinite(value) else None


def seconds_of(stamp: Any) -> float:
    """Return a stamp in seconds."""
    return round(stamp_ns(stamp) / 1e9, 3)


def text_event(kind: str, message: Any) -> dict[str, Any]:
    """Return a transcript, translation or reply."""
    told = {'kind': kind, 'text': message.text, 'final': message.is_final}
    if kind == 'reply':
        answered = message.transcript_utterance_id  # ids of answers to words may be the same
        return {**told, 'key': f'reply:{message.reply_id}:{answered}', 'stable': len(message.text),
                'at': seconds_of(message.header.stamp), 'language': '', 'source': '',
                'origin': message.source_text, 'intent': message.intent,
                'slots': [list(pair) for pair in zip(message.slot_names, message.slot_values,
                                                     strict=False)]}
    return {**told, 'key': f'{kind}:{message.utterance_id}', 'stable': message.stable_length,
            'from': seconds_of(message.start), 'at': seconds_of(message.end),
            'language': message.language,
            'source': message.source, 'sure': number_or_none(message.word_confidence),
            'origin': message.source_text if kind == 'translation' else '',
            'bearing': number_or_none(getattr(message, 'bearing', math.nan))}


def sound_event(message: Any) -> dict[str, Any]:
    """Return that a sound began or ended."""
    return {'sound': message.sound, 'began': message.state == SoundEvent.STARTED,
            'score': number_or_none(message.score), 'threshold': number_or_none(message.threshold),
            'onset': seconds_of(message.onset), 'offset': seconds_of(message.offset),
            'bearing': number_or_none(message.bearing)}


def scores_event(message: Any) -> dict[str, Any]:
    """Return what a chunk sounds like."""
    return {'at': seconds_of(message.header.stamp), 'rows': [
        [name, number_or_none(score), number_or_none(threshold)] for name, score, threshold
        in zip(message.sounds, message.scores, message.thresholds, strict=False)]}


def decision_event(message: Any) -> dict[str, Any]:
    """Return what a lane decided on a chunk."""
    return {'lane': message.lane, 'at': seconds_of(message.header.stamp),
            'p': number_or_none(message.p_respond), 'respond': message.respond,
            'depth': message.queue_depth, 'latency': number_or_none(message.decision_latency_s)}


def alert_event(message: Any) -> dict[str, Any]:
    """Return an alert as it is now."""
    return {'key': message.id, 'label': message.label, 'message': message.message,
            'severity': Severity(message.severity).name,
            'state': AlertState(message.state).name.lower(), 'count': message.count,
            'onset': seconds_of(message.header.stamp), 'seen': seconds_of(message.last_seen),
            'evidence': message.evidence, 'score': number_or_none(message.score),
            'threshold': number_or_none(message.threshold),
            'bearing': number_or_none(message.bearing)}
