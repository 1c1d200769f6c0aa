"""What the torch runtime has beside the others; what all have alike is in test_conformance."""

import dataclasses

import numpy as np
import pytest
import torch
from small_model import IDS, SLOTS, full_pass, random_model, request

from audio_interaction_ros.errors import ConfigurationError, ResourceError
from audio_interaction_ros.runtimes.registry import load_runtime
from audio_interaction_ros.runtimes.torch import TorchDecoder

pytestmark = pytest.mark.torch

@pytest.fixture
def loaded():
    return random_model()


def opened(loaded, lanes=1, dtype='float32'):
    decoder = TorchDecoder(loaded, dtype=dtype)
    decoder.open(lanes=lanes, slots=SLOTS)
    return decoder


IDS_A = [20, 21, 22, 23, 24, 25, 26, 27, 28, 29]


@pytest.mark.parametrize(('dtype', 'cosine'), [('bfloat16', 0.99), ('int8', 0.98)])
def test_low_precision_stays_near(loaded, dtype, cosine):
    expected = np.array([full_pass(loaded, IDS_A[:end])[[IDS.silence, IDS.respond]]
                         for end in range(1, 11)]).ravel()
    result, = opened(loaded, dtype=dtype).step([request(IDS_A, slots=range(10), read=range(10))])
    found = result.control_logits.ravel()
    assert found @ expected / np.linalg.norm(found) / np.linalg.norm(expected) > cosine


def test_unknown_names_are_refused(loaded, tmp_path):
    with pytest.raises(ConfigurationError, match='model.runtime'):
        load_runtime('edge', runtime='abacus')
    if not torch.cuda.is_available():
        with pytest.raises(ConfigurationError, match='model.device'):
            load_runtime('edge', device='cuda:0')
    with pytest.raises(ConfigurationError, match='model.dtype'):
        TorchDecoder(dataclasses.replace(loaded), dtype='float7')
    with pytest.raises(ConfigurationError, match='halves'):
        load_runtime(str(tmp_path), halves=('middle',))


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


def test_no_memory_for_a_cache_names_the_parameter_and_the_size(loaded):
    decoder = TorchDecoder(loaded)
    with pytest.raises(ResourceError, match=(
            r'model\.slots: no memory on cpu for 2 lanes of .* MB: .*lower model\.slots')):
        decoder.open(lanes=2, slots=10 ** 13)
    decoder.open(lanes=1, slots=SLOTS)
