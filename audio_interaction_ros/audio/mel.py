"""
Log-mel frames: the streaming form, its slow whole-file twin and the filters of both.

Same numbers as openai-whisper: 16 kHz, FFT of 400, hop of 160, periodic Hann window, centred
frames with reflect padding, Slaney filters, log10 with a floor of 1e-10, clipped 8 below the
maximum, then (x + 4) / 4. All of it in float64 to the end, so that no CPU's instructions matter.
Owns the running maximum. On request the spectrogram of ``magnitudes`` comes below it, of the same
frames. Knows nothing of blocks, stamps or models.
"""

from functools import lru_cache

import numpy as np

from audio_interaction_ros.audio.magnitudes import log_magnitudes
from audio_interaction_ros.errors import ConfigurationError
from audio_interaction_ros.protocol import (
    MAGNITUDE_BINS,
    MEL_HOP_SAMPLES,
    RELEASED_CHUNK,
    SAMPLE_RATE_HZ,
    ChunkSize,
)

__all__ = [
    'HISTORY_SAMPLES', 'LOOK_AHEAD_SAMPLES', 'MEL_OF_SILENCE', 'StreamingMel', 'mel_filters',
    'mel_rounding', 'whole_file_mel', 'windowed_frames',
]

_FFT = 400
HISTORY_SAMPLES = _FFT // 2  # the first frame of a chunk starts this far before the chunk
LOOK_AHEAD_SAMPLES = HISTORY_SAMPLES - MEL_HOP_SAMPLES  # 40: the last frame ends this far after
_POWER_FLOOR = 1e-10
_RANGE = 8.0  # log10 power kept below the maximum
MEL_OF_SILENCE = -1.5
"""What digital silence becomes when nothing louder was heard."""


def _slaney_to_hz(mel: np.ndarray) -> np.ndarray:
    """Return Hz of Slaney mels: linear up to 1 kHz (15 mels), then 27 mels per factor 6.4."""
    hz: np.ndarray = np.where(
        mel < 15.0, mel * (200.0 / 3.0), 1000.0 * np.exp((mel - 15.0) * (np.log(6.4) / 27.0)))
    return hz


