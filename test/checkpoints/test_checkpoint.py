import json
import pickle
import re
import sys
import types
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from safetensors.torch import load_file, save_file

from audio_interaction_ros.checkpoints import edge
from audio_interaction_ros.checkpoints.base_weights import identity
from audio_interaction_ros.checkpoints.cache import sha256
from audio_interaction_ros.checkpoints.config import dump_config, load_config
from audio_interaction_ros.checkpoints.edge import merge
from audio_interaction_ros.checkpoints.layout import assign
from audio_interaction_ros.checkpoints.load import load
from audio_interaction_ros.checkpoints.manifest import (
    DECODER_PREFIX,
    TOWER_PREFIX,
    computing_hash,
    write_manifest,
)
from audio_interaction_ros.checkpoints.released import convert_tower
from audio_interaction_ros.checkpoints.weights import locate
from audio_interaction_ros.errors import CheckpointError, ConfigurationError
from audio_interaction_ros.parity import write_released

pytestmark = pytest.mark.torch

ROOT = Path(__file__).parents[2]
REFERENCE = ROOT / 'test/data/tiny_reference.json'


@pytest.fixture(scope='module')
def reference():
    return json.loads(REFERENCE.read_text())


@pytest.fixture
def released(tmp_path, reference):
    folder = tmp_path / 'released'
    folder.mkdir()
    write_released(folder, reference)
    return folder


@pytest.fixture
def own(released, tmp_path):
    load(released, cache=tmp_path)
    return next(path for path in (tmp_path / 'converted').iterdir() if path.is_dir())


def lm_tensors(folder):
    return {key: value for path in folder.glob('model-*.safetensors')
            for key, value in load_file(path).items()}


def replace_lm(folder, tensors, name, wrap=lambda tensors: tensors):
    for path in folder.glob('model*safetensors*'):
        path.unlink()
    torch.save(wrap(tensors), folder / name)


def interleave(tensors, heads=4, groups=2, dim=16):
    result = {}
    for key, value in tensors.items():
        if '.attn.qkv.' in key:
            q, k, v = value.split((heads * dim, groups * dim, groups * dim))
            rest = value.shape[1:]
            per = heads // groups
            parts = [q.reshape(groups, per, dim, *rest)]
            parts += [part.reshape(groups, 1, dim, *rest) for part in (k, v)]
            value = torch.cat(parts, dim=1).reshape(value.shape)
        result[key.replace('.attn.qkv.', '.attn.attn.')] = value
    return result


def same(one, other):
    return all(torch.equal(a, b) for a, b in zip(
        (*one.tower.parameters(), *one.decoder.parameters()),
        (*other.tower.parameters(), *other.decoder.parameters()), strict=True))


def test_every_known_form_gives_the_same_model(released, tmp_path):
    expected = load(released, cache=tmp_path / 'a')
    tensors = lm_tensors(released)
    replace_lm(released, interleave(tensors), 'MiniOmni3_LM.pt')
    (released / 'audiointeraction_ChunkwisedEncoder.pth').rename(
        released / 'MiniOmni3_ChunkwisedEncoder.pth')
    (released / 'qwen25OmniConfig').rename(released / 'qwen_2_5_omni_config')
    assert same(load(released, cache=tmp_path / 'b'), expected)
    (released / 'MiniOmni3_LM.pt').unlink()
    replace_lm(released, tensors, 'lit_model.pth', lambda t: {'model': t, 'step': 3})
    assert same(load(released, cache=tmp_path / 'c'), expected)


def test_is_converted_once_and_keeps_its_identity(released, tmp_path):
    first = load(released, cache=tmp_path)
    folder, = (path for path in (tmp_path / 'converted').iterdir() if path.is_dir())
    time = (folder / 'manifest.json').stat().st_mtime_ns
    assert load(released, cache=tmp_path).model_id == first.model_id
    assert (folder / 'manifest.json').stat().st_mtime_ns == time
    assert load(folder).model_id == first.model_id


def test_precursor_adapter_takes_the_place_of_proj():
    adapter = {'audio_adapter.weight': torch.ones(3, 2), 'audio_adapter.bias': torch.ones(3)}
    tower = convert_tower({'thinker.audio_tower.conv1.bias': torch.zeros(2)}, adapter)
    assert set(tower) == {'conv1.bias', 'proj.weight', 'proj.bias'}
    kept = convert_tower({'proj.weight': torch.zeros(3, 2), 'proj.bias': torch.zeros(3)}, adapter)
    assert not kept['proj.weight'].any()


def test_mismatch_names_key_and_both_shapes(released, tmp_path):
    values = yaml.safe_load((released / 'model_config.yaml').read_text())
    values['intermediate_size'] = 170
    (released / 'model_config.yaml').write_text(yaml.safe_dump(values))
    with pytest.raises(CheckpointError, match=re.escape(
            'model.layers.0.mlp.gate_proj.weight [170, 64], found [160, 64]')):
        load(released, cache=tmp_path)


