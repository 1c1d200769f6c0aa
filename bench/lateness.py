"""
What a timeline says of latency: decisions, first words, stalls.

Owns the definitions (docs/latency.md). A stall is counted over chunks, not over decisions, so that
a backlog that is read at once does not hide how late its oldest chunk was.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from audio_interaction_ros.stream.events import (
    Event,
    ReplyFinished,
    ReplyStarted,
    ReplyText,
    ReplyWithheld,
    Silence,
)
from bench.measure import Figure, spread
from bench.timeline import Timeline
from measure.intervals import Estimate, bootstrap

__all__ = ['Lateness', 'figures_of', 'judge', 'stall_share']

_PIECE_S = 10.0
"""What is late makes its neighbours late, so intervals are drawn over pieces of the stream."""


@dataclass
class Lateness:
    """Seconds of each kind, over all lanes of a stream."""

    first_chunk: list[float] = field(default_factory=list)
    """From the end of the first chunk to its decision, one of each lane."""
    decisions: list[tuple[float, float]] = field(default_factory=list)
    """(end of the chunk, seconds to its decision) of lanes that were listening all the while."""
    first_text: list[float] = field(default_factory=list)
    """From the end of the chunk on which a lane decided to respond to its first text."""
    resuming: list[float] = field(default_factory=list)
    """From the end of a reply to the first decision that covers all that waited by then."""
    idle: list[tuple[float, bool]] = field(default_factory=list)
    """(end, whether it stalled) of each chunk that came to a lane that was listening."""
    unheard: int = 0
    """Chunks that no decision of a lane covers, for the queue dropped them or the stream ended."""


def judge(seen: Timeline, chunks: int) -> Lateness:
    """Return what is late in a timeline of so many chunks."""
    found, lanes = Lateness(), dict[str, list[tuple[float, Event]]]()
    for at, event in seen.events:
        if event.lane:
            lanes.setdefault(event.lane, []).append((at, event))
    for happened in lanes.values():
        _judge_lane(happened, found, chunks, seen.chunk_s)
    return found


def _judge_lane(happened: Sequence[tuple[float, Event]], found: Lateness, chunks: int,
                chunk_s: float) -> None:
    ends = (np.arange(chunks) + 1) * chunk_s
    decided = np.full(chunks, np.inf)
    spoken: list[tuple[float, float]] = []
    covered, started, resumes, speaks = 0, 0.0, -1.0, ''
    for at, event in happened:
        match event:
            case Silence() | ReplyStarted():
                decided[covered:event.seq + 1] = at
                covered, end = event.seq + 1, (event.seq + 1) * chunk_s
                if resumes < 0:
                    found.decisions.append((end, at - end))
                elif end + chunk_s > resumes:
                    found.resuming.append(at - resumes)
                    resumes = -1.0
                if isinstance(event, ReplyStarted):
                    started, speaks = at, event.reply_id
                    trigger = end
            case ReplyText() if speaks:
                found.first_text.append(at - trigger)
                speaks = ''
            case ReplyFinished() | ReplyWithheld():
                spoken.append((started, at))
                # Where nothing waits the lane listens at once.
                resumes, speaks = (at if (covered + 1) * chunk_s <= at else -1.0), ''
    if chunks:
        found.first_chunk.append(float(decided[0] - ends[0]))
    idle = np.ones(chunks, bool)
    for begin, end in spoken:
        idle &= (ends < begin) | (ends > end)
    late = decided - ends > chunk_s
    found.idle += [(float(end), bool(stalled)) for end, stalled in
                   zip(ends[idle], late[idle], strict=True)]
    found.unheard += int(np.isinf(decided).sum())


def stall_share(late: Lateness) -> Estimate:
    """Return the share of chunks that stalled, with its interval over pieces of the stream."""
    return bootstrap(_pieces(late.idle), lambda drawn: float(np.mean(np.concatenate(drawn))))


def _p95(late: Lateness) -> Estimate:
    return bootstrap(_pieces([(end, 1000 * seconds) for end, seconds in late.decisions]),
                     lambda drawn: float(np.percentile(np.concatenate(drawn), 95)))


def _pieces(timed: Sequence[tuple[float, float]]) -> list[list[float]]:
    """Return what happened at seconds of the stream, one list for each piece of it."""
    pieces: dict[int, list[float]] = {}
    for at, value in timed:
        pieces.setdefault(int(at / _PIECE_S), []).append(value)
    return list(pieces.values())


def figures_of(seen: Timeline) -> list[Figure]:
    """Return the table of a timeline."""
    chunks = len(seen.encoder_s)
    late = judge(seen, chunks)
    made = [spread('first chunk: decision after its end', _ms(late.first_chunk))]
    if late.decisions:
        interval = _p95(late)
        made.append(spread(
            'decision after the end of its chunk', _ms([each for _, each in late.decisions]),
            note=f'p95 [{interval.low:.0f}, {interval.high:.0f}]',
            series=[(end, 1000 * each) for end, each in late.decisions]))
    for what, seconds in (('response delay: first text', late.first_text),
                          ('resuming after a reply', late.resuming)):
        if seconds:
            made.append(spread(what, _ms(seconds)))
    share = stall_share(late)
    stalls = sum(stalled for _, stalled in late.idle)
    made += [
        Figure(what='stalls', unit='%', value=100 * share.value, samples=len(late.idle), goal=0,
               note=f'{stalls} chunks of lanes that listened '
               f'[{100 * share.low:.1f}, {100 * share.high:.1f}]'),
        Figure(what='deepest queue', unit='chunks', samples=chunks,
               value=max((depth for _, depth in seen.waiting), default=0),
               note=f'{seen.dropped} dropped, {late.unheard} without a decision'),
        *(Figure(what=f'real-time factor, {what}', unit='', value=spent / (chunks * seen.chunk_s))
          for what, spent in (('encoder', sum(seen.encoder_s)),
                              ('decoder', sum(each for _, each in seen.passes))))]
    return made


def _ms(seconds: Sequence[float]) -> list[float]:
    return [1000 * each for each in seconds]
