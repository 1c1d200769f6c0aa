"""
Words while they are spoken: when speech begins, when it is read, and when it is over.

A voice detector hears each chunk; while somebody speaks, a window of the speech is read again and
again, and what two readings agree on is stable (``stream.agreement``). When it is silent the
speech is read once more as if it were over, so that nothing is left to read when it is. Owns
when an utterance begins, is read and ends. Knows neither the model that reads nor who shows the
words; how long silence must last says ``stream.pause_judge``. Audio stays in memory.
"""

import threading
from collections import deque
from dataclasses import dataclass

from audio_interaction_ros.audio.block import AudioChunk
from audio_interaction_ros.protocol import CHUNK_NS
from audio_interaction_ros.runtimes.base import (
    ClosingReader,
    StreamReader,
    VoiceListener,
    WindowReader,
    WindowReading,
)
from audio_interaction_ros.stream.closed_reading import ClosedReading
from audio_interaction_ros.stream.open_utterance import OpenUtterance
from audio_interaction_ros.stream.pause_judge import PauseJudge
from audio_interaction_ros.stream.speech_heard import SOFTEST_NS, SpeechHeard
from audio_interaction_ros.stream.spoken_word import WordsShown

__all__ = ['LiveWords', 'OverSpan']

NS = 1_000_000_000
LEAST_NS = 100_000_000
"""Less speech than this in a chunk begins no utterance."""
READ_FROM_NS = 300_000_000
"""Less speech than this in an utterance is not read."""
LEAD_NS = 400_000_000
"""What is read before the first speech that was heard, so that no soft sound is cut off."""
PAUSE_NS = 200_000_000
"""After so much silence what was said is read as if it were over."""
CUT_PAUSE_NS = 300_000_000
"""At so much silence long speech may be cut."""
CUT_FROM_NS, LONGEST_NS = 18 * NS, 26 * NS
"""An utterance as long as the first ends at the next pause, one as long as the second anyhow."""
EARLY_NS = 2 * NS
"""So long into an utterance it is read twice as often: what is short has few readings."""


@dataclass(frozen=True, kw_only=True)
class OverSpan:
    """An utterance that is over, to be made final."""

    utterance_id: str
    start_ns: int
    end_ns: int
    ended_by: str
    """silence, pause (of long speech) or push_to_talk."""
    reading: ClosedReading | None = None
    """What was read of it when it became silent; None: it must be read now."""
    shown: ClosedReading | None = None
    """What was shown of it by then; None: nothing, or words of what follows too."""