def test_missing_and_unknown_keys_are_named():
    module = torch.nn.Linear(2, 3)
    with pytest.raises(CheckpointError, match=r'bias \[3\], found no such key'):
        assign(module, {'weight': torch.zeros(3, 2)}, 'here')
    with pytest.raises(CheckpointError, match=r'here: found extra \[1\]'):
        assign(module, {**module.state_dict(), 'extra': torch.zeros(1)}, 'here')


@pytest.mark.parametrize('name', ['audiointeraction_ChunkwisedEncoder.pth',
                                  'model-00001-of-00002.safetensors'])
def test_corrupt_release_is_named_with_its_hash(released, tmp_path, name):
    (released / name).write_bytes(b'not weights')
    with pytest.raises(CheckpointError, match=sha256(released / name)):
        load(released, cache=tmp_path)


def test_corrupt_own_file_is_named_with_both_hashes(own):
    path = own / 'decoder.safetensors'
    expected = sha256(path)
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(CheckpointError, match=f'{expected}, found {sha256(path)}'):
        load(own)


def test_pickle_with_code_is_refused(released, tmp_path):
    torch.save({'conv1.bias': print}, released / 'audiointeraction_ChunkwisedEncoder.pth')
    with pytest.raises(CheckpointError, match='state dict'):
        load(released, cache=tmp_path)


class Opened:
    """Leaves a mark when it is unpickled."""

    def __init__(self, mark):
        self.mark = mark

    def __reduce__(self):
        return (Path.touch, (self.mark,))


@pytest.mark.parametrize('name', ['decoder.safetensors', 'more.safetensors'])
def test_a_pickle_in_disguise_is_refused_and_never_opened(own, tmp_path, name):
    (own / name).write_bytes(pickle.dumps(Opened(tmp_path / 'opened')))
    if name == 'decoder.safetensors':
        with pytest.raises(CheckpointError, match=f'{name}: expected sha256'):
            load(own)
        write_manifest(own)  # as one who knows how would have it
    else:
        with pytest.raises(CheckpointError, match=f'{name}: the manifest .* does not name'):
            load(own)
        write_manifest(own)
    with pytest.raises(CheckpointError, match=f'{name}: expected a safetensors file'):
        load(own)
    assert not (tmp_path / 'opened').exists()


@pytest.mark.parametrize('text', [
    '', '[]', '{"config.yaml": 3}', '{"../../etc/passwd": "0"}', '{"/etc/passwd": "0"}',
    '{"": ""}', '[' * 100_000])
def test_a_manifest_that_is_none_is_refused(own, text):
    (own / 'manifest.json').write_text(text)
    with pytest.raises(CheckpointError, match='manifest.json: expected'):
        load(own)


def test_a_conversion_that_became_corrupt_is_made_again(released, tmp_path, capsys):
    expected = load(released, cache=tmp_path)
    folder, = (path for path in (tmp_path / 'converted').iterdir() if path.is_dir())
    (folder / 'decoder.safetensors').write_bytes(b'gone')
    assert same(load(released, cache=tmp_path), expected)
    assert 'decoder.safetensors: expected sha256' in capsys.readouterr().err


def test_the_identity_of_a_model_covers_what_it_computes_with():
    hashes = {'config.yaml': 'c', 'a.safetensors': 'a', 'tokenizer.json': 't'}
    ids = [computing_hash({**hashes, **changes}, base, settings) for changes, base, settings in (
        ({}, [], ''), ({'a.safetensors': 'other'}, [], ''), ({'tokenizer.json': 'other'}, [], ''),
        ({}, ['w'], ''), ({}, ['x'], ''), ({}, ['w', 'x'], ''), ({}, [], 'w'))]
    assert len(set(ids)) == len(ids)
    assert computing_hash({**hashes, 'config.yaml': 'other'}, [], '') == ids[0]


@pytest.mark.parametrize(('key', 'value', 'changed'), [
    ('lora_scale', 0.5, True), ('mel', {'decay_per_s': 0.1, 'maximum_floor': -10.0}, True),
    ('decoder.rope_base', 5e5, True), ('audio_tower.feature_norm', 7.0, True),
    ('audio_tower.sound_feature', 'direction', False),
    ('prompts', {'transcript': 'Write.'}, False), ('thresholds', {'transcript': 0.9}, False),
    ('slots', {'transcript': 256}, False), ('min_confidence', {'transcript': 0.9}, False)])
def test_settings_that_change_what_weights_give_change_the_identity(own, key, value, changed):
    before = load(own).model_id
    values = yaml.safe_load((own / 'config.yaml').read_text())
    *folders, last = key.split('.')
    within = values
    for folder in folders:
        within = within[folder]
    within[last] = value
    (own / 'config.yaml').write_text(yaml.safe_dump(values))
    write_manifest(own)
    assert (load(own).model_id != before) is changed


def test_the_edge_model_names_every_set_of_base_weights_without_fetching_any(monkeypatch):
    monkeypatch.setattr('audio_interaction_ros.checkpoints.base_weights.ensure_filled', None)
    found = edge.base_identities(load_config(ROOT / 'models/edge/config.yaml'))
    assert found == [identity(name) for name in ('whisper-base', 'smollm2-135m-instruct',
                                                 'yamnet')]
    assert len(set(found)) == 3


