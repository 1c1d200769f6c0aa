"""Who tells people: the voice and the page."""

from dataclasses import dataclass

from audio_interaction_ros.config.answers import split_list
from audio_interaction_ros.config.checks import check_ranges, find_home, require

__all__ = ['MonitorConfig', 'SpeechConfig']

SPEECH_ENGINES = ('hibari', 'espeak-ng', 'piper', 'kokoro', 'tones')
SPEECH_SOURCES = ('replies', 'alerts')
BARGE_IN_MODES = ('off', 'words', 'any')


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
    duck_db: float = 0.0
    """So many dB softer while somebody else speaks, unless it is CRITICAL; 0: as loud as ever."""

    def __post_init__(self) -> None:
        """Check names and ranges."""
        for path in ('piper_en', 'piper_zh', 'kokoro_model', 'kokoro_voices'):
            find_home(self, path)
        check_ranges(self, 'speech')
        for name, known in (('engines', SPEECH_ENGINES), ('says', SPEECH_SOURCES)):
            value = getattr(self, name)
            require(set(split_list(value)) <= set(known), f'speech.{name}',
                     f'names out of {", ".join(known)}', value)
        require(bool(split_list(self.engines)), 'speech.engines', 'at least one', self.engines)
        require(self.rate_hz == 0 or self.rate_hz >= 8000, 'speech.rate_hz', '0, or 8000 or more',
                 self.rate_hz)
        require(self.barge_in in BARGE_IN_MODES, 'speech.barge_in',
                 f'one of {", ".join(BARGE_IN_MODES)}', self.barge_in)


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
        check_ranges(self, 'monitor')
