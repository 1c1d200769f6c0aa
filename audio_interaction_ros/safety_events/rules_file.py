"""
The file that says what of what is heard reaches which output of the robot.

Owns the format of ``config/safety_events.yaml`` and refuses everything that is not in it, naming
the file and the key. What follows from it is the matter of ``machine``.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from audio_interaction_ros.alerts.alert import Severity
from audio_interaction_ros.errors import ConfigurationError
from audio_interaction_ros.strict_yaml import build, read_yaml

__all__ = ['ANY', 'FORMAT', 'LEVELS', 'EventLogSettings', 'Output', 'Rule', 'SafetyEventsFile',
           'Watch', 'read_safety_events']

FORMAT = 'audio-interaction-safety-events/1'
ANY = 'any'
"""In a list of labels, sounds or intents: all of them."""
LEVELS = ('lock', 'bool', 'diagnostics')
"""Outputs that are on or off; the others happen."""
_PULSES = ('empty', 'trigger')
_LOST = ('engage', 'release', 'keep')
_YEAR_S = 31_536_000.0


def _require(holds: bool, key: str, expected: str, found: Any) -> None:
    if not holds:
        raise ConfigurationError(f'{key}: expected {expected}, found {found!r}; change it')


def _require_seconds(key: str, value: float, least: float = 0.0) -> None:
    _require(least <= value <= _YEAR_S, key, f'seconds from {least:g} to a year', value)


@dataclass(frozen=True, kw_only=True)
class Output:
    """One thing of the robot that can be told."""

    kind: str
    """lock: a Bool at a steady rate, as a lock of twist_mux wants it. bool: a Bool that late
    comers get too. empty: an Empty each time. trigger: a call of a std_srvs/Trigger each time.
    diagnostics: a level in this node's diagnostics."""
    topic: str = ''
    service: str = ''
    level: str = 'ERROR'
    """Of diagnostics: WARN or ERROR."""
    message: str = ''
    """Of diagnostics: what it says while it is on."""
    rate_hz: float = 5.0
    """Of a lock."""
    when_lost: str = 'engage'
    """Of lock and bool, while nothing is known of what is heard: engage (true), release (false)
    or keep (as it was)."""
    timeout_s: float = 2.0
    """Of a trigger: so long the service may take."""

    def __post_init__(self) -> None:
        """Refuse what does not fit the kind."""
        _require(self.kind in (*LEVELS, *_PULSES), 'kind',
                 f'one of {", ".join((*LEVELS, *_PULSES))}', self.kind)
        wants = {'trigger': 'service', 'diagnostics': 'message'}.get(self.kind, 'topic')
        for key in ('topic', 'service', 'message'):
            _require(bool(getattr(self, key)) == (key == wants), key,
                     f'{"a" if key == wants else "no"} {key} for the kind {self.kind}',
                     getattr(self, key))
        _require(self.level in ('WARN', 'ERROR'), 'level', 'WARN or ERROR', self.level)
        _require(0.1 <= self.rate_hz <= 100, 'rate_hz', 'a rate from 0.1 to 100', self.rate_hz)
        _require(self.when_lost in _LOST, 'when_lost', f'one of {", ".join(_LOST)}',
                 self.when_lost)
        _require_seconds('timeout_s', self.timeout_s, 0.1)


