"""
The demo's clips as loose recordings: what lies around them, and how TFJP takes it away again.

Clips that a synthesiser made begin and end where the sound does, so TFJP would have nothing to do.
Real clips do not: here each one gets the quiet before and after it and the hiss of a microphone.
Owns which clips that happens to, and how much. Both sides follow from the clip's id.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np

from train.compose.audio import active_db, make_floor_noise, read_clip, write_clip
from train.records import Clip
from train.sounds.signals import LABELS
from train.stages import Rejected, stable_seed
from train.tfjp import process

__all__ = ['AROUND_S', 'HISS_BELOW_DB', 'is_recorded', 'record_clip']

RATE = 16_000
AROUND_S = (0.4, 2.0)
"""Quiet before a clip, and after it."""
HISS_BELOW_DB = (25.0, 45.0)
"""Hiss below the active level of the clip."""


def is_recorded(clip: Clip) -> bool:
    """Tell whether a clip is recorded; beds of noise and standard signals stay, as in a build."""
    return clip.label not in LABELS and not {'noise', 'room'} & set(clip.tags)


def add_surroundings(samples: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return samples [n] float32 with quiet before and after them and hiss over all."""
    before, after = (int(rng.uniform(*AROUND_S) * RATE) for _ in range(2))
    hiss = active_db(samples) - rng.uniform(*HISS_BELOW_DB)
    whole = np.pad(samples, (before, after))
    return whole + make_floor_noise(len(whole), hiss, rng)


def record_clip(clip: Clip, *, root: Path, out: Path, clean: bool) -> Clip | Rejected:
    """Stage function: write a clip as a recording, after TFJP where ``clean``; path absolute."""
    if not is_recorded(clip):
        return replace(clip, path=str(root / clip.path))
    rng = np.random.default_rng(stable_seed('recording', clip.id))
    samples = add_surroundings(read_clip(clip, root), rng)
    if clean:
        result = process(samples)
        if result.report.verdict != 'ok':
            return Rejected(reason=f'TFJP finds {result.report.verdict}', detail=clip.id)
        samples = np.asarray(result.samples, np.float32)
    path = out / f'{clip.id}.flac'
    write_clip(path, samples)
    return replace(clip, path=str(path), seconds=len(samples) / RATE, offset_s=0.0, file_s=0.0,
                   pace=1.0)
