"""
From one who tells to many who watch: a bounded queue for each page.

Owns the queues and what becomes of a page that is too slow: its queue is emptied and it is told
the newest of everything instead, so it misses frames and takes no memory. Thread-safe: the node
tells, the server asks.
"""

import threading
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

from audio_interaction_ros.monitor.board import Board, Event

__all__ = ['Hub', 'Watcher']

_MOST_EVENTS = 300
_MOST_AUDIO = 50


class Watcher:
    """One page that watches; made by ``Hub.join``."""

    def __init__(self, wake: Callable[[], None]) -> None:
        """``wake`` is called, from any thread, when there is something to collect."""
        self.wake = wake
        self.events: deque[Event] = deque()
        self.audio: deque[bytes] = deque(maxlen=_MOST_AUDIO)
        self.behind = True
        """True: it must be told everything."""
        self.awake = False
        self.hears = False
        """True: it asked for the audio itself."""
        self.missed = 0


class Hub:
    """Tells every page what happens; the newest is kept for those that join."""

    def __init__(self, hello: Mapping[str, Any]) -> None:
        """``hello`` is said first to every page, also to one that lost the thread."""
        self._hello = dict(hello)
        self._lock = threading.Lock()
        self._board = Board()
        self._watchers: list[Watcher] = []

    def __len__(self) -> int:
        """Return how many pages watch."""
        return len(self._watchers)

    @property
    def missed(self) -> int:
        """Return how many events pages missed that watch now."""
        return sum(watcher.missed for watcher in self._watchers)

    @property
    def is_heard(self) -> bool:
        """True while a page wants the audio itself."""
        return any(watcher.hears for watcher in self._watchers)

    def tell(self, kind: str, told: Mapping[str, Any]) -> None:
        """Keep an event and put it into every queue."""
        with self._lock:
            self._board.take(kind, told)
            for watcher in self._watchers:
                if watcher.behind:
                    watcher.missed += 1
                elif len(watcher.events) >= _MOST_EVENTS:
                    watcher.missed += len(watcher.events) + 1
                    watcher.events.clear()
                    watcher.behind = True
                else:
                    watcher.events.append((kind, told))
                self._wake(watcher)

    def play(self, samples: bytes) -> None:
        """Put audio into the queues of those who want it; a slow one misses the oldest."""
        with self._lock:
            for watcher in self._watchers:
                if watcher.hears:
                    watcher.audio.append(samples)
                    self._wake(watcher)

    def join(self, wake: Callable[[], None]) -> Watcher:
        """Let a page watch; it is told everything first."""
        watcher = Watcher(wake)
        with self._lock:
            self._watchers.append(watcher)
            self._wake(watcher)
        return watcher

    def leave(self, watcher: Watcher) -> None:
        """Forget a page. Idempotent."""
        with self._lock:
            if watcher in self._watchers:
                self._watchers.remove(watcher)

    def collect(self, watcher: Watcher) -> tuple[list[Event], list[bytes]]:
        """Return what a page must be told now, and the audio that it asked for."""
        with self._lock:
            watcher.awake = False
            if watcher.behind:
                events = [('hello', self._hello), *self._board.list_events()]
                watcher.behind = False
            else:
                events = list(watcher.events)
            watcher.events.clear()
            audio = list(watcher.audio)
            watcher.audio.clear()
        return events, audio

    @staticmethod
    def _wake(watcher: Watcher) -> None:
        """Wake a page once, until it has collected."""
        if not watcher.awake:
            watcher.awake = True
            watcher.wake()
