"""
Configuration: frozen dataclasses with help under each field, and what fits them.

Knows neither ROS nor models. Nodes declare their parameters from these classes, so a field's
help is written once. Whoever needs a class takes it from here; each group has a room of its own.
"""

from audio_interaction_ros.config.alerts import AlertsConfig, SoundsConfig
from audio_interaction_ros.config.answers import (
    OWN_MODEL,
    REPLY_PROMPT,
    AddressConfig,
    IntentsConfig,
    ReplyConfig,
    split_list,
)
from audio_interaction_ros.config.assistant import AssistantConfig
from audio_interaction_ros.config.checks import RANGES
from audio_interaction_ros.config.field_help import FieldHelp, fields_with_help
from audio_interaction_ros.config.hearing import (
    DRAIN_LAYOUTS,
    OVERFLOW_POLICIES,
    AudioConfig,
    DirectionConfig,
    FifoConfig,
    RecordConfig,
)
from audio_interaction_ros.config.lanes import LaneConfig, LaneDefaults, resolve_lanes
from audio_interaction_ros.config.model import ROPE_INDEX_DTYPES, ModelConfig
from audio_interaction_ros.config.outlets import SPEECH_ENGINES, MonitorConfig, SpeechConfig
from audio_interaction_ros.config.words import TranscriptConfig, TranslationConfig

__all__ = [
    'AddressConfig', 'AlertsConfig', 'AssistantConfig', 'AudioConfig', 'DRAIN_LAYOUTS',
    'DirectionConfig', 'FieldHelp', 'FifoConfig', 'IntentsConfig', 'LaneConfig', 'LaneDefaults',
    'ModelConfig', 'MonitorConfig', 'OVERFLOW_POLICIES', 'OWN_MODEL', 'RANGES', 'REPLY_PROMPT',
    'ROPE_INDEX_DTYPES', 'RecordConfig', 'ReplyConfig', 'SPEECH_ENGINES', 'SoundsConfig',
    'SpeechConfig', 'TranscriptConfig', 'TranslationConfig', 'fields_with_help', 'resolve_lanes',
    'split_list',
]
