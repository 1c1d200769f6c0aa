"""Building of engines without TensorRT: sizes, progress, timings, what is said for lack of it."""

import sys
import types
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[1] / 'runtimes'))
from small_model import random_model, save_model  # noqa: E402

from audio_interaction_ros.graphs import manifest  # noqa: E402
from audio_interaction_ros.model.shapes import DecoderConfig  # noqa: E402
from audio_interaction_ros.runtimes.engine_files import Room, Target  # noqa: E402
from export.__main__ import main as export  # noqa: E402
from export.engines import sizes_of  # noqa: E402
from export.progress import Progress, Timings  # noqa: E402

pytestmark = pytest.mark.torch

ROOM = Room(lanes=3, slots=512, listening=13, longest=64)
SHAPE = DecoderConfig(layers=1, width=8, mlp_width=8, heads=6, kv_heads=2, head_dim=8,
                      vocab_size=9)


@pytest.fixture(scope='module')
def graphs(tmp_path_factory):
    folder = tmp_path_factory.mktemp('tensorrt')
    assert export(['onnx', str(save_model(random_model(), folder / 'small')), '--out',
                   str(folder / 'graphs'), '--form', 'static', '--precision', 'fp16']) == 0
    return folder / 'graphs'


@pytest.fixture
def absent(monkeypatch):
    for name in ('tensorrt', 'tensorrt_rtx_bindings', 'cuda', 'cuda.bindings'):
        monkeypatch.setitem(sys.modules, name, None)


def test_a_missing_library_is_named_with_how_to_get_it(graphs, absent, capsys):
    assert export(['tensorrt', str(graphs)]) == 2
    assert 'needs tensorrt' in (said := capsys.readouterr().err)
    assert 'pip install -r requirements/tensorrt.txt' in said and 'JetPack' in said
    assert export(['tensorrt', str(graphs), '--ahead', '86']) == 2
    assert 'pip install tensorrt-rtx-cu12-bindings' in capsys.readouterr().err


def test_a_missing_gpu_is_named_with_what_runs_instead(graphs, absent, monkeypatch, capsys):
    runtime = types.SimpleNamespace(cudaGetDeviceCount=lambda: (35, 0),
                                    cudaGetErrorString=lambda status: (0, b'no driver'))
    bindings = types.SimpleNamespace(runtime=runtime)
    for name, module in (('tensorrt', types.SimpleNamespace(__version__='10.16.1')),
                         ('cuda', types.SimpleNamespace(bindings=bindings)),
                         ('cuda.bindings', bindings)):
        monkeypatch.setitem(sys.modules, name, module)
    assert export(['tensorrt', str(graphs)]) == 2
    said = capsys.readouterr().err
    assert 'expected an NVIDIA GPU, found none (no driver); set model.runtime to onnx' in said


def test_a_room_of_nothing_is_refused(graphs, absent, capsys):
    assert export(['tensorrt', str(graphs), '--slots', '5']) == 2
    assert '--slots: expected 128 or more, found 5' in capsys.readouterr().err


def test_the_static_form_has_no_eight_bits(tmp_path, capsys):
    assert export(['onnx', 'edge', '--out', str(tmp_path), '--form', 'static', '--precision',
                   'int8']) == 2
    assert 'the static form has fp32, fp16, int4' in capsys.readouterr().err


def test_a_step_is_made_for_three_lengths_and_the_rest_is_fixed():
    sizes = sizes_of(manifest.DECODER_STEP, SHAPE, ROOM)
    assert sizes.fixed == {'rows': 3, 'slots': 576, 'mask_rows': 1}
    assert [profile['time'] for profile in sizes.profiles] == [(1,) * 3, (13,) * 3, (14, 52, 64)]
    assert sizes.profiles[1]['group_time'] == (39,) * 3
    assert sizes_of(manifest.AUDIO_TOWER, SHAPE, None).profiles == ()
    assert sizes_of(manifest.VOCABULARY_HEAD, SHAPE, ROOM).profiles == ({'rows': (1, 1, 3)},)


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


def test_progress_is_told_now_and_then_with_an_estimate():
    clock, said = Clock(), []
    progress = Progress('step', clock=clock, write=said.append)
    assert said == ['step: building (a large model takes minutes the first time)']
    progress.start('build', None, 4)
    progress.step('build', 0)
    assert len(said) == 1  # at once nobody wants to know
    progress.start('layers', 'build', 10)
    clock.now = 30.0
    progress.step('layers', 4)
    assert progress.share == pytest.approx((1 + 0.5) / 4)
    assert said[1:] == ['step: 38 % after 30 s, about 50 s left']
    progress.finish('layers')
    clock.now = 200.0
    progress.step('build', 1)
    assert said[2:] == ['step: 50 % after 3 min, about 3 min left']


def test_what_took_long_before_is_expected_again():
    clock, said = Clock(), []
    progress = Progress('step', expected_s=300.0, clock=clock, write=said.append)
    progress.start('build', None, 2)
    clock.now = 100.0
    progress.step('build', 0)
    assert said == ['step: building (about 5 min, as before)',
                    'step: 50 % after 2 min, about 3 min left']
    clock.now = 400.0
    progress.step('build', 1)
    assert said[-1] == 'step: 100 % after 7 min'


def test_what_was_measured_serves_the_next_build(monkeypatch, tmp_path):
    monkeypatch.setenv('AUDIO_INTERACTION_CACHE', str(tmp_path))
    (tmp_path / 'tensorrt').mkdir()
    given, config = [], types.SimpleNamespace(
        create_timing_cache=lambda known: given.append(known) or types.SimpleNamespace(
            serialize=lambda: known + b'+'),
        set_timing_cache=lambda cache, ignore_mismatch: None)
    trt = types.SimpleNamespace(IProgressMonitor=type('Monitor', (), {}))
    for _ in range(2):
        timings = Timings(Target('10.16', 'Orin (SM 8.7)'), Progress('x', write=lambda text: None))
        timings.configure(trt, config)
        timings.save()
    assert given == [b'', b'+']
    assert timings.path.name == '10.16-Orin-SM-8.7.timings'


def test_the_delta_form_is_for_other_runtimes(tmp_path, absent, capsys):
    model = save_model(random_model(), tmp_path / 'small')
    assert export(['onnx', str(model), '--out', str(tmp_path / 'graphs')]) == 0
    assert export(['tensorrt', str(tmp_path / 'graphs')]) == 2
    assert 'expected the static form' in capsys.readouterr().err
