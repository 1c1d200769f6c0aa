"""
Graphs in NVIDIA's own parser and compiler, ahead of time and without a GPU: TensorRT for RTX.

That proves that the parser takes every operator, that numbers are strongly typed as the compiler
wants them, and that there is a kernel for every layer on these GPUs. It does not run anything.
"""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from audio_interaction_ros.checkpoints.config import load_config
from audio_interaction_ros.errors import CheckpointError
from audio_interaction_ros.graphs import manifest
from audio_interaction_ros.graphs.audio_tower import audio_tower
from audio_interaction_ros.graphs.decoder import decoder_step, vocabulary_head
from audio_interaction_ros.graphs.static_decoder import static_step
from audio_interaction_ros.model.shapes import DecoderConfig
from audio_interaction_ros.runtimes.engine_files import Room
from export.command_tensorrt import compile_ahead

WHEELS = ('tensorrt_rtx_bindings', 'tensorrt_rtx_libs')
pytestmark = [pytest.mark.slow, pytest.mark.skipif(
    not all(map(importlib.util.find_spec, WHEELS)),
    reason='no TensorRT for RTX: pip install tensorrt-rtx-cu12-bindings tensorrt-rtx-cu12-libs')]

CAPABILITIES = ('80', '86', '89', '120')
EDGE = load_config(Path(__file__).parents[2] / 'models' / 'edge' / 'config.yaml')
ROOM = Room(lanes=3, slots=512, listening=EDGE.audio_tower.features_per_chunk + 3, longest=256)
SHAPES = {
    'edge': DecoderConfig(layers=2, width=576, mlp_width=1536, heads=9, kv_heads=3, head_dim=64,
                          vocab_size=49_171, rope_base=100_000.0, norm_eps=1e-5, tied_head=True),
    '3B': DecoderConfig(layers=4, width=2048, mlp_width=11_008, heads=16, kv_heads=2,
                        head_dim=128, vocab_size=1000, attention_bias=True),
}


def weights(config):
    """Return weights of chance, as large as a trained model's."""
    rng = np.random.default_rng(0)

    def normal(*shape):
        return rng.standard_normal(shape, dtype=np.float32) * np.float32(0.02)

    inner = config.heads * config.head_dim
    tensors = {'model.norm.weight': np.ones(config.width, np.float32),
               'model.embed_tokens.weight': normal(config.vocab_size, config.width)}
    tensors['lm_head.weight'] = tensors['model.embed_tokens.weight']
    for layer in range(config.layers):
        prefix = f'model.layers.{layer}.'
        for name in ('input_layernorm', 'post_attention_layernorm'):
            tensors[f'{prefix}{name}.weight'] = np.ones(config.width, np.float32)
        for name, rows in (('q', inner), ('k', config.kv_heads * config.head_dim),
                           ('v', config.kv_heads * config.head_dim)):
            tensors[f'{prefix}self_attn.{name}_proj.weight'] = normal(rows, config.width)
            tensors[f'{prefix}self_attn.{name}_proj.bias'] = normal(rows)
        tensors[f'{prefix}self_attn.o_proj.weight'] = normal(config.width, inner)
        for name, shape in (('gate', (config.mlp_width, config.width)),
                            ('up', (config.mlp_width, config.width)),
                            ('down', (config.width, config.mlp_width))):
            tensors[f'{prefix}mlp.{name}_proj.weight'] = normal(*shape)
    return tensors


def compiles(builder, folder, name, config, capabilities=CAPABILITIES):
    builder.save(folder / name)
    sizes = [compile_ahead(folder / name, config, ROOM, capability)
             for capability in capabilities]
    assert min(sizes) > 0.3 * (folder / f'{name}.data').stat().st_size


@pytest.mark.parametrize(('kind', 'bits'), [('edge', None), ('3B', 4)])
def test_the_static_form_compiles(kind, bits, tmp_path):
    compiles(static_step(SHAPES[kind], weights(SHAPES[kind]), bits=bits, half=True), tmp_path,
             manifest.DECODER_STEP, SHAPES[kind])


def test_the_static_form_of_3b_in_half_precision_compiles(tmp_path):
    compiles(static_step(SHAPES['3B'], weights(SHAPES['3B']), half=True), tmp_path,
             manifest.DECODER_STEP, SHAPES['3B'], ('86',))


@pytest.mark.parametrize('half', [False, True])
def test_the_delta_form_compiles(half, tmp_path):
    compiles(decoder_step(SHAPES['edge'], weights(SHAPES['edge']), half=half), tmp_path,
             manifest.DECODER_STEP, SHAPES['edge'])


def test_the_vocabulary_head_compiles(tmp_path):
    compiles(vocabulary_head(SHAPES['edge'], weights(SHAPES['edge']), half=True), tmp_path,
             manifest.VOCABULARY_HEAD, SHAPES['edge'])


@pytest.mark.torch
def test_the_audio_tower_with_its_tagger_compiles(tmp_path):
    from audio_interaction_ros.model.audio_tower import AudioTower

    tensors = {key: value.numpy() for key, value in
               AudioTower(EDGE.audio_tower).state_dict().items()}
    compiles(audio_tower(EDGE.audio_tower, tensors, half=True), tmp_path, manifest.AUDIO_TOWER,
             SHAPES['edge'])


def test_a_graph_that_does_not_compile_is_refused_with_the_remedy(tmp_path):
    full = static_step(SHAPES['edge'], weights(SHAPES['edge']))
    with pytest.raises(CheckpointError, match=r'cannot build it.*needs float16'):
        compiles(full, tmp_path, manifest.DECODER_STEP, SHAPES['edge'])
    few = decoder_step(SHAPES['edge'], weights(SHAPES['edge']), bits=8)
    with pytest.raises(CheckpointError, match=r'cannot read it.*operators of ONNX Runtime'):
        compiles(few, tmp_path, manifest.DECODER_STEP, SHAPES['edge'])
