"""
A streaming recogniser of sherpa-onnx as reader of words.

Owns how its tokens become words with places, and that what was agreed on stays. Which model it is
(zipformer, Nemotron, Parakeet, Paraformer, …) the folder says that the user brings. Each sample is
heard once, so words are shown with every chunk.
"""

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from audio_interaction_ros.checkpoints.voice_activity import load_voice_activity
from audio_interaction_ros.errors import ConfigurationError, MissingDependencyError
from audio_interaction_ros.protocol import SAMPLE_RATE_HZ
from audio_interaction_ros.reading import has_no_spaces
from audio_interaction_ros.runtimes import sherpa_model
from audio_interaction_ros.runtimes.base import (
    ReadWord,
    Recognition,
    VoiceListener,
    WindowReading,
)
from audio_interaction_ros.runtimes.second_pass import compression_ratio
from audio_interaction_ros.runtimes.spoken_part import (
    FindSpeech,
    cut_spoken_part,
    open_voice,
    shift_words,
)

__all__ = ['SherpaReader', 'load', 'make_stream_words']

_LONGEST_S = 30.0
_TAIL_S = 0.8
"""Silence behind finished speech, so that what the model still holds back comes out."""
_LAST_TOKEN_S = 0.24
"""A word ends so long after its last token began, if the next one has not begun before."""
_OVER = ('<eou>', '<|eou|>', '<eob>')
"""Tokens with which a model says that the utterance is over, in small letters."""


@dataclass
class _Piece:
    text: str
    starts: list[float] = field(default_factory=list)
    log_probs: list[float] = field(default_factory=list)


def make_stream_words(tokens: Sequence[str], starts: Sequence[float],
                      log_probs: Sequence[float], *, lower: bool = False) -> list[ReadWord]:
    """
    Return the words of a recogniser's tokens, each with where it was heard.

    A token with a space or ▁ before it begins a word, as does each Chinese character; one with @@
    behind it goes on. ``log_probs`` may be empty: then nobody says how sure a word is.
    """
    pieces: list[_Piece] = []
    spaced = any(token[:1] in (' ', '▁') for token in tokens)
    goes_on = False
    for place, token in enumerate(tokens):
        if token.startswith('<') and token.endswith('>'):
            continue
        text = token.replace('▁', ' ').removesuffix('@@')
        bare = text.strip()
        begins = (not pieces or text.startswith(' ') or has_no_spaces(bare)
                  or has_no_spaces(pieces[-1].text.strip()) or not spaced and not goes_on)
        if begins:
            space = '' if has_no_spaces(bare) or not pieces and not text.startswith(' ') else ' '
            pieces.append(_Piece(space + text.lstrip()))
        else:
            pieces[-1].text += text
        goes_on = token.endswith('@@')
        pieces[-1].starts.append(float(starts[place]) if place < len(starts) else 0.0)
        pieces[-1].log_probs += log_probs[place:place + 1]
    pieces = [piece for piece in pieces if piece.text.strip()]
    nexts = [piece.starts[0] for piece in pieces[1:]] + [math.inf]
    return [ReadWord(text=piece.text.lower() if lower else piece.text, start_s=piece.starts[0],
                     end_s=min(after, piece.starts[-1] + _LAST_TOKEN_S),
                     confidence=math.exp(min(0.0, sum(piece.log_probs) / max(
                         1, len(piece.log_probs)))))
            for piece, after in zip(pieces, nexts, strict=False)]


