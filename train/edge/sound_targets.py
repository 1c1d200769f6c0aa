"""
What is told of the sounds of each chunk: by our own labels, and by a general tagger.

Owns the targets of the sound branch (what sounds within the last 0.8 s, event or not) and which of
them stay out of the loss. Knows no weights. A tagger's scores are a file of lines
``{path, frames: [[[class, score]]]}``, one frame per 0.4875 s of a clip.
"""

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from train.edge.layout import CHUNK_S

__all__ = ['TAGGER_CLASSES', 'UNKNOWN', 'read_tagger', 'tag_chunks', 'make_targets']

LOOK_BACK_S = 0.8
LEAST_S = 0.2
TAGGER_FRAME_S = 0.4875
TAGGER_CLASSES = 521
UNKNOWN = -1.0
"""Neither there nor absent: left out of the loss."""


def make_targets(row: Mapping, sounds: Mapping[str, int]) -> np.ndarray:
    """
    Return what sounds at the end of each chunk of a scene [chunks, sounds]: 0, 1 or UNKNOWN.

    Unknown is what sounds so faintly that it may be missed.
    """
    truth = np.zeros((row['chunks'], len(sounds)), np.float32)
    ends = (np.arange(row['chunks']) + 1) * CHUNK_S
    for sound in sorted(row['sounding'], key=lambda sound: not sound.get('faint', False)):
        if sound['label'] in sounds:
            common = np.minimum(ends, sound['end']) - np.maximum(ends - LOOK_BACK_S,
                                                                 sound['start'])
            truth[common >= min(LEAST_S, sound['end'] - sound['start']),
                  sounds[sound['label']]] = (
                UNKNOWN if sound.get('faint', False) else 1.0)
    return truth


def tag_chunks(row: Mapping, scores: Mapping[str, np.ndarray]) -> np.ndarray:
    """
    Return a tagger's scores of what sounds [chunks, 521] float16.

    UNKNOWN where nothing sounds, or anything that the tagger did not hear: speech, a computed
    signal. What is faint counts where nothing else sounds.
    """
    scores_of = np.full((row['chunks'], TAGGER_CLASSES), UNKNOWN, np.float16)
    for chunk in range(row['chunks']):
        begin, end = chunk * CHUNK_S, (chunk + 1) * CHUNK_S
        heard = [sound for sound in row['sounding'] if sound['start'] < end
                 and sound['end'] > begin]
        if heard and all(sound['path'] in scores for sound in heard):
            loud = [sound for sound in heard if not sound.get('faint', False)]
            scores_of[chunk] = np.max([_scores_at(sound, (begin + end) / 2, scores[sound['path']])
                                       for sound in loud or heard], axis=0)
    return scores_of


def _scores_at(sound: Mapping, time: float, frames: np.ndarray) -> np.ndarray:
    """Return the scores [521] of what is heard of a clip at a time of the scene."""
    length = sound.get('length') or len(frames) * TAGGER_FRAME_S
    since = min(max(time, sound['start']), sound['end']) - sound['start']
    at = (since * sound.get('pace', 1.0) + sound.get('offset', 0.0)) % length
    return frames[min(int(at / TAGGER_FRAME_S), len(frames) - 1)]


def read_tagger(path: Path) -> dict[str, np.ndarray]:
    """Return the scores [frames, 521] float16 of each clip of a file."""
    scores_by_path = {}
    for line in path.read_text(encoding='utf-8').splitlines():
        row = json.loads(line)
        scores = np.zeros((max(1, len(row['frames'])), TAGGER_CLASSES), np.float16)
        for number, frame in enumerate(row['frames']):
            for index, score in frame:
                scores[number, index] = score
        scores_by_path[row['path']] = scores
    return scores_by_path
