"""
What one trained model decides and says on one held-out lane, as counts.

Owns what an event is and when it was answered rightly. Every decision is taken after what was due
before it, so one mistake does not make the next. Intervals are ``figures``'.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from train.records import Reply, Stream
from train.responses import reply_chunk
from train.trainer.batch import collate
from train.trainer.data import Samples, SampleSpan
from train.trainer.evaluate import predict
from train.trainer.loss import IGNORE, RESPOND
from train.trainer.model import Trainee

__all__ = ['ASSISTANT', 'LaneCounts', 'count_events', 'count_reviews', 'score_samples']

ASSISTANT = 'assistant'
"""The lane that decides for itself whether to speak; the others write what is said."""
TOLERANCE_S = 0.4
"""As long before and after the chunk that is due a reply still counts; at least a chunk."""
HAPPENING = ('foreground', 'background')


@dataclass(frozen=True, kw_only=True)
class LaneCounts:
    """Counts of one lane over one held-out sample."""

    stream: str
    lane: str
    first: int
    """First chunk of the sample in its stream."""
    events: int = 0
    """Of the assistant: sounds that happened and sentences, answered or not."""
    events_right: int = 0
    events_due: int = 0
    """Events to be answered: what is left is right if nobody ever speaks."""
    calm_events: int = 0
    """Events of samples in which nothing is to be said."""
    calm_right: int = 0
    respond_due: int = 0
    respond_right: int = 0
    silence_due: int = 0
    silence_right: int = 0
    text: int = 0
    """Ids of replies: tone, words and the end."""
    text_right: int = 0
    review: int = 0
    """Ids of answers about an earlier turn."""
    review_right: int = 0


def count_events(stream: Stream, replies: Sequence[Reply], first: int, given: np.ndarray
                 ) -> tuple[int, int, int]:
    """
    Return how many events ended in a sample, how many were met rightly, how many have a reply.

    ``given`` [chunks] bool says after which chunk, from ``first`` on, the lane spoke. An event
    with a reply is met when the lane spoke at the reply's chunk or just beside it (TOLERANCE_S);
    any other when the lane was silent from its onset until as long after its end, chunks beside a
    reply aside.
    """
    size = stream.chunk_size
    beside = max(1, round(TOLERANCE_S / size.s))
    spoke = {int(chunk) + first for chunk in np.flatnonzero(given)}
    expected = {reply.event: reply.chunk for reply in replies}
    near = {chunk + step for chunk in expected.values()
            for step in range(-beside, beside + 1)}
    right, answered = [], 0
    for index, event in enumerate(stream.events):
        last = reply_chunk(event.end_s, size=size)
        if event.role not in HAPPENING or not first <= last < first + len(given):
            continue
        if index in expected:
            answered += 1
            due = expected[index]
            right.append(any(abs(chunk - due) <= beside for chunk in spoke))
        else:
            during = set(range(reply_chunk(event.start_s, size=size), last + beside + 1))
            right.append(not spoke & (during - near))
    return len(right), sum(right), answered


def count_reviews(replies: Sequence[Reply], lengths: Sequence[int], right: np.ndarray
                  ) -> tuple[int, int]:
    """
    Return ids of answers about an earlier turn, and how many were predicted.

    ``lengths`` are the ids of each reply, ``right`` [sum of lengths] bool.
    """
    parts = np.split(right, np.cumsum(lengths)[:-1]) if len(lengths) else []
    about = [part for reply, part in zip(replies, parts, strict=True)
             if reply.review_of is not None]
    return sum(map(len, about)), int(sum(part.sum() for part in about))


def score_samples(trainee: Trainee, samples: Samples) -> Iterator[LaneCounts]:
    """Yield the counts of every held-out sample, in order."""
    trainee.eval()
    device = next(trainee.parameters()).device
    for number, span in enumerate(samples.items):
        batch = collate([samples[number]], trainee.config.token_ids.pad).to(device)
        given, words = (part.cpu().numpy() for part in predict(trainee, batch))
        control, text = (labels[labels != IGNORE].cpu().numpy()
                         for labels in (batch.control, batch.text))
        yield _count(span, samples, given, control == RESPOND, words == text)


def _count(span: SampleSpan, samples: Samples, given: np.ndarray, due: np.ndarray,
           right: np.ndarray) -> LaneCounts:
    lengths = [len(samples.encode(reply.text)) + 2 for reply in span.replies]  # tone and end
    review, review_right = count_reviews(span.replies, lengths, right)
    events, met, answered = (count_events(span.stream, span.replies, span.first, given)
                             if span.lane == ASSISTANT else (0, 0, 0))
    calm = not span.replies
    return LaneCounts(
        stream=span.stream.id, lane=span.lane, first=span.first, events=events,
        events_right=met, events_due=answered, calm_events=events if calm else 0,
        calm_right=met if calm else 0, respond_due=int(due.sum()),
        respond_right=int((due & given).sum()), silence_due=int((~due).sum()),
        silence_right=int((~due & ~given).sum()), text=len(right), text_right=int(right.sum()),
        review=review, review_right=review_right)


