"""
From scores per chunk to sounds that begin and end.

Each sound has a rule of its own: a threshold, how many of the newest chunks must reach it, and
how low the score must fall before the sound is over. Pure numbers: no clock, no audio and no
order of classes matter, so the same chunks always give the same events. Not thread-safe.
"""

import math
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from audio_interaction_ros.errors import ConfigurationError
from audio_interaction_ros.protocol import CHUNK_NS, CHUNK_S
from audio_interaction_ros.stream.chunk import EncodedChunk, SoundScores
from audio_interaction_ros.stream.events import SoundEnded, SoundStarted
from audio_interaction_ros.stream.sound_background import SoundBackground

__all__ = ['SoundDetector', 'SoundEvent', 'SoundRule', 'list_likeliest']

SoundEvent = SoundStarted | SoundEnded
_NS_PER_S = 1_000_000_000


@dataclass(frozen=True, kw_only=True)
class SoundRule:
    """When one sound begins and when it is over; raises ConfigurationError for what cannot be."""

    threshold: float
    """A chunk whose score reaches this is a hit; above 0, up to 1."""
    release: float = 0.5
    """Part of the threshold below which the sound is not heard in a chunk; above 0, up to 1."""
    hits: int = 1
    """So many of the newest ``of`` chunks must be hits."""
    of: int = 3
    """And a sound is over when it is not heard in so many chunks in a row."""
    min_s: float = 0.0
    """The sound must have lasted so long, from its first hit, before it counts."""
    max_s: float = 600.0
    """A sound that lasts longer is over, and must once not be heard before it may begin anew."""
    background: float = 0.0
    """
    Share, 0 to 1, of how much the place itself sounds like it by which the threshold rises there:
    of the median of its newest scores, as log-odds above silence.
    """
    background_s: float = 10.0
    """So long is the place listened to; while the sound is on, its threshold stays."""

    def __post_init__(self) -> None:
        """Check that a sound can begin, and end."""
        for name, holds, expected in (
                ('threshold', 0 < self.threshold <= 1, 'above 0, up to 1'),
                ('release', 0 < self.release <= 1, 'above 0, up to 1'),
                ('of', 1 <= self.of <= 100, '1 to 100'),
                ('hits', 1 <= self.hits <= self.of, f'1 to {self.of}, which is of'),
                ('min_s', 0 <= self.min_s <= 3600, '0 to 3600'),
                ('max_s', max(self.min_s, CHUNK_S) < self.max_s <= 86_400,
                 f'more than {max(self.min_s, CHUNK_S):g} (min_s and one chunk), up to a day'),
                ('background', 0 <= self.background <= 1, '0 to 1'),
                ('background_s', CHUNK_S <= self.background_s <= 60, f'{CHUNK_S:g} to 60')):
            if not holds:
                raise ConfigurationError(f'{name}: expected {expected}, found '
                                         f'{getattr(self, name)!r}; change it')

    def make_background(self) -> SoundBackground:
        """Return a memory of the place, which is taken for silent."""
        return SoundBackground(share=self.background, seconds=self.background_s)


@dataclass(kw_only=True)
class _Track:
    """What is remembered of one sound."""

    rule: SoundRule
    threshold: float = field(init=False)
    """What the newest chunk had to score: at least that of the rule."""
    background: SoundBackground = field(init=False)
    recent: deque[int | None] = field(default_factory=deque)
    """Of the newest ``rule.of`` chunks: the start of one that was a hit, else None."""
    score: float = 0.0
    """Largest since the onset, or since the window holds any hit."""
    onset_ns: int | None = None
    """Since when enough chunks were hits; None: they are not."""
    heard_ns: int = 0
    """End of the newest chunk in which it was heard."""
    misses: int = 0
    """Chunks in a row in which it was not heard."""
    begun: bool = False
    spoken_over: bool = False
    """The robot spoke in one of the chunks that made it begin."""
    worn_out: bool = False
    """It lasted too long: no hit counts until it is once not heard."""

    def __post_init__(self) -> None:
        """Begin in silence."""
        self.threshold = self.rule.threshold
        self.background = self.rule.make_background()

    def forget(self, *, worn_out: bool = False) -> None:
        """Begin without a past."""
        self.recent.clear()
        self.score, self.onset_ns, self.misses = 0.0, None, 0
        self.begun = self.spoken_over = False
        self.worn_out = worn_out


