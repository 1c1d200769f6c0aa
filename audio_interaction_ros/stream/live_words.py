"""
Words while they are spoken: when speech begins, when it is read, and when it is over.

A voice detector hears each chunk; while somebody speaks, a window of the speech is read again and
again, and what two readings agree on is stable (``stream.agreement``). Owns utterances, windows
and how long a pause ends one. Knows neither the model that reads nor who shows the words. Audio
stays in memory.
"""

import threading
from collections import deque
from dataclasses import dataclass, replace

import numpy as np

from audio_interaction_ros.audio.block import AudioChunk
from audio_interaction_ros.protocol import CHUNK_NS, SAMPLE_RATE_HZ
from audio_interaction_ros.runtimes.base import (
    ReadWord,
    StreamReader,
    VoiceListener,
    WindowReader,
    WindowReading,
    WordStream,
)
from audio_interaction_ros.stream.agreement import Agreement
from audio_interaction_ros.stream.spoken_word import SpokenWord
from audio_interaction_ros.stream.unfinished import is_unfinished

__all__ = ['LiveWords', 'OverSpan', 'WordsShown']

NS = 1_000_000_000
SPEAKS = 0.5
"""Probability from which a piece counts as speech."""
LEAST_NS = 100_000_000
"""Less speech than this in a chunk begins no utterance."""
READ_FROM_NS = 300_000_000
"""Less speech than this in an utterance is not read."""
LEAD_NS = 400_000_000
"""What is read before the first speech that was heard, so that no soft sound is cut off."""
PAUSE_NS = 300_000_000
"""After so much silence what was said is read at once, and long speech may be cut."""
CUT_FROM_NS, LONGEST_NS = 18 * NS, 26 * NS
"""An utterance as long as the first ends at the next pause, one as long as the second anyhow."""
SOFTEST_NS = 5 * NS
"""Of so much speech the softest moment is where it is cut."""
WINDOW_NS = 8 * NS
"""A window that is longer is cut at words that were agreed on."""
_LEFT_NS, _CUT_OFF_NS = 1_500_000_000, 2 * NS
"""So much stays at least in a window that is cut, and so much goes at least."""
_QUIETEST_PEAK = 1e-3
_PEAK_KEPT = 0.99  # of a chunk's peak per chunk: a tenth of it after a minute and a half


@dataclass(frozen=True, kw_only=True)
class WordsShown:
    """What is shown of an utterance that goes on."""

    utterance: int
    """Counts utterances of a stream."""
    revision: int
    text: str
    stable_length: int
    """Leading code points of the text that no later revision changes."""
    words: tuple[SpokenWord, ...]
    language: str
    start_ns: int
    end_ns: int


@dataclass(frozen=True, kw_only=True)
class OverSpan:
    """An utterance that ended by silence or by its length, to be made final."""

    utterance: int
    start_ns: int
    end_ns: int


@dataclass
class _Utterance:
    number: int
    start_ns: int
    window_ns: int
    speech_ns: int
    """End of the newest speech."""
    spoken_ns: int = 0
    """How much speech there was."""
    read_ns: int = 0
    """Up to where speech was read."""
    read_at_ns: int = 0
    """End of the audio when it was read last."""
    revision: int = 0
    language: str = ''
    shown: str = ''
    stream: WordStream | None = None
    """Of a reader that hears each sample once, which heard up to ``read_at_ns``."""


