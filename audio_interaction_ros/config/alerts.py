"""What is told of sounds, and what raises an alert."""

from dataclasses import dataclass

from audio_interaction_ros.config.checks import check_ranges, find_home, require

__all__ = ['AlertsConfig', 'SoundsConfig']

EVIDENCE = ('sounds', 'model', 'both')
LANGUAGES = ('en', 'zh')


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
    """Beside words: sounds, model (its replies), or both: replies where no sound can."""
    language: str = 'en'
    """Language of the sentences that alerts of sounds and words carry: en or zh."""
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
        find_home(self, 'rules')
        find_home(self, 'thresholds')
        check_ranges(self, 'alerts')
        require(self.evidence in EVIDENCE, 'alerts.evidence', f'one of {", ".join(EVIDENCE)}',
                 self.evidence)
        require(self.language in LANGUAGES, 'alerts.language', ' or '.join(LANGUAGES),
                 self.language)


@dataclass(frozen=True, kw_only=True)
class SoundsConfig:
    """What is told of the sounds that the model tells apart, alerts aside."""

    top: int = 5
    """So many of the likeliest sounds of each chunk go to the topic sounds/scores; 0: none."""

    def __post_init__(self) -> None:
        """Check ranges."""
        check_ranges(self, 'sounds')
