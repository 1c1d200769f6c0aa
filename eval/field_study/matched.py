"""
The synthetic twin of a recording: the same events at the same times and levels, from elsewhere.

For an alert a held-out clip of its kind is played where the label has it, for words a synthetic
voice says them, over a held-out background (or noise) as loud as the recording is where nothing is
due. So what differs between the two is the room, the microphone, the people and how sounds mix:
what a synthetic test cannot know. Owns how a twin is made; labels that nothing can be played for
are told, and left out on both sides.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from audio_interaction_ros.replay.expectation import Expected
from eval.field_study.study import Recording
from held_out.classes import accepted_labels, kind_of, robot_rules
from held_out.clips import (
    RATE,
    HeldOutClip,
    find_sounding,
    load,
    loop_samples,
    root_mean_square,
)
from held_out.splits import chance_of

__all__ = ['Twin', 'TwinMaker']

SHORTEST_S = 0.3
"""So long at least is the level of a label taken."""
ANSWER_S = 5.0
"""A reply so long after the end of what was heard may still answer it."""


@dataclass(frozen=True)
class Twin:
    """A recording, its twin, and the labels that have no counterpart."""

    real: Recording
    """With the labels that the twin has too."""
    synthetic: Recording
    left_out: tuple[Expected, ...]


class TwinMaker:
    """Makes twins of held-out clips and a voice."""

    def __init__(self, clips: Sequence[HeldOutClip],
                 say: Callable[[str], np.ndarray | None]) -> None:
        """``say`` returns samples [n] at 16 kHz of a text; None for one that it cannot say."""
        self._clips, self._say, self._rules = clips, say, robot_rules()

    def make(self, recording: Recording) -> Twin:
        """Return the twin; the same recording always has the same one."""
        played = {place: samples for place, one in enumerate(recording.labels.expect)
                  if (samples := self._find(recording.name, one)) is not None}
        causes = [recording.labels.expect[place] for place in played]
        orphans = {place for place, one in enumerate(recording.labels.expect)
                   if place not in played and not one.optional
                   and not (one.kind == 'reply' and any(_may_cause(it, one) for it in causes))}
        labels = replace(recording.labels, expect=tuple(
            one for place, one in enumerate(recording.labels.expect) if place not in orphans))
        mixed = self._background(recording)
        for place, samples in played.items():
            _lay(mixed, samples, recording, recording.labels.expect[place])
        return Twin(real=replace(recording, labels=labels),
                    synthetic=replace(recording, samples=mixed, labels=labels),
                    left_out=tuple(recording.labels.expect[place] for place in sorted(orphans)))

    def _find(self, name: str, one: Expected) -> np.ndarray | None:
        """Return what is played for a label; a reply follows from words and has no sound."""
        if one.kind == 'transcript' and one.text:
            return self._say(one.text)
        if one.kind != 'alert':
            return None
        fitting = [clip for clip in self._clips if kind_of(clip) == 'event'
                   and one.label in accepted_labels(clip.label, self._rules)]
        if not fitting:
            return None
        return load(min(fitting, key=lambda clip: chance_of(name, one.describe(), clip.name)).path)

    def _background(self, recording: Recording) -> np.ndarray:
        count = len(recording.samples)
        beds = [clip for clip in self._clips if kind_of(clip) == 'ambience']
        if beds:
            chosen = min(beds, key=lambda clip: chance_of(recording.name, clip.name))
            bed = loop_samples(load(chosen.path), count, recording.name)
        else:
            bed = np.random.default_rng(count).standard_normal(count).astype(np.float32)
        return bed * np.float32(_quiet_level(recording.samples) / root_mean_square(bed))


def _may_cause(heard: Expected, reply: Expected) -> bool:
    """Tell whether a reply may answer what is heard: it comes soon after its end."""
    assert heard.at is not None and reply.at is not None, 'what is due has a time'
    return heard.at <= reply.at <= (heard.until or heard.at) + ANSWER_S


def _quiet_level(samples: np.ndarray) -> float:
    """Return the level that one second in five is not louder than."""
    seconds = [root_mean_square(samples[at:at + RATE]) for at in range(0, len(samples), RATE)]
    return float(np.percentile(seconds, 20))


def _lay(mixed: np.ndarray, samples: np.ndarray, recording: Recording, one: Expected) -> None:
    """Add samples where a label begins, or words where they end, as loud as it is there."""
    assert one.at is not None, 'what is due has a time'
    piece = samples[slice(*find_sounding(samples))]
    until = max(one.until or one.at + len(piece) / RATE, one.at + SHORTEST_S)
    level = root_mean_square(recording.samples[round(one.at * RATE):round(until * RATE)])
    begin = round(one.at * RATE)
    if one.kind == 'transcript' and one.until is not None:
        begin = max(0, round(one.until * RATE) - len(piece))
    piece = piece[:max(0, len(mixed) - begin)]
    if len(piece):
        mixed[begin:begin + len(piece)] += piece * np.float32(level / root_mean_square(piece))
    np.clip(mixed, -1.0, 1.0, out=mixed)
