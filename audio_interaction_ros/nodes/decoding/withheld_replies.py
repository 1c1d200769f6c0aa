"""What diagnostics say of replies that a lane was not sure enough of."""

import time

from audio_interaction_ros.nodes.lifecycle.diagnostics import OK, StatusReport
from audio_interaction_ros.stream.events import ReplyWithheld

__all__ = ['WithheldReplies']


class WithheldReplies:
    """The replies of a lane that were withheld, for the model was not sure of their words."""

    def __init__(self, min_confidence: float, *, shown_s: float = 10.0) -> None:
        """Start empty; the newest one is told in words for ``shown_s``."""
        self.min_confidence, self._shown_s = min_confidence, shown_s
        self._count = 0
        self._newest: ReplyWithheld | None = None
        self._at = float('-inf')

    def note(self, event: ReplyWithheld) -> None:
        """Take in one."""
        self._count += 1
        self._newest, self._at = event, time.monotonic()

    def check(self, lane: str, report: StatusReport) -> None:
        """Say how many there were; of a recent one, how unsure it was."""
        report.values.update({f'{lane}.min_confidence': self.min_confidence,
                              f'{lane}.withheld': self._count})
        if self._newest is None:
            return
        sure, text = self._newest.confidence, self._newest.text
        report.values.update({f'{lane}.withheld_text': text, f'{lane}.withheld_confidence': sure})
        if time.monotonic() - self._at < self._shown_s:
            report.add(OK, f'{lane}: a reply was withheld, confidence {sure:.2f} below '
                           f'{self.min_confidence:.2f}: {text!r}')
