"""
What every runtime must do alike, tried on each that is installed.

A new runtime is one more row of RUNTIMES. The tolerance is that of its precision: the largest
distance of a score to that of torch in float32, where scores are about 10.
"""

import numpy as np
import pytest
import torch
from small_model import (
    IDS,
    SHAPES,
    SLOTS,
    WIDTH,
    full_pass,
    random_model,
    request,
    save_model,
)

from audio_interaction_ros.errors import ConfigurationError
from audio_interaction_ros.model.shapes import MEL_FILL
from audio_interaction_ros.runtimes.base import Allowed
from audio_interaction_ros.runtimes.choice import suppressed_ids
from audio_interaction_ros.runtimes.registry import load_runtime
from export.__main__ import main as export

pytestmark = pytest.mark.torch

RUNTIMES = {  # (runtime, dtype): tolerance
    ('torch', 'float32'): 1e-4,
    ('onnx', 'float32'): 1e-4,
    ('onnx', 'int8'): 0.6,
    # written by python -m export onnx: precision and form
    ('onnx', 'fp32 static'): 1e-4,
    ('onnx', 'fp16 static'): 0.1,
    ('onnx', 'fp16 delta'): 0.1,
}
if torch.cuda.is_available():
    RUNTIMES['torch', 'float32@cuda'] = 2e-3  # its convolutions round to TF32
PROMPT = [20, 21, 22, 23, 24, 25, 26, 27, 28, 29]
CONTROLS = [IDS.silence, IDS.respond]


@pytest.fixture(scope='module', params=sorted(SHAPES))
def loaded(request):
    return random_model(request.param)


@pytest.fixture(scope='module')
def folder(loaded, tmp_path_factory):
    return save_model(loaded, tmp_path_factory.mktemp('conformance') / 'small')


def bring_up(folder, name, dtype, **options):
    if ' ' not in dtype:
        dtype, _, device = dtype.partition('@')
        return load_runtime(str(folder), runtime=name, dtype=dtype, device=device or 'cpu',
                            **options)
    graphs = folder.parent / dtype.replace(' ', '_')
    if not graphs.exists():
        precision, form = dtype.split()
        assert export(['onnx', str(folder), '--out', str(graphs), '--precision', precision,
                       '--form', form]) == 0
    return load_runtime(str(graphs), runtime=name, **options)


