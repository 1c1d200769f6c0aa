"""
The rules file as it is written: phrases, sounds, sentences and times of every label.

Owns the format of ``config/alerts.yaml`` and refuses everything that is not in it, naming the
file and the key. Each class below is one mapping of the file; ``None`` is what is not said there.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

from audio_interaction_ros.alerts.alert import Category, Severity
from audio_interaction_ros.alerts.denial import Answering, Negation
from audio_interaction_ros.alerts.label_rule import Detection, LabelRule, Sentences, Timing
from audio_interaction_ros.alerts.phrase_index import is_chinese, words_of
from audio_interaction_ros.errors import ConfigurationError
from audio_interaction_ros.strict_yaml import build

__all__ = ['RulesFile', 'read_rules_file']

_YEAR_S = 31_536_000
_LEAST = {'min_repeats': 1, 'ttl_s': 0.1}


def read_rules_file(document: Any, source: str) -> 'RulesFile':
    """Return what a document says; raises ConfigurationError naming ``source`` and the key."""
    return build(RulesFile, document, source)


def _require(holds: bool, at: str, expected: str, found: Any) -> None:
    if not holds:
        raise ConfigurationError(f'{at}: expected {expected}, found {found!r}; change it')


def _override(said: Any, inherited: Any) -> Any:
    """Return ``inherited`` with what is said of its fields."""
    given = {item.name: getattr(said, item.name) for item in fields(inherited)}
    return replace(inherited, **{key: value for key, value in given.items() if value is not None})


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
class _Say:
    en: str
    zh: str

    def __post_init__(self) -> None:
        _require(bool(words_of(self.en)) and not is_chinese(self.en), 'en',
                 'an English sentence', self.en)
        _require(is_chinese(self.zh), 'zh', 'a Chinese sentence', self.zh)


@dataclass(frozen=True, kw_only=True)
class _Detect:
    """What of ``Detection`` is said here."""

    hits: int | None = None
    of: int | None = None
    min_s: float | None = None
    max_s: float | None = None
    release: float | None = None
    background: float | None = None
    background_s: float | None = None

    def override(self, inherited: Detection) -> Detection:
        chosen: Detection = _override(self, inherited)
        chosen.with_threshold(1.0)  # raises for numbers that do not fit each other
        return chosen


@dataclass(frozen=True, kw_only=True)
class _Times:
    """What of ``Timing`` is said here."""

    min_repeats: int | None = None
    repeat_window_s: float | None = None
    min_interval_s: float | None = None
    cooldown_s: float | None = None
    ttl_s: float | None = None

    def __post_init__(self) -> None:
        for item in fields(Timing):
            value, least = getattr(self, item.name), _LEAST.get(item.name, 0)
            _require(value is None or least <= value <= _YEAR_S, item.name,
                     f'a number of at least {least}, and no more than a year', value)

    def override(self, inherited: Timing) -> Timing:
        chosen: Timing = _override(self, inherited)
        return chosen


@dataclass(frozen=True, kw_only=True)
class _Defaults(_Times):
    requires_ack_from: Severity = Severity.ERROR
    detect: _Detect = _Detect()


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
    sounds: tuple[str, ...] = ()
    intents: tuple[str, ...] = ()
    say: _Say | None = None
    detect: _Detect | None = None
    covers: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _Times.__post_init__(self)
        _Phrases.__post_init__(self)
        heard = self.sounds + self.intents
        _require(bool(self.all or heard), 'en, zh, sounds or intents',
                 'at least one phrase, sound or intent', ())
        _require(all(self.sounds), 'sounds', 'names of classes', self.sounds)
        _require(all(self.intents), 'intents', 'names of intents', self.intents)
        _require(bool(heard) == (self.say is not None), 'say',
                 'sentences where there are sounds or intents, and only there', heard)
        _require(self.detect is None or bool(self.sounds), 'detect',
                 'this only where there are sounds', self.detect)


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
class _Answering:
    opens: _Phrases = _Phrases()
    before: _Phrases = _Phrases()
    after: _Phrases = _Phrases()

    def to_answering(self) -> Answering:
        return Answering(opens=self.opens.all, before=self.before.all, after=self.after.all)


@dataclass(frozen=True, kw_only=True)
class RulesFile:
    """The whole file."""

    labels: Mapping[str, _Label]
    defaults: _Defaults = _Defaults()
    urgent: _Urgent = _Urgent()
    negation: _Negation = _Negation()
    answering: _Answering = _Answering()
    ignore: _Phrases = _Phrases()
    profiles: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    default_profile: str = ''

    def __post_init__(self) -> None:
        """Check what no part can see alone."""
        _require(bool(self.labels), 'labels', 'at least one label', self.labels)
        for label in (*self.labels, self.urgent.label):
            _require(label.isidentifier(), f'labels.{label}',
                     'a label like smoke_alarm (letters, digits, underscores)', label)
        _require(self.urgent.label not in self.labels, 'urgent.label',
                 'a label that is not under labels', self.urgent.label)
        self._refuse_shared_phrases()
        self._refuse_shared('sounds')
        self._refuse_shared('intents')
        self._check_profiles()
        for label, said in self.labels.items():
            self._check_covers(f'labels.{label}.covers', label, said)
            self._check_detection(f'labels.{label}.detect', said.detect or _Detect())
            self._check_repeats(f'labels.{label}.min_repeats', said)
        self._check_repeats('urgent.min_repeats', self.urgent)

    def _refuse_shared_phrases(self) -> None:
        owner: dict[object, str] = {}
        listed = [(f'labels.{name}', label.all) for name, label in self.labels.items()]
        for at, phrases in [*listed, ('ignore', self.ignore.all)]:
            for phrase in phrases:
                key: object = phrase if is_chinese(phrase) else words_of(phrase)
                _require(key not in owner, at,
                         f'phrases listed once, but {owner.get(key)} has this too', phrase)
                owner[key] = at

    def _refuse_shared(self, key: str) -> None:
        owner: dict[str, str] = {}
        for name, label in self.labels.items():
            for heard in getattr(label, key):
                _require(heard not in owner, f'labels.{name}.{key}',
                         f'{key} listed once, but labels.{owner.get(heard)} has this too', heard)
                owner[heard] = name

    def _check_profiles(self) -> None:
        known = {sound for label in self.labels.values() for sound in label.sounds}
        for profile, thresholds in self.profiles.items():
            at = f'profiles.{profile}'
            _require(profile.isidentifier(), at,
                     'a name like quiet_home (letters, digits, underscores)', profile)
            for sound, threshold in thresholds.items():
                _require(sound in known, at, 'sounds that a label lists', sound)
                _require(0 < threshold <= 1, f'{at}.{sound}', 'a threshold above 0, up to 1',
                         threshold)
        _require(bool(self.profiles) == bool(self.default_profile)
                 and self.default_profile in (*self.profiles, ''), 'default_profile',
                 f'one of the profiles ({", ".join(self.profiles) or "there is none"})',
                 self.default_profile)

    def _check_covers(self, at: str, label: str, said: _Label) -> None:
        for other, seconds in said.covers.items():
            _require(other in self.labels and other != label, at, 'other labels of this file',
                     other)
            _require(self.labels[other].severity <= said.severity, f'{at}.{other}',
                     'a label that is no more severe than the one that covers it',
                     self.labels[other].severity.name)
            _require(label not in self.labels[other].covers, f'{at}.{other}',
                     'a label that does not cover this one in turn', other)
            _require(0 < seconds <= _YEAR_S, f'{at}.{other}', 'seconds above 0', seconds)

    def _check_detection(self, at: str, said: _Detect) -> None:
        try:
            said.override(self.defaults.detect.override(Detection()))
        except ConfigurationError as error:
            raise ConfigurationError(f'{at}: {error}') from error

    def _check_repeats(self, at: str, said: _Times) -> None:
        """Refuse more sightings than can be counted before the first of them is forgotten."""
        timing = self._time(said)
        _require((timing.min_repeats - 1) * timing.min_interval_s <= timing.repeat_window_s, at,
                 f'so many as fit into repeat_window_s ({timing.repeat_window_s:g}) where those '
                 f'sooner than min_interval_s ({timing.min_interval_s:g}) count once',
                 timing.min_repeats)

    def _time(self, said: _Times) -> Timing:
        return said.override(self.defaults.override(Timing()))

    def make_rule(self, label: str, said: _Label | _Urgent) -> LabelRule:
        """Return the rule of a label, with what the defaults say of it."""
        latches = said.severity >= self.defaults.requires_ack_from
        rule = LabelRule(
            label=label, category=said.category, severity=said.severity,
            requires_ack=latches if said.requires_ack is None else said.requires_ack,
            timing=self._time(said))
        if isinstance(said, _Urgent):
            return rule
        inherited = self.defaults.detect.override(Detection())
        return replace(
            rule, en=said.en, zh=said.zh, sounds=said.sounds, intents=said.intents,
            covers=said.covers,
            say=Sentences() if said.say is None else Sentences(en=said.say.en, zh=said.say.zh),
            detect=inherited if said.detect is None else said.detect.override(inherited))
