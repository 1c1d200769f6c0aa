"""
The model that is measured: a real one, or random weights in a known shape.

A step costs the same whatever the weights are, so `--model random` gives the times of the edge
model where its weights are not at hand, `--model random-360m` those of the next larger language
model and `--model random-3b` those of the released one (`random-3b-4`: with four layers of each
half). It says nothing of quality.
"""

import dataclasses
import json
import os
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from audio_interaction_ros.checkpoints.config import CheckpointConfig, load_config
from audio_interaction_ros.checkpoints.weights import identify
from audio_interaction_ros.config import LaneDefaults
from audio_interaction_ros.model.shapes import AudioTowerConfig, DecoderConfig
from audio_interaction_ros.protocol import ChunkSize, TokenIds
from audio_interaction_ros.runtimes.base import Runtime
from audio_interaction_ros.runtimes.registry import load_runtime

if TYPE_CHECKING:
    import torch

__all__ = ['NEXT_SIZE', 'RANDOM', 'RELEASED', 'is_random', 'load', 'random_config', 'read_shape',
           'save_random', 'scratch_model']

RANDOM = 'random'
NEXT_SIZE = 'random-360m'
"""The same tower before SmolLM2-360M: what the next size would cost."""
RELEASED = 'random-3b'
"""The released model's shape; a number of layers may follow."""

SHAPES: dict[str, dict[str, Any]] = {
    RANDOM: {'layers': 30, 'width': 576, 'mlp_width': 1536, 'heads': 9, 'kv_heads': 3},
    NEXT_SIZE: {'layers': 32, 'width': 960, 'mlp_width': 2560, 'heads': 15, 'kv_heads': 5},
}
"""Decoders of SmolLM2-135M, as in the edge model, and SmolLM2-360M."""
RELEASED_SHAPE = Path(__file__).parents[1] / 'train' / 'recipes' / 'model_3b.yaml'
TINY, TINY_SHAPE = 'random-tiny', RELEASED_SHAPE.with_name('model_tiny.yaml')
"""For trying a command in a second."""
_VOCABULARY = 49_152  # SmolLM2; the structural ids follow
_IDS = TokenIds(
    user=_VOCABULARY, assistant=_VOCABULARY + 1, silence=_VOCABULARY + 2,
    respond=_VOCABULARY + 3, text_end=_VOCABULARY + 4, pad=_VOCABULARY + 5,
    online=_VOCABULARY + 6, offline=_VOCABULARY + 7, language=_VOCABULARY + 8,
    system=_VOCABULARY + 9, audio_pad=_VOCABULARY + 10, audio_begin=_VOCABULARY + 11,
    audio_end=_VOCABULARY + 12,
    emotions=tuple(range(_VOCABULARY + 13, _VOCABULARY + 19)))  # type: ignore[arg-type]


def is_random(model: str) -> bool:
    """Tell whether a model is one of random weights."""
    return model in (*SHAPES, TINY) or model.startswith(RELEASED)


def load(model: str, *, runtime: str, threads: int, dtype: str, device: str,
         chunk_size: ChunkSize | None = None) -> Runtime:
    """Load a model as the assistant would, or make a random one, for other chunks if wanted."""
    options: dict[str, Any] = {'runtime': runtime, 'threads': threads, 'dtype': dtype,
                               'device': device}
    with scratch_model(model, chunk_size) as found:
        return load_runtime(found, **options)


@contextmanager
def scratch_model(model: str, chunk_size: ChunkSize | None = None) -> Iterator[str]:
    """Give what load_runtime takes: a model as it is named, or the folder of a random one."""
    if not is_random(model):
        yield model
        return
    with tempfile.TemporaryDirectory(prefix='bench-') as folder, _cache_in(folder):
        yield str(save_random(Path(folder) / model, model, chunk_size))


@contextmanager
def _cache_in(folder: str) -> Iterator[None]:
    # What is made of a random model is of no use to anybody later.
    before = os.environ.get('AUDIO_INTERACTION_CACHE')
    os.environ['AUDIO_INTERACTION_CACHE'] = folder
    try:
        yield
    finally:
        del os.environ['AUDIO_INTERACTION_CACHE']
        if before is not None:
            os.environ['AUDIO_INTERACTION_CACHE'] = before


