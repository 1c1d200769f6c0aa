"""
A runtime without a model: replies come from a script, for tests, demos and soaks.

Its vocabulary is the 256 bytes followed by the structural ids.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from audio_interaction_ros.protocol import RELEASED_CHUNK, ChunkSize, Emotion, TokenIds
from audio_interaction_ros.runtimes.base import (
    Allowed,
    DecoderSpec,
    EncoderSpec,
    Encoding,
    StepRequest,
    StepResult,
)
from audio_interaction_ros.runtimes.choice import choose, suppressed_ids

__all__ = ['SCRIPTED_TOKEN_IDS', 'ScriptedDecoder', 'ScriptedEncoder', 'ScriptedSounds',
           'ScriptedTokenizer']

SCRIPTED_TOKEN_IDS = TokenIds(
    user=256, assistant=257, silence=258, respond=259, text_end=260, pad=261, online=262,
    offline=263, language=264, system=259, audio_pad=265, audio_begin=266, audio_end=267,
    emotions=(268, 269, 270, 271, 272, 273))
_VOCAB_SIZE = 274
_FEATURES, _WIDTH = 2, 4


class ScriptedEncoder:
    """
    Features that hold the mean and maximum of the chunk's mel.

    ``sounds`` maps the number of a chunk in the encoder's life, from 0, to {sound: score}; the
    embedding holds the scores of that chunk, which ScriptedSounds gives back.
    """

    def __init__(self, *, model_id: str = 'scripted', mel_bins: int = 80,
                 chunk_size: ChunkSize = RELEASED_CHUNK,
                 sounds: Mapping[int, Mapping[str, float]] | None = None) -> None:
        self.head = ScriptedSounds(sounds) if sounds else None
        self.spec = EncoderSpec(model_id=model_id, mel_bins=mel_bins,
                                features_per_chunk=_FEATURES, feature_width=_WIDTH,
                                embedding_width=self.head.hidden_width if self.head else 0,
                                chunk_size=chunk_size)
        self._sounds, self._encoded = sounds or {}, 0

    def encode(self, mel: np.ndarray) -> Encoding:
        """Return features [2, 4] of mel [bins, frames], and an embedding."""
        values = (mel.mean(), mel.max(), mel.min(), mel.std())
        scores = self._sounds.get(self._encoded, {})
        self._encoded += 1
        return Encoding(
            features=np.tile(np.array(values, dtype=np.float32), (_FEATURES, 1)),
            embedding=np.array([scores.get(name, 0.0) for name in (
                self.head.classes if self.head else ())], np.float32))

    def skip(self, mel: np.ndarray) -> None:
        """Count the chunk."""
        self._encoded += 1

    def reset(self) -> None:
        """Do nothing: there is no left context."""


class ScriptedSounds:
    """A sound head that hears in an embedding just what the script said."""

    context = 1

    def __init__(self, sounds: Mapping[int, Mapping[str, float]]) -> None:
        self.classes = tuple(sorted({name for scores in sounds.values() for name in scores}))
        self.hidden_width = len(self.classes)

    def hear(self, embedding: np.ndarray) -> np.ndarray:
        """Return the embedding."""
        return embedding

    def score(self, heard: np.ndarray) -> np.ndarray:
        """Return the newest of embeddings [1, classes]."""
        newest: np.ndarray = heard[-1]
        return newest


class ScriptedDecoder:
    """
    Says what a script tells it, on the chunk that the script names.

    ``script`` maps a lane's index to {number of the chunk in the lane's life, from 0: (emotion,
    text)}; all other chunks are answered by silence. ``translations`` maps a source to what is
    said to it as text; to other texts nothing is said.
    """

    def __init__(self, *, script: Mapping[int, Mapping[int, tuple[Emotion, str]]],
                 model_id: str = 'scripted', max_positions: int = 256,
                 chunk_size: ChunkSize = RELEASED_CHUNK,
                 translations: Mapping[str, str] | None = None) -> None:
        self.spec = DecoderSpec(
            model_id=model_id, features_per_chunk=_FEATURES, feature_width=_WIDTH,
            vocab_size=_VOCAB_SIZE, token_ids=SCRIPTED_TOKEN_IDS, max_positions=max_positions,
            chunk_size=chunk_size)
        self._script, self._translations = script, translations or {}
        self._suppressed = suppressed_ids(SCRIPTED_TOKEN_IDS)
        self.requests: list[StepRequest] = []
        """The requests of the newest pass, to look at."""

    def open(self, *, lanes: int, slots: int) -> None:
        """Start all lanes anew."""
        self._heard = [0] * lanes
        self._cued: list[tuple[Emotion, str]] = [(Emotion.NORMAL, '')] * lanes
        self._says: list[list[int]] = [[] for _ in range(lanes)]
        self._slots = slots

    def forget(self, lane: int) -> None:
        """Do nothing: there is no cache."""

    def step(self, requests: Sequence[StepRequest]) -> list[StepResult]:
        """Answer each request from the script."""
        self.requests = list(requests)
        return [self._answer_request(request) for request in requests]

    def _answer_request(self, request: StepRequest) -> StepResult:
        assert request.visible.shape == (self._slots,), 'visible must cover every slot'
        assert not request.visible[request.slots].any() or not len(request.read), \
            'a slot in sight is overwritten'
        if request.allowed is not Allowed.CONTROLS:
            token, log_prob = choose(self._speak(request), self._suppressed[request.allowed])
            return StepResult(control_logits=np.zeros((len(request.read), 2), np.float32),
                              token=token, log_prob=log_prob)
        logits = np.array([self._decide(request, at) for at in request.read], np.float32)
        self._heard[request.lane] += len(request.feature_index) // _FEATURES
        return StepResult(control_logits=logits.reshape(-1, 2))

    def _decide(self, request: StepRequest, at: int) -> tuple[float, float]:
        chunks = int(np.count_nonzero(request.feature_index < at)) // _FEATURES
        cue = self._script.get(request.lane, {}).get(self._heard[request.lane] + chunks - 1)
        if cue is None:
            return 5.0, -5.0
        self._cued[request.lane] = cue
        return -5.0, 5.0

    def _speak(self, request: StepRequest) -> np.ndarray:
        # Scores of the vocabulary.
        ids = self.spec.token_ids
        if request.ids[0] == ids.offline:
            text = self._translations.get(self._source(request.ids.tolist()), '')
            self._says[request.lane] = [*text.encode(), ids.text_end]
        elif request.ids[-1] == ids.respond:
            emotion, text = self._cued[request.lane]
            self._says[request.lane] = [ids.emotions[emotion], *text.encode(), ids.text_end]
        logits = np.full(_VOCAB_SIZE, -5.0, np.float32)
        logits[self._says[request.lane].pop(0)] = 5.0
        return logits

    def _source(self, block: list[int]) -> str:
        """Return the text between USER and its end."""
        said = block[block.index(self.spec.token_ids.user) + 2:]
        return bytes(said[:said.index(self.spec.token_ids.text_end)]).decode()


class ScriptedTokenizer:
    """Bytes for ids."""

    def encode(self, text: str) -> list[int]:
        """Return the bytes of a text."""
        return list(text.encode())

    def token_bytes(self, token: int) -> bytes:
        """Return one byte, none for a structural id."""
        return bytes([token]) if token < 256 else b''
