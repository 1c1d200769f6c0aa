"""
Spans of the stream that are read again: the audio they need, and what was read of them lately.

A transcript and a translation of the same utterance share one reading, and with it what the
reading model can still make of that: the English of speech that is not. Knows neither the model
that reads nor who asks. Audio stays in memory.
"""

import math
import threading
from collections import deque
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

import numpy as np

from audio_interaction_ros.audio.block import AudioChunk
from audio_interaction_ros.protocol import SAMPLE_RATE_HZ, TRANSLATION_TARGETS
from audio_interaction_ros.runtimes.base import MOST_COMPRESSION, Recognition, Transcriber
from audio_interaction_ros.stream.audio_history import AudioHistory
from audio_interaction_ros.stream.spoken_word import SpokenWord

__all__ = ['SURE_LOG_PROB', 'SpanReading', 'SpanReader']

SURE_LOG_PROB = -0.8
"""Mean log-probability of a text from which on it is sure."""
_SAME = 0.8
_REMEMBERED = 8
_LATEST_NS = 2_000_000_000
"""A lane that answers so long after an utterance still answers that."""


@dataclass(frozen=True, kw_only=True)
class SpanReading:
    """What was said in a span of the stream."""

    start_ns: int
    end_ns: int
    """The span that was asked for."""
    recognition: Recognition
    any_language: bool
    """True when the language was free, so that it says what was spoken."""
    speech_ns: tuple[int, int] | None = None
    """Start and end of the speech in it; None where nobody looked or spoke."""
    interpret: bool = False
    """True where the reading model shall also write it in English."""
    words: tuple[SpokenWord, ...] = ()
    """Those of the text; none where the reading model gives them no places."""
    as_spoken: bool = False
    """True where it was read while it was spoken, so that nothing else was said in the span."""
    strange: bool = False
    """True where it is in a language that nobody here is known to speak."""

    @property
    def text(self) -> str:
        """What was said."""
        return self.recognition.text.strip()

    @property
    def language(self) -> str:
        """Return its language, ISO 639-1; empty when unknown."""
        return self.recognition.language

    def in_english(self) -> str | None:
        """
        Return the English of speech that is translated to English; '' when there is none.

        None where somebody else translates the text. Raises what the reading model raises.
        """
        write = self.recognition.write_english
        if not self.interpret or write is None or TRANSLATION_TARGETS.get(self.language) != 'en':
            return None
        return write().strip() if self.text else ''

    def covers(self, start_ns: int, end_ns: int) -> bool:
        """Tell whether more than 80 % of the longer span are common to both."""
        common = min(self.end_ns, end_ns) - max(self.start_ns, start_ns)
        return common > _SAME * max(self.end_ns - self.start_ns, end_ns - start_ns)

    def meets(self, start_ns: int, end_ns: int) -> bool:
        """Tell whether the span has something in common with another."""
        return self.start_ns < end_ns and start_ns < self.end_ns


