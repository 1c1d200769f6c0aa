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

from audio_interaction_ros.errors import ConfigurationError

__all__ = [
    'Block',
    'CHUNK_NS',
    'CHUNK_S',
    'CHUNK_SAMPLES',
    'ChunkSize',
    'Emotion',
    'MAGNITUDE_BINS',
    'MEL_FRAMES_PER_CHUNK',
    'MEL_HOP_SAMPLES',
    'NO_MAGNITUDE',
    'RELEASED_CHUNK',
    'RELEASED_TOKEN_IDS',
    'SAMPLE_RATE_HZ',
    'TRANSLATION_TARGETS',
    'TokenIds',
    'audio_block',
    'listening_block',
    'offline_block',
    'prefix_block',
    'reply_block',
    'task_block',
    'text_block',
    'user_block',
]

SAMPLE_RATE_HZ = 16_000
MEL_HOP_SAMPLES = 160  # 10 ms
_PART_FRAMES = 20


@dataclass(frozen=True)
class ChunkSize:
    """
    How much audio is one chunk: a model hears chunks of the size that it was trained with.

    Raises ConfigurationError for what is no whole number of tenths of a second from 0.1 to 2 s:
    an encoder frame is 20 ms, and what tells quiet apart looks at tenths.
    """

    frames: int = 40
    """Mel frames, of 10 ms each."""

    def __post_init__(self) -> None:
        if self.frames % 10 or not 10 <= self.frames <= 200:
            raise ConfigurationError(
                f'chunks: expected 0.1 to 2 s in whole tenths of a second, got '
                f'{self.frames / 100:g} s; choose another size of chunk')

    @classmethod
    def of_seconds(cls, seconds: float) -> 'ChunkSize':
        """Return the size of chunks that last so long."""
        frames = round(seconds * 100) if math.isfinite(seconds) else 0
        if abs(frames - seconds * 100) > 1e-6:
            frames = 0
        if not frames:
            raise ConfigurationError(
                f'chunks: expected 0.1 to 2 s in whole tenths of a second, got {seconds:g} s; '
                'choose another size of chunk')
        return cls(frames)

    @property
    def samples(self) -> int:
        """Samples at 16 kHz."""
        return self.frames * MEL_HOP_SAMPLES

    @property
    def ns(self) -> int:
        """Nanoseconds."""
        return self.frames * 10_000_000

    @property
    def s(self) -> float:
        """Seconds."""
        return self.frames / 100

    @property
    def per_s(self) -> float:
        """Chunks in a second."""
        return 100 / self.frames

    @property
    def part(self) -> 'ChunkSize':
        """What is heard for words before a chunk is whole: 0.2 s, or 0.1 s where that fits."""
        return ChunkSize(math.gcd(self.frames, _PART_FRAMES))


RELEASED_CHUNK = ChunkSize()
"""Of the released model, and of the shipped one: the sizes below are those of its chunk."""
CHUNK_SAMPLES = RELEASED_CHUNK.samples
CHUNK_NS = RELEASED_CHUNK.ns
CHUNK_S = RELEASED_CHUNK.s
MEL_FRAMES_PER_CHUNK = RELEASED_CHUNK.frames
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


TRANSLATION_TARGETS = {'en': 'zh', 'zh': 'en'}
"""Language of a text -> language that it is translated to (ISO 639-1)."""


@dataclass(frozen=True, kw_only=True)
class Block:
    """Ids that are fed in one pass, and what their positions are for."""

    ids: tuple[int, ...]
    feature_at: tuple[int, ...] = ()
    """Where features overwrite embeddings."""
    read_at: tuple[int, ...] = ()
    """Where the model is asked for what comes next."""


def prefix_block(ids: TokenIds, prompt: Sequence[int]) -> Block:
    """Return the block that opens an online session with an encoded system prompt."""
    return Block(ids=(ids.online, *_system(ids, prompt)))


def offline_block(ids: TokenIds, prompt: Sequence[int]) -> Block:
    """Return the block that opens an offline task with an encoded system prompt."""
    return Block(ids=(ids.offline, *_system(ids, prompt)))


def _system(ids: TokenIds, prompt: Sequence[int]) -> tuple[int, ...]:
    return (ids.language, ids.system, ids.respond, *prompt, ids.text_end)


def audio_block(ids: TokenIds, features: int) -> Block:
    """Return the block of a whole recording, of an offline task."""
    return Block(ids=(ids.audio_begin, *[ids.audio_pad] * features, ids.audio_end),
                 feature_at=tuple(range(1, 1 + features)))


def user_block(ids: TokenIds, text: Sequence[int]) -> Block:
    """Return the block of what a user said, encoded."""
    return Block(ids=(ids.user, ids.respond, *text, ids.text_end))


def text_block(ids: TokenIds, prompt: Sequence[int], source: Sequence[int]) -> Block:
    """
    Return the block that stands before a reply to text: the offline text task of training.

    Encoded system prompt and text of the user; RESPOND is the last id, for nothing is decided.
    """
    return task_block(ids, prompt, source=source)


def task_block(ids: TokenIds, prompt: Sequence[int], *, features: int = 0,
               source: Sequence[int] = (),
               history: Sequence[tuple[Sequence[int], Sequence[int]]] = ()) -> Block:
    """
    Return the block that stands before the reply of an offline task (A_T_T, A_T, T_T).

    Encoded system prompt, what was asked before with its answers (``history``), a recording of so
    many features (0: none) and the encoded text of a user (empty: none). RESPOND is the last id,
    and is read: nothing is decided.
    """
    fed, feature_at = [*offline_block(ids, prompt).ids], list[int]()
    for asked, answered in history:
        fed += [*user_block(ids, asked).ids, ids.assistant, ids.respond, *answered, ids.text_end]
    if features:
        audio = audio_block(ids, features)
        feature_at = [len(fed) + place for place in audio.feature_at]
        fed.extend(audio.ids)
    if source:
        fed.extend(user_block(ids, source).ids)
    fed.extend((ids.assistant, ids.respond))
    return Block(ids=tuple(fed), feature_at=tuple(feature_at), read_at=(len(fed) - 1,))


def reply_block(tokens: Sequence[int]) -> Block:
    """Return the block that continues a reply: what was said last, which the next follows."""
    return Block(ids=tuple(tokens), read_at=(len(tokens) - 1,))


def listening_block(ids: TokenIds, features_per_chunk: int, before: Sequence[int] = (), *,
                    chunks: int = 1, silence_between: bool = True) -> Block:
    """
    Return the block of one listening step: what came last, then the chunks that wait.

    ``before`` is the last decision, or the end of a reply, which enters the context only now;
    empty right after a prefix. Every ASSISTANT is read; where another chunk follows, a
    decision for silence stands between them, unless ``silence_between`` is off.
    """
    fed, feature_at, read_at = [*before], list[int](), list[int]()
    for chunk in range(chunks):
        if chunk and silence_between:
            fed.append(ids.silence)
        feature_at.extend(range(len(fed) + 1, len(fed) + 1 + features_per_chunk))
        fed.extend((ids.audio_begin, *[ids.pad] * features_per_chunk, ids.assistant))
        read_at.append(len(fed) - 1)
    return Block(ids=tuple(fed), feature_at=tuple(feature_at), read_at=tuple(read_at))
