"""The audio tower as a graph gives what the torch tower gives, of every option."""

import onnx
import pytest
import torch

from audio_interaction_ros.graphs.audio_tower import audio_tower
from audio_interaction_ros.model.audio_tower import AudioTower
from audio_interaction_ros.model.shapes import AudioTowerConfig

ort = pytest.importorskip('onnxruntime')
pytestmark = pytest.mark.torch

SIZES = {'mel_bins': 16, 'width': 32, 'layers': 3, 'heads': 4, 'mlp_width': 64,
         'output_width': 24}
SOUNDS = {'sounds': ('siren', 'rain', 'speech'), 'sound_hidden': 6}
OMNI = {'pool': 2}
WHISPER = {'window_frames': 200, 'stack': 4, 'projector': 'mlp', 'projector_hidden': 8,
           'feature_norm': 3.2}
KINDS = {
    'omni': OMNI,
    'omni, sound': {**OMNI, **SOUNDS, 'sound_levels': (1, 3)},
    'omni, pooled and stacked': {**OMNI, 'stack': 2, 'window_frames': 80, 'second_look': True},
    'whisper': WHISPER,
    'whisper, second look': {**WHISPER, 'second_look': True},
    'whisper, linear': {**WHISPER, 'projector': 'linear', 'feature_norm': 0.0},
    'edge': {**WHISPER, **SOUNDS, 'second_look': True, 'sound_levels': (1, 2), 'tagger': True},
    'edge, hears the last layer too': {**WHISPER, **SOUNDS, 'second_look': True,
                                       'sound_levels': (0, 3), 'tagger': True},
    'edge, with strength': {**WHISPER, **SOUNDS, 'second_look': True, 'sound_levels': (1, 2),
                            'tagger': True, 'sound_feature': 'strength'},
    'no layers': {**WHISPER, **SOUNDS, 'layers': 0, 'sound_levels': (0,)},
}


def tower_of(kind):
    torch.manual_seed(1)
    tower = AudioTower(AudioTowerConfig(**{**SIZES, **KINDS[kind]})).eval()
    for name, parameter in tower.named_parameters():
        if not name.startswith('tagger.'):
            torch.nn.init.normal_(parameter, std=0.2)
        elif parameter.dim() > 1:
            torch.nn.init.kaiming_normal_(parameter, nonlinearity='relu')
    return tower


def arrays(module):
    return {key: value.numpy() for key, value in module.state_dict().items()}


def run(model, mel):
    session = ort.InferenceSession(model.SerializeToString(), providers=['CPUExecutionProvider'])
    return [torch.from_numpy(values) for values in session.run(None, {'mel': mel.numpy()})]


def window(config):
    torch.manual_seed(2)
    return torch.randn(1, config.initial_mel(0).shape[0], config.window_frames)


@pytest.mark.parametrize('kind', KINDS)
@torch.inference_mode()
def test_equals_torch(kind):
    tower = tower_of(kind)
    model = audio_tower(tower.config, arrays(tower)).finish()
    onnx.checker.check_model(model, full_check=True)
    mel = window(tower.config)
    found, expected = run(model, mel), tower.hear(mel)
    assert found[0].shape == (1, tower.config.features_per_chunk, 24)
    assert len(found) == 1 + bool(tower.config.sounds)
    for ours, theirs in zip(found, expected, strict=False):
        torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize('bits', [8, 4])
@torch.inference_mode()
def test_integers_stay_near_and_the_first_layer_has_none(bits):
    tower = tower_of('edge')
    model = audio_tower(tower.config, arrays(tower), bits=bits).finish()
    integers = [node.input[1] for node in model.graph.node
                if node.op_type == 'MatMulIntegerToFloat']
    # The last layer computes queries of the newest frames only, so apart.
    assert len(integers) == 4 + 5
    assert {name[:len('layers.0.')] for name in integers} == {'layers.1.', 'layers.2.'}
    mel = window(tower.config)
    for ours, theirs in zip(run(model, mel), tower.hear(mel), strict=True):
        assert torch.cosine_similarity(ours, theirs, dim=-1).min() > 0.99
