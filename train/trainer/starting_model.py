"""
What a stage begins with: random weights, what an earlier stage wrote, or public weights.

Owns reading Qwen2.5-Omni's folders, growing the vocabulary and the tokenizer of single bytes.
Writes nothing; what comes out is the project's own AudioTower and Decoder in float32.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path

import tokenizers
import torch
from torch import Tensor, nn

from audio_interaction_ros.checkpoints.base_weights import fetch
from audio_interaction_ros.checkpoints.cache import cache_root
from audio_interaction_ros.checkpoints.config import CheckpointConfig, load_config
from audio_interaction_ros.checkpoints.layout import assign, build_modules, load_tensors
from audio_interaction_ros.checkpoints.load import load
from audio_interaction_ros.checkpoints.released import convert_tower, ensure_converted
from audio_interaction_ros.checkpoints.weights import locate
from audio_interaction_ros.errors import CheckpointError, ConfigurationError
from audio_interaction_ros.model.audio_tower import AudioTower
from audio_interaction_ros.model.decoder import Decoder
from audio_interaction_ros.protocol import ChunkSize
from train.trainer.recipe import RECIPES, Recipe

__all__ = ['Start', 'byte_tokenizer', 'grow_vocabulary', 'read_omni', 'prepare', 'shape_of']

GAIN = 0.64
"""
Spread of random weights, times the root of their columns.

