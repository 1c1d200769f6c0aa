"""
Recordings to hear in two precisions: a folder of a user's own, or what `python -m eval` holds out.

Owns the layout of a folder: ``clips.csv`` with the columns ``file`` (in that folder), ``text``
(what is said, in English; empty: words are not scored), ``alert`` (labels of config/alerts.yaml,
any of which is right; ``none``: none is due; empty: not scored) and, if wanted, ``group`` (speaker
or source: clips of one group are not independent). Samples are read when they are asked for.
"""

import csv
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from eval.scenes import ScenePlan, background_plans, event_plans
from eval.speech_clips import LEAD_S, choose_clips, read_speech
from held_out.classes import robot_rules
from held_out.clips import RATE, MaterialError, load, read_held_out

__all__ = ['TABLE', 'Clip', 'from_evaluation', 'from_folder']

TABLE = 'clips.csv'
_TAIL_S = 2.4


@dataclass(frozen=True, kw_only=True)
class Clip:
    """One recording and what is known of it."""

    name: str
    group: str
    make: Callable[[], np.ndarray]
    """Return mono float32 [n] at 16 kHz, silence before and after included."""
    text: str = ''
    """What is said; empty: words are not scored."""
    alerts: frozenset[str] | None = None
    """Labels any of which is right; none of them: no alert is due; None: not scored."""


def from_folder(folder: Path) -> list[Clip]:
    """Return the clips of a folder; MaterialError names file and line."""
    path = folder / TABLE
    if not path.is_file():
        raise MaterialError(f'{folder}: expected a folder with {TABLE} (file,text,alert), found '
                            'none; write one line for each recording')
    with path.open(newline='', encoding='utf-8-sig') as file:
        table = csv.DictReader(file)
        if missing := {'file', 'text', 'alert'} - set(table.fieldnames or ()):
            raise MaterialError(f'{path}:1: expected the columns file, text and alert, found no '
                                f'{", ".join(sorted(missing))}; correct the first line')
        clips = [_clip(folder, row, f'{path}:{table.line_num}') for row in table]
    if not clips:
        raise MaterialError(f'{path}: expected a line for each recording, found none')
    return clips


def _clip(folder: Path, row: dict[str, str | None], where: str) -> Clip:
    file, text, alert = ((row[key] or '').strip() for key in ('file', 'text', 'alert'))
    path, labels = folder / file, frozenset(alert.split()) - {'none'}
    if not path.is_file():
        raise MaterialError(f'{where}: expected a recording, found no {path}; correct the table')
    if unknown := labels - set(robot_rules().labels):
        raise MaterialError(f'{where}: expected labels of config/alerts.yaml or none, found '
                            f'{", ".join(sorted(unknown))}; correct the table')
    return Clip(name=file, group=(row.get('group') or '').strip() or file, text=text,
                alerts=labels if alert else None, make=lambda: _padded(load(path)))


def _padded(samples: np.ndarray) -> np.ndarray:
    """Return samples between silences: a clip that is cut off has no time to be answered in."""
    return np.pad(samples, (round(LEAD_S * RATE), round(_TAIL_S * RATE)))


def from_evaluation(folder: Path, *, per_kind: int, per_class: int,
                    background_hours: float) -> list[Clip]:
    """
    Return clips of a folder of the evaluation that no training took.

    So many utterances of each kind of speech that has a text, so many recordings of each sound
    that ought to be answered, dry, and backgrounds in which nothing is due.
    """
    items = read_held_out(folder)
    speech = [Clip(name=one.name, group=one.group, text=one.text,
                   make=lambda path=one.path: _padded(load(path)))  # type: ignore[misc]
              for one in choose_clips(read_speech(items), per_kind, 0)]
    clips = [*speech,
             *_scenes(event_plans(items, robot_rules(), snrs=[None], per_class=per_class))]
    if background_hours > 0:
        clips += _scenes(background_plans(items, background_hours, which='test'))
    if not clips:
        raise MaterialError(f'{folder}: expected clips that no training took, found none')
    return clips


def _scenes(plans: Sequence[ScenePlan]) -> Iterator[Clip]:
    for plan in plans:
        scene = plan.make()
        accepted = frozenset[str]().union(*(event.accepts for event in scene.events))
        yield Clip(name=scene.name, group=scene.group or scene.name, alerts=accepted,
                   make=lambda plan=plan: plan.make().samples)  # type: ignore[misc]
