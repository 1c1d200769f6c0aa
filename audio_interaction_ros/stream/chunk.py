"""What passes from the encoder to the decoder: the features of one chunk."""

from dataclasses import dataclass

import numpy as np

__all__ = ['EncodedChunk']


@dataclass(frozen=True, kw_only=True)
class EncodedChunk:
    """Features of one chunk with everything the decoder must know of it."""

    features: np.ndarray  # [features_per_chunk, feature_width] float32
    stamp_ns: int
    """Time of the chunk's first sample."""
    epoch: int
    seq: int
    model_id: str
    rms_dbfs: float = 0.0
    lost_samples_before: int = 0
    quiet: bool = False
    """Nothing was heard in it, nor shortly before (stream.quiet)."""
    discontinuity: bool = False
    robot_speaking: bool = False
    end_of_stream: bool = False
