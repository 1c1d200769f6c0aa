"""
YAMNet as nodes of a graph: a spectrogram in, what it is like out.

The same arithmetic and names of weights as model.yamnet.
"""

from collections.abc import Mapping

import numpy as np

from audio_interaction_ros.graphs.builder import GraphBuilder
from audio_interaction_ros.graphs.weights import Array
from audio_interaction_ros.model.shapes import PATCH_FRAMES, TAGGER_BLOCKS, TAGGER_WIDTH

__all__ = ['add_yamnet']


def add_yamnet(builder: GraphBuilder, spectrogram: str, tensors: Mapping[str, Array], *,
               frames: int, prefix: str = '') -> str:
    """
    Return the embedding [1, 1024] of the newest 96 of the frames of a spectrogram [1, 64, frames].

    The weights are those of ``tensors`` whose names begin with ``prefix``.
    """
    patch = builder.node('Slice', spectrogram, builder.scalar([frames - PATCH_FRAMES], np.int64),
                         builder.scalar([frames], np.int64), builder.scalar([2], np.int64))
    x = builder.node('Unsqueeze', builder.node('Transpose', patch, perm=(0, 2, 1)),
                     builder.scalar([1], np.int64))  # [1, 1, time, frequency]

    def convolve(layer: int, *, stride: int = 1, groups: int = 1) -> str:
        name = f'{prefix}convolutions.{layer}'
        weight, bias = (tensors[f'{name}.{which}'] for which in ('weight', 'bias'))
        # A stride of two pads at the end only, as TensorFlow's SAME does for even sizes.
        pads = ((0, 0, 0, 0) if weight.shape[2:] == (1, 1) else
                (0, 0, 1, 1) if stride == 2 else (1, 1, 1, 1))
        return builder.node('Relu', builder.node(
            'Conv', x, builder.constant(f'{name}.weight', weight),
            builder.constant(f'{name}.bias', bias), kernel_shape=weight.shape[2:],
            strides=(stride, stride), group=groups, pads=pads))

    x, width = convolve(0, stride=2), TAGGER_WIDTH
    for block, (wider, stride) in enumerate(TAGGER_BLOCKS):
        x = convolve(2 * block + 1, stride=stride, groups=width)
        x, width = convolve(2 * block + 2), wider
    return builder.node('ReduceMean', x, builder.scalar([2, 3], np.int64), keepdims=0)
