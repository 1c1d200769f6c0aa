"""
Words while they are spoken: when an utterance begins, and when it is over.

A voice detector hears each part of a chunk; while somebody speaks, the speech is read again and
again (``stream.speech_reading``), and what two readings agree on is stable
(``stream.agreement``). When it is silent the speech is read once more as if it were over, so that
nothing is left to read when it is. Knows neither the model that reads nor who shows the words; how
long silence must last says ``stream.pause_judge``. Audio stays in memory.
"""

from dataclasses import dataclass

from audio_interaction_ros.audio.block import AudioChunk
from audio_interaction_ros.protocol import CHUNK_NS
from audio_interaction_ros.runtimes.base import StreamReader, VoiceListener, WindowReader
from audio_interaction_ros.stream.closed_reading import ClosedReading
from audio_interaction_ros.stream.open_utterance import OpenUtterance
from audio_interaction_ros.stream.pause_judge import PauseJudge
from audio_interaction_ros.stream.said_before import SaidBefore
from audio_interaction_ros.stream.settled_speech import SettledSpeech
from audio_interaction_ros.stream.speech_heard import SOFTEST_NS, SpeechHeard
from audio_interaction_ros.stream.speech_inbox import FORGOTTEN, Item, SpeechInbox
from audio_interaction_ros.stream.speech_reading import LEAD_NS, READ_FROM_NS, SpeechReading
from audio_interaction_ros.stream.spoken_word import WordsShown

__all__ = ['LiveWords', 'OverSpan']

NS = 1_000_000_000
ONSET_NS = 400_000_000
LEAST_NS = 100_000_000
"""Less speech than this in the newest 0.4 s begins no utterance."""
CUT_PAUSE_NS = 300_000_000
"""At so much silence long speech may be cut."""
CUT_FROM_NS, LONGEST_NS = 18 * NS, 26 * NS
"""An utterance as long as the first ends at the next pause, one as long as the second anyhow."""


@dataclass(frozen=True, kw_only=True)
class OverSpan:
    """An utterance that is over, to be made final."""

    utterance_id: str
    start_ns: int
    end_ns: int
    ended_by: str
    """silence, pause (of long speech), push_to_talk, or reset: its audio was forgotten."""
    reading: ClosedReading | None = None
    """What was read of it when it became silent; None: it must be read now."""
    shown: ClosedReading | None = None
    """What was shown of it by then; None: nothing, or words of what follows too."""


