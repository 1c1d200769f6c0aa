"""
When a row of scores is an alarm: by the robot's own detector, for every threshold that matters.

Owns how scores of one class are played to ``SoundDetector``, and the short cut that spares most of
it: how far a threshold rises does not depend on the threshold as long as nothing began, so one row
of lowered scores tells for all thresholds whether, and where first, an alarm begins.
"""

from dataclasses import replace

import numpy as np

from audio_interaction_ros.protocol import CHUNK_NS
from audio_interaction_ros.stream.chunk import EncodedChunk, SoundScores
from audio_interaction_ros.stream.events import SoundStarted
from audio_interaction_ros.stream.sound_background import SoundBackground
from audio_interaction_ros.stream.sound_events import SoundDetector, SoundRule

__all__ = ['find_alarms', 'levels_of', 'lower_by', 'lower_scores', 'series_of']

_NAME, _NOTHING = 'sound', np.empty((0, 0), np.float32)


def series_of(scores: np.ndarray, hits: int, of: int) -> np.ndarray:
    """Return the highest threshold that makes an alarm at each chunk [chunks] of scores."""
    padded = np.concatenate([np.zeros(of - 1), scores])
    windows = np.lib.stride_tricks.sliding_window_view(padded, of)
    return np.asarray(np.sort(windows, axis=1)[:, -hits])


def lower_scores(scores: np.ndarray, rule: SoundRule) -> np.ndarray:
    """
    Return scores [chunks] as far as they count in their place, while nothing begins.

    A chunk reaches its raised threshold just where its lowered score reaches the rule's own.
    """
    return lower_by(rule.make_background(), scores) if rule.background else scores


def lower_by(background: SoundBackground, scores: np.ndarray) -> np.ndarray:
    """Return scores [chunks] as far as they count beside those before them; takes these in."""
    lowered = np.empty(len(scores))
    for place, score in enumerate(scores.tolist()):
        lowered[place] = background.lower_score(score)
        background.note(score)
    return lowered


def levels_of(scores: np.ndarray, rule: SoundRule) -> np.ndarray:
    """Return the highest threshold that makes an alarm at each chunk [chunks], by a rule."""
    return series_of(lower_scores(scores, rule), rule.hits, rule.of)


def find_alarms(scores: np.ndarray, rule: SoundRule, threshold: float) -> list[tuple[int, int]]:
    """Return (first, last + 1) of the chunks in which the sound was on, as the robot tells it."""
    detector = SoundDetector({_NAME: replace(rule, threshold=threshold)})
    alarms, begun = list[tuple[int, int]](), None
    for seq, score in enumerate(scores):
        for event in detector.push(_make_chunk(seq, score)):
            if isinstance(event, SoundStarted):
                begun = seq
            elif begun is not None:
                alarms, begun = [*alarms, (begun, event.offset_ns // CHUNK_NS)], None
    return alarms if begun is None else [*alarms, (begun, len(scores))]


def _make_chunk(seq: int, score: float) -> EncodedChunk:
    return EncodedChunk(features=_NOTHING, stamp_ns=seq * CHUNK_NS, epoch=1, seq=seq, model_id='',
                        sounds=SoundScores(names=(_NAME,), scores=np.array([score])))
