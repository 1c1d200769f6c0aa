"""
The one STFT that all steps of a round share, and back to samples.

Frame t is 20 ms long, centred on sample 160 t; T frames hold (T - 1) * 160 samples. Unchanged
frames give back the samples to the last bit but one, and frames that were taken out leave a
cross-fade of 10 ms behind. Knows nothing of what the steps look for.
"""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from audio_interaction_ros.errors import AudioInteractionError

__all__ = ['BINS', 'FLOOR_DB', 'FRAME', 'HOP', 'HOPS_PER_S', 'TfjpError', 'analyse', 'check',
           'to_level_db', 'power_of', 'synthesise']

HOP = 160  # 10 ms
HOPS_PER_S = 100
FRAME = 2 * HOP
BINS = HOP + 1
FLOOR_DB = -200.0
"""Level of digital silence, dBFS."""
_WINDOW = np.sqrt(0.5 - 0.5 * np.cos(2 * np.pi * np.arange(FRAME) / FRAME))
_MIRRORED = np.array([1.0, *[2.0] * (BINS - 2), 1.0])
"""How often each bin of a real spectrum counts."""


class TfjpError(AudioInteractionError, ValueError):
    """Samples that are no clip; the caller must hand over others."""


def check(samples: np.ndarray) -> None:
    """Raise TfjpError unless samples are [n] float32 and finite."""
    found = f'{samples.dtype} {list(samples.shape)}' if isinstance(samples, np.ndarray) else (
        type(samples).__name__)
    if not isinstance(samples, np.ndarray) or samples.ndim != 1 or samples.dtype != np.float32:
        raise TfjpError(f'expected samples [n] float32 at 16 kHz, got {found}; convert the clip '
                        'to mono float32 first')
    if not np.isfinite(samples).all():
        raise TfjpError(f'expected finite samples, got NaN or infinity in {found}; leave the '
                        'clip out or repair it')


def analyse(samples: np.ndarray) -> np.ndarray:
    """Return frames [T, 161] complex128 of samples [n]; T = ceil(n / 160) + 1."""
    slots = -(-len(samples) // HOP)
    padded = np.zeros((slots + 2) * HOP)
    padded[HOP:HOP + len(samples)] = samples
    return np.fft.rfft(sliding_window_view(padded, FRAME)[::HOP] * _WINDOW, axis=1)


def synthesise(frames: np.ndarray) -> np.ndarray:
    """Return samples [(T - 1) * 160] float64 of frames [T, 161]."""
    pieces = np.fft.irfft(frames, n=FRAME, axis=1) * _WINDOW
    return (pieces[:-1, HOP:] + pieces[1:, :HOP]).reshape(-1)


def power_of(frames: np.ndarray) -> np.ndarray:
    """Return the power [T, 161] of frames, scaled so that a row sums to the mean square."""
    return (frames.real ** 2 + frames.imag ** 2) * (_MIRRORED / (FRAME * HOP))


def to_level_db(energy: np.ndarray) -> np.ndarray:
    """Return dBFS of mean squares; digital silence is FLOOR_DB."""
    return 10 * np.log10(np.maximum(energy, 10 ** (FLOOR_DB / 10)))
