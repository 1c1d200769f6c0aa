"""
Streams to samples: what a stage learns from.

Owns which lanes and chunks become samples, and what is left out and why. Token layout comes from
``train.tokens``, mel from ``features``. Knows no model weights.
"""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from audio_interaction_ros.checkpoints.config import CheckpointConfig
from audio_interaction_ros.errors import ConfigurationError
from audio_interaction_ros.protocol import Emotion
from train.records import Lane, RecordError, Reply, Stream, read_records
from train.tokens import Layout, Sample, a_t, a_t_t, lay_out_online, t_t
from train.trainer.features import offline_windows, online_windows, read_chunks, why_unusable
from train.trainer.recipe import Data

__all__ = ['Prepared', 'SampleSpan', 'Samples', 'is_held_out', 'kind_of']

Encode = Callable[[str], list[int]]


@dataclass(frozen=True)
class SampleSpan:
    """One sample to be: chunks ``first`` to ``first + chunks`` of a stream, heard by a lane."""

    stream: Stream
    audio: Path
    lane: str
    first: int
    chunks: int

    @property
    def replies(self) -> tuple[Reply, ...]:
        """Replies that fall into the item."""
        return tuple(reply for reply in self.stream.lanes[self.lane].replies
                     if self.first <= reply.chunk < self.first + self.chunks)


@dataclass(frozen=True)
class Prepared:
    """A sample ready to be batched."""

    sample: Sample
    mel: tuple[np.ndarray, ...]
    """Windows [n, bins, frames] float32, in order of time."""


def kind_of(stream: Stream, lane: Lane) -> str:
    """Return which share of stage four a lane belongs to, '' for none."""
    if any(reply.review_of is not None for reply in lane.replies):
        return 'history_review'
    if not lane.replies:
        return 'silent_verification'
    return 'proactive' if stream.ability == 'proactive' else ''


def is_held_out(stream_id: str, share: float) -> bool:
    """Tell whether a stream is held out: by its id alone, so the same in every run."""
    digest = hashlib.sha256(stream_id.encode()).digest()
    return int.from_bytes(digest[:8], 'big') < share * 2 ** 64


def _why_wrong(stream: Stream) -> str:
    for lane in stream.lanes.values():
        chunks = [reply.chunk for reply in lane.replies]
        if len(set(chunks)) < len(chunks):
            return 'two replies of a lane after one chunk'
        if not all(0 <= chunk < stream.chunks for chunk in chunks):
            return 'a reply beyond the end of the stream'
        if not all(reply.emotion.upper() in Emotion.__members__ for reply in lane.replies):
            return 'a reply in an unknown tone'
    return ''


def _list_spans(stream: Stream, audio: Path, data: Data) -> Iterator[SampleSpan]:
    for name, lane in stream.lanes.items():
        if data.lanes and name not in data.lanes:
            continue
        if data.layout == 'online':
            for first in range(0, stream.chunks, data.max_chunks):
                yield SampleSpan(stream, audio, name, first,
                                 min(data.max_chunks, stream.chunks - first))
        elif lane.replies and (data.layout != 't_t' or _question_of(stream, lane.replies[0])):
            # As the release: of a conversation only the first turn, and audio up to its reply.
            last = lane.replies[0].chunk + 1
            first = max(0, last - data.max_chunks)
            yield SampleSpan(stream, audio, name, first, last - first)


def _question_of(stream: Stream, reply: Reply) -> str:
    return '' if reply.event is None else stream.events[reply.event].clip.text


@dataclass
class Samples:
    """The samples of some streams, by number."""

    config: CheckpointConfig
    encode: Encode
    data: Data
    items: list[SampleSpan] = field(default_factory=list)
    lengths: list[int] = field(default_factory=list)
    """Positions of each sample."""
    skipped: Counter[str] = field(default_factory=Counter)
    """Why streams or samples were left out, and how often."""
    _cache: dict[int, Prepared] = field(default_factory=dict)

    @classmethod
    def read(cls, files: Sequence[Path], config: CheckpointConfig, encode: Encode, data: Data,
             keep: Callable[[Stream], bool] = lambda _: True) -> 'Samples':
        """Return the samples of files of Stream records; what cannot be used is counted."""
        samples = cls(config, encode, data)
        for file in files:
            try:
                for stream in read_records(file, Stream):
                    if keep(stream):
                        samples._add(stream, file.parent / stream.path)
            except OSError as error:
                raise RecordError(f'{file}: expected a file of streams ({error}); build it with '
                                  'python -m train build or demo') from error
        return samples

    def _add(self, stream: Stream, audio: Path) -> None:
        size = self.config.audio_tower.chunk_size
        if stream.chunk_size != size:
            raise ConfigurationError(
                f'data.streams: expected streams in chunks of {size.s:g} s, as the model hears, '
                f'found {stream.id} in chunks of {stream.chunk_s:g} s; build them with --chunk '
                f'{size.s:g}, or train for theirs with fit --chunk {stream.chunk_s:g}')
        reason = why_unusable(audio, stream.chunks, size) or _why_wrong(stream)
        if reason:
            self.skipped[reason] += 1
            return
        for item in _list_spans(stream, audio, self.data):
            length = len(self._sample(item).ids)
            if length > self.data.max_positions:
                self.skipped['more positions than data.max_positions'] += 1
            else:
                self.items.append(item)
                self.lengths.append(length)

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, number: int) -> Prepared:
        if number in self._cache:
            return self._cache[number]
        item = self.items[number]
        prepared = Prepared(self._sample(item), self._mel(item))
        if len(self._cache) < self.data.cache:
            self._cache[number] = prepared
        return prepared

    def _mel(self, item: SampleSpan) -> tuple[np.ndarray, ...]:
        if self.data.layout == 't_t':
            return ()
        samples = read_chunks(item.audio, item.first, item.chunks,
                              self.config.audio_tower.chunk_size)
        if self.data.layout == 'online':
            return (online_windows(samples, self.config.audio_tower, self.config.mel),)
        return tuple(offline_windows(samples, self.config))

    def _sample(self, item: SampleSpan) -> Sample:
        lane, encode = item.stream.lanes[item.lane], self.encode
        layout = Layout(self.config.token_ids, self.config.audio_tower.features_per_chunk)
        if self.data.layout == 'online':
            replies: list[tuple[Emotion, list[int]] | None] = [None] * item.chunks
            for reply in item.replies:
                replies[reply.chunk - item.first] = (Emotion[reply.emotion.upper()],
                                                     encode(reply.text))
            return lay_out_online(layout, encode(lane.prompt), replies)
        said = encode(item.replies[-1].text)
        features = item.chunks * layout.features_per_chunk
        if self.data.layout == 'a_t':  # what is wanted is said in the audio
            return a_t(layout, encode(self.data.system or lane.prompt), features, said)
        if self.data.layout == 'a_t_t':  # the instruction is the user's text
            return a_t_t(layout, encode(self.data.system), features, encode(lane.prompt), said)
        return t_t(layout, encode(lane.prompt),
                   encode(_question_of(item.stream, item.replies[-1])),
                   said)

    def prompts(self) -> dict[str, str]:
        """Return the most frequent prompt of each lane name; a model carries them along."""
        counts: dict[str, Counter[str]] = {}
        for item in self.items:
            prompt = item.stream.lanes[item.lane].prompt
            counts.setdefault(item.lane, Counter())[prompt] += 1
        return {name: count.most_common(1)[0][0] for name, count in sorted(counts.items())}
