"""
A folder with a Whisper model of any size that the user brings, in either of two layouts.

That of the Hugging Face hub (``model.safetensors``, ``config.json``) and that of faster-whisper
(``model.bin``); both with ``tokenizer.json``. Owns what is read from which file. Knows no graph.
"""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load_file

from audio_interaction_ros.checkpoints.base_converters import part_whisper
from audio_interaction_ros.checkpoints.cache import sha256
from audio_interaction_ros.checkpoints.ctranslate2_file import read_ctranslate2, read_variables
from audio_interaction_ros.errors import CheckpointError
from audio_interaction_ros.model.shapes import AudioTowerConfig, WhisperDecoderConfig

__all__ = ['WhisperFolder', 'find_whisper']

_WINDOW_FRAMES = 3_000
_HEAD_WIDTH = 64
"""Of every size that was published."""


@dataclass(frozen=True)
class WhisperFolder:
    """Where a model lies; nothing of its weights is read before it is asked for."""

    path: Path
    weights: Path
    """model.safetensors or model.bin"""

    @property
    def identity(self) -> str:
        """Name of these very weights, for what is made of them."""
        parts = [sha256(self.weights), sha256(self.path / 'tokenizer.json')]
        return f'whisper-{hashlib.sha256(" ".join(parts).encode()).hexdigest()[:16]}'

    def read(self) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
        """Return encoder and decoder in float16; CheckpointError for files of another model."""
        try:
            raw = (read_ctranslate2(self.weights.read_bytes()) if self.weights.suffix == '.bin'
                   else load_file(self.weights))
        except CheckpointError:
            raise
        except Exception as error:  # safetensors has a kind of its own
            raise CheckpointError(f'{self.weights}: expected the weights of Whisper ({error}); '
                                  'fetch them again') from error
        encoder, decoder = part_whisper(raw)
        if 'conv1.weight' not in encoder or 'embed_tokens.weight' not in decoder:
            raise CheckpointError(f'{self.weights}: expected the weights of Whisper, found '
                                  f'{sorted(raw)[:3]} and others; give the folder of a Whisper')
        return encoder, decoder

    def shapes(self, encoder: dict[str, np.ndarray], decoder: dict[str, np.ndarray]
               ) -> tuple[AudioTowerConfig, WhisperDecoderConfig]:
        """Return the shapes of what was read; CheckpointError for a size that has others."""
        width, bins = encoder['conv1.weight'].shape[:2]
        if bins != 80:
            raise CheckpointError(
                f'{self.path}: expected a Whisper that hears 80 bands (tiny to large-v2), found '
                f'{bins}; write transcript.reader: faster-whisper:FOLDER for large-v3 and turbo')
        said = self._settings()
        heads = int(said.get('encoder_attention_heads') or self._count_heads() or
                    max(1, width // _HEAD_WIDTH))
        tower = AudioTowerConfig(
            mel_bins=80, width=width, layers=_count_layers(encoder), heads=heads,
            mlp_width=encoder['layers.0.fc1.weight'].shape[0], window_frames=_WINDOW_FRAMES,
            keep_frames=_WINDOW_FRAMES // 2, output_width=1)
        return tower, WhisperDecoderConfig(
            vocab_size=decoder['embed_tokens.weight'].shape[0], width=width,
            layers=_count_layers(decoder), heads=int(said.get('decoder_attention_heads') or heads),
            mlp_width=decoder['layers.0.fc1.weight'].shape[0],
            max_positions=decoder['embed_positions.weight'].shape[0],
            alignment_heads=tuple((int(layer), int(head)) for layer, head in
                                  said.get('alignment_heads') or ()))

    def _settings(self) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name in ('config.json', 'generation_config.json'):
            if (self.path / name).is_file():
                try:
                    found |= json.loads((self.path / name).read_text(encoding='utf-8'))
                except (ValueError, TypeError) as error:
                    raise CheckpointError(f'{self.path / name}: expected JSON ({error}); fetch '
                                          'the model again') from error
        return found

    def _count_heads(self) -> int:
        if self.weights.suffix != '.bin':
            return 0
        found = read_variables(self.weights.read_bytes()).get('decoder/num_heads')
        return 0 if found is None else int(found)


def _count_layers(tensors: dict[str, np.ndarray]) -> int:
    return 1 + max(int(name.split('.')[1]) for name in tensors if name.startswith('layers.'))


def find_whisper(folder: str) -> WhisperFolder:
    """Return what lies in a folder; CheckpointError, which names what is missing."""
    path = Path(folder)
    weights = next((path / name for name in ('model.safetensors', 'model.bin')
                    if (path / name).is_file()), None)
    if weights is None or not (path / 'tokenizer.json').is_file():
        raise CheckpointError(
            f'{folder}: expected tokenizer.json and model.safetensors (or model.bin of '
            f'faster-whisper) of a Whisper model, found '
            f'{sorted(file.name for file in path.glob("*")) if path.is_dir() else "no folder"}; '
            'correct transcript.reader')
    return WhisperFolder(path, weights)
