"""One stream: what happened in it, what was said, and what would have been."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from audio_interaction_ros.protocol import CHUNK_S
from eval.matching import ExpectedEvent, GivenReply

__all__ = ['PIECE_S', 'SINGLE', 'StreamOutcome', 'apply_constant', 'end_of']

PIECE_S = 10.0
"""Backgrounds are cut into pieces of this length where a share of silence is counted."""
SINGLE = 'single'
"""Kind of a stream with one harmless sound: of these the share with a false alarm counts."""


@dataclass(frozen=True, kw_only=True)
class StreamOutcome:
    """One stream: what happened, what was said, and what a lane would say that never replies."""

    name: str
    kind: str
    seconds: float
    events: tuple[ExpectedEvent, ...] = ()
    replies: tuple[GivenReply, ...] = ()
    p: tuple[float, ...] = ()
    """p_respond, one value per chunk, of a lane that never replies."""
    asides: tuple[tuple[int, GivenReply, float], ...] = ()
    """What that lane would have said after some chunks, counted from 0, and how sure it was."""
    withheld: int = 0
    """Replies that the lane which replies withheld, being unsure of their words."""
    computing: tuple[float, ...] = ()
    """Per reply, in its order: seconds from the chunk to the first word; () if unknown."""
    group: str = ''
    origin: str = ''
    side: str = ''
    condition: str = ''
    raised: int = 0
    """Alerts that the policy raised."""
    unique_s: float = 0.0
    label: str = ''
    """Of a single sound: what it is."""

    @property
    def pieces(self) -> int:
        """Return how many pieces of PIECE_S a background has."""
        return max(1, int(self.seconds / PIECE_S))


def end_of(chunk: int) -> float:
    """Return when a chunk, counted from 0, is over, and a reply to it may begin."""
    return (chunk + 1) * CHUNK_S


def apply_constant(heard: Sequence[StreamOutcome], respond: bool) -> list[StreamOutcome]:
    """Return the streams as a policy hears them that never, or after every chunk, replies."""
    def make_replies(stream: StreamOutcome) -> tuple[GivenReply, ...]:
        chunks = int(stream.seconds / CHUNK_S) * respond
        return tuple(GivenReply(at=end_of(chunk), urgent=True) for chunk in range(chunks))
    return [replace(stream, replies=make_replies(stream), p=(), asides=(), withheld=0,
                    computing=(), raised=0) for stream in heard]
