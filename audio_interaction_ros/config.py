"""
Configuration: frozen dataclasses with help under each field, and what fits them.

Knows neither ROS nor models. Nodes declare their parameters from these classes, so a field's
help is written once.
"""

import ast
import dataclasses
import inspect
import textwrap
import typing
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from audio_interaction_ros.errors import ConfigurationError
from audio_interaction_ros.reading import SPOKEN_LANGUAGES, ReaderChoice

__all__ = [
    'AddressConfig', 'AlertsConfig', 'AssistantConfig', 'AudioConfig', 'DirectionConfig',
    'FieldHelp', 'FifoConfig', 'IntentsConfig', 'LaneConfig', 'ModelConfig', 'MonitorConfig',
    'RANGES', 'RecordConfig', 'ReplyConfig', 'SoundsConfig', 'SpeechConfig', 'TranscriptConfig',
    'TranslationConfig', 'fields_with_help', 'resolve_lanes', 'split_list',
]

OVERFLOW_POLICIES = ('drop_oldest', 'drop_newest', 'merge_silence')
DRAIN_LAYOUTS = ('A_prime', 'A', 'B', 'C')
ROPE_INDEX_DTYPES = ('fp32', 'fp16_compat')
LANE_KINDS = ('transcript', 'translation', 'reply')
EVIDENCE = ('sounds', 'model', 'both')
LANGUAGES = ('en', 'zh')
REPLY_SOURCES = ('words', 'model')
TURN_ENDS = ('silence', 'smart')
REPLY_DTYPES = ('int8', 'int4', 'float32')
REPLY_PROMPT = ('You are a helpful robot. Answer in one short sentence, in the language of the '
                'question. You cannot do anything but talk.')
TRANSLATION_SOURCES = ('lane', 'words', 'reply_model')
DIRECTION_TYPES = ('geometry_msgs/msg/PoseStamped', 'geometry_msgs/msg/Vector3Stamped',
                   'std_msgs/msg/Float32')
ADDRESS_MODES = ('always', 'name', 'after_wake')
ECHO_CANCELLERS = ('none', 'webrtc', 'speex')
WHILE_SPEAKING = ('alerts', 'all')
SPEECH_ENGINES = ('hibari', 'espeak-ng', 'piper', 'kokoro', 'tones')
SPEECH_SOURCES = ('replies', 'alerts')
BARGE_IN_MODES = ('off', 'words', 'any')
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
    'lane.threshold': (0.0, 1.0), 'lane.min_confidence': (-1.0, 1.0),
    'lane.release': (0.0, 1.0),
    'lane.refractory_s': (0.0, 86_400.0), 'lane.max_reply_tokens': (1, 100_000),
    'lane.slots': (0, 1_000_000),
}
"""Lowest and highest value of numbers that have one, by parameter."""


def _require(condition: bool, key: str, expected: str, found: object) -> None:
    if not condition:
        raise ConfigurationError(
            f'{key}: expected {expected}, found {found!r}; change it in the configuration')


def _check_ranges(config: Any, group: str, name: str = '') -> None:
    """Refuse numbers out of RANGES, as ROS does for parameters."""
    for item in dataclasses.fields(config):
        if f'{group}.{item.name}' in RANGES:
            (low, high), value = RANGES[f'{group}.{item.name}'], getattr(config, item.name)
            _require(low <= value <= high, f'{name or group}.{item.name}',
                     f'{low:g} to {high:g}', value)


def _find_home(config: object, name: str) -> None:
    """Write out a ~ at the start of a path."""
    path = getattr(config, name)
    if path.startswith('~'):
        try:
            object.__setattr__(config, name, str(Path(path).expanduser()))
        except RuntimeError as error:
            raise ConfigurationError(f'{name}: expected a path, found {path!r}: {error}; change '
                                     'it in the configuration') from error


