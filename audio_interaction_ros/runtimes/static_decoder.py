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
from audio_interaction_ros.runtimes.base import Allowed, DecoderSpec, StepRequest, StepResult
from audio_interaction_ros.runtimes.batch import StepBatch, pack
from audio_interaction_ros.runtimes.choice import choose, suppressed_ids
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
                 embeddings: np.ndarray, controls: np.ndarray,
                 rope_index_dtype: str = 'fp32') -> None:
        """
        Take the device, and what the host looks up.

        ``embeddings`` [vocab_size, width] may be mapped from a file, of any float type;
        ``controls`` [2, width] float32 are the head's rows of silence and respond.
        """
        self.spec = DecoderSpec(
            model_id=model_id, features_per_chunk=config.audio_tower.features_per_chunk,
            feature_width=config.decoder.width, vocab_size=config.decoder.vocab_size,
            token_ids=config.token_ids, max_positions=config.max_positions)
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
        self._pack(requests)  # all are checked before the first is run
        rest = [pieces(request, self._device.longest) for request in requests]
        read: dict[int, list[np.ndarray]] = {request.lane: [] for request in requests}
        for number in range(max(map(len, rest))):
            batch = self._pack([parts[number] for parts in rest if number < len(parts)])
            hidden = self._forward(batch)
            for request in batch.requests:
                read[request.lane].append(hidden[request.lane, request.read])
        return self._results(requests, {lane: np.concatenate(parts)
                                        for lane, parts in read.items()})

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

    def _results(self, requests: Sequence[StepRequest],
                 read: dict[int, np.ndarray]) -> list[StepResult]:
        """Return the results of hidden states [R, width] by lane: the only maker of them."""
        choosing = [request for request in requests if request.allowed is not Allowed.CONTROLS]
        chosen: dict[int, tuple[int, float]] = {}
        if choosing:
            scores = self._device.score(np.stack([read[request.lane][-1]
                                                  for request in choosing]))
            chosen = {request.lane: choose(row, self._suppressed[request.allowed])
                      for request, row in zip(choosing, scores, strict=True)}
        results = []
        for request in requests:
            token, log_prob = chosen.get(request.lane, (None, None))
            results.append(StepResult(control_logits=read[request.lane] @ self._controls,
                                      token=token, log_prob=log_prob))
        return results
