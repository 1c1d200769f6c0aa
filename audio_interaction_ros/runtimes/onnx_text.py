"""
A text model on ONNX Runtime: the decoder's step graph over one cache, and the head.

Owns the cache and where graphs come from: the first start on a machine makes them of the weights,
later ones only map them. What is written with it is the business of ``dialogue``.
"""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
import onnxruntime as ort

from audio_interaction_ros.checkpoints.cache import print_progress
from audio_interaction_ros.checkpoints.text_model import StoredTextModel, identify_text_model
from audio_interaction_ros.graphs import manifest, names
from audio_interaction_ros.graphs.text_model import HALF, read_shape, write_text_model
from audio_interaction_ros.model.rope import rope_angles
from audio_interaction_ros.model.shapes import DecoderConfig
from audio_interaction_ros.model.tokenizer import Tokenizer
from audio_interaction_ros.runtimes.base import TextModel
from audio_interaction_ros.runtimes.onnx_session import open_session

__all__ = ['SLOTS', 'OnnxTextNet', 'ensure_graphs', 'load']

SLOTS = 1024
"""Tokens that a chat may be long, with what is written."""
_UNSEEN = np.float32(-1e30)
_SPACE_MB = 1200


class OnnxTextNet:
    """The graphs of graphs.decoder as a TextNet."""

    def __init__(self, shape: DecoderConfig, *, step: ort.InferenceSession,
                 head: ort.InferenceSession, embeddings: np.ndarray, slots: int = SLOTS) -> None:
        """Take the sessions; ``embeddings`` [vocab_size, width] are looked up row by row."""
        self.slots = slots
        self._shape, self._step, self._head = shape, step, head
        self._embeddings = embeddings
        past, new = list(names.cache_names(shape.layers)), names.new_names(shape.layers)
        self._cache = np.zeros((shape.layers, 2, 1, shape.kv_heads, slots, shape.head_dim),
                               np.float32)
        self._mask = np.full((1, 1, 1, slots), _UNSEEN, np.float32)
        self._inputs = {name: self._cache[layer, which] for layer, pair in enumerate(past)
                        for which, name in enumerate(pair)}
        self._outputs = [names.HIDDEN_OUTPUT, *(name for pair in new for name in pair)]

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
            'cos': cos, 'sin': sin, names.PAST_MASK: self._mask,
            names.NEW_MASK: np.tile(causal, (shape.heads // shape.kv_heads, 1))[None, None]})
        for place, array in enumerate(new):
            self._cache[place // 2, place % 2, :, :, at:at + count] = array
        self._mask[..., at:at + count] = 0
        scores: np.ndarray = self._head.run([names.LOGITS_OUTPUT], {'hidden': hidden[0, -1:]})[0]
        return scores[0]


def ensure_graphs(stored: StoredTextModel, precision: str) -> Path:
    """Return the folder in the cache of the graphs of a model, filled where it is missing."""
    said = manifest.GraphManifest(
        model_id=stored.model_id, half=HALF, precision=precision,
        versions={'onnxruntime': ort.__version__, 'numpy': np.__version__})

    def build(folder: Path) -> None:
        opened = stored.open()
        print_progress(f'making {stored.model_id} for ONNX Runtime ({precision}), once')
        write_text_model(folder, opened.shape, opened.tensors, opened.write_tokenizer, said)

    return manifest.ensure_cached(build, model_id=stored.model_id, half=HALF,
                                  precision=precision, space_mb=_SPACE_MB)


def load(name: str, *, threads: int | None = None, precision: str = 'int8') -> TextModel:
    """Bring a text model up; for registry.load_text_model, which says what the arguments mean."""
    stored = identify_text_model(name)
    folder = ensure_graphs(stored, precision)
    said, shape = manifest.read(folder), read_shape(folder)
    step, head = (open_session(folder / graph, threads=threads, expected=said.facts,
                               remedy=manifest.describe_remedy(folder))
                  for graph in (manifest.DECODER_STEP, manifest.VOCABULARY_HEAD))
    # Mapped: of the table only the rows in use come into memory.
    embeddings = np.load(folder / manifest.EMBEDDINGS, mmap_mode='r')
    return TextModel(
        name=stored.model_id, tokenizer=Tokenizer(folder / 'tokenizer.json'),
        open_net=partial(OnnxTextNet, shape, step=step, head=head, embeddings=embeddings))
