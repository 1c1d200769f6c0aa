"""
Keeps the journal of alerts up to date, beside the node that raises them.

Owns the file's place under the ROS home folder and the thread that writes it: a disk that is
slow, full or gone costs the memory of alerts, never the listening.
"""

import contextlib
import os
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from audio_interaction_ros.alerts.journal import JournalContents, JournalError, read, write
from audio_interaction_ros.whole_file import remove_left

__all__ = ['AlertKeeper', 'journal_path']

_RETRY_S = 10.0
_MOST_REFRESH_S = 600.0
_PATIENCE_S = 2.0
_CLOCK_WAS_SET_S = 1_600_000_000.0
"""A wall clock before September 2020 is one that nobody has set."""


def journal_path(namespace: str, domain: int) -> Path:
    """
    Return where alerts of a namespace are kept, in ROS_HOME or ~/.ros.

    Raises JournalError where there is no home folder.
    """
    try:
        home = Path(os.environ.get('ROS_HOME') or '~/.ros').expanduser()
    except RuntimeError as error:
        raise JournalError(f'alerts cannot be kept: {error}; set ROS_HOME') from error
    parts = [f'alerts-{domain}' if domain else 'alerts', *namespace.strip('/').split('/')]
    return home / 'audio_interaction' / f'{".".join(part for part in parts if part)}.json'


class AlertKeeper:
    """
    Remembers alerts that wait for a person; nothing where ``lifetime_s`` is 0.

    A journal is written anew now and then, so its age is the time since a node last lived.
    No method raises; ``failure`` says what is wrong.
    """

    def __init__(self, *, place: Callable[[], Path], lifetime_s: float) -> None:
        """Take the place of the file, which may raise JournalError; start the thread."""
        self.lifetime_s = lifetime_s
        self.failure = ''
        """Why alerts would not survive the end of this process; empty while they would."""
        self.lost = ''
        """What an earlier process left and nobody can read, or is too old; empty if nothing."""
        self.path: Path | None = None
        if lifetime_s > 0:
            try:
                self.path = place()
            except JournalError as error:
                self.failure = str(error)
        self._wake = threading.Condition()
        self._kept: JournalContents | None = None
        self._dirty = self._closing = False
        self._thread = threading.Thread(target=self._run, name='alert keeper', daemon=True)
        if self.path is not None:
            self._thread.start()

    def recall(self) -> JournalContents:
        """Return what an earlier process left; nothing where that is too old or damaged."""
        if self.path is None:
            return JournalContents()
        remove_left(self.path.parent)  # a sentence that somebody said, half of it
        try:
            kept = read(self.path)
        except JournalError as error:
            self.lost = f'{error}; alerts from before the start are not known'
            with contextlib.suppress(OSError):  # for whoever wants to look at it
                os.replace(self.path, self.path.with_suffix('.unread'))
            return JournalContents()
        if not kept.alerts or not self._is_too_old(kept):
            return kept
        self.lost = (f'{self.path}: {len(kept.alerts)} alerts from before the start are older '
                     f'than alerts.journal_s and forgotten')
        self.keep(JournalContents())
        return JournalContents()

    def _is_too_old(self, kept: JournalContents) -> bool:
        # a clock that was never set, then or now, says nothing of an age
        return (kept.saved_s > _CLOCK_WAS_SET_S
                and time.time() - kept.saved_s > self.lifetime_s)

    def keep(self, kept: JournalContents) -> None:
        """Have this written, soon; what was to be written before is obsolete."""
        with self._wake:
            before = self._kept
            if before is not None and (before.alerts, before.frame_id) == (
                    kept.alerts, kept.frame_id):
                return
            self._kept, self._dirty = kept, True
            self._wake.notify()

    def close(self) -> None:
        """Finish writing, but wait for no disk that hangs. Idempotent."""
        with self._wake:
            self._closing = True
            self._wake.notify()
        if self._thread.is_alive():
            self._thread.join(_PATIENCE_S)

    def _run(self) -> None:
        while (kept := self._wait_for_next()) is not None:
            assert self.path is not None, 'the thread runs only with a file'
            try:
                write(self.path, replace(kept, saved_s=time.time()))
                self.failure = ''
            except JournalError as error:
                self.failure = f'alerts would not survive a restart: {error}'
                self._pause()

    def _wait_for_next(self) -> JournalContents | None:
        """Wait for something to write, or for the time to write it anew; None: closing."""
        with self._wake:
            refresh_s = min(_MOST_REFRESH_S, self.lifetime_s / 4)
            while not self._dirty and not self._closing:
                if not self._wake.wait(refresh_s) and self._kept and self._kept.alerts:
                    self._dirty = True
            if not self._dirty:
                return None
            self._dirty = False
            return self._kept

    def _pause(self) -> None:
        """Wait before the next try, unless there is something new or the end has come."""
        with self._wake:
            if not self._dirty and not self._closing:
                self._wake.wait(_RETRY_S)
                self._dirty = self._dirty or not self._closing
