"""
The runtime tensorrt without a GPU: all but the two libraries themselves, which are stood in for.

What a GPU computes, how fast, and whether TensorRT and CUDA do as they are documented to, is not
tried here.
"""

import numpy as np
import pytest
from nvidia_stand_in import install
from small_model import (
    SLOTS,
    assert_same_results,
    random_model,
    request,
    save_model,
    schedule,
)

from audio_interaction_ros.errors import (
    CheckpointError,
    ConfigurationError,
    MissingDependencyError,
    ModelFaultError,
    ResourceError,
)
from audio_interaction_ros.graphs import manifest
from audio_interaction_ros.runtimes import engine_files
from audio_interaction_ros.runtimes.cuda import CudaMemory
from audio_interaction_ros.runtimes.engine_files import Room, Target
from audio_interaction_ros.runtimes.registry import load_runtime
from export.__main__ import main as export

pytestmark = pytest.mark.torch

ROOM = Room(lanes=3, slots=SLOTS, listening=8, longest=12)
HERE = Target('10.16.1', 'Pretend (SM 8.7)')


@pytest.fixture(scope='module')
def graphs(tmp_path_factory):
    """Return graphs in full precision, so that scores can be held against torch closely."""
    folder = tmp_path_factory.mktemp('tensorrt')
    export(['onnx', str(save_model(random_model(), folder / 'small')), '--out',
            str(folder / 'graphs'), '--form', 'static'])
    return folder / 'graphs'


@pytest.fixture(scope='module')
def torchs(graphs):
    """Return the same on torch, loaded before anything is stood in for."""
    return load_runtime(str(graphs.parent / 'small' / 'model'), runtime='torch', dtype='float32')


@pytest.fixture
def cuda(monkeypatch, tmp_path):
    monkeypatch.setenv('AUDIO_INTERACTION_CACHE', str(tmp_path / 'cache'))
    return install(monkeypatch)


@pytest.fixture
def engines(graphs, cuda):
    for half, names in (('encoder', [manifest.AUDIO_TOWER]),
                        ('decoder', [manifest.DECODER_STEP, manifest.VOCABULARY_HEAD])):
        said = manifest.read(graphs / half)
        folder = engine_files.engine_folder(said, HERE)
        folder.mkdir(parents=True)
        for name in names:
            (folder / engine_files.engine_name(name)).write_text(str(graphs / half / name))
        engine_files.write_record(folder, target=HERE, graphs=engine_files.graph_hash(said),
                                  room=ROOM if half == 'decoder' else None, seconds={})


def load(graphs, **options):
    return load_runtime(str(graphs), runtime='tensorrt', device='cuda', **options)


@pytest.mark.parametrize('seed', range(2))
def test_any_schedule_gives_the_scores_of_torch(torchs, graphs, cuda, engines, seed):
    assert_same_results(load(graphs, halves=('decoder',)).decoder, torchs.decoder,
                        schedule(seed, steps=25), atol=1e-4, forget_before=15)


def test_the_usual_passes_are_single_calls(graphs, cuda, engines):
    decoder = load(graphs, halves=('decoder',)).decoder
    decoder.open(lanes=3, slots=SLOTS)
    listening = [request(range(20, 28), lane=lane, slots=range(8), read=[7]) for lane in range(3)]
    cuda.calls.clear()
    decoder.step(listening)
    assert cuda.calls == {'launch': 1}
    cuda.calls.clear()
    decoder.step([request([30], lane=lane, slots=[8], seen=range(8)) for lane in range(3)])
    assert cuda.calls == {'launch': 2}  # and the vocabulary
    cuda.calls.clear()
    decoder.step([request(range(20, 32), slots=range(20, 32), read=[])])  # a backlog
    assert 'launch' not in cuda.calls and cuda.calls['engine'] == 1


def test_a_shorter_lane_costs_one_copy_of_all_layers(graphs, cuda, engines):
    decoder = load(graphs, halves=('decoder',)).decoder
    decoder.open(lanes=3, slots=SLOTS)
    cuda.calls.clear()
    decoder.step([request(range(20, 28), lane=0, slots=range(8), read=[7]),
                  request([30], lane=1, slots=[5], read=[0])])
    assert cuda.calls == {'launch': 1, 'boxes': 1}


