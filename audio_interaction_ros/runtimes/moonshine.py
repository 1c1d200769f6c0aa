"""
Moonshine, a small reader of English made for short pieces of speech, on ONNX Runtime.

Owns the cache of its decoder and its tokens. The encoder takes samples as they are, so a reading
costs as much as the speech is long. It gives words no places; they are estimated from letters.
"""

import re
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from audio_interaction_ros.checkpoints.voice_activity import load_voice_activity
from audio_interaction_ros.errors import CheckpointError, ConfigurationError
from audio_interaction_ros.protocol import SAMPLE_RATE_HZ
from audio_interaction_ros.runtimes.base import (
    ReadWord,
    Recognition,
    VoiceListener,
    WindowReading,
)
from audio_interaction_ros.runtimes.circles import say_once
from audio_interaction_ros.runtimes.onnx_session import open_session
from audio_interaction_ros.runtimes.second_pass import (
    compression_ratio,
    is_repeating,
    log_probability,
)
from audio_interaction_ros.runtimes.spoken_part import (
    FindSpeech,
    cut_spoken_part,
    open_voice,
    shift_words,
)
from audio_interaction_ros.runtimes.whisper_words import find_doubt, most_tokens
from audio_interaction_ros.runtimes.word_making import ids_of, make_words, place_words, write_ids

__all__ = ['MoonshineReader', 'load']

_START, _END = 1, 2
_LONGEST_S = 30.0
_LEAST_S = 0.2
"""Shorter pieces are lengthened with silence, for the encoder cannot take them."""
_FILES = ('encoder_model.onnx', 'decoder_model_merged.onnx', 'tokenizer.json')
_BYTE = re.compile('<0x([0-9A-F]{2})>')


class MoonshineReader:
    """Reads English; both speech that goes on and finished speech."""

    def __init__(self, encoder: Any, decoder: Any, tokenizer: Any, *,
                 voice: FindSpeech | None = None) -> None:
        """Take sessions of both graphs and the tokenizer (of the library tokenizers)."""
        self._encoder, self._decoder, self._tokenizer = encoder, decoder, tokenizer
        self._voice = voice
        self._masked = 'attention_mask' in {value.name for value in encoder.get_inputs()}
        self._caches = [value for value in decoder.get_inputs()
                        if value.name.startswith('past_key_values')]
        self._outputs = ['logits', *(value.name.replace('past_key_values', 'present')
                                     for value in self._caches)]

    def open_voice(self) -> VoiceListener | None:
        """Return what hears when speech begins and ends; None where nobody can."""
        return open_voice(self._voice)

    def transcribe(self, samples: np.ndarray, languages: Collection[str] = ()) -> Recognition:
        """Return what was said; see runtimes.base.Transcriber. The language is English."""
        part = cut_spoken_part(self._voice, samples, longest_s=_LONGEST_S)
        if part is None:
            return Recognition(text='', language='en', no_speech=1.0)
        seconds = len(part.samples) / SAMPLE_RATE_HZ
        ids, log_probs = self._read(part.samples, [], seconds)
        words = place_words(make_words(ids, log_probs, self._decode), None, seconds)
        text, whole = write_ids(ids, self._decode)
        return Recognition(
            text=text, language='en', span_s=part.span_s,
            mean_log_prob=sum(log_probs) / max(1, len(log_probs)),
            compression_ratio=compression_ratio(text), loops=is_repeating(ids),
            broken=not whole,
            words=tuple(shift_words(words, part.start_s)),
            write_english=lambda: text)

    def read_window(self, samples: np.ndarray, *, agreed: Sequence[ReadWord] = (),
                    before: Sequence[ReadWord] = (), language: str = '') -> WindowReading:
        """Return what a window says so far; see runtimes.base.WindowReader."""
        seconds = len(samples) / SAMPLE_RATE_HZ
        forced = ids_of(agreed)
        ids, log_probs = self._read(samples, forced, seconds)
        words = make_words(ids[len(forced):], log_probs[len(forced):], self._decode,
                           agreed=agreed)
        broken = len(ids_of(words)) < len(ids)
        words = place_words(say_once(words, len(agreed)), None, seconds, kept=len(agreed))
        return WindowReading(words=tuple(words), language='en',
                             doubt=find_doubt(words, seconds, broken=broken))

    def _read(self, samples: np.ndarray, forced: list[int],
              seconds: float) -> tuple[list[int], list[float]]:
        """Return the ids of the text, which begins with some, and their log-probabilities."""
        step = self._begin(samples)
        scores = step([_START, *forced])
        ids, log_probs = list(forced), [0.0] * len(forced)
        most = most_tokens(len(forced), seconds)
        while len(ids) < most and not is_repeating(ids):
            best = int(scores.argmax())
            if best == _END:
                break
            ids.append(best)
            log_probs.append(log_probability(scores, best))
            scores = step([best])
        return ids, log_probs

    def _begin(self, samples: np.ndarray) -> Callable[[Sequence[int]], np.ndarray]:
        """Begin a text; each call appends ids and returns scores [vocabulary] of what follows."""
        lacking = max(0, round(_LEAST_S * SAMPLE_RATE_HZ) - len(samples))
        heard = np.pad(np.asarray(samples, np.float32), (0, lacking))[None]
        inputs = {'input_values': heard}
        if self._masked:
            inputs['attention_mask'] = np.ones(heard.shape, np.int64)
        frames = self._encoder.run(None, inputs)[0]
        cache = {value.name: np.zeros([0, value.shape[1], 1, value.shape[3]], np.float32)
                 for value in self._caches}
        began = False

        def append(ids: Sequence[int]) -> np.ndarray:
            nonlocal began
            logits, *present = self._decoder.run(self._outputs, {
                'input_ids': np.array([ids], np.int64), 'encoder_hidden_states': frames,
                'use_cache_branch': np.array([began]), **cache})
            for value, new in zip(self._caches, present, strict=True):
                # Of the encoder's frames keys and values are made once, with the first ids.
                if not began or '.decoder.' in value.name:
                    cache[value.name] = new
            began = True
            scores: np.ndarray = logits[0, -1]
            return scores
        return append

    def _decode(self, ids: Sequence[int]) -> str:
        """Return the text of ids, with the space before its first word."""
        raw = b''
        for code in ids:
            piece = self._tokenizer.id_to_token(code) or ''
            byte = _BYTE.fullmatch(piece)
            raw += bytes([int(byte[1], 16)]) if byte else piece.replace('▁', ' ').encode()
        return raw.decode('utf-8', 'replace')


