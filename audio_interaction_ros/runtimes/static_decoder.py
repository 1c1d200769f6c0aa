"""
The decoder over a graph of the static form, whatever device runs it.

Owns what the host does in a pass: embeddings and features, angles, layout, the two control rows in
float32, and the result. The device, behind a protocol, keeps the caches and runs the graphs. Knows
nothing of phases, prompts or eviction.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from audio_interaction_ros.checkpoints.config import CheckpointConfig
from audio_interaction_ros.model.rope import rope_angles
from audio_interaction_ros.runtimes.base import StepRequest, StepResult
from audio_interaction_ros.runtimes.batch import StepBatch, pack
from audio_interaction_ros.runtimes.choice import choose_rows, suppressed_ids
from audio_interaction_ros.runtimes.row_file import Rows
from audio_interaction_ros.runtimes.specs import decoder_spec
from audio_interaction_ros.runtimes.static_pass import Layout, Move, lay_out, pass_length, pieces

__all__ = ['PassInputs', 'StaticDecoder', 'StepDevice']


@dataclass(frozen=True, kw_only=True)
class PassInputs:
    """What a graph of the static form takes beside its cache, by the names of its inputs."""

    embeddings: np.ndarray  # [lanes, T, width] float32
    cos: np.ndarray  # [lanes, T, head_dim / 2] float32
    sin: np.ndarray
    write_at: np.ndarray  # [lanes] int64
    mask: np.ndarray  # [lanes, 1, T, total], of the device's dtype


class StepDevice(Protocol):
    """Keeps the caches of all lanes and runs both graphs of a decoder over them."""

    dtype: np.dtype
    """Of keys, values and mask."""
    longest: int
    """Positions that a pass may have."""
    times: tuple[int, ...]
    """Lengths of a pass that are prepared, rising; a shorter one is padded to the next."""

    def open(self, *, lanes: int, slots: int) -> tuple[int, int]:
        """
        Make zeroed caches; return how many lanes they have, and slots of each with the reserve.

        The reserve holds the longest pass at least. ResourceError where there is no room.
        """
        ...

    def run(self, inputs: PassInputs) -> np.ndarray:
        """Run a pass; return the hidden states [lanes, T, width] float32, maybe to be reused."""
        ...

    def move(self, moves: Sequence[Move]) -> None:
        """Copy keys and values of all layers within their lanes."""
        ...

    def forget(self, lane: int) -> None:
        """Zero the caches of a lane."""
        ...

    def score(self, hidden: np.ndarray) -> np.ndarray:
        """Return the scores [R, vocab_size] float32 of hidden states [R, width]."""
        ...


class StaticDecoder:
    """Runs ragged requests of several lanes as passes over all of them; lanes are rows."""

    def __init__(self, config: CheckpointConfig, device: StepDevice, *, model_id: str,
                 embeddings: Rows, controls: np.ndarray,
                 rope_index_dtype: str = 'fp32') -> None:
        """
        Take the device, and what the host looks up.

        ``embeddings`` [vocab_size, width] may be a file, of any float type;
        ``controls`` [2, width] float32 are the head's rows of silence and respond.
        """
        self.spec = decoder_spec(config, model_id)
        self._config = config.decoder
        self._device = device
        self._embeddings = embeddings
        self._controls = np.ascontiguousarray(controls.T)
        self._suppressed = suppressed_ids(config.token_ids)
        self._rope_index_dtype = rope_index_dtype
        self._lanes, self._slots = 0, 0
        self._rows, self._total = 0, 0

    def open(self, *, lanes: int, slots: int) -> None:
        """Allocate the cache; drops older ones. ResourceError where it does not fit."""
        self._lanes = 0
        self._rows, self._total = self._device.open(lanes=lanes, slots=slots)
        self._lanes, self._slots = lanes, slots

    def forget(self, lane: int) -> None:
        """Zero the cache of a lane: masked keys and values still count where they are NaN."""
        if self._lanes:
            self._device.forget(lane)

    def step(self, requests: Sequence[StepRequest]) -> list[StepResult]:
        """
        Run as many passes as the longest request needs; results in the order of the requests.

        Raises ValueError for a lane or slot that was not opened.
        """
        if not requests:
            return []
        if not self._lanes:
            raise ValueError('open() must be called before step()')
        whole = self._pack(requests)  # all are checked before the first is run
        cut = [pieces(request, self._device.longest) for request in whole.requests]
        read: list[list[np.ndarray]] = [[] for _ in cut]
        for number in range(max(map(len, cut))):
            rows = [row for row, parts in enumerate(cut) if number < len(parts)]
            batch = self._pack([cut[row][number] for row in rows])
            hidden = self._forward(batch)
            for row, request in zip(rows, batch.requests, strict=True):
                read[row].append(hidden[request.lane, request.read])
        states = [np.concatenate(parts) for parts in read]
        return whole.results([row @ self._controls for row in states],
                             choose_rows(whole.choosing, whole.requests, states,
                                         self._device.score, self._suppressed))

    def _pack(self, requests: Sequence[StepRequest]) -> StepBatch:
        return pack(requests, lanes=self._lanes, slots=self._slots,
                    pad_id=self.spec.token_ids.pad)

    def _forward(self, batch: StepBatch) -> np.ndarray:
        """Return the hidden states [lanes, T, width] of a pass, its cache in order."""
        time = pass_length(batch.ids.shape[1], self._device.times)
        layout = lay_out(batch, lanes=self._rows, slots=self._slots, total=self._total,
                         time=time, dtype=self._device.dtype)
        hidden = self._device.run(self._inputs(batch, layout, time))
        self._device.move(layout.moves)
        return hidden

    def _inputs(self, batch: StepBatch, layout: Layout, time: int) -> PassInputs:
        config, count = self._config, batch.ids.shape[1]
        embeddings = np.zeros((self._rows, time, config.width), np.float32)
        fed = self._embeddings[batch.ids].astype(np.float32, copy=False)
        batch.overlay(fed)
        embeddings[batch.lanes, :count] = fed
        angles = np.zeros((2, self._rows, time, config.head_dim // 2), np.float32)
        for kind, full in zip(angles, rope_angles(
                batch.positions, config.head_dim, config.rope_base,
                index_dtype=self._rope_index_dtype), strict=True):
            kind[batch.lanes, :count] = full[..., :config.head_dim // 2]
        return PassInputs(embeddings=embeddings, cos=angles[0], sin=angles[1],
                          write_at=layout.write_at, mask=layout.mask)
