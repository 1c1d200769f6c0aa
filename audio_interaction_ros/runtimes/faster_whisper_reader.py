"""
A Whisper model of any size as faster-whisper keeps it, read with CTranslate2.

Owns the folder and the ids of its tokens, which differ between sizes. Windows, words and doubts
are those of the reader in ONNX: a window is as long as the speech, what was agreed on is given.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import Any

import ctranslate2
import numpy as np

from audio_interaction_ros.audio.mel import whole_file_mel
from audio_interaction_ros.checkpoints.voice_activity import load_voice_activity
from audio_interaction_ros.errors import CheckpointError, ConfigurationError
from audio_interaction_ros.protocol import SAMPLE_RATE_HZ
from audio_interaction_ros.runtimes.base import (
    MOST_COMPRESSION,
    ReadWord,
    Recognition,
    VoiceListener,
    WindowReading,
)
from audio_interaction_ros.runtimes.circles import say_once
from audio_interaction_ros.runtimes.padded_reading import PaddedReading
from audio_interaction_ros.runtimes.second_pass import (
    AFTER_S,
    LEAST_LOG_PROB,
    LONGEST_TEXT,
    STYLE,
    WINDOW_S,
    compression_ratio,
    is_repeating,
)
from audio_interaction_ros.runtimes.spoken_part import (
    FindSpeech,
    cut_spoken_part,
    open_voice,
    shift_words,
)
from audio_interaction_ros.runtimes.whisper_words import find_doubt, most_tokens
from audio_interaction_ros.runtimes.word_making import ids_of, make_words, place_words, write_ids

__all__ = ['FasterWhisperReader', 'load']

_FILES = ('model.bin', 'config.json', 'tokenizer.json')
_MOST_BEFORE = 60


@dataclass(frozen=True)
class _Read:
    language: int
    ids: list[int]
    log_probs: list[float]
    starts: np.ndarray | None
    no_speech: float

    @property
    def log_prob(self) -> float:
        return float(np.mean(self.log_probs)) if self.log_probs else 0.0


class FasterWhisperReader(PaddedReading):
    """Whisper, greedy, on the last 30 s of what it is given."""

    def __init__(self, model: Any, tokenizer: Any, *, voice: FindSpeech | None = None,
                 language: str = '', task: str = 'transcribe',
                 hot_words: Sequence[str] = ()) -> None:
        """
        Take a ctranslate2.models.Whisper and its tokenizer (of the library tokenizers).

        ``hot_words`` stand before every text, as if they had just been said. ConfigurationError
        for a language that this model does not know.
        """
        self._model, self._tokenizer, self._voice = model, tokenizer, voice
        ids = {name: tokenizer.token_to_id(f'<|{name}|>') for name in (
            'startoftranscript', 'startofprev', 'notimestamps', 'translate', 'transcribe')}
        self._ids: dict[str, int] = ids
        first, last = ids['startoftranscript'] + 1, min(ids['translate'], ids['transcribe'])
        self._languages = {code: tokenizer.id_to_token(code).strip('<|>')
                           for code in range(first, last)}
        if language and language not in self._languages.values():
            raise ConfigurationError(
                f'transcript.language: expected one of {", ".join(self._languages.values())}, '
                f'which this model knows, found {language!r}; change it in the configuration')
        self._language, self._task = language, ids[task]
        self._hot = self._encode(f' {", ".join(hot_words)}.') if hot_words else []

    def open_voice(self) -> VoiceListener | None:
        """Return what hears when speech begins and ends; None where nobody can."""
        return open_voice(self._voice)

    def transcribe(self, samples: np.ndarray, languages: Collection[str] = ()) -> Recognition:
        """Return what was said; see runtimes.base.Transcriber."""
        part = cut_spoken_part(self._voice, samples, longest_s=WINDOW_S)
        if part is None:
            return Recognition(text='', language=self._language, no_speech=1.0)
        seconds = len(part.samples) / SAMPLE_RATE_HZ
        window_s = min(float(WINDOW_S), ceil(seconds + AFTER_S))
        heard = self._hear(part.samples, window_s)
        read = self._read(heard, languages, seconds, self._before(()), [], LONGEST_TEXT)
        if window_s < WINDOW_S and self._is_doubtful(read):
            heard = self._hear(part.samples, WINDOW_S)
            read = self._read(heard, languages, seconds, self._before(()), [], LONGEST_TEXT)
        (text, whole), name = write_ids(read.ids, self._decode), self._languages[read.language]
        words = place_words(make_words(read.ids, read.log_probs, self._decode), None, seconds,
                            starts=read.starts)
        return Recognition(
            text=text, language=name, no_speech=read.no_speech, mean_log_prob=read.log_prob,
            compression_ratio=compression_ratio(text), loops=is_repeating(read.ids),
            broken=not whole and len(read.ids) < LONGEST_TEXT, span_s=part.span_s,
            words=tuple(shift_words(words, part.start_s)),
            write_english=lambda: text if name == 'en' else self._translate(heard, read.language))

    def _read_padded(self, samples: np.ndarray, agreed: Sequence[ReadWord],
                     before: Sequence[ReadWord], language: str, pad_s: float, *,
                     once: bool = False) -> WindowReading:
        seconds = len(samples) / SAMPLE_RATE_HZ
        heard = self._hear(samples, min(WINDOW_S, ceil((seconds + pad_s) * 10) / 10))
        forced = ids_of(agreed)
        read = self._read(heard, (language,) if language else (), seconds, self._before(before),
                          forced, most_tokens(len(forced), seconds))
        words = make_words(read.ids[len(forced):], read.log_probs[len(forced):], self._decode,
                           agreed=agreed)
        broken = len(ids_of(words)) < len(read.ids)
        words = say_once(words, len(agreed)) if once else words
        words = place_words(words, None, seconds, kept=len(agreed), starts=read.starts)
        return WindowReading(words=tuple(words), language=self._languages[read.language],
                             doubt=find_doubt(words, seconds, broken=broken))

    def _hear(self, samples: np.ndarray, window_s: float) -> Any:
        padded = np.pad(samples, (0, max(0, round(window_s * SAMPLE_RATE_HZ) - len(samples))))
        mel = whole_file_mel(padded, self._model.n_mels)[None].astype(np.float32)
        return self._model.encode(ctranslate2.StorageView.from_array(np.ascontiguousarray(mel)))

    def _read(self, heard: Any, languages: Collection[str], seconds: float, before: list[int],
              forced: list[int], most: int) -> _Read:
        language = self._language_id(heard, languages)
        style = self._encode(STYLE[self._languages[language]]) if (
            self._languages[language] in STYLE and self._task == self._ids['transcribe']) else []
        shown = [*style, *before]
        start = [self._ids['startoftranscript'], language, self._task]
        prompt = [*([self._ids['startofprev'], *shown] if shown else []), *start,
                  self._ids['notimestamps'], *forced]
        made, = self._model.generate(heard, [prompt], beam_size=1, return_no_speech_prob=True,
                                     max_length=len(prompt) + most)
        ids = list(made.sequences_ids[0])
        if forced and ids[:len(forced)] != forced:
            ids = [*forced, *ids]
        log_probs, starts = self._align(heard, start, ids, seconds)
        return _Read(language, ids, log_probs, starts, float(made.no_speech_prob))

    def _align(self, heard: Any, start: list[int], ids: list[int],
               seconds: float) -> tuple[list[float], np.ndarray | None]:
        """Return the log-probability of each token, and in which frame it and the end begin."""
        frames = max(1, round(seconds * 50))
        if not ids or len(ids) > frames:
            return [0.0] * len(ids), None
        found, = self._model.align(heard, start, [ids], [2 * frames])
        starts = np.full(len(ids) + 1, frames, np.int64)
        for token, frame in reversed(found.alignments):
            if token < len(ids):
                starts[token] = frame
        probs = np.maximum(np.array(found.text_token_probs, np.float64), 1e-9)
        return [float(value) for value in np.log(probs)], np.minimum.accumulate(
            starts[::-1])[::-1]

    def _translate(self, heard: Any, language: int) -> str:
        made, = self._model.generate(heard, [[
            self._ids['startoftranscript'], language, self._ids['translate'],
            self._ids['notimestamps']]], beam_size=1, max_length=LONGEST_TEXT)
        ids = list(made.sequences_ids[0])
        return '' if is_repeating(ids) else write_ids(ids, self._decode)[0]

    def _language_id(self, heard: Any, languages: Collection[str]) -> int:
        code = {name: code for code, name in self._languages.items()}
        if self._language:
            return code[self._language]
        if not self._model.is_multilingual:
            return code['en']
        allowed = [name for name in languages if name in code] or list(code)
        if len(allowed) == 1:
            return code[allowed[0]]
        likeliest, = self._model.detect_language(heard)
        return next((code[name] for name in (token.strip('<|>') for token, _ in likeliest)
                     if name in allowed), code[allowed[0]])

    def _before(self, words: Sequence[ReadWord]) -> list[int]:
        return [*self._hot, *ids_of(words)[-_MOST_BEFORE:]]

    def _is_doubtful(self, read: _Read) -> bool:
        return (is_repeating(read.ids) or read.log_prob < LEAST_LOG_PROB
                or compression_ratio(self._decode(read.ids)) > MOST_COMPRESSION)

    def _encode(self, text: str) -> list[int]:
        ids: list[int] = self._tokenizer.encode(text, add_special_tokens=False).ids
        return ids

    def _decode(self, ids: list[int]) -> str:
        text: str = self._tokenizer.decode(ids)
        return text


def load(*, folder: str, threads: int | None = None, language: str = '', task: str = 'transcribe',
         find_speech: bool = True, hot_words: Sequence[str] = ()) -> FasterWhisperReader:
    """
    Bring the reader up on a folder, with weights in 8 bits; for registry.load_transcriber.

    CheckpointError for a wrong folder, ConfigurationError for a language that it does not know.
    """
    from tokenizers import Tokenizer

    path = Path(folder)
    missing = [name for name in _FILES if not (path / name).is_file()]
    if missing:
        raise CheckpointError(
            f'{folder}: expected {", ".join(_FILES)} of a faster-whisper model, found no '
            f'{", ".join(missing)}; correct transcript.reader, or convert a model with '
            'ct2-transformers-converter --copy_files tokenizer.json')
    try:
        tokenizer = Tokenizer.from_file(str(path / 'tokenizer.json'))
        model = ctranslate2.models.Whisper(folder, device='cpu', compute_type='int8',
                                           intra_threads=threads or 0)
    except Exception as error:  # both raise kinds of their own
        raise CheckpointError(f'{folder}: CTranslate2 cannot read it ({error}); fetch or convert '
                              'the model again') from error
    if tokenizer.token_to_id('<|startoftranscript|>') is None:
        raise CheckpointError(f'{folder}/tokenizer.json: expected the tokenizer of Whisper, found '
                              'another; copy it from the model that was converted')
    return FasterWhisperReader(
        model, tokenizer, voice=load_voice_activity() if find_speech else None, language=language,
        task=task, hot_words=hot_words)
