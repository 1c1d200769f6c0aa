"""
One taught sound: a direction in the space of embeddings, and how near to it is near enough.

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
from safetensors.numpy import save

from audio_interaction_ros.errors import ConfigurationError, ForeignModelError
from audio_interaction_ros.whole_file import write_whole

__all__ = ['FORMAT', 'TaughtSound', 'make_name', 'read_taught', 'write_taught']

FORMAT = 'audio-interaction-taught/1'
_TENSORS = {'basis': np.float16, 'offset': np.float32, 'direction': np.float32}


@dataclass(frozen=True, kw_only=True)
class TaughtSound:
    """
    A class of sounds made from a few recordings.

    An embedding is centred and whitened by what the background of the place sounds like
    (``basis``, ``offset``); the cosine between the result and ``direction`` is how alike it is.
    """

    name: str
    """As in scores, rules and alerts: letters, digits and underscores."""
    title: str
    """As the user called it."""
    model_id: str
    basis: np.ndarray
    """[dimensions, embedding_width] float32."""
    offset: np.ndarray
    """[dimensions] float32."""
    direction: np.ndarray
    """[dimensions] float32 of length 1."""
    middle: float
    """Cosine at which the score is 0.5."""
    slope: float
    """Log-odds per unit of cosine."""
    threshold: float = 0.5
    """Score from which on it is heard."""
    made: dict[str, Any] = field(default_factory=dict)
    """What it was made of and how well it did: plain numbers and words."""

    @property
    def width(self) -> int:
        """Numbers of the embedding that it reads."""
        return int(self.basis.shape[1])

    def likeness(self, embedding: np.ndarray) -> float:
        """Return the cosine, -1 to 1, of an embedding [width]; 0 where that is no number."""
        place = self.basis @ embedding + self.offset
        cosine = float(self.direction @ place) / max(float(np.linalg.norm(place)), 1e-9)
        return cosine if math.isfinite(cosine) else 0.0

    def score(self, embedding: np.ndarray) -> float:
        """Return how sure it is to hear the sound, 0 to 1, from an embedding [width]."""
        log_odds = self.slope * (self.likeness(embedding) - self.middle)
        return 1 / (1 + math.exp(-min(30.0, max(-30.0, log_odds))))

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
            'model_id': sound.model_id, 'embedding_width': sound.width, 'middle': sound.middle,
            'slope': sound.slope, 'threshold': sound.threshold, 'made': sound.made}
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, save({name: np.ascontiguousarray(getattr(sound, name), dtype)
                            for name, dtype in _TENSORS.items()},
                           metadata={'taught': json.dumps(said, ensure_ascii=False)}))


def read_taught(path: Path) -> TaughtSound:
    """Return the sound of a file; ConfigurationError names what is wrong with it."""
    try:
        with safe_open(path, framework='np') as file:
            said = json.loads((file.metadata() or {})['taught'])
            tensors = {name: np.asarray(file.get_tensor(name), np.float32) for name in _TENSORS}
        found = TaughtSound(
            name=str(said['name']), title=str(said['title']), model_id=str(said['model_id']),
            middle=float(said['middle']), slope=float(said['slope']),
            threshold=float(said['threshold']), made=dict(said['made']), **tensors)
        fits = said['format'] == FORMAT and _fits(found, said['embedding_width'])
    except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
        raise ConfigurationError(
            f'{path}: expected a taught sound, cannot read it ({error}); export it again, or '
            'delete the file') from error
    if not fits:
        raise ConfigurationError(f'{path}: expected a taught sound of the format {FORMAT} with '
                                 'numbers, a threshold and a name that fit, found others; export '
                                 'it again, or delete the file')
    return found


def _fits(sound: TaughtSound, width: int) -> bool:
    dimensions = len(sound.direction)
    return (sound.basis.shape == (dimensions, width) and sound.offset.shape == (dimensions,)
            and make_name(sound.name) == sound.name and 0 < sound.threshold <= 1
            and math.isfinite(sound.middle) and math.isfinite(sound.slope)
            and all(bool(np.isfinite(getattr(sound, name)).all()) for name in _TENSORS))
