"""
Which values are refused, and how that is said.

Owns the ranges of numbers. Knows no group of parameters but by name.
"""

import dataclasses
from pathlib import Path
from typing import Any

from audio_interaction_ros.errors import ConfigurationError

__all__ = ['RANGES', 'check_ranges', 'find_home', 'require']

RANGES: dict[str, tuple[float, float]] = {
    'audio.channel_select': (-1, 255), 'audio.sample_rate_hz': (1_000, 768_000),
    'audio.gap_tolerance_ms': (1.0, 10_000.0), 'audio.quiet_below_dbfs': (-200.0, 0.0),
    'audio.mute_holdoff_ms': (0.0, 60_000.0),
    'audio.silence_warning_s': (0.4, 86_400.0), 'audio.idle_flush_s': (0.0, 3_600.0),
    'audio.robot_speaking_timeout_s': (0.0, 86_400.0), 'audio.echo_lead_ms': (0.0, 300.0),
    'fifo.capacity': (1, 1000), 'fifo.credit_timeout_s': (0.5, 3_600.0),
    'model.threads': (1, 256), 'model.slots': (128, 1_000_000),
    'transcript.buffer_s': (0.4, 600.0), 'transcript.partial_ms': (0.0, 60_000.0),
    'transcript.end_silence_ms': (300.0, 60_000.0), 'transcript.end_sure_ms': (200.0, 60_000.0),
    'transcript.end_unfinished_ms': (300.0, 60_000.0), 'transcript.end_threshold': (0.0, 1.0),
    'alerts.event_min_severity': (0, 3), 'alerts.hold_min_severity': (0, 3),
    'alerts.while_speaking_min_severity': (0, 4),
    'alerts.journal_s': (0.0, 31_536_000.0),
    'sounds.top': (0, 1000),
    'reply.max_tokens': (4, 400), 'reply.history': (0, 16),
    'reply.min_word_confidence': (0.0, 1.0), 'intents.min_confidence': (0.0, 1.0),
    'assistant.window_s': (0.0, 3_600.0),
    'direction.turn_rad': (-6.2832, 6.2832), 'direction.keep_s': (1.0, 600.0),
    'monitor.port': (0, 65_535), 'monitor.clients': (1, 64),
    'record.retention_s': (1.0, 31_536_000.0),
    'speech.speed': (0.5, 2.0), 'speech.volume_db': (-60.0, 20.0),
    'speech.rate_hz': (0, 192_000), 'speech.queue': (1, 1000),
    'speech.alerts_min_severity': (0, 3), 'speech.repeat_s': (0.0, 86_400.0),
    'speech.duck_db': (0.0, 60.0),
    'lane.threshold': (0.0, 1.0), 'lane.min_confidence': (-1.0, 1.0),
    'lane.release': (0.0, 1.0),
    'lane.refractory_s': (0.0, 86_400.0), 'lane.max_reply_tokens': (1, 100_000),
    'lane.slots': (0, 1_000_000),
}
"""Lowest and highest value of numbers that have one, by parameter."""


def require(condition: bool, key: str, expected: str, found: object) -> None:
    if not condition:
        raise ConfigurationError(
            f'{key}: expected {expected}, found {found!r}; change it in the configuration')


def check_ranges(config: Any, group: str, name: str = '') -> None:
    """Refuse numbers out of RANGES, as ROS does for parameters."""
    for item in dataclasses.fields(config):
        if f'{group}.{item.name}' in RANGES:
            (low, high), value = RANGES[f'{group}.{item.name}'], getattr(config, item.name)
            require(low <= value <= high, f'{name or group}.{item.name}',
                     f'{low:g} to {high:g}', value)


def find_home(config: object, name: str) -> None:
    """Write out a ~ at the start of a path."""
    path = getattr(config, name)
    if path.startswith('~'):
        try:
            object.__setattr__(config, name, str(Path(path).expanduser()))
        except RuntimeError as error:
            raise ConfigurationError(f'{name}: expected a path, found {path!r}: {error}; change '
                                     'it in the configuration') from error