@dataclass(frozen=True, kw_only=True)
class AudioConfig:
    """What comes in from the audio topic."""

    msg_type: str = 'auto'
    """Type name of the audio messages; auto looks the topic up in the graph."""
    channel_select: int = -1
    """Channel to listen to, from 0; -1 mixes all channels."""
    sample_rate_hz: int = 16_000
    """Sample rate of message types that do not carry one."""
    gap_tolerance_ms: float = 60.0
    """Stamps may be off by this much before missing audio is assumed."""
    mute_holdoff_ms: float = 400.0
    """Replies stay suppressed for this long after the robot stopped speaking."""
    silence_warning_s: float = 10.0
    """Digital silence of this length is reported in diagnostics."""
    quiet_below_dbfs: float = -45.0
    """Softer chunks in which nothing stands out of the noise are not read; -200: all are."""
    idle_flush_s: float = 1.0
    """Without audio for this long the utterance is ended, as at the end of a file; 0: never."""
    robot_speaking_timeout_s: float = 30.0
    """robot_speaking that stays true for longer is not believed; 0: it always is."""
    info_topic: str = ''
    """Topic of AudioInfo (ros-drivers); empty: the name of the audio topic with _info."""
    echo: str = 'none'
    """Who takes the robot's own voice (speech/reference) out: webrtc, speex or none (voice.md)."""
    echo_lead_ms: float = 40.0
    """The reference is given so much early, for its stamps may be late by that."""
    while_speaking: str = 'all'
    """What counts while its own voice is taken out: all that is heard, or alerts as without."""

    def __post_init__(self) -> None:
        """Check ranges and names."""
        _check_ranges(self, 'audio')
        _require(self.echo in ECHO_CANCELLERS, 'audio.echo',
                 f'one of {", ".join(ECHO_CANCELLERS)}', self.echo)
        _require(self.while_speaking in WHILE_SPEAKING, 'audio.while_speaking',
                 ' or '.join(WHILE_SPEAKING), self.while_speaking)


@dataclass(frozen=True, kw_only=True)
class FifoConfig:
    """The bounded queue between encoder and decoder."""

    capacity: int = 32
    """Chunks of 0.4 s that the queue holds."""
    overflow: str = 'drop_oldest'
    """What goes when it is full: drop_oldest, drop_newest or merge_silence."""
    drain: str = 'A_prime'
    """How a backlog is read after a reply: A_prime, A, B or C (docs/protocol.md)."""
    credit_timeout_s: float = 2.0
    """Without credit for this long the decoder is treated as gone."""

    def __post_init__(self) -> None:
        """Check ranges and names."""
        _check_ranges(self, 'fifo')
        _require(self.overflow in OVERFLOW_POLICIES, 'fifo.overflow',
                 f'one of {", ".join(OVERFLOW_POLICIES)}', self.overflow)
        _require(self.drain in DRAIN_LAYOUTS, 'fifo.drain',
                 f'one of {", ".join(DRAIN_LAYOUTS)}', self.drain)


@dataclass(frozen=True, kw_only=True)
class LaneConfig:
    """One always-on instruction context over the stream."""

    name: str
    """Name of the lane, unique."""
    kind: str = 'reply'
    """Which message its replies become: transcript, translation or reply."""
    prompt: str = ''
    """System prompt of the lane; empty: the model's own prompt for a lane of this name."""
    threshold: float = 0.0
    """The lane responds when p_respond reaches this; 0: the model's own threshold."""
    min_confidence: float = 0.0
    """A reply of which the model is less sure is withheld; 0: the model's own, -1: none is."""
    release: float = 1.0
    """Hysteresis: after a reply p_respond must fall below this once before the next one."""
    refractory_s: float = 0.0
    """Seconds of audio after a reply in which the lane stays silent."""
    max_reply_tokens: int = 96
    """Token budget of one reply; the end is forced when it is used up."""
    slots: int = 0
    """Positions that this lane keeps, up to model.slots; 0: the model's own, else model.slots."""
    alerts: bool = False
    """True: replies of this lane may raise alerts."""

    def __post_init__(self) -> None:
        """Check ranges and names."""
        key = f'lane.{self.name}'
        _require(bool(self.name), 'lane.name', 'a name', self.name)
        _require(self.kind in LANE_KINDS, f'{key}.kind', f'one of {", ".join(LANE_KINDS)}',
                 self.kind)
        _check_ranges(self, 'lane', key)
        _require(self.min_confidence >= 0 or self.min_confidence == -1,
                 f'{key}.min_confidence', '0 to 1, or -1', self.min_confidence)
        _require(self.release > 0, f'{key}.release', 'above 0, up to 1', self.release)
        _require(self.slots == 0 or self.slots >= 128, f'{key}.slots', '0, or 128 or more',
                 self.slots)


