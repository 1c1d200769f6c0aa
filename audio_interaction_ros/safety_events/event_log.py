"""
What happened, as lines of JSON in a file that never grows without end.

Owns the file and its rotation (the standard library's). A disk that is full or gone is told and
tried again with the next line; it stops nothing.
"""

import contextlib
import json
import logging
import logging.handlers
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from audio_interaction_ros.safety_events.rules_file import EventLogSettings

__all__ = ['EventLog']


class _Handler(logging.handlers.RotatingFileHandler):
    """Remembers the fault of the newest line instead of printing it."""

    failure = ''

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - the library's name
        """Remember why a line could not be written."""
        self.failure = f'a line could not be written ({sys.exc_info()[1]})'


class EventLog:
    """Writes a line for each event; ``failure`` says why that does not work, or is empty."""

    def __init__(self, settings: EventLogSettings | None,
                 clock: Callable[[], float] = time.time) -> None:
        """Open nothing yet; without settings nothing is ever written."""
        self._settings, self._clock = settings, clock
        self._handler: _Handler | None = None
        self.failure = ''

    def write(self, event: str, **fields: Any) -> None:
        """Write one line: ``time`` (ISO 8601, UTC), ``event`` and its fields. Never raises."""
        handler = self._open()
        if handler is None:
            return
        now = self._clock()
        stamp = time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(now))
        line = json.dumps({'time': f'{stamp}.{int(now % 1 * 1000):03d}Z', 'event': event,
                           **fields}, ensure_ascii=False)
        handler.failure = ''
        handler.handle(logging.LogRecord('events', logging.INFO, '', 0, line, None, None))
        self.failure = handler.failure

    def _open(self) -> _Handler | None:
        if self._is_elsewhere():
            self.close()
        if self._handler is None and self._settings is not None:
            path = Path(self._settings.file)
            try:
                path = path.expanduser()
                path.parent.mkdir(parents=True, exist_ok=True)
                self._handler = _Handler(
                    path, maxBytes=self._settings.most_bytes, backupCount=self._settings.files,
                    encoding='utf-8')
            except (OSError, RuntimeError) as error:
                self.failure = f'{path}: expected to write there, cannot ({error})'
        return self._handler

    def _is_elsewhere(self) -> bool:
        """Tell whether the file was removed or moved away, as logrotate does."""
        if self._handler is None or self._handler.stream is None:
            return False
        try:
            return not os.path.samestat(os.stat(self._handler.baseFilename),
                                        os.fstat(self._handler.stream.fileno()))
        except OSError:
            return True

    def close(self) -> None:
        """Close the file, whatever its disk says to that. Idempotent."""
        handler, self._handler = self._handler, None
        if handler is not None:
            with contextlib.suppress(OSError):  # a full disk, told when the line was written
                handler.close()
