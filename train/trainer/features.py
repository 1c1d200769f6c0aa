"""
Audio of a stream to what the tower hears: mel windows, made by the classes that serve.

Owns the windows of training samples, online (as the runtime: one window per chunk) and offline
(whole clip, windows of 2 s, as the stock tower of Qwen2.5-Omni). Knows no tokens.
"""

import copy
import dataclasses
from pathlib import Path

import numpy as np
import soundfile
from torch import Tensor

from audio_interaction_ros.audio.mel import LOOK_AHEAD_SAMPLES, StreamingMel, whole_file_mel
from audio_interaction_ros.checkpoints.config import CheckpointConfig, MelConfig
from audio_interaction_ros.model.audio_tower import AudioTower
from audio_interaction_ros.model.shapes import AudioTowerConfig
from audio_interaction_ros.protocol import RELEASED_CHUNK, SAMPLE_RATE_HZ, ChunkSize
from train.records import RecordError

__all__ = ['encode', 'offline_windows', 'online_windows', 'read_chunks', 'why_unusable']

OFFLINE_FRAMES = 200


def why_unusable(path: Path, chunks: int, size: ChunkSize) -> str:
    """Return why the audio of a stream cannot be used, '' where it can; reads the header only."""
    if not path.is_file():
        return 'audio file missing'
    try:
        info = soundfile.info(path)
    except (RuntimeError, OSError):
        return 'audio file unreadable'
    if info.samplerate != SAMPLE_RATE_HZ or info.channels != 1:
        return f'audio not {SAMPLE_RATE_HZ} Hz mono'
    return '' if info.frames >= chunks * size.samples else 'audio shorter than its chunks'


def read_chunks(path: Path, first: int, chunks: int,
                size: ChunkSize = RELEASED_CHUNK) -> np.ndarray:
    """Return samples [n] float32 of chunks of a stream; RecordError if they cannot be read."""
    count = chunks * size.samples
    try:
        samples, _ = soundfile.read(path, start=first * size.samples, frames=count,
                                    dtype='float32')
    except (RuntimeError, OSError) as error:
        raise RecordError(f'{path}: expected readable audio ({error}); build the stream again'
                          ) from error
    if samples.shape != (count,):
        raise RecordError(f'{path}: expected {count} mono samples from chunk {first}, found '
                          f'{samples.shape}; build the stream again')
    return samples


def online_windows(samples: np.ndarray, tower: AudioTowerConfig, mel: MelConfig) -> np.ndarray:
    """Return mel [chunks, rows, window_frames] float32 of whole chunks of samples, as served."""
    stream = StreamingMel(bins=tower.mel_bins, decay_per_s=mel.decay_per_s,
                          maximum_floor=mel.maximum_floor, magnitudes=tower.tagger,
                          chunk_size=tower.chunk_size)
    # The runtime hears silence after the end; the last frame looks ahead into it.
    frames = stream.push(np.pad(samples, (0, LOOK_AHEAD_SAMPLES)))
    step = tower.chunk_size.frames
    left = tower.initial_mel(tower.window_frames - step)
    whole = np.concatenate([left, *frames], axis=1)
    views = np.lib.stride_tricks.sliding_window_view(whole, tower.window_frames, axis=1)
    return np.ascontiguousarray(views[:, ::step].transpose(1, 0, 2), np.float32)


def offline_windows(samples: np.ndarray, config: CheckpointConfig) -> list[np.ndarray]:
    """
    Return mel windows [n, bins, 200] and, where chunks remain, [1, bins, frames of the rest].

    Same count of features as online (10 per chunk of 0.4 s in the released tower), but with the
    maximum of the whole clip and attention over 2 s. A tower whose window is more than one chunk
    was not made for that and hears its online windows.
    """
    tower = config.audio_tower
    if tower.window_frames != tower.chunk_size.frames:
        return [online_windows(samples, tower, config.mel)]
    mel = whole_file_mel(samples, tower.mel_bins).astype(np.float32)
    whole = mel.shape[1] // OFFLINE_FRAMES
    windows = []
    if whole:
        cut = mel[:, :whole * OFFLINE_FRAMES].reshape(tower.mel_bins, whole, OFFLINE_FRAMES)
        windows.append(np.ascontiguousarray(cut.transpose(1, 0, 2)))
    if mel.shape[1] > whole * OFFLINE_FRAMES:
        windows.append(mel[None, :, whole * OFFLINE_FRAMES:])
    return windows


def encode(tower: AudioTower, mel: Tensor) -> Tensor:
    """Return stacked frames [B, N, stacked_width] of windows [B, bins, frames] of any length."""
    frames = mel.shape[-1]
    if frames == tower.config.window_frames:
        return tower.encode(mel)
    # The same weights over another window; only positions and the count of frames differ.
    other = copy.copy(tower)
    other._buffers = dict(tower._buffers)
    other.config = dataclasses.replace(tower.config, window_frames=frames,
                                       keep_frames=frames // 2)
    other.place_positions()
    return other.to(mel.device).encode(mel)
