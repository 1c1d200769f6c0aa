"""
Up to where the speech of a stream is final, so that no word of it becomes final twice.

Owns what is left of a span. Knows neither words nor audio.
"""

from dataclasses import dataclass

__all__ = ['SettledSpeech']


@dataclass
class SettledSpeech:
    """Times are nanoseconds of the stream; 0: nothing yet."""

    until_ns: int = 0
    by: str = ''
    """What ended the newest utterance that is final: model, silence, pause, push_to_talk."""
    speech_ns: int = 0
    """End of the newest speech, final or not."""

    def settle(self, end_ns: int, by: str) -> None:
        """Take it that all speech up to a time is final."""
        self.until_ns, self.by = max(self.until_ns, end_ns), by

    def rest_of(self, start_ns: int, end_ns: int) -> tuple[int, int] | None:
        """Return what of a span is not final yet; None where nobody spoke in the rest."""
        if start_ns >= self.until_ns:
            return start_ns, end_ns
        if end_ns <= self.until_ns or self.speech_ns <= self.until_ns:
            return None
        return self.until_ns, end_ns
