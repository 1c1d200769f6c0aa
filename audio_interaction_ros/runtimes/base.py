"""
What a backend must offer: an encoder for one chunk, a decoder for one step, a second reading.

Owns the vocabulary between streaming and backends. Knows numpy only; a backend brings its own
framework. Arrays that a backend returns are owned by the caller and never written again.
"""

import enum
import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np

from audio_interaction_ros.errors import ConfigurationError
from audio_interaction_ros.protocol import (
    MAGNITUDE_BINS,
    RELEASED_CHUNK,
    Block,
    ChunkSize,
    TokenIds,
)

__all__ = ['Allowed', 'ClosingReader', 'Decoder', 'DecoderSpec', 'Encoder', 'EncoderSpec',
           'Encoding', 'HALVES', 'NotLoaded', 'ReadWord', 'Recognition', 'Runtime', 'SoundHead',
           'StepRequest', 'StepResult', 'StreamReader', 'Tokenizer', 'Transcriber',
           'VoiceListener', 'WindowReader', 'WindowReading', 'WordStream']

HALVES = ('encoder', 'decoder')


@dataclass(frozen=True, kw_only=True)
class EncoderSpec:
    """Shapes and identity of an encoder."""

    model_id: str
    """Hash of the weights; a decoder accepts features of its own model only."""
    mel_bins: int
    features_per_chunk: int
    feature_width: int
    embedding_width: int = 0
    """Numbers of the embedding that sounds are told from; 0: the encoder makes none."""
    magnitudes: bool = False
    """The spectrogram of audio.magnitudes comes below the mel, for a tagger in the encoder."""
    mel_decay_per_s: float = 0.0
    """Decay of the running log-mel maximum, in log10 units per second; 0 = keep for ever."""
    mel_maximum_floor: float = -10.0
    """The running log-mel maximum never falls below this (log10 power)."""
    chunk_size: ChunkSize = RELEASED_CHUNK
    """Chunks that the model was trained with."""

    @property
    def mel_rows(self) -> int:
        """Rows of the mel of a chunk, magnitudes included."""
        return self.mel_bins + (MAGNITUDE_BINS if self.magnitudes else 0)


@dataclass(frozen=True, kw_only=True)
class Encoding:
    """What an encoder makes of one chunk."""

    features: np.ndarray
    """[features_per_chunk, feature_width] float32, for the decoder."""
    embedding: np.ndarray
    """[embedding_width] float32: what the newest two seconds sound like, for sound heads."""


@dataclass(frozen=True, kw_only=True)
class DecoderSpec:
    """Shapes and identity of a decoder."""

    model_id: str
    features_per_chunk: int
    feature_width: int
    vocab_size: int
    token_ids: TokenIds
    max_positions: int
    """Positions (cache slots) per lane that the model was trained for."""
    chunk_size: ChunkSize = RELEASED_CHUNK


class Allowed(enum.Enum):
    """Which ids a pass may choose from at the last position that is read."""

    CONTROLS = 'controls'
    """Nothing is chosen: only the two controls are scored, at every position that is read."""
    FIRST = 'first'
    """The first token of a reply: text, its end, or an emotion."""
    TEXT = 'text'
    """Text or its end."""


@dataclass(frozen=True, kw_only=True)
class StepRequest:
    """
    One lane's share of one forward pass.

    T positions are fed; their keys and values are written to cache slots that the caller chose.
    ``visible`` tells which slots written earlier may be attended to; the new positions see
    these and, causally, each other. With an empty ``read`` the pass only fills the cache.
    """

    lane: int
    ids: np.ndarray  # [T] int64
    slots: np.ndarray  # [T] int64, cache slots to write, all different
    positions: np.ndarray  # [T] int64, absolute RoPE positions
    visible: np.ndarray  # [S_max] bool, slots of earlier steps
    feature_index: np.ndarray  # [F] int64, where in 0..T-1 embeddings are overwritten; may be []
    features: np.ndarray  # [F, feature_width] float32
    read: np.ndarray  # [R] int64, which of 0..T-1 to score
    allowed: Allowed
    """What is chosen from at the last of ``read``."""

    @classmethod
    def of_block(cls, block: Block, *, lane: int, slots: np.ndarray, positions: np.ndarray,
                 visible: np.ndarray, features: np.ndarray, allowed: Allowed) -> 'StepRequest':
        """Return the request that feeds a block of the protocol."""
        return cls(lane=lane, ids=np.array(block.ids, np.int64), slots=slots,
                   positions=positions, visible=visible,
                   feature_index=np.array(block.feature_at, np.int64), features=features,
                   read=np.array(block.read_at, np.int64), allowed=allowed)


