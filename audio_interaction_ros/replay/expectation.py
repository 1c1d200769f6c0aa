"""
The file that says what a recording must become, and what it must not.

Owns its format and refuses everything that is not in it, naming the file and the key. What is
held against it is the matter of ``verdict``.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from audio_interaction_ros.alerts.alert import Severity
from audio_interaction_ros.errors import ConfigurationError
from audio_interaction_ros.replay.heard import KINDS
from audio_interaction_ros.strict_yaml import build, dump_yaml, read_yaml

__all__ = ['FORMAT', 'SUFFIX', 'Expectation', 'Expected', 'read_expectation',
           'write_expectation']

FORMAT = 'audio-interaction-expectation/1'
SUFFIX = '.expect.yaml'
"""What the file is called beside its recording: scene.flac and scene.expect.yaml."""
_NOT_OF = {
    'alert': ('wer', 'language', 'intent', 'slots'),
    'sound': ('severity', 'text', 'pattern', 'wer', 'language', 'intent', 'slots'),
    'transcript': ('label', 'severity', 'intent', 'slots'),
    'translation': ('label', 'severity', 'intent', 'slots'),
    'reply': ('label', 'severity', 'language')}


def _require(holds: bool, key: str, expected: str, found: Any) -> None:
    if not holds:
        raise ConfigurationError(f'{key}: expected {expected}, found {found!r}; change it')


@dataclass(frozen=True, kw_only=True)
class Expected:
    """One thing that must be heard; what is not said of it may be anything."""

    kind: str
    """One of transcript, translation, reply, alert, sound."""
    at: float | None = None
    """When it is heard, in seconds of audio since the recording began; None: at any time."""
    until: float | None = None
    """Where it ends; with it anything between the two fits."""
    within_s: float | None = None
    """How far from that it may be; None: as the file says."""
    label: str = ''
    """Label of an alert, name of a sound; empty: any."""
    severity: Severity | None = None
    text: str | None = None
    """Words, compared without case and commas."""
    wer: float | None = None
    """So many of these words may be wrong, 0.2 = one of five; None: as the file says."""
    pattern: str = ''
    """A regular expression that is found in the text, in any case."""
    language: str = ''
    intent: str = ''
    slots: Mapping[str, str] = field(default_factory=dict)
    """These values, perhaps among others."""
    optional: bool = False
    """May be missing; where it is heard it is nothing else either."""
    note: str = ''
    """For whoever reads the file."""

    def __post_init__(self) -> None:
        """Refuse what does not fit the kind."""
        _require(self.kind in KINDS, 'kind', f'one of {", ".join(KINDS)}', self.kind)
        for item in fields(self):
            _require(item.name not in _NOT_OF[self.kind]
                     or getattr(self, item.name) in (None, '', {}), item.name,
                     f'nothing, for a {self.kind} has none', getattr(self, item.name))
        _require(self.until is None or self.at is not None and self.until >= self.at, 'until',
                 'an end that is not before at', self.until)
        for key in ('within_s', 'wer'):
            value = getattr(self, key)
            _require(value is None or value >= 0, key, 'a number of at least 0', value)
        _require(self.wer is None or self.text is not None, 'wer', 'this only with a text',
                 self.wer)
        try:
            re.compile(self.pattern)
        except re.error as error:
            raise ConfigurationError(f'pattern: expected a regular expression, found '
                                     f'{self.pattern!r} ({error}); change it') from error

    def describe(self) -> str:
        """Return it in a line."""
        when = '' if self.at is None else f'{self.at:.1f} s'
        words = [when, self.kind, self.label, self.severity.name if self.severity is not None
                 else '', f'[{self.intent}]' if self.intent else '',
                 f'"{self.text}"' if self.text is not None else '',
                 f'/{self.pattern}/' if self.pattern else '']
        return ' '.join(word for word in words if word)


@dataclass(frozen=True, kw_only=True)
class Expectation:
    """The whole file."""

    format: str
    expect: tuple[Expected, ...] = ()
    never: tuple[Expected, ...] = ()
    """What must not be heard, at the times that it names or at any time."""
    nothing_else: tuple[str, ...] = ()
    """Kinds of which nothing may be heard that is not expected."""
    within_s: float = 1.0
    wer: float = 0.0
    recording: str = ''
    """The file or bag, beside this one; empty: that with the same name."""
    topic: str = ''
    """Audio topic, where a bag has several."""
    note: str = ''

    def __post_init__(self) -> None:
        """Check what no part can see alone."""
        _require(self.format == FORMAT, 'format', FORMAT, self.format)
        _require(set(self.nothing_else) <= set(KINDS), 'nothing_else',
                 f'kinds among {", ".join(KINDS)}', self.nothing_else)
        _require(self.within_s >= 0 and self.wer >= 0, 'within_s, wer', 'numbers of at least 0',
                 (self.within_s, self.wer))
        _require(bool(self.expect or self.never or self.nothing_else), 'expect',
                 'something to hold a recording against: expect, never or nothing_else', ())
        for one in self.never:
            _require(not one.optional, 'never', 'nothing that is optional', one.describe())


def read_expectation(path: Path) -> Expectation:
    """Return what a file says; raises ConfigurationError naming it and the key."""
    return build(Expectation, read_yaml(path), str(path))


def write_expectation(path: Path, expectation: Expectation) -> None:
    """Write a file that ``read_expectation`` reads back equal; may raise ConfigurationError."""
    try:
        path.write_text(dump_yaml(_plain(expectation)), encoding='utf-8')
    except OSError as error:
        raise ConfigurationError(f'expected to write {path}, cannot ({error}); name another '
                                 'file') from error


def _plain(said: Any) -> dict[str, Any]:
    """Return the fields that are not what they are anyway, as YAML has them."""
    found: dict[str, Any] = {}
    for item in fields(said):
        value = getattr(said, item.name)
        if value == item.default or value in ((), {}, None):
            continue
        if isinstance(value, tuple):
            value = [_plain(one) if isinstance(one, Expected) else one for one in value]
        found[item.name] = value.name if isinstance(value, Severity) else (
            dict(value) if isinstance(value, Mapping) else value)
    return found