@pytest.mark.parametrize(('name', 'asked'), [
    ('owner/name', ('owner/name', None)), ('owner/name@v1', ('owner/name', 'v1')),
    ('owner/name@refs/pr/3', ('owner/name', 'refs/pr/3'))])
def test_a_repository_may_be_asked_for_at_a_revision(monkeypatch, tmp_path, name, asked):
    seen = []
    hub = types.SimpleNamespace(snapshot_download=lambda repo_id, *, revision, **_: seen.append(
        (repo_id, revision)) or str(tmp_path))
    monkeypatch.setitem(sys.modules, 'huggingface_hub', hub)
    assert locate(name) == tmp_path and seen == [asked]


def test_unknown_configuration_key_is_named(own):
    config = load_config(own / 'config.yaml')
    dump_config(config, own / 'again.yaml')
    assert load_config(own / 'again.yaml') == config
    values = yaml.safe_load((own / 'config.yaml').read_text())
    values['decoder']['colour'] = 3
    (own / 'config.yaml').write_text(yaml.safe_dump(values))
    write_manifest(own)
    with pytest.raises(ConfigurationError, match='colour'):
        load(own)


def test_names_what_is_no_model():
    with pytest.raises(ConfigurationError, match='no-such-model'):
        locate('no-such-model')


def test_merges_trained_differences():
    base = {'model.embed_tokens.weight': np.zeros((5, 2)), 'x.weight': np.ones((3, 2))}
    trained = {'lora.x.A': np.ones((1, 2)), 'lora.x.B': np.ones((3, 1)),
               'control_rows': np.ones((2, 2)), 'projector.0.weight': np.ones(1)}
    merged = merge({'conv1.bias': np.ones(1)}, base, trained, 0.5, tied_head=True)
    assert (np.asarray(merged['decoder.x.weight']) == 1.5).all()
    assert {value.dtype for key, value in merged.items() if key.startswith('decoder')} == {
        np.dtype(np.float32)}
    table = merged['decoder.model.embed_tokens.weight']
    assert table.shape == (7, 2) and np.asarray(table).sum(1).tolist() == [0] * 5 + [2] * 2
    assert set(merged) >= {'audio_tower.projector.0.weight', 'audio_tower.conv1.bias'}
    with pytest.raises(CheckpointError, match='surprise'):
        merge({}, base, {'surprise': np.ones(1)}, 1.0, tied_head=True)


def test_save_file_is_what_a_manifest_covers(tmp_path):
    save_file({'x': torch.ones(1)}, tmp_path / 'x.safetensors')
    (tmp_path / 'README.md').write_text('a card may grow without other weights')
    write_manifest(tmp_path)
    assert json.loads((tmp_path / 'manifest.json').read_text()) == {
        'x.safetensors': sha256(tmp_path / 'x.safetensors')}


@pytest.mark.parametrize(('wanted', 'loaded', 'absent'), [
    (TOWER_PREFIX, 'tower', 'decoder'), (DECODER_PREFIX, 'decoder', 'tower')])
def test_a_half_is_loaded_without_the_other(own, wanted, loaded, absent):
    whole, half = load(own), load(own, parts=(wanted,))
    assert half.model_id == whole.model_id
    for key, value in getattr(whole, loaded).state_dict().items():
        assert torch.equal(getattr(half, loaded).state_dict()[key], value), key
    assert all(value.is_meta for value in getattr(half, absent).state_dict().values())
    assert (half.tokenizer is None) == (wanted == TOWER_PREFIX)


@pytest.mark.parametrize(('part', 'fetched', 'keys'), [
    (TOWER_PREFIX, ['w'], {'audio_tower.conv1.bias', 'audio_tower.projector.0.weight'}),
    (DECODER_PREFIX, ['l'], {'decoder.x.weight', 'decoder.model.embed_tokens.weight'})])
def test_only_the_base_weights_of_a_half_are_fetched(tmp_path, monkeypatch, part, fetched, keys):
    tensors = {
        'w': {'conv1.bias': torch.ones(1)},
        'l': {'model.embed_tokens.weight': torch.zeros(5, 2), 'x.weight': torch.ones(3, 2)},
        'own': {'lora.x.A': torch.ones(1, 2), 'lora.x.B': torch.ones(3, 1),
                'control_rows': torch.ones(2, 2), 'projector.0.weight': torch.ones(1)}}
    for name, values in tensors.items():
        (tmp_path / name).mkdir()
        save_file(values, tmp_path / name / 'model.safetensors')
    write_manifest(tmp_path / 'own')
    asked = []
    monkeypatch.setattr(edge, 'fetch', lambda name: asked.append(name) or tmp_path / name)
    config = types.SimpleNamespace(
        base=types.SimpleNamespace(whisper='w', language_model='l', tagger=''), lora_scale=0.5,
        decoder=types.SimpleNamespace(tied_head=True), sounds='')
    merged, _ = edge.load_merged_arrays(tmp_path / 'own', config, (part,))
    assert asked == fetched and set(merged) == keys
    whole, _ = edge.load_merged_arrays(tmp_path / 'own', config)
    assert all(np.array_equal(whole[key], value) for key, value in merged.items())
