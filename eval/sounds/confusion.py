"""
What was named instead, and what stopped each miss.

Owns the table of confusions (class of the event, alert that came first) and the list of misses
with the scores in their window beside the thresholds. Knows neither models nor audio.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from audio_interaction_ros.protocol import CHUNK_S
from audio_interaction_ros.stream.sound_events import SoundRule
from eval.alert_figures.outcome import StreamOutcome
from eval.matching import GRACE_S, ExpectedEvent, match
from eval.sounds.detection import ScoredStream
from eval.sounds.figures import CLASS_OF

__all__ = ['NOTHING', 'confusions', 'misses']

NOTHING = 'nothing'
TOP = 3


def confusions(heard: Sequence[StreamOutcome]) -> dict[str, dict[str, int]]:
    """Return for each label of an event how often which alert was its first, or none."""
    table: dict[str, Counter[str]] = defaultdict(Counter)
    for stream in heard:
        for event, said in zip(stream.events, match(stream.events, stream.replies).detections,
                               strict=True):
            table[event.label][NOTHING if said is None else '+'.join(sorted(said.labels))] += 1
    return {label: dict(table[label].most_common()) for label in sorted(table)}


def misses(streams: Sequence[ScoredStream], heard: Sequence[StreamOutcome],
           rules: Mapping[str, SoundRule]) -> list[dict[str, Any]]:
    """Return every event that was not rightly named: what was, and what the scores were."""
    found = []
    for stream, outcome in zip(streams, heard, strict=True):
        matches = match(outcome.events, outcome.replies)
        for event, said, named in zip(outcome.events, matches.detections,
                                      matches.tell_named(outcome.events), strict=True):
            if not named:
                found.append({
                    'class': event.label, 'clip': outcome.name, 'condition': outcome.condition,
                    'named': sorted(said.labels) if said else [],
                    'own': _look(stream, rules, event, CLASS_OF.get(event.label, '')),
                    'top': [_look(stream, rules, event, name)
                            for name in _loudest(stream, event)]})
    return sorted(found, key=lambda row: (row['class'], row['condition'], row['clip']))


def _window(event: ExpectedEvent) -> slice:
    return slice(int(event.start / CHUNK_S), int((event.end + GRACE_S) / CHUNK_S))


def _look(stream: ScoredStream, rules: Mapping[str, SoundRule], event: ExpectedEvent,
          name: str) -> dict[str, Any]:
    """Return the largest score of a class in the window of an event, and its threshold."""
    if name not in stream.names:
        return {'class': name, 'score': None, 'threshold': None}
    scores = stream.scores[_window(event), stream.names.index(name)]
    return {'class': name, 'score': round(float(scores.max(initial=0.0)), 4),
            'threshold': round(rules[name].threshold, 4) if name in rules else None}


def _loudest(stream: ScoredStream, event: ExpectedEvent) -> list[str]:
    peaks = stream.scores[_window(event)].max(0, initial=0.0)
    return [stream.names[place] for place in (-peaks).argsort()[:TOP]]
