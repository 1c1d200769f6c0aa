"""
Where in the audio each token is, from where the heads of a decoder look as they write it.

The normalisation is that of openai-whisper's timing.py; the path is the best one on which tokens
follow each other and each has at least one frame. Knows numpy only.
"""

import numpy as np

__all__ = ['FRAME_S', 'align_tokens']

FRAME_S = 0.02
"""Seconds that one frame of Whisper's encoder stands for."""
_SMOOTHED = 7
"""Frames over which what heads look at is smoothed, by the median."""


def align_tokens(looks: np.ndarray) -> np.ndarray | None:
    """
    Return the first frame [T + 1] of each token and the end of the last.

    ``looks`` [heads, T, frames] is how much each head looked at which frame to write which token.
    None where there are more tokens than frames.
    """
    _, tokens, frames = looks.shape
    if not tokens or tokens > frames:
        return None
    looks = looks / np.maximum(looks.sum(axis=-1, keepdims=True), 1e-9)
    spread = looks.std(axis=1, keepdims=True)
    looks = (looks - looks.mean(axis=1, keepdims=True)) / np.maximum(spread, 1e-9)
    return _find_path(_smooth(looks).mean(axis=0))


def _smooth(looks: np.ndarray) -> np.ndarray:
    if looks.shape[-1] < _SMOOTHED:
        return looks
    half = _SMOOTHED // 2
    padded = np.pad(looks, ((0, 0), (0, 0), (half, half)), 'reflect')
    smoothed: np.ndarray = np.median(
        np.lib.stride_tricks.sliding_window_view(padded, _SMOOTHED, axis=-1), axis=-1)
    return smoothed


def _find_path(fit: np.ndarray) -> np.ndarray:
    """Return where each token begins [T + 1] on the best path through fit [T, frames]."""
    tokens, frames = fit.shape
    best = np.full(tokens, -np.inf)
    best[0] = fit[0, 0]
    moved = np.zeros((frames, tokens), bool)  # to this token with this frame
    for frame in range(1, frames):
        before = np.concatenate(([-np.inf], best[:-1]))
        moved[frame] = before > best
        best = np.maximum(before, best) + fit[:, frame]
    starts = np.zeros(tokens + 1, np.int64)
    starts[tokens] = frames
    token = tokens - 1
    for frame in range(frames - 1, 0, -1):
        if moved[frame, token]:
            starts[token] = frame
            token -= 1
    return starts
