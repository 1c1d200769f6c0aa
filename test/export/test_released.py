"""
The released 3B layout as graphs: few layers, the released files, the released vocabulary.

The graphs are held against what the released code itself computed (test/data), and, where the
weights are in bfloat16 or few bits, against torch.
"""

import dataclasses
import json
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from audio_interaction_ros.checkpoints.config import load_config
from audio_interaction_ros.checkpoints.weights import identify
from audio_interaction_ros.graphs import manifest
from audio_interaction_ros.graphs.names import cache_names
from audio_interaction_ros.model.rope import rope_angles
from audio_interaction_ros.parity import TOLERANCES, write_released
from audio_interaction_ros.protocol import listening_block, reply_block
from audio_interaction_ros.runtimes.registry import load_runtime
from export.__main__ import main as export
from export.bars import BARS
from export.verify import compare_decoders, compare_encoders

pytest.importorskip('onnxruntime')
from audio_interaction_ros.runtimes.onnx_session import open_session  # noqa: E402

pytestmark = pytest.mark.torch

REFERENCE = Path(__file__).parents[1] / 'data' / 'tiny_reference'
BITS = {'int8': 8, 'int4': 4}


@pytest.fixture(scope='module')
def reference():
    return json.loads(REFERENCE.with_suffix('.json').read_text())


@pytest.fixture(scope='module')
def expected():
    with np.load(REFERENCE.with_suffix('.npz')) as file:
        return dict(file)


@pytest.fixture(scope='module', autouse=True)
def cache(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv('AUDIO_INTERACTION_CACHE', str(tmp_path_factory.mktemp('cache')))
        yield


def released(tmp_path_factory, reference, dtype):
    folder = tmp_path_factory.mktemp('released') / 'tiny'
    folder.mkdir()
    write_released(folder, reference, dtype)
    return folder


@pytest.fixture(scope='module')
def model(tmp_path_factory, reference):
    return released(tmp_path_factory, reference, torch.bfloat16)


@pytest.fixture(scope='module', params=sorted(BARS))
def exported(request, model, tmp_path_factory):
    folder = tmp_path_factory.mktemp('graphs')
    assert export(['onnx', str(model), '--out', str(folder), '--precision', request.param]) == 0
    return folder, request.param


@pytest.fixture(scope='module')
def exact(tmp_path_factory, reference):
    """Graphs of the very weights that the reference was computed with."""
    folder = tmp_path_factory.mktemp('exact')
    model = released(tmp_path_factory, reference, torch.float32)
    assert export(['onnx', str(model), '--out', str(folder)]) == 0
    return folder


def test_features_are_those_of_the_released_code(exact, expected):
    session = open_session(exact / 'encoder' / manifest.AUDIO_TOWER, threads=1)
    chunks = expected['mel'].reshape(128, -1, 40).transpose(1, 0, 2)
    features = [session.run(None, {'mel': np.ascontiguousarray(chunk)[None]})[0][0]
                for chunk in chunks]
    np.testing.assert_allclose(features, expected['features'], atol=TOLERANCES['features'])


def sequence(reference, config, features, table):
    """Return the embeddings [T, width] of a reference's script, and where it reads scores."""
    per_chunk = config.audio_tower.features_per_chunk
    rows, read, pending = [], [], list(reference['prefix_ids'])
    for entry in reference['script']:
        listens = 'chunk' in entry
        block = (listening_block(config.token_ids, per_chunk, pending) if listens
                 else reply_block(pending))
        fed = table[list(block.ids)]
        if listens:
            fed[list(block.feature_at)] = features[entry['chunk']]
        rows.append(fed)
        read.append(sum(map(len, rows)) - 1)
        pending = [entry['decision'] if listens else entry['token']]
    return np.concatenate(rows), read


def test_scores_are_those_of_the_released_code(exact, expected, reference):
    folder = exact / 'decoder'
    config = load_config(folder / 'config.yaml')
    shape = config.decoder
    fed, read = sequence(reference, config, expected['features'],
                         np.load(folder / manifest.EMBEDDINGS).astype(np.float32))
    causal = np.where(np.tri(len(fed), dtype=bool), np.float32(0), np.float32(-1e30))
    cos, sin = rope_angles(np.arange(len(fed))[None], shape.head_dim, shape.rope_base)
    nothing = np.zeros((1, shape.kv_heads, 1, shape.head_dim), np.float32)
    hidden = open_session(folder / manifest.DECODER_STEP, threads=1).run(['hidden'], {
        'embeddings': fed[None], 'cos': cos, 'sin': sin,
        'past_mask': np.full((1, 1, 1, 1), -1e30, np.float32),
        'new_mask': np.tile(causal, (shape.heads // shape.kv_heads, 1))[None, None],
        **{name: nothing for names in cache_names(shape.layers) for name in names}})[0][0, read]
    scores = open_session(folder / manifest.VOCABULARY_HEAD, threads=1).run(
        None, {'hidden': hidden})[0]
    np.testing.assert_allclose(scores[:, expected['probe_ids']], expected['probe_logits'],
                               atol=TOLERANCES['probe_logits'])
    np.testing.assert_array_equal(scores.argmax(1), expected['argmax'])
    ids = config.token_ids
    np.testing.assert_allclose(hidden @ np.load(folder / manifest.CONTROLS).T,
                               scores[:, [ids.silence, ids.respond]], atol=1e-5)


def test_every_precision_stays_within_its_bar_of_torch(exported, model):
    folder, precision = exported
    ours = load_runtime(str(folder), runtime='onnx')
    torchs = load_runtime(str(model), runtime='torch', dtype='float32')
    bar = BARS[precision]
    if precision == 'int4':  # three layers of chance, 64 wide, do not even out what it costs
        bar = dataclasses.replace(bar, scores=0.5, tokens=1.0)
    verdicts = [*compare_encoders(ours.encoder, torchs.encoder, bar),
                *compare_decoders(ours.decoder, torchs.decoder, bar)]
    assert ours.decoder.spec == torchs.decoder.spec and ours.encoder.spec == torchs.encoder.spec
    assert [verdict for verdict in verdicts if not verdict.passed] == []


def test_layers_are_in_few_bits_and_what_decides_in_full_precision(exported):
    folder, precision = exported
    step, head = (onnx.load(folder / 'decoder' / name, load_external_data=False).graph
                  for name in (manifest.DECODER_STEP, manifest.VOCABULARY_HEAD))
    products = {node.op_type for node in step.node if 'proj' in ''.join(node.input)}
    kinds = {attribute.i for node in step.node for attribute in node.attribute
             if attribute.name == 'bits'}
    assert kinds == ({BITS[precision]} if precision in BITS else set())
    assert ('MatMulNBits' in products) == (precision in BITS)
    assert np.load(folder / 'decoder' / manifest.CONTROLS).dtype == np.float32
    if precision == 'int4':
        weights = {weight.name: weight.data_type for weight in head.initializer}
        assert onnx.TensorProto.FLOAT in weights.values()
        assert not any(node.op_type == 'MatMulNBits' for node in head.node)


def test_graphs_say_which_release_they_are_of(exported, model):
    folder, precision = exported
    for half in ('encoder', 'decoder'):
        said = manifest.read(folder / half)
        assert said.model_id == identify(model).model_id and said.precision == precision
    assert load_config(folder / 'decoder' / 'config.yaml').decoder.kv_heads == 2