@dataclass(frozen=True, kw_only=True)
class LaneDefaults:
    """What a model says of a lane that is called so, where the lane leaves it open."""

    prompt: str = ''
    """System prompt that the model was trained with."""
    threshold: float = 0.0
    """Decision threshold, from a validation split; 0: none was measured."""
    min_confidence: float = 0.0
    """Confidence below which a reply is withheld, from a validation split; 0: none is."""
    slots: int = 0
    """Positions that the lane keeps, where that is fewer than it could; 0: all."""


def resolve_lanes(lanes: Iterable[LaneConfig],
                  defaults: Mapping[str, LaneDefaults]) -> tuple[LaneConfig, ...]:
    """Fill in by lane name what a lane leaves to the model: prompt, threshold and so on."""
    return tuple(_resolve(lane, defaults.get(lane.name, LaneDefaults())) for lane in lanes)


def _resolve(lane: LaneConfig, default: LaneDefaults) -> LaneConfig:
    return dataclasses.replace(
        lane, prompt=lane.prompt or default.prompt,
        threshold=lane.threshold or default.threshold or 0.5,
        min_confidence=lane.min_confidence or default.min_confidence,
        slots=lane.slots or default.slots)


@dataclass(frozen=True, kw_only=True)
class ModelConfig:
    """Which model runs and where."""

    path: str = 'edge'
    """Folder or Hugging Face repository id of a checkpoint; edge: the shipped default."""
    runtime: str = 'onnx'
    """Backend that runs it: onnx (ONNX Runtime, on a CPU), tensorrt (NVIDIA GPUs) or torch."""
    device: str = 'cpu'
    """Device of the backend."""
    dtype: str = 'auto'
    """Arithmetic: auto, float32, int8 or int4 (onnx); auto, float32, bfloat16 or int8 (torch)."""
    threads: int = 2
    """CPU threads of the backend."""
    slots: int = 1024
    """Positions kept per lane: prompt, ring of recent audio, room for a reply."""
    rope_index_dtype: str = 'fp32'
    """Position index: fp32, or fp16_compat as the released code has it (docs/protocol.md)."""

    def __post_init__(self) -> None:
        """Check ranges."""
        _find_home(self, 'path')
        _check_ranges(self, 'model')
        _require(self.rope_index_dtype in ROPE_INDEX_DTYPES, 'model.rope_index_dtype',
                 f'one of {", ".join(ROPE_INDEX_DTYPES)}', self.rope_index_dtype)


