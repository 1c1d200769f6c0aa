"""Many streams at the same time decide as each alone; what would be said is asked aside."""

import hashlib
import json
from dataclasses import asdict, replace

import numpy as np
import pytest

pytest.importorskip('torch')

import torch

from audio_interaction_ros.checkpoints.config import CheckpointConfig
from audio_interaction_ros.checkpoints.load import LoadedModel
from audio_interaction_ros.config import LaneConfig, LaneDefaults
from audio_interaction_ros.model.audio_tower import AudioTower
from audio_interaction_ros.model.decoder import Decoder
from audio_interaction_ros.model.shapes import AudioTowerConfig, DecoderConfig
from audio_interaction_ros.protocol import TokenIds
from audio_interaction_ros.runtimes.base import Runtime
from audio_interaction_ros.runtimes.torch import TorchDecoder, TorchEncoder
from eval.hearing.listener import VERSION, Listener
from eval.reply_probe import FLOOR
from eval.worker_pool import WorkerPool

pytestmark = pytest.mark.torch

IDS = TokenIds(user=1, assistant=2, silence=3, respond=4, text_end=5, pad=6, online=7, offline=8,
               language=9, system=4, audio_pad=10, audio_begin=11, audio_end=12,
               emotions=(13, 14, 15, 16, 17, 18))
LANE = (LaneConfig(name='assistant', threshold=0.5, max_reply_tokens=24),)
TRACE = (LaneConfig(name='assistant_trace', threshold=1.0, max_reply_tokens=1),)


class Letters:
    """A tokenizer of one letter per id."""

    def encode(self, text):
        return [20 + ord(letter) % 20 for letter in text]

    def token_bytes(self, token):
        return bytes([token + 70])


def small_runtime():
    torch.set_num_threads(1)
    torch.manual_seed(5)
    config = CheckpointConfig(
        model='small', token_ids=IDS, max_positions=256,
        lanes={'assistant': LaneDefaults(prompt='Warn.')},
        audio_tower=AudioTowerConfig(mel_bins=8, width=16, layers=1, heads=2, mlp_width=32,
                                     window_frames=80, stack=4, output_width=32),
        decoder=DecoderConfig(layers=2, width=32, mlp_width=48, heads=4, kv_heads=2, head_dim=8,
                              vocab_size=40))
    tower, decoder = AudioTower(config.audio_tower).eval(), Decoder(config.decoder).eval()
    for parameter in (*tower.parameters(), *decoder.parameters()):
        torch.nn.init.normal_(parameter, std=0.3)
    loaded = LoadedModel(config=config, tower=tower, decoder=decoder, tokenizer=Letters(),
                         model_id='small-1')
    return Runtime(encoder=TorchEncoder(loaded), decoder=TorchDecoder(loaded),
                   tokenizer=loaded.tokenizer, config=config)


def streams(parts, count=5):
    # Of different lengths, one after another with more than a place has.
    return [(f's{i}', parts.tone(1.0 + 3.1 * i, 300.0 * (i + 1), level=0.1 * (i + 1)) + parts.hiss(
        1.0 + 3.1 * i, level=0.05, seed=i)) for i in range(count)]


def decided(hearing):
    return ([(reply.lane, reply.at, reply.text, reply.urgent) for reply in hearing.replies],
            [one[:3] for one in hearing.muttered], hearing.seconds)


@pytest.mark.parametrize('lanes', [LANE, TRACE])
def test_streams_in_company_decide_as_alone(parts, tmp_path, lanes):
    heard = {}
    for name, crew in (('alone', None), ('three', WorkerPool(streams=3))):
        listener = Listener(small_runtime(), lanes, cache=tmp_path / name, crew=crew)
        heard[name] = dict(listener.hear_all(streams(parts)))
        assert listener.fresh == 5
    lane = lanes[0].name
    said = 0
    for place, alone in heard['alone'].items():
        other = heard['three'][place]
        assert decided(other) == decided(alone) and not other.alone
        np.testing.assert_allclose(other.p[lane], alone.p[lane], atol=2e-5)
        said += len(alone.replies) + len(alone.muttered)
    assert said > 5


def test_what_is_muttered_first_is_what_is_said_first(parts, tmp_path):
    runtime = small_runtime()
    said = Listener(runtime, LANE, cache=tmp_path / 'a')
    traced = Listener(runtime, TRACE, cache=tmp_path / 'b')
    replied = 0
    for name, samples in streams(parts):
        lane, trace = said.hear(name, samples), traced.hear(name, samples)
        p = trace.p['assistant_trace']
        assert [chunk for chunk, *_ in trace.muttered] == [i for i, x in enumerate(p) if x >= 0.1]
        if lane.replies:
            first = lane.replies[0]
            chunk = next(i for i, x in enumerate(p) if x >= 0.5)
            assert first.at == pytest.approx(0.4 * (chunk + 1))
            assert (chunk, first.urgent, first.text) in [one[:3] for one in trace.muttered]
            np.testing.assert_allclose(lane.p['assistant'][:chunk + 1], p[:chunk + 1], atol=2e-5)
            replied += 1
    assert replied


def test_a_lane_withholds_what_it_muttered_with_that_confidence(parts, tmp_path):
    runtime, (name, samples) = small_runtime(), streams(parts)[4]
    traced = Listener(runtime, TRACE, cache=tmp_path / 'b').hear(name, samples)
    unsure = Listener(runtime, (replace(LANE[0], min_confidence=1.0),), cache=tmp_path / 'a')
    hearing = unsure.hear(name, samples)
    _, at, text, sure = hearing.withheld[0]
    first = next(one for one in traced.muttered if one[0] == round(at / 0.4) - 1)
    assert first[2] == text and first[3] == pytest.approx(sure, abs=2e-4)
    assert 0 < sure < 1 and not hearing.replies
    again = Listener(runtime, unsure.lanes, cache=tmp_path / 'a')
    assert again.hear(name, samples) == hearing and again.fresh == 0


def test_a_gate_that_is_off_is_no_part_of_the_key(tmp_path):
    runtime = small_runtime()
    keys = [Listener(runtime, (replace(LANE[0], min_confidence=sure),),
                     cache=tmp_path / 'a').fingerprint for sure in (0.0, 0.5)]
    assert keys[0] != keys[1]
    lane = asdict(Listener(runtime, LANE, cache=tmp_path / 'a').lanes[0])
    del lane['min_confidence'], lane['slots']
    parts = [VERSION, FLOOR, '', 'small-1', 'small-1', [lane], 'NoneType']
    assert keys[0] == hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]


def test_muttering_leaves_no_trace(parts, tmp_path):
    # The lane that mutters hears on as one that could not: compared with a plain silent lane.
    silent = (LaneConfig(name='assistant', threshold=1.0, max_reply_tokens=1),)
    runtime, (name, samples) = small_runtime(), streams(parts)[4]
    plain = Listener(runtime, silent, cache=tmp_path / 'a').hear(name, samples)
    traced = Listener(runtime, TRACE, cache=tmp_path / 'b').hear(name, samples)
    assert traced.muttered
    np.testing.assert_allclose(traced.p['assistant_trace'], plain.p['assistant'], atol=2e-5)


def test_an_error_of_one_stream_ends_all(parts, tmp_path):
    listener = Listener(small_runtime(), LANE, cache=tmp_path / 'a', crew=WorkerPool(streams=3))

    def two_and_an_error():
        yield from streams(parts, 2)
        raise OSError('the disk is gone')
    with pytest.raises(OSError, match='the disk is gone'):
        list(listener.hear_all(two_and_an_error()))
