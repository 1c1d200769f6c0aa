"""
What becomes final of utterances whose words were shown while they were spoken.

Owns when a text that was read already is taken, and when the audio is read once more: what was
shown then stands where the second reading is in doubt. Without ROS and in the nodes the same.
Knows neither threads nor topics.
"""

from dataclasses import dataclass, replace

from audio_interaction_ros.runtimes.base import Transcriber
from audio_interaction_ros.stream.closed_reading import ClosedReading
from audio_interaction_ros.stream.final_text import Draft, FinalText, nobody, read_again
from audio_interaction_ros.stream.live_words import LiveWords, OverSpan
from audio_interaction_ros.stream.span_reader import SpanReader

__all__ = ['SettledDraft', 'finish_span', 'read_settled', 'settle_draft']


@dataclass(frozen=True, kw_only=True)
class SettledDraft:
    """What is left of what a lane wrote, and what of it is known already."""

    draft: Draft
    """Without what is final already."""
    final: FinalText | None = None
    """What becomes of it; None: it must be read."""
    shown: ClosedReading | None = None
    """What was shown of it while it was spoken; None: nothing."""
    utterance_id: str = ''
    """That of the words that it ends; empty where none were shown."""
    was_final: str = ''
    """What had ended all that it is about (OverSpan.ended_by); empty where something was left."""


def finish_span(span: OverSpan, reader: SpanReader, transcriber: Transcriber) -> FinalText:
    """Return what becomes of an utterance that is over. Raises what the transcriber raises."""
    final = span.reading.as_final(span.end_ns) if span.reading is not None else None
    return _note(final, reader) if final is not None else _read_whole(
        Draft(text='', confidence=0.0, start_ns=span.start_ns, end_ns=span.end_ns),
        span.shown, reader, transcriber)


def settle_draft(live: LiveWords, draft: Draft) -> SettledDraft:
    """Return what is left of a lane's draft; its words are settled from now on."""
    rest, (known, shown) = live.rest_of(draft.start_ns, draft.end_ns), live.read_of(draft.end_ns)
    ended_by = live.settled_by
    name = live.settle(draft.end_ns)
    if rest is None:
        return SettledDraft(draft=draft, final=nobody(draft), was_final=ended_by)
    return SettledDraft(draft=replace(draft, start_ns=rest[0], end_ns=rest[1]),
                        final=known.as_final(draft.end_ns) if known is not None else None,
                        shown=shown, utterance_id=name or '')


def read_settled(settled: SettledDraft, reader: SpanReader, transcriber: Transcriber) -> FinalText:
    """Return what becomes of a draft. Raises what the transcriber raises."""
    if settled.final is not None:
        return _note(settled.final, reader)
    return _read_whole(settled.draft, settled.shown, reader, transcriber)


def _note(final: FinalText, reader: SpanReader) -> FinalText:
    """Return a text that was read already; who translates it need not read it either."""
    reader.note(final.text, final.language, final.confidence, final.start_ns, final.end_ns)
    return final


def _read_whole(draft: Draft, shown: ClosedReading | None, reader: SpanReader,
                transcriber: Transcriber) -> FinalText:
    """
    Return what becomes of an utterance, of which something may have been shown.

    Where that is all there is to hold against a doubtful reading, it stands for the draft.
    """
    if draft.text or shown is None:
        return read_again(reader, transcriber, draft)
    final = read_again(reader, transcriber, replace(
        draft, text=shown.text, confidence=shown.confidence))
    return shown.place(draft.end_ns) if final.source == 'streamed' else final
