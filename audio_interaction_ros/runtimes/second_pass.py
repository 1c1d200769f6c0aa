"""
Second pass: a finished utterance is read again as a whole, for final transcript and translation.

The streaming model hears a word once and early; Whisper's own decoder hears all of the utterance,
and can write down its English as well. Owns the greedy reading with Whisper; what computes the
nets is given to it. Read is only the part in which somebody is heard to speak: of a fan, Whisper
writes "Thank you". Knows nothing of lanes or of where the samples come from.
"""

import zlib
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any, Protocol

import numpy as np

from audio_interaction_ros.audio.mel import whole_file_mel
from audio_interaction_ros.errors import ConfigurationError
from audio_interaction_ros.protocol import SAMPLE_RATE_HZ
from audio_interaction_ros.runtimes.base import MOST_COMPRESSION, ReadWord, Recognition
from audio_interaction_ros.runtimes.hot_words import HotWords
from audio_interaction_ros.runtimes.spoken_part import FindSpeech, cut_spoken_part, shift_words
from audio_interaction_ros.runtimes.word_making import looks_of, make_words, place_words, write_ids

__all__ = ['WINDOW_S', 'FindSpeech', 'WhisperNet', 'WhisperSecondPass', 'compression_ratio',
           'log_probability', 'pick_likeliest', 'is_repeating', 'style_ids']

WINDOW_S = 30
AFTER_S = 4.0
"""Silence that is heard after the speech. Whisper was trained on windows of half a minute and the
encoder's cost grows with the window; with less silence than this it says a single word over and
over (python -m eval second_pass)."""
LEAST_LOG_PROB = -1.0
"""Mean of a text that can be trusted, as in Whisper's own transcribe.py."""
END = 50_257
START = 50_258
FIRST_LANGUAGE, LAST_LANGUAGE = 50_259, 50_357
TASKS = {'translate': 50_358, 'transcribe': 50_359}
START_OF_PREVIOUS = 50_361
NO_SPEECH = 50_362
NO_TIMESTAMPS = 50_363
STYLE = {'zh': ' 以下是普通话的句子。'}
"""What stands before the text, by language: Chinese is written as here, in simplified characters
and with punctuation; left to itself Whisper mixes both scripts."""
LONGEST_TEXT = 220
# Whisper writes these around what is no speech: "[MUSIC]", "(coughs)".
NON_SPEECH = frozenset('[](){}<>#*@~_|/\\^♪♫♩♬')


def is_repeating(ids: list[int], times: int = 4) -> bool:
    """Tell whether a list ends with one phrase of up to eight ids said so many times."""
    return any(len(ids) >= length * times
               and ids[-length * times:] == ids[-length:] * times for length in range(1, 9))


def pick_likeliest(scores: np.ndarray, ids: list[int]) -> int:
    """Return which of the ids has the highest of the scores [vocabulary]."""
    return ids[int(scores[ids].argmax())]


def log_probability(scores: np.ndarray, code: int) -> float:
    """Return the logarithm of an id's share of the softmax over scores [vocabulary]."""
    top = scores.max()
    return float(scores[code] - top) - float(np.log(np.exp(scores - top).sum(dtype=np.float64)))


def compression_ratio(text: str) -> float:
    """Return how many times smaller zlib makes a text: above 2.4 it says the same again."""
    written = text.encode()
    return len(written) / len(zlib.compress(written)) if written else 0.0


def style_ids(language: str, encode: Callable[[str], list[int]]) -> list[int]:
    """Return the ids of the text that shows how a language is written; often none."""
    return [START_OF_PREVIOUS, *encode(STYLE[language])] if language in STYLE else []



class WhisperNet(Protocol):
    """What computes Whisper's encoder and decoder. Whatever it returns is the caller's."""

    def encode(self, mel: np.ndarray) -> np.ndarray:
        """Return encoder frames [T / 2, width] float32 of mel [80, T], T even, at most 3000."""
        ...

    def attend(self, encoded: np.ndarray) -> Any:
        """Return what the decoder needs of encoder frames; computed once for several texts."""
        ...

    def begin(self, frames: Any) -> Callable[[Sequence[int]], np.ndarray]:
        """
        Begin a text of what ``attend`` returned.

        Each call of the result appends ids and returns scores [vocabulary] of the one that
        follows; the caller may write to them.
        """
        ...


@dataclass(frozen=True, kw_only=True)
class _Reading:
    # What was read in one window.
    encoded: np.ndarray
    language: int
    text: str
    log_prob: float
    no_speech: float
    loops: bool
    broken: bool
    words: list[ReadWord]

    @property
    def doubtful(self) -> bool:
        return (self.loops or self.broken or compression_ratio(self.text) > MOST_COMPRESSION
                or self.log_prob < LEAST_LOG_PROB)