class LiveWords:
    """
    One stream's words; ``remember``, ``hold`` and ``forget`` from any thread, the rest from one.

    ``hear`` hears the next part and says which utterances ended, ``due`` whether the speech
    should be read now, ``read`` reads it, and ``end`` says whether it is over by what was read.
    Whoever makes a final of a span of its own says so with ``settle``; its words come no more. A
    StreamReader is given each part as it comes instead of a window again and again.
    """

    def __init__(self, reader: WindowReader | StreamReader, voice: VoiceListener, *,
                 period_s: float, end: PauseJudge, language: str = '',
                 reader_ends: bool = False, run: str = '0') -> None:
        """
        Read each ``period_s`` of speech; ``end`` says how much silence ends an utterance.

        With ``reader_ends`` a StreamReader that takes an utterance to be over ends it too.
        ``run`` begins the names of utterances.
        """
        self._pauses, self._reader_ends, self._run = end, reader_ends, run
        self._inbox = SpeechInbox()
        self._heard = SpeechHeard(voice)
        self._reading = SpeechReading(reader, self._heard, period_s=period_s, language=language)
        self._count = 0
        self._held = self._releasing = False
        self._start_anew()

    def _start_anew(self) -> None:
        self._heard.start_anew()
        self._open: OpenUtterance | None = None
        self._onset: list[int] = []  # ends of the newest pieces of speech, while none is open
        self._settled = SettledSpeech()
        self._said: SaidBefore | None = None  # of the newest utterance that is final

    def remember(self, part: AudioChunk) -> None:
        """Take a part of a chunk in, to be heard later."""
        self._inbox.put(part)

    def hold(self, held: bool) -> None:
        """
        Take it that a button is held, or not any more.

        All from the part that comes next is one utterance, up to the end of the part that comes
        next after the button was let go.
        """
        self._inbox.put(held)

    def forget(self) -> None:
        """Drop all audio and words; a button stays as it is."""
        self._inbox.forget()

    @property
    def behind(self) -> bool:
        """True while something waits to be heard."""
        return len(self._inbox) > 0

    def hear(self) -> list[OverSpan] | None:
        """Hear the next part; return the utterances that ended meanwhile, None: nothing came."""
        over: list[OverSpan] | None = None
        while (item := self._inbox.take()) is not None:
            over = [*(over or ()), *self._hear(item)]
            if isinstance(item, AudioChunk):
                break
        return over

    def _hear(self, item: Item) -> list[OverSpan]:
        if isinstance(item, AudioChunk):
            return self._hear_part(item)
        if item is FORGOTTEN:
            over = self.drop()
            self._start_anew()
            return over
        self._releasing = self._held and not item
        self._held = bool(item) or self._releasing
        return []

    @property
    def due(self) -> bool:
        """True when something was said that was not read yet, and it is time to."""
        return self._open is not None and self._reading.is_due(self._open)

    @property
    def pausing(self) -> bool:
        """True where who spoke is silent now, so that what is read may become final."""
        return self._open is not None and self._reading.is_pausing(self._open)

    @property
    def judge_failure(self) -> str:
        """Why no voice is judged any more; empty while all is well."""
        return self._pauses.failure

    def finish(self) -> list[OverSpan]:
        """End the utterance that goes on, as at the end of a stream."""
        by = 'push_to_talk' if self._held else 'silence'
        self._held, self._releasing = self._held and not self._releasing, False
        return self._close(by) if self._open is not None else []

    def drop(self) -> list[OverSpan]:
        """Let the utterance that goes on come to nothing; return it where words were shown."""
        now, self._open = self._open, None
        return [] if now is None or not now.revision else [OverSpan(
            utterance_id=now.name, start_ns=now.start_ns, end_ns=now.speech_ns,
            ended_by='reset')]

    def read(self) -> WordsShown | None:
        """Read the window; None where nothing new can be shown. Raises what the reader raises."""
        return None if self._open is None else self._reading.read(self._open)

    def settle(self, end_ns: int) -> str | None:
        """
        Take it that all speech up to a time is final; return the name of that utterance.

        What is said after it is another utterance. None where no words of it were shown.
        """
        now = self._open
        if self._is_held_over(end_ns):
            return None
        self._settled.settle(end_ns, 'model')
        if now is None or now.start_ns >= end_ns:
            return None
        goes_on = now.speech_ns > end_ns + CUT_PAUSE_NS
        name = now.name if now.revision else None
        self._said = None if goes_on else SaidBefore.of(now.reading, end_ns)
        self._open = None
        if goes_on:
            self._begin(end_ns, now.speech_ns)
        return name

    def rest_of(self, start_ns: int, end_ns: int) -> tuple[int, int] | None:
        """
        Return what of a span is not final yet; None where nobody spoke in the rest.

        Nor is anything left where a button that is held makes one utterance of it.
        """
        return None if self._is_held_over(end_ns) else self._settled.rest_of(start_ns, end_ns)

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
        return 'push_to_talk' if self._held else self._settled.by

    def _is_held_over(self, end_ns: int) -> bool:
        return self._held and self._open is not None and self._open.start_ns < end_ns

    def _hear_part(self, part: AudioChunk) -> list[OverSpan]:
        over: list[OverSpan] = []
        if not self._heard.follows(part):
            over = self.finish()
            went_on, before = part.stamp_ns > self._heard.until_ns, self._settled
            self._start_anew()
            self._settled.settle(before.until_ns if went_on else 0, before.by)
        speech = self._heard.take(part)
        self._note_speech(part, [at for at in speech if at > self._settled.until_ns])
        if self._releasing:
            self._held = self._releasing = False
            over += self._close('push_to_talk', self._heard.until_ns) if self._open else []
        over += self.end()
        self._heard.keep_from(self._needed_ns)
        return over

    @property
    def _needed_ns(self) -> int:
        """Return the start of the oldest audio that may still be read."""
        now, until_ns = self._open, self._heard.until_ns
        if now is not None:
            return min(now.needed_ns, until_ns - SOFTEST_NS - CHUNK_NS)
        onset_ns, said = until_ns - ONSET_NS - LEAD_NS, self._said
        return min(onset_ns, said.start_ns) if said and said.is_near(onset_ns) else onset_ns

    def _note_speech(self, part: AudioChunk, speech: list[int]) -> None:
        """Take down who speaks in the newest part: begin an utterance, or let one grow."""
        if speech:
            self._settled.speech_ns = speech[-1]
        now, piece_ns = self._open, self._heard.piece_ns
        if now is not None:
            if speech:
                now.speak(speech[0] - piece_ns, speech[-1], piece_ns * len(speech))
            return
        since_ns = max(self._heard.until_ns - ONSET_NS, self._settled.until_ns)
        self._onset = [end_ns for end_ns in (*self._onset, *speech) if end_ns > since_ns]
        length_ns = piece_ns * len(self._onset)
        if self._held:
            self._begin(part.stamp_ns, speech[-1] if speech else part.stamp_ns, length_ns)
        elif length_ns >= LEAST_NS:
            self._begin(self._onset[0] - piece_ns - LEAD_NS, self._onset[-1], length_ns)

    def _begin(self, start_ns: int, speech_ns: int, spoken_ns: int | None = None) -> None:
        start_ns = max(start_ns, self._settled.until_ns, self._heard.oldest_ns)
        self._count, self._onset = self._count + 1, []
        said = self._said
        self._open = OpenUtterance(
            name=f'{self._run}-{self._count}-words', start_ns=start_ns, window_ns=start_ns,
            speech_ns=speech_ns, read_at_ns=start_ns,
            said_before=said if said and said.is_near(start_ns) else None,
            spoken_ns=max(0, speech_ns - start_ns) if spoken_ns is None else spoken_ns)

    def end(self) -> list[OverSpan]:
        """Return the utterance where it is over by what was heard and read of it by now."""
        now, until_ns = self._open, self._heard.until_ns
        if now is None:
            return []
        if until_ns - now.start_ns >= LONGEST_NS:
            softest_ns = self._heard.find_softest()
            over = self._close('pause', softest_ns)
            self._begin(softest_ns, now.speech_ns)
            return over
        if self._held:
            return []
        if self._reader_ends and now.stream is not None and now.stream.over:
            return self._close('silence')
        silence_ns = until_ns - now.speech_ns
        if silence_ns >= self._pauses.wait_ns(
                now, silence_ns=silence_ns, read=self._reading.is_read(now),
                cut_out=lambda: self._heard.cut_out(
                    max(now.start_ns, self._heard.oldest_ns), until_ns)):
            return self._close('silence')
        if until_ns - now.start_ns >= CUT_FROM_NS and silence_ns >= CUT_PAUSE_NS:
            return self._close('pause')
        return []

    def _close(self, by: str, end_ns: int | None = None) -> list[OverSpan]:
        """End the utterance, where its speech ended if no other time is given."""
        now, self._open = self._open, None
        assert now is not None, 'an utterance is open'
        if end_ns is None:
            end_ns = min(self._heard.until_ns, now.speech_ns + CUT_PAUSE_NS)
        self._settled.settle(end_ns, by)
        if now.spoken_ns < (READ_FROM_NS if by != 'push_to_talk' else 1):
            return []
        whole = end_ns >= now.speech_ns  # else its reading has words of what follows
        self._said = SaidBefore.of(now.reading, end_ns) if whole else None
        return [OverSpan(utterance_id=now.name, start_ns=now.start_ns, end_ns=end_ns, ended_by=by,
                         reading=now.reading if whole else None,
                         shown=now.shown if whole else None)]