@dataclass(frozen=True, kw_only=True)
class Rule:
    """When something is on, and what that reaches. One of alerts, sounds, intents and lost."""

    alerts: tuple[str, ...] = ()
    """Labels; ``any``: all."""
    sounds: tuple[str, ...] = ()
    intents: tuple[str, ...] = ()
    lost: bool = False
    """On while nothing is known of what is heard (``watch``)."""
    min_severity: Severity = Severity.INFO
    """Of alerts."""
    until: str = 'acknowledged'
    """Of alerts: on until acknowledged, or until ended."""
    min_confidence: float = 0.0
    """Of intents, 0 to 1."""
    longest_s: float = 600.0
    """Of sounds: whose end never came is over then."""
    to: tuple[str, ...]
    """Outputs by name."""
    hold_s: float = 0.0
    """So long it stays on after it is over; an intent is over at once."""
    at_most_every_s: float = 0.0
    """Of what happens (empty, trigger): not sooner than this after the last time."""

    def __post_init__(self) -> None:
        """Refuse what contradicts itself."""
        causes = [key for key in ('alerts', 'sounds', 'intents', 'lost') if getattr(self, key)]
        _require(len(causes) == 1, 'alerts, sounds, intents, lost', 'one of these', causes)
        _require(bool(self.to), 'to', 'at least one output', self.to)
        _require(self.until in ('acknowledged', 'ended'), 'until', 'acknowledged or ended',
                 self.until)
        _require(0 <= self.min_confidence <= 1, 'min_confidence', 'a number from 0 to 1',
                 self.min_confidence)
        for key in ('longest_s', 'hold_s', 'at_most_every_s'):
            _require_seconds(key, getattr(self, key))
        for key, cause in (('min_severity', 'alerts'), ('min_confidence', 'intents')):
            _require(not getattr(self, key) or cause in causes, key, f'this only with {cause}',
                     getattr(self, key))


@dataclass(frozen=True, kw_only=True)
class Watch:
    """When the ears count as lost."""

    decoder_silent_s: float = 3.0
    """No ``alerts/active`` for so long, which comes twice a second: the ears count as lost."""
    deaf_s: float = 10.0
    """No ``decisions`` for so long, which come with every 0.4 s of audio: no audio, no encoder,
    muted, or a model that is being loaded. 0: not watched."""

    def __post_init__(self) -> None:
        """Refuse times that every robot would miss."""
        _require_seconds('decoder_silent_s', self.decoder_silent_s, 1.0)
        _require_seconds('deaf_s', self.deaf_s)
        _require(self.deaf_s == 0 or self.deaf_s >= 1, 'deaf_s', '0, or at least 1', self.deaf_s)


@dataclass(frozen=True, kw_only=True)
class EventLogSettings:
    """Where what happened is written down, and how much of it is kept."""

    file: str
    """JSON lines; '~' is the home folder."""
    most_bytes: int = 1_000_000
    """A file that would get larger is set aside."""
    files: int = 5
    """So many are kept beside the newest one."""

    def __post_init__(self) -> None:
        """Refuse what has no end."""
        _require(bool(self.file), 'file', 'a path', self.file)
        _require(1_000 <= self.most_bytes <= 1 << 30, 'most_bytes', 'from 1000 to 2^30',
                 self.most_bytes)
        _require(1 <= self.files <= 100, 'files', 'from 1 to 100', self.files)


@dataclass(frozen=True, kw_only=True)
class SafetyEventsFile:
    """The whole file."""

    format: str
    outputs: Mapping[str, Output]
    rules: Mapping[str, Rule]
    watch: Watch = Watch()
    log: EventLogSettings | None = None
    dry_run: bool = False
    """Nothing is published and nobody is called; the log says what would have been."""

    def __post_init__(self) -> None:
        """Check what no part can see alone."""
        _require(self.format == FORMAT, 'format', FORMAT, self.format)
        _require(bool(self.rules), 'rules', 'at least one rule', self.rules)
        for name, rule in self.rules.items():
            for output in rule.to:
                _require(output in self.outputs, f'rules.{name}.to',
                         f'outputs among {", ".join(self.outputs) or "none"}', output)
                _require(not rule.intents or rule.hold_s > 0
                         or self.outputs[output].kind not in LEVELS, f'rules.{name}.hold_s',
                         f'seconds above 0, for {output} is on or off and an intent is over at '
                         'once', rule.hold_s)
        used = {output for rule in self.rules.values() for output in rule.to}
        for name in self.outputs:
            _require(name in used, f'outputs.{name}', 'an output that a rule names under to',
                     name)


def read_safety_events(path: Path) -> SafetyEventsFile:
    """Return what a file says; raises ConfigurationError naming it and the key."""
    return build(SafetyEventsFile, read_yaml(path), str(path))
