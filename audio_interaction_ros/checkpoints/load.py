"""
A model in memory as modules of torch.

Owns the way from stored arrays to modules. Where a model is found is weights' business.
"""

from dataclasses import dataclass
from pathlib import Path

from torch import nn

from audio_interaction_ros.checkpoints.config import CheckpointConfig
from audio_interaction_ros.checkpoints.layout import assign, build_modules
from audio_interaction_ros.checkpoints.manifest import DECODER_PREFIX, PARTS, TOWER_PREFIX
from audio_interaction_ros.checkpoints.weights import identify
from audio_interaction_ros.model.audio_tower import AudioTower
from audio_interaction_ros.model.decoder import Decoder
from audio_interaction_ros.model.tokenizer import Tokenizer

__all__ = ['LoadedModel', 'load']


@dataclass(frozen=True, kw_only=True)
class LoadedModel:
    """
    A model in memory, float32 on the CPU, ready for a runtime.

    A half that was not asked for is on torch's meta device: it has shapes and takes no memory.
    """

    config: CheckpointConfig
    tower: AudioTower
    decoder: Decoder
    tokenizer: Tokenizer | None
    """None where the decoder was not asked for."""
    model_id: str
    """Name and hash of all that it computes with: weights, those of the base too, tokenizer and
    configuration but for what a lane may override. Features carry it to the decoder."""
    folder: Path = Path()
    """Where its files are, the sound head among them."""


def load(name: str | Path, *, cache: Path | None = None,
         parts: tuple[str, ...] = PARTS) -> LoadedModel:
    """
    Load a model from a folder, a shipped model's name or a repository id.

    Only the weights of ``parts`` are read into memory; weights.identify says what is found and
    refused.
    """
    stored = identify(name, cache=cache)
    arrays, tokenizer_path = stored.arrays(parts)
    tower, decoder = build_modules(stored.config)
    modules: dict[str, nn.Module] = {TOWER_PREFIX: tower, DECODER_PREFIX: decoder}
    for part in parts:
        assign(modules[part], {key.removeprefix(part): value for key, value in arrays.items()
                               if key.startswith(part)}, f'{stored.folder} ({part[:-1]})')
    return LoadedModel(
        config=stored.config, tower=tower.eval(), decoder=decoder.eval(),
        tokenizer=(Tokenizer(tokenizer_path, structural=stored.config.token_ids.structural)
                   if DECODER_PREFIX in parts else None),
        model_id=stored.model_id, folder=stored.folder)
