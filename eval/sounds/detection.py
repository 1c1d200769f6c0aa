"""
From scores of a stream to the alerts of a robot, by its own detector and policy.

Owns how a stream of scores is played to them. A reply in the sense of eval.matching is here all
alerts that one chunk raised, repeated or escalated; its time is the end of that chunk. Knows no
figure.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from audio_interaction_ros.alerts.alert import ChangeKind
from audio_interaction_ros.alerts.policy import AlertPolicy
from audio_interaction_ros.alerts.rules import AlertRules
from audio_interaction_ros.protocol import CHUNK_NS
from audio_interaction_ros.stream.chunk import EncodedChunk, SoundScores
from audio_interaction_ros.stream.sound_events import SoundDetector, SoundRule
from eval.alert_figures.outcome import StreamOutcome
from eval.matching import GivenReply
from eval.sounds.embeddings import HeardScene

__all__ = ['ScoredStream', 'raise_alerts']

NOTHING = np.empty((0, 0), np.float32)
NS = 1e9
TOLD = (ChangeKind.RAISED, ChangeKind.REPEATED, ChangeKind.ESCALATED)


@dataclass(frozen=True)
class ScoredStream:
    """What a scorer says of a stream."""

    heard: HeardScene
    names: tuple[str, ...]
    scores: np.ndarray
    """[chunks, names], 0 to 1."""


def raise_alerts(stream: ScoredStream, rules: Mapping[str, SoundRule],
                 known: AlertRules) -> StreamOutcome:
    """
    Return a stream with the alerts that these rules of detection and of alerts raise in it.

    Only sounds that reach their threshold anywhere are played: no other can begin.
    """
    columns = [(place, name) for place, name in enumerate(stream.names) if name in rules
               and float(stream.scores[:, place].max(initial=0.0)) >= rules[name].threshold]
    replies, raised = _play(stream.scores[:, [place for place, _ in columns]],
                            {name: rules[name] for _, name in columns}, known
                            ) if columns else ([], 0)
    scene = stream.heard.scene
    return StreamOutcome(
        name=scene.name, kind=scene.kind, seconds=stream.heard.seconds, events=scene.events,
        replies=tuple(replies), raised=raised, group=scene.group,
        p=_loudest(stream, rules), origin=scene.origin, side=scene.side,
        condition=scene.condition, unique_s=scene.unique_s, label=scene.label)


def _loudest(stream: ScoredStream, rules: Mapping[str, SoundRule]) -> tuple[float, ...]:
    """Return for each chunk the highest score of any class that may raise an alert."""
    places = [place for place, name in enumerate(stream.names) if name in rules]
    return tuple(np.round(stream.scores[:, places].max(1, initial=0.0), 5).tolist())


def _play(scores: np.ndarray, rules: Mapping[str, SoundRule],
          known: AlertRules) -> tuple[list[GivenReply], int]:
    """Return what is told of scores [chunks, rules], as on the robot, and how much was raised."""
    detector, policy = SoundDetector(rules), AlertPolicy(known)
    names, replies = tuple(rules), list[GivenReply]()
    policy.note_classes(names)
    for seq, row in enumerate(scores):
        stamp_ns = (seq + 1) * CHUNK_NS
        changes = policy.tick(stamp_ns)
        for event in detector.push(make_chunk(seq, names, row)):
            changes += policy.on_sound(event)
        labels = frozenset(change.alert.label for change in changes if change.kind in TOLD)
        if labels:
            replies.append(GivenReply(at=stamp_ns / NS, labels=labels))
    return replies, policy.stats.raised


def make_chunk(seq: int, names: Sequence[str], scores: np.ndarray) -> EncodedChunk:
    """Return a chunk that carries scores [names] and no features."""
    return EncodedChunk(features=NOTHING, stamp_ns=seq * CHUNK_NS, epoch=1, seq=seq,
                        model_id='', sounds=SoundScores(names=tuple(names), scores=scores))
