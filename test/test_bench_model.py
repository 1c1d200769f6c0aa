"""The parts of the benchmark that need a model, on a small one: they run, and their arithmetic."""

import dataclasses

import pytest

pytest.importorskip('torch')

from audio_interaction_ros.errors import ConfigurationError
from audio_interaction_ros.model.decoder import Decoder
from bench import accelerator, models, stream

pytestmark = pytest.mark.torch


@pytest.fixture(scope='module')
def runtime(tmp_path_factory):
    folder = models.save_random(tmp_path_factory.mktemp('tiny') / models.TINY, models.TINY)
    return models.load(str(folder), runtime='torch', threads=1, dtype='float32', device='cpu')


def test_a_device_is_measured_beside_its_roofline(runtime):
    found = {figure.what: figure for figure in accelerator.run(
        runtime, device='cpu', repeat=3, slots=256)}
    floor = found['roofline of a listening step']
    step = next(figure for what, figure in found.items() if what.startswith(
        'listening step, 1 lane'))
    ratio = found['listening step p95 / roofline, 1 lane']
    assert ratio.value == pytest.approx(step.p95 / floor.value) and ratio.goal == 2
    assert found['first text, goal of a GPU'].goal == 100
    assert 'net alone, 3 x 13, eager' in found
    assert not any('CUDA graph' in what for what in found)  # nor are they claimed


def test_weights_that_a_step_reads_are_those_of_the_layers():
    for name in (models.TINY, models.RELEASED + '-2', models.RANDOM):
        shape = models.random_config(name).decoder
        import torch
        with torch.device('meta'):
            net = Decoder(shape)
        counted = sum(value.numel() for key, value in net.named_parameters()
                      if 'embed_tokens' not in key and 'lm_head' not in key)
        assert accelerator.weights_read(shape, 2) == 2 * counted
    whole = accelerator.weights_read(models.random_config(models.RELEASED).decoder, 2)
    assert whole == 2 * (36 * 77_076_992 + 2_048)


def test_another_backend_than_torch_is_named(runtime):
    with pytest.raises(ConfigurationError, match='expected --runtime torch'):
        accelerator.run(dataclasses.replace(runtime, decoder=object()), device='cpu')


def test_a_stream_through_a_model_keeps_up_and_keeps_nothing(runtime):
    found = {figure.what: figure for figure in stream.run(
        runtime, chunks=120, device='cpu', slots=256)}
    assert found['stalls'].samples == 120
    assert found['cost of a chunk'].note.startswith(('2 replies', '3 replies'))
    assert found['memory of the process grown from chunk 30 to 120'].met


def test_a_chunk_waits_for_those_before_it():
    assert stream.latencies([100, 900, 100, 100]) == [100, 900, 600, 300]


def test_a_random_model_of_the_released_shape_has_as_many_layers_as_are_asked_for():
    config = models.random_config('random-3b-4')
    assert (config.decoder.layers, config.audio_tower.layers) == (4, 4)
    assert models.random_config('random-3b').decoder.layers == 36
    assert models.is_random('random-3b') and not models.is_random('edge')
