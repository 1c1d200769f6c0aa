"""
What was heard of a recording, in one flat form: words, replies, alerts, sounds.

The same form whoever heard it: the assistant without ROS, the nodes, or a robot whose topics
were recorded. Owns the form and its order; knows neither events nor messages.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from audio_interaction_ros.alerts.alert import Severity
from audio_interaction_ros.terminal import one_line

__all__ = ['KINDS', 'SPOKEN_KINDS', 'Heard', 'in_order', 'seconds_since']

SPOKEN_KINDS = ('transcript', 'translation', 'reply')
"""Kinds that are words."""
KINDS = (*SPOKEN_KINDS, 'alert', 'sound')


@dataclass(frozen=True, kw_only=True)
class Heard:
    """One thing that was heard; times are seconds of audio since the recording began."""

    kind: str
    """One of KINDS."""
    start_s: float
    """Of words: where they begin; of a sound or an alert: its onset; of a reply: where it was
    decided."""
    end_s: float
    """Of words and sounds: where they end; of an alert: where it was heard last."""
    label: str = ''
    """Label of an alert, name of a sound."""
    severity: Severity | None = None
    """Of alerts: the highest that it had."""
    text: str = ''
    """What was said, replied, or told with an alert."""
    language: str = ''
    """Of words: BCP-47, empty where it is not known."""
    intent: str = ''
    """Of replies: what somebody wants."""
    slots: Mapping[str, str] = field(default_factory=dict)

    def describe(self) -> str:
        """Return it in a line."""
        named = [self.label, self.severity.name if self.severity is not None else '',
                 f'[{self.intent}{_describe_slots(self.slots)}]' if self.intent else '']
        said = f'"{one_line(self.text)}"' if self.text and self.kind in SPOKEN_KINDS else ''
        return ' '.join(word for word in (
            f'{self.start_s:.1f} s', self.kind, *named, said) if word)


def _describe_slots(slots: Mapping[str, str]) -> str:
    return ''.join(f', {name} {value}' for name, value in sorted(slots.items()))


def in_order(heard: Iterable[Heard]) -> list[Heard]:
    """Return what was heard by time, then kind, then name and text: the same on every run."""
    return sorted(heard, key=lambda one: (one.start_s, KINDS.index(one.kind), one.label,
                                          one.text, one.end_s))


def seconds_since(stamp_ns: int, zero_ns: int) -> float:
    """Return audio time in seconds since ``zero_ns``, to the millisecond."""
    return round((stamp_ns - zero_ns) / 1e9, 3)
