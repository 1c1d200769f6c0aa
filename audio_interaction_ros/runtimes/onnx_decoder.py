"""
The decoder on ONNX Runtime: the step graph of graphs.decoder over caches that the host owns.

Owns the cache, the buffers of a pass and the writing of new keys and values into the slots that
came with a request. Knows nothing of phases, prompts or eviction.
"""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnxruntime as ort

from audio_interaction_ros.checkpoints.config import CheckpointConfig
from audio_interaction_ros.errors import ResourceError
from audio_interaction_ros.graphs.names import (
    HIDDEN_OUTPUT,
    LOGITS_OUTPUT,
    STEP_INPUTS,
    cache_names,
    new_names,
)
from audio_interaction_ros.model.rope import rope_angles
from audio_interaction_ros.runtimes.base import StepRequest, StepResult
from audio_interaction_ros.runtimes.batch import StepBatch, pack
from audio_interaction_ros.runtimes.choice import choose_rows, suppressed_ids
from audio_interaction_ros.runtimes.onnx_session import (
    ALIGNMENT,
    bind_input,
    bind_output,
    cache_dtype,
    make_aligned,
)
from audio_interaction_ros.runtimes.onnx_text_net import OnnxTextNet
from audio_interaction_ros.runtimes.row_file import Rows
from audio_interaction_ros.runtimes.specs import decoder_spec

__all__ = ['OnnxDecoder']

_UNSEEN = np.float32(-1e30)
"""Added to the score of what is not seen: no infinity, so that a row without sight is no NaN."""
_ROOM_BYTES = 8 * 2 ** 20
"""Buffers of passes up to this lie in one room, for passes come one after the other; a stream has
about five shapes, of 1 to 5 MiB. Those of a prompt or a backlog take up to 30 MiB and go again."""
_SHAPES = 16
"""Of passes whose bindings are kept."""


@dataclass(frozen=True, kw_only=True)
class _Pass:
    # Buffers of one shape of pass, bound once: rows are lanes first..first + R - 1.
    binding: ort.IOBinding
    embeddings: np.ndarray  # [R, T, width]
    cos: np.ndarray  # [R, T, head_dim]
    sin: np.ndarray
    past_mask: np.ndarray  # [R, 1, 1, S]
    new_mask: np.ndarray  # [1, 1, G * T, T]
    hidden: np.ndarray  # [R, T, width]
    new: np.ndarray  # [layers, 2, R, kv_heads, T, head_dim]


