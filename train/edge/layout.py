"""
From a scene to what a lane should decide after each chunk, and from there to token ids.

Owns the targets and the labels. The order of ids comes from ``protocol`` alone, so training and
serving cannot differ.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from audio_interaction_ros.protocol import Emotion, TokenIds, listening_block, prefix_block

__all__ = ['BASE_VOCABULARY', 'CHUNK_S', 'FEATURES', 'IDS', 'IGNORE', 'PROMPTS', 'Sequenced',
           'decisions', 'sequence']

BASE_VOCABULARY = 49_152
FEATURES = 5
CHUNK_S = 0.4
IGNORE = -100
PROMPTS = {'transcript': 'Transcribe the speech.', 'assistant': 'Warn about dangerous sounds.'}
_KINDS = {'transcript': 'speech', 'assistant': 'sound'}
_NEW = [BASE_VOCABULARY + i for i in range(19)]
IDS = TokenIds(user=_NEW[0], assistant=_NEW[1], silence=_NEW[2], respond=_NEW[3],
               text_end=_NEW[4], pad=_NEW[5], online=_NEW[6], offline=_NEW[7],
               language=_NEW[8], system=_NEW[9], audio_pad=_NEW[10], audio_begin=_NEW[11],
               audio_end=_NEW[12],
               emotions=(_NEW[13], _NEW[14], _NEW[15], _NEW[16], _NEW[17], _NEW[18]))
Reply = tuple[Emotion, str]


@dataclass(frozen=True, kw_only=True)
class Sequenced:
    """One lane's view of a scene as T ids; labels are IGNORE where nothing is learned."""

    ids: np.ndarray  # [T] int64
    feature_at: np.ndarray  # [chunks * 5] int64, positions that features overwrite
    control: np.ndarray  # [T] int64: 0 silence, 1 respond, at every ASSISTANT
    text: np.ndarray  # [T] int64: the next id, from RESPOND to the one before TEXT_END


def decisions(events: Sequence[Mapping], lane: str, chunks: int) -> list[Reply | None]:
    """Return the reply due after each chunk; a reply due past the last chunk is not given."""
    due: list[Reply | None] = [None] * chunks
    for event in events:
        index = max(0, math.ceil(event['due'] / CHUNK_S) - 1)
        if event['kind'] == _KINDS[lane] and index < chunks:
            due[index] = (Emotion(event['emotion']), event['text'])
    return due


def sequence(prompt: Sequence[int], replies: Sequence[tuple[Emotion, Sequence[int]] | None],
             ids: TokenIds = IDS) -> Sequenced:
    """Lay out a session: ``replies`` holds, per chunk, an emotion and encoded text, or None."""
    tokens = prefix_block(ids, prompt)
    control: dict[int, int] = {}
    text: dict[int, int] = {}
    feature_at: list[int] = []
    previous = None
    for reply in replies:
        block = listening_block(ids, FEATURES, previous)
        first = len(tokens) + len(block) - 1 - FEATURES
        feature_at += range(first, first + FEATURES)
        tokens += block
        control[len(tokens) - 1] = int(reply is not None)
        previous = ids.silence
        if reply is not None:
            emotion, words = reply
            said = [ids.emotions[emotion], *words, ids.text_end]
            for offset, target in enumerate(said):
                text[len(tokens) + offset] = target
            tokens += [ids.respond, *said[:-1]]
            previous = ids.text_end
    labels = np.full((2, len(tokens)), IGNORE, np.int64)
    for row, targets in enumerate((control, text)):
        labels[row, list(targets)] = list(targets.values())
    return Sequenced(ids=np.array(tokens), feature_at=np.array(feature_at, np.int64),
                     control=labels[0], text=labels[1])
