"""The window over what encodes it: what it holds, and who may change it."""

import copy

import numpy as np
import pytest

from audio_interaction_ros.checkpoints.config import CheckpointConfig
from audio_interaction_ros.model.shapes import MEL_FILL, AudioTowerConfig, DecoderConfig
from audio_interaction_ros.protocol import NO_MAGNITUDE, RELEASED_TOKEN_IDS
from audio_interaction_ros.runtimes.base import Encoding
from audio_interaction_ros.runtimes.windowed import WindowedEncoder

pytestmark = pytest.mark.unit

CONFIG = CheckpointConfig(
    model='small', token_ids=RELEASED_TOKEN_IDS,
    audio_tower=AudioTowerConfig(
        mel_bins=8, width=16, layers=1, heads=2, mlp_width=32, window_frames=120, stack=4,
        output_width=12, sounds=('rain',), sound_levels=(1,), tagger=True),
    decoder=DecoderConfig(layers=1, width=12, mlp_width=8, heads=2, kv_heads=1, head_dim=4,
                          vocab_size=200_000))


@pytest.fixture
def echo():
    """Return an encoder whose features are its window."""
    return WindowedEncoder(lambda window: Encoding(features=window, embedding=window[0]), CONFIG,
                           'small-1')


def chunks(count):
    return np.random.default_rng(0).standard_normal((count, 72, 40))


def test_a_stream_begins_after_silence_of_both_kinds(echo):
    first, = chunks(1)
    window = echo.encode(first).features
    assert window.shape == (72, 120) and window.dtype == np.float32
    assert window.flags.c_contiguous
    assert (window[:8, :80] == MEL_FILL).all()
    assert (window[8:, :80] == np.float32(NO_MAGNITUDE)).all()
    np.testing.assert_array_equal(window[:, 80:], first.astype(np.float32))


def test_the_window_slides_and_is_never_written_again(echo):
    mels = chunks(5)
    windows = [echo.encode(mel).features for mel in mels]
    kept = [window.copy() for window in windows]
    echo.reset()
    np.testing.assert_array_equal(windows[4], np.hstack(mels[2:]).astype(np.float32))
    np.testing.assert_array_equal(echo.encode(mels[0]).features, kept[0])
    np.testing.assert_array_equal(windows, kept)


def test_a_shallow_copy_is_another_stream(echo):
    mels = chunks(2)
    first = echo.encode(mels[0]).features
    other = copy.copy(echo)
    other.reset()
    other.encode(mels[1])
    np.testing.assert_array_equal(echo.encode(mels[1]).features[:, :80], first[:, 40:])


@pytest.mark.parametrize('shape', [(72, 39), (8, 40), (64, 40), (73, 40), (1, 72, 40)])
def test_another_shape_is_refused_and_changes_nothing(echo, shape):
    first, second = chunks(2)
    before = echo.encode(first).features
    with pytest.raises(ValueError, match=r'expected mel \(72, 40\)'):
        echo.encode(np.zeros(shape, np.float32))
    np.testing.assert_array_equal(echo.encode(second).features[:, :80], before[:, 40:])


def test_the_width_of_the_embedding_is_what_the_sound_branch_hears(echo):
    assert echo.spec.embedding_width == CONFIG.audio_tower.sound_width == 3 * 16 + 1024
