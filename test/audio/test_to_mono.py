"""Every sample type to float32 mono, and what is refused."""

import numpy as np
import pytest

from audio_interaction_ros.audio.block import AudioBlock
from audio_interaction_ros.audio.mono import to_mono, to_mono_with_report
from audio_interaction_ros.errors import AudioFormatError

pytestmark = pytest.mark.unit


def block(samples, rate=16000) -> AudioBlock:
    """Return a block without a stamp."""
    return AudioBlock(samples=samples, sample_rate_hz=rate, stamp_ns=None)


@pytest.mark.parametrize(('dtype', 'values'), [
    ('int8', [-128, -64, 0, 64]), ('uint8', [0, 64, 128, 192]),
    ('int16', [-32768, -16384, 0, 16384]), ('>i2', [-32768, -16384, 0, 16384]),
    ('int32', [-2 ** 31, -2 ** 30, 0, 2 ** 30]), ('float32', [-1.0, -0.5, 0.0, 0.5]),
    ('float64', [-1.0, -0.5, 0.0, 0.5])])
def test_each_type_is_scaled(dtype, values):
    mono = to_mono(block(np.array(values, dtype=dtype)))
    assert mono.dtype == np.float32
    np.testing.assert_array_equal(mono, [-1.0, -0.5, 0.0, 0.5])


def test_channels_are_mixed_or_selected():
    stereo = np.array([[0.5, -0.25], [0.1, 0.3]], dtype=np.float32)
    np.testing.assert_allclose(to_mono(block(stereo)), [0.125, 0.2], atol=1e-7)
    np.testing.assert_array_equal(to_mono(block(stereo), 1), stereo[:, 1])


def test_nonfinite_samples_become_zero_and_are_counted():
    samples = np.array([[np.nan, 0.5], [np.inf, -np.inf], [0.25, 0.25]], dtype=np.float32)
    mono = to_mono_with_report(block(samples))
    np.testing.assert_array_equal(mono.samples, [0.25, 0.0, 0.25])
    assert mono.report.nonfinite_samples == 3
    assert mono.report.clipped_samples == 0


def test_clipping_is_counted_in_the_channels_in_use_and_limited():
    integers = np.array([[32767, 0], [-32768, 32767], [32766, 1]], dtype=np.int16)
    assert to_mono_with_report(block(integers)).report.clipped_samples == 3
    assert to_mono_with_report(block(integers), 1).report.clipped_samples == 1
    floats = to_mono_with_report(block(np.array([1e30, -7.0, 0.999], dtype=np.float32)))
    np.testing.assert_array_equal(floats.samples, np.float32([1.0, -1.0, 0.999]))
    assert floats.report.clipped_samples == 2


def test_the_result_does_not_share_memory_with_the_block():
    samples = np.array([0.5, 0.25], dtype=np.float32)
    mono = to_mono(block(samples))
    samples[:] = 0.0
    np.testing.assert_array_equal(mono, [0.5, 0.25])


def test_a_block_of_no_frames_is_empty():
    assert to_mono(block(np.zeros((0, 2), dtype=np.int16))).shape == (0,)


@pytest.mark.parametrize('samples', [
    np.zeros(4, dtype=np.int64), np.zeros(4, dtype=np.uint64), np.zeros(4, dtype=bool),
    np.zeros(4, dtype=complex), np.zeros(4, dtype=np.float16), np.array(['a']),
    np.zeros((2, 2, 2), dtype=np.float32), np.zeros((4, 0), dtype=np.int16),
    np.float32(0.5).reshape(()), [0.1, 0.2], b'12345678'])
def test_what_is_no_audio_is_refused(samples):
    with pytest.raises(AudioFormatError, match='Expected .* got .* must'):
        to_mono(block(samples))


@pytest.mark.parametrize('rate', [0, -1, 999, 768_001, 16000.0, True, None])
def test_a_wrong_rate_is_refused(rate):
    with pytest.raises(AudioFormatError, match='sample rate'):
        to_mono(block(np.zeros(4, dtype=np.int16), rate))


@pytest.mark.parametrize('channel', [-1, 2])
def test_a_channel_that_is_not_there_is_refused(channel):
    with pytest.raises(AudioFormatError, match='channel_select'):
        to_mono(block(np.zeros((4, 2), dtype=np.int16)), channel)
