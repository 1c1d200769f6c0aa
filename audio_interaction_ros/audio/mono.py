"""
Any block to float32 mono: scaling, mixing, and counting what is wrong with the samples.

Owns the accepted sample types. Knows nothing of time, rate conversion or messages.
"""

from dataclasses import dataclass

import numpy as np

from audio_interaction_ros.audio.block import AudioBlock
from audio_interaction_ros.audio.pcm import RATES_HZ
from audio_interaction_ros.errors import AudioFormatError

__all__ = ['Mono', 'SampleFaults', 'check_samples', 'to_mono', 'to_mono_with_report']

_INTEGER_SCALES = {  # the zero and the full scale of each
    'int8': (0, 2 ** 7), 'uint8': (2 ** 7, 2 ** 7), 'int16': (0, 2 ** 15),
    'int32': (0, 2 ** 31)}
_FLOATS = ('float32', 'float64')


@dataclass(frozen=True, kw_only=True)
class SampleFaults:
    """What was wrong with the samples of one block, over the channels in use."""

    nonfinite_samples: int
    """NaN or infinite samples, replaced by 0."""
    clipped_samples: int
    """Samples at or beyond full scale; floats beyond it are limited to it."""


@dataclass(frozen=True, kw_only=True)
class Mono:
    """One channel and what was wrong on the way to it."""

    samples: np.ndarray  # [frames] float32 in [-1, 1], owned by the receiver
    report: SampleFaults


def to_mono(block: AudioBlock, channel_select: int | None = None) -> np.ndarray:
    """
    Return a block as float32 mono [frames] in [-1, 1].

    The mean of all channels, or the one ``channel_select`` counts from 0. Integers are scaled,
    NaN and infinite samples become 0. Raises AudioFormatError for a block that cannot be
    understood.
    """
    return to_mono_with_report(block, channel_select).samples


def to_mono_with_report(block: AudioBlock, channel_select: int | None = None) -> Mono:
    """Like ``to_mono``, with counts of what was wrong."""
    selected = _select_channel(check_samples(block), channel_select)
    if selected.dtype.name in _FLOATS:
        return _from_float(selected)
    return _from_integer(selected)


def check_samples(block: AudioBlock) -> np.ndarray:
    """Return the samples [frames, channels] of a block; AudioFormatError where it is wrong."""
    samples = block.samples
    if not isinstance(samples, np.ndarray):
        raise AudioFormatError(
            f'Expected samples as a numpy array, got {type(samples).__name__}; the source of '
            'the block must convert them')
    if samples.dtype.name not in (*_INTEGER_SCALES, *_FLOATS):
        raise AudioFormatError(
            f'Expected samples of type {", ".join((*_INTEGER_SCALES, *_FLOATS))}, got '
            f'{samples.dtype}; the publisher must send one of these')
    if samples.ndim == 1:
        samples = samples[:, None]
    if samples.ndim != 2 or samples.shape[1] == 0:
        raise AudioFormatError(
            'Expected samples of shape [frames] or [frames, channels] with at least one channel, '
            f'got {block.samples.shape}; the publisher must correct its channel count')
    rate = block.sample_rate_hz
    if isinstance(rate, bool) or not isinstance(rate, (int, np.integer)) or rate not in RATES_HZ:
        raise AudioFormatError(
            f'Expected a whole sample rate of {RATES_HZ[0]} to {RATES_HZ[-1]} Hz, got '
            f'{rate!r}; the publisher must correct it')
    return samples


def _select_channel(samples: np.ndarray, channel: int | None) -> np.ndarray:
    channels = samples.shape[1]
    if channel is None:
        return samples
    if not 0 <= channel < channels:
        raise AudioFormatError(
            f'Expected a block with channel {channel} (channel_select, counted from 0), got '
            f'{channels} channel(s); the operator must correct channel_select')
    return samples[:, channel:channel + 1]


def _from_integer(samples: np.ndarray) -> Mono:
    zero, full_scale = _INTEGER_SCALES[samples.dtype.name]
    limits = np.iinfo(samples.dtype)
    clipped = np.count_nonzero((samples == limits.min) | (samples == limits.max))
    mono = _mix_channels((samples.astype(np.float64) - zero) / full_scale)
    return Mono(samples=mono,
                report=SampleFaults(nonfinite_samples=0, clipped_samples=int(clipped)))


def _from_float(samples: np.ndarray) -> Mono:
    finite = np.isfinite(samples)
    nonfinite = samples.size - int(np.count_nonzero(finite))
    values = np.where(finite, samples, 0.0).astype(np.float64)
    clipped = int(np.count_nonzero(np.abs(values) >= 1.0))
    return Mono(
        samples=_mix_channels(np.clip(values, -1.0, 1.0)),
        report=SampleFaults(nonfinite_samples=nonfinite, clipped_samples=clipped))


def _mix_channels(samples: np.ndarray) -> np.ndarray:
    """Return the mean [frames] float32 over the channels of float64 [frames, channels]."""
    mono: np.ndarray = samples.mean(axis=1).astype(np.float32)
    return mono
