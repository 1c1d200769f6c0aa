"""The mel filters and the whole-file mel against those of transformers."""

from pathlib import Path

import numpy as np
import pytest

from audio_interaction_ros.audio.mel import mel_filters, whole_file_mel

pytestmark = pytest.mark.torch

REFERENCE = Path(__file__).parents[1] / 'data' / 'tiny_reference.npz'


@pytest.mark.parametrize('bins', [80, 128])
def test_filters_equal_those_of_whisper(bins):
    audio_utils = pytest.importorskip('transformers.audio_utils')
    expected = audio_utils.mel_filter_bank(
        num_frequency_bins=201, num_mel_filters=bins, min_frequency=0.0, max_frequency=8000.0,
        sampling_rate=16000, norm='slaney', mel_scale='slaney')
    np.testing.assert_allclose(mel_filters(bins), expected.T, atol=1e-12, rtol=0)


@pytest.mark.parametrize('bins', [80, 128])
def test_whole_file_mel_equals_the_whisper_feature_extractor(bins):
    transformers = pytest.importorskip('transformers')
    with np.load(REFERENCE) as arrays:
        samples = arrays['pcm'].astype(np.float32) / 32768.0
    extractor = transformers.WhisperFeatureExtractor(feature_size=bins)
    expected = extractor._np_extract_fbank_features(samples[None], 'cpu')[0]
    np.testing.assert_allclose(
        whole_file_mel(samples, bins), expected, atol=1e-5, rtol=0)
