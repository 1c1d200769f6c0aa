"""What the rules say of one label: how bad it is, how it behaves in time, by what it is known."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from audio_interaction_ros.alerts.alert import Category, Severity
from audio_interaction_ros.stream.sound_events import SoundRule

__all__ = ['Detection', 'LabelRule', 'Sentences', 'Timing']


@dataclass(frozen=True, kw_only=True)
class Timing:
    """How sightings of a label over time make up alerts."""

    min_repeats: int = 1
    """Sightings within ``repeat_window_s`` before an alert is raised."""
    repeat_window_s: float = 10.0
    min_interval_s: float = 0.0
    """A sighting sooner than this after the one before is the same sighting."""
    cooldown_s: float = 10.0
    """No new alert within this time of the last sighting, or the clearing, of an ended one."""
    ttl_s: float = 30.0
    """An alert not heard for this long expires."""


@dataclass(frozen=True, kw_only=True)
class Detection:
    """How scores make up the sounds of a label; the threshold of each class is the profile's."""

    hits: int = 1
    of: int = 3
    min_s: float = 0.0
    max_s: float = 600.0
    release: float = 0.5
    background: float = 0.0
    background_s: float = 10.0

    def with_threshold(self, threshold: float) -> SoundRule:
        """Return the rule of a class with this threshold; raises ConfigurationError."""
        return SoundRule(threshold=threshold, hits=self.hits, of=self.of, min_s=self.min_s,
                         max_s=self.max_s, release=self.release, background=self.background,
                         background_s=self.background_s)


@dataclass(frozen=True, kw_only=True)
class Sentences:
    """What is told of a sound or intent, in the language that ``alerts.language`` chooses."""

    en: str = ''
    zh: str = ''

    def choose(self, language: str) -> str:
        """Return the sentence in a language: en or zh."""
        return self.zh if language == 'zh' else self.en


@dataclass(frozen=True, kw_only=True)
class LabelRule:
    """One label: what it is, how bad it is, how it behaves over time, how it is known and said."""

    label: str
    category: Category
    severity: Severity
    requires_ack: bool
    timing: Timing
    en: tuple[str, ...] = ()
    zh: tuple[str, ...] = ()
    sounds: tuple[str, ...] = ()
    """Classes of sounds that mean this label."""
    intents: tuple[str, ...] = ()
    """Intents that mean it where they are understood in words that were read."""
    say: Sentences = Sentences()
    detect: Detection = Detection()
    covers: Mapping[str, float] = field(default_factory=dict)
    """Label -> seconds: while this one is open and was heard so lately, that one is the same."""
