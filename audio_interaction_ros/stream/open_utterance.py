"""
An utterance that goes on: how far it was heard and read, and what is shown of it.

Owns its window, which is what is read again and again, what of it is read as if it were over, and
which revision is shown. Knows neither audio nor who reads.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from audio_interaction_ros.runtimes.base import ReadWord, WindowReading, WordStream
from audio_interaction_ros.stream.agreement import Agreement
from audio_interaction_ros.stream.closed_reading import ClosedReading, place_word
from audio_interaction_ros.stream.said_before import SaidBefore
from audio_interaction_ros.stream.spoken_word import WordsShown

__all__ = ['OpenUtterance']

NS = 1_000_000_000
WINDOW_NS = 8 * NS
"""A window that is longer is cut at words that were agreed on."""
KEPT_PAUSE_NS = 800_000_000
"""What was read surely before so long a pause is not read again when somebody speaks on."""
_LEFT_NS, _CUT_OFF_NS = 1_500_000_000, 2 * NS
"""So much stays at least in a window that is cut, and so much goes at least."""
_SHORTEST_REST = 3
"""Letters of a word's end that would be said again behind a cut: "fireplace" and "place"."""


@dataclass(kw_only=True)
class OpenUtterance:
    """All that is known of it; times are nanoseconds of the stream."""

    name: str
    start_ns: int
    window_ns: int
    """Start of the window."""
    speech_ns: int
    """End of the newest speech."""
    spoken_ns: int = 0
    """How much speech there was."""
    said_before: SaidBefore | None = None
    """What ended right before it; None: nothing that was read surely."""
    read_ns: int = 0
    """Up to where speech was read."""
    read_at_ns: int = 0
    """End of the audio when it was read last."""
    closed_ns: int = 0
    """Up to where speech was read as if it were over."""
    closing_ns: int = field(init=False)
    """From where it is so read: all of it, but for what was read anew by then."""
    kept: tuple[ReadWord, ...] = ()
    """What was said before that, by a reading that did not begin with stable words."""
    over: float = 0.0
    """How likely the voice is through; 0 until that was judged."""
    asked_at: list[int] = field(default_factory=list)
    """After how much silence since it spoke last that was judged."""
    stream: WordStream | None = None
    """Of a reader that hears each sample once, which heard up to ``read_at_ns``."""
    revision: int = 0
    language: str = ''
    agreement: Agreement = field(default_factory=Agreement)
    _closed: ClosedReading | None = None
    _fresh: tuple[ReadWord, ...] = ()  # all words by the newest reading, if it began anew
    _shown: str = ''

    def __post_init__(self) -> None:
        """Let all of it be read as if it were over."""
        self.closing_ns = self.start_ns

    @property
    def needed_ns(self) -> int:
        """Start of the oldest audio that may still be read."""
        before = self.start_ns if self.said_before is None else self.said_before.start_ns
        return before if self.closing_ns == self.start_ns else min(
            self.window_ns, self.closing_ns)

    @property
    def reading(self) -> ClosedReading | None:
        """What was read of all its speech as if that were over; None: nothing to be believed."""
        return self._closed if self.closed_ns == self.speech_ns else None

    @property
    def text(self) -> str:
        """All that was read of it, by whatever reading is the newest."""
        return self.reading.text if self.reading is not None else self.agreement.text

    @property
    def shown(self) -> ClosedReading | None:
        """All that is shown of it; None: nothing."""
        words = tuple(self.agreement.words)
        return ClosedReading(words=words, language=self.language,
                             start_ns=self.start_ns) if words else None

    def speak(self, from_ns: int, until_ns: int, spoken_ns: int) -> None:
        """Take it that somebody spoke on: from one time up to another, and for how long in all."""
        if from_ns - self.speech_ns >= KEPT_PAUSE_NS:
            self._keep_read((self.speech_ns + from_ns) // 2)
        self.speech_ns, self.over, self.asked_at = until_ns, 0.0, []
        self.spoken_ns += spoken_ns

    def _keep_read(self, at_ns: int) -> None:
        """Read no more of what is before a pause, where that was read surely."""
        read = self.reading
        if read is None or not read.is_sure:
            return
        self.kept, self.closing_ns = read.words, at_ns
        if self.agreement.has_read(read.words):
            self.agreement.keep_all()
            self.window_ns, self.language = at_ns, read.language

    def begin_reading(self, heard_ns: int, *, closed: bool) -> None:
        """Note that all speech is read now, whatever comes of it."""
        self.read_ns, self.read_at_ns, self._fresh = self.speech_ns, heard_ns, ()
        if closed:
            self.closed_ns, self._closed = self.speech_ns, None

    def begins_anew(self, heard_ns: int) -> bool:
        """
        Tell whether the next reading shall not begin with stable words.

        What a long window is cut behind becomes final, and stable words are those of mid-speech.
        """
        return heard_ns - self.window_ns > WINDOW_NS

    def take(self, read: WindowReading, *, agreed: int, fresh: bool = False,
             closed: bool = False) -> WordsShown | None:
        """
        Take a reading of the window in, which began with ``agreed`` words; return what is new.

        A ``fresh`` one is of all from ``closing_ns`` on; one that is ``closed`` as well may become
        final as it is.
        """
        offset_s = ((self.closing_ns if fresh else self.window_ns) - self.start_ns) / NS
        words = [*read.words[:agreed], *(
            replace(word, start_s=word.start_s + offset_s, end_s=word.end_s + offset_s)
            for word in read.words[agreed:])]
        before = self.kept if fresh else self.agreement.past
        if not agreed and before and words and _is_rest_of(words[0], before[-1]):
            words = words[1:]
        if self.spoken_ns > NS:
            self.language = read.language
        if fresh:
            self._fresh = (*self.kept, *words)
            words = self._find_in_window(self._fresh)
        if closed:
            self._closed = ClosedReading(words=self._fresh, language=read.language,
                                         start_ns=self.start_ns)
        self.agreement.push(words, growing=read.growing)
        return self._show(read.language)

    def _find_in_window(self, words: Sequence[ReadWord]) -> list[ReadWord]:
        """Return those of all words that have not left the window, by text or else by place."""
        gone = self.kept if self.window_ns == self.closing_ns else self.agreement.past
        if [word.text for word in words[:len(gone)]] == [word.text for word in gone]:
            return list(words[len(gone):])
        begin_s = (self.window_ns - self.start_ns) / NS
        return [word for word in words if _middle_s(word) >= begin_s]

    def cut_window(self, heard_ns: int) -> None:
        """Let a long window begin behind a stable word, where the longest pause is."""
        if heard_ns - self.window_ns <= WINDOW_NS:
            return
        stable = self.agreement.stable
        begin_s, end_s = ((at - self.start_ns) / NS for at in (
            self.window_ns + _CUT_OFF_NS, heard_ns - _LEFT_NS))
        places = [place for place, word in enumerate(stable[:-1])
                  if begin_s <= word.end_s and stable[place + 1].start_s <= end_s]
        if not places:
            return
        best = max(places, key=lambda place: _pause_behind(stable, place))
        at_s = (stable[best].end_s + stable[best + 1].start_s) / 2
        self.agreement.cut(best + 1)
        self.window_ns = self.start_ns + round(at_s * NS)
        self._keep_fresh(at_s)

    def _keep_fresh(self, at_s: float) -> None:
        """
        Read no more of what left the window, where it was read anew with the same cut in it.

        Nor with fewer marks, for what follows would be written without them as well.
        """
        count = sum(_middle_s(word) < at_s for word in self._fresh)
        past, gone = self.agreement.past, self._fresh[:count]
        around = [word.text.casefold() for word in self._fresh[max(0, count - 1):count + 1]]
        if (around == [word.text.casefold() for word in (past[-1], self.agreement.stable[0])]
                and _count_marks(gone) >= _count_marks(past)):
            self.kept, self.closing_ns = gone, self.window_ns

    def _show(self, language: str) -> WordsShown | None:
        text, stable = self.agreement.text, self.agreement.stable_text
        mark = f'{len(stable)} {text}'
        if mark == self._shown or not text:
            return None
        self._shown = mark
        shown = WordsShown(
            utterance_id=self.name, revision=self.revision, text=text, stable_length=len(stable),
            words=tuple(place_word(word, self.start_ns) for word in self.agreement.words),
            language=language, start_ns=self.start_ns, end_ns=self.speech_ns)
        self.revision += 1
        return shown


def _is_rest_of(word: ReadWord, last: ReadWord) -> bool:
    """
    Tell whether a word is the end of the last one, through which a window was cut.

    Not behind a mark, which ends a word: "… for everyone. One of them".
    """
    if last.mark:
        return False
    rest, whole = (''.join(filter(str.isalnum, one.text.casefold())) for one in (word, last))
    return len(rest) >= _SHORTEST_REST and rest != whole and whole.endswith(rest)


def _count_marks(words: Sequence[ReadWord]) -> int:
    return sum(bool(word.mark) for word in words)


def _middle_s(word: ReadWord) -> float:
    return (word.start_s + word.end_s) / 2


def _pause_behind(words: Sequence[ReadWord], place: int) -> float:
    """Return seconds of pause behind a word; the end of a sentence counts as half a second."""
    pause = words[place + 1].start_s - words[place].end_s
    return pause + 0.5 * words[place].ends_sentence
