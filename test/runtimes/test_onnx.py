"""Where the graphs of the runtime onnx come from: the cache, or a folder that was exported."""

import dataclasses
import json
import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest
from small_model import SLOTS, random_model, request, save_model

from audio_interaction_ros.checkpoints.cache import sha256
from audio_interaction_ros.checkpoints.config import dump_config, load_config
from audio_interaction_ros.checkpoints.manifest import write_manifest
from audio_interaction_ros.checkpoints.weights import StoredModel
from audio_interaction_ros.config import LaneDefaults
from audio_interaction_ros.errors import CheckpointError, ConfigurationError
from audio_interaction_ros.graphs import manifest
from audio_interaction_ros.runtimes.registry import load_runtime
from export.__main__ import main as export

pytest.importorskip('onnxruntime')
pytestmark = pytest.mark.torch

ROOT = Path(__file__).parents[2]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv('AUDIO_INTERACTION_CACHE', str(tmp_path / 'cache'))
    return save_model(random_model(), tmp_path / 'small')


def load(model, dtype='float32'):
    return load_runtime(str(model), runtime='onnx', dtype=dtype, halves=('decoder',)).decoder


def scores(decoder):
    decoder.open(lanes=1, slots=SLOTS)
    result, = decoder.step([request([20, 21, 22], slots=range(3))])
    return np.array([*result.control_logits[0], result.token, result.log_prob])


def decoders_in_the_cache(tmp_path):
    return sorted((tmp_path / 'cache' / 'onnx').glob('[a-z]*-decoder-*'))


def test_graphs_are_made_once_and_read_afterwards(folder, tmp_path, capsys):
    first = scores(load(folder))
    made, = decoders_in_the_cache(tmp_path)
    assert 'for ONNX Runtime (fp32), once' in capsys.readouterr().err
    times = {path.name: path.stat().st_mtime_ns for path in made.iterdir()}
    np.testing.assert_array_equal(scores(load(folder)), first)
    assert {path.name: path.stat().st_mtime_ns for path in made.iterdir()} == times
    assert capsys.readouterr().err == ''


def test_every_precision_has_graphs_of_its_own(folder, tmp_path):
    full, few = scores(load(folder)), scores(load(folder, 'int8'))
    assert len(decoders_in_the_cache(tmp_path)) == 2
    assert 0 < np.abs(full - few).max() < 0.2 * np.abs(full).max()


def test_a_threshold_that_changes_needs_no_other_graphs(folder, tmp_path, capsys):
    load(folder)
    capsys.readouterr()
    config = dataclasses.replace(load_config(folder / 'config.yaml'),
                                 lanes={'a': LaneDefaults(threshold=0.25)})
    dump_config(config, folder / 'config.yaml')
    write_manifest(folder)
    found = load_runtime(str(folder), runtime='onnx', dtype='float32', halves=('decoder',))
    assert found.config.lanes['a'].threshold == 0.25 and capsys.readouterr().err == ''


def test_half_an_exported_folder_is_named(folder, tmp_path):
    export(['onnx', str(folder), '--out', str(tmp_path / 'out')])
    shutil.rmtree(tmp_path / 'out' / 'decoder')
    with pytest.raises(CheckpointError, match='out/decoder/manifest.json: expected a manifest'):
        load_runtime(str(tmp_path / 'out'), runtime='onnx')


def test_a_damaged_entry_is_named_and_made_again(folder, tmp_path, capsys):
    first = scores(load(folder))
    made, = decoders_in_the_cache(tmp_path)
    (made / 'decoder_step.onnx').write_bytes(b'x')
    np.testing.assert_array_equal(scores(load(folder)), first)
    assert 'decoder_step.onnx: expected' in capsys.readouterr().err


def test_an_exported_folder_is_a_model_by_itself(folder, tmp_path, capsys):
    assert export(['onnx', str(folder), '--out', str(tmp_path / 'out')]) == 0
    assert 'decoder of small-' in capsys.readouterr().out
    expected = load(folder)
    found = load(tmp_path / 'out')
    assert found.spec == expected.spec
    np.testing.assert_array_equal(scores(found), scores(expected))
    assert manifest.differing_files(tmp_path / 'out' / 'decoder') == []


def test_every_graph_says_what_it_is_and_of_what_it_was_made(folder, tmp_path):
    export(['onnx', str(folder), '--out', str(tmp_path / 'out'), '--precision', 'int8'])
    for half, names in (('decoder', (manifest.DECODER_STEP, manifest.VOCABULARY_HEAD)),
                        ('encoder', (manifest.AUDIO_TOWER,))):
        said = manifest.read(tmp_path / 'out' / half)
        for name in names:
            graph = onnx.load(tmp_path / 'out' / half / name, load_external_data=False)
            assert {entry.key: entry.value for entry in graph.metadata_props} == said.facts
        assert said.facts['precision'] == 'int8' and said.model_id.startswith('small-')
        assert {'onnx', 'numpy', 'audio_interaction_ros'} <= set(said.versions)
        assert json.loads(said.facts['spec'])['decoder']['kv_heads'] == 2
        assert json.loads(said.spec)['token_ids']['silence'] == 3
        source = (f'{name}={sha256(folder / name)}' for name in ('audio_tower.safetensors',
                                                                 'decoder.safetensors'))
        assert set(source) <= set(said.facts['source'].split())


