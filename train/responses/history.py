"""
History review: a question that only a turn three or more rounds back can answer.

Owns the rules that a question must keep and two who ask: patterns over concrete things that a
person said of themselves, and a language model. Both are checked by the same rules.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from train.responses.language import LanguageModel, UnusableAnswerError
from train.responses.patterns import find_facts

__all__ = ['LEAST_TURNS_BACK', 'P_HISTORY_REVIEW', 'Asker', 'BuiltinAsker', 'LanguageAsker',
           'Review', 'Turn', 'history_review', 'find_review_problems']

P_HISTORY_REVIEW = 0.30
"""Share of dialogues that get a question (the paper's p_hr)."""
LEAST_TURNS_BACK = 3


@dataclass(frozen=True, kw_only=True)
class Turn:
    """One round of a dialogue."""

    user: str
    assistant: str


@dataclass(frozen=True, kw_only=True)
class Review:
    """The question of a new round and what it refers to."""

    question: str
    reference_answer: str
    reference_turn_idx: int
    """Index of the round that holds the answer."""


class Asker(Protocol):
    """Thinks of a question over the rounds of a dialogue."""

    def ask(self, turns: Sequence[Turn], rng: np.random.Generator) -> Review | None:
        """Return a question, None when it finds none."""
        ...


def history_review(turns: Sequence[Turn], rng: np.random.Generator, *,
                   asker: Asker | None = None,
                   probability: float = P_HISTORY_REVIEW) -> Review | None:
    """Return a question to add as a new round: for a share of dialogues, if one can be asked."""
    wanted = rng.random() < probability
    if not wanted or len(turns) < LEAST_TURNS_BACK:
        return None
    review = (asker or BuiltinAsker()).ask(turns, rng)
    return None if review is None or find_review_problems(review, turns) else review


_SCAFFOLD = re.compile(
    r'\b(earlier|previously|before|just now|you (said|told|mentioned)|i (said|told you|mentioned)|'
    r'remember|recall|remind me|our conversation|first (question|turn))\b|'
    r'之前|刚才|刚刚|前面|上次|我说过|你说过|提到|记得|还记不记得', re.IGNORECASE)
_STOP_WORDS = (
    'a an and are as at be been by do does for from had has have he her his i in is it its me my '
    'of on or our she so that the their they this to was we were what when where which who will '
    'with you your 的 了 是 我 你 在 和 有 吗 呢 他 她 它 们 这 那 叫 把 对 到')
_EMPTY = frozenset(_STOP_WORDS.split())


def _content_words(text: str) -> set[str]:
    """Return the words of a text that say something; Chinese counts by character."""
    return set(re.findall(r'[a-z0-9]+|[\u4e00-\u9fff]', text.lower())) - _EMPTY


def find_review_problems(review: Review, turns: Sequence[Turn]) -> list[str]:
    """
    Return which rules a question breaks.

    It refers to a round at least three back, leans on no "earlier you said", and its answer
    names something that stands in that round, in neither of the last two, nor in the question.
    Whether the answer is general knowledge no rule here can tell.
    """
    place = review.reference_turn_idx
    if not 0 <= place <= len(turns) - LEAST_TURNS_BACK:
        return [f'reference_turn_idx {place}: expected 0 to {len(turns) - LEAST_TURNS_BACK}']
    problems = []
    if not review.question.strip() or _SCAFFOLD.search(review.question):
        problems.append('the question is empty or points at what was said')
    told = _content_words(turns[place].user) | _content_words(turns[place].assistant)
    new = _content_words(review.reference_answer) - _content_words(review.question)
    named = new & told
    if not named:
        problems.append('the answer names nothing of that round beyond the question')
    for turn in turns[-2:]:
        if named and named <= _content_words(turn.user) | _content_words(turn.assistant):
            problems.append('the answer stands in one of the last two rounds')
    return problems


class BuiltinAsker:
    """Asks for concrete things that the user said: names, places, times, numbers."""

    def ask(self, turns: Sequence[Turn], rng: np.random.Generator) -> Review | None:
        """Return one of the questions that the rules allow, None when there is none."""
        allowed = [review for review in self.list_candidates(turns)
                   if not find_review_problems(review, turns)]
        return allowed[int(rng.integers(len(allowed)))] if allowed else None

    def list_candidates(self, turns: Sequence[Turn]) -> Iterator[Review]:
        """Yield a question for each fact that is stated once."""
        stated = [(place, fact) for place,
                  turn in enumerate(turns) for fact in find_facts(turn.user)]
        topics = [fact.question for _, fact in stated]
        for place, fact in stated:
            if topics.count(fact.question) == 1:
                yield Review(question=fact.question, reference_answer=fact.answer,
                             reference_turn_idx=place)


_SYSTEM = f"""You add one user question to a spoken dialogue. It can be answered only from a round
that lies at least {LEAST_TURNS_BACK} rounds back: not from general knowledge, and not from the
last two rounds. Ask for a concrete thing: a name, place, number, time or object. Do not write
"earlier you said" or the like; ask plainly, in the language of the dialogue. reference_turn_idx
is the number in front of the round. Answer with JSON only."""
_SCHEMA = {
    'type': 'object', 'additionalProperties': False,
    'required': ['question', 'reference_answer', 'reference_turn_idx'],
    'properties': {'question': {'type': 'string'}, 'reference_answer': {'type': 'string'},
                   'reference_turn_idx': {'type': 'integer'}}}


@dataclass(frozen=True, kw_only=True)
class LanguageAsker:
    """Has a language model ask; what breaks a rule is sent back a few times."""

    model: LanguageModel
    attempts: int = 3

    def ask(self, turns: Sequence[Turn], rng: np.random.Generator) -> Review | None:
        """Return a question that keeps the rules, None when none came."""
        rounds = '\n'.join(f'{i}. user: {turn.user}\n   assistant: {turn.assistant}'
                           for i, turn in enumerate(turns))
        complaint = ''
        for _ in range(self.attempts):
            try:
                answer = self.model.ask(_SYSTEM, rounds + complaint, _SCHEMA,
                                        seed=int(rng.integers(2 ** 31)))
                review = _parse_review(answer)
            except UnusableAnswerError as error:
                complaint = f'\n\nNot usable: {error}'
                continue
            wrong = find_review_problems(review, turns)
            if not wrong:
                return review
            complaint = f'\n\nNot usable: {review.question!r}: {"; ".join(wrong)}. Ask another.'
        return None


def _parse_review(answer: dict) -> Review:
    if not (isinstance(answer['question'], str) and isinstance(answer['reference_answer'], str)
            and type(answer['reference_turn_idx']) is int):
        raise UnusableAnswerError(f'expected two texts and a number, got {answer}; ask again')
    return Review(**answer)
