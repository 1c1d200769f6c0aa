"""
Records what is heard: only where a directory was named, and never at the cost of hearing.

Owns the thread that waits for the disk and the bounded queue before it. What does not fit, or
cannot be written, is counted. Knows nothing of files.
"""

import threading
import time
from collections import deque

from audio_interaction_ros.audio.block import AudioChunk
from audio_interaction_ros.audio.recordings import Recordings
from audio_interaction_ros.config import RecordConfig

__all__ = ['Recorder']

_QUEUE_CHUNKS = 150
"""A minute of audio, 4 MB."""
_PATIENCE_S = 1.0
_SLOW_S = 3.0
"""A disk that takes longer than this for one thing is said to hang."""
_FINISH = None


class Recorder:
    """Writes chunks from a thread of its own; no method waits for the disk, but ``close``."""

    def __init__(self, *, settings: RecordConfig) -> None:
        """Start the thread; raises MissingDependencyError without soundfile."""
        self._recordings = Recordings(settings=settings)
        self._wake = threading.Condition()
        self._queue: deque[AudioChunk | None] = deque()
        self._closing = False
        self._busy_since: float | None = None
        self.lost = 0
        """Chunks that were not written."""
        self._thread = threading.Thread(target=self._run, name='recorder', daemon=True)
        self._thread.start()

    @property
    def retention_s(self) -> float:
        """How long recordings are kept; may change at any time."""
        return self._recordings.retention_s

    @retention_s.setter
    def retention_s(self, seconds: float) -> None:
        with self._wake:
            self._recordings.retention_s = seconds
            self._wake.notify()

    @property
    def failure(self) -> str:
        """Why nothing is written or deleted; empty while all is well."""
        since = self._busy_since
        hung_s = 0.0 if since is None else time.monotonic() - since
        if hung_s > _SLOW_S:
            return (f'nothing is recorded: {self._recordings.directory} has not answered for '
                    f'{hung_s:.0f} s')
        if len(self._queue) >= _QUEUE_CHUNKS:
            return f'not all is recorded: {self._recordings.directory} is too slow'
        return self._recordings.failure

    def write(self, chunk: AudioChunk) -> None:
        """Have a chunk appended; the file before it ends when it is long enough."""
        with self._wake:
            if self._closing or len(self._queue) >= _QUEUE_CHUNKS:
                self.lost += 1
                return
            self._queue.append(chunk)
            self._wake.notify()

    def finish(self) -> None:
        """Have the file ended that is being written."""
        with self._wake:
            if self._queue and self._queue[-1] is _FINISH:
                return
            self._queue.append(_FINISH)  # one per chunk at most
            self._wake.notify()

    def close(self) -> None:
        """
        Write what waits and end; idempotent.

        Waits a second at most: a disk that hangs is left to itself, and what waits for it is lost.
        """
        with self._wake:
            self._closing = True
            self._wake.notify()
        self._thread.join(_PATIENCE_S)
        with self._wake:
            self.lost += sum(item is not _FINISH for item in self._queue)
            self._queue.clear()

    def _run(self) -> None:
        deleted_at = float('-inf')
        while True:
            left_s = deleted_at + self._recordings.period_s - time.monotonic()
            if left_s <= 0.0:
                self._busy_since = time.monotonic()
                self._recordings.delete_old()
                self._busy_since = None
                deleted_at = time.monotonic()
                continue
            with self._wake:
                if not self._queue:
                    if self._closing:
                        break
                    self._wake.wait(left_s)
                    continue
                chunk = self._queue.popleft()
                self._busy_since = time.monotonic()
            if chunk is _FINISH:
                self._recordings.finish()
            elif not self._recordings.write(chunk):
                with self._wake:
                    self.lost += 1
            self._busy_since = None
        self._recordings.finish()
