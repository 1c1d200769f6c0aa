"""What passes from the encoder to the decoder: features of one chunk, and what it sounds like."""

from dataclasses import dataclass, field

import numpy as np

from audio_interaction_ros.errors import AudioFormatError, ForeignModelError
from audio_interaction_ros.protocol import CHUNK_NS
from audio_interaction_ros.runtimes.base import DecoderSpec

__all__ = ['EncodedChunk', 'SoundScores', 'check_features']


@dataclass(frozen=True, kw_only=True)
class SoundScores:
    """What a chunk sounds like, calibrated; empty where the model tells no sounds apart."""

    names: tuple[str, ...] = ()
    """Names of docs/sounds.md, taught sounds after them."""
    scores: np.ndarray = field(default_factory=lambda: np.empty(0, np.float32))
    """Of each name, the probability [names] float32 that it sounds at the end of the chunk."""


@dataclass(frozen=True, kw_only=True)
class EncodedChunk:
    """Features of one chunk with everything the decoder must know of it."""

    features: np.ndarray  # [features_per_chunk, feature_width] float32
    stamp_ns: int
    """Time of the chunk's first sample."""
    epoch: int
    seq: int
    model_id: str
    duration_ns: int = CHUNK_NS
    rms_dbfs: float = 0.0
    lost_samples_before: int = 0
    quiet: bool = False
    """Nothing was heard in it, nor shortly before (stream.quiet)."""
    discontinuity: bool = False
    robot_speaking: bool = False
    end_of_stream: bool = False
    sounds: SoundScores = SoundScores()

    @property
    def end_ns(self) -> int:
        """Time at which the chunk's last sample ends."""
        return self.stamp_ns + self.duration_ns


def check_features(chunk: EncodedChunk, spec: DecoderSpec) -> None:
    """
    Raise where a decoder cannot take the features of a chunk.

    ForeignModelError for those of another model, AudioFormatError for those of another shape or
    that are no finite numbers.
    """
    features = chunk.features
    if chunk.model_id != spec.model_id:
        raise ForeignModelError(
            f'expected features of model {spec.model_id}, got features of {chunk.model_id}; '
            f'start encoder and decoder with the same model')
    shape = (spec.features_per_chunk, spec.feature_width)
    if features.shape != shape or features.dtype.kind != 'f':
        raise AudioFormatError(
            f'expected features of shape {list(shape)}, got {list(features.shape)} of '
            f'{features.dtype}; the publisher of encoded must be an encoder_node of the '
            f'same version')
    if not np.isfinite(features).all():
        raise AudioFormatError(
            f'expected features that are finite numbers, got others in chunk {chunk.seq}; '
            f'look at the encoder and at its weights')
