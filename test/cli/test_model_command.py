"""`audio-interaction model`: what lies on a machine, what is fetched, what differs."""

import pytest
from small_model import random_model, save_model

from audio_interaction_ros.checkpoints.weights import identify
from audio_interaction_ros.cli import model_files
from audio_interaction_ros.cli.main import main
from audio_interaction_ros.graphs import manifest
from audio_interaction_ros.runtimes import onnx, onnx_second_pass

pytestmark = pytest.mark.torch


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Return the folder of a small model of its own; the cache is empty."""
    monkeypatch.setenv('AUDIO_INTERACTION_CACHE', str(tmp_path / 'cache'))
    return save_model(random_model(), tmp_path / 'small')


def make_graphs(folder):
    return onnx.ensure_graphs(identify(folder), 'encoder', 'int8')


@pytest.fixture
def complete(monkeypatch):
    """Let nothing be missing; what is here is checked all the same."""
    monkeypatch.setattr(model_files, 'find_missing', lambda model: iter(()))


def test_what_is_as_it_was_made_passes(folder, complete, capsys):
    make_graphs(folder)
    assert main(['model', 'check', str(folder)]) == 0
    assert 'every file is here, and as it was made' in capsys.readouterr().out


def test_what_a_start_would_have_to_get_is_missing_and_no_pass(folder, tmp_path, capsys):
    assert main(['model', 'check', str(folder)]) == 1
    said = capsys.readouterr().out
    for part in ('base/silero-vad', 'base/smart-turn', 'encoder-int8', 'second_pass-int8'):
        assert any(part in line and 'not here yet' in line for line in said.splitlines()), part
    assert f'model fetch {folder}' in said
    make_graphs(folder)
    assert main(['model', 'check', str(folder)]) == 1
    assert 'encoder-int8' not in capsys.readouterr().out


def test_a_changed_byte_of_the_second_pass_is_named(folder, tmp_path, complete, capsys):
    graphs = manifest.cached_folder(onnx_second_pass.base_id(), onnx_second_pass.HALF, 'int8')
    graphs.mkdir(parents=True)
    (graphs / 'whisper_step.onnx').write_bytes(b'graph')
    manifest.write(graphs, manifest.GraphManifest(
        model_id=onnx_second_pass.base_id(), half=onnx_second_pass.HALF, precision='int8'))
    assert main(['model', 'check', str(folder)]) == 0
    (graphs / 'whisper_step.onnx').write_bytes(b'graqh')
    assert main(['model', 'check', str(folder)]) == 1
    assert str(graphs / 'whisper_step.onnx') in capsys.readouterr().out


def test_a_changed_byte_of_a_model_is_named(folder, capsys):
    weights = next(folder.glob('*.safetensors'))
    weights.write_bytes(weights.read_bytes()[:-1] + b'\x7f')
    assert main(['model', 'check', str(folder)]) == 1
    assert weights.name in capsys.readouterr().out


def test_a_changed_byte_of_a_graph_is_named_and_the_remedy(folder, capsys):
    graph = make_graphs(folder) / 'audio_tower.onnx'
    graph.write_bytes(graph.read_bytes()[:-1] + b'\x7f')
    assert main(['model', 'check', str(folder)]) == 1
    said = capsys.readouterr().out
    assert str(graph) in said and 'remove' in said


def test_a_damaged_base_weight_is_named(folder, tmp_path, capsys):
    (tmp_path / 'cache/base/silero-vad').mkdir(parents=True)
    assert main(['model', 'check', str(folder)]) == 1
    assert 'silero-vad: model.safetensors: expected sha256' in capsys.readouterr().out


def test_graphs_of_an_older_format_are_called_old_and_are_no_fault(folder, complete, capsys):
    graphs = make_graphs(folder)
    graphs.rename(graphs.with_name(graphs.name.rpartition('-')[0] + '-1'))
    assert main(['model', 'check', str(folder)]) == 0
    assert main(['model', 'list']) == 0
    said = capsys.readouterr().out
    assert any(line.startswith('old graphs') for line in said.splitlines())
    assert any(line.startswith('model ') and ' edge ' in line for line in said.splitlines())


def test_fetching_gets_all_that_a_start_needs(folder, tmp_path, monkeypatch, capsys):
    fetched = []
    monkeypatch.setattr(model_files.base_weights, 'fetch',
                        lambda name: fetched.append(name) or tmp_path / name)
    monkeypatch.setattr(model_files.onnx_second_pass, 'graph_folder', lambda: tmp_path / 'words')
    assert main(['model', 'fetch', str(folder)]) == 0
    assert fetched == ['whisper-base', 'silero-vad', 'smart-turn']  # it lies over no base weights
    said = capsys.readouterr().out
    assert all(list((tmp_path / 'cache' / 'onnx').glob(f'*-{half}-int8-*'))
               for half in ('encoder', 'decoder'))
    assert 'needs no network to start' in said


def test_a_model_that_is_nowhere_is_one_clear_line(tmp_path, capsys):
    assert main(['model', 'check', str(tmp_path / 'none')]) == 1
    assert 'expected an existing folder' in capsys.readouterr().out


def test_a_model_is_exported_by_the_same_command(folder, tmp_path, capsys):
    assert main(['model', 'export', str(folder), '--out', str(tmp_path / 'graphs')]) == 0
    assert (tmp_path / 'graphs' / 'encoder' / 'audio_tower.onnx').is_file()
    assert (tmp_path / 'graphs' / 'decoder' / 'decoder_step.onnx').is_file()
