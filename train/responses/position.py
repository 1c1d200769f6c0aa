"""
After which chunk a lane speaks, and which words it has to say there.

The rule is the release's: a reply to what ended after E whole frames of 40 ms stands on chunk
floor(E / 10) of 0.4 s, the first chunk that ends strictly later; at whole frames that is 40 to
400 ms after the end. At most one reply per chunk.
"""

import unicodedata
from collections.abc import Iterable, Mapping, Sequence

from audio_interaction_ros.protocol import RELEASED_CHUNK, ChunkSize, Emotion
from train.records import Event, Reply
from train.responses.language import ResponsesError

__all__ = ['alert_replies', 'asr_replies', 'join_words', 'reply_chunk', 'reply_delay_s',
           'translation_replies']

FRAMES_PER_S = 25
_MELS_PER_FRAME = 4
_ROUNDING = 1e-6
ALERT_ROLES = ('foreground', 'background')
"""Roles of sounds that happen; ambient and noise span the stream and are no events."""


def reply_chunk(end_s: float, *, least_delay_s: float = 0.0,
                size: ChunkSize = RELEASED_CHUNK) -> int:
    """
    Return the chunk, from 0, after which something that ended at ``end_s`` is answered.

    ``least_delay_s`` asks for a later decision: replies fixed 80 ms after speech taught the
    model to stay silent, 120 to 240 ms did not (docs/tokens.md). Raises ResponsesError for a
    negative or not finite time.
    """
    at = end_s + least_delay_s
    if not (0 <= end_s < float('inf') and 0 <= least_delay_s < float('inf')):
        raise ResponsesError(f'expected an end of 0 s or later and a delay of 0 s or more, got '
                             f'{end_s} and {least_delay_s}; correct the event')
    return int(at * FRAMES_PER_S + _ROUNDING) * _MELS_PER_FRAME // size.frames


def reply_delay_s(end_s: float, chunk: int, *, size: ChunkSize = RELEASED_CHUNK) -> float:
    """Return how long after ``end_s`` the decision after a chunk falls."""
    return (chunk + 1) * size.s - end_s


def asr_replies(words: Sequence[tuple[str, float]], *, event: int | None = None,
                least_delay_s: float = 0.0,
                size: ChunkSize = RELEASED_CHUNK) -> tuple[Reply, ...]:
    """Return one reply per chunk in which words ended, with these words; (word, end s) each."""
    return _by_chunk(((reply_chunk(end, least_delay_s=least_delay_s, size=size), word, 'normal',
                       event) for word, end in words))


def translation_replies(phrases: Sequence[tuple[str, float]], *, event: int | None = None,
                        least_delay_s: float = 0.0,
                        size: ChunkSize = RELEASED_CHUNK) -> tuple[Reply, ...]:
    """Return one reply at the end of each phrase; (translated phrase, end s of its source)."""
    return asr_replies(phrases, event=event, least_delay_s=least_delay_s, size=size)


def alert_replies(events: Sequence[Event], critical: Mapping[str, tuple[str, str]], *,
                  latest_s: float | None = None,
                  size: ChunkSize = RELEASED_CHUNK) -> tuple[Reply, ...]:
    """
    Return an alert for every event of a safety-critical label; all other events get none.

    ``critical``: label -> (text, emotion). ``latest_s`` alerts at most so long after the onset,
    for alarms that sound on and on; the paper waits for the end. Of alerts on one chunk the
    texts are joined and the most pressing emotion wins.
    """
    due = []
    for index, event in enumerate(events):
        if event.clip.label in critical and event.role in ALERT_ROLES:
            end = event.end_s if latest_s is None else min(event.end_s, event.start_s + latest_s)
            due.append((reply_chunk(end, size=size), *critical[event.clip.label], index))
    return _by_chunk(due)


def _by_chunk(due: Iterable[tuple[int, str, str, int | None]]) -> tuple[Reply, ...]:
    """Join what is due on one chunk; the first one names the event."""
    chunks: dict[int, list[tuple[str, str, int | None]]] = {}
    for chunk, text, emotion, event in due:
        if text.strip():
            chunks.setdefault(chunk, []).append((text.strip(), emotion, event))
    return tuple(
        Reply(chunk=chunk, text=join_words([text for text, _, _ in parts]),
              emotion=max((emotion for _, emotion, _ in parts),
                          key=lambda name: Emotion[name.upper()]), event=parts[0][2])
        for chunk, parts in sorted(chunks.items()))


def join_words(words: Sequence[str]) -> str:
    """Return words as running text: spaces between them, none beside Chinese or Japanese."""
    text = ''
    for word in words:
        close = not text or _is_wide(text[-1]) or _is_wide(word[0])
        text += word if close else f' {word}'
    return text


def _is_wide(character: str) -> bool:
    return unicodedata.east_asian_width(character) in 'WF'
