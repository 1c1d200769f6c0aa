"""What the alert policy is told, and what it counts."""

from dataclasses import dataclass

from audio_interaction_ros.alerts.alert import Severity

__all__ = ['AlertSettings', 'AlertStats']


@dataclass(frozen=True, kw_only=True)
class AlertSettings:
    """Which sounds and replies count (words always do), how far a clock may step back."""

    lanes: tuple[str, ...] = ('assistant',)
    """Lanes whose replies may become alerts. A transcript of somebody saying "fire alarm" is
    no alert, so the transcript lane is not among them unless asked for."""
    while_speaking_min_severity: int = Severity.CRITICAL
    """What is heard while the robot itself speaks counts from this severity; 4: nothing does."""
    evidence: str = 'both'
    """sounds, model (replies), or both: replies for labels of which no class can be heard."""
    sounds: frozenset[str] = frozenset()
    """Classes that a rule of the active profile detects."""
    language: str = 'en'
    """Of the sentences about sounds: en or zh."""
    backwards_tolerance_s: float = 5.0
    """Stamps may step back by this much (lanes differ); more means a new time line."""


@dataclass(kw_only=True)
class AlertStats:
    """
    Counters of replies, sounds, intents and sightings.

    Sightings = counted + debounced + cooled_down + covered + while_speaking + those still pending.
    """

    replies: int = 0
    sounds: int = 0
    """Sounds that began and mean a label."""
    intents: int = 0
    """Intents that were understood and mean a label."""
    left_to_sounds: int = 0
    """What replies said and did not count, for a sound of the same label would have been heard."""
    sightings: int = 0
    counted: int = 0
    """Merged into an alert: with ``counted_before`` the sum of ``count`` over all alerts."""
    debounced: int = 0
    cooled_down: int = 0
    covered: int = 0
    """Left out: an open alert of another label stands for them (``covers`` of the rules file)."""
    while_speaking: int = 0
    """Left out: heard while the robot spoke, and not severe enough to be believed then."""
    raised: int = 0
    restored: int = 0
    """Alerts that were open before this policy began."""
    counted_before: int = 0
    """Sightings that these had at that time."""
