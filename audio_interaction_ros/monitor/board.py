"""
What a page is told when it joins: the newest of everything, in bounded memory.

Owns how much of each kind is kept. What the kinds mean is the page's and the node's matter. An
event is a kind and what is said of it, in types of JSON.
"""

from collections import OrderedDict, deque
from collections.abc import Iterable
from typing import Any

__all__ = ['Board', 'Event']

Event = tuple[str, Any]

_KEYED = {'text': 40, 'alert': 30, 'status': 64, 'numbers': 1, 'scores': 1, 'alerts': 1,
          'lane': 16}
"""Kinds of which the newest of each ``key`` counts, and how many keys are kept."""
_IN_ORDER = {'outline': 400, 'sound': 30, 'decision': 300}
"""Kinds of which each one counts, and how many are kept."""
_OUTLINE_S = 31.0


class Board:
    """The newest events, for pages that join; not thread-safe."""

    def __init__(self) -> None:
        """Start with nothing."""
        self._newest: dict[str, OrderedDict[Any, Any]] = {kind: OrderedDict() for kind in _KEYED}
        self._rows: dict[str, deque[Any]] = {
            kind: deque(maxlen=length) for kind, length in _IN_ORDER.items()}

    def take(self, kind: str, told: Any) -> None:
        """Keep an event; raises KeyError for a kind that no page knows."""
        if kind in _KEYED:
            kept, key = self._newest[kind], told.get('key', '')
            kept.pop(key, None)
            kept[key] = told
            if len(kept) > _KEYED[kind]:
                kept.popitem(last=False)
            return
        rows = self._rows[kind]
        rows.append(told)
        if kind == 'outline':  # blocks may be of any length
            while rows[0]['start'] < told['start'] - _OUTLINE_S:
                rows.popleft()

    def list_events(self) -> list[Event]:
        """Return what a page that knows nothing must be told, in the order in which it came."""
        def all_of(kind: str) -> Iterable[Any]:
            return self._newest[kind].values() if kind in _KEYED else self._rows[kind]
        return [(kind, told) for kind in (*_KEYED, *_IN_ORDER) for told in all_of(kind)]
