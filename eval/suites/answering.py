"""
Puts items to the model as a live source would, and takes what it answers.

Owns the protocol: a recording plays into the running lane, seconds of room behind it, and
whatever the lane says until then is the answer; a written question is the lane's instruction.
Several items may play in one stream, one after the other in one context, so that what an item
costs the next one shows. The context is as bounded as on the robot.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from audio_interaction_ros.config import LaneConfig, resolve_lanes
from audio_interaction_ros.runtimes.base import Runtime
from eval.hearing.listener import Listener
from eval.hearing.record import Hearing
from eval.suites.items import Answered, Said, SuiteItem
from eval.suites.offline import answer_offline
from eval.suites.questions import phrase_question, read_recording
from held_out.clips import RATE
from measure import report

__all__ = ['Asking', 'answer_all']

ROOM_S = 2.0
"""Silence behind a recording, in which a late answer still counts."""


class Asking(NamedTuple):
    """How items are asked."""

    lane: LaneConfig
    cache: Path
    """File of what was heard, so that a run goes on where it stopped."""
    variant: str
    in_one_stream: int = 1
    """So many items play one after the other."""
    background: np.ndarray | None = None
    """Samples [n] at 16 kHz that play behind everything, over and over."""
    second_pass: Any = None
    """What reads finished transcripts again (runtimes.base.Transcriber)."""
    protocol: str = 'streaming'
    """streaming, or offline: the whole recording, then the answer (eval.suites.offline)."""


def answer_all(runtime: Runtime, items: Sequence[SuiteItem], asking: Asking) -> list[Answered]:
    """Return every item with what was answered to it, in order."""
    if asking.protocol == 'offline':
        return answer_offline(runtime, items, _resolve(runtime, asking.lane), asking.cache,
                              asking.variant)
    answered: list[Answered] = []
    listener = Listener(runtime, (asking.lane,), cache=asking.cache, variant=asking.variant,
                        second_pass=asking.second_pass)
    with report.progress_bar() as bar:
        task = bar.add_task('asking', total=len(items))
        for group in _group(items, asking.in_one_stream):
            lane = _instruct(asking.lane, group[0])
            asked = listener if lane is asking.lane else listener.with_lanes((lane,))
            answered += _ask(asked, lane.name, group, asking.background)
            bar.advance(task, len(group))
    return answered


def _resolve(runtime: Runtime, lane: LaneConfig) -> LaneConfig:
    return resolve_lanes((lane,), runtime.config.lanes)[0]


def _group(items: Sequence[SuiteItem], size: int) -> Iterator[Sequence[SuiteItem]]:
    """Yield what plays in one stream; items with instructions of their own play alone."""
    size = 1 if any(item.choices for item in items) else max(1, size)
    for at in range(0, len(items), size):
        yield items[at:at + size]


def _instruct(lane: LaneConfig, item: SuiteItem) -> LaneConfig:
    """Return the lane that an item is put to: a written question is its instruction."""
    if not item.choices or item.groups.get('asked by'):
        return lane
    return replace(lane, prompt=phrase_question(item))


def _ask(listener: Listener, lane: str, group: Sequence[SuiteItem],
         background: np.ndarray | None) -> Iterator[Answered]:
    parts = [read_recording(item) for item in group]
    room = np.zeros(round(ROOM_S * RATE), np.float32)
    ends = np.cumsum([len(part) + len(room) for part in parts]) / RATE
    samples = np.concatenate([piece for part in parts for piece in (part, room)])
    if background is not None:
        samples = samples + np.resize(background, len(samples))
    hearing = listener.hear('+'.join(item.id for item in group), samples)
    for item, part, begin, end in zip(group, parts, (0.0, *ends[:-1]), ends, strict=True):
        said = _find_said(hearing, lane, begin, end)
        yield Answered(item=item, said=said, seconds=len(part) / RATE,
                       text=' '.join(reply.final or reply.text for reply in said))


def _find_said(hearing: Hearing, lane: str, begin: float, end: float) -> tuple[Said, ...]:
    return tuple(Said(reply.at - begin, reply.text.strip(), (reply.final or '').strip())
                 for reply in hearing.replies_of(lane)
                 if begin < reply.at <= end and (reply.final or reply.text).strip())