class OnnxDecoder:
    """Runs ragged requests of several lanes as one padded pass; lanes are rows."""

    def __init__(self, config: CheckpointConfig, *, model_id: str, step: ort.InferenceSession,
                 head: ort.InferenceSession, embeddings: Rows, controls: np.ndarray,
                 rope_index_dtype: str = 'fp32') -> None:
        """
        Take the sessions of both graphs and what the host looks up.

        ``embeddings`` [vocab_size, width] may be a file, of any float type;
        ``controls`` [2, width] float32 are the head's rows of silence and respond.
        """
        self.spec = decoder_spec(config, model_id)
        self._config = config.decoder
        self._step = step
        self._dtype = cache_dtype(step)
        self._head = head
        self._embeddings = embeddings
        self._controls = np.ascontiguousarray(controls.T)
        self._suppressed = suppressed_ids(config.token_ids)
        self._rope_index_dtype = rope_index_dtype
        self._cache: np.ndarray | None = None  # [layers, 2, lanes, kv_heads, slots, head_dim]
        self._passes: OrderedDict[tuple[int, int, int], _Pass] = OrderedDict()
        self._room = np.empty(0, np.uint8)

    def open(self, *, lanes: int, slots: int) -> None:
        """
        Allocate the cache for a number of lanes with ``slots`` slots each.

        ResourceError where there is no memory for it.
        """
        self._cache = None  # the old one goes first
        self._passes.clear()
        config = self._config
        shape = (config.layers, 2, lanes, config.kv_heads, slots, config.head_dim)
        try:
            self._cache = make_aligned(shape, self._dtype)
        except MemoryError as error:
            raise ResourceError(
                f'model.slots: no memory for {lanes} lanes of {slots} slots '
                f'({self._dtype.itemsize * np.prod(shape, dtype=float) / 1e6:.0f} MB); lower '
                'model.slots, run fewer lanes, or free memory') from error

    def open_text_net(self, slots: int) -> OnnxTextNet:
        """Return a net over the same weights for one text beside the lanes; for any thread."""
        return OnnxTextNet(self._config, step=self._step, head=self._head,
                           embeddings=self._embeddings, slots=slots)

    def forget(self, lane: int) -> None:
        """Zero the cache of a lane: masked keys and values still count where they are NaN."""
        if self._cache is not None:
            self._cache[:, :, lane] = 0

    def step(self, requests: Sequence[StepRequest]) -> list[StepResult]:
        """
        Run one pass; results in the order of the requests, at most one request per lane.

        Raises ValueError for a lane or slot that was not opened.
        """
        if not requests:
            return []
        cache = self._cache
        if cache is None:
            raise ValueError('open() must be called before step()')
        batch = pack(requests, lanes=cache.shape[2], slots=cache.shape[4],
                     pad_id=self.spec.token_ids.pad)
        hidden = self._forward(cache, batch)
        read = [hidden[row, request.read] for row, request in enumerate(batch.requests)]
        return batch.results([states @ self._controls for states in read],
                             choose_rows(batch.choosing, batch.requests, read, self._score,
                                         self._suppressed))

    def _forward(self, cache: np.ndarray, batch: StepBatch) -> np.ndarray:
        # Returns hidden [B, T, width], which the next pass overwrites unless lanes are missing.
        first = int(batch.lanes[0])
        rows = batch.lanes - first  # of the pass; a lane between two of them computes for nobody
        run = self._find_pass(cache, first, int(rows[-1]) + 1, batch.ids.shape[1])
        embeddings = self._embeddings[batch.ids].astype(np.float32, copy=False)
        batch.overlay(embeddings)
        run.embeddings[rows] = embeddings
        run.cos[rows], run.sin[rows] = rope_angles(
            batch.positions, self._config.head_dim, self._config.rope_base,
            index_dtype=self._rope_index_dtype)
        run.past_mask[:] = _UNSEEN
        run.past_mask[rows, 0, 0, :batch.past.shape[1]] = np.where(batch.past, 0, _UNSEEN)
        self._step.run_with_iobinding(run.binding)
        for row, lane, request in zip(rows, batch.lanes, batch.requests, strict=True):
            new = run.new[:, :, row, :, :len(request.slots)]
            cache[:, :, lane][:, :, :, request.slots] = new
        return run.hidden[rows]

    def _find_pass(self, cache: np.ndarray, first: int, rows: int, time: int) -> _Pass:
        key = (first, rows, time)
        if key in self._passes:
            self._passes.move_to_end(key)
            return self._passes[key]
        made = self._bind_pass(cache, first, rows, time)
        if np.may_share_memory(made.hidden, self._room):
            self._passes[key] = made
            if len(self._passes) > _SHAPES:
                self._passes.popitem(last=False)
        return made

    def _bind_pass(self, cache: np.ndarray, first: int, rows: int, time: int) -> _Pass:
        config = self._config
        group = config.heads // config.kv_heads
        causal = np.where(np.tri(time, dtype=np.bool_), np.float32(0), _UNSEEN)
        angles = (rows, time, config.head_dim)
        embeddings, hidden, cos, sin, past_mask, new = self._take_room(
            *(((rows, time, config.width), np.float32),) * 2, *((angles, np.float32),) * 2,
            ((rows, 1, 1, cache.shape[4]), np.float32),
            ((config.layers, 2, rows, config.kv_heads, time, config.head_dim), self._dtype))
        run = _Pass(
            binding=self._step.io_binding(), embeddings=embeddings, cos=cos, sin=sin,
            past_mask=past_mask, new_mask=np.tile(causal, (group, 1))[None, None], hidden=hidden,
            new=new)
        for name in STEP_INPUTS:
            bind_input(run.binding, name, getattr(run, name))
        bind_output(run.binding, HIDDEN_OUTPUT, run.hidden)
        for layer, (past, written) in enumerate(zip(cache_names(config.layers),
                                                    new_names(config.layers), strict=True)):
            for which in (0, 1):
                bind_input(run.binding, past[which],
                           cache[layer, which, first:first + rows])
                bind_output(run.binding, written[which], run.new[layer, which])
        return run

    def _take_room(self, *arrays: tuple[tuple[int, ...], Any]) -> list[np.ndarray]:
        """Return arrays of these shapes and dtypes, which those of other passes may overlap."""
        sizes = [int(np.prod(shape)) * np.dtype(dtype).itemsize for shape, dtype in arrays]
        *starts, total = np.cumsum([0, *(-(-size // ALIGNMENT) * ALIGNMENT for size in sizes)])
        room = self._room
        if total > len(room):
            room = make_aligned((int(total),), np.uint8)
            if total <= _ROOM_BYTES:
                self._passes.clear()  # they are bound to the old one
                self._room = room
        return [room[start:start + size].view(dtype).reshape(shape)
                for start, size, (shape, dtype) in zip(starts, sizes, arrays, strict=True)]

    def _score(self, hidden: np.ndarray) -> np.ndarray:
        scores: np.ndarray = self._head.run([LOGITS_OUTPUT], {'hidden': hidden})[0]
        return scores
