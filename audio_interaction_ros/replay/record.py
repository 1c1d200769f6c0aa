"""A new expectation from what was heard: what a person then reads, corrects and keeps."""

from collections.abc import Sequence

from audio_interaction_ros.replay.expectation import FORMAT, Expectation, Expected
from audio_interaction_ros.replay.heard import KINDS, Heard

__all__ = ['record_expectation']


def record_expectation(heard: Sequence[Heard], *, topic: str = '', note: str = '') -> Expectation:
    """Return what expects exactly this and nothing else, with the usual tolerance of times."""
    return Expectation(format=FORMAT, topic=topic, note=note, nothing_else=KINDS,
                       expect=tuple(map(_expect, heard)))


def _expect(one: Heard) -> Expected:
    lasts = one.kind in ('transcript', 'translation', 'sound')
    spoken = one.kind in ('transcript', 'translation', 'reply')
    return Expected(
        kind=one.kind, at=round(one.start_s, 1), until=round(one.end_s, 1) if lasts else None,
        label=one.label, severity=one.severity, text=one.text if spoken else None,
        language=one.language if one.kind in ('transcript', 'translation') else '',
        intent=one.intent, slots=dict(one.slots))
