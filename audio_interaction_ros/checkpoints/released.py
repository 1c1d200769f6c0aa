"""
The released layout: finds its files under every known name and converts them once.

Owns LitGPT's key names and those of the precursor. Knows nothing of our folders beyond writing
one; the conversion ends in the cache and the source folder is never written.
"""

import hashlib
import json
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from audio_interaction_ros.checkpoints import layout, manifest
from audio_interaction_ros.checkpoints.cache import ensure_filled, print_progress, sha256
from audio_interaction_ros.checkpoints.config import CheckpointConfig
from audio_interaction_ros.errors import CheckpointError, ConfigurationError
from audio_interaction_ros.model.shapes import AudioTowerConfig, DecoderConfig
from audio_interaction_ros.strict_yaml import read_yaml

__all__ = ['convert_decoder', 'convert_tower', 'ensure_converted', 'decoder_config',
           'tower_config']

LM_PICKLES = ('audiointeraction_LM.pt', 'AudioInteraction_LM.pt', 'MiniOmni3_LM.pt',
              'lit_model.pth', 'step_*_statedict.pt')
ENCODER_PICKLES = ('audiointeraction_ChunkwisedEncoder.pth', 'MiniOmni3_ChunkwisedEncoder.pth',
                   'ChunkwisedEncoder.pth', '*ChunkwisedEncoder*.pth')
ENCODER_CONFIGS = ('qwen25OmniConfig/config.json', 'qwen_2_5_omni_config/config.json')
SKIPPED = ('audio_adapter.', 'audio_encoder.')
WHOLE = {'transformer.wte.weight': 'model.embed_tokens.weight',
         'transformer.ln_f.weight': 'model.norm.weight', 'lm_head.weight': 'lm_head.weight'}
PER_LAYER = {'norm_1.weight': 'input_layernorm.weight',
             'norm_2.weight': 'post_attention_layernorm.weight',
             'attn.proj.weight': 'self_attn.o_proj.weight',
             'mlp.fc_1.weight': 'mlp.gate_proj.weight', 'mlp.fc_2.weight': 'mlp.up_proj.weight',
             'mlp.proj.weight': 'mlp.down_proj.weight'}
LAYER_KEY = re.compile(r'transformer\.h\.(\d+)\.(.+)')


def _find_first(folder: Path, patterns: tuple[str, ...], what: str) -> Path:
    for pattern in patterns:
        for path in sorted(folder.glob(pattern)):
            return path
    raise CheckpointError(f'{folder}: expected {what} ({", ".join(patterns)}), found none; fetch '
                          'the model again or name the right folder')


def _unpickle(path: Path) -> dict[str, Tensor]:
    try:
        # A zip file, as torch has written for years, is mapped: what is read can be let go again.
        values = torch.load(path, map_location='cpu', weights_only=True,
                            mmap=zipfile.is_zipfile(path))
    except Exception as error:  # pickle, zip and torch raise many kinds for a damaged file
        raise CheckpointError(
            f'{path}: expected a state dict of tensors, cannot read it ({error}; sha256 '
            f'{sha256(path)}); fetch the model again') from error
    if isinstance(values, dict) and isinstance(values.get('model'), dict):
        values = values['model']  # a training checkpoint holds the optimizer too
    if not isinstance(values, dict):
        raise CheckpointError(f'{path}: expected a state dict, found {type(values).__name__}')
    tensors = {key: value for key, value in values.items()
               if isinstance(key, str) and isinstance(value, Tensor)}
    for key, value in tensors.items():
        if not _holds_its_numbers(value):
            raise CheckpointError(f'{path}: {key}: expected a tensor with all its numbers, found '
                                  f'one of {list(value.shape)} without; fetch the model again')
    return tensors


def _holds_its_numbers(value: Tensor) -> bool:
    """Say no to shapes of any size that a small file can claim: meta, sparse, expanded."""
    return (value.device.type == 'cpu' and value.layout is torch.strided
            and value.numel() * value.element_size() <= value.untyped_storage().nbytes())


