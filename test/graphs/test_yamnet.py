"""The tagger as a graph gives what the torch tagger gives."""

import numpy as np
import pytest
import torch

from audio_interaction_ros.graphs.builder import GraphBuilder
from audio_interaction_ros.graphs.yamnet import add_yamnet
from audio_interaction_ros.model.yamnet import Yamnet

ort = pytest.importorskip('onnxruntime')
pytestmark = pytest.mark.torch


@pytest.mark.parametrize('frames', [96, 200])
@torch.inference_mode()
def test_equals_torch_and_hears_the_newest_frames_only(frames):
    torch.manual_seed(1)
    tagger = Yamnet().eval()
    for convolution in tagger.convolutions:
        torch.nn.init.kaiming_normal_(convolution.weight, nonlinearity='relu')
    state = {f'a.{key}': value.numpy() for key, value in tagger.state_dict().items()}
    builder = GraphBuilder('tagger')
    spectrogram = builder.input('spectrogram', np.float32, (1, 64, frames))
    embedding = add_yamnet(builder, spectrogram, state, frames=frames, prefix='a.')
    builder.output(builder.rename(embedding, 'embedding'), np.float32, (1, 1024))
    session = ort.InferenceSession(builder.finish().SerializeToString(),
                                   providers=['CPUExecutionProvider'])
    heard = torch.randn(1, 64, frames)
    found, = session.run(None, {'spectrogram': heard.numpy()})
    expected = tagger(heard)
    assert expected.abs().max() > 0.1
    torch.testing.assert_close(torch.from_numpy(found), expected, atol=1e-4, rtol=1e-4)
    heard[..., :-96] += 1.0
    np.testing.assert_array_equal(session.run(None, {'spectrogram': heard.numpy()})[0], found)
