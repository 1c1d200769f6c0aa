"""
In which recording a false alarm was raised, so that somebody can listen whether it is one.

Owns the list of them: a loop of a street may hold a real horn, which counts as false here.
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from eval.alert_figures.outcome import SINGLE, StreamOutcome
from eval.matching import match

__all__ = ['list_false_alarms', 'name_recording']

Begins = Sequence[tuple[float, str]]
"""When a recording begins in a stream, in seconds, and what it is called; in order."""


def list_false_alarms(heard: Sequence[StreamOutcome],
                      recordings: Mapping[str, Begins]) -> list[dict[str, Any]]:
    """Return each alarm of streams without events: when, of what, and in which recording."""
    return [{'kind': stream.kind, 'alerts': sorted(said.labels), 'stream': stream.name,
             'at': said.at, 'recording': name_recording(recordings.get(stream.name, ()), said.at)}
            for stream in heard if not stream.events and stream.kind != SINGLE
            for said in match(stream.events, stream.replies).false if said.alarm]


def name_recording(begins: Begins, at: float) -> str:
    """Return what sounds at a time, '' where nothing is known of the stream."""
    ends = [*begins, (float('inf'), '')]
    return next((name for (begin, name), (end, _) in pairwise(ends) if begin <= at < end), '')