@lru_cache(maxsize=4)
def mel_filters(bins: int) -> np.ndarray:
    """Return the area-normalised triangular Slaney filters [bins, 201] float64, 0 to 8 kHz."""
    if bins < 1:
        raise ConfigurationError(
            f'Expected a positive number of mel bins, got {bins}; correct the model '
            'configuration')
    top = 15.0 + 27.0 * np.log(SAMPLE_RATE_HZ / 2 / 1000.0) / np.log(6.4)
    edges = _slaney_to_hz(np.linspace(0.0, top, bins + 2))  # [bins + 2]
    hz = np.linspace(0.0, SAMPLE_RATE_HZ / 2, _FFT // 2 + 1)  # [201]
    rising = (hz - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    falling = (edges[2:, None] - hz) / (edges[2:] - edges[1:-1])[:, None]
    filters: np.ndarray = np.maximum(0.0, np.minimum(rising, falling))
    filters *= (2.0 / (edges[2:] - edges[:-2]))[:, None]
    filters.flags.writeable = False
    return filters


@lru_cache(maxsize=1)
def _hann_window() -> np.ndarray:
    window: np.ndarray = 0.5 - 0.5 * np.cos(2.0 * np.pi * np.arange(_FFT) / _FFT)
    return window  # periodic Hann


def windowed_frames(padded: np.ndarray) -> np.ndarray:
    """Return windowed frames [T, 400] of padded samples [400 + 160 * (T - 1)]."""
    frames: np.ndarray = np.lib.stride_tricks.sliding_window_view(padded, _FFT)[::MEL_HOP_SAMPLES]
    return frames * _hann_window()


def _log_power(frames: np.ndarray, bins: int) -> np.ndarray:
    """Return log10 mel power [bins, T] float64 of windowed frames [T, 400]."""
    spectrum = np.fft.rfft(frames, axis=1)  # [T, 201]
    power = spectrum.real ** 2 + spectrum.imag ** 2
    log_power: np.ndarray = np.log10(np.maximum(mel_filters(bins) @ power.T, _POWER_FLOOR))
    return log_power


def _scale(log_power: np.ndarray, maximum: float) -> np.ndarray:
    mel: np.ndarray = (np.maximum(log_power, maximum - _RANGE) + 4.0) / 4.0
    return mel.astype(np.float32)


def whole_file_mel(
        samples: np.ndarray, bins: int, maximum: float | None = None) -> np.ndarray:
    """
    Return the mel [bins, N // 160] float32 of N >= 201 samples at once, as openai-whisper.

    ``maximum`` (log10 power) replaces the maximum over the file.
    """
    log_power = _log_power(_whole_file_frames(samples), bins)
    return _scale(log_power, float(log_power.max()) if maximum is None else maximum)


def _whole_file_frames(samples: np.ndarray) -> np.ndarray:
    """Return all windowed frames [N // 160, 400] of samples [N]."""
    padded = np.pad(np.asarray(samples, dtype=np.float64), HISTORY_SAMPLES, mode='reflect')
    frames = len(samples) // MEL_HOP_SAMPLES
    return windowed_frames(padded[:_FFT + MEL_HOP_SAMPLES * (frames - 1)])


def mel_rounding(samples: np.ndarray, bins: int) -> float:
    """
    Return how far a mel of samples [N >= 201] that was computed in float32 may be from the truth.

    Every bin of a float32 spectrum carries an error of about one rounding of the strongest bin of
    its frame, and which way it falls depends on the CPU's instructions. In a quiet band beside a
    loud one that error is large against the band, down to where the mel is clipped.
    """
    frames = _whole_file_frames(samples)
    log_power = _log_power(frames, bins)
    strongest = np.abs(np.fft.rfft(frames, axis=1)).max(axis=1)
    band = np.sqrt(10.0 ** log_power / mel_filters(bins).sum(axis=1, keepdims=True))
    relative = np.finfo(np.float32).eps * strongest / band  # [bins, T] of amplitude
    seen = log_power > log_power.max() - _RANGE
    return float((relative[seen] * (2.0 / np.log(10.0) / 4.0)).max(initial=0.0))


class StreamingMel:
    """
    Turns 16 kHz mono samples into the mel [rows, frames] of one chunk after another.

    Of chunks of n samples, the mel of chunk k (counted from the start or the last flush) appears
    with the push that brings sample n * (k + 1) + 40, that is 2.5 ms after the chunk's end. Cost
    and memory per chunk are constant.
    """

    def __init__(
            self, *, bins: int = 128, decay_per_s: float = 0.0, maximum_floor: float = -10.0,
            maximum: float | None = None, magnitudes: bool = False,
            chunk_size: ChunkSize = RELEASED_CHUNK):
        """
        Begin a stream.

        Rows are ``bins`` of log-mel and, with ``magnitudes``, those 64 below. The maximum is that
        of all chunks so far, the present one included; it falls by
        ``decay_per_s`` (log10 power) per second of audio, but never below ``maximum_floor``.
        ``maximum`` fixes it instead.
        """
        if decay_per_s < 0.0:
            raise ConfigurationError(
                f'Expected a mel decay of 0 or more per second, got {decay_per_s}; correct the '
                'model configuration')
        mel_filters(bins)  # refuses a wrong number of bins now rather than at the first chunk
        self.bins = bins
        self.rows = bins + (MAGNITUDE_BINS if magnitudes else 0)
        self._decay_per_chunk = decay_per_s * chunk_size.s
        self._maximum_floor = maximum_floor
        self._fixed_maximum = maximum
        self._chunk_size = chunk_size
        self._buffer = np.zeros(
            HISTORY_SAMPLES + chunk_size.samples + LOOK_AHEAD_SAMPLES, dtype=np.float64)
        self._fill = HISTORY_SAMPLES
        self._maximum = maximum_floor
        self._history_is_known = False

    def reset(self) -> None:
        """Forget all samples and the maximum."""
        self._maximum = self._maximum_floor
        self._fill = HISTORY_SAMPLES
        self._history_is_known = False

    def push(self, samples: np.ndarray) -> list[np.ndarray]:
        """
        Take any number of samples [n] and return the mels [rows, frames] float32 now
        complete.
        """
        mels = []
        taken = 0
        while taken < len(samples):
            part = min(len(samples) - taken, len(self._buffer) - self._fill)
            self._buffer[self._fill:self._fill + part] = samples[taken:taken + part]
            self._fill += part
            taken += part
            if self._fill == len(self._buffer):
                mels.append(self._compute())
                kept = HISTORY_SAMPLES + LOOK_AHEAD_SAMPLES
                self._buffer[:kept] = self._buffer[self._chunk_size.samples:].copy()
                self._fill = kept
        return mels

    def flush(self) -> list[np.ndarray]:
        """
        Return the mels of what is pending and begin anew, keeping the maximum.

        An incomplete chunk is padded with zeros; the look-ahead is reflected.
        """
        pending = self._fill - HISTORY_SAMPLES
        if pending == 0:
            return []
        mels = self.push(np.zeros(-pending % self._chunk_size.samples))
        end = self._fill
        assert end == HISTORY_SAMPLES + self._chunk_size.samples, 'flush must end on a whole chunk'
        self._buffer[end:] = self._buffer[end - 1 - LOOK_AHEAD_SAMPLES:end - 1][::-1]
        mels.append(self._compute())
        self._fill = HISTORY_SAMPLES
        self._history_is_known = False
        return mels

    def _compute(self) -> np.ndarray:
        if not self._history_is_known:  # start of a stream: reflect around its first sample
            start = HISTORY_SAMPLES
            self._buffer[:start] = self._buffer[start + 1:2 * start + 1][::-1]
            self._history_is_known = True
        frames = windowed_frames(self._buffer)
        log_power = _log_power(frames, self.bins)
        assert log_power.shape == (self.bins, self._chunk_size.frames), 'one chunk'
        mel = _scale(log_power, self._next_maximum(float(log_power.max())))
        if self.rows == self.bins:
            return mel
        return np.concatenate((mel, log_magnitudes(frames)))

    def _next_maximum(self, chunk_maximum: float) -> float:
        if self._fixed_maximum is not None:
            return self._fixed_maximum
        decayed = self._maximum - self._decay_per_chunk
        self._maximum = max(decayed, chunk_maximum, self._maximum_floor)
        return self._maximum
