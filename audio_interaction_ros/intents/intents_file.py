"""
The file of intents as it is written: what may be said, and what is answered.

Owns the format of ``config/intents.yaml`` and refuses everything that is not in it, naming the
file and the key. Each class below is one mapping of the file.
"""

import string
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from audio_interaction_ros.errors import ConfigurationError
from audio_interaction_ros.intents.phrase import Element, Gap, write_out
from audio_interaction_ros.intents.words import is_chinese, tokenise
from audio_interaction_ros.strict_yaml import build, read_yaml

__all__ = ['KINDS', 'LANGUAGES', 'IntentRule', 'IntentsFile', 'SlotRule', 'join_files',
           'read_intents']

KINDS = ('urgent', 'order', 'question', 'social')
"""Of several sentences the urgent one is taken, then an order or a question, a greeting last."""
LANGUAGES = ('en', 'zh')
SLOT_KINDS = ('noun', 'name', 'words', 'values', 'number', 'duration', 'time')


def _require(holds: bool, at: str, expected: str, found: object) -> None:
    if not holds:
        raise ConfigurationError(f'{at}: expected {expected}, found {found!r}; change it')


@dataclass(frozen=True, kw_only=True)
class SlotRule:
    """What may stand in a slot."""

    kind: str = 'noun'
    """noun: any thing with its article; name: a noun or bare names; values: those listed; words:
    any, which count less; number; duration; time."""
    values: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Value and the words that mean it: of ``values`` all there are, of ``noun`` and
    ``name`` some more."""

    def __post_init__(self) -> None:
        """Refuse an unknown kind, and values without words."""
        _require(self.kind in SLOT_KINDS, 'kind', f'one of {", ".join(SLOT_KINDS)}', self.kind)
        _require(bool(self.values) or self.kind != 'values', 'values', 'at least one', {})
        _require(not self.values or self.kind in ('noun', 'name', 'values'), 'values',
                 f'none for the kind {self.kind}', tuple(self.values))
        for name, said in self.values.items():
            _require(bool(name) and bool(said) and all(tokenise(words) for words in said),
                     f'values.{name}', 'words that mean it', said)


@dataclass(frozen=True, kw_only=True)
class IntentRule:
    """One thing that somebody may want: how it is said and what is answered."""

    name: str
    kind: str = 'order'
    """One of KINDS."""
    without_name: bool = False
    """True: it counts also where the robot was not named, as "stop" should."""
    en: tuple[str, ...] = ()
    """English phrases; see intents.phrase."""
    zh: tuple[str, ...] = ()
    answer: Mapping[str, str] = field(default_factory=dict)
    """By language, with {slot} for what was said; none: the intent is told without a sentence."""
    slots: Mapping[str, str] = field(default_factory=dict)
    """Slots with a value that the phrases of this rule always mean: direction: left."""

    def __post_init__(self) -> None:
        """Refuse a rule without phrases, and phrases and answers that do not fit together."""
        _require(bool(self.name.strip()), 'name', 'a name', self.name)
        _require(self.kind in KINDS, 'kind', f'one of {", ".join(KINDS)}', self.kind)
        _require(bool(self.en or self.zh), self.name, 'phrases in en or zh', ())
        for language in LANGUAGES:
            for phrase in self.phrases(language):
                _require(is_chinese(phrase) is (language == 'zh'), f'{self.name}.{language}',
                         'a phrase in that language', phrase)
                self._check_phrase(phrase, language)
        _require(set(self.answer) <= set(LANGUAGES), f'{self.name}.answer',
                 f'answers in {" or ".join(LANGUAGES)}', tuple(self.answer))
        for language in self.answer:
            self._check_answer(language)

    def phrases(self, language: str) -> tuple[str, ...]:
        """Return the phrases in a language."""
        return self.en if language == 'en' else self.zh

    def forms(self, language: str) -> list[tuple[Element, ...]]:
        """Return everything that may be said in a language."""
        return list(dict.fromkeys(form for phrase in self.phrases(language)
                                  for form in write_out(phrase)))

    def _check_phrase(self, phrase: str, language: str) -> None:
        try:
            write_out(phrase)
        except ConfigurationError as error:
            raise ConfigurationError(f'{self.name}.{language}: {error}') from error

    def _check_answer(self, language: str) -> None:
        """Refuse an answer that has a slot which some phrase leaves open."""
        try:
            named = {name for _, name, _, _ in string.Formatter().parse(self.answer[language])
                     if name is not None}
        except ValueError as error:
            raise ConfigurationError(f'{self.name}.answer.{language}: expected {{slot}} for what '
                                     f'was said: {error}; change it') from error
        for form in self.forms(language) if named - set(self.slots) else ():
            said = {part.slot for part in form if isinstance(part, Gap)} | set(self.slots)
            _require(named <= said, f'{self.name}.answer.{language}',
                     f'slots that every phrase has ({", ".join(sorted(said)) or "none"})',
                     self.answer[language])


@dataclass(frozen=True, kw_only=True)
class IntentsFile:
    """All intents and the slots of their phrases."""

    slots: Mapping[str, SlotRule] = field(default_factory=dict)
    intents: tuple[IntentRule, ...] = ()

    def check(self) -> None:
        """Raise ConfigurationError for a phrase with a slot that is not described."""
        for rule in self.intents:
            for language in LANGUAGES:
                for name in _slots_of(rule.forms(language)):
                    _require(name in self.slots, f'intents.{rule.name}.{language}',
                             f'slots out of {", ".join(sorted(self.slots)) or "none"}', name)


def _slots_of(forms: Iterable[tuple[Element, ...]]) -> list[str]:
    return sorted({part.slot for form in forms for part in form if isinstance(part, Gap)})


def read_intents(path: str | Path) -> IntentsFile:
    """Return what a file says; raises ConfigurationError naming the file and the key."""
    return build(IntentsFile, read_yaml(path), str(path))


def join_files(shipped: IntentsFile, own: IntentsFile) -> IntentsFile:
    """
    Return both: rules of a name that ``own`` has replace all those of that name, as slots do.

    One name may stand over several rules of one file, for several answers.
    """
    named = {rule.name for rule in own.intents}
    return IntentsFile(slots={**shipped.slots, **own.slots}, intents=(
        *own.intents, *(rule for rule in shipped.intents if rule.name not in named)))
