"""
Thresholds that were chosen for one place: a small YAML file that lies over the profile.

Owns the format. ``audio-interaction calibrate`` writes it, the assistant reads it; a file that is
damaged is refused, for an alarm that nobody raises any more must not come from a typing error.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from audio_interaction_ros.errors import ConfigurationError
from audio_interaction_ros.strict_yaml import build, dump_yaml, read_yaml

__all__ = ['FORMAT', 'ChosenThresholds', 'read_thresholds', 'write_thresholds']

FORMAT = 'audio-interaction-thresholds/1'


@dataclass(frozen=True, kw_only=True)
class ChosenThresholds:
    """What the file holds; raises ConfigurationError for what it must not hold."""

    thresholds: Mapping[str, float]
    """Class of sound -> threshold, above 0, up to 1."""
    chosen: Mapping[str, Any]
    """How they were chosen: when, from what, for which rate of false alarms; for people."""
    format: str = FORMAT

    def __post_init__(self) -> None:
        """Check format and numbers."""
        if self.format != FORMAT:
            raise ConfigurationError(f'format: expected {FORMAT}, found {self.format!r}; write '
                                     'the file anew with audio-interaction calibrate')
        if not self.thresholds:
            raise ConfigurationError('thresholds: expected at least one class, found none; write '
                                     'the file anew with audio-interaction calibrate')
        for sound, threshold in self.thresholds.items():
            if not sound or not 0 < threshold <= 1:
                raise ConfigurationError(f'thresholds.{sound}: expected a number above 0, up to '
                                         f'1, found {threshold!r}; change it')


def read_thresholds(path: str | Path) -> ChosenThresholds:
    """Read a file; raises ConfigurationError naming file and key for anything but its format."""
    document = read_yaml(path)
    if not isinstance(document, Mapping) or 'format' not in document:
        raise ConfigurationError(f'{path}: expected thresholds of the format {FORMAT}, found '
                                 'none of it; name a file of audio-interaction calibrate')
    return build(ChosenThresholds, document, str(path))


def write_thresholds(path: str | Path, chosen: ChosenThresholds) -> None:
    """Write a file that ``read_thresholds`` reads back equal; raises OSError."""
    Path(path).write_text(dump_yaml({
        'format': chosen.format, 'chosen': dict(chosen.chosen),
        'thresholds': dict(chosen.thresholds)}), encoding='utf-8')
