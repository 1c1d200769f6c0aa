"""
One text and its cache on ONNX Runtime: the decoder's step graph and its head as a TextNet.

Owns the cache, whose keys and values no step copies. Weights are those of the sessions.
"""

from collections.abc import Sequence

import numpy as np
import onnxruntime as ort

from audio_interaction_ros.graphs.names import (
    HIDDEN_OUTPUT,
    LOGITS_OUTPUT,
    NEW_MASK,
    PAST_MASK,
    cache_names,
    new_names,
)
from audio_interaction_ros.model.rope import rope_angles
from audio_interaction_ros.model.shapes import DecoderConfig
from audio_interaction_ros.runtimes.onnx_session import make_aligned
from audio_interaction_ros.runtimes.row_file import Rows

__all__ = ['SLOTS', 'OnnxTextNet']

SLOTS = 1024
"""Tokens that a chat may be long, with what is written."""
_UNSEEN = np.float32(-1e30)


class OnnxTextNet:
    """The graphs of graphs.decoder as a TextNet."""

    def __init__(self, shape: DecoderConfig, *, step: ort.InferenceSession,
                 head: ort.InferenceSession, embeddings: Rows, slots: int = SLOTS) -> None:
        """Take the sessions; ``embeddings`` [vocab_size, width] are looked up row by row."""
        self.slots = slots
        self._shape, self._step, self._head = shape, step, head
        self._embeddings = embeddings
        past, new = list(cache_names(shape.layers)), new_names(shape.layers)
        self._cache = make_aligned((shape.layers, 2, 1, shape.kv_heads, slots, shape.head_dim))
        self._mask = np.full((1, 1, 1, slots), _UNSEEN, np.float32)
        self._inputs = {name: self._cache[layer, which] for layer, pair in enumerate(past)
                        for which, name in enumerate(pair)}
        self._outputs = [HIDDEN_OUTPUT, *(name for pair in new for name in pair)]

    def feed(self, ids: Sequence[int], at: int) -> np.ndarray:
        """Take ids in at positions from ``at`` on; return the scores of what follows them."""
        count, shape = len(ids), self._shape
        if not count or not 0 <= at <= self.slots - count:
            raise ValueError(f'expected 1 to {self.slots - at} ids from position {at} on, found '
                             f'{count}')
        self._mask[..., at:] = _UNSEEN  # what stood there is forgotten
        cos, sin = rope_angles(np.arange(at, at + count)[None], shape.head_dim, shape.rope_base)
        causal = np.where(np.tri(count, dtype=np.bool_), np.float32(0), _UNSEEN)
        hidden, *new = self._step.run(self._outputs, self._inputs | {
            'embeddings': self._embeddings[list(ids)][None].astype(np.float32),
            'cos': cos, 'sin': sin, PAST_MASK: self._mask,
            NEW_MASK: np.tile(causal, (shape.heads // shape.kv_heads, 1))[None, None]})
        for place, array in enumerate(new):
            self._cache[place // 2, place % 2, :, :, at:at + count] = array
        self._mask[..., at:at + count] = 0
        scores: np.ndarray = self._head.run([LOGITS_OUTPUT], {'hidden': hidden[0, -1:]})[0]
        return scores[0]
