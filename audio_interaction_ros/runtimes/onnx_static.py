"""
The static form on ONNX Runtime, on the CPU: what engines are held against where no GPU is.

Owns the caches and their binding: in and out are the same memory, so that the graph writes in
place. The delta form is as fast here and needs no moves, so it is what a robot runs.
"""

from collections.abc import Sequence
from dataclasses import fields

import numpy as np
import onnxruntime as ort

from audio_interaction_ros.errors import ResourceError
from audio_interaction_ros.graphs.names import (
    HIDDEN_OUTPUT,
    LOGITS_OUTPUT,
    cache_names,
    written_names,
)
from audio_interaction_ros.model.shapes import DecoderConfig
from audio_interaction_ros.runtimes.onnx_session import (
    bind_input,
    bind_output,
    cache_dtype,
    make_aligned,
)
from audio_interaction_ros.runtimes.static_decoder import PassInputs
from audio_interaction_ros.runtimes.static_pass import Move

__all__ = ['OnnxStepDevice']


class OnnxStepDevice:
    """Caches in memory of the host, and a session of each graph."""

    def __init__(self, config: DecoderConfig, *, step: ort.InferenceSession,
                 head: ort.InferenceSession, longest: int = 128,
                 times: tuple[int, ...] = ()) -> None:
        """Take the sessions; ``longest`` and ``times`` are those of a StepDevice."""
        self.dtype = cache_dtype(step)
        self.longest = longest
        self.times = times
        self._config = config
        self._step = step
        self._head = head
        self._cache = np.zeros((0, 2, 0, 0, 0, 0), self.dtype)

    def open(self, *, lanes: int, slots: int) -> tuple[int, int]:
        """Make zeroed caches; drops older ones."""
        config, total = self._config, slots + self.longest
        self._cache = self._cache[:0]
        shape = (config.layers, 2, lanes, config.kv_heads, total, config.head_dim)
        try:
            self._cache = make_aligned(shape, self.dtype)
        except (MemoryError, ValueError) as error:
            raise ResourceError(
                f'model.slots: no memory for {lanes} lanes of {total} slots; lower model.slots, '
                'run fewer lanes, or free memory') from error
        return lanes, total

    def run(self, inputs: PassInputs) -> np.ndarray:
        """Run a pass; the caches are written in place."""
        binding = self._step.io_binding()
        arrays = {field.name: np.ascontiguousarray(getattr(inputs, field.name))
                  for field in fields(inputs)}
        for name, array in arrays.items():
            bind_input(binding, name, array)
        for layer, (past, written) in enumerate(zip(
                cache_names(self._config.layers), written_names(self._config.layers),
                strict=True)):
            for which in (0, 1):
                bind_input(binding, past[which], self._cache[layer, which])
                bind_output(binding, written[which], self._cache[layer, which])
        hidden = np.empty(inputs.embeddings.shape, np.float32)
        bind_output(binding, HIDDEN_OUTPUT, hidden)
        self._step.run_with_iobinding(binding)
        return hidden

    def move(self, moves: Sequence[Move]) -> None:
        """Copy keys and values of all layers within their lanes."""
        for move in moves:
            lane = self._cache[:, :, move.lane]
            lane[..., move.slot:move.slot + move.count, :] = (
                lane[..., move.source:move.source + move.count, :])

    def forget(self, lane: int) -> None:
        """Zero the caches of a lane."""
        self._cache[:, :, lane] = 0

    def score(self, hidden: np.ndarray) -> np.ndarray:
        """Return the scores [R, vocab_size] float32 of hidden states [R, width]."""
        scores: np.ndarray = self._head.run([LOGITS_OUTPUT], {'hidden': hidden})[0]
        return scores