@pytest.fixture(scope='module', params=sorted(RUNTIMES), ids='-'.join)
def runtime(request, folder, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv('AUDIO_INTERACTION_CACHE', str(tmp_path_factory.mktemp('cache')))
        name, dtype = request.param
        return bring_up(folder, name, dtype), RUNTIMES[request.param]


@pytest.fixture
def near(runtime):
    def check(found, expected, times=1):
        np.testing.assert_allclose(found, expected, atol=times * runtime[1])
    return check


@pytest.fixture
def alike(near):
    """Two results say the same."""
    def check(found, expected, times=1):
        assert found.token == expected.token
        near(found.log_prob, expected.log_prob, times)
        near(found.control_logits, expected.control_logits, times)
    return check


@pytest.fixture
def chosen_by(near):
    """The token of a result is the best that scores [vocab_size] allow, or as good as that."""
    def check(result, scores, allowed=Allowed.TEXT):
        scores = scores.astype(np.float64)
        scores[suppressed_ids(IDS)[allowed]] = -np.inf
        log_probs = scores - np.logaddexp.reduce(scores)
        assert type(result.token) is int and type(result.log_prob) is float
        near(result.log_prob, log_probs[result.token], times=2)
        near(log_probs[result.token], log_probs.max(), times=2)
    return check


@pytest.fixture
def decoder(runtime):
    runtime[0].decoder.open(lanes=3, slots=SLOTS)
    return runtime[0].decoder


@pytest.fixture
def encoder(runtime):
    runtime[0].encoder.reset()
    return runtime[0].encoder


def reopened(decoder, steps):
    """Return the results of the last of some passes over empty caches."""
    decoder.open(lanes=3, slots=SLOTS)
    for step in steps:
        results = decoder.step(step)
    return results


def test_both_halves_tell_the_shape_of_the_model(runtime, loaded):
    decoder, encoder = runtime[0].decoder.spec, runtime[0].encoder.spec
    assert decoder.vocab_size == 40 and decoder.token_ids == IDS
    tower = loaded.config.audio_tower
    assert decoder.features_per_chunk == encoder.features_per_chunk == tower.features_per_chunk
    assert encoder.embedding_width == tower.sound_width == (96 if tower.sounds else 0)
    assert decoder.feature_width == encoder.feature_width == WIDTH
    assert decoder.model_id == encoder.model_id and encoder.mel_rows == 8
    assert runtime[0].config == loaded.config


def test_steps_equal_one_full_pass(decoder, loaded, near, chosen_by):
    decoder.step([request(PROMPT[:4], slots=range(4))])
    decoder.step([request(PROMPT[4:9], slots=range(4, 9), seen=range(4))])
    result, = decoder.step([request(PROMPT[9:], slots=[9], seen=range(9))])
    expected = full_pass(loaded, PROMPT)
    assert result.control_logits.dtype == np.float32
    chosen_by(result, expected)
    near(result.control_logits, expected[None, CONTROLS])


@pytest.mark.parametrize('allowed', [Allowed.FIRST, Allowed.TEXT])
def test_only_what_is_allowed_is_chosen(decoder, loaded, chosen_by, allowed):
    """Nearly half of the ids are structural, so that some of the best must be passed over."""
    passed_over = 0
    for last in range(20, 40):
        result, = decoder.step([request([*PROMPT, last], slots=range(11), allowed=allowed)])
        expected = full_pass(loaded, [*PROMPT, last])
        chosen_by(result, expected, allowed)
        assert result.token not in suppressed_ids(IDS)[allowed]
        passed_over += int(expected.argmax()) != result.token
    assert passed_over > 3


def test_where_a_score_is_no_number_the_choice_says_so(decoder):
    broken = request([30, 6, 6, 6, 2], slots=range(5), features=np.full((3, WIDTH), np.nan,
                                                                        np.float32))
    for _ in range(2):
        ours, other = decoder.step([broken, request(PROMPT, lane=1, slots=range(10))])
        assert np.isnan(ours.log_prob) and np.isfinite(other.log_prob)


def test_every_position_that_is_read_is_scored(decoder, loaded, near):
    result, = decoder.step([request(PROMPT, slots=range(10), read=[2, 5, 9])])
    near(result.control_logits,
         [full_pass(loaded, PROMPT[:end])[CONTROLS] for end in (3, 6, 10)])
    assert result.token is None and result.log_prob is None


def test_a_pass_that_reads_nothing_fills_the_cache_all_the_same(decoder, loaded, chosen_by):
    nothing, = decoder.step([request(PROMPT[:9], slots=range(9), read=[])])
    assert nothing.control_logits.shape == (0, 2) and nothing.token is None
    result, = decoder.step([request(PROMPT[9:], slots=[9], seen=range(9))])
    chosen_by(result, full_pass(loaded, PROMPT))


def test_ragged_lanes_in_any_order_equal_single_lanes(decoder, alike):
    features = np.random.default_rng(0).standard_normal((3, WIDTH), dtype=np.float32)
    steps = [[request([30, 6, 6, 6, 2], lane=2, slots=range(5), features=features),
              request([31], lane=0, slots=[7])],
             [request([32], lane=0, slots=[1], positions=[8], seen=[7]),
              request([33, 34, 35], lane=1, slots=range(3)),
              request([36, 37], lane=2, slots=[5, 6], seen=range(5))]]
    together = reopened(decoder, steps)
    alone = [reopened(decoder, [[one] for step in steps for one in step if one.lane == lane])[0]
             for lane in (0, 1, 2)]
    for ours, single in zip(together, alone, strict=True):
        alike(ours, single)


def test_short_lanes_beside_a_long_one_keep_their_ring(decoder, loaded, chosen_by):
    """A padded row must not write over what its lane still sees, at the end of the ring too."""
    decoder.step([request(PROMPT[:9], slots=range(SLOTS - 9, SLOTS), positions=range(9))])
    decoder.step([request(PROMPT[9:], slots=[0], positions=[9], seen=range(SLOTS - 9, SLOTS)),
                  request(range(20, 36), lane=1, slots=range(16))])
    result, = decoder.step([request([30], slots=[1], positions=[10],
                                    seen=[0, *range(SLOTS - 9, SLOTS)])])
    chosen_by(result, full_pass(loaded, [*PROMPT, 30]))


def test_a_ring_out_of_order_equals_compaction(decoder, alike):
    start = 5_000_000
    rubbish = request([39] * SLOTS, slots=range(SLOTS))  # the mask must hide an earlier life
    ring, = reopened(decoder, [
        [rubbish],
        [request(PROMPT[:5], slots=[40, 41, 2, 3, 63], positions=range(start, start + 5))],
        [request(PROMPT[5:], slots=[10, 9, 8, 50, 0], seen=[40, 41, 2, 3, 63],
                 positions=range(start + 5, start + 10))]])
    plain, = reopened(decoder, [
        [request(PROMPT[:5], slots=range(5))],
        [request(PROMPT[5:], slots=range(5, 10), seen=range(5))]])
    alike(ring, plain, times=2)


def test_an_evicted_slot_is_no_longer_heard(decoder, alike):
    without, = reopened(decoder, [
        [request(PROMPT[:4], slots=range(4))],
        [request([30], slots=[4], seen=[0, 1])]])
    overwritten, = reopened(decoder, [
        [request(PROMPT[:4], slots=range(4))],
        [request([38], slots=[2], positions=[50])],
        [request([30], slots=[4], seen=[0, 1])]])
    alike(overwritten, without)


def test_a_slot_in_sight_that_is_written_again_shows_the_new(decoder, alike):
    again, = reopened(decoder, [
        [request(PROMPT[:3], slots=range(3))],
        [request([30, 31], slots=[2, 3], seen=[0, 1, 2])]])
    plain, = reopened(decoder, [
        [request(PROMPT[:2], slots=range(2))],
        [request([30, 31], slots=[2, 3], seen=[0, 1])]])
    alike(again, plain)


def test_a_sink_fed_again_equals_direct_positions(decoder, alike):
    probe = [request([30], slots=[9], positions=[12], seen=range(3))]
    moved, = reopened(decoder, [
        [request(PROMPT[:3], slots=range(3))],
        [request(PROMPT[:3], slots=range(3), positions=[7, 8, 9], read=[])], probe])
    direct, = reopened(decoder, [
        [request(PROMPT[:3], slots=range(3), positions=[7, 8, 9])], probe])
    alike(moved, direct)


def test_a_pass_run_again_says_the_same(decoder, alike):
    """Session runs a failed pass once more for each lane alone."""
    step = [request(PROMPT[:4], slots=range(4)), request([30, 31], lane=1, slots=range(2))]
    first = reopened(decoder, [step])
    for one, expected in zip(step, first, strict=True):
        alike(decoder.step([one])[0], expected)


def test_results_are_never_written_again(decoder):
    kept, = decoder.step([request(PROMPT[:4], slots=range(4))])
    control = kept.control_logits.copy()
    decoder.step([request([35, 36, 37, 38], slots=range(4))])
    decoder.open(lanes=3, slots=SLOTS)
    np.testing.assert_array_equal(kept.control_logits, control)


def test_what_comes_in_is_left_as_it_was(decoder):
    features = np.random.default_rng(0).standard_normal((3, WIDTH), dtype=np.float32)
    asked = request([30, 6, 6, 6, 2], slots=range(5), features=features.copy())
    visible = asked.visible.copy()
    decoder.step([asked])
    np.testing.assert_array_equal(asked.features, features)
    np.testing.assert_array_equal(asked.visible, visible)


def test_a_lane_that_forgets_is_as_new_whatever_it_held(decoder, alike):
    """A mask does not hide NaN, for 0 times NaN is NaN; forgetting does."""
    poison = np.full((3, WIDTH), np.nan, np.float32)
    other = request(PROMPT[:4], lane=1, slots=range(4))
    later = [request(PROMPT[:5], slots=range(5)),
             request([31], lane=1, slots=[40], positions=[4], seen=range(4))]
    fresh = reopened(decoder, [[other], later])
    reopened(decoder, [
        [request([30, 6, 6, 6, 2], slots=range(20, 25), features=poison), other]])
    decoder.forget(0)
    for ours, expected in zip(decoder.step(later), fresh, strict=True):
        alike(ours, expected)


def test_opening_again_drops_what_was_there(decoder, alike):
    first = reopened(decoder, [[request(PROMPT[:5], slots=range(5))]])
    again = reopened(decoder, [[request(PROMPT[:5], slots=range(5))]])
    alike(again[0], first[0])
    decoder.open(lanes=1, slots=8)
    with pytest.raises(ValueError, match='slots below 8'):
        decoder.step([request([20], slots=[8])])


def test_misuse_is_named(decoder):
    with pytest.raises(ValueError, match=f'slots below {SLOTS}'):
        decoder.step([request([20], slots=[SLOTS])])
    with pytest.raises(ValueError, match='different lanes'):
        decoder.step([request([20], slots=[0]), request([21], slots=[1])])
    with pytest.raises(ValueError, match='different lanes below 3'):
        decoder.step([request([20], lane=3, slots=[0])])
    assert decoder.step([]) == []


@pytest.mark.parametrize(('name', 'dtype'), sorted(RUNTIMES))
def test_a_step_before_open_is_refused(folder, runtime, name, dtype):
    fresh = bring_up(folder, name, dtype, halves=('decoder',)).decoder
    with pytest.raises(ValueError, match='open'):
        fresh.step([request([20], slots=[0])])


def test_an_encoder_sees_earlier_chunks_until_reset(encoder, loaded, near):
    mels = np.random.default_rng(0).standard_normal((2, 8, 40), dtype=np.float32)
    first, second = (encoder.encode(mel).features for mel in mels)
    with torch.inference_mode():
        empty = np.full((8, 40), MEL_FILL, np.float32)
        windows = np.stack([np.hstack((empty, mels[0])), np.hstack((mels[0], mels[1]))])
        expected = loaded.tower(torch.from_numpy(windows)).numpy()
    assert first.dtype == np.float32
    near(np.stack((first, second)), expected)
    encoder.reset()
    near(encoder.encode(mels[0]).features, first)


def test_sounds_are_told_apart_by_what_the_sound_branch_hears(encoder, loaded, near):
    mels = np.random.default_rng(3).standard_normal((2, 8, 40), dtype=np.float32)
    kept = [encoder.encode(mel).embedding for mel in mels]
    before = [embedding.copy() for embedding in kept]
    encoder.encode(mels[0])
    np.testing.assert_array_equal(kept, before, 'embeddings are never written again')
    assert all(embedding.dtype == np.float32 for embedding in kept)
    assert kept[0].shape == (encoder.spec.embedding_width,)
    if loaded.config.audio_tower.sounds:
        empty = np.full((8, 40), MEL_FILL, np.float32)
        windows = torch.from_numpy(np.stack([np.hstack((empty, mels[0])), np.hstack(mels)]))
        with torch.inference_mode():
            near(kept, loaded.tower.sound_inputs(windows, loaded.tower.levels(windows)).numpy())


@pytest.mark.parametrize(('name', 'dtype'), sorted(RUNTIMES), ids='-'.join)
def test_a_feature_of_sounds_is_as_long_as_they_are_sure(tmp_path, monkeypatch, name, dtype):
    monkeypatch.setenv('AUDIO_INTERACTION_CACHE', str(tmp_path / 'cache'))
    loaded = random_model('llama', feature_norm=3.2, sound_feature='strength')
    loaded.tower.sound.classes.bias.data -= 1.6  # so that chunks differ in how sure it is
    encoder = bring_up(save_model(loaded, tmp_path / 'small'), name, dtype).encoder
    lengths = []
    for seed in range(8):
        mel = np.random.default_rng(seed).standard_normal((8, 40), dtype=np.float32)
        mel *= 0.2 + seed
        encoder.reset()
        chunk = encoder.encode(mel)
        window = torch.from_numpy(np.hstack((np.full((8, 40), MEL_FILL, np.float32), mel)))
        with torch.inference_mode():
            features, heard = loaded.tower.hear(window[None])
            sure = torch.sigmoid(loaded.tower.sound.logits(heard)).max().item()
        np.testing.assert_allclose(chunk.features[-1], features[0, -1], atol=RUNTIMES[name, dtype])
        lengths.append((sure, float(np.linalg.norm(chunk.features[-1]))))
    bar = RUNTIMES[name, dtype]
    np.testing.assert_allclose([length for _, length in lengths],
                               [3.2 * sure for sure, _ in lengths], atol=bar)
    assert max(sure for sure, _ in lengths) - min(sure for sure, _ in lengths) > 0.1


def test_what_is_skipped_is_left_context(encoder):
    mels = np.random.default_rng(2).standard_normal((3, 8, 40), dtype=np.float32)
    expected = [encoder.encode(mel).features for mel in mels][2]
    encoder.reset()
    encoder.skip(mels[0])
    encoder.skip(mels[1])
    np.testing.assert_array_equal(encoder.encode(mels[2]).features, expected)


def test_features_are_never_written_again(encoder):
    mels = np.random.default_rng(1).standard_normal((2, 8, 40), dtype=np.float32)
    kept = encoder.encode(mels[0]).features
    before = kept.copy()
    encoder.encode(mels[1])
    np.testing.assert_array_equal(kept, before)


def test_an_encoder_refuses_a_mel_of_another_shape(encoder):
    with pytest.raises(ValueError, match=r'expected mel \(8, 40\)'):
        encoder.encode(np.zeros((8, 39), np.float32))


@pytest.mark.parametrize(('half', 'absent', 'use'), [('encoder', 'decoder', 'open'),
                                                     ('decoder', 'encoder', 'encode')])
@pytest.mark.parametrize(('name', 'dtype'), sorted(RUNTIMES))
def test_a_half_is_brought_up_alone_and_the_other_says_it_is_absent(
        folder, runtime, name, dtype, half, absent, use):
    alone = bring_up(folder, name, dtype, halves=(half,))
    assert getattr(alone, half).spec == getattr(runtime[0], half).spec
    with pytest.raises(ConfigurationError, match='only the other half'):
        getattr(getattr(alone, absent), use)