class LiveWords:
    """
    One stream's words; ``remember`` and ``forget`` from any thread, the rest from one.

    ``hear`` says which utterances ended, ``due`` whether the speech should be read now, ``read``
    reads it. Whoever makes a final of a span says so with ``settle``; its words come no more.
    A StreamReader is given each chunk as it comes instead of a window again and again.
    """

    def __init__(self, reader: WindowReader | StreamReader, voice: VoiceListener, *,
                 period_s: float, end_silence_s: float, language: str = '',
                 reader_ends: bool = False) -> None:
        """
        Read each ``period_s`` of speech; ``end_silence_s`` of silence end an utterance.

        With ``reader_ends`` a StreamReader that takes an utterance to be over ends it too.
        """
        self._reader_ends = reader_ends
        self._reader, self._voice = reader, voice
        self._period_ns, self._end_ns = round(period_s * NS), round(end_silence_s * NS)
        self._language = language
        self._inbox: deque[AudioChunk] = deque()
        self._lock = threading.Lock()
        self._forgotten = False
        self._count = 0
        self._start_anew()

    def _start_anew(self) -> None:
        self._chunks: deque[AudioChunk] = deque()
        self._open: _Utterance | None = None
        self._agreement = Agreement()
        self._heard_ns = self._settled_ns = self._speech_ns = 0
        self._pieces: list[tuple[int, float]] = []
        self._peak = 0.0
        self._voice.reset()

    def remember(self, chunk: AudioChunk) -> None:
        """Take a chunk in, to be heard later."""
        with self._lock:
            self._inbox.append(chunk)

    def forget(self) -> None:
        """Drop all audio and words."""
        with self._lock:
            self._inbox.clear()
            self._forgotten = True

    def hear(self, until_ns: int | None = None) -> list[OverSpan]:
        """Hear the chunks that came, up to a stamp; return the utterances that ended meanwhile."""
        over: list[OverSpan] = []
        while True:
            with self._lock:
                if self._forgotten:
                    self._forgotten = False
                    self._start_anew()
                if not self._inbox or (until_ns is not None
                                       and self._inbox[0].stamp_ns > until_ns):
                    return over
                chunk = self._inbox.popleft()
            over += self._hear_chunk(chunk)

    @property
    def due(self) -> bool:
        """True when somebody said something since it was read last, and long enough ago."""
        now = self._open
        if now is not None and now.stream is not None:
            return self._heard_ns > now.read_at_ns
        if now is None or now.speech_ns <= now.read_ns or now.spoken_ns < READ_FROM_NS:
            return False
        return (self._heard_ns - now.read_at_ns >= self._period_ns
                or self._heard_ns - now.speech_ns >= PAUSE_NS)

    def finish(self) -> list[OverSpan]:
        """End the utterance that goes on, as at the end of a stream."""
        return self._close() if self._open is not None else []

    def read(self) -> WordsShown | None:
        """Read the window; None where nothing new can be shown. Raises what the reader raises."""
        now = self._open
        if now is None:
            return None
        offset_s = (now.window_ns - now.start_ns) / NS
        agreed = len(self._agreement.stable)
        since_ns = now.read_at_ns
        now.read_ns, now.read_at_ns = now.speech_ns, self._heard_ns  # also where reading fails
        read = self._read_on(now, since_ns)
        if read.doubt:
            return None
        if now.spoken_ns > NS:
            now.language = read.language
        self._agreement.push([*read.words[:agreed], *(
            replace(word, start_s=word.start_s + offset_s, end_s=word.end_s + offset_s)
            for word in read.words[agreed:])], growing=read.growing)
        shown = self._show(now, read.language)
        if now.stream is None:
            self._cut_window(now)
        return shown

    def _read_on(self, now: _Utterance, since_ns: int) -> WindowReading:
        """Return what the reader makes of the window, or of what came since it heard last."""
        if isinstance(self._reader, StreamReader):
            now.stream = now.stream or self._reader.open_stream()
            now.stream.push(self._cut_out(since_ns, self._heard_ns))
            return now.stream.read(self._agreement.stable)
        return self._reader.read_window(
            self._cut_out(now.window_ns, min(self._heard_ns, now.speech_ns + LEAD_NS)),
            agreed=self._agreement.stable, before=self._agreement.past,
            language=self._language or now.language)

    def settle(self, end_ns: int) -> int | None:
        """
        Take it that all speech up to a time is final; return the number of that utterance.

        What is said after it is another utterance. None where no words of it were shown.
        """
        self._settled_ns = max(self._settled_ns, end_ns)
        now = self._open
        if now is None or now.start_ns >= end_ns:
            return None
        goes_on = now.speech_ns > end_ns + PAUSE_NS
        number = now.number if now.revision else None
        self._open = None
        if goes_on:
            self._begin(end_ns, now.speech_ns)
        return number

    def rest_of(self, start_ns: int, end_ns: int) -> tuple[int, int] | None:
        """Return what of a span is not final yet; None where nobody spoke in the rest."""
        if start_ns >= self._settled_ns:
            return start_ns, end_ns
        if end_ns <= self._settled_ns or self._speech_ns <= self._settled_ns:
            return None
        return self._settled_ns, end_ns

    def _hear_chunk(self, chunk: AudioChunk) -> list[OverSpan]:
        over: list[OverSpan] = []
        if self._heard_ns and abs(chunk.stamp_ns - self._heard_ns) > CHUNK_NS // 2:
            over = self.finish()
            settled = self._settled_ns if chunk.stamp_ns > self._heard_ns else 0
            self._start_anew()
            self._settled_ns = settled
        self._chunks.append(chunk)
        self._heard_ns = chunk.stamp_ns + CHUNK_NS
        speech = [end_ns for end_ns in self._find_speech(chunk) if end_ns > self._settled_ns]
        if speech:
            self._speech_ns = speech[-1]
        length_ns = round(self._voice.step_s * NS)
        if self._open is None:
            if len(speech) * length_ns >= LEAST_NS:
                self._begin(speech[0] - length_ns - LEAD_NS, speech[-1])
                assert self._open is not None
                self._open.spoken_ns = len(speech) * length_ns
        elif speech:
            self._open.speech_ns = speech[-1]
            self._open.spoken_ns += len(speech) * length_ns
        over += self._end_if_over()
        self._drop_old()
        return over

    def _find_speech(self, chunk: AudioChunk) -> list[int]:
        """Return the ends of the pieces in which somebody speaks."""
        self._peak = max(self._peak * _PEAK_KEPT, float(np.abs(chunk.samples).max()),
                         _QUIETEST_PEAK)
        heard = self._voice.push(chunk.samples * np.float32(0.5 / self._peak))
        step_ns = round(self._voice.step_s * NS)
        ends = [self._heard_ns - (len(heard) - 1 - place) * step_ns for place in range(len(heard))]
        self._pieces += zip(ends, map(float, heard), strict=True)
        self._pieces = self._pieces[-(SOFTEST_NS // step_ns):]
        return [end for end, share in zip(ends, heard, strict=True) if share > SPEAKS]

    def _begin(self, start_ns: int, speech_ns: int) -> None:
        start_ns = max(start_ns, self._settled_ns, self._chunks[0].stamp_ns)
        self._count += 1
        self._agreement = Agreement()
        self._open = _Utterance(number=self._count, start_ns=start_ns, window_ns=start_ns,
                                speech_ns=speech_ns, read_at_ns=start_ns, spoken_ns=max(
                                    0, speech_ns - start_ns))

    def _end_if_over(self) -> list[OverSpan]:
        now = self._open
        if now is None:
            return []
        silence_ns, length_ns = self._heard_ns - now.speech_ns, self._heard_ns - now.start_ns
        if self._reader_ends and now.stream is not None and now.stream.over:
            return self._close()
        patience = 2 if is_unfinished(self._agreement.text) else 1
        if silence_ns >= self._end_ns * patience:
            return self._close()
        if length_ns >= CUT_FROM_NS and silence_ns >= PAUSE_NS:
            return self._close()
        if length_ns >= LONGEST_NS:
            softest_ns = min(self._pieces, key=lambda piece: piece[1])[0]
            over = self._close(softest_ns)
            self._begin(softest_ns, now.speech_ns)
            return over
        return []

    def _close(self, end_ns: int | None = None) -> list[OverSpan]:
        """End the utterance, where its speech ended if no other time is given."""
        now, self._open = self._open, None
        assert now is not None, 'an utterance is open'
        if end_ns is None:
            end_ns = min(self._heard_ns, now.speech_ns + PAUSE_NS)
        self._settled_ns = max(self._settled_ns, end_ns)
        if now.spoken_ns < READ_FROM_NS:
            return []
        return [OverSpan(utterance=now.number, start_ns=now.start_ns, end_ns=end_ns)]

    def _drop_old(self) -> None:
        """Drop chunks that no utterance can reach any more."""
        keep_ns = (self._heard_ns - 2 * CHUNK_NS if self._open is None
                   else min(self._open.window_ns, self._heard_ns - SOFTEST_NS - CHUNK_NS))
        while self._chunks[0].stamp_ns + CHUNK_NS <= keep_ns:
            self._chunks.popleft()

    def _cut_out(self, start_ns: int, end_ns: int) -> np.ndarray:
        joined = np.concatenate([chunk.samples for chunk in self._chunks])
        first_ns = self._chunks[0].stamp_ns
        start, end = ((at - first_ns) * SAMPLE_RATE_HZ // NS for at in (start_ns, end_ns))
        cut: np.ndarray = joined[max(0, start):end]
        return cut

    def _cut_window(self, now: _Utterance) -> None:
        """Let a long window begin behind a stable word, where the longest pause is."""
        if self._heard_ns - now.window_ns <= WINDOW_NS:
            return
        stable = self._agreement.stable
        begin_s, end_s = ((at - now.start_ns) / NS for at in (
            now.window_ns + _CUT_OFF_NS, self._heard_ns - _LEFT_NS))
        places = [place for place, word in enumerate(stable[:-1])
                  if begin_s <= word.end_s and stable[place + 1].start_s <= end_s]
        if not places:
            return
        best = max(places, key=lambda place: _pause_behind(stable, place))
        at_s = (stable[best].end_s + stable[best + 1].start_s) / 2
        self._agreement.cut(best + 1)
        now.window_ns = now.start_ns + round(at_s * NS)

    def _show(self, now: _Utterance, language: str) -> WordsShown | None:
        text, stable = self._agreement.text, self._agreement.stable_text
        mark = f'{len(stable)} {text}'
        if mark == now.shown or not text:
            return None
        now.shown = mark
        shown = WordsShown(
            utterance=now.number, revision=now.revision, text=text, stable_length=len(stable),
            words=tuple(_spoken(word, now.start_ns) for word in self._agreement.words),
            language=language, start_ns=now.start_ns, end_ns=now.speech_ns)
        now.revision += 1
        return shown


def _pause_behind(words: list[ReadWord], place: int) -> float:
    """Return seconds of pause behind a word; the end of a sentence counts as half a second."""
    pause = words[place + 1].start_s - words[place].end_s
    return pause + 0.5 * (words[place].mark[-1:] in tuple('.?!。？！'))


def _spoken(word: ReadWord, start_ns: int) -> SpokenWord:
    return SpokenWord(text=word.written.strip(), start_ns=start_ns + round(word.start_s * NS),
                      end_ns=start_ns + round(word.end_s * NS), confidence=word.confidence)
