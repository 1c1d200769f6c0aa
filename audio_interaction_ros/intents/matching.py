"""
What somebody wants, from the text that was read.

Owns how sure an intent is and which one of several sentences is taken. Works on any text; a text
in which a number or a negation is in doubt has no intent.
"""

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from audio_interaction_ros.intents.alignment import Alignment, Skipper, align
from audio_interaction_ros.intents.intents_file import (
    KINDS,
    LANGUAGES,
    IntentRule,
    IntentsFile,
)
from audio_interaction_ros.intents.phrase import Element, Gap
from audio_interaction_ros.intents.slots import SlotReader, mirror
from audio_interaction_ros.intents.words import (
    ARTICLES,
    are_alike,
    is_chinese,
    is_negation,
    split_sentences,
    tokenise,
)

__all__ = ['Intent', 'IntentMatcher', 'reader_factor']

LONGEST_SENTENCE = 40
"""Tokens; nobody orders a robot about in more of them."""
_EXACT_SLOTS = frozenset(('number', 'duration', 'time'))
_BETWEEN_CLAUSES = re.compile(r'\s*[,;，；、]\s*|\s+(?:and|but|then)\s+', re.IGNORECASE)
_NO_BUT = re.compile(r'^\s*no\s*[,:\u2014-]\s*', re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class Intent:
    """What somebody wants."""

    name: str
    kind: str
    """urgent, order, question or social."""
    confidence: float
    """0 to 1: the share of the sentence that a phrase explains, and how surely it was read."""
    language: str
    """en or zh: of the phrase."""
    slots: Mapping[str, str] = field(default_factory=dict)
    """What it is about: place: kitchen; a number in digits."""
    answer: str = ''
    """What is answered; empty where the file has no sentence."""
    without_name: bool = False
    """It counts also where the robot was not named."""


@dataclass(frozen=True)
class _Form:
    parts: tuple[Element, ...]
    rule: IntentRule
    language: str
    words: frozenset[str]
    """Those without which the form fits nothing."""
    exact: bool


def reader_factor(word_confidence: float) -> float:
    """
    Return by how much a reader's confidence (0 to 1) lowers that of an intent; NaN: not at all.

    The root, as a reader that is right about every word is seldom surer than 0.8 of all of them.
    """
    return 1.0 if math.isnan(word_confidence) else math.sqrt(min(1.0, max(0.0, word_confidence)))


class IntentMatcher:
    """Finds intents in texts; one for a file and the robot's names."""

    def __init__(self, rules: IntentsFile, names: Iterable[str] = ()) -> None:
        """Take rules and names by which the robot is called; ConfigurationError for bad rules."""
        rules.check()
        self.names = frozenset(rule.name for rule in rules.intents)
        """What an intent may be called."""
        self._reader = SlotReader(rules.slots)
        self._skipper = Skipper([tuple(tokenise(name)) for name in names])
        exact = {name for name, slot in rules.slots.items() if slot.kind in _EXACT_SLOTS}
        self._forms = [_prepare(parts, rule, language, exact) for rule in rules.intents
                       for language in LANGUAGES for parts in rule.forms(language)]

    def match(self, text: str, word_confidence: float = math.nan) -> Intent | None:
        """
        Return what a text asks for; None where that is nothing that is known.

        Of several sentences the urgent one counts, then the last order or question, then the last
        greeting; the more of them mean something else, the less sure it is. Of a sentence the
        beginning counts if it is urgent: "stop there and open the door".
        ``word_confidence``: how sure its reader was of the words, NaN: unknown.
        """
        found: dict[int, Intent] = {}
        known, sentences = 0, split_sentences(text)
        for sentence in sentences:
            intent = (self._find_urgent_beginning(sentence, word_confidence)
                      or self._match_sentence(_NO_BUT.sub('', sentence) or sentence,
                                              word_confidence))
            known += intent is not None or self._skipper.is_nothing(tokenise(sentence))
            if intent is not None:
                found[_rank(intent)] = intent
        if not found:
            return None
        best = found[min(found)]
        told = 1.0 if best.kind == 'urgent' else math.sqrt(known / len(sentences))
        return replace(best, confidence=best.confidence * told)

    def _find_urgent_beginning(self, sentence: str, word_confidence: float) -> Intent | None:
        """Return what the first clause asks for, where that is urgent and nothing denies it."""
        first, *rest = _BETWEEN_CLAUSES.split(sentence, maxsplit=1)
        if not rest or any(is_negation(token) for token in tokenise(rest[0])):
            return None
        intent = self._match_sentence(first, word_confidence)
        return intent if intent is not None and intent.kind == 'urgent' else None

    def _match_sentence(self, sentence: str, word_confidence: float) -> Intent | None:
        tokens = tokenise(sentence)
        if not tokens or len(tokens) > LONGEST_SENTENCE:
            return None
        best: tuple[Alignment, _Form] | None = None
        for form in self._forms:
            if not _may_fit(form, tokens):
                continue
            fit = align(form.parts, tokens, self._reader, self._skipper)
            if fit is None or form.exact and (fit.extra or fit.misread):
                continue
            if best is None or fit.worth > best[0].worth:
                best = fit, form
        return None if best is None else _make_intent(*best, word_confidence)


def _rank(intent: Intent) -> int:
    """Return the place of an intent's kind, 0 first; an order and a question share theirs."""
    return KINDS.index('order' if intent.kind == 'question' else intent.kind)


def _prepare(parts: tuple[Element, ...], rule: IntentRule, language: str,
             exact: set[str]) -> _Form:
    words = frozenset(part for part in parts if isinstance(part, str) and part not in ARTICLES)
    open_ = {part.slot for part in parts if isinstance(part, Gap)}
    return _Form(parts, rule, language, words, bool(open_ & exact))


def _may_fit(form: _Form, tokens: Sequence[str]) -> bool:
    """Tell quickly whether enough words of a form are there; most are not."""
    missing = form.words.difference(tokens)
    if len(missing) > 1:
        return False
    return not missing or any(are_alike(token, word) for word in missing for token in tokens)


def _make_intent(fit: Alignment, form: _Form, word_confidence: float) -> Intent:
    rule = form.rule
    said = {name: mirror(value.said) for name, value in fit.slots} | dict(rule.slots)
    answer = rule.answer.get(form.language, '').format(**said)
    return Intent(
        name=rule.name, kind=rule.kind, language=form.language, without_name=rule.without_name,
        confidence=min(1.0, fit.coverage * reader_factor(word_confidence)),
        slots={**{name: value.value for name, value in fit.slots}, **rule.slots},
        answer=answer if is_chinese(answer) else answer[:1].upper() + answer[1:])
