"""Comparison of graphs with torch: what passes, what does not, and what the command says."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

sys.path.append(str(Path(__file__).parents[1] / 'runtimes'))
from small_model import random_model, save_model  # noqa: E402

from audio_interaction_ros.config import AssistantConfig  # noqa: E402
from audio_interaction_ros.protocol import Emotion  # noqa: E402
from audio_interaction_ros.stream.events import ReplyFinished, Silence  # noqa: E402
from export.__main__ import main as export  # noqa: E402
from export.bars import BARS, Verdict, loosest  # noqa: E402
from export.sounds import SoundsHeard, compare_sounds, hear_sounds  # noqa: E402
from export.verify import SceneOutcome, compare_scenes  # noqa: E402

pytest.importorskip('onnxruntime')
pytestmark = pytest.mark.torch


@pytest.fixture(scope='module')
def model(tmp_path_factory):
    return save_model(random_model(), tmp_path_factory.mktemp('verify') / 'small')


@pytest.fixture
def cache(monkeypatch, tmp_path):
    monkeypatch.setenv('AUDIO_INTERACTION_CACHE', str(tmp_path / 'cache'))


def verify(folder, model):
    return export(['verify', str(folder), '--model', str(model), '--scene', ''])


def test_graphs_in_full_precision_pass(model, cache, tmp_path, capsys):
    export(['onnx', str(model), '--out', str(tmp_path / 'out')])
    capsys.readouterr()
    assert verify(tmp_path / 'out', model) == 0
    told = capsys.readouterr().out
    assert told.count('passed') == 4 and 'control scores, seeded' in told


def test_a_precision_that_misses_its_bar_ends_with_1(model, cache, tmp_path, capsys):
    export(['onnx', str(model), '--out', str(tmp_path / 'out'), '--precision', 'int4'])
    for half in ('encoder', 'decoder'):  # claims to be of full precision
        path = tmp_path / 'out' / half / 'manifest.json'
        path.write_text(json.dumps(json.loads(path.read_text()) | {'precision': 'fp32'}))
    assert verify(tmp_path / 'out', model) == 2
    assert "expected precision 'fp32', found 'int4'" in capsys.readouterr().err


def test_four_bits_are_measured_against_their_own_bar(model, cache, tmp_path, capsys):
    export(['onnx', str(model), '--out', str(tmp_path / 'out'), '--precision', 'int4'])
    assert verify(tmp_path / 'out', model) in (0, 1)
    assert 'at most 0.2' in capsys.readouterr().out


def test_another_model_and_changed_weights_are_refused(model, cache, tmp_path, capsys):
    export(['onnx', str(model), '--out', str(tmp_path / 'out')])
    other = save_model(random_model('qwen2'), tmp_path / 'other')
    assert verify(tmp_path / 'out', other) == 2
    assert 'name the model that was exported' in capsys.readouterr().err
    data = tmp_path / 'out' / 'decoder' / 'decoder_step.onnx.data'
    data.write_bytes(data.read_bytes()[::-1])
    assert verify(tmp_path / 'out', model) == 2
    assert 'decoder_step.onnx.data: the content is not' in capsys.readouterr().err


def reply(text, lane='transcript', seq=5, p=0.9):
    return ReplyFinished(lane=lane, stamp_ns=0, epoch=0, seq=seq, reply_id='0-1', text=text,
                         emotion=next(iter(Emotion)), reason='end', start_ns=0, end_ns=1,
                         p_respond=p)


def silence(seq, p):
    return Silence(lane='transcript', stamp_ns=0, epoch=0, seq=seq, p_respond=p)


def failing(found, expected, precision='fp32'):
    verdicts = compare_scenes(SceneOutcome(tuple(found)), SceneOutcome(tuple(expected)),
                              BARS[precision])
    return [verdict.name.partition(',')[0] for verdict in verdicts if not verdict.passed]


def test_scenes_are_compared_in_words_probabilities_and_events():
    expected = [silence(1, 0.1), silence(2, 0.2), reply('one two three')]
    assert failing(expected, expected) == []
    rounded = [silence(1, 0.10001), silence(2, 0.2), reply('one two three', p=0.90001)]
    assert failing(rounded, expected) == []
    assert failing([silence(1, 0.3), *expected[1:]], expected) == ['mean change of p']
    other = [*expected[:2], reply('one two four')]
    assert failing(other, expected) == ['words that differ', 'events that differ']
    assert failing([*expected[:2], reply('one two three', seq=6)], expected) == [
        'events that differ']
    assert failing([*expected[:2], reply('one two three', seq=6)], expected, 'int8') == []
    assert failing([], expected) == ['words that differ', 'mean change of p',
                                     'events that differ']


def sounds(scores, *events):
    return SoundsHeard(np.array(scores, np.float32), events)


def test_sounds_are_compared_by_their_scores_and_by_what_the_detector_says():
    began = ('SoundStarted', 'bell', 1)
    expected = sounds([[0.1, 0.9], [0.2, 0.99]], began)

    def failing_sounds(found, precision='int8'):
        return [verdict.name.partition(',')[0] for verdict in compare_sounds(
            found, expected, BARS[precision]) if not verdict.passed]
    assert failing_sounds(expected, 'fp32') == []
    near = sounds([[0.1, 0.9], [0.25, 0.99]], began)
    assert failing_sounds(near) == []
    assert failing_sounds(near, 'fp32') == ['largest change of a sound']
    assert failing_sounds(sounds([[0.1, 0.9], [0.31, 0.99]], began)) == [
        'largest change of a sound']
    assert failing_sounds(sounds(expected.scores)) == ['sounds that differ']
    later = sounds(expected.scores, ('SoundStarted', 'bell', 2))
    assert failing_sounds(later) == ['sounds that differ']
    assert failing_sounds(sounds([[0.1, np.nan], [0.2, 0.99]], began)) == [
        'largest change of a sound']
    assert failing_sounds(sounds([[0.1], [0.2]], began)) == ['largest change of a sound']


def test_a_model_that_tells_no_sounds_apart_has_none_to_compare():
    nothing = sounds(np.empty((2, 0)))
    assert compare_sounds(nothing, nothing, BARS['fp32']) == []


def test_the_sounds_of_a_scene_are_heard_with_every_chunk(model, tmp_path):
    config = AssistantConfig()
    samples = np.random.default_rng(0).normal(0, 0.1, 16_000).astype(np.float32)
    soundfile.write(tmp_path / 'scene.wav', samples, 16_000)
    heard = hear_sounds(config, tmp_path / 'scene.wav', runtime='torch', model=str(model),
                        dtype='float32')
    assert len(heard.scores) == 3 and heard.events == ()


def test_no_number_clears_no_bar():
    assert Verdict('any', 0.5, 1).passed and not Verdict('any', np.nan, 1).passed


def test_halves_of_two_precisions_are_held_against_their_own_bars(model, cache, tmp_path, capsys):
    export(['onnx', str(model), '--out', str(tmp_path / 'out')])
    export(['onnx', str(model), '--out', str(tmp_path / 'other'), '--precision', 'int8'])
    (tmp_path / 'out' / 'decoder').rename(tmp_path / 'decoder')
    (tmp_path / 'other' / 'decoder').rename(tmp_path / 'out' / 'decoder')
    capsys.readouterr()
    verify(tmp_path / 'out', model)
    told = capsys.readouterr().out.splitlines()[:4]
    assert told[0].endswith('at most 0.001')  # features
    assert all(line.endswith('at most 0.2') for line in told[1:])
    assert [loosest(set(found)) for found in (('fp32',), ('int8', 'fp32'))] == ['fp32', 'int8']
