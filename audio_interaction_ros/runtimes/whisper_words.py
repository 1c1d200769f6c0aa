"""
Whisper word by word: what it reads of speech that goes on, and where each word is.

The same nets as the second pass, so that both together need the memory of one. A window is as long
as the speech and a second; what was agreed on is fed, not written anew. Knows neither streams nor
when somebody wants to know.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from math import ceil

import numpy as np

from audio_interaction_ros.audio.mel import whole_file_mel
from audio_interaction_ros.protocol import SAMPLE_RATE_HZ
from audio_interaction_ros.runtimes.base import (
    MOST_COMPRESSION,
    ReadWord,
    VoiceListener,
    WindowReading,
)
from audio_interaction_ros.runtimes.circles import is_said_again, say_once
from audio_interaction_ros.runtimes.padded_reading import (
    BROKEN,
    CIRCLES,
    DOUBTED_PAD_S,
    PaddedReading,
)
from audio_interaction_ros.runtimes.second_pass import (
    END,
    NO_TIMESTAMPS,
    START,
    START_OF_PREVIOUS,
    WINDOW_S,
    WhisperSecondPass,
    compression_ratio,
    is_repeating,
    log_probability,
)
from audio_interaction_ros.runtimes.spoken_part import open_voice
from audio_interaction_ros.runtimes.word_making import ids_of, looks_of, make_words, place_words

__all__ = ['WhisperWords', 'find_doubt', 'most_tokens']

_MOST_BEFORE = 60
"""Tokens of what was said before a window that the text is continued from."""
_MOST_WORDS_PER_S = 8.0
_LEAST_CONFIDENCE = 0.4
"""Mean confidence of the words; below it a short piece of speech was guessed at."""
_TOKENS_PER_S, _FEWEST_TOKENS = 8, 16


class WhisperWords(PaddedReading, WhisperSecondPass):
    """The second pass, which also reads speech that goes on."""

    def open_voice(self) -> VoiceListener | None:
        """Return what hears when speech begins and ends; None where nobody can."""
        return open_voice(self._voice)

    def read_after(self, samples: np.ndarray, *, after: Sequence[ReadWord],
                   language: str) -> WindowReading:
        """Return what is said behind words that are final; see runtimes.base.ContinuingReader."""
        last = after[-1] if after[-1].mark else replace(
            after[-1], mark='.', mark_ids=tuple(self.encode('.')))  # or none would follow it
        read = self._read_padded(samples, (*after[:-1], last), (), language, DOUBTED_PAD_S)
        words = read.words[len(after):]
        return replace(read, words=words, doubt=find_doubt(
            words, len(samples) / SAMPLE_RATE_HZ, broken=read.doubt == BROKEN))

    def _read_padded(self, samples: np.ndarray, agreed: Sequence[ReadWord],
                     before: Sequence[ReadWord], language: str, pad_s: float, *,
                     once: bool = False) -> WindowReading:
        seconds = len(samples) / SAMPLE_RATE_HZ
        # To tenths, for the encoder takes an even number of frames.
        length = min(WINDOW_S, ceil((seconds + pad_s) * 10) / 10)
        padded = np.pad(samples, (0, max(0, round(length * SAMPLE_RATE_HZ) - len(samples))))
        frames = self._net.attend(self._net.encode(whole_file_mel(padded, 80)))
        code = (self._language_id(self._net.begin(frames)([START]), ())
                if not language else self._code_of(language))
        start = [*self._context_ids(self._languages[code], before),
                 START, code, self._task, NO_TIMESTAMPS]
        forced = ids_of(agreed)
        step = self._net.begin(frames)
        ids, log_probs = self._write_on(step, start, forced, seconds)
        words = make_words(ids[len(forced):], log_probs[len(forced):], self._tokenizer.decode,
                           agreed=agreed)
        broken = len(ids_of(words)) < len(ids)
        words = say_once(words, len(agreed)) if once else words
        words = place_words(words, looks_of(step, len(start)), seconds, kept=len(agreed))
        return WindowReading(words=tuple(words), language=self._languages[code],
                             doubt=find_doubt(words, seconds, broken=broken))

    def _code_of(self, language: str) -> int:
        return int(self._tokenizer.token_to_id(f'<|{language}|>'))

    def _context_ids(self, language: str, before: Sequence[ReadWord]) -> list[int]:
        """Return what the text continues: how the language is written, and what was said."""
        shown = self._shown_before(language)
        said = ids_of(before)[-_MOST_BEFORE:]
        return [*(shown or [START_OF_PREVIOUS]), *said] if shown or said else []

    def _write_on(self, step: Callable[[Sequence[int]], np.ndarray], start: Sequence[int],
                  forced: list[int], seconds: float) -> tuple[list[int], list[float]]:
        """Return the ids of the text, which begins with some, and their log-probabilities."""
        scores = step([*start, *forced])
        ids, log_probs = list(forced), [0.0] * len(forced)
        most = most_tokens(len(forced), seconds)
        new = len(forced)
        while len(ids) < most and not is_repeating(ids) and not is_said_again(ids[new:]):
            scores[self._banned] = scores[START:] = -np.inf
            best = self.hot_words.choose(scores, ids)
            if best == END:
                break
            ids.append(best)
            log_probs.append(log_probability(scores, best))
            scores = step([best])
        return ids, log_probs


def most_tokens(forced: int, seconds: float) -> int:
    """Return how many tokens a window may have: those given and as many as anybody can say."""
    return forced + _FEWEST_TOKENS + round(_TOKENS_PER_S * seconds)


def find_doubt(words: Sequence[ReadWord], seconds: float, *, broken: bool) -> str:
    """
    Return why a text is not to be believed; '' if it is.

    ``broken``: some of its ids were no whole character, and are of no word.
    """
    ids = ids_of(words)
    text = ''.join(word.written for word in words)
    if is_repeating(ids) or is_said_again(ids) or compression_ratio(text) > MOST_COMPRESSION:
        return CIRCLES
    if broken:
        return BROKEN
    if len(words) > _MOST_WORDS_PER_S * max(1.0, seconds):
        return 'too fast'
    if words and sum(word.confidence for word in words) < _LEAST_CONFIDENCE * len(words):
        return 'guessed'
    return ''