@dataclass(frozen=True, kw_only=True)
class TranscriptConfig:
    """How final transcripts are made."""

    second_pass: str = 'none'
    """whisper: a finished utterance is read again, by transcript.reader; none: as streamed."""
    reader: str = 'whisper'
    """Who reads: whisper, or whisper, faster-whisper, sherpa-onnx or moonshine:FOLDER."""
    partials_reader: str = ''
    """Who reads words while they are spoken, written as transcript.reader; empty: the same."""
    hot_words: str = ''
    """Names that are said here, with commas between them, to be read more easily; or empty."""
    buffer_s: float = 30.0
    """Seconds of audio kept in memory for the second pass."""
    partial_ms: float = 800.0
    """With a second pass, speech is read so often while it goes on; 0: only when it is over."""
    end: str = 'silence'
    """What ends what partial_ms reads: silence, or smart: also how it was said (Smart Turn)."""
    end_silence_ms: float = 1000.0
    """So much silence ends an utterance."""
    end_sure_ms: float = 300.0
    """So much does, with smart, where voice and words both say that it is over."""
    end_unfinished_ms: float = 2000.0
    """So much does where the words say that more is to come: a number, or "and"."""
    end_threshold: float = 0.5
    """From this probability on Smart Turn takes a voice to be through."""
    language: str = 'auto'
    """Language that second passes and partials read: auto, or a code such as en, zh or de."""
    reader_ends: bool = False
    """True: a reader that knows when an utterance is over (sherpa-onnx) ends it too."""

    def __post_init__(self) -> None:
        """Check names and ranges."""
        _check_ranges(self, 'transcript')
        _require(self.end in TURN_ENDS, 'transcript.end', ' or '.join(TURN_ENDS), self.end)
        _require(self.end_sure_ms <= self.end_silence_ms <= self.end_unfinished_ms,
                 'transcript.end_silence_ms', 'no less than end_sure_ms and no more than '
                 'end_unfinished_ms', self.end_silence_ms)
        _require(self.language in ('auto', *SPOKEN_LANGUAGES), 'transcript.language',
                 f'auto or one of {", ".join(SPOKEN_LANGUAGES)}', self.language)
        ReaderChoice.parse(self.reader, 'transcript.reader')
        if self.partials_reader:
            ReaderChoice.parse(self.partials_reader, 'transcript.partials_reader')
        _require(self.second_pass in ('none', 'whisper'), 'transcript.second_pass',
                 'none or whisper', self.second_pass)


@dataclass(frozen=True, kw_only=True)
class TranslationConfig:
    """How final translations are made."""

    second_pass: str = 'none'
    """whisper: Whisper re-reads the utterance and its text is translated; none: as streamed."""
    to_english: str = 'whisper'
    """Who writes the English in a second pass: whisper, from the audio; model, from the text."""
    source: str = 'lane'
    """lane; words, which the model translates as they are read; reply_model: reply.model does."""

    def __post_init__(self) -> None:
        """Check names."""
        _require(self.second_pass in ('none', 'whisper'), 'translation.second_pass',
                 'none or whisper', self.second_pass)
        _require(self.to_english in ('whisper', 'model'), 'translation.to_english',
                 'whisper or model', self.to_english)
        _require(self.source in TRANSLATION_SOURCES, 'translation.source',
                 f'one of {", ".join(TRANSLATION_SOURCES)}', self.source)


@dataclass(frozen=True, kw_only=True)
class AlertsConfig:
    """Where alert rules stand, on which evidence and from which severity they act."""

    rules: str = ''
    """Path of the rules file; empty: the shipped config/alerts.yaml."""
    profile: str = ''
    """Profile of the rules file, which has the thresholds of sounds; empty: its default."""
    thresholds: str = ''
    """Path of a file of audio-interaction calibrate, whose thresholds count instead; or empty."""
    evidence: str = 'both'
    """What raises alerts: sounds, model (its replies), or both: replies where no sound can."""
    language: str = 'en'
    """Language of the sentences that alerts of sounds carry: en or zh."""
    event_min_severity: int = 2
    """alerts/event fires from this severity (0 INFO to 3 CRITICAL)."""
    hold_min_severity: int = 3
    """alerts/hold is true while an unacknowledged alert of this severity is active."""
    while_speaking_min_severity: int = 3
    """Alerts of this severity are raised also while the robot itself speaks; 4: none is."""
    journal_s: float = 86_400.0
    """Latched alerts outlive the process for this long, in a file in ROS_HOME; 0: no file."""

    def __post_init__(self) -> None:
        """Check ranges."""
        _find_home(self, 'rules')
        _find_home(self, 'thresholds')
        _check_ranges(self, 'alerts')
        _require(self.evidence in EVIDENCE, 'alerts.evidence', f'one of {", ".join(EVIDENCE)}',
                 self.evidence)
        _require(self.language in LANGUAGES, 'alerts.language', ' or '.join(LANGUAGES),
                 self.language)


@dataclass(frozen=True, kw_only=True)
class SoundsConfig:
    """What is told of the sounds that the model tells apart, alerts aside."""

    top: int = 5
    """So many of the likeliest sounds of each chunk go to the topic sounds/scores; 0: none."""

    def __post_init__(self) -> None:
        """Check ranges."""
        _check_ranges(self, 'sounds')


