"""Engines on disk: found where they fit, refused with what there is and what to run."""

import json

import pytest

from audio_interaction_ros.errors import CheckpointError
from audio_interaction_ros.graphs.manifest import GraphManifest
from audio_interaction_ros.runtimes import engine_files
from audio_interaction_ros.runtimes.engine_files import Room, Target

pytestmark = pytest.mark.unit

HERE = Target('10.16.1', 'Orin (SM 8.7)')
ROOM = Room(lanes=3, slots=512, listening=13, longest=64)


def manifest(digest='a', **changes):
    return GraphManifest(**{'model_id': 'edge-1', 'half': 'decoder', 'precision': 'fp16',
                            'form': 'static', 'versions': {}, 'files': {
                                'step.onnx': (digest, 3), 'step.onnx.data': ('b', 4),
                                'config.yaml': ('c', 5)}} | changes)


@pytest.fixture(autouse=True)
def cache(monkeypatch, tmp_path):
    monkeypatch.setenv('AUDIO_INTERACTION_CACHE', str(tmp_path / 'cache'))


def built(said, target=HERE, room=ROOM):
    folder = engine_files.engine_folder(said, target)
    folder.mkdir(parents=True)
    (folder / 'decoder_step.engine').write_bytes(b'engine')
    engine_files.write_record(folder, target=target, graphs=engine_files.graph_hash(said),
                              room=room, seconds={'decoder_step.onnx': 90.0})
    return folder


def find(tmp_path, said, target=HERE):
    return engine_files.find(tmp_path / 'graphs' / 'decoder', said, target)


def test_what_was_built_for_this_gpu_is_found(tmp_path):
    folder = built(manifest())
    found, record = find(tmp_path, manifest())
    assert found == folder and record.room == ROOM and record.target == HERE
    assert engine_files.fault(folder, manifest(), HERE, ROOM) == ''
    assert engine_files.seconds_of_another(manifest()) == {'decoder_step.onnx': 90.0}


def test_the_configuration_beside_the_graphs_changes_nothing():
    files = manifest().files | {'config.yaml': ('other', 9)}
    assert engine_files.graph_hash(manifest(files=files)) == engine_files.graph_hash(manifest())


@pytest.mark.parametrize(('said', 'target', 'there'), [
    (manifest(), Target('10.15.1', 'Orin (SM 8.7)'), 'for TensorRT 10.15.1.*of these graphs'),
    (manifest(), Target('10.16.1', 'Thor (SM 11.0)'), 'on Thor .*of these graphs'),
    (manifest('other'), HERE, 'of other graphs')])
def test_engines_of_something_else_are_named_and_not_loaded(tmp_path, said, target, there):
    built(said, target)
    with pytest.raises(CheckpointError, match=(
            rf'for TensorRT 10.16.1 on Orin \(SM 8.7\).*found .*{there}; run: '
            r'python -m export tensorrt .*graphs$')):
        find(tmp_path, manifest())


def test_no_engines_at_all_are_said_to_be_none(tmp_path):
    with pytest.raises(CheckpointError, match='found none; run: python -m export tensorrt'):
        find(tmp_path, manifest())


@pytest.mark.parametrize('spoil', [
    lambda folder: (folder / 'decoder_step.engine').write_bytes(b'short'),
    lambda folder: (folder / 'decoder_step.engine').unlink(),
    lambda folder: (folder / engine_files.RECORD).write_text('{'),
    lambda folder: (folder / engine_files.RECORD).write_text(json.dumps({'target': 3}))])
def test_a_broken_folder_is_refused_with_the_remedy(tmp_path, spoil):
    spoil(built(manifest()))
    with pytest.raises(CheckpointError, match='run: python -m export tensorrt'):
        find(tmp_path, manifest())


def test_a_record_that_was_moved_there_by_hand_is_refused(tmp_path):
    other = Target('10.15.1', 'Orin (SM 8.7)')
    built(manifest(), other).rename(engine_files.engine_folder(manifest(), HERE))
    with pytest.raises(CheckpointError, match='found some for TensorRT 10.15.1'):
        find(tmp_path, manifest())


def test_another_room_is_a_reason_to_build_again():
    folder = built(manifest())
    wider = Room(lanes=4, slots=512, listening=13, longest=64)
    assert 'lanes=3' in engine_files.fault(folder, manifest(), HERE, wider)


def test_profiles_are_one_position_a_listening_step_and_a_backlog():
    assert ROOM.profiles == ((1, 1, 1), (13, 13, 13), (14, 52, 64)) and ROOM.total == 576
    assert len(Room(lanes=1, slots=128, listening=13, longest=13).profiles) == 2
