"""Sounds and alerts: the rules that a configuration names, and what follows them."""

from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path

from audio_interaction_ros.alerts.policy import AlertPolicy
from audio_interaction_ros.alerts.rules import AlertRules, load_rules
from audio_interaction_ros.alerts.settings import AlertSettings
from audio_interaction_ros.alerts.thresholds import read_thresholds
from audio_interaction_ros.config import AlertsConfig, LaneConfig
from audio_interaction_ros.errors import ConfigurationError
from audio_interaction_ros.resources import shipped_path
from audio_interaction_ros.stream.sound_events import SoundDetector, SoundRule
from audio_interaction_ros.taught.folder import list_sounds, sounds_folder

__all__ = ['build_detector', 'build_policy', 'load_file_rules', 'make_policy_settings',
           'read_rules', 'read_sound_rules']


def read_rules(settings: AlertsConfig) -> AlertRules:
    """
    Return the rules that a configuration names, with the sounds that the user taught.

    Raises ConfigurationError for bad rules. A taught sound that cannot be read is left out here:
    whoever listens for it refuses it.
    """
    taught = [sound for _, sound in list_sounds(sounds_folder()) if not isinstance(sound, str)]
    return load_file_rules(settings).with_taught(
        {sound.name: sound.title for sound in taught},
        {sound.name: sound.threshold for sound in taught})


def read_sound_rules(settings: AlertsConfig, rules: AlertRules) -> dict[str, SoundRule]:
    """
    Return by what sounds begin and end: the profile, and the thresholds that lie over it.

    Raises ConfigurationError for an unknown profile, a damaged file of thresholds, and where
    sounds alone shall raise alerts and no rule has any.
    """
    chosen = _read_chosen(settings.thresholds) if settings.thresholds else {}
    found = rules.rules_of_sounds(settings.profile, chosen)
    if settings.evidence == 'sounds' and not found:
        raise ConfigurationError(
            'alerts.evidence: expected thresholds of sounds, for nothing else shall raise alerts, '
            'found none in the profile; add profiles to the rules file or set both')
    return found


def build_detector(settings: AlertsConfig) -> SoundDetector:
    """Return the detector of sounds; raises ConfigurationError for bad rules or thresholds."""
    return SoundDetector(read_sound_rules(settings, read_rules(settings)))


def build_policy(settings: AlertsConfig, lanes: Iterable[LaneConfig]) -> AlertPolicy:
    """
    Return the policy that makes alerts of sounds and of what lanes say.

    Raises ConfigurationError for bad rules.
    """
    rules = read_rules(settings)
    return AlertPolicy(rules, make_policy_settings(settings, lanes, rules))


def make_policy_settings(settings: AlertsConfig, lanes: Iterable[LaneConfig],
                         rules: AlertRules) -> AlertSettings:
    """Return what the policy is told; raises ConfigurationError for what the rules lack."""
    return AlertSettings(
        lanes=tuple(lane.name for lane in lanes if lane.alerts),
        while_speaking_min_severity=settings.while_speaking_min_severity,
        evidence=settings.evidence, language=settings.language,
        sounds=frozenset(read_sound_rules(settings, rules)))


def load_file_rules(settings: AlertsConfig) -> AlertRules:
    """Return the rules of the file alone, which several ask for one after the other."""
    path = Path(settings.rules) if settings.rules else shipped_path('config/alerts.yaml')
    try:
        state = path.stat()
    except OSError:
        return load_rules(path)  # says what is wrong
    return _load_unchanged(path, (state.st_ino, state.st_size, state.st_mtime_ns))


@lru_cache(maxsize=1)
def _load_unchanged(path: Path, _state: tuple[int, int, int]) -> AlertRules:
    return load_rules(path)


def _read_chosen(path: str) -> Mapping[str, float]:
    try:
        return read_thresholds(path).thresholds
    except ConfigurationError as error:
        raise ConfigurationError(f'alerts.thresholds: {error}') from error.__cause__
