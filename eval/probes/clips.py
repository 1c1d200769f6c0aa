"""
Which clips a probe listens to.

Owns the choice: pieces of the sample scene, any folder of sound files, or the held-out clips of a
folder with a manifest. Reads no model.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from audio_interaction_ros.resources import shipped_path
from eval.suites.sample import SOUNDS, SPOKEN
from held_out.clips import RATE, MaterialError, by_label, load, read_held_out

__all__ = ['LONGEST_S', 'ProbeClip', 'read_clips']

SUFFIXES = ('.wav', '.flac', '.ogg', '.opus', '.mp3', '.aiff', '.au', '.caf')
LONGEST_S = 24.0
"""Of a longer clip so much is heard: the longest stream of the paper's training, 60 chunks."""


class ProbeClip(NamedTuple):
    """A clip to listen to."""

    name: str
    samples: np.ndarray
    """[n] float32 at 16 kHz."""


def read_clips(folder: Path | None, labels: list[str], most: int) -> list[ProbeClip]:
    """
    Return the clips of a folder, at most ``most`` of each label (0: all), cut at LONGEST_S.

    Without a folder: the spoken lines and the sounds of the sample scene. With a manifest in it:
    clips that no training took, of ``labels`` where some are given. Raises MaterialError where
    that leaves nothing.
    """
    if folder is None:
        return _cut_scene()
    if (folder / 'manifest.jsonl').is_file():
        kept = by_label([clip for clip in read_held_out(folder)
                         if not labels or clip.label in labels])
        paths = [clip.path for clips in kept.values() for clip in clips[:most or None]]
    else:
        paths = sorted(path for path in folder.rglob('*') if path.suffix.lower() in SUFFIXES)
        paths = paths[:most or None]
    if not paths:
        raise MaterialError(
            f'{folder}: expected clips that no training took, of {" or ".join(labels) or "any"}, '
            'found none; give another folder in --data, or other labels')
    return [ProbeClip('/'.join(path.parts[-3:]), _cut(load(path))) for path in paths]


def _cut(samples: np.ndarray) -> np.ndarray:
    return samples[:round(LONGEST_S * RATE)]


def _cut_scene() -> list[ProbeClip]:
    scene = load(shipped_path('samples/scene.flac'))
    places = [(name, begin, end) for name, (begin, end, *_) in SPOKEN.items()]
    places += [(name, begin, end) for name, (begin, end, *_) in SOUNDS.items()
               if name != 'voice']  # which is 'water' again
    return [ProbeClip(name, scene[round(begin * RATE):round(end * RATE)])
            for name, begin, end in places]