@dataclass(frozen=True, kw_only=True)
class ReplyConfig:
    """Where answers to speech come from."""

    source: str = 'words'
    """words: from transcripts that a second pass read, where there is one; model: as streamed."""
    min_word_confidence: float = 0.35
    """Words that were read with less confidence are not understood."""
    model: str = ''
    """Text model that answers what no intent explains: a name, a folder or a GGUF; empty: none."""
    dtype: str = 'int8'
    """Arithmetic of that model: int8, int4 (less memory, less sure) or float32."""
    prompt: str = REPLY_PROMPT
    """What that model is told of itself."""
    max_tokens: int = 64
    """Tokens that its answer may have."""
    history: int = 3
    """Questions with their answers that it remembers, for two minutes; 0: none."""
    active_topic: str = ''
    """Topic (Bool) that mutes answers while it says false, such as active_listening; or empty."""

    def __post_init__(self) -> None:
        """Check names and ranges."""
        _check_ranges(self, 'reply')
        _find_home(self, 'model')
        _require(self.dtype in REPLY_DTYPES, 'reply.dtype', f'one of {", ".join(REPLY_DTYPES)}',
                 self.dtype)
        _require(self.source in REPLY_SOURCES, 'reply.source', ' or '.join(REPLY_SOURCES),
                 self.source)


@dataclass(frozen=True, kw_only=True)
class IntentsConfig:
    """What people may want of the robot."""

    file: str = ''
    """Path of a file of your own, asked before the shipped config/intents.yaml; or empty."""
    min_confidence: float = 0.6
    """An intent that is less sure is none."""

    def __post_init__(self) -> None:
        """Check ranges."""
        _find_home(self, 'file')
        _check_ranges(self, 'intents')


@dataclass(frozen=True, kw_only=True)
class AddressConfig:
    """Which speech is for the robot; counts where answers come from words."""

    address: str = 'always'
    """always; name: said to the robot by name; after_wake: after a message on the topic wake."""
    names: str = 'robot, 机器人'
    """Names by which the robot is called, with commas between them."""
    window_s: float = 8.0
    """For this long after its name, or after wake, what is said is for the robot too."""
    barge_in: str = 'stop, stop talking, be quiet, quiet, shut up, 停, 停下, 安静, 别说了, 闭嘴'
    """What makes it stop talking at once, with commas between; empty: nothing does."""

    def __post_init__(self) -> None:
        """Check names and ranges."""
        _check_ranges(self, 'assistant')
        _require(self.address in ADDRESS_MODES, 'assistant.address',
                 f'one of {", ".join(ADDRESS_MODES)}', self.address)
        _require(self.address != 'name' or bool(split_list(self.names)), 'assistant.names',
                 'a name, for the robot answers to it only', self.names)


def split_list(text: str) -> tuple[str, ...]:
    """Return the entries of a list that is written with commas, without those that are empty."""
    return tuple(part for part in map(str.strip, text.replace('，', ',').split(',')) if part)


@dataclass(frozen=True, kw_only=True)
class DirectionConfig:
    """Where a microphone array says that sound comes from."""

    topic: str = ''
    """Topic with the directions of an array, such as sound_direction; empty: there is none."""
    msg_type: str = 'geometry_msgs/msg/PoseStamped'
    """Its type: geometry_msgs/msg/PoseStamped, .../Vector3Stamped or std_msgs/msg/Float32."""
    frame_id: str = ''
    """Frame of directions that are taken as they are; empty: only that of the audio, or none."""
    turn_rad: float = 0.0
    """Added to every direction: how the frame of the array is turned in that of the audio."""
    keep_s: float = 60.0
    """Seconds of directions that are kept for what is still to be decided."""

    def __post_init__(self) -> None:
        """Check type and ranges."""
        _check_ranges(self, 'direction')
        _require(self.msg_type in DIRECTION_TYPES, 'direction.msg_type',
                 f'one of {", ".join(DIRECTION_TYPES)}', self.msg_type)


