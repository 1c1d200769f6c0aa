"""
The head that tells sounds apart: embeddings of the newest chunks in, a probability each out.

Two small layers over what the audio tower hears of a window, with some chunks of context, for an
alarm is a pattern in time. Owns the format of its file. Numpy only: it costs less than a
millisecond, and training and every backend read the same file. Holds no state.
"""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open

from audio_interaction_ros.errors import CheckpointError

__all__ = ['SOUNDS_FORMAT', 'SoundHead', 'gelu', 'sigmoid']

SOUNDS_FORMAT = 'audio-interaction-sounds/1'
_TENSORS = ('hidden.weight', 'hidden.bias', 'context.weight', 'context.bias', 'classes.weight',
            'classes.bias')
_erf = np.vectorize(math.erf, otypes=[np.float32])


class SoundHead:
    """
    A trained head; ``SoundHead.read`` makes one of its file.

    What is kept of a chunk is h = gelu(hidden(embedding)); a score is
    sigmoid(classes(gelu(context(the newest ``context`` h, oldest first)))). How inputs are scaled
    and how scores are calibrated is part of the layers.
    """

    def __init__(self, classes: tuple[str, ...], context: int,
                 tensors: dict[str, np.ndarray]) -> None:
        """Take the layers; ValueError where their shapes do not fit each other."""
        self.classes, self.context = classes, context
        self._tensors = {name: np.ascontiguousarray(tensors[name], np.float32)
                         for name in _TENSORS}
        self.hidden_width, self.embedding_width = self._tensors['hidden.weight'].shape
        mixed = len(self._tensors['context.bias'])
        expected = {'hidden.bias': (self.hidden_width,),
                    'context.weight': (mixed, context * self.hidden_width),
                    'classes.weight': (len(classes), mixed), 'classes.bias': (len(classes),)}
        for name, shape in expected.items():
            if self._tensors[name].shape != shape:
                raise ValueError(f'{name}: expected shape {shape}, found '
                                 f'{self._tensors[name].shape}')
        if not all(np.isfinite(tensor).all() for tensor in self._tensors.values()):
            raise ValueError('expected finite numbers, found others')

    @classmethod
    def read(cls, path: Path, *, embedding_width: int | None = None) -> 'SoundHead':
        """
        Return the head of a file.

        CheckpointError where it is none, or does not take embeddings of that width.
        """
        try:
            with safe_open(path, framework='np') as file:
                said = file.metadata() or {}
                if said.get('format') != SOUNDS_FORMAT:
                    raise ValueError(f'expected format {SOUNDS_FORMAT!r}, found '
                                     f'{said.get("format")!r}')
                head = cls(_read_names(said['classes']), int(said['context']),
                           {name: file.get_tensor(name) for name in _TENSORS})
        except (OSError, SafetensorError, ValueError, KeyError, TypeError) as error:
            raise CheckpointError(f'{path}: expected a head that tells sounds apart ({error}); '
                                  'fetch the model again') from error
        if embedding_width not in (None, head.embedding_width):
            raise CheckpointError(
                f'{path}: expected a head for embeddings of {embedding_width} numbers, found one '
                f'for {head.embedding_width}; it was trained for another model')
        return head

    def hear(self, embedding: np.ndarray) -> np.ndarray:
        """Return what is kept [..., hidden_width] float32 of embeddings [..., embedding_width]."""
        return gelu(self._apply('hidden', embedding))

    def score(self, heard: np.ndarray) -> np.ndarray:
        """Return the probability [..., classes] of each sound, by heard [..., context, hidden]."""
        mixed = gelu(self._apply('context', heard.reshape(*heard.shape[:-2], -1)))
        return sigmoid(self._apply('classes', mixed))

    def _apply(self, layer: str, x: np.ndarray) -> np.ndarray:
        product: np.ndarray = x @ self._tensors[f'{layer}.weight'].T
        return product + self._tensors[f'{layer}.bias']


def _read_names(text: str) -> tuple[str, ...]:
    names: Any = json.loads(text)
    if not isinstance(names, list) or not names or len(set(map(str, names))) < len(names) \
            or not all(isinstance(name, str) and name for name in names):
        raise ValueError('expected a list of names, all different, as classes')
    return tuple(names)


def gelu(x: np.ndarray) -> np.ndarray:
    """Return x Phi(x), with the exact distribution function, as float32."""
    return np.asarray(0.5 * x * (1.0 + _erf(x / math.sqrt(2.0))), np.float32)


def sigmoid(x: np.ndarray) -> np.ndarray:
    """Return 1 / (1 + exp(-x)) as float32, for any x."""
    return np.asarray(0.5 * (1.0 + np.tanh(0.5 * x)), np.float32)