def load(*, folder: str, threads: int | None = None, language: str = '', task: str = 'transcribe',
         find_speech: bool = True, hot_words: Sequence[str] = ()) -> MoonshineReader:
    """
    Bring the reader up on a folder; for registry.load_transcriber.

    CheckpointError for a wrong folder; ConfigurationError for another language than English and
    for hot words, which it cannot be told.
    """
    from tokenizers import Tokenizer

    if language not in ('', 'en'):
        raise ConfigurationError(f'transcript.language: Moonshine reads English only, found '
                                 f'{language!r}; let Whisper read it')
    if hot_words:
        raise ConfigurationError('transcript.hot_words: Moonshine cannot be told names; let '
                                 'Whisper read or leave them empty')
    path = Path(folder)
    missing = [name for name in _FILES if not (path / name).is_file()]
    if missing:
        raise CheckpointError(
            f'{folder}: expected {", ".join(_FILES)}, found no {", ".join(missing)}; put there '
            'the graphs of dist/model/tiny/quantized of the npm package '
            '@moonshine-ai/moonshine-js and tokenizer.json of the wheel useful-moonshine-onnx')
    encoder, decoder = (open_session(path / name, threads=threads, remedy='copy the graphs again')
                        for name in _FILES[:2])
    names = {value.name for value in decoder.get_inputs()}
    if not {'input_ids', 'encoder_hidden_states', 'use_cache_branch'} <= names:
        raise CheckpointError(f'{path / _FILES[1]}: expected the merged decoder of Moonshine, '
                              f'found one with the inputs {sorted(names)}; copy the graphs again')
    return MoonshineReader(encoder, decoder, Tokenizer.from_file(str(path / _FILES[2])),
                           voice=load_voice_activity() if find_speech else None)
