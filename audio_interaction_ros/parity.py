"""
Holds loader, front end, tower and decoder against reference outputs of the released code.

A reference is ``PREFIX.json`` (configurations, tensor names, script) and ``PREFIX.npz`` (arrays).
Its weights are drawn from their own names, written as a released checkpoint and read back with
the loader that everyone uses, so nothing here is computed twice in a special way.
"""

import json
import tempfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from safetensors.torch import save_file

from audio_interaction_ros.audio.mel import StreamingMel, mel_rounding, whole_file_mel
from audio_interaction_ros.checkpoints.load import LoadedModel, load
from audio_interaction_ros.errors import ConfigurationError
from audio_interaction_ros.model.decoder import KVCache, rope_tables
from audio_interaction_ros.protocol import MEL_HOP_SAMPLES, Block, listening_block, reply_block

__all__ = ['TOLERANCES', 'Comparison', 'check', 'main', 'reference_tensor', 'write_released']

# The mel's is the least that is allowed: `mel_rounding` says what a reference's sound adds.
TOLERANCES = {'mel': 1e-5, 'features': 1e-4, 'probe_logits': 1e-3, 'argmax': 0.0}
SLICE_SAMPLES = 1_024
NORMS = ('norm_1.weight', 'norm_2.weight', 'ln_f.weight', 'layer_norm.weight', 'ln_post.weight')


@dataclass(frozen=True)
class Comparison:
    """One array held against the reference."""

    name: str
    largest: float
    """Largest absolute difference; for argmax the number of places that differ."""
    tolerance: float

    @property
    def passed(self) -> bool:
        """Tell whether the difference is a number within the tolerance."""
        return bool(self.largest <= self.tolerance)


def reference_tensor(key: str, shape: Sequence[int]) -> torch.Tensor:
    """Return the weight [shape] float32 that a reference assigns to a release key."""
    x = np.random.default_rng(zlib.crc32(key.encode())).standard_normal(shape, dtype=np.float32)
    if key.endswith(NORMS):
        x = 1 + np.float32(0.1) * x
    elif key.endswith('.bias'):
        x = np.float32(0.1) * x
    elif 'wte' in key:
        x = np.float32(0.5) * x
    elif len(shape) > 1:
        x = x / np.sqrt(np.float32(shape[-1]))
    return torch.from_numpy(x)


def _tokenizer_json() -> dict[str, Any]:
    # Released folders have a tokenizer; a reference speaks ids only, so an empty one will do.
    level = {'type': 'ByteLevel', 'add_prefix_space': False, 'trim_offsets': True,
             'use_regex': True}
    return {'version': '1.0', 'truncation': None, 'padding': None, 'added_tokens': [],
            'normalizer': None, 'pre_tokenizer': level, 'post_processor': None, 'decoder': level,
            'model': {'type': 'BPE', 'vocab': {'a': 0}, 'merges': []}}


def write_released(folder: Path, reference: Mapping[str, Any],
                   dtype: torch.dtype = torch.float32) -> None:
    """Write a checkpoint in the released layout, two shards, with a reference's weights."""
    keys = list(reference['lm_tensors'])
    shards = {'model-00001-of-00002.safetensors': keys[::2],
              'model-00002-of-00002.safetensors': keys[1::2]}
    for name, part in shards.items():
        save_file({key: reference_tensor(key, reference['lm_tensors'][key]).to(dtype)
                   for key in part}, folder / name)
    index = {'weight_map': {key: name for name, part in shards.items() for key in part}}
    (folder / 'model.safetensors.index.json').write_text(json.dumps(index))
    (folder / 'model_config.yaml').write_text(yaml.safe_dump(dict(reference['lm_config'])))
    torch.save({key: reference_tensor(key, shape).to(dtype)
                for key, shape in reference['encoder_tensors'].items()},
               folder / 'audiointeraction_ChunkwisedEncoder.pth')
    (folder / 'qwen25OmniConfig').mkdir()
    (folder / 'qwen25OmniConfig' / 'config.json').write_text(json.dumps(
        {'thinker_config': {'audio_config': reference['encoder_config']}}))
    (folder / 'tokenizer.json').write_text(json.dumps(_tokenizer_json()))


def _compute_mels(pcm: np.ndarray, bins: int) -> np.ndarray:
    # [chunks, bins, 40], streamed in slices that divide no chunk, with the file's own maximum.
    samples = (pcm / 32_768).astype(np.float32)
    maximum = 4.0 * float(whole_file_mel(samples, bins).max()) - 4.0
    stream = StreamingMel(bins=bins, maximum=maximum)
    chunks = []
    for start in range(0, len(samples), SLICE_SAMPLES):
        chunks += stream.push(samples[start:start + SLICE_SAMPLES])
    chunks += stream.flush()
    return np.stack(chunks)


