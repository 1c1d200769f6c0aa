"""
A general-purpose AudioSet tagger beside the model, from scores that somebody took before.

Owns the reading of such a file ({path, frames: [[[class, score], …], …]} a line, one frame per
0.4875 s, the 521 classes of YAMNet in their published order) and which of these classes mean which
event. The tagger heard the clips themselves, which is easier than the mixtures that the model
hears. Knows no model of this project.
"""

import json
from collections.abc import Sequence
from pathlib import Path

from audio_interaction_ros.protocol import CHUNK_S
from eval.alert_figures.outcome import StreamOutcome
from eval.matching import ExpectedEvent
from held_out.classes import kind_of
from held_out.clips import HeldOutClip, MaterialError

__all__ = ['FAMILIES', 'ask_tagger', 'read_scores']

FRAME_S = 0.4875
BANGS = {352, 454, 455, 460, 462, 463}
"""Slam; thump, thud; thunk; bang; whack, thwack; smash, crash."""
TAPS = {364, 365, 442, 443, 444, 446}
"""Water tap; sink; drip; pour; trickle; fill. Not water and stream, which rain is as well."""
FAMILIES = {
    'dog_bark': {69, 70}, 'baby_cry': {19, 20}, 'glass_break': {435, 437, 464},
    'dish_break': {435, 437, 464}, 'siren': {316, 317, 318, 319, 390},
    'smoke_alarm': {382, 393, 394}, 'scream': {11}, 'gunshot': {421, 422, 423, 424, 425},
    'explosion': {420, 430}, 'car_horn': {302}, 'fire_crackling': {292, 293}, 'cough': {42},
    'door_knock': {353}, 'doorbell': {349}, 'fire_alarm': {382, 393, 394}, 'car_alarm': {304},
    'impact_hard': BANGS, 'door_bang': BANGS, 'water_flow': TAPS, 'water_pouring': TAPS}
"""
Event -> classes of AudioSet that mean it, by their place in YAMNet's published list.

Checked on the scores that lie beside the development clips (a class of the event reaches 0.1): the
fire alarm, all ten clips of running water and five of six doors fire; of 19 hard impacts, mostly
effects of games, three do; the only clip called car alarm does not (the tagger hears birds in it).
"""
ALL = frozenset().union(*FAMILIES.values())


def read_scores(path: Path) -> dict[str, list[float]]:
    """Return by clip, per frame, the largest score of any class that means an event."""
    scores_of = {}
    for number, line in enumerate(path.read_text(encoding='utf-8').splitlines(), start=1):
        try:
            row = json.loads(line)
            scores_of[str(row['path'])] = [max((float(score) for index, score in frame
                                                if index in ALL), default=0.0)
                                           for frame in row['frames']]
        except (ValueError, KeyError, TypeError) as error:
            raise MaterialError(f'{path}:{number}: expected path and frames of [class, score], '
                                f'got {line[:60]!r}; give another file in --tagger') from error
    return scores_of


def ask_tagger(items: Sequence[HeldOutClip], folder: Path, scores: dict[str, list[float]],
               names: Sequence[str]) -> list[StreamOutcome]:
    """Return the clips as the tagger heard them: ``names`` of events, and all backgrounds."""
    outcomes = []
    for item in items:
        frames, what = scores.get(item.path.relative_to(folder).as_posix()), kind_of(item)
        if not frames or what not in ('event', 'ambience', 'harmless') or (
                what == 'event' and item.name not in names):
            continue
        chunks = max(1, round(item.seconds / CHUNK_S))
        p = tuple(frames[min(int(i * CHUNK_S / FRAME_S), len(frames) - 1)] for i in range(chunks))
        events = (ExpectedEvent(label=item.label, start=0.0,
                                end=item.seconds),) if what == 'event' else ()
        outcomes.append(StreamOutcome(name=item.name, kind=what, seconds=chunks * CHUNK_S,
                                      events=events, p=p,
                                      group=item.group, origin=item.origin, unique_s=item.seconds))
    return outcomes
