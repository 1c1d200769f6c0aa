"""
From answers to the figures of a benchmark, with intervals and the trivial baseline beside them.

Owns which rule a suite goes by. What a rule is says ``rules``; a judge is asked only where one is
given, else the figure is left out and said to be.
"""

import math
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any

from eval.suites.items import Answered
from eval.suites.judge import PROMPT_VERSION, SAMPLES, Judge
from eval.suites.lagging import score_streaming
from eval.suites.rules import (
    describe_normaliser,
    has_reference,
    is_mmau_right,
    normalise_english,
)
from measure.intervals import Estimate, bootstrap, wilson
from measure.word_errors import UnderstoodUtterance, word_error_rate

__all__ = ['SD_QA', 'score_closed', 'score_mmau', 'score_open', 'score_sd_qa',
           'score_transcripts', 'score_translations']

SD_QA = 'mean of PEDANT and the judge'
"""What VoiceBench tells of SD-QA."""

_NO_JUDGE = 'not measured: it needs a judge; give --judge ENDPOINT and --judge-model NAME'
_ROUNDS = 200


def score_mmau(answers: Sequence[Answered], judge: Judge | None = None) -> dict[str, Any]:
    """
    Return accuracy in all and by task, difficulty and sub-category; chance; silent items.

    Items without an answer key (all of the large test) count as asked, and as silent.
    """
    known = [one for one in answers if one.item.references]
    figures = _score_shares(known, _is_mmau_right, ('task', 'difficulty', 'sub-category'))
    chance = [1 / len(one.item.choices) for one in known]
    return {**figures, 'items': len(answers), 'silent': _count_silent(answers),
            'chance': sum(chance) / len(chance) if chance else math.nan,
            'without an answer key': len(answers) - len(known)}


def _is_mmau_right(answered: Answered) -> bool:
    return is_mmau_right(answered.text, answered.item.references[0], answered.item.choices)


def score_closed(answers: Sequence[Answered], judge: Judge | None = None) -> dict[str, Any]:
    """Return how many answers hold a reference, by region where there are some."""
    figures = _score_shares(
        answers, lambda one: has_reference(one.text, one.item.references), ('region',))
    figures['protocol'] = 'reference occurs in the answer (UltraEval-Audio)'
    if judge is None:
        return {**figures, 'judged accuracy': _NO_JUDGE}
    said = [judge.is_right(one) for one in answers]
    return {**figures, 'judged accuracy': wilson(sum(vote is True for vote in said), len(said)),
            'judge': f'prompt {PROMPT_VERSION}, majority of {SAMPLES}',
            'without a verdict': sum(vote is None for vote in said)}


def score_sd_qa(answers: Sequence[Answered], judge: Judge | None = None) -> dict[str, Any]:
    """Return what ``score_closed`` does, and that VoiceBench's own figure needs its script."""
    return {**score_closed(answers, judge),
            SD_QA: "not measured: run VoiceBench's scripts on sd-qa.voicebench.jsonl"}


def score_open(answers: Sequence[Answered], judge: Judge | None = None) -> dict[str, Any]:
    """Return the mean mark, 1 to 5, of answers to open questions."""
    figures: dict[str, Any] = {'items': len(answers), 'silent': _count_silent(answers)}
    if judge is None:
        return {**figures, 'mark': _NO_JUDGE}
    marks = [mark for mark in map(judge.rate, answers) if mark is not None]
    return {**figures, 'mark': bootstrap(marks, lambda drawn: sum(drawn) / len(drawn)),
            'judge': f'prompt {PROMPT_VERSION}, mean of {SAMPLES}',
            'without a verdict': len(answers) - len(marks)}


def score_transcripts(answers: Sequence[Answered], judge: Judge | None = None) -> dict[str, Any]:
    """Return the word error rate, drawn by speaker; always silent has 1."""
    said = [UnderstoodUtterance(one.item.references[0], one.text, one.item.groups['speaker'])
            for one in answers]
    return {'items': len(answers), 'silent': _count_silent(answers),
            'word error rate': word_error_rate(said, normalise_english), 'always silent': 1.0,
            'rule': describe_normaliser(),
            **score_streaming(answers, by_letter=False)}


def score_translations(answers: Sequence[Answered], judge: Judge | None = None) -> dict[str, Any]:
    """Return BLEU as sacrebleu has it, ``zh`` into Chinese and ``13a`` into English."""
    import sacrebleu

    into_chinese = answers[0].item.groups['direction'].startswith('en_')
    metric = sacrebleu.BLEU(tokenize='zh' if into_chinese else '13a', effective_order=False)

    def corpus_bleu(drawn: Sequence[Answered]) -> float:
        return float(metric.corpus_score([one.text for one in drawn],
                                         [[one.item.references[0] for one in drawn]]).score)
    bleu = bootstrap(list(answers), corpus_bleu, rounds=_ROUNDS)
    return {'items': len(answers), 'silent': _count_silent(answers), 'BLEU': bleu,
            'signature': str(metric.get_signature()),
            **score_streaming(answers, by_letter=into_chinese)}


def _score_shares(answers: Sequence[Answered], is_right: Callable[[Answered], bool],
                  breakdowns: Sequence[str]) -> dict[str, Any]:
    figures: dict[str, Any] = {
        'items': len(answers), 'silent': _count_silent(answers),
        'accuracy': wilson(sum(map(is_right, answers)), len(answers))}
    for name in breakdowns:
        parts: dict[str, list[bool]] = defaultdict(list)
        for one in answers:
            if one.item.groups.get(name):
                parts[one.item.groups[name]].append(is_right(one))
        if parts:
            figures[f'by {name}'] = {part: wilson(sum(right), len(right))
                                     for part, right in sorted(parts.items())}
    return figures


def _count_silent(answers: Sequence[Answered]) -> Estimate:
    """Return how many items got no answer at all: what the paper calls collapse."""
    return wilson(sum(not one.text for one in answers), len(answers))
