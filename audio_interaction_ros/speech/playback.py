"""
What the loudspeaker is given, block by block: speech as it comes, and silence.

Owns the samples under way and when speech ends. Safe from any thread: one puts, one takes, any
may stop. Knows no device and no clock.
"""

import threading
from collections import deque
from dataclasses import dataclass

import numpy as np

__all__ = ['PlayedBlock', 'Playback']

_FADE_S = 0.01
_PAUSE_S = 0.2
_RAMP_S = 0.1
"""From full loudness to none and back; a step would click."""


@dataclass(frozen=True)
class PlayedBlock:
    """One block as it goes to the loudspeaker."""

    samples: np.ndarray  # [frames] float32
    speaking: bool
    """True where any of it is speech."""
    number: int
    """Of the utterance; 0: none."""
    spoken: float
    """Share of the utterance that is played with this block, 0 to 1."""
    over: bool
    """True: the utterance ends with this block, whole or cut short."""


@dataclass
class _Part:
    samples: np.ndarray
    share: float


class Playback:
    """One utterance at a time: begin, put its parts, finish; take blocks meanwhile."""

    def __init__(self, *, rate_hz: int) -> None:
        """Play nothing."""
        self.rate_hz = rate_hz
        self._lock = threading.Lock()
        self._parts: deque[_Part] = deque()
        self._number = 0
        self._offset = 0
        self._spoken = 0.0
        self._complete = self._fading = False
        self._pause = 0
        self._gain = self._soft_gain = 1.0
        self._soft_left = 0

    @property
    def number(self) -> int:
        """Number of the utterance under way; 0: none."""
        return self._number

    def begin(self, number: int) -> None:
        """Begin an utterance; the one before it must be over."""
        with self._lock:
            assert self._number == 0, 'the utterance before this one is not over'
            self._parts.clear()
            self._number, self._offset, self._spoken, self._pause = number, 0, 0.0, 0
            self._complete = self._fading = False
            self._gain, self._soft_left = 1.0, 0

    def put(self, number: int, samples: np.ndarray, share: float) -> bool:
        """Append a part [n] float32; False where that utterance is under way no more."""
        with self._lock:
            if number != self._number or self._fading:
                return False
            self._parts.append(_Part(samples, share))
            return True

    def finish(self, number: int) -> None:
        """Say that no part follows."""
        with self._lock:
            self._complete |= number == self._number

    def stop(self) -> int:
        """Let speech fade out within 10 ms; return the utterance that ends, 0 for none."""
        with self._lock:
            self._fading = self._number != 0
            return self._number

    def soften(self, gain: float, seconds: float) -> None:
        """Play this utterance softer for so many seconds from now on; 1 is as loud as it is."""
        with self._lock:
            self._soft_gain, self._soft_left = gain, round(seconds * self.rate_hz)

    def take(self, frames: int) -> PlayedBlock:
        """Return the next block, silence where nothing is to be said."""
        with self._lock:
            number = self._number
            block = np.zeros(frames, np.float32)
            filled = self._fade(block) if self._fading else self._fill(block)
            self._apply_gain(block)
            over = number != 0 and (self._fading or self._complete and not self._parts)
            spoken = 1.0 if over and not self._fading else self._spoken
            if over:
                self._number = 0
                self._parts.clear()
            return PlayedBlock(block, filled, number, min(spoken, 1.0), over)

    def _fill(self, block: np.ndarray) -> bool:
        """Copy what is next into a block; tell whether there was speech."""
        at = min(self._pause, len(block))
        self._pause -= at
        spoke = False
        while at < len(block) and self._parts:
            part = self._parts[0]
            count = min(len(block) - at, len(part.samples) - self._offset)
            block[at:at + count] = part.samples[self._offset:self._offset + count]
            spoke |= count > 0
            at += count
            self._offset += count
            self._spoken += part.share * count / max(len(part.samples), 1)
            if self._offset >= len(part.samples):
                self._parts.popleft()
                self._offset = 0
                if self._parts or not self._complete:
                    self._pause = max(0, round(_PAUSE_S * self.rate_hz) - (len(block) - at))
                    break
        return spoke

    def _apply_gain(self, block: np.ndarray) -> None:
        soft = min(self._soft_left, len(block))
        self._soft_left -= soft
        for part, target in ((block[:soft], self._soft_gain), (block[soft:], 1.0)):
            way = target - self._gain
            if len(part) and (way or target != 1.0):
                steps = np.arange(1, len(part) + 1) / (_RAMP_S * self.rate_hz)
                gains = self._gain + np.sign(way) * np.minimum(steps, abs(way))
                part *= gains.astype(np.float32)
                self._gain = float(gains[-1])

    def _fade(self, block: np.ndarray) -> bool:
        """Play 10 ms more, ever softer, so that there is no click."""
        count = min(len(block), round(_FADE_S * self.rate_hz))
        spoke = self._fill(block[:count])
        block[:count] *= np.linspace(1.0, 0.0, count, dtype=np.float32)
        block[count:] = 0.0
        return spoke