class WhisperSecondPass:
    """Whisper, greedy, on the last 30 s of what it is given."""

    def __init__(self, net: WhisperNet, tokenizer: Any, *, find_speech: FindSpeech | None = None,
                 language: str = '', task: str = 'transcribe', after_s: float = AFTER_S,
                 hot_words: Sequence[str] = ()) -> None:
        """
        Take a net and its tokenizer (of the library tokenizers).

        ``language`` (ISO 639-1) is detected when empty; ``task`` may be translate (to English).
        Without ``find_speech`` everything is read as if somebody spoke. ``after_s`` of silence
        are heard after the speech, 30: always half a minute. ``hot_words`` are expected and
        favoured (runtimes.hot_words). Raises ConfigurationError for a wrong name.
        """
        if task not in TASKS:
            raise ConfigurationError(f'task: expected one of {sorted(TASKS)}, found {task!r}; '
                                     'change it in the configuration')
        self._net, self._tokenizer, self._voice = net, tokenizer, find_speech
        self._languages = {code: tokenizer.id_to_token(code).strip('<|>')
                           for code in range(FIRST_LANGUAGE, LAST_LANGUAGE + 1)}
        if language and language not in self._languages.values():
            raise ConfigurationError(
                f'transcript.language: expected one of {", ".join(self._languages.values())}, '
                f'which this model knows, found {language!r}; change it in the configuration')
        self._language, self._task, self._after_s = language, TASKS[task], after_s
        self.hot_words = HotWords(hot_words, self.encode)
        """Names that are expected; may be set anew between readings."""
        vocabulary = tokenizer.get_vocab(with_added_tokens=False).items()
        # Beside these every id from START on; of time stamps the tokenizer does not know.
        self._banned = [code for _, code in vocabulary
                        if NON_SPEECH & set(tokenizer.decode([code]))]

    def transcribe(self, samples: np.ndarray, languages: Collection[str] = ()) -> Recognition:
        """
        Return what samples [n] float32, 16 kHz say; only the last 30 s are read.

        Of ``languages`` (ISO 639-1) the likeliest is taken; empty: any. A language that was
        fixed at the start stays. The English is written when it is asked for, from the same
        encoder pass, which the result keeps (at most 3 MB) as long as it lives: the text where
        that is English, '' where the English runs in circles.
        """
        part = cut_spoken_part(self._voice, samples, longest_s=WINDOW_S)
        if part is None:
            return Recognition(text='', language=self._language, no_speech=1.0)
        read = self._hear(part.samples, languages)
        name = self._languages[read.language]
        return Recognition(
            text=read.text, language=name, no_speech=read.no_speech,
            mean_log_prob=read.log_prob, compression_ratio=compression_ratio(read.text),
            loops=read.loops, broken=read.broken, span_s=part.span_s,
            words=tuple(shift_words(read.words, part.start_s)),
            write_english=lambda: read.text if name == 'en' else self._translate(
                read.encoded, read.language))

    def _hear(self, samples: np.ndarray, languages: Collection[str]) -> _Reading:
        """Read a window as long as the speech; half a minute where that gives a bad text."""
        window_s = min(WINDOW_S, ceil(len(samples) / SAMPLE_RATE_HZ + self._after_s))
        read = self._hear_window(samples, languages, window_s)
        if read.doubtful and window_s < WINDOW_S:
            read = self._hear_window(samples, languages, WINDOW_S)
        return read

    def _hear_window(self, samples: np.ndarray, languages: Collection[str],
                     window_s: int) -> _Reading:
        padded = np.pad(samples, (0, window_s * SAMPLE_RATE_HZ - len(samples)))
        encoded = self._net.encode(whole_file_mel(padded, 80))
        frames = self._net.attend(encoded)
        scores = self._net.begin(frames)([START])
        language = self._language_id(scores, languages)
        shown = self._shown_before(self._languages[language])
        start = [*shown, START, language, self._task, NO_TIMESTAMPS]
        step = self._net.begin(frames)
        ids, log_probs = self._read_text(step, start)
        words = place_words(make_words(ids, log_probs, self._tokenizer.decode),
                            looks_of(step, len(start)), len(samples) / SAMPLE_RATE_HZ)
        text, whole = write_ids(ids, self._tokenizer.decode)
        return _Reading(
            encoded=encoded, language=language, text=text, words=words,
            log_prob=sum(log_probs) / max(1, len(log_probs)), loops=is_repeating(ids),
            broken=not whole and len(ids) < LONGEST_TEXT,
            no_speech=float(np.exp(log_probability(scores, NO_SPEECH))))

    def _shown_before(self, language: str) -> list[int]:
        """Return what stands before a text: how it is written, and names; often nothing."""
        style = (style_ids(language, self.encode) if self._task == TASKS['transcribe'] else [])
        names = self.hot_words.prompt
        return [*(style or [START_OF_PREVIOUS]), *names] if style or names else []

    def _translate(self, encoded: np.ndarray, language: int) -> str:
        """Return what encoder frames say, in English; '' for a loop."""
        ids, _ = self._read_text(self._net.begin(self._net.attend(encoded)),
                                 [START, language, TASKS['translate'], NO_TIMESTAMPS])
        return '' if is_repeating(ids) else write_ids(ids, self._tokenizer.decode)[0]

    def encode(self, text: str) -> list[int]:
        """Return the ids of a text, without those that frame it."""
        ids: list[int] = self._tokenizer.encode(text, add_special_tokens=False).ids
        return ids

    def _language_id(self, scores: np.ndarray, languages: Collection[str]) -> int:
        if self._language:
            return int(self._tokenizer.token_to_id(f'<|{self._language}|>'))
        return pick_likeliest(scores, [code for code, name in self._languages.items()
                                       if name in languages] or list(self._languages))

    def _read_text(self, step: Callable[[Sequence[int]], np.ndarray],
                   start: list[int]) -> tuple[list[int], list[float]]:
        """Return the ids of the text, and the log-probabilities of them and of the end."""
        ids: list[int] = []
        log_probs: list[float] = []
        scores = step(start)
        while len(ids) < LONGEST_TEXT and not is_repeating(ids):
            scores[self._banned] = scores[START:] = -np.inf
            best = self.hot_words.choose(scores, ids)
            log_probs.append(log_probability(scores, best))
            if best == END:
                break
            ids.append(best)
            scores = step([best])
        return ids, log_probs
