import dataclasses

import numpy as np
import pytest
import tokenizers
import torch

from audio_interaction_ros.errors import ConfigurationError
from audio_interaction_ros.model.audio_tower import AudioTower
from audio_interaction_ros.model.checkpoint import LoadedModel
from audio_interaction_ros.model.layout import save
from audio_interaction_ros.model.config import CheckpointConfig
from audio_interaction_ros.model.decoder import Decoder, rope_tables
from audio_interaction_ros.model.shapes import MEL_FILL, AudioTowerConfig, DecoderConfig
from audio_interaction_ros.protocol import TokenIds
from audio_interaction_ros.runtimes.base import StepRequest
from audio_interaction_ros.runtimes.registry import load_runtime
from audio_interaction_ros.runtimes.torch import TorchDecoder, TorchEncoder

pytestmark = pytest.mark.torch

IDS = TokenIds(user=1, assistant=2, silence=3, respond=4, text_end=5, pad=6, online=7, offline=8,
               language=9, system=4, audio_pad=10, audio_begin=11, audio_end=12,
               emotions=(13, 14, 15, 16, 17, 18))
SLOTS = 64


@pytest.fixture
def loaded():
    torch.manual_seed(3)
    config = CheckpointConfig(
        model='small', token_ids=IDS,
        audio_tower=AudioTowerConfig(mel_bins=8, width=16, layers=1, heads=2, mlp_width=32,
                                     window_frames=80, stack=4, output_width=32),
        decoder=DecoderConfig(layers=2, width=32, mlp_width=48, heads=4, kv_heads=2, head_dim=8,
                              vocab_size=40))
    tower, decoder = AudioTower(config.audio_tower).eval(), Decoder(config.decoder).eval()
    for parameter in (*tower.parameters(), *decoder.parameters()):
        torch.nn.init.normal_(parameter, std=0.3)
    return LoadedModel(config=config, tower=tower, decoder=decoder, tokenizer=None,
                       model_id='small-1')


def request(ids, *, lane=0, slots, positions=None, seen=(), features=None, read=None):
    visible = np.zeros(SLOTS, bool)
    visible[list(seen)] = True
    slots = np.asarray(slots)
    count = 0 if features is None else len(features)
    return StepRequest(
        lane=lane, ids=np.asarray(ids), slots=slots,
        positions=slots if positions is None else np.asarray(positions), visible=visible,
        feature_index=np.arange(1, 1 + count),
        features=np.zeros((0, 32), np.float32) if features is None else features,
        read=np.array([len(ids) - 1] if read is None else read, np.int64),
        want_text=read is None)


def opened(loaded, lanes=1, dtype='float32'):
    decoder = TorchDecoder(loaded, dtype=dtype)
    decoder.open(lanes=lanes, slots=SLOTS)
    return decoder


def full(loaded, ids, positions=None):
    positions = np.arange(len(ids)) if positions is None else positions
    with torch.inference_mode():
        hidden = loaded.decoder(loaded.decoder.embed(torch.tensor([ids])),
                                *rope_tables(positions[None], 8, 1e6))
        return loaded.decoder.logits(hidden)[0, -1].numpy()


IDS_A = [20, 21, 22, 23, 24, 25, 26, 27, 28, 29]


def test_steps_equal_one_full_pass(loaded):
    decoder = opened(loaded)
    decoder.step([request(IDS_A[:4], slots=range(4))])
    decoder.step([request(IDS_A[4:9], slots=range(4, 9), seen=range(4))])
    result, = decoder.step([request(IDS_A[9:], slots=[9], seen=range(9))])
    expected = full(loaded, IDS_A)
    np.testing.assert_allclose(result.text_logits, expected, atol=1e-4)
    np.testing.assert_allclose(result.control_logits[0], expected[[3, 4]], atol=1e-4)


