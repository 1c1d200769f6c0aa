"""
The model that is measured: a real one, or random weights in the shape of the edge model.

A step costs the same whatever the weights are, so `--model random` gives the times of the edge
model where its weights are not at hand, and `--model random-360m` those of the next larger
language model. It says nothing of quality.
"""

import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from audio_interaction_ros.config import LaneDefaults
from audio_interaction_ros.protocol import TokenIds
from audio_interaction_ros.runtimes.base import Runtime
from audio_interaction_ros.runtimes.registry import load_runtime

if TYPE_CHECKING:
    from audio_interaction_ros.checkpoints.load import LoadedModel

__all__ = ['NEXT_SIZE', 'RANDOM', 'load', 'save_random']

RANDOM = 'random'
NEXT_SIZE = 'random-360m'
"""The same tower before SmolLM2-360M: what the next size would cost."""

SHAPES: dict[str, dict[str, Any]] = {
    RANDOM: {'layers': 30, 'width': 576, 'mlp_width': 1536, 'heads': 9, 'kv_heads': 3},
    NEXT_SIZE: {'layers': 32, 'width': 960, 'mlp_width': 2560, 'heads': 15, 'kv_heads': 5},
}
"""Decoders of SmolLM2-135M, as in the edge model, and SmolLM2-360M."""
_VOCABULARY = 49_152  # SmolLM2; the structural ids follow
_IDS = TokenIds(
    user=_VOCABULARY, assistant=_VOCABULARY + 1, silence=_VOCABULARY + 2,
    respond=_VOCABULARY + 3, text_end=_VOCABULARY + 4, pad=_VOCABULARY + 5,
    online=_VOCABULARY + 6, offline=_VOCABULARY + 7, language=_VOCABULARY + 8,
    system=_VOCABULARY + 9, audio_pad=_VOCABULARY + 10, audio_begin=_VOCABULARY + 11,
    audio_end=_VOCABULARY + 12,
    emotions=tuple(range(_VOCABULARY + 13, _VOCABULARY + 19)))  # type: ignore[arg-type]


def load(model: str, *, runtime: str, threads: int, dtype: str, device: str) -> Runtime:
    """Load a model as the assistant would, or make a random one of the edge model's shape."""
    options: dict[str, Any] = {'runtime': runtime, 'threads': threads, 'dtype': dtype,
                               'device': device}
    if model not in SHAPES:
        return load_runtime(model, **options)
    with tempfile.TemporaryDirectory(prefix='bench-') as folder, _cache_in(folder):
        return load_runtime(str(save_random(Path(folder) / model, model)), **options)


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


def save_random(folder: Path, name: str = RANDOM) -> Path:
    """Write a random model as a folder that a node can load, and return the folder."""
    import torch

    from audio_interaction_ros.checkpoints.layout import save
    from audio_interaction_ros.checkpoints.manifest import DECODER_PREFIX, TOWER_PREFIX
    loaded = _random_edge(name)
    tensors = {f'{prefix}{name}': value.to(torch.bfloat16)
               for prefix, module in ((TOWER_PREFIX, loaded.tower),
                                      (DECODER_PREFIX, loaded.decoder))
               for name, value in module.state_dict().items()}
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
    save(folder, loaded.config, tensors, tokenizer)
    return folder


def _random_edge(name: str) -> 'LoadedModel':
    import torch

    from audio_interaction_ros.checkpoints.config import CheckpointConfig
    from audio_interaction_ros.checkpoints.load import LoadedModel
    from audio_interaction_ros.model.audio_tower import AudioTower
    from audio_interaction_ros.model.decoder import Decoder
    from audio_interaction_ros.model.shapes import AudioTowerConfig, DecoderConfig
    torch.manual_seed(0)
    config = CheckpointConfig(
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
        # Chance would speak all the time; silence is what a robot hears most.
        lanes={'transcript': LaneDefaults(threshold=1.0),
               'translation': LaneDefaults(threshold=1.0),
               'assistant': LaneDefaults(threshold=1.0, slots=256)})
    tower, decoder = AudioTower(config.audio_tower), Decoder(config.decoder)
    for parameter in (*tower.parameters(), *decoder.parameters()):
        torch.nn.init.normal_(parameter, std=0.02)
    return LoadedModel(config=config, tower=tower.eval(), decoder=decoder.eval(),
                       tokenizer=None, model_id=name)