def test_graphs_over_base_weights_name_them(tmp_path):
    stored = StoredModel(folder=tmp_path, config=load_config(ROOT / 'models/edge/config.yaml'),
                         model_id='edge-1', hashes={'trained.safetensors': 'a' * 64},
                         base=('whisper-base-b', 'smollm2-c'))
    said = manifest.GraphManifest(model_id='edge-1', half='encoder', precision='fp32',
                                  spec=stored.config.computed_with, source=stored.hashes,
                                  base=stored.base)
    manifest.write(tmp_path, said)
    read = manifest.read(tmp_path)
    assert read == said
    assert read.facts['base'] == 'whisper-base-b smollm2-c'
    assert read.facts['source'] == f'trained.safetensors={"a" * 64}'


def change(path, **values):
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


@pytest.mark.parametrize(('name', 'told'), [
    ('format', 'expected format'), ('files', 'a manifest of graphs'),
    ('model_id', 'expected model_id')])
def test_a_folder_that_does_not_match_is_refused_with_the_command(folder, tmp_path, name, told):
    export(['onnx', str(folder), '--out', str(tmp_path / 'out')])
    change(tmp_path / 'out' / 'decoder' / 'manifest.json',
           **{name: 'audio-interaction-graphs/0' if name == 'format' else 'other'})
    with pytest.raises(CheckpointError, match=f'{told}.*python -m export onnx MODEL --out'):
        load(tmp_path / 'out')


@pytest.mark.parametrize(('key', 'value'), [
    ('decoder', {'rope_base': 7.0}), ('token_ids', {'silence': 19}),
    ('mel', {'decay_per_s': 1.0})])
def test_a_configuration_that_graphs_were_not_made_for_is_refused(folder, tmp_path, key, value):
    export(['onnx', str(folder), '--out', str(tmp_path / 'out')])
    path = tmp_path / 'out' / 'decoder' / 'config.yaml'
    config = load_config(path)
    dump_config(dataclasses.replace(config, **{key: dataclasses.replace(
        getattr(config, key), **value)}), path)
    told = json.loads((path.parent / 'manifest.json').read_text())
    told['files']['config.yaml'][1] = path.stat().st_size
    change(path.parent / 'manifest.json', files=told['files'])
    with pytest.raises(CheckpointError, match=f'config.yaml: {key} is not what the graphs.*'
                                              'python -m export onnx MODEL --out'):
        load(tmp_path / 'out')


def test_halves_of_two_models_and_traded_halves_are_refused(folder, tmp_path):
    out = tmp_path / 'out'
    export(['onnx', str(folder), '--out', str(out)])
    other = save_model(random_model('qwen2'), tmp_path / 'other')
    export(['onnx', str(other), '--out', str(tmp_path / 'second')])
    shutil.rmtree(out / 'encoder')
    shutil.copytree(tmp_path / 'second' / 'encoder', out / 'encoder')
    with pytest.raises(CheckpointError, match='expected both halves of one model, found .*'
                                              'python -m export onnx MODEL --out'):
        load_runtime(str(out), runtime='onnx')
    shutil.rmtree(out / 'encoder')
    shutil.copytree(out / 'decoder', out / 'encoder')
    with pytest.raises(CheckpointError, match='out/encoder: expected graphs of the encoder, '
                                              'found decoder; write the graphs again'):
        load_runtime(str(out), runtime='onnx')


def test_another_precision_than_asked_for_is_refused(folder, tmp_path):
    export(['onnx', str(folder), '--out', str(tmp_path / 'out'), '--precision', 'int8'])
    load(tmp_path / 'out', 'auto')
    with pytest.raises(ConfigurationError, match='model.dtype to auto, or run: .*precision fp32'):
        load(tmp_path / 'out', 'float32')
    (tmp_path / 'out' / 'decoder' / 'controls.npy').write_bytes(b'')
    with pytest.raises(CheckpointError, match=r'controls\.npy: expected \d+ bytes, found 0'):
        load(tmp_path / 'out', 'auto')


@pytest.mark.parametrize(('options', 'told'), [({'dtype': 'float7'}, 'model.dtype'),
                                               ({'device': 'cuda'}, 'model.device')])
def test_what_it_cannot_do_is_named(folder, options, told):
    with pytest.raises(ConfigurationError, match=told):
        load_runtime(str(folder), runtime='onnx', **options)