def _read_lm(folder: Path) -> dict[str, Tensor]:
    index = folder / 'model.safetensors.index.json'
    if index.is_file():
        try:
            weight_map = json.loads(index.read_text(encoding='utf-8'))['weight_map']
        except (ValueError, KeyError) as error:
            raise CheckpointError(f'{index}: expected a weight_map, cannot read it ({error}); '
                                  'fetch the model again') from error
        tensors = layout.load_tensors(folder / name
                                          for name in sorted(set(weight_map.values())))
        for key, name in weight_map.items():
            if key not in tensors:
                raise CheckpointError(f'{folder / name}: expected {key}, found no such key; '
                                      'fetch the model again')
        return tensors
    shards = sorted(folder.glob('model*.safetensors'))
    if shards:
        return layout.load_tensors(shards)
    return _unpickle(_find_first(folder, LM_PICKLES, 'language model weights'))


def decoder_config(values: Mapping[str, Any], *, tied_head: bool) -> DecoderConfig:
    """
    Return a decoder's shape from the fields of a LitGPT ``model_config.yaml``.

    Unknown fields are ignored; ConfigurationError where a field asks for another architecture.
    """
    for key, expected in (('norm_class_name', 'RMSNorm'), ('mlp_class_name', 'LLaMAMLP'),
                          ('rotary_percentage', 1.0), ('rope_condense_ratio', 1),
                          ('parallel_residual', False), ('bias', False)):
        if values.get(key, expected) != expected:
            raise ConfigurationError(f'model_config.yaml: {key}: expected {expected!r}, found '
                                     f'{values[key]!r}; this decoder does not compute that')
    try:
        heads, width = int(values['n_head']), int(values['n_embd'])
        return DecoderConfig(
            layers=int(values['n_layer']), width=width, heads=heads,
            mlp_width=int(values['intermediate_size']),
            kv_heads=int(values.get('n_query_groups') or heads),
            head_dim=int(values.get('head_size') or width // heads),
            vocab_size=int(values.get('padded_vocab_size') or values['vocab_size']),
            rope_base=float(values.get('rope_base', 10_000)),
            norm_eps=float(values.get('norm_eps', 1e-5)),
            attention_bias=bool(values.get('attn_bias', False)), tied_head=tied_head)
    except (KeyError, TypeError, ValueError) as error:
        raise ConfigurationError(f'model_config.yaml: {error}; expected the fields of a LitGPT '
                                 'configuration') from error


def tower_config(values: Mapping[str, Any]) -> AudioTowerConfig:
    """Return a tower's shape from a Qwen2.5-Omni configuration, whole or its audio part."""
    for key in ('thinker_config', 'audio_config'):
        values = values.get(key, values)
    try:
        return AudioTowerConfig(
            mel_bins=int(values['num_mel_bins']), width=int(values['d_model']),
            layers=int(values['encoder_layers']), heads=int(values['encoder_attention_heads']),
            mlp_width=int(values['encoder_ffn_dim']), pool=2,
            output_width=int(values['output_dim']))
    except KeyError as error:
        raise ConfigurationError(f'audio tower configuration: expected key {error}, found none; '
                                 'expected a Qwen2.5-Omni config.json') from error


def _split_attention(value: Tensor, config: DecoderConfig, *, interleaved: bool,
                     key: str) -> list[Tensor]:
    # Rows of query, key and value; legacy checkpoints interleave them per key/value group.
    heads, groups, dim = config.heads, config.kv_heads, config.head_dim
    rows = (heads + 2 * groups) * dim
    if value.shape[0] != rows:
        raise CheckpointError(f'{key}: expected {rows} rows, found {list(value.shape)}; weights '
                              'and model_config.yaml differ')
    if not interleaved:
        return list(value.split((heads * dim, groups * dim, groups * dim)))
    per = heads // groups
    grouped = value.reshape(groups, per + 2, dim, *value.shape[1:])
    legacy = grouped[:, :per], grouped[:, per], grouped[:, per + 1]
    return [part.reshape(-1, *value.shape[1:]) for part in legacy]


def convert_decoder(tensors: Mapping[str, Tensor], config: DecoderConfig) -> dict[str, Tensor]:
    """Return LitGPT tensors under Decoder's names; keys of the audio side are skipped."""
    result = {}
    for key, value in tensors.items():
        match = LAYER_KEY.fullmatch(key)
        if key in WHOLE:
            result[WHOLE[key]] = value
        elif match and match[2] in PER_LAYER:
            result[f'model.layers.{match[1]}.{PER_LAYER[match[2]]}'] = value
        elif match and match[2].startswith(('attn.qkv.', 'attn.attn.')):
            kind = match[2].rsplit('.', 1)[1]
            parts = _split_attention(value, config, interleaved='attn.attn.' in match[2], key=key)
            for name, part in zip('qkv', parts, strict=True):
                result[f'model.layers.{match[1]}.self_attn.{name}_proj.{kind}'] = part
        elif not key.startswith(SKIPPED):
            raise CheckpointError(f'{key} {list(value.shape)}: expected a key of the released '
                                  'language model; the weights are of another model')
    return result


def convert_tower(tensors: Mapping[str, Tensor],
                  lm_tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """
    Return tower tensors under AudioTower's names.

    A precursor's tower has no ``proj``: its ``audio_adapter.*``, found beside the language model,
    takes that place.
    """
    result = {re.sub(r'^(thinker\.)?audio_tower\.', '', key): value
              for key, value in tensors.items()}
    result.pop('audio_bos_eos_token.weight', None)  # never used
    if 'proj.weight' not in result:
        for key, value in lm_tensors.items():
            if key.startswith('audio_adapter.'):
                result['proj.' + key.rsplit('.', 1)[1]] = value
    return result


def _convert(source: Path, target: Path) -> None:
    print_progress(f'converting {source}; this is done once ...')
    lm_values = read_yaml(
        _find_first(source, ('model_config.yaml',), 'the LitGPT configuration'), aliases=True)
    audio_values = read_yaml(
        _find_first(source, ENCODER_CONFIGS, 'the audio tower configuration'), aliases=True)
    tokenizer = _find_first(source, ('tokenizer.json', '*/tokenizer.json'), 'the tokenizer')
    lm_tensors = _read_lm(source)
    config = CheckpointConfig(
        model=str(lm_values.get('name', source.name)), audio_tower=tower_config(audio_values),
        decoder=decoder_config(lm_values, tied_head='lm_head.weight' not in lm_tensors))
    encoder = _unpickle(_find_first(source, ENCODER_PICKLES, 'audio tower weights'))
    decoder = convert_decoder(lm_tensors, config.decoder)
    tower = convert_tower(encoder, lm_tensors)
    modules = layout.build_modules(config)
    for module, tensors in zip(modules, (tower, decoder), strict=True):
        layout.check_shapes(module, tensors, str(source))
    tensors = {manifest.TOWER_PREFIX + key: value for key, value in tower.items()}
    tensors |= {manifest.DECODER_PREFIX + key: value for key, value in decoder.items()}
    layout.save(target, config, tensors, tokenizer)


def ensure_converted(source: Path, cache: Path) -> Path:
    """
    Return the folder in our layout of a released checkpoint, converting it the first time.

    It is found again by names, sizes and times of the source's files.
    """
    digest = hashlib.sha256(str(source.resolve()).encode())
    for path in sorted(source.rglob('*')):
        if path.is_file():
            state = path.stat()
            digest.update(f'{path.name} {state.st_size} {state.st_mtime_ns}'.encode())
    target = cache / 'converted' / digest.hexdigest()[:16]
    size = sum(path.stat().st_size for path in source.rglob('*') if path.is_file())
    return ensure_filled(target, build=lambda folder: _convert(source, folder), fault=_find_fault,
                         space_mb=size // 10 ** 6)


def _find_fault(folder: Path) -> str:
    try:
        manifest.verify_manifest(folder)
    except CheckpointError as error:
        return str(error)
    return ''
