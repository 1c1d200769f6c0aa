"""
How heads fare on collections of recordings that they never heard, as a robot's home is one.

Folds part recordings, but those of one data set or game share microphones, codecs and the way they
were cut, so a head that is judged by folds looks better than it is at another place. Here a
net learns nothing where a recording of some collections sounds, and judges these. Owns which
collections are left out together, and the rows that are compared; ``helpers.Shares`` was chosen
by them. Knows no file of a run but the manifest of the recordings.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from audio_interaction_ros.protocol import CHUNK_S
from held_out.clips import read_manifest
from train.sound_head.ablations import make_table, say_rows
from train.sound_head.baselines import Branch
from train.sound_head.calibration import fit_calibration
from train.sound_head.checks import CONDITIONS
from train.sound_head.choose import detection_of_alerts
from train.sound_head.clips import FOLDS
from train.sound_head.curves import CheckedStream
from train.sound_head.dataset import Stream
from train.sound_head.fit import score_streams
from train.sound_head.forms import FORMS, Form
from train.sound_head.heads import HeadPlan, Training
from train.sound_head.helpers import Helpers, Shares
from train.sound_head.promised import compare_ways, say_ways

__all__ = ['compare_across', 'group_of', 'weigh_without']

GROUPS = (('karolpiczak/ESC-10', 'ESC-50'), ('Fris0uman/CDDA-Soundpacks',),
          ('makeabilitylab/ProtoSound',), ('AntumMT/mod-sounds', 'minetest/minetest_game'))
"""By the beginnings of their sources; all other collections are one group more."""
LATELY_S = 2.4
"""So long after its end an event is still heard by the context of a head."""
SHARES = {'head 0.6, branch 0.3, YAMNet 0.1': Shares(),
          **{f'head {1 - share:.1f}, YAMNet {share:.1f}':
             Shares(head=1 - share, branch=0.0, tagger=share)
             for share in (0.0, 0.1, 0.3, 0.5, 0.7)},
          'head 0.4, branch 0.3, YAMNet 0.3': Shares(head=0.4, branch=0.3, tagger=0.3),
          'thirds': Shares(head=1 / 3, branch=1 / 3, tagger=1 / 3)}
"""The first, which ships, is what the gains of the others are over."""
HALF = 'head 0.5, YAMNet 0.5'
"""With these shares the forms of detection are compared."""


def group_of(source: str) -> int:
    """Return the number of the group of collections that a source is of, below FOLDS."""
    return next((number for number, own in enumerate(GROUPS) if source.startswith(own)),
                len(GROUPS))


def compare_across(training: Training, plan: HeadPlan, branch: Branch, data: Path,
                   report: Callable[[str], None]) -> dict[str, Any]:
    """
    Return and tell two tables of the head and YAMNet's classes with several shares.

    ``parts`` has the columns of the ablations, ``rates`` recall at equal promised rates, of half
    of each with every form of detection as well.

    Fits a net as ``plan`` for each group. Neither the group nor one fold of all other sounds is
    learned from, and these are scored. The branch heard all collections: its rows flatter it.
    """
    groups = {row['path']: group_of(row.get('source', '')) for row in read_manifest(data)}
    streams, logits = list[Stream](), list[np.ndarray]()
    for number in range(FOLDS):
        net = replace(training, weights=weigh_without(training, number, groups)).fit(
            replace(plan, name=f'across-{number}', without=number), report)
        own = [stream for stream in training.dataset.streams
               if stream.kind not in training.composed and _part_of(stream, groups) == number]
        streams += own
        logits += score_streams(net, training.dataset, own)
    rows = _share_out(training, branch, streams, logits)
    parts = make_table(training, rows, streams, branch)
    rates = compare_ways(_find_ways(training, rows, streams), training.classes,
                         detection_of_alerts())
    report(f'{say_rows(parts)}\n\n{say_ways(rates)}')
    return {'parts': parts, 'rates': rates}


def _find_ways(training: Training, rows: Mapping[str, Sequence[np.ndarray]],
               streams: Sequence[Stream]) -> dict[str, tuple[list[CheckedStream], Form]]:
    """Return each row calibrated, with today's form, and one of them with all forms."""
    targets = [training.dataset.targets[stream.places].numpy() for stream in streams]
    checked = {}
    for name, logits in rows.items():
        calibration = fit_calibration(np.concatenate(logits), np.concatenate(targets))
        checked[name] = [CheckedStream(stream, calibration.apply(one), target)
                         for stream, one, target in zip(streams, logits, targets, strict=True)]
    return {**{name: (own, Form()) for name, own in checked.items()},
            **{f'{HALF}; {said}': (checked[HALF], form) for said, form in FORMS.items()}}


def weigh_without(training: Training, number: int, groups: Mapping[str, int]) -> Tensor:
    """Return the weight of each chunk: 0 where a recording of a group is, or was lately, heard."""
    given = training.weights
    weights = torch.ones(len(training.dataset.targets)) if given is None else given.clone()
    for stream in training.dataset.streams:
        for event in stream.events:
            if groups.get(event.path) == number:
                last = math.ceil((event.end + LATELY_S) / CHUNK_S)
                weights[stream.places][int(event.start / CHUNK_S):last] = 0.0
    return weights


def _part_of(stream: Stream, groups: Mapping[str, int]) -> int:
    """Return which net scores a stream: that without its group, or its fold."""
    if stream.kind in CONDITIONS:
        return groups.get(stream.events[0].path, stream.fold)
    return stream.fold


def _share_out(training: Training, branch: Branch, streams: Sequence[Stream],
               logits: Sequence[np.ndarray]) -> dict[str, list[np.ndarray]]:
    """Return the logits of each row."""
    targets = [training.dataset.targets[stream.places].numpy() for stream in streams]
    own = fit_calibration(np.concatenate(logits), np.concatenate(targets))
    calibrated = [one * own.scale + own.shift for one in logits]
    rows = {}
    for name, shares in SHARES.items():
        helpers = Helpers(branch, training.tagger, training.classes, shares)
        rows[name] = [helpers.join(one, training.dataset.embeddings[stream.places])
                      for one, stream in zip(calibrated, streams, strict=True)]
    return rows
