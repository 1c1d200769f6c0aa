"""
Reading the rules file: which phrase means which label, and how much a label matters.

Owns the format of ``config/alerts.yaml`` and refuses everything that is not in it, naming the
file and the key. Knows nothing of time: what follows from a label is the matter of ``policy``.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from audio_interaction_ros.alerts.alert import Category, Severity
from audio_interaction_ros.alerts.phrases import Negation, PhraseMatcher, is_chinese, words_of
from audio_interaction_ros.errors import ConfigurationError
from audio_interaction_ros.strict import parse_yaml, read_yaml

__all__ = ['AlertRules', 'LabelRule', 'Timing', 'load_rules', 'parse_rules']

_Named = TypeVar('_Named', Severity, Category)


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
    return _Reader(str(path)).rules(read_yaml(path))


def parse_rules(text: str, *, source: str) -> AlertRules:
    """Read rules from YAML text; ``source`` is named in errors."""
    return _Reader(source).rules(parse_yaml(text, source))


class _Reader:
    """Walks the document and knows, at every place, how to name it in an error."""

    def __init__(self, source: str) -> None:
        self._source = source

    def rules(self, document: Any) -> AlertRules:
        top = self._mapping(document, '', {'defaults', 'urgent', 'negation', 'ignore', 'labels'})
        defaults = self._mapping(top.get('defaults', {}), 'defaults',
                                 {*_TIMING_KEYS, 'requires_ack_from'})
        timing = self._timing(defaults, 'defaults', Timing())
        ack_from = self._name(Severity, defaults.get('requires_ack_from', 'ERROR'),
                              'defaults.requires_ack_from')
        labels = top.get('labels')
        if not isinstance(labels, dict) or not labels:
            self._fail('labels', 'at least one label', labels)
        read = {label: self._label(label, body, timing, ack_from)
                for label, body in labels.items()}
        ignored = self._phrases(top.get('ignore', {}), 'ignore')
        self._refuse_shared(read, ignored)
        return AlertRules(labels=read, urgent=self._urgent(top, timing, ack_from, read),
                          negation=self._negation(top.get('negation', {})), ignored=ignored)

    def _label(self, label: Any, body: Any, timing: Timing, ack_from: Severity,
               at: str = '', phrases: bool = True) -> LabelRule:
        at = at or f'labels.{label}'
        if not isinstance(label, str) or not label.isidentifier():
            self._fail(at, 'a label like smoke_alarm (letters, digits, underscores)', label)
        known = {'category', 'severity', 'requires_ack', *_TIMING_KEYS}
        body = self._mapping(body, at, known | ({'en', 'zh'} if phrases else {'label'}))
        severity = self._name(Severity, body.get('severity'), f'{at}.severity')
        requires_ack = body.get('requires_ack', severity >= ack_from)
        if not isinstance(requires_ack, bool):
            self._fail(f'{at}.requires_ack', 'true or false', requires_ack)
        en, zh = (self._list(body.get(key, []), f'{at}.{key}', key) for key in ('en', 'zh'))
        if phrases and not en and not zh:
            self._fail(at, 'at least one phrase under en or zh', body)
        return LabelRule(
            label=label, category=self._name(Category, body.get('category'), f'{at}.category'),
            severity=severity, requires_ack=requires_ack,
            timing=self._timing(body, at, timing), en=en, zh=zh)

    def _urgent(self, top: Mapping[str, Any], timing: Timing, ack_from: Severity,
                labels: Mapping[str, LabelRule]) -> LabelRule:
        body = top.get('urgent', {'label': 'unknown_urgent', 'category': 'UNKNOWN',
                                  'severity': 'WARN'})
        body = self._mapping(body, 'urgent', {'label', 'category', 'severity', 'requires_ack',
                                              *_TIMING_KEYS})
        label = body.get('label')
        if label in labels:
            self._fail('urgent.label', 'a label that is not under labels', label)
        return self._label(label, body, timing, ack_from, at='urgent', phrases=False)

    def _negation(self, body: Any) -> Negation:
        body = self._mapping(body, 'negation', {field.name for field in fields(Negation)})
        given: dict[str, Any] = {}
        for key, value in body.items():
            at = f'negation.{key}'
            if key.startswith('window'):
                given[key] = self._number(value, at, minimum=0, whole=True)
            else:
                given[key] = self._phrases(value, at)
        return Negation(**given)

    def _timing(self, body: Mapping[str, Any], at: str, inherited: Timing) -> Timing:
        given = {}
        for key in _TIMING_KEYS:
            whole = key == 'min_repeats'
            low = {'min_repeats': 1.0, 'ttl_s': 0.1}.get(key, 0.0)
            given[key] = self._number(body.get(key, getattr(inherited, key)), f'{at}.{key}',
                                      minimum=low, whole=whole)
        return Timing(**given)

    def _phrases(self, body: Any, at: str) -> tuple[str, ...]:
        body = self._mapping(body, at, {'en', 'zh'})
        return tuple(phrase for key in ('en', 'zh')
                     for phrase in self._list(body.get(key, []), f'{at}.{key}', key))

    def _list(self, value: Any, at: str, language: str) -> tuple[str, ...]:
        if not isinstance(value, list):
            self._fail(at, 'a list of phrases', value)
        for phrase in value:
            if not isinstance(phrase, str):  # YAML reads a bare no, yes, on or off as a boolean
                self._fail(at, "only phrases; write a bare no, yes, on or off as 'no'", phrase)
            if language == 'zh' and not is_chinese(phrase):
                self._fail(at, 'phrases with Chinese characters', phrase)
            if language == 'en' and (is_chinese(phrase) or not words_of(phrase)):
                self._fail(at, 'phrases of English words', phrase)
        return tuple(value)

    def _refuse_shared(self, labels: Mapping[str, LabelRule], ignored: tuple[str, ...]) -> None:
        owner: dict[object, str] = {}
        listed = [(f'labels.{rule.label}', (*rule.en, *rule.zh)) for rule in labels.values()]
        for at, phrases in [*listed, ('ignore', ignored)]:
            for phrase in phrases:
                key: object = phrase if is_chinese(phrase) else words_of(phrase)
                if key in owner:
                    self._fail(at, f'phrases listed once, but {owner[key]} has this too', phrase)
                owner[key] = at

    def _mapping(self, value: Any, at: str, known: set[str]) -> dict[str, Any]:
        if not isinstance(value, dict):
            self._fail(at or 'top level', f'a mapping with keys of {sorted(known)}', value)
        for key in value:
            if key not in known:
                self._fail(f'{at}.{key}' if at else str(key),
                           f'only the keys {", ".join(sorted(known))}', key)
        return value

    def _number(self, value: Any, at: str, *, minimum: float, whole: bool = False) -> Any:
        kinds = (int,) if whole else (int, float)
        # written as "not >=", so that NaN fails too; no timer may be longer than a year
        if isinstance(value, bool) or not isinstance(value, kinds) or not (
                minimum <= value <= 31_536_000):
            wanted = 'a whole number' if whole else 'a number'
            self._fail(at, f'{wanted} of at least {minimum:g}', value)
        return value

    def _name(self, enum: type[_Named], value: Any, at: str) -> _Named:
        if not isinstance(value, str) or value not in enum.__members__:
            self._fail(at, f'one of {", ".join(enum.__members__)}', value)
        return enum[value]

    def _fail(self, at: str, expected: str, got: Any) -> NoReturn:
        raise ConfigurationError(
            f'{self._source}: {at}: expected {expected}, got {got!r}; change the file')


_TIMING_KEYS = tuple(field.name for field in fields(Timing))
