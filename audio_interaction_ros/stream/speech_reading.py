"""
Speech that goes on, read again and again: when that is due, and what of it is read.

Owns the pace, and the window that is cut out for a reader; one that hears each sample once gets
what came since. Knows neither when an utterance begins nor when it is over.
"""

from audio_interaction_ros.runtimes.base import (
    ClosingReader,
    ContinuingReader,
    StreamReader,
    WindowReader,
    WindowReading,
)
from audio_interaction_ros.stream.open_utterance import OpenUtterance
from audio_interaction_ros.stream.speech_heard import SpeechHeard
from audio_interaction_ros.stream.spoken_word import WordsShown

__all__ = ['LEAD_NS', 'READ_FROM_NS', 'SpeechReading']

NS = 1_000_000_000
READ_FROM_NS = 300_000_000
"""Less speech than this in an utterance is not read."""
LEAD_NS = 400_000_000
"""What is read before the first speech that was heard, so that no soft sound is cut off."""
PAUSE_NS = 200_000_000
"""After so much silence what was said is read as if it were over."""
EARLY_NS = 2 * NS
"""So long into an utterance it is read twice as often: what is short has few readings."""


class SpeechReading:
    """
    Reads the utterance that is open, of the audio in ``heard``.

    Only what a ClosingReader reads in a pause may become final as it is.
    """

    def __init__(self, reader: WindowReader | StreamReader, heard: SpeechHeard, *,
                 period_s: float, language: str) -> None:
        """Read each ``period_s`` of speech; a language (ISO 639-1) that is empty is any."""
        self._reader, self._heard = reader, heard
        self._closes = isinstance(reader, ClosingReader)
        self._period_ns, self._language = round(period_s * NS), language

    def is_due(self, now: OpenUtterance) -> bool:
        """Tell whether something was said that was not read yet, and it is time to."""
        if now.stream is not None:
            return self._heard.until_ns > now.read_at_ns
        if now.spoken_ns < READ_FROM_NS:
            return False
        if self.is_pausing(now) and self._closes:
            return now.closed_ns < now.speech_ns
        if now.speech_ns <= now.read_ns:
            return False
        if self.is_pausing(now):
            return True
        early = self._heard.until_ns - now.start_ns <= EARLY_NS + LEAD_NS
        return self._heard.until_ns - now.read_at_ns >= self._period_ns // (2 if early else 1)

    def is_pausing(self, now: OpenUtterance) -> bool:
        """Tell whether who spoke is silent now, so that what is read may become final."""
        return self._heard.until_ns - now.speech_ns >= PAUSE_NS

    def is_read(self, now: OpenUtterance) -> bool:
        """Tell whether all that was said is read, so that it could be over with that."""
        return now.reading is not None if self._closes else now.read_ns == now.speech_ns

    def read(self, now: OpenUtterance) -> WordsShown | None:
        """Read the window; None where nothing new can be shown. Raises what the reader raises."""
        closed = self.is_pausing(now) and self._closes
        fresh = closed or self._closes and now.begins_anew(self._heard.until_ns)
        agreed = 0 if fresh else len(now.agreement.stable)
        since_ns = now.read_at_ns
        now.begin_reading(self._heard.until_ns, closed=closed)
        read = self._read_on(now, since_ns, fresh=fresh)
        if closed:
            read = self._read_behind(now, read)
        shown = None if read.doubt else now.take(read, agreed=agreed, fresh=fresh, closed=closed)
        if now.stream is None:
            now.cut_window(self._heard.until_ns)
        return shown

    def _read_behind(self, now: OpenUtterance, alone: WindowReading) -> WindowReading:
        """Return what goes on from what is final, where that helps, or what was read alone."""
        said = now.said_before
        if (said is None or not isinstance(self._reader, ContinuingReader)
                or now.closing_ns > now.start_ns
                or not said.helps(alone, now.start_ns, now.speech_ns)):
            return alone
        behind = self._reader.read_after(
            self._heard.cut_out(said.start_ns, min(self._heard.until_ns, now.speech_ns + LEAD_NS)),
            after=said.words, language=said.language)
        return said.choose(alone, behind, now.start_ns)

    def _read_on(self, now: OpenUtterance, since_ns: int, *, fresh: bool) -> WindowReading:
        """Return what the reader makes of the window, or of what came since it heard last."""
        if isinstance(self._reader, StreamReader):
            now.stream = now.stream or self._reader.open_stream()
            now.stream.push(self._heard.cut_out(since_ns, self._heard.until_ns))
            return now.stream.read(now.agreement.stable)
        samples = self._heard.cut_out(now.closing_ns if fresh else now.window_ns,
                                      min(self._heard.until_ns, now.speech_ns + LEAD_NS))
        if fresh:
            assert isinstance(self._reader, ClosingReader), 'nobody else closes'
            return self._reader.read_closed(samples, before=now.kept,
                                            language=self._language)
        return self._reader.read_window(
            samples, agreed=now.agreement.stable, before=now.agreement.past,
            language=self._language or now.language)