@dataclass(frozen=True, kw_only=True)
class StepResult:
    """What one lane gets back from one forward pass."""

    control_logits: np.ndarray  # [R, 2] float32: silence, respond
    token: int | None = None
    """The likeliest of the allowed ids; None where only the controls were asked for."""
    log_prob: float | None = None
    """Of the token, among the allowed ids; NaN where a score of any id is no finite number."""


class Encoder(Protocol):
    """Turns the mel of one chunk into features; state (left context) is its own."""

    spec: EncoderSpec

    def encode(self, mel: np.ndarray) -> Encoding:
        """Return what the mel [rows, frames] of the next chunk is, after those before."""
        ...

    def skip(self, mel: np.ndarray) -> None:
        """Take a chunk in as left context only, which costs next to nothing."""
        ...

    def reset(self) -> None:
        """Forget all left context, as at the start of a stream."""
        ...


class SoundHead(Protocol):
    """Tells sounds apart by the embeddings of the newest chunks; holds no state."""

    classes: tuple[str, ...]
    """Names of the sounds."""
    context: int
    """Chunks that it hears at once."""
    hidden_width: int
    """Numbers that it keeps of each of them."""

    def hear(self, embedding: np.ndarray) -> np.ndarray:
        """Return what is kept [hidden_width] float32 of an embedding [embedding_width]."""
        ...

    def score(self, heard: np.ndarray) -> np.ndarray:
        """
        Return the probability [classes] float32 that each sounds now.

        ``heard`` [context, hidden_width] is what was kept of the newest chunks, oldest first;
        zeros stand for chunks before a stream.
        """
        ...


class Decoder(Protocol):
    """One forward pass over several lanes; holds the key/value cache of each lane."""

    spec: DecoderSpec

    def open(self, *, lanes: int, slots: int) -> None:
        """Allocate the cache for a number of lanes with S_max slots each; drops older caches."""
        ...

    def step(self, requests: Sequence[StepRequest]) -> list[StepResult]:
        """
        Run one pass; results in the order of the requests, at most one per lane.

        A pass that raised may be run again with some of its requests: they write the same slots.
        """
        ...

    def forget(self, lane: int) -> None:
        """
        Make the cache of a lane as it was after open().

        What a lane no longer sees may still reach it where it is no number: 0 times NaN is NaN.
        """
        ...


class Tokenizer(Protocol):
    """Text to the ids of a model and back; from any thread."""

    def encode(self, text: str) -> list[int]:
        """Return the ids of a text, none of them structural."""
        ...

    def token_bytes(self, token: int) -> bytes:
        """Return the raw bytes that an id stands for; none for a structural one."""
        ...


class ChatTokenizer(Tokenizer, Protocol):
    """A tokenizer that also knows the marks of a chat."""

    @property
    def special_ids(self) -> Mapping[str, int]:
        """Ids that no text becomes, by how they are written."""
        ...


class TextNet(Protocol):
    """A language model over one text that it remembers."""

    slots: int
    """Positions that there are."""

    def feed(self, ids: Sequence[int], at: int) -> np.ndarray:
        """
        Take ids in at positions ``at``, ``at`` + 1, …; what stood there and behind is forgotten.

        Returns scores [vocab_size] float32 of what follows, the caller's. ValueError for no ids
        and for positions that there are not.
        """
        ...


@dataclass(frozen=True, kw_only=True)
class TextModel:
    """A text model, ready to write answers and translations."""

    name: str
    tokenizer: ChatTokenizer
    open_net: Callable[[], TextNet]
    """Returns a net with a memory of its own; weights are shared."""


class NotLoaded:
    """Stands where a half of a model was not asked for; any use says so."""

    def __init__(self, half: str) -> None:
        """Remember which half is missing."""
        self._half = half

    def __getattr__(self, name: str) -> Any:
        """Raise ConfigurationError."""
        raise ConfigurationError(f'expected the {self._half} of the model to be loaded, found '
                                 f'only the other half; ask load_runtime for both halves')


@dataclass(frozen=True, kw_only=True)
class Runtime:
    """The halves of a model, ready to run; NotLoaded for one that was not asked for."""

    encoder: Encoder
    decoder: Decoder
    tokenizer: Tokenizer
    """Comes with the decoder."""
    config: Any
    """What the model says of itself: a checkpoints.config.CheckpointConfig."""
    sounds: SoundHead | None = None
    """Comes with the encoder; None where the model tells no sounds apart."""


