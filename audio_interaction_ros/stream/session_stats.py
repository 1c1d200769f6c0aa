"""What a session counts."""

from collections.abc import Iterable
from dataclasses import dataclass

from audio_interaction_ros.stream.events import Event, FinalTranslation

__all__ = ['SessionStats']


@dataclass
class SessionStats:
    """Counters since the session began."""

    steps: int = 0
    refused: int = 0
    """Chunks of a foreign model, of a wrong shape, or with features that are no numbers."""
    missing: int = 0
    """Sequence numbers that never arrived."""
    stale: int = 0
    """Chunks that came twice or late."""
    unasked: int = 0
    """Decisions to stay silent for which the model was not asked, for nothing was heard."""
    resets: int = 0
    faults: int = 0
    """Times that a lane failed and lost its context."""
    unheard: int = 0
    """Chunks that a lane had taken, or had to let go, when it failed."""
    translated: int = 0
    """Final translations made in the second pass, from text or by who read it."""
    kept: int = 0
    """Final translations that are the streamed text, for want of a better one."""

    def count_translations(self, events: Iterable[Event]) -> None:
        """Count the final translations among events."""
        for event in events:
            if isinstance(event, FinalTranslation):
                self.translated += bool(event.language)
                self.kept += event.source == 'streamed'
