"""
Rotary positions: the angles of a position, taken in float64 on the host.

So they are exact at any position of a long stream. Knows no framework.
"""

import numpy as np

from audio_interaction_ros.config import ROPE_INDEX_DTYPES
from audio_interaction_ros.errors import ConfigurationError

__all__ = ['rope_angles', 'rope_index']

_FP16_END = 65_504  # the largest float16; one rounding step further is infinity


def rope_index(positions: np.ndarray, dtype: str) -> np.ndarray:
    """
    Return the numbers [...] float64 that stand for integer positions [...] in the angles.

    ``fp32`` keeps every position apart. ``fp16_compat`` rounds to float16, half to even, as the
    released code does when it builds the index: exact up to 2048, then steps of 2, from 4096 on
    of 4, and so on. Raises ConfigurationError for another name, and past 65504, where float16
    ends.
    """
    if dtype not in ROPE_INDEX_DTYPES:
        raise ConfigurationError(f'rope_index_dtype: expected one of '
                                 f'{", ".join(ROPE_INDEX_DTYPES)}, found {dtype!r}; change '
                                 f'model.rope_index_dtype')
    positions = np.asarray(positions)
    if dtype == 'fp32':
        return positions.astype(np.float64)
    if positions.size and positions.max() > _FP16_END:
        raise ConfigurationError(
            f'rope_index_dtype: fp16_compat ends at position {_FP16_END}, found '
            f'{int(positions.max())}; use fp32 for long streams')
    return positions.astype(np.float16).astype(np.float64)


def rope_angles(positions: np.ndarray, head_dim: int, base: float, *,
                index_dtype: str = 'fp32') -> tuple[np.ndarray, np.ndarray]:
    """
    Return cosines and sines [..., head_dim] float32 for integer positions [...].

    ``index_dtype`` is that of rope_index. Both halves of the last axis are equal (half-split
    convention).
    """
    exponents = np.arange(0, head_dim, 2, dtype=np.float64) / head_dim
    angles = rope_index(positions, index_dtype)[..., None] / np.power(float(base), exponents)
    angles = np.concatenate((angles, angles), axis=-1)
    return np.cos(angles).astype(np.float32), np.sin(angles).astype(np.float32)
