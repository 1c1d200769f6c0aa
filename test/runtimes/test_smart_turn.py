"""Smart Turn: what it is given to hear, with a graph of our own in its shape."""

import numpy as np
import pytest

from audio_interaction_ros.errors import CheckpointError, ConfigurationError
from audio_interaction_ros.runtimes import smart_turn
from audio_interaction_ros.runtimes.registry import load_turn_judge
from audio_interaction_ros.runtimes.smart_turn import SmartTurn, prepare

onnx = pytest.importorskip('onnx')
pytestmark = pytest.mark.unit


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Write a graph that returns the mean of its mel, and let it stand for the real one."""
    helper, kind = onnx.helper, onnx.TensorProto.FLOAT
    graph = helper.make_graph(
        [helper.make_node('ReduceMean', ['input_features'], ['mean'], axes=[1, 2], keepdims=1),
         helper.make_node('Flatten', ['mean'], ['flat']),
         helper.make_node('Sigmoid', ['flat'], ['logits'])], 'turn',
        [helper.make_tensor_value_info('input_features', kind, ['n', 80, 800])],
        [helper.make_tensor_value_info('logits', kind, ['n', 1])])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid('', 13)], ir_version=8),
              tmp_path / 'model.onnx')
    monkeypatch.setattr(smart_turn, 'fetch', lambda name: {'smart-turn': tmp_path}[name])
    return tmp_path


def test_what_is_heard_is_the_newest_eight_seconds_with_silence_before_short_ones():
    noise = np.random.default_rng(0).normal(0, 0.1, 16_000 * 9).astype(np.float32)
    assert np.allclose(prepare(noise), prepare(noise[16_000:]), atol=1e-5)
    short = prepare(noise[:16_000])
    assert len(short) == 16_000 * 8 and np.ptp(short[:16_000 * 7]) == 0
    assert abs(short.mean()) < 1e-5 and abs(short.std() - 1) < 1e-3
    assert np.isfinite(prepare(np.zeros(100, np.float32))).all()


def test_a_voice_of_any_level_gets_the_same_probability(folder):
    judge = load_turn_judge(threads=1)
    assert isinstance(judge, SmartTurn)
    noise = np.random.default_rng(0).normal(0, 0.1, 40_000).astype(np.float32)
    loud, soft = judge(noise), judge(noise * np.float32(0.05))
    assert 0 < loud < 1 and abs(loud - soft) < 1e-3
    assert judge(np.zeros(1_000, np.float32)) < loud


def test_a_damaged_graph_is_named(folder):
    (folder / 'model.onnx').write_bytes(b'no graph')
    with pytest.raises(CheckpointError, match=r'model\.onnx'):
        load_turn_judge()


@pytest.mark.parametrize('wrong', [
    {'end': 'guess'}, {'end_sure_ms': 1100.0}, {'end_silence_ms': 3000.0},
    {'end_threshold': 1.5}])
def test_a_wrong_end_is_refused_with_the_parameter_to_change(wrong):
    from audio_interaction_ros.config import TranscriptConfig
    with pytest.raises(ConfigurationError, match=r'transcript\.end'):
        TranscriptConfig(**wrong)
