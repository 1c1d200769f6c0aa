"""
A way to decide, and what it decides in all streams: scorer, rules of detection, where from.

Owns the list of them: the head as the robot is configured, then each scorer with thresholds that
are chosen on validation in the same way, and the shifts in between for a curve.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from audio_interaction_ros.alerts.rules import AlertRules
from audio_interaction_ros.stream.sound_events import SoundRule
from eval.alert_figures.outcome import SINGLE, StreamOutcome
from eval.matching import GivenReply
from eval.sounds.detection import ScoredStream, raise_alerts
from eval.sounds.embeddings import HeardScene
from eval.sounds.figures import point_of
from eval.sounds.scorers import Scorer
from eval.sounds.thresholds import (
    RATES,
    SHIFTS,
    background_levels,
    choose_shift,
    move_thresholds,
)

__all__ = ['Setting', 'choose_setting', 'join_model', 'score_streams', 'trade_off']

CURVE = tuple(shift for shift in SHIFTS if -6 <= shift <= 2 and shift == round(shift))


@dataclass
class Setting:
    """What one way to decide makes of all streams, in their order."""

    name: str
    rules: dict[str, SoundRule]
    streams: Sequence[ScoredStream] = field(repr=False)
    outcomes: list[StreamOutcome] = field(repr=False)
    shift: float | None = None
    """Log-odds above what backgrounds of the validation side say; None: thresholds were given."""
    unheard: frozenset[int] = frozenset()
    """Places of streams that were not heard in this way, so that nothing is told of them."""

    @classmethod
    def decide(cls, name: str, streams: Sequence[ScoredStream], rules: Mapping[str, SoundRule],
               known: AlertRules, shift: float | None = None) -> 'Setting':
        """Return what rules decide in all streams."""
        return cls(name, dict(rules), streams,
                   [raise_alerts(stream, rules, known) for stream in streams], shift)

    def thresholds(self) -> dict[str, float]:
        """Return the threshold of each class."""
        return {name: round(rule.threshold, 6) for name, rule in sorted(self.rules.items())}


def score_streams(heard: Sequence[HeardScene],
                  scorers: Sequence[Scorer]) -> list[list[ScoredStream]]:
    """Return for each scorer what it says of every stream; embeddings are read once."""
    told: list[list[ScoredStream]] = [[] for _ in scorers]
    for scene in heard:
        embeddings = scene.read()
        for mine, scorer in zip(told, scorers, strict=True):
            mine.append(ScoredStream(scene, scorer.classes,
                                     np.asarray(scorer.score(embeddings), np.float32)))
    return told


def _validation_backgrounds(streams: Sequence[ScoredStream]) -> list[ScoredStream]:
    return [stream for stream in streams if stream.heard.scene.side == 'validation'
            and not stream.heard.scene.events and stream.heard.scene.kind != SINGLE]


def choose_setting(name: str, streams: Sequence[ScoredStream], rules: Mapping[str, SoundRule],
                   known: AlertRules, rates: Mapping[str, float] = RATES) -> Setting | None:
    """Return a scorer with the loosest thresholds that validation allows; None if none are."""
    quiet = _validation_backgrounds(streams)
    shift = choose_shift(quiet, rules, known, rates) if quiet else None
    if shift is None:
        return None
    moved = move_thresholds(rules, background_levels(quiet, rules), shift)
    return Setting.decide(name, streams, moved, known, shift)


def trade_off(streams: Sequence[ScoredStream], rules: Mapping[str, SoundRule],
              known: AlertRules) -> list[dict[str, Any]]:
    """
    Return what each shift gives on the test side; nothing without validation backgrounds.

    This is for a picture: nothing is chosen by it.
    """
    quiet = _validation_backgrounds(streams)
    levels = background_levels(quiet, rules) if quiet else {}
    test = [stream for stream in streams if stream.heard.scene.side == 'test']
    points = []
    for shift in CURVE if quiet else ():
        moved = move_thresholds(rules, levels, shift)
        points.append({'shift': shift, **point_of(
            [raise_alerts(stream, moved, known) for stream in test])})
    return points


def join_model(sounds: Setting, said: Mapping[int, StreamOutcome],
               known: AlertRules) -> list[Setting]:
    """
    Return what replies decide, alone and beside sounds: there for labels that no sound has.

    ``said``: place of a stream -> what the language model made of it. Streams that it did not hear
    are silent in both, and nothing is told of them (``Setting.unheard``).
    """
    heard = frozenset(known.of_sound[name].label for name in sounds.rules
                      if name in known.of_sound)
    silent = [replace(outcome, replies=(), raised=0) for outcome in sounds.outcomes]
    both = [_add_replies(outcome, said[place].replies, heard) if place in said
            else silent[place] for place, outcome in enumerate(sounds.outcomes)]
    alone = [said.get(place, outcome) for place, outcome in enumerate(silent)]
    unheard = frozenset(range(len(alone))) - set(said)
    return [Setting('both: sounds, and replies', sounds.rules, sounds.streams, both,
                    unheard=unheard),
            Setting('replies of the model', {}, sounds.streams, alone, unheard=unheard)]


def _add_replies(outcome: StreamOutcome, replies: Sequence[GivenReply],
                 heard: frozenset[str]) -> StreamOutcome:
    """Return a stream with the replies that still say something without some labels."""
    kept = [replace(reply, labels=reply.labels - heard) for reply in replies
            if not reply.labels or reply.labels - heard]
    return replace(outcome, replies=(*outcome.replies, *kept),
                   raised=outcome.raised + sum(reply.alarm for reply in kept))
