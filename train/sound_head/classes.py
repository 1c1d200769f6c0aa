"""
Which sounds the head tells apart, and what each label of a clip says about each of them.

Owns the reading of ``classes.yaml``. Knows no audio and no net.
"""

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np

from audio_interaction_ros.errors import ConfigurationError
from audio_interaction_ros.strict_yaml import build, read_yaml

__all__ = ['ABSENT', 'CLASSES_FILE', 'PRESENT', 'UNKNOWN', 'AudioSetClass', 'SoundClass',
           'SoundClasses', 'read_classes']

PRESENT, ABSENT, UNKNOWN = 1, 0, -1
"""What a target says of a chunk; what is unknown is left out of every loss and figure."""
CLASSES_FILE = Path(__file__).with_name('classes.yaml')


@dataclass(frozen=True)
class AudioSetClass:
    """A class of AudioSet: its place in YAMNet's list, its identifier and its display name."""

    index: int
    mid: str
    name: str


@dataclass(frozen=True)
class SoundClass:
    """One class of the head: the labels of clips that are it, and AudioSet's word for it."""

    labels: tuple[str, ...]
    audioset: tuple[AudioSetClass, ...]


@dataclass(frozen=True)
class SoundClasses:
    """All classes, alerts first."""

    alerts: dict[str, SoundClass]
    others: dict[str, SoundClass]
    ambiguous: dict[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def all(self) -> dict[str, SoundClass]:
        """Return every class by its name, in the order of the head's outputs."""
        return {**self.alerts, **self.others}

    @property
    def names(self) -> tuple[str, ...]:
        """Return the names in the order of the head's outputs."""
        return tuple(self.all)

    @property
    def audioset(self) -> tuple[int, ...]:
        """Return every class of AudioSet that one of ours begins with, each once, in order."""
        return tuple(dict.fromkeys(heard.index for sound in self.all.values()
                                   for heard in sound.audioset))

    def name_of(self, label: str) -> str:
        """Return the class that a label is, '' for none."""
        return self._by_label.get(label, '')

    @cached_property
    def _by_label(self) -> dict[str, str]:
        return {label: name for name, sound in self.all.items() for label in sound.labels}

    def to_classes(self, heard: np.ndarray, labels: tuple[str, ...]) -> np.ndarray:
        """
        Return targets [chunks, classes] int8 of what is heard of each label [chunks, labels].

        A class is present where one of its labels is, unknown where one of them is unknown or
        where a label sounds that may be heard as it.
        """
        column = {label: number for number, label in enumerate(labels)}
        targets = np.zeros((len(heard), len(self.names)), np.int8)
        for number, (name, sound) in enumerate(self.all.items()):
            own = heard[:, [column[label] for label in sound.labels if label in column]]
            doubtful = heard[:, [column[label] for label, names in self.ambiguous.items()
                                 if name in names and label in column]]
            unsure = (own == UNKNOWN).any(1) | (doubtful != ABSENT).any(1)
            targets[unsure, number] = UNKNOWN
            targets[(own == PRESENT).any(1), number] = PRESENT
        return targets


def read_classes(path: Path = CLASSES_FILE) -> SoundClasses:
    """Return the classes of a file; ConfigurationError where one names what is not there."""
    classes = build(SoundClasses, read_yaml(path), str(path))
    known = set(classes.names)
    for label, names in classes.ambiguous.items():
        if unknown := set(names) - known:
            raise ConfigurationError(f'{path}: ambiguous {label}: expected classes of this file, '
                                     f'got {sorted(unknown)}; correct the file')
    return classes
