"""
How likely somebody speaks, for every 32 ms of audio: the net of Silero VAD (MIT), version 6.

Owns the arithmetic, in numpy; weights carry the names of the published file. Knows no
thresholds, nor where weights come from.
"""

from collections.abc import Mapping

import numpy as np

__all__ = ['HOP', 'VoiceActivity', 'VoiceStream']

HOP = 512
"""Samples at 16 kHz that one probability stands for."""
_CONTEXT = 64
_WINDOW, _STRIDE = 256, 128
_BINS = 129
_WIDTH = 128
_AT_ONCE = 64
"""Pieces whose convolutions are computed together: their arrays fit into a processor's cache."""


class VoiceActivity:
    """Spectrum of each piece with a little before it, four convolutions, one recurrent layer."""

    def __init__(self, weights: Mapping[str, np.ndarray]) -> None:
        self._weights = dict(weights)
        self._spectrum = np.ascontiguousarray(weights['stft_conv.weight'][:, 0].T)
        self._convolutions = [_Convolution(weights, f'conv{number}', stride)
                              for number, stride in ((1, 1), (2, 2), (3, 2), (4, 1))]
        self._recurrent = np.ascontiguousarray(weights['lstm_cell.weight_hh'].T)
        self._bias = weights['lstm_cell.bias_ih'] + weights['lstm_cell.bias_hh']

    def __call__(self, samples: np.ndarray) -> np.ndarray:
        """Return the probability [ceil(n / 512)] of speech in samples [n] float32 at 16 kHz."""
        padded = np.pad(samples, (_CONTEXT, -len(samples) % HOP))
        return self.hear(padded, np.zeros((2, _WIDTH), np.float32))

    def stream(self) -> 'VoiceStream':
        """Return a listener for audio that comes bit by bit; it hears what a call would hear."""
        return VoiceStream(self)

    def hear(self, samples: np.ndarray, state: np.ndarray) -> np.ndarray:
        """
        Return the probability [n] of speech in samples [64 + n * 512], n > 0.

        The first 64 were heard before. ``state`` [2, 128] is what the recurrent layer kept of all
        before; it is changed in place.
        """
        pieces = np.lib.stride_tricks.sliding_window_view(samples, HOP + _CONTEXT)[::HOP]
        seen = np.concatenate([self._convolve(pieces[start:start + _AT_ONCE])
                               for start in range(0, len(pieces), _AT_ONCE)])
        heard = np.maximum(self._run_recurrent(seen, state), 0)
        scores = heard @ self._weights['final_conv.weight'][0, :, 0]
        return _sigmoid(scores + self._weights['final_conv.bias'])

    def _convolve(self, pieces: np.ndarray) -> np.ndarray:
        """Return what goes into the recurrent layer [n, 4 * 128] of pieces [n, 576]."""
        pieces = np.pad(pieces, ((0, 0), (0, _CONTEXT)), 'reflect')
        frames = np.lib.stride_tricks.sliding_window_view(
            pieces, _WINDOW, axis=1)[:, ::_STRIDE]
        parts = frames @ self._spectrum
        x = np.sqrt(parts[..., :_BINS] ** 2 + parts[..., _BINS:] ** 2)
        for convolution in self._convolutions:
            x = convolution(x)
        seen: np.ndarray = x[:, 0] @ self._weights['lstm_cell.weight_ih'].T + self._bias
        return seen

    def _run_recurrent(self, seen: np.ndarray, kept: np.ndarray) -> np.ndarray:
        """Return the states [n, 128] of the recurrent layer, one piece after the other."""
        state, memory = kept[0].copy(), kept[1].copy()
        states = np.empty((len(seen), _WIDTH), np.float32)
        for place, piece in enumerate(seen):
            gates = piece + state @ self._recurrent
            new = np.tanh(gates[2 * _WIDTH:3 * _WIDTH])
            gates = _sigmoid(gates)
            memory = gates[_WIDTH:2 * _WIDTH] * memory + gates[:_WIDTH] * new
            states[place] = state = gates[3 * _WIDTH:] * np.tanh(memory)
        kept[0], kept[1] = state, memory
        return states


class VoiceStream:
    """The same net over a stream that comes in pieces of any length."""

    step_s = HOP / 16_000
    """Seconds that one probability stands for."""

    def __init__(self, net: VoiceActivity) -> None:
        self._net = net
        self.reset()

    def reset(self) -> None:
        """Forget what was heard."""
        self._state = np.zeros((2, _WIDTH), np.float32)
        self._kept = np.zeros(_CONTEXT, np.float32)

    def push(self, samples: np.ndarray) -> np.ndarray:
        """Return the probability of each whole piece of 512 samples that is there now."""
        samples = np.concatenate((self._kept, np.asarray(samples, np.float32)))
        whole = (len(samples) - _CONTEXT) // HOP * HOP
        self._kept = samples[whole:]
        if not whole:
            return np.zeros(0, np.float32)
        return self._net.hear(samples[:whole + _CONTEXT], self._state)


class _Convolution:
    # Over three frames, the first and last of nothing; a rectifier behind it.

    def __init__(self, weights: Mapping[str, np.ndarray], name: str, stride: int) -> None:
        weight = weights[f'{name}.weight']  # [out, in, 3]
        self._weight = np.ascontiguousarray(weight.transpose(1, 2, 0).reshape(-1, len(weight)))
        self._bias, self._stride = weights[f'{name}.bias'], stride

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """Return [n, frames / stride, out] of x [n, frames, in]."""
        padded = np.pad(x, ((0, 0), (1, 1), (0, 0)))
        frames = np.lib.stride_tricks.sliding_window_view(padded, 3, axis=1)[:, ::self._stride]
        flat = frames.reshape(*frames.shape[:2], -1)
        out: np.ndarray = np.maximum(flat @ self._weight + self._bias, 0)
        return out


def _sigmoid(x: np.ndarray) -> np.ndarray:
    return np.float32(0.5) * (np.tanh(np.float32(0.5) * x) + np.float32(1))