@dataclass(frozen=True, kw_only=True)
class ReadWord:
    """One word that was read, and where in the audio it is."""

    text: str
    """As it stands in the text, with the space before it, without the marks behind it."""
    mark: str = ''
    """Punctuation right behind it, which the words to come may still change."""
    start_s: float
    end_s: float
    """Seconds from the start of the audio that was read."""
    confidence: float = 1.0
    """Geometric mean of the probabilities of its tokens, 0 to 1."""
    ids: tuple[int, ...] = ()
    """What the reading model calls it; the marks behind it are ``mark_ids``."""
    mark_ids: tuple[int, ...] = ()

    @property
    def written(self) -> str:
        """Return the word and its marks."""
        return self.text + self.mark


@dataclass(frozen=True, kw_only=True)
class WindowReading:
    """What a model read in a window of speech that goes on."""

    words: tuple[ReadWord, ...]
    """They begin with those that were agreed on before."""
    language: str
    """ISO 639-1."""
    doubt: str = ''
    """Why it is not to be believed; empty if it is."""
    growing: int = 0
    """So many of the last words may still grow, as a name of which half was said."""


@dataclass(frozen=True, kw_only=True)
class Recognition:
    """What a model read in a piece of audio, and its own signs of how far to trust that."""

    text: str
    language: str
    """ISO 639-1; '' if unknown."""
    no_speech: float = 0.0
    """Probability that nobody speaks in it."""
    mean_log_prob: float = 0.0
    """Mean log-probability of the tokens of the text."""
    compression_ratio: float = 1.0
    """How many times smaller zlib makes the text."""
    span_s: tuple[float, float] | None = None
    """Where in the audio the speech is, in seconds; None where nobody looked or spoke."""
    write_english: Callable[[], str] | None = None
    """Makes the model write it in English, without listening again; None where it cannot."""
    words: tuple[ReadWord, ...] = ()
    """Those of the text with their places in the audio; none where the model tells no places."""

    @property
    def confidence(self) -> float:
        """How sure the model is of its words, 0 to 1."""
        return math.exp(self.mean_log_prob)


class Transcriber(Protocol):
    """A second pass: reads a finished utterance as a whole."""

    def transcribe(self, samples: np.ndarray, languages: Collection[str] = ()) -> Recognition:
        """
        Return what samples [n] float32 at 16 kHz say.

        ``languages`` (ISO 639-1): it is known to be one of these; empty: any.
        """
        ...


class VoiceListener(Protocol):
    """Hears in a stream how likely somebody speaks; holds its state."""

    step_s: float
    """Seconds that one probability stands for."""

    def push(self, samples: np.ndarray) -> np.ndarray:
        """Return the probabilities of the whole pieces in what came, samples [n] at 16 kHz."""
        ...

    def reset(self) -> None:
        """Forget what was heard."""
        ...


class WindowReader(Protocol):
    """Reads speech that goes on: the same window again and again as it grows."""

    def read_window(self, samples: np.ndarray, *, agreed: Sequence[ReadWord] = (),
                    before: Sequence[ReadWord] = (), language: str = '') -> WindowReading:
        """
        Return what samples [n] float32 at 16 kHz say so far, at most 30 s.

        The text begins with ``agreed``, whatever else the model would like; ``before`` was said
        before the window. ``language`` (ISO 639-1) is detected when empty.
        """
        ...

    def open_voice(self) -> VoiceListener | None:
        """Return what hears when speech begins and ends; None where nobody can."""
        ...


@runtime_checkable
class ClosingReader(Protocol):
    """Reads a window also as a second pass would, so that nothing is left to read at its end."""

    def read_closed(self, samples: np.ndarray, *, before: Sequence[ReadWord] = (),
                    language: str = '') -> WindowReading:
        """
        Return what samples [n] float32 at 16 kHz say, at most 30 s, if nobody speaks on.

        ``before`` was said before the window. ``language`` is detected when empty.
        """
        ...


class WordStream(Protocol):
    """One utterance to a reader that hears each sample once."""

    over: bool
    """True once the reader takes the utterance to be over; one that never tells: False."""

    def push(self, samples: np.ndarray) -> None:
        """Hear samples [n] float32 at 16 kHz that follow those before."""
        ...

    def read(self, agreed: Sequence[ReadWord] = ()) -> WindowReading:
        """Return what was said so far; it begins with ``agreed``, whatever was read since."""
        ...


@runtime_checkable
class StreamReader(Protocol):
    """Reads speech as it comes: instead of a WindowReader, for models that are made for that."""

    def open_stream(self) -> WordStream:
        """Begin an utterance."""
        ...

    def open_voice(self) -> VoiceListener | None:
        """Return what hears when speech begins and ends; None where nobody can."""
        ...
