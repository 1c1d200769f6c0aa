"""
Sessions to learn from: which lane hears which streams in a row, and what it says.

Owns the draw of lanes and streams, and cutting one event out of a stream. Reads features from
disk as they are drawn; ids are ``train.tokens``'. Knows no model and no loss.
"""

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from audio_interaction_ros.errors import AudioInteractionError
from audio_interaction_ros.protocol import CHUNK_S
from train.edge.feature_folder import read_features
from train.edge.layout import FEATURES, IDS
from train.edge.recipe import Hearing
from train.records import Stream
from train.tokens import Layout, Sample, lay_out_online
from train.tokens.command import LONGEST_CHUNKS, replies_of_lane
from train.trainer.data import SampleSpan

__all__ = ['Item', 'MissingScenesError', 'SessionMixture', 'crop_event', 'draw_batches',
           'lay_out_spans']

SESSIONS = 96
"""Sessions drawn at once and grouped by length."""
ASKED, TOLD = 'asked', 'told'
Heard = tuple[np.ndarray, np.ndarray]
"""Frames [chunks, 5, 4096] and summaries [chunks, 5632], float16."""
Item = tuple[Sample, Heard]
Encode = Callable[[str], list[int]]


class MissingScenesError(AudioInteractionError):
    """A folder holds no stream of a kind that sessions are drawn from; make some."""


def answers_speech(stream: Stream, lane: str) -> bool:
    """Tell whether a lane of a stream answers something that is said."""
    return lane in stream.lanes and any(
        reply.event is not None and stream.events[reply.event].clip.text
        for reply in stream.lanes[lane].replies)


class SessionMixture:
    """
    Streams by what they are drawn as, and lanes that they can teach.

    Without Mandarin those shares go to the others; without a single translated stream there is no
    translation lane.
    """

    def __init__(self, streams: Sequence[Stream], lanes: Mapping[str, Hearing]) -> None:
        """Sort streams; MissingScenesError when a lane would have nothing to hear."""
        self.by_kind: dict[str, list[Stream]] = {}
        for stream in streams:
            self.by_kind.setdefault(stream.task, []).append(stream)
        self.by_kind[ASKED] = [stream for stream in self.by_kind.get('speech', [])
                               if answers_speech(stream, 'assistant')]
        self.by_kind[TOLD] = [stream for kind in ('speech', 'long')
                              for stream in self.by_kind.get(kind, [])
                              if answers_speech(stream, 'translation')]
        # What is said in English beside Mandarin may have no known translation.
        self.by_kind['mandarin'] = [stream for stream in self.by_kind.get('mandarin', [])
                                    if 'translation' in stream.lanes]
        self.lanes = {lane: hearing for lane, hearing in lanes.items()
                      if lane != 'translation' or self.by_kind[TOLD]}
        needed = {kind for lane in self.lanes.values() for kind in lane.hears} - {'mandarin'}
        if missing := sorted(kind for kind in needed if not self.by_kind.get(kind)):
            raise MissingScenesError(
                f'expected streams of {", ".join(sorted(needed))}, found none of '
                f'{", ".join(missing)}; raise their counts in the recipe')

    def draw_lane(self, rng: random.Random) -> str:
        """Draw a lane."""
        return rng.choices(list(self.lanes), [lane.share for lane in self.lanes.values()])[0]

    def draw_answered_kind(self, lane: str, rng: random.Random) -> str:
        """Draw a kind of stream with something that a lane answers to, or must not."""
        if lane == 'assistant':
            return rng.choice(('speech', ASKED, 'alert'))
        if lane == 'transcript':
            return 'speech'
        return rng.choice((TOLD, TOLD, 'mandarin')) if self.by_kind['mandarin'] else TOLD

    def draw_session(self, rng: random.Random) -> list[SampleSpan]:
        """
        Draw a lane and the streams that it hears in a row.

        Sessions of one stream would teach the model when in a stream something happens, not what.
        """
        lane = self.draw_lane(rng)
        weights = {kind: share for kind, share in self.lanes[lane].hears.items()
                   if self.by_kind[kind]}
        kinds = rng.choices(list(weights), list(weights.values()), k=rng.choice((1, 2, 3, 4, 5)))
        spans = [SampleSpan(stream, Path(stream.path), lane, 0,
                            min(stream.chunks, LONGEST_CHUNKS))
                 for stream in (rng.choice(self.by_kind[kind]) for kind in kinds)]
        while len(spans) > 1 and sum(span.chunks for span in spans) > LONGEST_CHUNKS:
            spans.pop()
        return spans


def lay_out_spans(spans: Sequence[SampleSpan], encode: Encode) -> Sample:
    """Return parts of streams, one after the other, as one session of their lane."""
    lanes = [span.stream.lanes[span.lane] for span in spans]
    replies = [said for span, lane in zip(spans, lanes, strict=True)
               for said in replies_of_lane(lane, encode, span.first, span.chunks)]
    return lay_out_online(Layout(IDS, FEATURES), encode(lanes[0].prompt), replies)


def crop_event(stream: Stream, rng: random.Random, lane: str) -> SampleSpan:
    """
    Return one event of a stream alone, from a chunk before it began to after its answer.

    An event that the lane answers to, if there is one.
    """
    chunks = {reply.event: reply.chunk for reply in stream.lanes[lane].replies
              if reply.event is not None}
    there = [index for index, event in enumerate(stream.events) if event.role == 'foreground']
    index = rng.choice(sorted(chunks) or there)
    event = stream.events[index]
    first = max(0, int(event.start_s / CHUNK_S) - 1)
    until = chunks.get(index, int(event.end_s / CHUNK_S) + 1)
    return SampleSpan(stream, Path(stream.path), lane, first,
                      min(stream.chunks, until + 2) - first)


def draw_item(mixture: SessionMixture, folder: Path, encode: Encode, rng: random.Random,
              single: float) -> Item:
    """
    Draw a session; with the probability ``single`` one event alone.

    All lanes hear speech alone: only the prompt tells the one to write and the other to wait.
    """
    if rng.random() < single:
        lane = mixture.draw_lane(rng)
        spans = [crop_event(rng.choice(mixture.by_kind[mixture.draw_answered_kind(lane, rng)]),
                            rng, lane)]
    else:
        spans = mixture.draw_session(rng)
    frames, sound = (np.concatenate(parts) for parts in zip(*(
        read_features(folder, span.stream, span.first, span.first + span.chunks)
        for span in spans), strict=True))
    return lay_out_spans(spans, encode), (frames, sound)


def draw_batches(streams: Sequence[Stream], lanes: Mapping[str, Hearing], folder: Path,
                 encode: Encode, rng: random.Random, single: Callable[[], float],
                 positions: int) -> Iterator[list[Item]]:
    """
    Yield batches of sessions of alike lengths, for ever; ``single`` as in draw_item.

    A batch has at most so many ``positions``, padding included.
    """
    mixture = SessionMixture(streams, lanes)
    while True:
        items = [draw_item(mixture, folder, encode, rng, single()) for _ in range(SESSIONS)]
        items.sort(key=lambda item: len(item[0].ids))
        groups: list[list[Item]] = [[]]
        for item in items:
            if len(groups[-1]) and len(item[0].ids) * (len(groups[-1]) + 1) > positions:
                groups.append([])
            groups[-1].append(item)
        yield from rng.sample(groups, len(groups))
