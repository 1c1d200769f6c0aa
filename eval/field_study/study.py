"""
The recordings of a study: which scene each belongs to, and what was due in it.

Owns how a label file becomes due events: every alert, transcript, translation and reply that it
expects at a time and does not call optional. Whether anything of that kind came then is what a
trigger is; whether it was also right says the whole label.
"""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from audio_interaction_ros.cli.recording import open_recording
from audio_interaction_ros.replay.corpus import Case, find_cases
from audio_interaction_ros.replay.expectation import Expectation, Expected
from held_out.clips import MaterialError, join_blocks

__all__ = ['DECIDED', 'Recording', 'loosen', 'read_study']

DECIDED = ('transcript', 'translation', 'reply', 'alert')
"""Kinds that are decisions of the assistant; sounds are only told."""


@dataclass(frozen=True)
class Recording:
    """One recording with its labels."""

    name: str
    scene: str
    """What stands in its name before the first dash: S2 of S2-01."""
    samples: np.ndarray
    """[n] float32 at 16 kHz."""
    labels: Expectation


def read_study(folder: Path) -> list[Recording]:
    """
    Return the recordings of a folder in the order of names: bags or sound files with labels.

    Raises MaterialError for one without any event that is due, and what find_cases raises.
    """
    return [_read_recording(case) for case in find_cases(folder)]


def _read_recording(case: Case) -> Recording:
    name = Path(case.name).name
    samples = join_blocks(list(open_recording(case.recording, case.expectation.topic)),
                          case.recording)
    due = tuple(_list_due(case.expectation))
    if not due and not case.expectation.nothing_else:
        raise MaterialError(f'{case.recording}: expected labels of what is due in it, or '
                            'nothing_else where nothing is, found neither; correct its '
                            '.expect.yaml')
    return Recording(name, name.partition('-')[0], samples,
                     replace(case.expectation, expect=due + tuple(
                         one for one in case.expectation.expect if one.optional)))


def _list_due(labels: Expectation) -> list[Expected]:
    return [one for one in labels.expect
            if one.kind in DECIDED and one.at is not None and not one.optional]


def loosen(labels: Expectation) -> Expectation:
    """Return labels that anything of the right kind at the right time fulfils."""
    return replace(labels, nothing_else=DECIDED, never=(), expect=tuple(
        replace(one, label='', severity=None, text=None, wer=None, pattern='', language='',
                intent='', slots={}) for one in labels.expect))