@dataclass(frozen=True, kw_only=True)
class MonitorConfig:
    """The page of monitor_node."""

    host: str = '127.0.0.1'
    """Address to listen on; any but a loopback one needs monitor.token."""
    port: int = 8480
    """Port to listen on; 0: one that is free, which the log names."""
    token: str = ''
    """What a browser must know to see the page, 16 characters or more; empty: nothing."""
    names: str = ''
    """Names, with commas, by which the page may be asked for, beside addresses and localhost."""
    raw_audio: bool = False
    """Let the page hear the audio itself; without this only levels and outlines leave."""
    clients: int = 8
    """Pages that may be open at a time."""

    def __post_init__(self) -> None:
        """Check ranges."""
        _check_ranges(self, 'monitor')


@dataclass(frozen=True, kw_only=True)
class RecordConfig:
    """Recording for debugging; nothing is written unless a directory is named."""

    directory: str = ''
    """Where audio is written; empty: nothing is ever written."""
    retention_s: float = 3600.0
    """Recordings older than this are deleted, also while running."""

    def __post_init__(self) -> None:
        """Check ranges."""
        _find_home(self, 'directory')
        _check_ranges(self, 'record')


@dataclass(frozen=True, kw_only=True)
class SpeechConfig:
    """How speech_node says things aloud; the other nodes do not read it."""

    engines: str = 'hibari, espeak-ng'
    """hibari, espeak-ng, piper, kokoro, tones; the first that speaks the language says it."""
    voice_en: str = ''
    """English voice of an engine that has several (docs/voice.md); empty: its usual one."""
    voice_zh: str = ''
    """Chinese voice of an engine that has several; empty: its usual one."""
    piper_en: str = ''
    """Path of an English Piper voice (.onnx, with .onnx.json beside it)."""
    piper_zh: str = ''
    """Path of a Chinese Piper voice."""
    kokoro_model: str = ''
    """Path of the ONNX file of Kokoro-82M."""
    kokoro_voices: str = ''
    """Path of its file of voices (.bin or .npz)."""
    speed: float = 1.0
    """1: as the voice speaks; 2: twice as fast."""
    volume_db: float = 0.0
    """Level of the speech, in dB above what the engine gives."""
    device: str = ''
    """Loudspeaker: part of its name, or its index; empty: the default; none: only published."""
    rate_hz: int = 0
    """Sample rate of the loudspeaker; 0: what it prefers, 24000 without one."""
    says: str = 'replies, alerts'
    """What is said unasked, with commas between: replies, alerts; empty: nothing."""
    alerts_min_severity: int = 2
    """Alerts are said from this severity (0 INFO to 3 CRITICAL)."""
    repeat_s: float = 60.0
    """The same alert is not said again within so many seconds, unless it got worse."""
    queue: int = 8
    """So many texts wait at most; what is least urgent goes, and is named in the log."""
    barge_in: str = 'words'
    """What ends speech: words (assistant.barge_in), any words that are heard, or off."""

    def __post_init__(self) -> None:
        """Check names and ranges."""
        for path in ('piper_en', 'piper_zh', 'kokoro_model', 'kokoro_voices'):
            _find_home(self, path)
        _check_ranges(self, 'speech')
        for name, known in (('engines', SPEECH_ENGINES), ('says', SPEECH_SOURCES)):
            value = getattr(self, name)
            _require(set(split_list(value)) <= set(known), f'speech.{name}',
                     f'names out of {", ".join(known)}', value)
        _require(bool(split_list(self.engines)), 'speech.engines', 'at least one', self.engines)
        _require(self.rate_hz == 0 or self.rate_hz >= 8000, 'speech.rate_hz', '0, or 8000 or more',
                 self.rate_hz)
        _require(self.barge_in in BARGE_IN_MODES, 'speech.barge_in',
                 f'one of {", ".join(BARGE_IN_MODES)}', self.barge_in)


def _default_lanes() -> tuple[LaneConfig, ...]:
    return (LaneConfig(name='transcript', kind='transcript'),
            LaneConfig(name='translation', kind='translation'),
            LaneConfig(name='assistant', kind='reply', alerts=True))


