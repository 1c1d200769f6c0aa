"""The streaming mel against its slow twin and the arrays of the released code."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audio_interaction_ros.audio.mel import MEL_OF_SILENCE, StreamingMel, whole_file_mel
from audio_interaction_ros.errors import ConfigurationError

pytestmark = pytest.mark.unit

REFERENCE = Path(__file__).parents[1] / 'data' / 'tiny_reference.npz'
TOLERANCE = 1e-5


@pytest.fixture(scope='module')
def reference() -> tuple[np.ndarray, np.ndarray]:
    """Return samples [76800] float32 and the mel [128, 480] of the released code."""
    with np.load(REFERENCE) as arrays:
        return arrays['pcm'].astype(np.float32) / 32768.0, arrays['mel']


def maximum_of(samples: np.ndarray, bins: int) -> float:
    """Return the log10 maximum over all of the samples, read back from the whole-file mel."""
    return float(whole_file_mel(samples, bins).max()) * 4.0 - 4.0


def stream(mel: StreamingMel, samples: np.ndarray, sizes: list[int]) -> np.ndarray:
    """Push samples in slices of the sizes, over and over, and return all frames [bins, T]."""
    mels, start, turn = [], 0, 0
    while start < len(samples):
        size = sizes[turn % len(sizes)]
        mels += mel.push(samples[start:start + size])
        start += size
        turn += 1
    return np.concatenate(mels + mel.flush(), axis=1)


def test_whole_file_mel_equals_the_reference(reference):
    samples, expected = reference
    np.testing.assert_allclose(whole_file_mel(samples, 128), expected, atol=TOLERANCE, rtol=0)


@pytest.mark.parametrize('bins', [80, 128])
@pytest.mark.parametrize('sizes', [[1], [160], [6400], [6439, 2], [100_000], [1, 399, 7001]])
def test_streaming_equals_whole_file_for_any_slicing(reference, bins, sizes):
    samples, _ = reference
    mel = StreamingMel(bins=bins, maximum=maximum_of(samples, bins))
    streamed = stream(mel, samples, sizes)
    assert streamed.dtype == np.float32
    np.testing.assert_allclose(
        streamed, whole_file_mel(samples, bins), atol=TOLERANCE, rtol=0)


def test_streaming_equals_the_reference(reference):
    samples, expected = reference
    mel = StreamingMel(bins=128, maximum=maximum_of(samples, 128))
    np.testing.assert_allclose(
        stream(mel, samples, [1000]), expected, atol=TOLERANCE, rtol=0)


@settings(max_examples=20, deadline=None)
@given(sizes=st.lists(st.integers(1, 9000), min_size=1, max_size=6),
       length=st.integers(1, 20_000))
def test_running_maximum_does_not_depend_on_slicing(sizes, length):
    samples = np.random.default_rng(length).normal(size=length).astype(np.float32) * 0.1
    once = stream(StreamingMel(bins=80, decay_per_s=0.5), samples, [length])
    sliced = stream(StreamingMel(bins=80, decay_per_s=0.5), samples, sizes)
    np.testing.assert_array_equal(sliced, once)


def test_a_chunk_appears_with_the_fortieth_sample_after_it():
    mel = StreamingMel(bins=80)
    assert mel.push(np.zeros(6439)) == []
    assert len(mel.push(np.zeros(1))) == 1
    assert mel.push(np.zeros(6399)) == []
    assert len(mel.push(np.zeros(1))) == 1


def test_flush_pads_the_last_chunk_and_begins_anew():
    samples = np.random.default_rng(3).normal(size=7000) * 0.1
    mel = StreamingMel(bins=80, maximum=1.0)
    first = stream(mel, samples, [333])
    padded = np.pad(samples, (0, 12_800 - 7000))
    np.testing.assert_allclose(
        first, whole_file_mel(padded, 80, maximum=1.0), atol=TOLERANCE, rtol=0)
    assert mel.flush() == []
    np.testing.assert_array_equal(stream(mel, samples, [333]), first)


def test_flush_with_part_of_the_look_ahead_gives_both_chunks():
    mel = StreamingMel(bins=80, maximum=1.0)
    samples = np.random.default_rng(4).normal(size=6420) * 0.1
    assert mel.push(samples) == []
    mels = np.concatenate(mel.flush(), axis=1)
    padded = np.pad(samples, (0, 12_800 - 6420))
    np.testing.assert_allclose(
        mels, whole_file_mel(padded, 80, maximum=1.0), atol=TOLERANCE, rtol=0)


def floors(decay_per_s: float) -> list[float]:
    """Return the log10 floor that each chunk shows: one of a loud tone, then digital silence."""
    tone = 0.5 * np.sin(2 * np.pi * 1000 * np.arange(6400) / 16000)
    samples = np.concatenate([np.zeros(6400), tone, np.zeros(4 * 6400)])
    mel = StreamingMel(bins=80, decay_per_s=decay_per_s)
    mels = stream(mel, samples, [6400])
    return [float(mels[:, 40 * k:40 * k + 40].min()) * 4.0 - 4.0 for k in range(6)]


def test_maximum_counts_from_its_own_chunk_and_stays_without_decay():
    found = floors(0.0)
    assert found[0] < found[1]  # the chunk before knows nothing of the tone
    assert found[1:] == [found[1]] * 5


def test_maximum_falls_with_the_decay():
    found = floors(1.0)
    np.testing.assert_allclose(np.diff(found[2:]), -0.4, atol=1e-5)


def test_maximum_floor_holds_for_silence():
    mel = StreamingMel(bins=80, decay_per_s=100.0, maximum_floor=-10.0)
    mels = stream(mel, np.zeros(6400 * 3), [6400])
    np.testing.assert_array_equal(mels, np.float32(MEL_OF_SILENCE))
    raised = StreamingMel(bins=80, decay_per_s=100.0, maximum_floor=2.0)
    np.testing.assert_array_equal(stream(raised, np.zeros(6400), [6400]), np.float32(-0.5))


def test_reset_forgets_the_maximum_and_flush_does_not():
    loud = np.random.default_rng(5).normal(size=6400) * 0.3
    mel = StreamingMel(bins=80)
    stream(mel, loud, [6400])
    kept = stream(mel, np.zeros(6400), [6400])
    assert float(kept.min()) > MEL_OF_SILENCE
    mel.reset()
    np.testing.assert_array_equal(
        stream(mel, np.zeros(6400), [6400]), np.float32(MEL_OF_SILENCE))


def test_mels_are_owned_by_the_caller():
    mel = StreamingMel(bins=80)
    samples = np.random.default_rng(6).normal(size=6440) * 0.1
    first, = mel.push(samples)
    before = first.copy()
    mel.push(np.ones(6400))
    np.testing.assert_array_equal(first, before)


def test_state_has_a_constant_size():
    mel = StreamingMel(bins=80)
    arrays = {name: array.nbytes for name, array in vars(mel).items()
              if isinstance(array, np.ndarray)}
    mel.push(np.zeros(6400 * 50 + 17))
    assert {name: array.nbytes for name, array in vars(mel).items()
            if isinstance(array, np.ndarray)} == arrays
    assert sum(arrays.values()) <= 6640 * 8


@pytest.mark.parametrize('arguments', [{'bins': 0}, {'bins': 80, 'decay_per_s': -1.0}])
def test_a_wrong_configuration_is_refused(arguments):
    with pytest.raises(ConfigurationError, match='Expected'):
        StreamingMel(**arguments)
