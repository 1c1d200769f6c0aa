"""
One vector per clip, as the tagger reads it.

Owns two extractors: log-mel statistics (numpy alone) and pooled states of Whisper's encoder (the
project's own base weights, needs torch). Neither depends on the level of the clip. Knows no
label and no file.
"""

import itertools
from functools import lru_cache
from typing import Any, Protocol

import numpy as np

from audio_interaction_ros.audio.mel import whole_file_mel
from audio_interaction_ros.errors import AudioFormatError, ConfigurationError
from audio_interaction_ros.protocol import SAMPLE_RATE_HZ

__all__ = ['EXTRACTORS', 'Extractor', 'find_extractor', 'log_mel_statistics', 'whisper_states',
           'with_states']

_RATE = SAMPLE_RATE_HZ
_BINS = 64
_MODULATION_HZ = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0)
_WINDOW_FRAMES = 200
_MOST_WINDOWS = 4
_SHORTEST = 1_600


class Extractor(Protocol):
    """Turns samples float32 [n] at 16 kHz into a vector float32 [width]."""

    def __call__(self, samples: np.ndarray) -> np.ndarray: ...


def _check_samples(samples: np.ndarray) -> np.ndarray:
    """Return samples with peak 1 of at least 0.1 s; silence stays silent."""
    if samples.ndim != 1 or samples.dtype != np.float32 or not len(samples):
        raise AudioFormatError('expected samples float32 [n] of 16 kHz mono with n > 0, got '
                               f'{samples.dtype} {list(samples.shape)}; the caller must convert')
    if not np.isfinite(samples).all():
        raise AudioFormatError('expected finite samples, got NaN or infinity; the clip is corrupt')
    peak = float(np.abs(samples).max())
    loud = samples / peak if peak > 0 else samples
    return np.pad(loud, (0, max(0, _SHORTEST - len(loud))))


def _measure_modulation(mel: np.ndarray) -> np.ndarray:
    """Return how 8 groups of bins pulse, as shares of energy in octaves of 0.5 to 32 Hz [48]."""
    groups = mel.reshape(8, -1, mel.shape[1]).mean(axis=1)
    power = np.abs(np.fft.rfft(groups - groups.mean(axis=1, keepdims=True), n=1_024, axis=1)) ** 2
    hz = np.fft.rfftfreq(1_024, 0.01)
    bands = [power[:, (hz >= low) & (hz < high)].sum(axis=1)
             for low, high in itertools.pairwise(_MODULATION_HZ)]
    shares: np.ndarray = np.stack(bands, axis=1) / (power.sum(axis=1, keepdims=True) + 1e-6)
    return shares.reshape(-1)


def log_mel_statistics(samples: np.ndarray) -> np.ndarray:
    """Return [512] float32: spread of 64 log-mel bins over at most 10 s, and their pulsing."""
    mel = whole_file_mel(_check_samples(samples)[:10 * _RATE], _BINS)
    loudness = mel.mean(axis=0)
    active = mel[:, loudness >= np.median(loudness)]
    parts = [mel.mean(axis=1), mel.std(axis=1), active.mean(axis=1),
             *np.percentile(mel, (10, 50, 90), axis=1),
             np.abs(np.diff(mel, axis=1)).mean(axis=1) if mel.shape[1] > 1 else mel[:, 0] * 0,
             _measure_modulation(mel),
             [np.log10(len(samples) / _RATE), *np.percentile(loudness, (5, 25, 50, 75, 95)),
              loudness.std(), *np.zeros(9)]]
    return np.concatenate(parts).astype(np.float32)


@lru_cache(maxsize=1)
def _load_whisper() -> Any:
    """Return Whisper's encoder over windows of 2 s, and the list its layers write into."""
    from safetensors.torch import load_file

    from audio_interaction_ros.checkpoints.base_weights import fetch
    from audio_interaction_ros.model.audio_tower import AudioTower
    from audio_interaction_ros.model.shapes import AudioTowerConfig
    tower = AudioTower(AudioTowerConfig(
        mel_bins=80, width=512, layers=6, heads=8, mlp_width=2_048, output_width=1,
        window_frames=_WINDOW_FRAMES, keep_frames=_WINDOW_FRAMES // 2))
    state = load_file(fetch('whisper-base') / 'model.safetensors')
    tower.load_state_dict({name: tensor.float() for name, tensor in state.items()}, strict=False)
    return with_states(tower)


def with_states(tower: Any) -> tuple[Any, list[Any]]:
    """Return a tower ready to listen, and the list that each of its layers writes into."""
    states: list[Any] = []
    for layer in tower.layers:
        layer.register_forward_hook(lambda _module, _given, out: states.append(out))
    return tower.eval(), states


def whisper_states(samples: np.ndarray) -> np.ndarray:
    """
    Return [6656] float32: mean and spread of each of 6 layers over at most 8 s, then log-mel.

    A long clip is heard in four windows of 2 s spread over it.
    """
    import torch
    tower, states = _load_whisper()
    mel = whole_file_mel(_check_samples(samples), 80)
    count = min(_MOST_WINDOWS, -(-mel.shape[1] // _WINDOW_FRAMES))
    starts = np.linspace(0, max(0, mel.shape[1] - _WINDOW_FRAMES), count).astype(int)
    real = min(mel.shape[1], _WINDOW_FRAMES) // 2 or 1
    padded = np.pad(mel, ((0, 0), (0, max(0, _WINDOW_FRAMES - mel.shape[1]))),
                    constant_values=float(mel.min()))
    windows = np.stack([padded[:, start:start + _WINDOW_FRAMES] for start in starts])
    states.clear()
    with torch.inference_mode():
        tower.encode(torch.from_numpy(windows))
        heard = torch.stack(states)[:, :, :real].flatten(1, 2)  # [6, frames, 512]
        pooled = torch.cat((heard.mean(1), heard.std(1, correction=0)), 1).flatten().numpy()
    return np.concatenate([pooled, log_mel_statistics(samples)])


EXTRACTORS: dict[str, Extractor] = {'log_mel': log_mel_statistics, 'whisper': whisper_states}


def find_extractor(name: str) -> Extractor:
    """Return an extractor by name; ConfigurationError for another name."""
    if name not in EXTRACTORS:
        raise ConfigurationError(f'expected features among {sorted(EXTRACTORS)}, got {name!r}; '
                                 'correct the tagger file or the command')
    return EXTRACTORS[name]
