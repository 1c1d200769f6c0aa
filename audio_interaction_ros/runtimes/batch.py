"""
Ragged requests of several lanes as the rows of one pass, and its results in their order.

Owns padding, masks and the checks that every backend needs alike. Numpy only: a backend lays the
arrays on its device. Knows nothing of layers or caches.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from audio_interaction_ros.runtimes.base import Allowed, StepRequest, StepResult

__all__ = ['StepBatch', 'pack']


@dataclass(frozen=True, kw_only=True)
class StepBatch:
    """
    B requests as rows of T positions, ordered by lane; shorter ones are padded at their end.

    Padded positions have slot ``trash``, which no request names; what they compute is for nobody.
    """

    requests: tuple[StepRequest, ...]
    """Of the rows, in the order of the rows."""
    lanes: np.ndarray  # [B] int64, rising
    ids: np.ndarray  # [B, T] int64
    slots: np.ndarray  # [B, T] int64, cache slots to write
    positions: np.ndarray  # [B, T] int64
    past: np.ndarray  # [B, span] bool, slots of earlier passes that are seen; span may be 0
    _order: tuple[int, ...]

    def features(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """
        Return the features of all requests, and which embeddings they overwrite.

        Rows [F], positions in the rows [F] and features [F, width] float32.
        """
        counts = [len(request.feature_index) for request in self.requests]
        return (np.repeat(np.arange(len(counts)), counts),
                np.concatenate([request.feature_index for request in self.requests],
                               dtype=np.int64),
                np.concatenate([request.features for request in self.requests],
                               dtype=np.float32))

    def overlay(self, embeddings: np.ndarray) -> None:
        """Write the features of all requests into embeddings [B, T, width], in place."""
        rows, places, features = self.features()
        embeddings[rows, places] = features

    def mask(self) -> np.ndarray:
        """
        Return which slots each position sees after the pass has written, [B, 1, T, span'] bool.

        It covers all slots that anyone sees or writes. What a slot held before is gone: it shows
        its new position, to itself and to later ones.
        """
        rows, time = self.ids.shape
        span = max(self.past.shape[1], 1 + max(int(request.slots.max())
                                               for request in self.requests))
        mask = np.zeros((rows, 1, time, span), np.bool_)
        mask[:, 0, :, :self.past.shape[1]] = self.past[:, None]
        for row, request in enumerate(self.requests):
            count = len(request.slots)
            mask[row, 0, :count, request.slots] = np.tri(count, dtype=np.bool_).T
            # A padded position must see something, or its row becomes NaN.
            mask[row, 0, count:, request.slots[0]] = True
        return mask

    @property
    def choosing(self) -> list[int]:
        """Rows whose requests want a token."""
        return [row for row, request in enumerate(self.requests)
                if request.allowed is not Allowed.CONTROLS]

    def results(self, control_logits: Sequence[np.ndarray],
                chosen: Mapping[int, tuple[int, float]]) -> list[StepResult]:
        """
        Return the results in the order in which the requests came.

        Of each row its control logits [R, 2], of each that is ``choosing`` its token and the
        log-probability of it.
        """
        made = {place: _result(control_logits[row], chosen.get(row))
                for row, place in enumerate(self._order)}
        return [made[place] for place in range(len(made))]


def _result(control_logits: np.ndarray, chosen: tuple[int, float] | None) -> StepResult:
    token, log_prob = (None, None) if chosen is None else chosen
    return StepResult(control_logits=control_logits, token=token, log_prob=log_prob)


def pack(requests: Sequence[StepRequest], *, lanes: int, slots: int, pad_id: int) -> StepBatch:
    """
    Return requests, one per lane at most, as one batch for a cache of ``lanes`` x ``slots``.

    ``pad_id`` stands where nothing is fed; the trash slot is ``slots``. ValueError names the lane
    and what it asked for where a lane or slot is none of the cache's, or a lane comes twice.
    """
    _check_requests(requests, lanes, slots)
    order = sorted(range(len(requests)), key=lambda place: requests[place].lane)
    ordered = tuple(requests[place] for place in order)
    shape = (len(ordered), max(len(request.ids) for request in ordered))
    ids = np.full(shape, pad_id, np.int64)
    places = np.full(shape, slots, np.int64)
    positions = np.zeros(shape, np.int64)
    for row, request in enumerate(ordered):
        count = len(request.ids)
        ids[row, :count] = request.ids
        places[row, :count] = request.slots
        positions[row, :count] = request.positions
    return StepBatch(requests=ordered, ids=ids, slots=places, positions=positions,
                     lanes=np.array([request.lane for request in ordered]),
                     past=_past_mask(ordered, slots), _order=tuple(order))


def _check_requests(requests: Sequence[StepRequest], lanes: int, slots: int) -> None:
    asked = [request.lane for request in requests]
    if not asked or len(set(asked)) != len(asked) or not all(0 <= i < lanes for i in asked):
        raise ValueError(f'expected different lanes below {lanes}, found {asked}')
    for request in requests:
        places = request.slots
        if not len(places) or places.min() < 0 or places.max() >= slots:
            raise ValueError(f'lane {request.lane}: expected slots below {slots}, found '
                             f'{places.tolist()}')


def _past_mask(requests: Sequence[StepRequest], slots: int) -> np.ndarray:
    """Return which slots written earlier, and not again by this pass, each row sees."""
    past = np.zeros((len(requests), slots), np.bool_)
    for row, request in enumerate(requests):
        seen = request.visible[:slots]
        past[row, :len(seen)] = seen
        past[row, request.slots] = False
    seen_by_any = np.flatnonzero(past.any(axis=0))
    return past[:, :seen_by_any[-1] + 1 if len(seen_by_any) else 0]