class SoundDetector:
    """
    Tells when sounds begin and end; classes without a rule are left out.

    A sound begins on the chunk that makes ``hits`` of the newest ``of`` chunks reach the
    threshold, if it has lasted ``min_s`` by then. Its onset is the start of the first of these
    chunks: a score says what sounds at the end of its chunk, so the onset is at most one chunk
    early, and never later than the first moment that was sure of it. It ends when ``of`` chunks
    in a row stay below the release, after ``max_s``, and where the stream breaks off: at a gap, a
    new epoch, or the end of a stream. A score that is no number, and a class that a chunk does
    not name, count as 0.

    Where a place sounds like something all the time, what must be scored to be it rises with that
    (``SoundRule.background``), and stays as it is while the sound is on: an alarm that sounds for
    minutes neither becomes its own background nor ends early. A score is never changed: a sound
    that begins tells the threshold that it reached. The robot's own voice is no background.

    What began while the robot spoke may be its own voice. When the robot is silent again, such a
    sound ends and must be heard anew: then it is certain.
    """

    def __init__(self, rules: Mapping[str, SoundRule]) -> None:
        """Take the rule of each sound, by its name."""
        self._tracks = {name: _Track(rule=rule) for name, rule in rules.items()}
        self._last: EncodedChunk | None = None

    @property
    def rules(self) -> Mapping[str, SoundRule]:
        """The rule of each sound."""
        return {name: track.rule for name, track in self._tracks.items()}

    @property
    def thresholds(self) -> Mapping[str, float]:
        """What each sound had to score in the newest chunk, or has to in the first."""
        return {name: track.threshold for name, track in self._tracks.items()}

    def push(self, chunk: EncodedChunk) -> list[SoundEvent]:
        """Take in the next chunk; return what ended and what began, ends first."""
        events = self._break_off(chunk)
        scores = dict(zip(chunk.sounds.names, chunk.sounds.scores.tolist(), strict=True))
        self._last = chunk
        begun: list[SoundEvent] = []
        for name, track in self._tracks.items():
            self._score_chunk(track, _as_number(scores.get(name, 0.0)), chunk)
            if track.begun and self._is_over(track, chunk):
                is_heard = not track.misses
                events.append(self._end(name, track))
                track.worn_out = is_heard
            elif not track.begun and self._has_begun(track, chunk):
                begun.append(self._begin(name, track, chunk))
            self._note_background(track, chunk, scores.get(name, 0.0))
        events += begun
        return events + self.reset() if chunk.end_of_stream else events

    def reset(self) -> list[SoundEvent]:
        """Forget everything; return the ends of the sounds that were on."""
        ended = self._end_where(lambda _: True)
        for name, track in self._tracks.items():
            self._tracks[name] = _Track(rule=track.rule)
        self._last = None
        return ended

    def adjust(self, rules: Mapping[str, SoundRule]) -> list[SoundEvent]:
        """Take other rules; sounds whose rule changed are forgotten, with their ends returned."""
        kept = {name: track for name, track in self._tracks.items()
                if rules.get(name) == track.rule}
        events = self._end_where(lambda name: name not in kept)
        self._tracks = {name: kept.get(name, _Track(rule=rule)) for name, rule in rules.items()}
        return events

    def _break_off(self, chunk: EncodedChunk) -> list[SoundEvent]:
        """Forget what the next chunk does not continue."""
        last = self._last
        if last is None:
            return []
        if (chunk.epoch != last.epoch or chunk.seq != last.seq + 1 or chunk.discontinuity
                or chunk.lost_samples_before > 0):
            return self.reset()
        if not last.robot_speaking or chunk.robot_speaking:
            return []
        events = self._end_where(lambda name: self._tracks[name].spoken_over)
        for track in self._tracks.values():
            if not track.begun:  # hits of then do not count now
                track.forget(worn_out=track.worn_out)
        return events

    @staticmethod
    def _score_chunk(track: _Track, score: float, chunk: EncodedChunk) -> None:
        """Note what a chunk says of one sound."""
        rule = track.rule
        if not track.begun:
            track.threshold = track.background.raise_threshold(rule.threshold)
        if score >= rule.release * track.threshold:
            track.heard_ns, track.misses = chunk.stamp_ns + CHUNK_NS, 0
        else:
            track.misses, track.worn_out = track.misses + 1, False
        hit = score >= track.threshold and not track.worn_out
        track.recent.append(chunk.stamp_ns if hit else None)
        if len(track.recent) > rule.of:
            track.recent.popleft()
        hits = [start for start in track.recent if start is not None]
        if not track.begun and len(hits) < rule.hits:
            track.onset_ns = None
        elif track.onset_ns is None:
            track.onset_ns = hits[0]
        track.score = max(track.score, score) if hits or track.begun else 0.0
        track.spoken_over = (track.begun or bool(hits)) and (
            track.spoken_over or not track.begun and chunk.robot_speaking)

    @staticmethod
    def _note_background(track: _Track, chunk: EncodedChunk, score: float) -> None:
        """Remember what the place sounds like, where it is not the sound that is awaited."""
        if track.onset_ns is None and not chunk.robot_speaking:
            track.background.note(_as_number(score))

    @staticmethod
    def _has_begun(track: _Track, chunk: EncodedChunk) -> bool:
        return (track.onset_ns is not None and track.recent[-1] is not None
                and chunk.stamp_ns + CHUNK_NS - track.onset_ns >= track.rule.min_s * _NS_PER_S)

    @staticmethod
    def _is_over(track: _Track, chunk: EncodedChunk) -> bool:
        assert track.onset_ns is not None, 'what has begun has an onset'
        lasted_ns = chunk.stamp_ns + CHUNK_NS - track.onset_ns
        return track.misses >= track.rule.of or lasted_ns > track.rule.max_s * _NS_PER_S

    def _begin(self, name: str, track: _Track, chunk: EncodedChunk) -> SoundStarted:
        assert track.onset_ns is not None, 'what begins has an onset'
        track.begun = True
        return SoundStarted(
            lane='', stamp_ns=chunk.stamp_ns + CHUNK_NS, epoch=chunk.epoch, seq=chunk.seq,
            sound=name, score=track.score, threshold=track.threshold,
            onset_ns=track.onset_ns, robot_speaking=track.spoken_over)

    def _end_where(self, chosen: Callable[[str], bool]) -> list[SoundEvent]:
        return [self._end(name, track) for name, track in self._tracks.items()
                if track.begun and chosen(name)]

    def _end(self, name: str, track: _Track) -> SoundEnded:
        last = self._last
        assert last is not None and track.onset_ns is not None, 'what ends was heard in a chunk'
        ended = SoundEnded(
            lane='', stamp_ns=last.stamp_ns + CHUNK_NS, epoch=last.epoch, seq=last.seq,
            sound=name, score=track.score, threshold=track.threshold,
            onset_ns=track.onset_ns, offset_ns=track.heard_ns)
        track.forget()
        return ended


def list_likeliest(sounds: SoundScores, count: int) -> list[tuple[str, float]]:
    """Return the names with the largest scores, the largest first; no numbers count as 0."""
    scores = [(name, _as_number(score)) for name, score
              in zip(sounds.names, sounds.scores.tolist(), strict=True)]
    return sorted(scores, key=lambda item: -item[1])[:count]


def _as_number(score: float) -> float:
    """Return a score as it may be compared: what is no number is no evidence."""
    return min(max(score, 0.0), 1.0) if math.isfinite(score) else 0.0