The usual spread of 0.02 at a width of 1024; a narrower layer's outputs are as large.
"""
VOCABULARY_KEYS = ('model.embed_tokens.weight', 'lm_head.weight')


@dataclass(frozen=True)
class Start:
    """A model before a stage."""

    config: CheckpointConfig
    tower: AudioTower
    decoder: Decoder
    tokenizer_json: str


def byte_tokenizer() -> str:
    """Return a tokenizer.json in which id n stands for one byte; for tiny models."""
    alphabet = sorted(tokenizers.pre_tokenizers.ByteLevel.alphabet())
    bpe = tokenizers.Tokenizer(tokenizers.models.BPE(
        vocab={char: index for index, char in enumerate(alphabet)}, merges=[]))
    bpe.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False,
                                                            use_regex=False)
    bpe.decoder = tokenizers.decoders.ByteLevel()
    return bpe.to_str()


def shape_of(recipe: Recipe, recipe_path: Path) -> CheckpointConfig:
    """Return the configuration that a recipe names, beside the recipe or a shipped one."""
    path = recipe_path.parent / recipe.model.shape
    config = load_config(path if path.is_file() else RECIPES / recipe.model.shape)
    if not recipe.model.chunk_s:
        return config
    size = ChunkSize.of_seconds(recipe.model.chunk_s)
    return replace(config, audio_tower=config.audio_tower.with_chunk(size))


def _make_random(config: CheckpointConfig, seed: int) -> tuple[AudioTower, Decoder]:
    torch.manual_seed(seed)
    tower, decoder = AudioTower(config.audio_tower), Decoder(config.decoder)
    for module in decoder.modules():
        if isinstance(module, nn.Linear | nn.Embedding):
            nn.init.normal_(module.weight, std=GAIN * module.weight.shape[1] ** -0.5)
            if isinstance(module, nn.Linear) and module.bias is not None:
                nn.init.zeros_(module.bias)
    return tower, decoder


def grow_vocabulary(tensors: Mapping[str, Tensor], rows: int) -> dict[str, Tensor]:
    """
    Return decoder tensors whose vocabulary has ``rows`` rows; new ones are near the mean.

    Raises CheckpointError where the weights have more rows than are wanted.
    """
    result = dict(tensors)
    for key in VOCABULARY_KEYS:
        if key not in result or result[key].shape[0] == rows:
            continue
        table = result[key].float()
        if table.shape[0] > rows:
            raise CheckpointError(f'{key}: expected {rows} rows at most, found {table.shape[0]}; '
                                  'raise decoder.vocab_size in the shape')
        generator = torch.Generator().manual_seed(rows)
        noise = torch.randn(rows - table.shape[0], table.shape[1], generator=generator)
        result[key] = torch.cat((table, table.mean(0) + 0.5 * table.std() * noise))
    return result


def _is_omni(folder: Path) -> bool:
    try:
        return 'thinker_config' in json.loads((folder / 'config.json').read_text('utf-8'))
    except (OSError, ValueError):
        return False


def read_omni(folder: Path, *, tied: bool) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """
    Return tower and decoder tensors of a Qwen2.5-Omni folder; talker and vision are left out.

    Raises CheckpointError where the folder holds no shards.
    """
    shards = sorted(folder.glob('model*.safetensors'))
    if not shards:
        raise CheckpointError(f'{folder}: expected model*.safetensors of Qwen2.5-Omni, found '
                              'none; fetch the model again')
    tower, decoder = {}, {}
    for shard in shards:
        for key, value in load_tensors([shard]).items():
            if key.startswith('thinker.audio_tower.'):
                tower[key] = value
            elif key.startswith(('thinker.model.', 'thinker.lm_head.')):
                decoder[key.removeprefix('thinker.')] = value
    if not tied and 'lm_head.weight' not in decoder:
        decoder['lm_head.weight'] = decoder['model.embed_tokens.weight'].clone()
    return convert_tower(tower, {}), decoder


def _list_differences(wanted: CheckpointConfig, loaded: CheckpointConfig) -> Iterator[str]:
    for part in ('audio_tower', 'decoder'):
        for item in fields(getattr(wanted, part)):
            values = [getattr(getattr(config, part), item.name) for config in (wanted, loaded)]
            if values[0] != values[1] and item.name != 'vocab_size':
                yield f'{part}.{item.name}: expected {values[0]}, found {values[1]}'
    if wanted.token_ids != loaded.token_ids:
        yield 'token_ids: other ids'


def _load_own(folder: Path, config: CheckpointConfig) -> tuple[dict[str, Tensor],
                                                               dict[str, Tensor],
                                                         Path]:
    if not (folder / 'config.yaml').is_file():
        folder = ensure_converted(folder, cache_root())
    loaded = load(folder)
    for difference in _list_differences(config, loaded.config):
        raise CheckpointError(f'{folder}: weights of another model than the shape of the recipe: '
                              f'{difference}; name other weights or another shape')
    base = loaded.config.base
    tokenizer = (folder if base is None else fetch(base.language_model)) / 'tokenizer.json'
    return loaded.tower.state_dict(), loaded.decoder.state_dict(), tokenizer


def prepare(recipe: Recipe, recipe_path: Path) -> Start:
    """
    Return what a recipe starts from.

    Raises CheckpointError naming key and shapes where weights and shape differ, and
    ConfigurationError where no tokenizer is known.
    """
    config, model = shape_of(recipe, recipe_path), recipe.model
    tokenizer: Path | None = None
    if model.weights:
        folder = locate(model.weights)
        if _is_omni(folder):
            tower_tensors, tensors = read_omni(folder, tied=config.decoder.tied_head)
            tokenizer = folder / 'tokenizer.json'
        else:
            tower_tensors, tensors, tokenizer = _load_own(folder, config)
        tower, decoder = build_modules(config)
        assign(tower, tower_tensors, f'{folder} (audio_tower)')
        assign(decoder, grow_vocabulary(tensors, config.decoder.vocab_size), f'{folder} (decoder)')
    else:
        tower, decoder = _make_random(config, recipe.run.seed)
    if model.tokenizer == 'bytes':
        return Start(config, tower, decoder, byte_tokenizer())
    if model.tokenizer:
        tokenizer = recipe_path.parent / model.tokenizer
    if tokenizer is None:
        raise ConfigurationError(f"{recipe_path}: model.tokenizer: expected a tokenizer.json or "
                                 "'bytes', as there are no weights that bring one; add it")
    return Start(config, tower, decoder, tokenizer.read_text(encoding='utf-8'))