def test_the_encoder_is_that_of_torch_and_keeps_nothing_of_a_window(torchs, graphs, cuda,
                                                                         engines):
    encoder = load(graphs, halves=('encoder',)).encoder
    mels = np.random.default_rng(0).standard_normal((2, 8, 40), dtype=np.float32)
    cuda.calls.clear()
    found = [encoder.encode(mel) for mel in mels]
    assert cuda.calls == {'launch': 2}
    for ours, theirs in zip(found, [torchs.encoder.encode(mel) for mel in mels], strict=True):
        np.testing.assert_allclose(ours.features, theirs.features, atol=1e-4)
        np.testing.assert_allclose(ours.embedding, theirs.embedding, atol=1e-4)


def test_engines_that_are_too_small_are_named_with_the_command(graphs, cuda, engines):
    decoder = load(graphs, halves=('decoder',)).decoder
    with pytest.raises(ConfigurationError, match=(
            f'built for 3 lanes of {SLOTS} slots, expected 4 lanes of 256; run: python -m export '
            'tensorrt .*graphs --lanes 4 --slots 256')):
        decoder.open(lanes=4, slots=256)
    decoder.open(lanes=2, slots=32)  # fewer and shorter will do
    with pytest.raises(ValueError, match='slots below 32'):
        decoder.step([request([20], slots=[32])])


def test_another_gpu_version_or_graph_is_refused_with_the_command(graphs, cuda, engines):
    cuda.name = b'Another'
    with pytest.raises(CheckpointError, match=r'on Another.*found for TensorRT 10.16.1 on Pretend '
                                              r'\(SM 8.7\), of these graphs; run: python -m exp'):
        load(graphs)


def test_engines_that_tensorrt_cannot_read_are_named(graphs, cuda, engines):
    said = manifest.read(graphs / 'encoder')
    folder = engine_files.engine_folder(said, HERE)
    (folder / 'audio_tower.engine').write_bytes(b'')
    engine_files.write_record(folder, target=HERE, graphs=engine_files.graph_hash(said), room=None,
                              seconds={})
    with pytest.raises(CheckpointError, match='cannot read it; remove .*then run: python -m exp'):
        load(graphs, halves=('encoder',))


@pytest.mark.parametrize(('options', 'said'), [
    ({'device': 'cpu'}, "device: the runtime tensorrt expects 'cuda'"),
    ({'device': 'cuda', 'dtype': 'int8'}, "dtype: the runtime tensorrt expects 'auto'")])
def test_what_it_cannot_do_is_named(graphs, cuda, options, said):
    with pytest.raises(ConfigurationError, match=said):
        load_runtime(str(graphs), runtime='tensorrt', **options)


def test_a_model_without_graphs_or_of_another_form_is_refused(graphs, cuda, tmp_path):
    with pytest.raises(ConfigurationError, match='expects a folder of graphs, found .edge.; run'):
        load('edge')
    export(['onnx', str(graphs.parent / 'small' / 'model'), '--out', str(tmp_path / 'delta')])
    with pytest.raises(ConfigurationError, match='expects the static form, found delta; run'):
        load(tmp_path / 'delta')


def test_a_missing_library_is_named(graphs, monkeypatch):
    import sys

    for name in ('tensorrt', 'cuda', 'cuda.bindings'):
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.delitem(sys.modules, 'audio_interaction_ros.runtimes.tensorrt', raising=False)
    with pytest.raises(MissingDependencyError, match='pip install -r requirements/tensorrt.txt'):
        load(graphs)


def test_no_room_and_a_failing_gpu_are_named(cuda):
    memory = CudaMemory()
    cuda.room = 10
    with pytest.raises(ResourceError, match='lower model.slots'):
        memory.allocate(11)
    cuda.cudaMemsetAsync = lambda *rest: (700,)
    with pytest.raises(ModelFaultError, match='the GPU failed'):
        memory.zero(0, 1)


def test_all_memory_is_given_back(cuda):
    memory = CudaMemory()
    memory.allocate(10)
    memory.allocate_host(10)
    memory.record(lambda: None)
    memory.free()
    assert not cuda._kept
