"""
Ragged requests as one pass of the static form, whose graph writes each row from one slot on.

Such a graph writes as many positions of every row as the longest has, so a shorter one would be
written over what comes behind it in its ring. Only a row that fills the pass and whose slots
follow each other is written where it belongs. Any other, and an idle lane, is written beyond the
slots of its lane, into the reserve, where it sees itself; a move brings it home after the pass.

Owns write places, mask and moves, the length of a pass, and the cutting of requests that are
longer than the longest pass. Numpy only: the same for every device.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from audio_interaction_ros.runtimes.base import StepRequest
from audio_interaction_ros.runtimes.batch import StepBatch

__all__ = ['UNSEEN', 'Layout', 'Move', 'lay_out', 'pass_length', 'pieces']

UNSEEN = -3e4
"""Added to the score of what is not seen: its share is zero, and float16 can hold it."""


@dataclass(frozen=True)
class Move:
    """Keys and values of one lane that lie in the reserve and belong elsewhere."""

    lane: int
    source: int
    slot: int
    count: int


@dataclass(frozen=True, kw_only=True)
class Layout:
    """Where a pass over all lanes writes, what it sees, and what must be moved after it."""

    write_at: np.ndarray  # [lanes] int64
    mask: np.ndarray  # [lanes, 1, T, slots + reserve], added to scores
    moves: tuple[Move, ...]


def pass_length(count: int, times: Sequence[int]) -> int:
    """Return how many positions a pass has for ``count``: the next of ``times``, else as many."""
    return min((time for time in times if time >= count), default=count)


def lay_out(batch: StepBatch, *, lanes: int, slots: int, total: int, time: int,
            dtype: np.dtype) -> Layout:
    """
    Return the layout of a batch in a pass of ``time`` positions of every lane.

    A lane has ``total`` slots, those from ``slots`` on are the reserve, which ``time`` must fit.
    """
    assert batch.ids.shape[1] <= time <= total - slots, 'expected a reserve that holds a pass'
    write_at = np.full(lanes, slots, np.int64)
    mask = np.full((lanes, 1, time, total), UNSEEN, dtype)
    moves: list[Move] = []
    for row, (lane, request) in enumerate(zip(batch.lanes, batch.requests, strict=True)):
        past = batch.past[row]
        mask[lane, 0, :, :len(past)][:, past] = 0
        if len(request.slots) == time and _follow(request.slots):
            write_at[lane] = request.slots[0]
        else:
            moves += _moves(int(lane), request.slots, slots)
    causal = np.where(np.tri(time, dtype=np.bool_), 0, UNSEEN)
    for lane, first in enumerate(write_at):
        mask[lane, 0, :, first:first + time] = causal
    return Layout(write_at=write_at, mask=mask, moves=tuple(moves))


def _follow(slots: np.ndarray) -> bool:
    return bool((np.diff(slots) == 1).all())


def _moves(lane: int, slots: np.ndarray, reserve: int) -> list[Move]:
    """Return one move for each run of slots that follow each other."""
    ends = [*(np.flatnonzero(np.diff(slots) != 1) + 1).tolist(), len(slots)]
    return [Move(lane, reserve + begin, int(slots[begin]), end - begin)
            for begin, end in zip([0, *ends], ends, strict=False)]


def pieces(request: StepRequest, longest: int) -> list[StepRequest]:
    """
    Return a request as passes of at most ``longest`` positions, to be run one after the other.

    Each sees what came before it, and none what a later one is to write. Reads go to the piece
    that holds them.
    """
    count = len(request.ids)
    if count <= longest:
        return [request]
    visible = np.zeros(max(len(request.visible), 1 + int(request.slots.max())), np.bool_)
    visible[:len(request.visible)] = request.visible
    visible[request.slots] = False
    parts = []
    for begin in range(0, count, longest):
        part = slice(begin, min(begin + longest, count))
        parts.append(_piece(request, part, visible.copy()))
        visible[request.slots[part]] = True
    return parts


def _piece(request: StepRequest, part: slice, visible: np.ndarray) -> StepRequest:
    def within(places: np.ndarray) -> np.ndarray:
        inside: np.ndarray = (places >= part.start) & (places < part.stop)
        return inside

    features, read = within(request.feature_index), request.read[within(request.read)]
    return replace(request, ids=request.ids[part], slots=request.slots[part],
                   positions=request.positions[part], visible=visible,
                   feature_index=request.feature_index[features] - part.start,
                   features=request.features[features], read=read - part.start)