def _blocks(loaded: LoadedModel, reference: Mapping[str, Any]) -> list[Block]:
    # What each forward of the script feeds: the decision or token before it, and its chunk.
    per_chunk = loaded.config.audio_tower.features_per_chunk
    before, blocks = list(reference['prefix_ids']), []
    for entry in reference['script']:
        listens = 'chunk' in entry
        blocks.append(listening_block(loaded.config.token_ids, per_chunk, before) if listens
                      else reply_block(before))
        before = [entry['decision'] if listens else entry['token']]
    return blocks


def _compute_logits(loaded: LoadedModel, reference: Mapping[str, Any],
                    features: torch.Tensor) -> torch.Tensor:
    # [forwards, vocab_size] of the reference's script, through one preallocated cache.
    config, position, rows = loaded.config.decoder, 0, []
    blocks = _blocks(loaded, reference)
    cache = KVCache(config, lanes=1, slots=sum(len(block.ids) for block in blocks))
    for entry, block in zip(reference['script'], blocks, strict=True):
        embeddings = loaded.decoder.embed(torch.tensor([block.ids]))
        if block.feature_at:
            embeddings[0, list(block.feature_at)] = features[entry['chunk']]
        place = np.arange(position, position + len(block.ids))
        cos, sin = rope_tables(place[None], config.head_dim, config.rope_base)
        span = np.arange(position + len(block.ids))
        hidden = loaded.decoder(
            embeddings, cos, sin, cache=cache, slots=torch.from_numpy(place[None]),
            mask=torch.from_numpy(span[None] <= place[:, None])[None, None])
        rows.append(loaded.decoder.logits(hidden[0, block.read_at[-1]]))
        position += len(block.ids)
    return torch.stack(rows)


def _compare(name: str, ours: np.ndarray, expected: np.ndarray,
             tolerance: float) -> Comparison:
    if ours.shape != expected.shape:
        raise ConfigurationError(f'reference array {name}: expected {list(ours.shape)}, found '
                                 f'{list(expected.shape)}; the reference is inconsistent')
    if name == 'argmax':
        return Comparison(name, float(np.sum(ours != expected)), tolerance)
    return Comparison(name, float(np.abs(ours.astype(np.float64) - expected).max()), tolerance)


@torch.inference_mode()
def check(prefix: str) -> list[Comparison]:
    """
    Compare every array of a reference with what this package computes.

    Raises ConfigurationError when the reference cannot be read and CheckpointError when its
    weights do not load.
    """
    try:
        reference = json.loads(Path(f'{prefix}.json').read_text(encoding='utf-8'))
        with np.load(f'{prefix}.npz', allow_pickle=False) as file:
            arrays = dict(file)
    except (OSError, ValueError) as error:
        raise ConfigurationError(f'{prefix}: expected a reference PREFIX.json and PREFIX.npz, '
                                 f'cannot read it ({error})') from error
    with tempfile.TemporaryDirectory() as scratch:
        released = Path(scratch) / 'released'
        released.mkdir()
        write_released(released, reference)
        loaded = load(released, cache=Path(scratch))
        bins = loaded.config.audio_tower.mel_bins
        chunks = _compute_mels(arrays['pcm'], bins)
        features = loaded.tower(torch.from_numpy(chunks))
        logits = _compute_logits(loaded, reference, features)
    mel = np.concatenate(list(chunks), axis=1)[:, :arrays['pcm'].size // MEL_HOP_SAMPLES]
    computed = {'mel': mel, 'features': features.numpy(),
                'probe_logits': logits[:, torch.from_numpy(arrays['probe_ids'].astype(np.int64))]
                .numpy(), 'argmax': logits.argmax(-1).numpy()}
    allowed = {**TOLERANCES, 'mel': max(TOLERANCES['mel'],
                                        mel_rounding(arrays['pcm'] / 32_768, bins))}
    return [_compare(name, computed[name], arrays[name], allowed[name]) for name in TOLERANCES]


def main(prefix: str) -> int:
    """Print a table of all comparisons; return 1 if one is past its tolerance, else 0."""
    results = check(prefix)
    print(f'{"array":<14}{"largest difference":>20}{"tolerance":>12}')
    for result in results:
        print(f'{result.name:<14}{result.largest:>20.3g}{result.tolerance:>12.1e}'
              f'  {"ok" if result.passed else "PAST TOLERANCE"}')
    return 0 if all(result.passed for result in results) else 1
