"""
One taught sound: a plane through the space of embeddings, and how sure it is to be on its side.

Owns the form of the file. It holds numbers and a few words only, no audio, and cannot run code.
"""

import json
import math
import re
import unicodedata
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from audio_interaction_ros.errors import ConfigurationError, ForeignModelError

__all__ = ['FORMAT', 'TaughtSound', 'make_name', 'read_taught', 'write_taught']

FORMAT = 'audio-interaction-taught/1'


@dataclass(frozen=True, kw_only=True)
class TaughtSound:
    """
    A class of sounds made from a few recordings.

    ``weights`` [embedding_width] float32 and ``bias`` give log-odds, their sigmoid the score.
    """

    name: str
    """As in scores, rules and alerts: letters, digits and underscores."""
    title: str
    """As the user called it."""
    model_id: str
    weights: np.ndarray
    bias: float
    threshold: float
    """Score from which on it is heard."""
    made: dict[str, Any] = field(default_factory=dict)
    """What it was made of and how well it did: plain numbers and words."""

    @property
    def width(self) -> int:
        """Numbers of the embedding that it reads."""
        return len(self.weights)

    def score(self, embedding: np.ndarray) -> float:
        """Return how sure it is to hear the sound, 0 to 1, from an embedding [width]."""
        return float(1 / (1 + math.exp(-self.log_odds(embedding))))

    def log_odds(self, embedding: np.ndarray) -> float:
        """Return the same before the sigmoid, limited to ±30."""
        return min(30.0, max(-30.0, float(self.weights @ embedding) + self.bias))

    def check_model(self, model_id: str, width: int) -> None:
        """Raise ForeignModelError where it was taught to another model."""
        if (self.model_id, self.width) != (model_id, width):
            raise ForeignModelError(
                f'{self.title!r}: expected a sound taught to the model {model_id} with embeddings '
                f'of {width} numbers, it was taught to {self.model_id} with {self.width}; teach '
                'it again from its recordings, or remove it')


def make_name(title: str) -> str:
    """Return the name of a class for what a user calls a sound; ConfigurationError for none."""
    words = re.sub(r'\W+', '_', unicodedata.normalize('NFKC', title).casefold()).strip('_')
    if not words.isidentifier() or len(words) > 60:
        raise ConfigurationError(
            f'expected a name of up to 60 letters, digits and spaces that begins with a letter, '
            f'such as "our doorbell", found {title!r}; choose another')
    return words


def write_taught(path: Path, sound: TaughtSound) -> None:
    """Write one file, whole or not at all."""
    said = {'format': FORMAT, 'name': sound.name, 'title': sound.title,
            'model_id': sound.model_id, 'embedding_width': sound.width, 'bias': sound.bias,
            'threshold': sound.threshold, 'made': sound.made}
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_name(f'.{path.name}.new')
    save_file({'weights': np.ascontiguousarray(sound.weights, np.float32)}, scratch,
              metadata={'taught': json.dumps(said, ensure_ascii=False)})
    scratch.replace(path)


def read_taught(path: Path) -> TaughtSound:
    """Return the sound of a file; ConfigurationError names what is wrong with it."""
    try:
        with safe_open(path, framework='np') as file:
            said = json.loads((file.metadata() or {})['taught'])
            weights = np.asarray(file.get_tensor('weights'), np.float32)
        found = TaughtSound(
            name=str(said['name']), title=str(said['title']), model_id=str(said['model_id']),
            weights=weights, bias=float(said['bias']), threshold=float(said['threshold']),
            made=dict(said['made']))
        fits = (said['format'] == FORMAT and weights.shape == (said['embedding_width'],)
                and make_name(found.name) == found.name and 0 < found.threshold <= 1
                and bool(np.isfinite(weights).all()) and math.isfinite(found.bias))
    except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
        raise ConfigurationError(
            f'{path}: expected a taught sound, cannot read it ({error}); export it again, or '
            'delete the file') from error
    if not fits:
        raise ConfigurationError(f'{path}: expected a taught sound of the format {FORMAT} with '
                                 'weights, a threshold and a name that fit, found others; export '
                                 'it again, or delete the file')
    return found