def save_random(folder: Path, name: str = RANDOM,
                chunk_size: ChunkSize | None = None) -> Path:
    """Write a random model in bfloat16 as a folder that a node can load; return the folder."""
    from audio_interaction_ros.checkpoints.layout import build_modules, save
    from audio_interaction_ros.checkpoints.manifest import DECODER_PREFIX, TOWER_PREFIX
    config = random_config(name)
    if chunk_size is not None and chunk_size != config.audio_tower.chunk_size:
        config = _with_chunk(config, chunk_size)
    tensors = {f'{prefix}{key}': _random_tensor(key, value) for prefix, module in zip(
        (TOWER_PREFIX, DECODER_PREFIX), build_modules(config), strict=True)
        for key, value in module.state_dict().items()}
    letters = {chr(97 + i): i for i in range(26)} | {'\u0120': 26}  # as a byte-level tokenizer
    folder.mkdir(parents=True)
    tokenizer = folder.with_suffix('.json')
    tokenizer.write_text(json.dumps({
        'version': '1.0', 'added_tokens': [], 'normalizer': None, 'post_processor': None,
        'pre_tokenizer': {'type': 'ByteLevel', 'add_prefix_space': False, 'use_regex': True,
                          'trim_offsets': True},
        'decoder': {'type': 'ByteLevel', 'add_prefix_space': False, 'use_regex': True,
                    'trim_offsets': True},
        'model': {'type': 'BPE', 'vocab': letters, 'merges': []}}), encoding='utf-8')
    save(folder, config, tensors, tokenizer)
    return folder


def _random_tensor(key: str, value: 'torch.Tensor') -> Any:
    import torch

    from audio_interaction_ros.checkpoints.layout import stored
    seed = zlib.crc32(key.encode())
    # Made when it is written: a model of 3B need not fit in memory.
    return dataclasses.replace(
        stored(value.bfloat16()), make=lambda: stored(torch.empty(
            value.shape, dtype=torch.bfloat16).normal_(
                std=0.02, generator=torch.Generator().manual_seed(seed))).make())


def _with_chunk(config: CheckpointConfig, size: ChunkSize) -> CheckpointConfig:
    """Return a model for other chunks, without its sound branch, which there is for 0.4 s only."""
    silent = dataclasses.replace(config.audio_tower, sounds=(), sound_levels=(), tagger=False)
    return dataclasses.replace(config, audio_tower=silent.with_chunk(size))


def read_shape(model: str) -> DecoderConfig:
    """Return the shape of a model's decoder, without its weights."""
    return (random_config(model) if is_random(model) else identify(model).config).decoder


def random_config(name: str) -> CheckpointConfig:
    """Return the configuration of a random model of this name."""
    # Chance would speak all the time; silence is what a robot hears most.
    silent = {lane: LaneDefaults(threshold=1.0)
              for lane in ('transcript', 'translation', 'assistant')}
    if name == TINY:
        return dataclasses.replace(load_config(TINY_SHAPE), lanes=silent)
    if name.startswith(RELEASED):
        config = load_config(RELEASED_SHAPE)
        layers = int(name.removeprefix(RELEASED).lstrip('-') or 0)
        if layers:
            config = dataclasses.replace(
                config, audio_tower=dataclasses.replace(config.audio_tower, layers=layers),
                decoder=dataclasses.replace(config.decoder, layers=layers))
        return dataclasses.replace(config, model=name, lanes=silent)
    return CheckpointConfig(
        model=f'random weights in the shape of {name}',
        audio_tower=AudioTowerConfig(
            mel_bins=80, width=512, layers=6, heads=8, mlp_width=2048, window_frames=200,
            keep_frames=20, stack=4, second_look=True, projector='mlp',
            projector_hidden=1024, output_width=SHAPES[name]['width'],
            sounds=tuple(f'sound {i}' for i in range(80)), sound_levels=(3, 4, 5), tagger=True),
        decoder=DecoderConfig(
            **SHAPES[name], head_dim=64, vocab_size=_VOCABULARY + 19, rope_base=100_000.0,
            norm_eps=1e-5, tied_head=True),
        token_ids=_IDS, max_positions=1024,
        lanes={**silent, 'assistant': LaneDefaults(threshold=1.0, slots=256)})
