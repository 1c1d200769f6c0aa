"""
Scores of ProactiveSound-Bench: what decisions on clips are worth, in all and by domain.

A row without a legal decision is wrong and lowers the coverage that is reported; the official
scorer drops it. A clip that is heard in several streams counts each time, but is drawn once for
intervals. Knows no model.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from eval.psb_rows import BenchmarkClip
from measure import report
from measure.intervals import Estimate, quotients, wilson

__all__ = ['Decided', 'ignore_all', 'print_tables', 'score', 'score_decided', 'score_policies']


@dataclass(frozen=True)
class Decided:
    """One clip that was heard, and what was decided of it."""

    row: BenchmarkClip
    responds: bool | None
    """None: nothing legal, or its audio is missing."""
    place: int = 0
    """Which event of its stream it was, from 0."""

    @property
    def right(self) -> bool:
        """Whether that is what the benchmark wants."""
        return self.responds == self.row.respond


def score(rows: Sequence[BenchmarkClip], decisions: Mapping[str, bool | None]) -> dict[str, Any]:
    """Return the scores of decisions by id; what has none is wrong."""
    return score_decided([Decided(row, decisions.get(row.id)) for row in rows])


def score_policies(rows: Sequence[BenchmarkClip]) -> dict[str, Any]:
    """Return the scores of the two policies that need no ears."""
    return {'always IGNORE': score(rows, {row.id: False for row in rows}),
            'always RESPOND': score(rows, {row.id: True for row in rows})}


def ignore_all(decided: Sequence[Decided]) -> dict[str, Any]:
    """Return the scores of always staying silent on what was heard."""
    return score_decided([replace(one, responds=False) for one in decided])


def score_decided(decided: Sequence[Decided]) -> dict[str, Any]:
    """
    Return accuracy, recall, specificity, F1, coverage; by domain and by place in the stream.

    Beside the accuracy of a domain stands what always staying silent has in it.
    """
    due = [one for one in decided if one.row.respond]
    quiet = [one for one in decided if not one.row.respond]
    said = [one.right for one in decided if one.responds is True]
    return {
        'rows': len(decided),
        'coverage': sum(one.responds is not None for one in decided) / max(1, len(decided)),
        'accuracy': _share_right(decided), 'domains': _split(decided, lambda one: one.row.domain),
        'recall': _share_right(due), 'specificity': _share_right(quiet),
        'recall_by_domain': _split(due, lambda one: one.row.domain),
        'specificity_by_domain': _split(quiet, lambda one: one.row.domain),
        'silent_by_domain': _split([replace(one, responds=False) for one in decided],
                                   lambda one: one.row.domain),
        'by_place': _split(decided, lambda one: one.place + 1),
        'recall_by_place': _split(due, lambda one: one.place + 1),
        'precision': sum(said) / len(said) if said else float('nan'),
        'f1': 2 * sum(said) / (len(said) + len(due)) if said or due else float('nan'),
        'balanced_accuracy': _balance(decided),
        'respond_rate': len(said) / max(1, len(decided))}


def _split(decided: Sequence[Decided], key: Callable[[Decided], Any]) -> dict[Any, Estimate]:
    parts: dict[Any, list[Decided]] = defaultdict(list)
    for one in decided:
        parts[key(one)].append(one)
    return {name: _share_right(parts[name]) for name in sorted(parts)}


def _by_clip(decided: Sequence[Decided]) -> list[list[Decided]]:
    clips: dict[str, list[Decided]] = defaultdict(list)
    for one in decided:
        clips[one.row.id].append(one)
    return list(clips.values())


def _share_right(decided: Sequence[Decided]) -> Estimate:
    """Return the share that is right: Wilson's interval, or drawn by clip where clips recur."""
    clips = _by_clip(decided)
    if len(clips) == len(decided):
        return wilson(sum(one.right for one in decided), len(decided))
    return quotients([sum(one.right for one in clip) for clip in clips], list(map(len, clips)),
                     share=True)


def _balance(decided: Sequence[Decided]) -> Estimate:
    """Return the mean of recall and specificity, with a bootstrap over clips."""
    clips = _by_clip(decided)
    sides = np.array([[len(clip) * clip[0].row.respond, len(clip) * (not clip[0].row.respond)]
                      for clip in clips], float).reshape(-1, 2)
    right = np.array([np.mean([one.right for one in clip]) for clip in clips], float)
    return quotients(sides * right[:, None], sides)


def print_tables(scores: Mapping[str, Any]) -> None:
    """Print the scores in all, and a table by domain for each of them that has ears."""
    report.print_table('ProactiveSound-Bench', ['', 'rows', 'coverage', 'accuracy', 'recall',
                                                'specificity', 'F1', 'balanced accuracy'],
                       [(name, part['rows'], part['coverage'], part['accuracy'], part['recall'],
                         part['specificity'], part['f1'], part['balanced_accuracy'])
                        for name, part in scores.items()])
    for name, part in scores.items():
        if 'quality' in part:
            print(f'{name}, replies: {part["quality"]}')
        if 'always' not in name:
            _print_domains(name, part)


def _print_domains(name: str, part: Mapping[str, Any]) -> None:
    report.print_table(f'{name}, by domain', [
        '', 'accuracy', 'always IGNORE', 'recall', 'specificity', 'clips'],
        [(domain, accuracy, part['silent_by_domain'][domain].value,
          part['recall_by_domain'].get(domain), part['specificity_by_domain'].get(domain),
          accuracy.n) for domain, accuracy in part['domains'].items()])
    if len(part['by_place']) > 1:
        for what, key in (('accuracy', 'by_place'), ('recall', 'recall_by_place')):
            print(f'{name}, {what} by place in the stream: ' + ', '.join(
                f'{place}: {share}' for place, share in part[key].items()))
