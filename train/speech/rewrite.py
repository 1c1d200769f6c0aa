"""
A language model as the rewriter of spoken style, behind any OpenAI-compatible endpoint.

Owns what is asked and what counts as an answer (arXiv 2606.05121, text to speech). The rules of
train.speech.style run over whatever comes back, and alone where nothing usable does.
"""

from dataclasses import dataclass, field
from typing import Protocol

from train.responses.language import LanguageModel, UnusableAnswerError
from train.speech.style import Change, Rewritten, to_spoken

__all__ = ['LanguageRewriter', 'Rewriter', 'RuleRewriter']

SYSTEM = """You rewrite text so that it can be read aloud. Write out numbers, abbreviations and
symbols in words, remove markup, replace code of more than three lines by a short phrase that it
is left out. Leave text that already reads well exactly as it is; add nothing, drop nothing, do
not translate. changes lists every replacement. Answer with JSON only."""
SCHEMA = {
    'type': 'object', 'additionalProperties': False, 'required': ['text', 'changes'],
    'properties': {
        'text': {'type': 'string'},
        'changes': {'type': 'array', 'items': {
            'type': 'object', 'additionalProperties': False, 'required': ['before', 'after'],
            'properties': {'before': {'type': 'string'}, 'after': {'type': 'string'}}}}}}
LONGER = 4.0
"""A rewriting that is so many times longer, or shorter, is not one."""


class Rewriter(Protocol):
    """Turns written into spoken text."""

    def rewrite(self, text: str, language: str) -> Rewritten:
        """Return the spoken text and what was changed."""
        ...


class RuleRewriter:
    """The rules alone."""

    def rewrite(self, text: str, language: str) -> Rewritten:
        """Return what the rules make of a text."""
        return to_spoken(text, language)


@dataclass(frozen=True, kw_only=True)
class LanguageRewriter:
    """A language model, then the rules."""

    model: LanguageModel
    attempts: int = 2
    rules: RuleRewriter = field(default_factory=RuleRewriter)

    def rewrite(self, text: str, language: str) -> Rewritten:
        """Return what the model makes of a text; what the rules do where it does not answer."""
        for seed in range(self.attempts):
            try:
                answer = self.model.ask(SYSTEM, text, SCHEMA, seed=seed)
                said = self._read(answer, text)
            except UnusableAnswerError:
                continue
            rest = self.rules.rewrite(said.text, language)
            return Rewritten(text=rest.text, changes=(*said.changes, *rest.changes))
        return self.rules.rewrite(text, language)

    @staticmethod
    def _read(answer: dict, text: str) -> Rewritten:
        said = answer['text']
        if not isinstance(said, str) or not said.strip():
            raise UnusableAnswerError('expected a text, got none; ask again')
        if not 1 / LONGER <= len(said) / len(text) <= LONGER and len(text) < 200:
            raise UnusableAnswerError(f'expected a text of like length, got {said!r}; ask again')
        try:
            changes = tuple(Change(rule='model', before=str(change['before']),
                                   after=str(change['after'])) for change in answer['changes'])
        except (KeyError, TypeError) as error:
            raise UnusableAnswerError(f'expected changes, got {answer["changes"]!r}; ask again'
                                      ) from error
        return Rewritten(text=said, changes=changes if said != text else ())