def _stamp_at(chunks: Sequence[AudioChunk], second: float) -> int:
    """Return the audio time at a second of the joined samples of chunks."""
    at_ns = round(second * 1e9)
    length_ns = chunks[0].end_ns - chunks[0].stamp_ns
    place = min(at_ns // length_ns, len(chunks) - 1)
    return chunks[place].stamp_ns + at_ns - place * length_ns


def _cut_out(chunks: Sequence[AudioChunk], start_ns: int,
             end_ns: int) -> tuple[np.ndarray, float]:
    """
    Return the samples of a span, and how many seconds of its first chunk came before.

    Two spans that meet within a chunk share no sample, so that no word is read twice.
    """
    skipped = max(0, start_ns - chunks[0].stamp_ns) * SAMPLE_RATE_HZ // 1_000_000_000
    beyond = max(0, chunks[-1].end_ns - end_ns) * SAMPLE_RATE_HZ // 1_000_000_000
    joined = np.concatenate([chunk.samples for chunk in chunks])
    return joined[skipped:len(joined) - beyond], skipped / SAMPLE_RATE_HZ


class SpanReader:
    """Keeps the newest audio and readings; ``remember`` and ``forget`` from any thread."""

    def __init__(self, *, seconds: float, interpret: bool = False, language: str = '') -> None:
        """
        Hold ``seconds`` of audio; with ``interpret`` readings can tell their English.

        A ``language`` (ISO 639-1; empty: any) is spoken here, and so are those that are
        translated.
        """
        self._history = AudioHistory(seconds=seconds)
        self._interpret = interpret
        self._spoken = frozenset((language, '', *TRANSLATION_TARGETS))
        self._read_surely = set[str]()  # languages
        self._readings: deque[SpanReading] = deque(maxlen=_REMEMBERED)
        self._newest_ns = -math.inf
        self._lock = threading.Lock()
        self._generation = 0  # how often everything was forgotten
        self.reused = 0
        """Times that a reading served again."""

    def remember(self, chunk: AudioChunk) -> None:
        """Remember a chunk; of two takes of one time, as after a clock was set back, the newer."""
        with self._lock:
            if chunk.stamp_ns <= self._newest_ns:
                self._clear()
            self._newest_ns = chunk.stamp_ns
            self._history.push(chunk)

    def forget(self) -> None:
        """Drop all audio and what was read of it."""
        with self._lock:
            self._clear()

    def _clear(self) -> None:
        self._history.clear()
        self._readings.clear()
        self._read_surely.clear()
        self._newest_ns = -math.inf
        self._generation += 1

    def note(self, text: str, language: str, confidence: float, start_ns: int,
             end_ns: int) -> None:
        """
        Take it that an utterance was read while it was spoken, so that nobody need read it again.

        Not where its English is to come from the audio. Its language is one that is spoken here.
        """
        with self._lock:
            self._read_surely.add(language)
            if not text or TRANSLATION_TARGETS.get(language, 'en') == 'en':
                return
            self._readings.append(SpanReading(
                start_ns=start_ns, end_ns=end_ns, any_language=True, as_spoken=True,
                speech_ns=(start_ns, end_ns), recognition=Recognition(
                    text=text, language=language, mean_log_prob=math.log(max(confidence, 1e-6)))))

    def read(self, transcriber: Transcriber, start_ns: int, end_ns: int, *,
             languages: Collection[str] = ()) -> SpanReading | None:
        """
        Return what was said from ``start_ns`` to ``end_ns``; None when that audio is gone.

        A reading of nearly the same span serves again where its language fits, unless all was
        forgotten while it was made. Raises what the transcriber raises.
        """
        with self._lock:
            known = self._find_reading(start_ns, end_ns, languages)
            chunks = self._history.between(start_ns, end_ns)
            generation = self._generation
        if known is not None:
            self.reused += 1
            return known
        if not chunks:
            return None
        samples, skipped_s = _cut_out(chunks, start_ns, end_ns)
        recognition = self._transcribe(transcriber, samples, languages)
        reading = SpanReading(
            start_ns=start_ns, end_ns=end_ns, recognition=recognition,
            any_language=not languages, interpret=self._interpret,
            words=tuple(SpokenWord(text=word.written.strip(), confidence=word.confidence,
                                   start_ns=_stamp_at(chunks, skipped_s + word.start_s),
                                   end_ns=_stamp_at(chunks, skipped_s + word.end_s))
                        for word in recognition.words),
            speech_ns=recognition.span_s and (
                _stamp_at(chunks, skipped_s + recognition.span_s[0]),
                _stamp_at(chunks, skipped_s + recognition.span_s[1])))
        with self._lock:
            if (recognition.mean_log_prob >= SURE_LOG_PROB
                    and recognition.compression_ratio <= MOST_COMPRESSION):
                self._read_surely.add(recognition.language)
            reading = replace(reading, strange=recognition.language not in self._spoken_here)
            if generation == self._generation:
                self._readings.append(reading)
        return reading

    @property
    def _spoken_here(self) -> frozenset[str]:
        return self._spoken | self._read_surely

    def _transcribe(self, transcriber: Transcriber, samples: np.ndarray,
                    languages: Collection[str]) -> Recognition:
        """
        Read once more in languages that are spoken here what runs in circles in another.

        A language that was mistaken for another is often read so ("Mae'n tryb yn yn yn").
        """
        read = transcriber.transcribe(samples, languages)
        with self._lock:
            spoken = self._spoken_here
        if (languages or read.compression_ratio <= MOST_COMPRESSION
                or read.language in spoken):
            return read
        return transcriber.transcribe(samples, sorted(spoken - {''}))

    def _find_reading(self, start_ns: int, end_ns: int,
                      languages: Collection[str]) -> SpanReading | None:
        def fits(reading: SpanReading) -> bool:
            return reading.language in languages if languages else reading.any_language

        for reading in reversed(self._readings):
            if fits(reading) and reading.covers(start_ns, end_ns):
                return reading
        # A lane guesses where an utterance began, and answers it a little later.
        met = [reading for reading in self._readings
               if reading.as_spoken and reading.meets(start_ns, end_ns)]
        if languages and len(met) == 1 and fits(met[0]) and end_ns - met[0].end_ns <= _LATEST_NS:
            return met[0]
        return None
