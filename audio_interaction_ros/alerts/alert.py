"""
What an alert is: a record, its states, and which state may follow which.

Owns the vocabulary only. When a reply or a sound becomes an alert is the matter of ``policy``;
which of them means what is the matter of ``rules`` and the file it reads.
"""

from dataclasses import dataclass
from enum import Enum, IntEnum

__all__ = ['LEGAL_TRANSITIONS', 'Alert', 'AlertChange', 'AlertState', 'Category', 'ChangeKind',
           'Severity']


class Severity(IntEnum):
    """How bad it is; the values are those of the Alert message."""

    INFO = 0
    WARN = 1
    ERROR = 2
    CRITICAL = 3


class Category(IntEnum):
    """What kind of thing was heard; the values are those of the Alert message."""

    UNKNOWN = 0
    ALARM = 1
    GLASS = 2
    IMPACT = 3
    HUMAN_DISTRESS = 4
    MACHINE_FAULT = 5
    ANIMAL = 6
    VEHICLE = 7
    WEATHER = 8
    SPEECH = 9


class AlertState(IntEnum):
    """Where an alert is in its life; the values are those of the Alert message."""

    ACTIVE = 0
    ACKNOWLEDGED = 1
    CLEARED = 2
    EXPIRED = 3

    @property
    def open(self) -> bool:
        """Tell whether the alert still counts: active or acknowledged."""
        return self in (AlertState.ACTIVE, AlertState.ACKNOWLEDGED)


class ChangeKind(Enum):
    """Why an alert changed."""

    RAISED = 'raised'
    REPEATED = 'repeated'
    ESCALATED = 'escalated'
    """Heard again with a higher severity; an acknowledgement no longer holds."""
    ACKNOWLEDGED = 'acknowledged'
    CLEARED = 'cleared'
    EXPIRED = 'expired'


_ACTIVE, _ACKNOWLEDGED = AlertState.ACTIVE, AlertState.ACKNOWLEDGED

LEGAL_TRANSITIONS: frozenset[tuple[AlertState | None, AlertState]] = frozenset((
    (None, _ACTIVE),
    (_ACTIVE, _ACTIVE), (_ACTIVE, _ACKNOWLEDGED),
    (_ACTIVE, AlertState.CLEARED), (_ACTIVE, AlertState.EXPIRED),
    (_ACKNOWLEDGED, _ACTIVE), (_ACKNOWLEDGED, _ACKNOWLEDGED),
    (_ACKNOWLEDGED, AlertState.CLEARED), (_ACKNOWLEDGED, AlertState.EXPIRED),
))
"""Pairs (state before, state after); None before an alert exists. Nothing follows an end."""


@dataclass(frozen=True, kw_only=True)
class Alert:
    """One thing worth telling, merged over all its sightings."""

    id: str
    label: str
    """Machine-readable name, a key of the rules file: "smoke_alarm"."""
    category: Category
    severity: Severity
    state: AlertState
    message: str
    """Text of the newest reply that carried the label, or what the rules say of what was heard."""
    confidence: float
    """Largest p_respond, score or confidence of an intent among the sightings, 0..1."""
    count: int
    """Sightings merged into this alert, at least 1."""
    stamp_ns: int
    """Onset in audio time: of the sound or words, or of what the first counted reply answered."""
    last_seen_ns: int
    """Audio time of the newest sighting."""
    ttl_ns: int
    """An alert not heard for this long expires (a latched one only once acknowledged)."""
    requires_ack: bool
    """Latched: stays until a person acknowledges or clears it."""
    evidence: str = 'model'
    """Who says so: sound; words that were read; or, from the words of a reply, model."""
    sound: str = ''
    """Class of the sound with the largest score; empty where no sound was heard."""
    score: float = 0.0
    """Largest score of that sound, 0..1."""
    threshold: float = 0.0
    """What that score had to reach."""


@dataclass(frozen=True, kw_only=True)
class AlertChange:
    """An alert after a change, and what the change was."""

    alert: Alert
    kind: ChangeKind
    previous: AlertState | None
    """State before; None for an alert that did not exist."""
    operator: str = ''
    """Who acknowledged or cleared; empty for changes that no person made."""