def test_ragged_lanes_equal_single_lanes(loaded):
    features = np.random.default_rng(0).standard_normal((3, 32), dtype=np.float32)
    steps = [[request([30, 6, 6, 6, 2], lane=2, slots=range(5), features=features),
              request([31], lane=0, slots=[7])],
             [request([32], lane=0, slots=[1], positions=[8], seen=[7]),
              request([33, 34, 35], lane=1, slots=range(3)),
              request([36, 37], lane=2, slots=[5, 6], seen=range(5))]]
    together, alone = opened(loaded, lanes=3), opened(loaded, lanes=3)
    for step in steps:
        for ours, one in zip(together.step(step), step, strict=True):
            single, = alone.step([one])
            np.testing.assert_allclose(ours.text_logits, single.text_logits, atol=1e-4)
            np.testing.assert_allclose(ours.control_logits, single.control_logits, atol=1e-4)


def test_ring_out_of_order_equals_compaction(loaded):
    ring, compact = opened(loaded), opened(loaded)
    # The ring's earlier life leaves rubbish in every slot; the mask must hide it.
    ring.step([request([39] * SLOTS, slots=range(SLOTS))])
    start = 5_000_000
    ring.step([request(IDS_A[:5], slots=[40, 41, 2, 3, 63], positions=range(start, start + 5))])
    ours, = ring.step([request(IDS_A[5:], slots=[10, 9, 8, 50, 0], seen=[40, 41, 2, 3, 63],
                               positions=range(start + 5, start + 10))])
    compact.step([request(IDS_A[:5], slots=range(5))])
    plain, = compact.step([request(IDS_A[5:], slots=range(5, 10), seen=range(5))])
    np.testing.assert_allclose(ours.text_logits, plain.text_logits, atol=2e-4)


def test_a_sink_fed_again_equals_direct_positions(loaded):
    moved, direct = opened(loaded), opened(loaded)
    moved.step([request(IDS_A[:3], slots=range(3))])
    only_fed, = moved.step([request(IDS_A[:3], slots=range(3), positions=[7, 8, 9], read=[])])
    assert only_fed.control_logits.shape == (0, 2)
    direct.step([request(IDS_A[:3], slots=range(3), positions=[7, 8, 9])])
    ours, = moved.step([request([30], slots=[9], positions=[12], seen=range(3))])
    plain, = direct.step([request([30], slots=[9], positions=[12], seen=range(3))])
    np.testing.assert_array_equal(ours.text_logits, plain.text_logits)


@pytest.mark.parametrize(('dtype', 'cosine'), [('bfloat16', 0.99), ('int8', 0.98)])
def test_low_precision_stays_near(loaded, dtype, cosine):
    expected = full(loaded, IDS_A)
    result, = opened(loaded, dtype=dtype).step([request(IDS_A, slots=range(10))])
    found = result.text_logits
    assert found @ expected / np.linalg.norm(found) / np.linalg.norm(expected) > cosine


def test_refuses_what_was_not_opened(loaded):
    decoder = TorchDecoder(loaded)
    with pytest.raises(ValueError, match='open'):
        decoder.step([request([20], slots=[0])])
    decoder.open(lanes=1, slots=SLOTS)
    with pytest.raises(ValueError, match='slots below 64'):
        decoder.step([request([20], slots=[SLOTS])])
    with pytest.raises(ValueError, match='different lanes'):
        decoder.step([request([20], slots=[0]), request([21], slots=[1])])


def test_encoder_sees_earlier_chunks_until_reset(loaded):
    encoder = TorchEncoder(loaded)
    mels = np.random.default_rng(0).standard_normal((2, 8, 40), dtype=np.float32)
    first, second = encoder.encode(mels[0]), encoder.encode(mels[1])
    with torch.inference_mode():
        empty = np.full((8, 40), MEL_FILL, np.float32)
        windows = np.stack([np.hstack((empty, mels[0])), np.hstack((mels[0], mels[1]))])
        expected = loaded.tower(torch.from_numpy(windows)).numpy()
    np.testing.assert_allclose(np.stack((first, second)), expected, atol=1e-4)
    encoder.reset()
    np.testing.assert_array_equal(encoder.encode(mels[0]), first)


