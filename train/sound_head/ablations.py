"""
One table of what the head owes to its parts, on the recordings that are put aside.

Owns the figures of a row: average precision, and recall of events, rightly named, at the threshold
that one stream without an alert in fourteen reaches. Every row gets a scale and a shift per class,
chosen on these very streams, which flatters all rows alike.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from train.sound_head.alarms import series_of
from train.sound_head.baselines import Branch, branch_logits, tagger_logits
from train.sound_head.calibration import fit_calibration
from train.sound_head.checks import CONDITIONS
from train.sound_head.classes import SoundClasses
from train.sound_head.curves import RULES, CheckedStream
from train.sound_head.dataset import Stream
from train.sound_head.heads import HeadPlan, Training, mean_precision
from train.sound_head.net import HeadShape

__all__ = ['LACKING', 'make_table', 'plan_ablations', 'row_of', 'say_rows']

FALSE_SHARE = 0.07
TABLED_RULES = ('1 of 1', '2 of 3')
LACKING = ('lacks-yamnet', 'lacks-whisper', 'lacks-context')


def plan_ablations(shape: HeadShape, plan: HeadPlan) -> list[HeadPlan]:
    """Return heads that each lack one part, fitted as ``plan`` is."""
    shapes = (replace(shape, use_tagger=False), replace(shape, use_levels=False),
              replace(shape, context=1))
    return [replace(plan, name=name, shape=lacking)
            for name, lacking in zip(LACKING, shapes, strict=True)]


def make_table(training: Training, heads: Mapping[str, Sequence[np.ndarray]],
               streams: Sequence[Stream], branch: Branch | None) -> dict[str, dict[str, float]]:
    """Return the figures by row: heads with their logits, and what stands beside them."""
    embeddings = [training.dataset.embeddings[stream.places] for stream in streams]
    rows = {name: list(logits) for name, logits in heads.items()}
    yamnet = [tagger_logits(heard, training.tagger, training.classes) for heard in embeddings]
    rows['yamnet'] = yamnet
    if branch:
        said = [branch_logits(heard, branch, training.classes) for heard in embeddings]
        rows['branch'] = said
        rows['branch + yamnet'] = [one + other for one, other in zip(said, yamnet, strict=True)]
    return {name: row_of(logits, training, streams) for name, logits in rows.items()}


def row_of(logits: Sequence[np.ndarray], training: Training,
           streams: Sequence[Stream]) -> dict[str, float]:
    """Return the figures of logits [chunks, classes] of each stream."""
    classes, alerts = training.classes, range(len(training.classes.alerts))
    targets = [training.dataset.targets[stream.places].numpy() for stream in streams]
    together, truth = np.concatenate(logits), np.concatenate(targets)
    calibration = fit_calibration(together, truth)
    checked = [CheckedStream(stream, calibration.apply(one), target)
               for stream, one, target in zip(streams, logits, targets, strict=True)]
    quiet = [one for one in checked if one.stream.kind not in CONDITIONS]
    figures = {'AP alerts': mean_precision(together, truth, alerts),
               'AP all': mean_precision(together, truth, range(len(classes.names)))}
    for rule in TABLED_RULES:
        hits, of = RULES[rule]
        loudest = [max(float(series_of(one.scores[:, column], hits, of).max()) for column in alerts
                       if (one.targets[:, column] == 0).all()) for one in quiet]
        threshold = float(np.quantile(loudest, 1 - FALSE_SHARE))
        for kind in CONDITIONS:
            figures[f'recall {kind}, {rule}'] = _mean_recall(
                [one for one in checked if one.stream.kind == kind], classes, threshold, hits, of)
    return {name: round(value, 3) for name, value in figures.items()}


def _mean_recall(checked: Sequence[CheckedStream], classes: SoundClasses, threshold: float,
                 hits: int, of: int) -> float:
    """Return the mean over classes of the share of their recorded events that are heard."""
    by_class: dict[str, list[bool]] = {}
    for one in checked:
        name = classes.name_of(one.stream.events[0].label)
        scores = one.scores[:, classes.names.index(name)]
        by_class.setdefault(name, []).append(
            float(series_of(scores, hits, of).max()) >= threshold)
    return float(np.mean([np.mean(heard) for heard in by_class.values()])) if by_class else 0.0


def say_rows(table: Mapping[str, Mapping[str, float]]) -> str:
    """Return the table as Markdown."""
    columns = list(next(iter(table.values())))
    lines = ['| | ' + ' | '.join(columns) + ' |', '|---|' + '---:|' * len(columns)]
    lines += [f'| {name} | ' + ' | '.join(f'{row[column]:.3f}' for column in columns) + ' |'
              for name, row in table.items()]
    return '\n'.join(lines)
