"""
Why it is quiet, and the figures of the flow, out of the diagnostics of all nodes.

Owns which values matter and when a node that says nothing is taken for gone. Knows no topics.
"""

import time
from collections.abc import Callable, Mapping
from typing import Any

from audio_interaction_ros.nodes.monitoring.events import number_or_none

__all__ = ['Reasons']

_GONE_S = 5.0
_ENCODER_INPUT = 'encoder_node: audio input'
_SAMPLES_PER_S = 16_000


class Reasons:
    """Takes arrays of diagnostics; ``tell`` gets an event for whatever changed."""

    def __init__(self, tell: Callable[[str, Mapping[str, Any]], None], *,
                 clock: Callable[[], float] = time.monotonic) -> None:
        """Start without a word from anybody."""
        self._tell, self._clock = tell, clock
        self._said: dict[str, tuple[int, str]] = {}
        self._values: dict[str, dict[str, str]] = {}
        self._heard_at: dict[str, float] = {}
        self.muted = False
        """True while the encoder says that it is told not to listen."""

    def hear(self, array: Any) -> None:
        """Take in what a node reports."""
        for status in array.status:
            level = status.level[0] if isinstance(status.level, bytes) else status.level
            self._say(status.name, level, status.message)
            self._heard_at[_node_of(status.name)] = self._clock()
            values = {pair.key: pair.value for pair in status.values}
            self._values[status.name] = values
            for key, value in values.items():
                if key.endswith('.threshold'):
                    self._tell('lane', {'key': key.removesuffix('.threshold'),
                                        'threshold': _number(value)})
            if status.name == _ENCODER_INPUT:
                self.muted = values.get('listening') == 'False'

    def watch(self) -> None:
        """Say which nodes have not reported for a while; call it once a second."""
        for node, at in self._heard_at.items():
            silent_s = self._clock() - at
            gone = silent_s > _GONE_S
            self._say(f'{node}: silent', 2 * gone,
                      f'no word from {node} for {silent_s:.0f} s: it has died or is overloaded'
                      if gone else 'ok')

    def count(self) -> dict[str, Any]:
        """Return the figures of the flow; None where nobody says so."""
        def find(name: str, *, worst: bool = False) -> float | None:
            found = [number for values in self._values.values() if name in values
                     and (number := _number(values[name])) is not None]
            return (max(found) if worst else sum(found)) if found else None

        lost = find('lost_samples')
        pending, flying = find('pending'), find('in_flight')
        return {
            'waiting': _add(pending, flying), 'capacity': find('capacity', worst=True),
            'dropped': _add(find('dropped_overflow'), find('lost_in_flight')),
            'lost_s': None if lost is None else lost / _SAMPLES_PER_S,
            'encode_ms': _whole(find('chunk_ms_p95')), 'decode_ms': _whole(find('step_ms_p95')),
            'busy': find('real_time_factor', worst=True), 'muted': self.muted}

    def _say(self, name: str, level: int, message: str) -> None:
        if self._said.get(name, (0, 'ok')) != (level, message) or name not in self._said:
            self._said[name] = level, message
            self._tell('status', {'key': name, 'level': level, 'message': message})


def _node_of(status: str) -> str:
    return status.partition(':')[0]


def _number(text: str) -> float | None:
    try:
        return number_or_none(float(text))
    except ValueError:
        return None


def _add(first: float | None, second: float | None) -> float | None:
    return None if first is None or second is None else first + second


def _whole(value: float | None) -> int | None:
    return None if value is None else round(value)
