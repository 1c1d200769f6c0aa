"""
What is to be heard, in the order in which it came: audio, a button, and that all is forgotten.

Owns what waits. Put in from any thread, taken out by one. Audio stays in memory.
"""

import threading
from collections import deque
from enum import Enum

from audio_interaction_ros.audio.block import AudioChunk

__all__ = ['FORGOTTEN', 'Item', 'SpeechInbox']


class _Mark(Enum):
    FORGOTTEN = 'all audio from before is gone'


FORGOTTEN = _Mark.FORGOTTEN
"""Item: all audio that came before it is gone."""
Item = AudioChunk | bool | _Mark
"""A piece of audio, whether a button is held from here on, or FORGOTTEN."""


class SpeechInbox:
    """A queue of items; forgetting drops audio, and leaves what a button did."""

    def __init__(self) -> None:
        self._items: deque[Item] = deque()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._items)

    def put(self, item: Item) -> None:
        """Take an item in."""
        with self._lock:
            self._items.append(item)

    def forget(self) -> None:
        """Drop all audio that waits, and have it told that there was any."""
        with self._lock:
            held = [item for item in self._items if isinstance(item, bool)]
            self._items = deque([FORGOTTEN, *held])

    def take(self) -> Item | None:
        """Return the oldest item; None where there is none."""
        with self._lock:
            return self._items.popleft() if self._items else None
