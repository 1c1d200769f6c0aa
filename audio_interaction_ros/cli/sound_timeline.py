"""
What was heard of a recording, as numbers: guesses per second, sounds that began, what held others.

Owns what is said of each; prints and draws nothing.
"""

import itertools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from audio_interaction_ros.errors import ConfigurationError
from audio_interaction_ros.protocol import CHUNK_NS
from audio_interaction_ros.stream.chunk import EncodedChunk
from audio_interaction_ros.stream.events import SoundEnded, SoundStarted
from audio_interaction_ros.stream.sound_events import SoundDetector, SoundRule

__all__ = ['HeardSound', 'Second', 'SoundTimeline', 'StoppedSound', 'follow_sounds']

_NS = 1_000_000_000
_WORTH_SAYING = 0.1
"""Of sounds that were not heard, those whose score never reached this are left out."""


@dataclass(frozen=True, kw_only=True)
class Second:
    """One second: how loud, and what it sounded like most."""

    start_s: float
    loudness_dbfs: float
    """Of its loudest chunk."""
    guesses: tuple[tuple[str, float], ...]
    """Names with their largest scores, largest first."""


@dataclass(frozen=True, kw_only=True)
class HeardSound:
    """A sound that began, and where it was no longer heard."""

    sound: str
    onset_s: float
    offset_s: float
    score: float
    threshold: float


@dataclass(frozen=True, kw_only=True)
class StoppedSound:
    """A sound that never began, and why."""

    sound: str
    score: float
    """Largest of the recording."""
    at_s: float
    threshold: float | None
    """None: no threshold was given for it."""
    why: str


@dataclass(frozen=True, kw_only=True)
class SoundTimeline:
    """Everything that is shown of a recording."""

    names: tuple[str, ...]
    scores: np.ndarray
    """[chunks, names] float32."""
    thresholds: np.ndarray
    """[chunks, names]: what each had to score; no number where no rule asks for it."""
    starts_s: np.ndarray
    """[chunks], from the start of the recording."""
    loudness_dbfs: np.ndarray
    rules: Mapping[str, SoundRule]
    heard: tuple[HeardSound, ...]

    def seconds(self, top: int = 5) -> list[Second]:
        """
        Return each second that was heard, in that order, with its ``top`` likeliest sounds.

        A clock that was set, back or by years, leaves none out.
        """
        found, whole = [], np.floor(self.starts_s)
        bounds = [0, *(np.flatnonzero(np.diff(whole)) + 1), len(whole)]
        for first, last in itertools.pairwise(bounds):
            best = self.scores[first:last].max(axis=0)
            order = np.argsort(-best, kind='stable')[:top]
            found.append(Second(
                start_s=float(whole[first]),
                loudness_dbfs=float(self.loudness_dbfs[first:last].max()),
                guesses=tuple((self.names[i], float(best[i])) for i in order)))
        return found

    def find_stopped(self) -> list[StoppedSound]:
        """Return what scored but never began, the highest score first."""
        heard = {item.sound for item in self.heard}
        found = [self._explain(index, name) for index, name in enumerate(self.names)
                 if name not in heard and self.scores[:, index].max() >= _WORTH_SAYING]
        return sorted(found, key=lambda item: -item.score)

    def _explain(self, index: int, name: str) -> StoppedSound:
        scores, rule = self.scores[:, index], self.rules.get(name)
        peak = int(scores.argmax())
        if rule is None:
            why = 'no threshold is set for it'
        elif scores[peak] < rule.threshold:
            why = f'stayed below its threshold {rule.threshold:.2f}'
        else:
            why = _explain_hits(scores, self.thresholds[:, index], rule)
        return StoppedSound(sound=name, score=float(scores[peak]),
                            at_s=float(self.starts_s[peak]),
                            threshold=rule.threshold if rule else None, why=why)


def _explain_hits(scores: np.ndarray, thresholds: np.ndarray, rule: SoundRule) -> str:
    """Say what else than its threshold in silence a sound did not reach."""
    hits = (scores >= thresholds).astype(int)
    most = int(np.convolve(hits, np.ones(rule.of, int))[:len(hits)].max())
    if not most:
        return (f'stayed below its threshold, which the background before it had raised from '
                f'{rule.threshold:.2f} to {thresholds[int(scores.argmax())]:.3g}')
    if most < rule.hits:
        return (f'reached its threshold {rule.threshold:.2f} in {most} of {rule.of} chunks, '
                f'{rule.hits} are asked for')
    return f'reached its threshold {rule.threshold:.2f} for less than {rule.min_s:g} s'


def follow_sounds(chunks: Iterable[EncodedChunk], rules: Mapping[str, SoundRule],
                  ) -> SoundTimeline:
    """
    Return what was heard in the chunks of a recording; what is still on ends with it.

    Raises ConfigurationError where the model tells no sounds apart.
    """
    detector, kept, events = SoundDetector(rules), list[EncodedChunk](), list[Any]()
    asked = list[Mapping[str, float]]()
    for chunk in chunks:
        kept.append(chunk)
        events += detector.push(chunk)
        asked.append(detector.thresholds)
    events += detector.reset()
    if not kept or not kept[0].sounds.names:
        raise ConfigurationError('expected a model that tells sounds apart, this one gives no '
                                 'scores; use a model folder with a file of sounds')
    start_ns, names = kept[0].stamp_ns, kept[0].sounds.names
    return SoundTimeline(
        names=names, thresholds=np.array([[one.get(name, np.nan) for name in names]
                                          for one in asked]),
        scores=np.stack([chunk.sounds.scores for chunk in kept]).astype(np.float32),
        starts_s=np.array([(chunk.stamp_ns - start_ns) / _NS for chunk in kept]),
        loudness_dbfs=np.array([chunk.rms_dbfs for chunk in kept], np.float32), rules=rules,
        heard=tuple(_pair_events(events, start_ns)))


def _pair_events(events: Iterable[SoundStarted | SoundEnded], start_ns: int
                 ) -> Iterable[HeardSound]:
    """Yield each sound that ended, in the order of their beginnings."""
    ended = [event for event in events if isinstance(event, SoundEnded)]
    for event in sorted(ended, key=lambda event: event.onset_ns):
        yield HeardSound(
            sound=event.sound, onset_s=(event.onset_ns - start_ns) / _NS,
            offset_s=max(event.offset_ns - start_ns, CHUNK_NS) / _NS, score=event.score,
            threshold=event.threshold)
