"""
Reading the rules file: which phrase means which label, and how much a label matters.

Owns the format of ``config/alerts.yaml`` and refuses everything that is not in it, naming the
file and the key. Knows nothing of time: what follows from a label is the matter of ``policy``.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from audio_interaction_ros.alerts.alert import Category, Severity
from audio_interaction_ros.alerts.phrases import Negation, PhraseMatcher, is_chinese, words_of
from audio_interaction_ros.errors import ConfigurationError
from audio_interaction_ros.strict_yaml import build, parse_yaml, read_yaml

__all__ = ['AlertRules', 'LabelRule', 'Timing', 'load_rules', 'parse_rules']

_YEAR_S = 31_536_000
_LEAST = {'min_repeats': 1, 'ttl_s': 0.1}


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
class LabelRule:
    """One label: what it is, how bad it is, how it behaves over time, how it is said."""

    label: str
    category: Category
    severity: Severity
    requires_ack: bool
    timing: Timing
    en: tuple[str, ...] = ()
    zh: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class AlertRules:
    """Everything that the rules file says."""

    labels: Mapping[str, LabelRule]
    urgent: LabelRule
    """What an URGENT reply without a known label becomes."""
    negation: Negation
    ignored: tuple[str, ...] = ()

    @cached_property
    def _matcher(self) -> PhraseMatcher:
        phrases = {phrase: rule.label for rule in self.labels.values()
                   for phrase in (*rule.en, *rule.zh)}
        return PhraseMatcher(phrases=phrases, ignored=self.ignored, negation=self.negation)

    def match(self, text: str) -> tuple[LabelRule, ...]:
        """Return the rules whose labels a reply carries, in the order of its text."""
        return tuple(self.labels[label] for label in self._matcher.find(text))


def load_rules(path: str | Path) -> AlertRules:
    """Read a rules file; raise ConfigurationError naming file and key on any fault."""
    return _make_rules(read_yaml(path), str(path))


def parse_rules(text: str, *, source: str) -> AlertRules:
    """Read rules from YAML text; ``source`` is named in errors."""
    return _make_rules(parse_yaml(text, source), source)


# -- the file as it is written ---------------------------------------------------------------


def _require(holds: bool, at: str, expected: str, found: Any) -> None:
    if not holds:
        raise ConfigurationError(f'{at}: expected {expected}, found {found!r}; change it')


@dataclass(frozen=True, kw_only=True)
class _Phrases:
    en: tuple[str, ...] = ()
    zh: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for phrase in self.en:
            _require(bool(words_of(phrase)) and not is_chinese(phrase), 'en',
                     'phrases of English words', phrase)
        for phrase in self.zh:
            _require(is_chinese(phrase), 'zh', 'phrases with Chinese characters', phrase)

    @property
    def all(self) -> tuple[str, ...]:
        return *self.en, *self.zh


@dataclass(frozen=True, kw_only=True)
class _Times:
    """What of ``Timing`` is said here; None: what the defaults say."""

    min_repeats: int | None = None
    repeat_window_s: float | None = None
    min_interval_s: float | None = None
    cooldown_s: float | None = None
    ttl_s: float | None = None

    def __post_init__(self) -> None:
        for field in fields(Timing):
            value, least = getattr(self, field.name), _LEAST.get(field.name, 0)
            _require(value is None or least <= value <= _YEAR_S, field.name,
                     f'a number of at least {least}, and no more than a year', value)

    def override(self, inherited: Timing) -> Timing:
        said = {field.name: getattr(self, field.name) for field in fields(Timing)}
        return replace(inherited, **{key: value for key, value in said.items()
                                     if value is not None})


@dataclass(frozen=True, kw_only=True)
class _Defaults(_Times):
    requires_ack_from: Severity = Severity.ERROR


@dataclass(frozen=True, kw_only=True)
class _Urgent(_Times):
    label: str = 'unknown_urgent'
    category: Category = Category.UNKNOWN
    severity: Severity = Severity.WARN
    requires_ack: bool | None = None


@dataclass(frozen=True, kw_only=True)
class _Label(_Times, _Phrases):
    category: Category
    severity: Severity
    requires_ack: bool | None = None

    def __post_init__(self) -> None:
        _Times.__post_init__(self)
        _Phrases.__post_init__(self)
        _require(bool(self.all), 'en or zh', 'at least one phrase', self.all)


@dataclass(frozen=True, kw_only=True)
class _Negation:
    window_words: int = Negation.window_words
    window_characters: int = Negation.window_characters
    before: _Phrases = _Phrases()
    after: _Phrases = _Phrases()
    exceptions: _Phrases = _Phrases()

    def __post_init__(self) -> None:
        for key in ('window_words', 'window_characters'):
            value = getattr(self, key)
            _require(value >= 0, key, 'a number of at least 0', value)

    def to_negation(self) -> Negation:
        return Negation(
            window_words=self.window_words, window_characters=self.window_characters,
            before=self.before.all, after=self.after.all, exceptions=self.exceptions.all)


@dataclass(frozen=True, kw_only=True)
class _File:
    labels: Mapping[str, _Label]
    defaults: _Defaults = _Defaults()
    urgent: _Urgent = _Urgent()
    negation: _Negation = _Negation()
    ignore: _Phrases = _Phrases()

    def __post_init__(self) -> None:
        _require(bool(self.labels), 'labels', 'at least one label', self.labels)
        for label in (*self.labels, self.urgent.label):
            _require(label.isidentifier(), f'labels.{label}',
                     'a label like smoke_alarm (letters, digits, underscores)', label)
        _require(self.urgent.label not in self.labels, 'urgent.label',
                 'a label that is not under labels', self.urgent.label)
        self._refuse_shared()

    def _refuse_shared(self) -> None:
        owner: dict[object, str] = {}
        listed = [(f'labels.{name}', label.all) for name, label in self.labels.items()]
        for at, phrases in [*listed, ('ignore', self.ignore.all)]:
            for phrase in phrases:
                key: object = phrase if is_chinese(phrase) else words_of(phrase)
                _require(key not in owner, at,
                         f'phrases listed once, but {owner.get(key)} has this too', phrase)
                owner[key] = at

    def make_rule(self, label: str, said: _Label | _Urgent) -> LabelRule:
        latches = said.severity >= self.defaults.requires_ack_from
        phrases = said if isinstance(said, _Label) else _Phrases()
        return LabelRule(
            label=label, category=said.category, severity=said.severity,
            requires_ack=latches if said.requires_ack is None else said.requires_ack,
            timing=said.override(self.defaults.override(Timing())), en=phrases.en, zh=phrases.zh)


def _make_rules(document: Any, source: str) -> AlertRules:
    file = build(_File, document, source)
    return AlertRules(
        labels={label: file.make_rule(label, said) for label, said in file.labels.items()},
        urgent=file.make_rule(file.urgent.label, file.urgent),
        negation=file.negation.to_negation(),
        ignored=file.ignore.all)
