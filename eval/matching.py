"""
What counts as a detection, a repeat and a false alarm. The only place that says so.

A *reply* is one answer of the assistant lane, at the end of the chunk that it was decided on. An
*event* is a sound that ought to be answered, from the onset to the end of what is heard of it.

1. The window of an event is (onset, end + GRACE_S]. A reply at the onset itself cannot have heard
   it. Whatever is said two seconds after the end is too late to be an answer.
2. A reply is an *alarm* when it carries an alert label or is urgent, otherwise *chatter*.
3. An alarm inside one or more windows belongs to one event: among those that have none yet, to one
   that it names, else to the one that began last; where all have one, to the one that began last.
4. The first alarm of an event is its *detection*; it is *named* when it carries a label that is
   right for the event. Each further alarm of the event is a *repeat*: neither good nor bad.
5. An alarm outside every window, and chatter anywhere, is *false*. False alarms per hour count an
   alarm only when BURST_S have passed since the last counted one, as the alert policy merges what
   comes sooner; a model that never stops gets 360 per hour.

Knows no model, no audio and no metric. Times are seconds of the stream.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

__all__ = ['BURST_S', 'GRACE_S', 'Matches', 'GivenReply', 'ExpectedEvent', 'count_bursts', 'match']

GRACE_S = 2.0
BURST_S = 10.0


@dataclass(frozen=True, kw_only=True)
class ExpectedEvent:
    """An event that ought to be answered."""

    label: str
    start: float
    end: float
    accepts: frozenset[str] = frozenset()
    """Alert labels that name it."""


@dataclass(frozen=True, kw_only=True)
class GivenReply:
    """A reply of the assistant lane."""

    at: float
    """End of the chunk that it was decided on."""
    labels: frozenset[str] = frozenset()
    """Alert labels that its text carries."""
    urgent: bool = False
    text: str = ''

    @property
    def alarm(self) -> bool:
        """Tell whether it raises an alert."""
        return bool(self.labels) or self.urgent


@dataclass
class Matches:
    """The replies of a stream, told apart."""

    detections: list[GivenReply | None]
    """Per event its first alarm."""
    repeats: list[GivenReply] = field(default_factory=list)
    false: list[GivenReply] = field(default_factory=list)

    def tell_named(self, events: Sequence[ExpectedEvent]) -> list[bool]:
        """Tell per event whether its detection names it."""
        return [said is not None and bool(said.labels & event.accepts)
                for said, event in zip(self.detections, events, strict=True)]


def match(events: Sequence[ExpectedEvent], replies: Sequence[GivenReply]) -> Matches:
    """Give every reply to an event or to none, in the order of time."""
    matches = Matches(detections=[None] * len(events))
    for reply in sorted(replies, key=lambda said: said.at):
        inside = [i for i, event in enumerate(events)
                  if reply.alarm and event.start < reply.at <= event.end + GRACE_S]
        if not inside:
            matches.false.append(reply)
            continue
        free = [i for i in inside if matches.detections[i] is None]
        if not free:
            matches.repeats.append(reply)
            continue
        named = [i for i in free if reply.labels & events[i].accepts]
        matches.detections[max(named or free, key=lambda i: events[i].start)] = reply
    return matches


def count_bursts(times: Sequence[float], gap: float = BURST_S) -> int:
    """Return how many times count, each at least ``gap`` after the last one that counted."""
    count, last = 0, -gap
    for time in sorted(times):
        if time - last >= gap:
            count, last = count + 1, time
    return count