class SherpaReader:
    """Reads with a recogniser of sherpa-onnx; both speech that goes on and finished speech."""

    def __init__(self, recogniser: Any, *, voice: FindSpeech | None = None, language: str = '',
                 hot_words: Sequence[str] = (), capitals: bool = False) -> None:
        """
        Take a recogniser; ``voice`` hears where somebody speaks.

        ``language`` is what the model reads, for it does not say. ``hot_words`` are preferred
        where the recogniser was opened for that. What writes ``capitals`` only is shown in small
        letters.
        """
        self._recogniser, self._voice, self._language = recogniser, voice, language
        self._capitals = capitals
        self._hot_words = '/'.join(word.upper() if capitals else word for word in hot_words)

    def open_voice(self) -> VoiceListener | None:
        """Return what hears when speech begins and ends; None where nobody can."""
        return open_voice(self._voice)

    def open_stream(self) -> 'SherpaWords':
        """Begin an utterance."""
        return SherpaWords(self._recogniser, self._open(), self._language, self._capitals)

    def _open(self) -> Any:
        return (self._recogniser.create_stream(self._hot_words) if self._hot_words
                else self._recogniser.create_stream())

    def transcribe(self, samples: np.ndarray, languages: Collection[str] = ()) -> Recognition:
        """Return what was said; see runtimes.base.Transcriber. The language is the model's."""
        part = cut_spoken_part(self._voice, samples, longest_s=_LONGEST_S)
        if part is None:
            return Recognition(text='', language=self._language, no_speech=1.0)
        stream = self.open_stream()
        stream.push(part.samples)
        stream.push(np.zeros(round(_TAIL_S * SAMPLE_RATE_HZ), np.float32))
        words = stream.finish()
        text = ''.join(word.written for word in words).strip()
        return Recognition(
            text=text, language=self._language, span_s=part.span_s,
            mean_log_prob=float(np.mean([math.log(max(word.confidence, 1e-9))
                                         for word in words])) if words else 0.0,
            compression_ratio=compression_ratio(text),
            words=tuple(shift_words(words, part.start_s)))


class SherpaWords:
    """One utterance; a runtimes.base.WordStream."""

    def __init__(self, recogniser: Any, stream: Any, language: str, lower: bool) -> None:
        """Take a stream of a recogniser that has heard nothing yet."""
        self._recogniser, self._stream = recogniser, stream
        self._language, self._lower = language, lower
        self.over = False
        """True once the model, or silence as sherpa-onnx counts it, ended the utterance."""

    def push(self, samples: np.ndarray) -> None:
        """Hear samples [n] float32 at 16 kHz that follow those before."""
        self._stream.accept_waveform(SAMPLE_RATE_HZ, np.asarray(samples, np.float32))
        self._decode()

    def read(self, agreed: Sequence[ReadWord] = ()) -> WindowReading:
        """Return what was said so far; the last word may still grow."""
        words = self._words()
        return WindowReading(words=(*agreed, *words[len(agreed):]), language=self._language,
                             growing=0 if self.over else 1)

    def finish(self) -> list[ReadWord]:
        """Return all words; nothing more may be pushed."""
        self._stream.input_finished()
        self._decode()
        return self._words()

    def _decode(self) -> None:
        while self._recogniser.is_ready(self._stream):
            self._recogniser.decode_stream(self._stream)
        self.over = self.over or bool(self._recogniser.is_endpoint(self._stream))

    def _words(self) -> list[ReadWord]:
        read = self._recogniser.get_result_all(self._stream)
        self.over = self.over or any(token.strip().lower() in _OVER for token in read.tokens)
        return make_stream_words(read.tokens, read.timestamps, list(read.ys_probs),
                                 lower=self._lower)


def load(*, folder: str, threads: int | None = None, language: str = '', task: str = 'transcribe',
         find_speech: bool = True, hot_words: Sequence[str] = ()) -> SherpaReader:
    """
    Bring the reader up on a folder; for registry.load_transcriber.

    CheckpointError for a wrong folder, ConfigurationError for hot words or a task that the model
    does not know, MissingDependencyError where sherpa-onnx is not installed or cannot be loaded.
    """
    if task != 'transcribe':
        raise ConfigurationError(f'task: sherpa-onnx can only transcribe, found {task!r}; let '
                                 'Whisper read or set translation.to_english to model')
    try:
        import sherpa_onnx  # noqa: F401 - says now what is missing
    except ModuleNotFoundError:
        raise
    except ImportError as error:
        raise MissingDependencyError(f'sherpa-onnx is installed but its library is not ({error}); '
                                     'run: pip install -r requirements/readers.txt') from error
    found = sherpa_model.read_folder(folder)
    sherpa_model.try_out(found)
    recogniser = sherpa_model.open_recogniser(found, threads=threads or 1,
                                              hot_words=bool(hot_words))
    return SherpaReader(recogniser, voice=load_voice_activity() if find_speech else None,
                        language=language, hot_words=hot_words, capitals=found.capitals)