class LiveWords:
    """
    One stream's words; ``remember``, ``hold`` and ``forget`` from any thread, the rest from one.

    ``hear`` says which utterances ended, ``due`` whether the speech should be read now, ``read``
    reads it, and ``end`` says whether it is over by what was read. Whoever makes a final of a span
    of its own says so with ``settle``; its words come no more. A StreamReader is given each chunk
    as it comes instead of a window again and again. Only what a ClosingReader reads in a pause may
    become final as it is.
    """

    def __init__(self, reader: WindowReader | StreamReader, voice: VoiceListener, *,
                 period_s: float, end: PauseJudge, language: str = '',
                 reader_ends: bool = False, run: str = '0') -> None:
        """
        Read each ``period_s`` of speech; ``end`` says how much silence ends an utterance.

        With ``reader_ends`` a StreamReader that takes an utterance to be over ends it too.
        ``run`` begins the names of utterances.
        """
        self._reader, self._pauses = reader, end
        self._closes, self._reader_ends = isinstance(reader, ClosingReader), reader_ends
        self._period_ns, self._language, self._run = round(period_s * NS), language, run
        self._inbox: deque[AudioChunk | bool] = deque()
        self._lock = threading.Lock()
        self._forgotten = False
        self._count = 0
        self._heard = SpeechHeard(voice)
        self._held = self._releasing = False
        self._start_anew()

    def _start_anew(self) -> None:
        self._heard.start_anew()
        self._open: OpenUtterance | None = None
        self._settled_ns = self._speech_ns = 0
        self._settled_by = ''

    def remember(self, chunk: AudioChunk) -> None:
        """Take a chunk in, to be heard later."""
        with self._lock:
            self._inbox.append(chunk)

    def hold(self, held: bool) -> None:
        """
        Take it that a button is held, or not any more.

        All from the chunk that comes next is one utterance, up to the end of the chunk that comes
        next after the button was let go.
        """
        with self._lock:
            self._inbox.append(held)

    def forget(self) -> None:
        """Drop all audio and words; a button stays as it is."""
        with self._lock:
            held = [item for item in self._inbox if isinstance(item, bool)]
            self._inbox.clear()
            self._inbox.extend(held)
            self._forgotten = True

    def hear(self, until_ns: int | None = None) -> list[OverSpan]:
        """Hear the chunks that came, up to a stamp; return the utterances that ended meanwhile."""
        over: list[OverSpan] = []
        while True:
            with self._lock:
                if self._forgotten:
                    self._forgotten = False
                    self._start_anew()
                if not self._inbox:
                    return over
                item = self._inbox[0]
                if (isinstance(item, AudioChunk) and until_ns is not None
                        and item.stamp_ns > until_ns):
                    return over
                self._inbox.popleft()
            if isinstance(item, AudioChunk):
                over += self._hear_chunk(item)
            else:
                self._releasing = self._held and not item
                self._held = item or self._releasing

    @property
    def due(self) -> bool:
        """True when something was said that was not read yet, and it is time to."""
        now = self._open
        if now is not None and now.stream is not None:
            return self._heard.until_ns > now.read_at_ns
        if now is None or now.spoken_ns < READ_FROM_NS:
            return False
        if self.pausing and self._closes:
            return now.closed_ns < now.speech_ns
        if now.speech_ns <= now.read_ns:
            return False
        if self.pausing:
            return True
        early = self._heard.until_ns - now.start_ns <= EARLY_NS + LEAD_NS
        return self._heard.until_ns - now.read_at_ns >= self._period_ns // (2 if early else 1)

    @property
    def pausing(self) -> bool:
        """True where who spoke is silent now, so that what is read may become final."""
        return self._open is not None and self._silence_ns(self._open) >= PAUSE_NS

    @property
    def judge_failure(self) -> str:
        """Why no voice is judged any more; empty while all is well."""
        return self._pauses.failure

    def finish(self) -> list[OverSpan]:
        """End the utterance that goes on, as at the end of a stream."""
        by = 'push_to_talk' if self._held else 'silence'
        self._held, self._releasing = self._held and not self._releasing, False
        return self._close(by) if self._open is not None else []

    def read(self) -> WordsShown | None:
        """Read the window; None where nothing new can be shown. Raises what the reader raises."""
        now = self._open
        if now is None:
            return None
        closed = self.pausing and self._closes
        agreed = [] if closed else now.agreement.stable
        since_ns = now.read_at_ns
        now.begin_reading(self._heard.until_ns, closed=closed)
        read = self._read_on(now, since_ns, closed=closed)
        if read.doubt:
            return None
        shown = now.take(read, agreed=len(agreed), closed=closed)
        if now.stream is None:
            now.cut_window(self._heard.until_ns)
        return shown

    def _read_on(self, now: OpenUtterance, since_ns: int, *, closed: bool) -> WindowReading:
        """Return what the reader makes of the window, or of what came since it heard last."""
        if isinstance(self._reader, StreamReader):
            now.stream = now.stream or self._reader.open_stream()
            now.stream.push(self._heard.cut_out(since_ns, self._heard.until_ns))
            return now.stream.read(now.agreement.stable)
        samples = self._heard.cut_out(
            now.window_ns, min(self._heard.until_ns, now.speech_ns + LEAD_NS))
        if closed:
            assert isinstance(self._reader, ClosingReader), 'nobody else closes'
            return self._reader.read_closed(samples, before=now.agreement.past,
                                            language=self._language)
        return self._reader.read_window(
            samples, agreed=now.agreement.stable, before=now.agreement.past,
            language=self._language or now.language)

    def settle(self, end_ns: int) -> str | None:
        """
        Take it that all speech up to a time is final; return the name of that utterance.

        What is said after it is another utterance. None where no words of it were shown.
        """
        now = self._open
        if self._is_held_over(end_ns):
            return None
        self._settled_ns, self._settled_by = max(self._settled_ns, end_ns), 'model'
        if now is None or now.start_ns >= end_ns:
            return None
        goes_on = now.speech_ns > end_ns + CUT_PAUSE_NS
        name = now.name if now.revision else None
        self._open = None
        if goes_on:
            self._begin(end_ns, now.speech_ns)
        return name

    def rest_of(self, start_ns: int, end_ns: int) -> tuple[int, int] | None:
        """
        Return what of a span is not final yet; None where nobody spoke in the rest.

        Nor is anything left where a button that is held makes one utterance of it.
        """
        if self._is_held_over(end_ns):
            return None
        if start_ns >= self._settled_ns:
            return start_ns, end_ns
        if end_ns <= self._settled_ns or self._speech_ns <= self._settled_ns:
            return None
        return self._settled_ns, end_ns

    def read_of(self, end_ns: int) -> tuple[ClosedReading | None, ClosedReading | None]:
        """
        Return what was read of the utterance that a span up to a time ends.

        First as if it were over, then what was shown of it; None: nothing.
        """
        now = self._open
        if now is None or now.speech_ns > end_ns or now.start_ns >= end_ns:
            return None, None
        return now.reading, now.shown

    @property
    def settled_by(self) -> str:
        """What ended the newest utterance that is final: model, silence, pause, push_to_talk."""
        return 'push_to_talk' if self._held else self._settled_by

    def _is_held_over(self, end_ns: int) -> bool:
        return self._held and self._open is not None and self._open.start_ns < end_ns

    def _silence_ns(self, now: OpenUtterance) -> int:
        return self._heard.until_ns - now.speech_ns

    def _hear_chunk(self, chunk: AudioChunk) -> list[OverSpan]:
        over: list[OverSpan] = []
        if not self._heard.follows(chunk):
            over = self.finish()
            settled = self._settled_ns if chunk.stamp_ns > self._heard.until_ns else 0
            by = self._settled_by
            self._start_anew()
            self._settled_ns, self._settled_by = settled, by
        speech = [end_ns for end_ns in self._heard.take(chunk) if end_ns > self._settled_ns]
        if speech:
            self._speech_ns = speech[-1]
        self._note_speech(chunk, speech)
        if self._releasing:
            self._held = self._releasing = False
            over += self._close('push_to_talk', self._heard.until_ns) if self._open else []
        over += self.end()
        now = self._open
        self._heard.keep_from(self._heard.until_ns - 2 * CHUNK_NS if now is None else min(
            now.window_ns, self._heard.until_ns - SOFTEST_NS - CHUNK_NS))
        return over

    def _note_speech(self, chunk: AudioChunk, speech: list[int]) -> None:
        """Take down who speaks in the newest chunk: begin an utterance, or let one grow."""
        length_ns = self._heard.piece_ns * len(speech)
        now = self._open
        if now is not None:
            if speech:
                now.speak(speech[0] - self._heard.piece_ns, speech[-1], length_ns)
        elif self._held:
            self._begin(chunk.stamp_ns, speech[-1] if speech else chunk.stamp_ns, length_ns)
        elif length_ns >= LEAST_NS:
            self._begin(speech[0] - self._heard.piece_ns - LEAD_NS, speech[-1], length_ns)

    def _begin(self, start_ns: int, speech_ns: int, spoken_ns: int | None = None) -> None:
        start_ns = max(start_ns, self._settled_ns, self._heard.oldest_ns)
        self._count += 1
        self._open = OpenUtterance(
            name=f'{self._run}-{self._count}-words', start_ns=start_ns, window_ns=start_ns,
            speech_ns=speech_ns, read_at_ns=start_ns,
            spoken_ns=max(0, speech_ns - start_ns) if spoken_ns is None else spoken_ns)

    def end(self) -> list[OverSpan]:
        """Return the utterance where it is over by what was heard and read of it by now."""
        now = self._open
        if now is None:
            return []
        silence_ns, length_ns = self._silence_ns(now), self._heard.until_ns - now.start_ns
        if length_ns >= LONGEST_NS:
            softest_ns = self._heard.find_softest()
            over = self._close('pause', softest_ns)
            self._begin(softest_ns, now.speech_ns)
            return over
        if self._held:
            return []
        if self._reader_ends and now.stream is not None and now.stream.over:
            return self._close('silence')
        if silence_ns >= self._pauses.wait_ns(
                now, silence_ns=silence_ns, cut_out=lambda: self._heard.cut_out(
                    max(now.start_ns, self._heard.oldest_ns), self._heard.until_ns),
                read=now.reading is not None if self._closes else now.read_ns == now.speech_ns):
            return self._close('silence')
        if length_ns >= CUT_FROM_NS and silence_ns >= CUT_PAUSE_NS:
            return self._close('pause')
        return []

    def _close(self, by: str, end_ns: int | None = None) -> list[OverSpan]:
        """End the utterance, where its speech ended if no other time is given."""
        now, self._open = self._open, None
        assert now is not None, 'an utterance is open'
        if end_ns is None:
            end_ns = min(self._heard.until_ns, now.speech_ns + CUT_PAUSE_NS)
        self._settled_ns, self._settled_by = max(self._settled_ns, end_ns), by
        if now.spoken_ns < (READ_FROM_NS if by != 'push_to_talk' else 1):
            return []
        whole = end_ns >= now.speech_ns  # else its reading has words of what follows
        return [OverSpan(utterance_id=now.name, start_ns=now.start_ns, end_ns=end_ns, ended_by=by,
                         reading=now.reading if whole else None,
                         shown=now.shown if whole else None)]