@dataclass(frozen=True, kw_only=True)
class AssistantConfig:
    """Everything that a running assistant is told."""

    audio: AudioConfig = field(default_factory=AudioConfig)
    fifo: FifoConfig = field(default_factory=FifoConfig)
    model: ModelConfig = field(default_factory=ModelConfig)
    transcript: TranscriptConfig = field(default_factory=TranscriptConfig)
    translation: TranslationConfig = field(default_factory=TranslationConfig)
    alerts: AlertsConfig = field(default_factory=AlertsConfig)
    sounds: SoundsConfig = field(default_factory=SoundsConfig)
    reply: ReplyConfig = field(default_factory=ReplyConfig)
    intents: IntentsConfig = field(default_factory=IntentsConfig)
    assistant: AddressConfig = field(default_factory=AddressConfig)
    record: RecordConfig = field(default_factory=RecordConfig)
    speech: SpeechConfig = field(default_factory=SpeechConfig)
    direction: DirectionConfig = field(default_factory=DirectionConfig)
    monitor: MonitorConfig = field(default_factory=MonitorConfig)
    lanes: tuple[LaneConfig, ...] = field(default_factory=_default_lanes)

    def __post_init__(self) -> None:
        """Check that lanes have different names."""
        names = [lane.name for lane in self.lanes]
        _require(bool(names) and len(set(names)) == len(names), 'lanes',
                 'at least one lane, all names different', names)

    @property
    def uses_text(self) -> bool:
        """True where words that were read are answered by a text model, or translated."""
        return bool(self.reply.model) or self.translation.source != 'lane'

    def check_translation(self) -> None:
        """
        Check that words can be translated where they shall be; raises ConfigurationError.

        Only who has all groups can ask: a node knows no more than its own.
        """
        if self.translation.source == 'lane':
            return
        why = f', for translation.source is {self.translation.source}'
        _require(self.translation.source == 'words' or bool(self.reply.model), 'reply.model',
                 f'a text model{why}', self.reply.model)
        _require(self.transcript.second_pass != 'none', 'transcript.second_pass',
                 f'a reader of words{why}', self.transcript.second_pass)
        _require(all(lane.kind != 'translation' for lane in self.lanes), 'lanes',
                 f'no lane of kind translation{why}', [lane.name for lane in self.lanes])

    @property
    def second_passes(self) -> frozenset[str]:
        """Kinds of lanes whose finished replies are read again: transcript, translation."""
        return frozenset(kind for kind, part in (('transcript', self.transcript),
                                                 ('translation', self.translation))
                         if part.second_pass != 'none')

    def with_second_pass(self, name: str) -> 'AssistantConfig':
        """Return the same with this second pass for transcripts and translations alike."""
        return dataclasses.replace(
            self, transcript=dataclasses.replace(self.transcript, second_pass=name),
            translation=dataclasses.replace(self.translation, second_pass=name))


@dataclass(frozen=True)
class FieldHelp:
    """One configurable field."""

    name: str
    type: type
    default: Any
    help: str


@lru_cache
def _help_texts(cls: type) -> dict[str, str]:
    """Read the string under each annotated field of a class."""
    body = ast.parse(textwrap.dedent(inspect.getsource(cls))).body[0]
    assert isinstance(body, ast.ClassDef), 'only classes carry field help'
    texts = {}
    for statement, after in zip(body.body, body.body[1:], strict=False):
        if (isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name)
                and isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant)):
            texts[statement.target.id] = inspect.cleandoc(str(after.value.value))
    return texts


def fields_with_help(cls: type) -> Iterator[FieldHelp]:
    """Yield name, type, default and help of each scalar field of a configuration class."""
    hints = typing.get_type_hints(cls)
    for item in dataclasses.fields(cls):
        if hints[item.name] in (str, int, float, bool):
            default = None if item.default is dataclasses.MISSING else item.default
            yield FieldHelp(item.name, hints[item.name], default,
                            _help_texts(cls).get(item.name, ''))
