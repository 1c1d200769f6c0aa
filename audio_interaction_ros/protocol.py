"""
Token ids, block layout, emotions and stream constants: the only home of these facts.

A session is a prefix followed by chunks. Each chunk is ``AUDIO_BEGIN``, one slot per audio
feature, ``ASSISTANT`` and then exactly one decision: silence, or a reply that runs from
``RESPOND`` to ``TEXT_END`` (arXiv 2606.05121; ids as in the released checkpoint).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

__all__ = [
    'CHUNK_NS',
    'CHUNK_SAMPLES',
    'Emotion',
    'MAGNITUDE_BINS',
    'MEL_FRAMES_PER_CHUNK',
    'MEL_HOP_SAMPLES',
    'NO_MAGNITUDE',
    'RELEASED_TOKEN_IDS',
    'SAMPLE_RATE_HZ',
    'TokenIds',
    'listening_block',
    'prefix_block',
    'text_block',
]

SAMPLE_RATE_HZ = 16_000
CHUNK_SAMPLES = 6_400  # 400 ms
CHUNK_NS = 400_000_000
MEL_HOP_SAMPLES = 160  # 10 ms
MEL_FRAMES_PER_CHUNK = CHUNK_SAMPLES // MEL_HOP_SAMPLES  # 40
MAGNITUDE_BINS = 64  # rows below the mel, of audio.magnitudes
NO_MAGNITUDE = math.log(0.001)  # what digital silence is in them


class Emotion(IntEnum):
    """Tone of a reply; the values are those of the Reply message."""

    NORMAL = 0
    HAPPY = 1
    SAD = 2
    ANGRY = 3
    SURPRISE = 4
    URGENT = 5


@dataclass(frozen=True, kw_only=True)
class TokenIds:
    """Ids of the structural tokens in one model's vocabulary."""

    user: int
    assistant: int
    silence: int
    respond: int
    """Opens every text block; as a decision it starts a reply (TEXT_BEGIN of the release)."""
    text_end: int
    pad: int
    """Online audio slot; its embedding is overwritten by a feature."""
    online: int
    offline: int
    language: int
    system: int
    audio_pad: int
    audio_begin: int
    audio_end: int
    emotions: tuple[int, int, int, int, int, int]
    """One id per Emotion, in the order of the enum."""

    @property
    def structural(self) -> frozenset[int]:
        """Every id that must never be printed nor come out of user text."""
        return frozenset((
            self.user, self.assistant, self.silence, self.respond, self.text_end, self.pad,
            self.online, self.offline, self.language, self.system, self.audio_pad,
            self.audio_begin, self.audio_end, *self.emotions))

    @property
    def suppressed(self) -> frozenset[int]:
        """Every id that is never chosen while text is written: all of them but its end."""
        return self.structural - {self.text_end}

    def emotion_of(self, token: int) -> Emotion | None:
        """Return the emotion that a token stands for, None for any other token."""
        return Emotion(self.emotions.index(token)) if token in self.emotions else None


RELEASED_TOKEN_IDS = TokenIds(
    user=151601, assistant=151602, silence=151605, respond=151644, text_end=151643, pad=151608,
    online=151609, offline=151610, language=151611, system=151644, audio_pad=151646,
    audio_begin=151647, audio_end=151648,
    emotions=(151618, 151614, 151615, 151616, 151617, 151619))


def prefix_block(ids: TokenIds, prompt: Sequence[int]) -> list[int]:
    """Return the ids that open an online session with an encoded system prompt."""
    return [ids.online, ids.language, ids.system, ids.respond, *prompt, ids.text_end]


def text_block(ids: TokenIds, prompt: Sequence[int], source: Sequence[int]) -> list[int]:
    """
    Return the ids that stand before a reply to text: the offline text task of training.

    Encoded system prompt and text of the user; RESPOND is the last id, for nothing is decided.
    """
    return [ids.offline, *prefix_block(ids, prompt)[1:], ids.user, ids.respond, *source,
            ids.text_end, ids.assistant, ids.respond]


def listening_block(ids: TokenIds, features_per_chunk: int, previous: int | None) -> list[int]:
    """
    Return the ids of one listening step.

    ``previous`` is the last decision or end token, which enters the context only now; None
    right after a prefix. The block has ``features_per_chunk`` + 2 ids, or + 3 with previous.
    """
    block = [ids.audio_begin, *[ids.pad] * features_per_chunk, ids.assistant]
    return block if previous is None else [previous, *block]
