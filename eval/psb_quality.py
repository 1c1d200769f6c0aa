"""
How good replies to ProactiveSound-Bench are, held against its published standard answers.

The authors score replies with a reranker at 0.5; here a judge says whether a reply means one of
the standard answers, which is another measure and is called so. Owns the file of standard answers.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from eval.psb_rows import BenchmarkClip
from eval.suites.items import Answered, SuiteItem, first_of, read_rows
from eval.suites.judge import PROMPT_VERSION, SAMPLES, Judge
from held_out.clips import MaterialError
from measure.intervals import wilson

__all__ = ['ANSWERS', 'judge_replies', 'read_standard_answers']

ANSWERS = 'proactive_reply_benchmark_response.jsonl'


def read_standard_answers(folder: Path) -> dict[str, tuple[str, ...]]:
    """Return the standard answers by id; MaterialError where the file is not there."""
    path = folder / ANSWERS
    if not path.is_file():
        raise MaterialError(f'{path}: expected the standard answers of ProactiveSound-Bench, '
                            'found none; fetch them from its authors, or leave --judge out')
    return {str(first_of(row, ('id',), where)): tuple(map(str, first_of(
        row, ('standard_answers',), where))) for where, row in read_rows(path)}


def judge_replies(rows: Sequence[BenchmarkClip], replies: Mapping[str, str | None],
                  answers: Mapping[str, Sequence[str]], judge: Judge) -> dict[str, Any]:
    """
    Return how many replies that were due mean a standard answer, and accuracy that asks for that.

    ``replies``: by id what was said, empty for silence, None where nothing legal was predicted.
    """
    due = [row for row in rows if row.respond and replies.get(row.id) and row.id in answers]
    good = {row.id for row in due if judge.is_right(Answered(text=replies[row.id] or '', item=(
        SuiteItem(id=row.id, audio=Path(row.path), references=tuple(answers[row.id]),
                  question=f'What should be said when this is heard: {row.description}?'))))}
    right = [row.id in good if row.respond else replies.get(row.id) == '' for row in rows]
    return {'replies that mean a standard answer': wilson(len(good), len(due)),
            'accuracy, where a reply must mean one': wilson(sum(right), len(rows)),
            'by': f'{judge.name}, prompt {PROMPT_VERSION}, majority of {SAMPLES}'}
