"""
Our own layout over public base weights: a folder holds only what was trained.

Owns how low-rank differences and new vocabulary rows are merged into the base: tensor by tensor,
each when it is used. Where base weights come from is base_weights' business.
"""

from functools import partial
from pathlib import Path

import numpy as np

from audio_interaction_ros.checkpoints.arrays import LazyArray, open_arrays
from audio_interaction_ros.checkpoints.base_weights import fetch, identity
from audio_interaction_ros.checkpoints.config import CheckpointConfig
from audio_interaction_ros.checkpoints.manifest import (
    DECODER_PREFIX,
    PARTS,
    TOWER_PREFIX,
    weight_files,
)
from audio_interaction_ros.errors import CheckpointError

__all__ = ['TAGGER_PREFIX', 'base_identities', 'merge', 'load_merged_arrays']

TAGGER_PREFIX = 'tagger.'
EMBEDDING = 'model.embed_tokens.weight'
Array = np.ndarray | LazyArray
Arrays = dict[str, Array]
_TOWER_KEYS = ('projector.', 'proj.', 'sound.')


def _add_lora(decoder: Arrays, trained: Arrays, scale: float) -> None:
    for key in [key for key in trained if key.startswith('lora.') and key.endswith('.A')]:
        name = key.removeprefix('lora.').removesuffix('.A')
        target, other = f'{name}.weight', f'lora.{name}.B'
        if target not in decoder or other not in trained:
            raise CheckpointError(f'{key}: expected {target} in the base and {other} beside it; '
                                  'the trained weights are of another base')
        low, high = (trained.pop(name) for name in (key, other))
        shape = (high.shape[0], low.shape[1])
        if tuple(decoder[target].shape) != shape or high.shape[1] != low.shape[0]:
            raise CheckpointError(f'{key}: expected B @ A {list(decoder[target].shape)}, found '
                                  f'{list(high.shape)} @ {list(low.shape)}; the trained weights '
                                  'are of another base')
        decoder[target] = LazyArray(shape, np.dtype(np.float32), partial(
            _with_difference, decoder[target], low, high, scale))


def _with_difference(base: Array, low: Array, high: Array, scale: float) -> np.ndarray:
    down, up = (np.asarray(part, np.float32) for part in (low, high))
    difference: np.ndarray = up @ down
    difference *= np.float32(scale)
    difference += np.asarray(base, np.float32)
    return difference


def _with_rows(table: Array, rows: Array) -> np.ndarray:
    return np.concatenate((table, rows), dtype=np.float32)


def merge(tower: Arrays, decoder: Arrays, trained: Arrays,
          scale: float, *, tied_head: bool) -> Arrays:
    """
    Return all tensors of a model, prefixed, from base tensors and trained ones.

    ``trained`` holds ``projector.*``, ``sound.*``, ``lora.<name>.A`` [r, in] and ``.B`` [out, r],
    and ``control_rows`` [n, width], which follow the base vocabulary. CheckpointError for any
    other.
    """
    tower, decoder, trained = dict(tower), dict(decoder), dict(trained)
    _add_lora(decoder, trained, scale)
    rows = trained.pop('control_rows', None)
    if rows is not None:
        table = decoder[EMBEDDING]
        decoder[EMBEDDING] = LazyArray((len(table) + len(rows), *table.shape[1:]),
                                       np.dtype(np.float32), partial(_with_rows, table, rows))
    if tied_head:
        decoder.pop('lm_head.weight', None)
    for key in list(trained):
        if key.startswith(_TOWER_KEYS):
            tower[key] = trained.pop(key)
    if trained:
        raise CheckpointError(
            f'trained weights: found {min(trained)}, expected projector.*, sound.*, lora.* and '
            'control_rows only; the folder is of another version')
    return ({TOWER_PREFIX + key: value for key, value in tower.items()}
            | {DECODER_PREFIX + key: value for key, value in decoder.items()})


def base_identities(config: CheckpointConfig) -> list[str]:
    """Return the identity of every set of base weights of a model; fetches none."""
    base = config.base
    return [] if base is None else [identity(name) for name in (
        base.whisper, base.language_model, base.tagger) if name]


def load_merged_arrays(folder: Path, config: CheckpointConfig,
                   parts: tuple[str, ...] = PARTS) -> tuple[Arrays, Path]:
    """
    Return the tensors of a folder that builds upon base weights, and its tokenizer's path.

    Base weights are fetched and read for ``parts`` only. The path is that of no file where the
    decoder is not among them and the folder has no tokenizer of its own.
    """
    assert config.base is not None, 'only folders with a base are merged'
    base: dict[str, Arrays] = {part: {} for part in PARTS}
    tokenizer = folder / 'tokenizer.json'
    for part, name in ((TOWER_PREFIX, config.base.whisper),
                       (DECODER_PREFIX, config.base.language_model)):
        if part in parts:
            weights = fetch(name)
            base[part] |= open_arrays([weights / 'model.safetensors'])
            if part == DECODER_PREFIX and not tokenizer.is_file():
                tokenizer = weights / 'tokenizer.json'
    if config.base.tagger and TOWER_PREFIX in parts:
        base[TOWER_PREFIX] |= {TAGGER_PREFIX + key: value for key, value in open_arrays(
            [fetch(config.base.tagger) / 'model.safetensors']).items()}
    trained: Arrays = {key: value for key, value in open_arrays(
        weight_files(folder, sounds=config.sounds)).items() if _part_of(key) in parts}
    merged = merge(base[TOWER_PREFIX], base[DECODER_PREFIX], trained, config.lora_scale,
                   tied_head=config.decoder.tied_head)
    return merged, tokenizer


def _part_of(key: str) -> str:
    """Return which part a trained tensor belongs to, as merge takes them."""
    return TOWER_PREFIX if key.startswith(_TOWER_KEYS) else DECODER_PREFIX