def test_unknown_names_are_refused(loaded):
    with pytest.raises(ConfigurationError, match='model.runtime'):
        load_runtime('edge', runtime='abacus')
    if not torch.cuda.is_available():
        with pytest.raises(ConfigurationError, match='model.device'):
            load_runtime('edge', device='cuda:0')
    with pytest.raises(ConfigurationError, match='model.dtype'):
        TorchDecoder(dataclasses.replace(loaded), dtype='float7')


def test_a_half_is_brought_up_alone_and_the_other_says_it_is_absent(tmp_path, loaded):
    folder = tmp_path / 'model'
    bpe = tokenizers.Tokenizer(tokenizers.models.BPE(vocab={'a': 0}, merges=[]))
    bpe.save(str(tmp_path / 'tokenizer.json'))
    save(folder, loaded.config, {
        **{f'audio_tower.{key}': value for key, value in loaded.tower.state_dict().items()},
        **{f'decoder.{key}': value for key, value in loaded.decoder.state_dict().items()},
    }, tmp_path / 'tokenizer.json')
    mel = np.random.default_rng(0).standard_normal((8, 40), dtype=np.float32)
    encoder = load_runtime(str(folder), dtype='float32', halves=('encoder',))
    decoder = load_runtime(str(folder), dtype='float32', halves=('decoder',))
    np.testing.assert_array_equal(encoder.encoder.encode(mel), TorchEncoder(loaded).encode(mel))
    assert encoder.encoder.spec.model_id == decoder.decoder.spec.model_id
    decoder.decoder.open(lanes=1, slots=SLOTS)
    for absent, use in ((encoder.decoder, 'open'), (decoder.encoder, 'encode')):
        with pytest.raises(ConfigurationError, match='only the other half'):
            getattr(absent, use)
    with pytest.raises(ConfigurationError, match='halves'):
        load_runtime(str(folder), halves=('middle',))


def test_the_position_index_can_be_that_of_the_release(loaded):
    outcomes = {}
    for place in (2000, 3000):
        for dtype in ('fp32', 'fp16_compat'):
            decoder = TorchDecoder(loaded, rope_index_dtype=dtype)
            decoder.open(lanes=1, slots=SLOTS)
            slots = np.arange(6)
            outcomes[place, dtype] = decoder.step([request(
                [20, 21, 22, 23, 24, 25], slots=slots, positions=place + slots)])[0].control_logits
    np.testing.assert_array_equal(outcomes[2000, 'fp32'], outcomes[2000, 'fp16_compat'])
    assert np.abs(outcomes[3000, 'fp32'] - outcomes[3000, 'fp16_compat']).max() > 1e-6


def test_a_lane_that_forgets_is_as_new_whatever_it_held(loaded):
    """A mask does not hide NaN, for 0 times NaN is NaN; forgetting does."""
    decoder, fresh = opened(loaded, lanes=2), opened(loaded, lanes=2)
    poison = np.full((3, 32), np.nan, np.float32)
    other = request(IDS_A[:4], lane=1, slots=range(4))
    decoder.step([request([30, 6, 6, 6, 2], slots=range(20, 25), features=poison), other])
    fresh.step([other])
    later = [request(IDS_A[:5], slots=range(5)),
             request([31], lane=1, slots=[40], positions=[4], seen=range(4))]
    assert np.isnan(decoder.step(later)[0].text_logits).all()
    decoder.forget(0)
    for ours, expected in zip(decoder.step(later), fresh.step(later), strict=True):
        np.testing.assert_allclose(ours.text_logits, expected.text_logits, atol=1e-5)


def test_no_memory_for_a_cache_names_the_parameter_and_the_size(loaded):
    decoder = TorchDecoder(loaded)
    with pytest.raises(ConfigurationError, match=(
            r'model\.slots: no memory on cpu for 2 lanes of .* MB: .*lower model\.slots')):
        decoder.open(lanes=2, slots=10 ** 13)
    decoder.open(lanes=1, slots=SLOTS)
