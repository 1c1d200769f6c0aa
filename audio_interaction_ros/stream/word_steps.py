"""
One step after the other of words while they are spoken: hear a part, read, make finals.

Owns their order, so that it is the same without ROS and in the nodes, and what a fault costs: its
words only. How fast it may read, and where the words go, is whose who takes the steps.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from audio_interaction_ros.runtimes.base import Transcriber
from audio_interaction_ros.stream.final_text import Draft, FinalText, nobody
from audio_interaction_ros.stream.final_words import finish_span
from audio_interaction_ros.stream.live_words import LiveWords, OverSpan
from audio_interaction_ros.stream.span_reader import SpanReader
from audio_interaction_ros.stream.spoken_word import WordsShown

__all__ = ['WordsFinal', 'finish_all', 'take_back', 'take_steps']

Tell = Callable[[str, Exception], object]
"""Takes what failed, and with what."""


@dataclass(frozen=True, kw_only=True)
class WordsFinal:
    """An utterance that is over, and what became of it."""

    span: OverSpan
    text: FinalText


def take_steps(live: LiveWords, reader: SpanReader, transcriber: Transcriber, tell: Tell, *,
               read: Callable[[], WordsShown | None]) -> Iterator[WordsShown | WordsFinal]:
    """
    Hear all parts that came; yield what is read of each, and the finals of what ended with it.

    ``read`` is called where the speech is due to be read, and reads it with ``live.read`` or not;
    what it raises is told, and the words come with the next reading or the final.
    """
    while (over := live.hear()) is not None:
        shown = None
        if live.due:
            try:
                shown = read()
            except Exception as error:  # noqa: BLE001 - the final is still to come
                tell('reading speech that goes on failed', error)
        if shown is not None:
            yield shown
        yield from finish_all([*over, *live.end()], reader, transcriber, tell)


def finish_all(spans: Iterable[OverSpan], reader: SpanReader, transcriber: Transcriber,
               tell: Tell) -> Iterator[WordsFinal]:
    """Yield what becomes final of utterances that are over; where that fails, no text."""
    for span in spans:
        final = take_back(span)
        if span.ended_by != 'reset':
            try:
                final = WordsFinal(span=span, text=finish_span(span, reader, transcriber))
            except Exception as error:  # noqa: BLE001 - what was shown must come to an end
                tell('second pass failed, an utterance has no text', error)
        yield final


def take_back(span: OverSpan) -> WordsFinal:
    """Return a final without text: nobody shall wait for the words, nor act on half of them."""
    return WordsFinal(span=span, text=nobody(Draft(
        text='', confidence=0.0, start_ns=span.start_ns, end_ns=span.end_ns)))
