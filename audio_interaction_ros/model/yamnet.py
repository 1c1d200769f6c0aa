"""
YAMNet, a tagger of everyday sounds, without its classes: a spectrogram in, what it is like out.

MobileNet v1 as Google trained it on AudioSet (tensorflow/models, research/audioset/yamnet;
Apache-2.0), its batch norms merged into the convolutions. Owns its shape; weights come from
base_weights. Knows nothing of what is made of the embedding.
"""

from torch import Tensor, nn
from torch.nn import functional as F

from audio_interaction_ros.model.shapes import PATCH_FRAMES, TAGGER_BLOCKS, TAGGER_WIDTH

__all__ = ['Yamnet']


def _convolve(x: Tensor, convolution: nn.Conv2d) -> Tensor:
    # A stride of two pads at the end only, as TensorFlow's SAME does for even sizes.
    if convolution.kernel_size != (1, 1):
        x = F.pad(x, (0, 1, 0, 1) if convolution.stride == (2, 2) else (1, 1, 1, 1))
    return F.relu(convolution(x))


class Yamnet(nn.Module):
    """Fourteen layers of convolutions and a mean over time and frequency."""

    def __init__(self) -> None:
        super().__init__()
        layers, width = [nn.Conv2d(1, TAGGER_WIDTH, 3, stride=2)], TAGGER_WIDTH
        for wider, stride in TAGGER_BLOCKS:
            layers += [nn.Conv2d(width, width, 3, stride=stride, groups=width),
                       nn.Conv2d(width, wider, 1)]
            width = wider
        self.convolutions = nn.ModuleList(layers)

    def forward(self, spectrogram: Tensor) -> Tensor:
        """Return embeddings [B, 1024] of the newest 96 frames of spectrograms [B, 64, T]."""
        x = spectrogram[:, None, :, -PATCH_FRAMES:].transpose(2, 3)
        for convolution in self.convolutions:
            assert isinstance(convolution, nn.Conv2d), 'nothing else was put there'
            x = _convolve(x, convolution)
        return x.mean(dim=(2, 3))
