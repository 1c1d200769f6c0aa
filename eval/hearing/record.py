"""What a model made of one stream: plain data, one line of JSON on disk. Knows no metric."""

from dataclasses import dataclass, field
from typing import Any

__all__ = ['HeardReply', 'Hearing']


@dataclass
class HeardReply:
    """One reply of a lane; times are seconds of the stream."""

    lane: str
    at: float
    """End of the chunk that it was decided on."""
    p_respond: float
    start: float = 0.0
    end: float = 0.0
    text: str = ''
    urgent: bool = False
    reason: str = ''
    final: str | None = None
    """Text of the second pass, where there is one."""
    read: str = ''
    """Of a translation: what the second pass read."""
    kept: bool = False
    """Of a translation: the second pass had none of its own, so the streamed text is final."""
    shown: list[tuple[float, str]] = field(default_factory=list)
    """Each text that was shown: seconds of computing since the chunk came, and the text."""


@dataclass
class Hearing:
    """What a model made of one stream."""

    key: str
    name: str
    seconds: float
    p: dict[str, list[float]] = field(default_factory=dict)
    """p_respond per chunk, by lane."""
    replies: list[HeardReply] = field(default_factory=list)
    alerts: list[tuple[float, str]] = field(default_factory=list)
    """Alerts that the policy raised: seconds, label."""
    busy_s: float = 0.0
    muttered: list[tuple[int, bool, str, float]] = field(default_factory=list)
    """Of a trace: chunk from 0, urgent, what would have been said after it, confidence."""
    withheld: list[tuple[str, float, str, float]] = field(default_factory=list)
    """Replies that were not told, being unsure: lane, seconds, text, confidence."""
    alone: bool = True
    """Whether nothing else was heard at the same time, so that computing times mean something."""

    def replies_of(self, lane: str) -> list[HeardReply]:
        """Return the replies of a lane."""
        return [reply for reply in self.replies if reply.lane == lane]

    @classmethod
    def from_row(cls, row: dict[str, Any]) -> 'Hearing':
        """Return what ``asdict`` made a row; ValueError, KeyError or TypeError for others."""
        replies = [HeardReply(**{**reply, 'shown': [tuple(part) for part in reply['shown']]})
                   for reply in row['replies']]
        return cls(**{**row, 'replies': replies,
                      'alerts': [tuple(alert) for alert in row['alerts']],
                      'withheld': [tuple(entry) for entry in row.get('withheld', ())],
                      'muttered': [tuple(entry) for entry in row['muttered']]})
