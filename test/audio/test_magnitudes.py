"""The spectrogram of YAMNet against a slow computation, and as rows below a streaming mel."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audio_interaction_ros.audio.magnitudes import log_magnitudes, magnitude_filters
from audio_interaction_ros.audio.mel import StreamingMel
from audio_interaction_ros.protocol import MAGNITUDE_BINS, NO_MAGNITUDE

pytestmark = pytest.mark.unit

HANN = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(400) / 400)


def mels(hz: float) -> float:
    """Return mels of Hz as HTK writes them."""
    return 2595 * float(np.log10(1 + hz / 700))


EDGES = [mels(125) + i * (mels(7_500) - mels(125)) / 65 for i in range(66)]


def slowly(frame: np.ndarray) -> np.ndarray:
    """Return the spectrogram [64] of one windowed frame [400], band by band."""
    waves = np.exp(-2j * np.pi * np.outer(np.arange(257), np.arange(400)) / 512)
    magnitudes = np.abs(waves @ frame)
    sums = np.zeros(64)
    for band in range(64):
        low, middle, high = EDGES[band:band + 3]
        for line in range(257):
            place = mels(line * 16_000 / 512)
            if low < place <= middle:
                sums[band] += magnitudes[line] * (place - low) / (middle - low)
            elif middle < place < high:
                sums[band] += magnitudes[line] * (high - place) / (high - middle)
    return np.log(sums + 0.001)


def noise(length: int) -> np.ndarray:
    """Return noise [length] float32, another for another length."""
    return np.random.default_rng(length).normal(size=length).astype(np.float32) * 0.1


def tone(hz: float, length: int) -> np.ndarray:
    """Return a loud tone [length]."""
    return 0.5 * np.sin(2 * np.pi * hz * np.arange(length) / 16_000)


def streamed(samples: np.ndarray, sizes: list[int], **options) -> np.ndarray:
    """Push samples in slices of the sizes, over and over, and return all frames [rows, T]."""
    mel, found, start, turn = StreamingMel(bins=80, **options), [], 0, 0
    while start < len(samples):
        found += mel.push(samples[start:start + sizes[turn % len(sizes)]])
        start, turn = start + sizes[turn % len(sizes)], turn + 1
    return np.concatenate(found + mel.flush(), axis=1)


def test_equals_a_direct_computation():
    frames = np.stack([HANN * noise(400), HANN * tone(440.0, 400), HANN * 0.2])
    found = log_magnitudes(frames)
    assert found.shape == (MAGNITUDE_BINS, 3) and found.dtype == np.float32
    np.testing.assert_allclose(found.T, [slowly(frame) for frame in frames], atol=1e-5, rtol=0)


@pytest.mark.parametrize('band', [20, 35, 50, 63])
def test_a_tone_lands_in_its_band(band):
    hz = 700 * (10 ** (EDGES[band + 1] / 2595) - 1)
    found = streamed(tone(hz, 6_400), [6_400], magnitudes=True)[80:]
    assert (found[:, 2:-2].argmax(axis=0) == band).all()


def test_silence_has_a_logarithm():
    found = log_magnitudes(np.zeros((2, 400)))
    np.testing.assert_array_equal(found, np.float32(NO_MAGNITUDE))


def test_what_is_constant_is_in_no_band():
    assert not magnitude_filters()[:, 0].any()
    with pytest.raises(ValueError, match='read-only'):
        magnitude_filters()[0, 0] = 1.0


@settings(max_examples=20, deadline=None)
@given(sizes=st.lists(st.integers(1, 9_000), min_size=1, max_size=6),
       length=st.integers(1, 20_000))
def test_rows_below_the_mel_do_not_depend_on_slicing(sizes, length):
    samples = noise(length)
    once = streamed(samples, [length], decay_per_s=0.5, magnitudes=True)
    sliced = streamed(samples, sizes, decay_per_s=0.5, magnitudes=True)
    assert once.shape == (144, -(-length // 6_400) * 40) and once.dtype == np.float32
    np.testing.assert_array_equal(sliced, once)
    np.testing.assert_array_equal(once[:80], streamed(samples, sizes, decay_per_s=0.5))


def test_rows_below_the_mel_are_of_the_frames_of_the_mel():
    samples = noise(3 * 6_400)
    around = np.pad(samples.astype(np.float64), 200, mode='reflect')
    frames = np.stack([HANN * around[160 * i:160 * i + 400] for i in range(120)])
    found = streamed(samples, [1_000], magnitudes=True)[80:]
    np.testing.assert_allclose(found, log_magnitudes(frames), atol=1e-5, rtol=0)


def test_a_mel_counts_its_rows():
    assert StreamingMel(bins=80).rows == 80
    assert StreamingMel(bins=80, magnitudes=True).rows == 144
