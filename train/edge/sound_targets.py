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

from audio_interaction_ros.protocol import CHUNK_S
from train.records import Event, Stream

__all__ = ['TAGGER_CLASSES', 'UNKNOWN', 'read_tagger', 'tag_chunks', 'make_targets']

LOOK_BACK_S = 0.8
LEAST_S = 0.2
FAINT_DB = 15.0
TAGGER_FRAME_S = 0.4875
TAGGER_CLASSES = 521
UNKNOWN = -1.0
"""Neither there nor absent: left out of the loss."""


def sound_of(event: Event) -> str:
    """Return what an event is called among the sounds."""
    return 'speech' if event.clip.text else event.clip.label


def is_faint(event: Event) -> bool:
    """Tell whether an event is so far below the rest that nobody can be expected to name it."""
    return event.below_db >= FAINT_DB


def make_targets(stream: Stream, sounds: Mapping[str, int]) -> np.ndarray:
    """
    Return what sounds at the end of each chunk of a scene [chunks, sounds]: 0, 1 or UNKNOWN.

    Unknown is what sounds so faintly that it may be missed.
    """
    truth = np.zeros((stream.chunks, len(sounds)), np.float32)
    ends = (np.arange(stream.chunks) + 1) * CHUNK_S
    for event in sorted(stream.events, key=lambda event: not is_faint(event)):
        if sound_of(event) in sounds:
            common = np.minimum(ends, event.end_s) - np.maximum(ends - LOOK_BACK_S, event.start_s)
            truth[common >= min(LEAST_S, event.end_s - event.start_s),
                  sounds[sound_of(event)]] = UNKNOWN if is_faint(event) else 1.0
    return truth


def tag_chunks(stream: Stream, scores: Mapping[str, np.ndarray]) -> np.ndarray:
    """
    Return a tagger's scores of what sounds [chunks, 521] float16.

    UNKNOWN where nothing sounds, or anything that the tagger did not hear: speech, a computed
    signal. What is faint counts where nothing else sounds.
    """
    scores_of = np.full((stream.chunks, TAGGER_CLASSES), UNKNOWN, np.float16)
    for chunk in range(stream.chunks):
        begin, end = chunk * CHUNK_S, (chunk + 1) * CHUNK_S
        heard = [event for event in stream.events if event.start_s < end and event.end_s > begin]
        if heard and all(event.clip.id in scores for event in heard):
            loud = [event for event in heard if not is_faint(event)]
            scores_of[chunk] = np.max([_scores_at(event, (begin + end) / 2, scores[event.clip.id])
                                       for event in loud or heard], axis=0)
    return scores_of


def _scores_at(event: Event, time: float, frames: np.ndarray) -> np.ndarray:
    """Return the scores [521] of what is heard of a clip at a time of the scene."""
    since = min(max(time, event.start_s), event.end_s) - event.start_s
    clip = event.clip
    at = (since * clip.pace + clip.offset_s) % (clip.file_s or clip.seconds)
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
