"""
The robot's own voice taken out of what it hears.

Owns when the canceller works, which piece of what was played belongs to which piece of what was
heard, and that as many samples come out as went in, in their places. What cancels is a library
behind ``EchoProcessor``. Where nothing was played lately the audio passes bit for bit.
"""

from collections import deque
from collections.abc import Callable
from typing import Protocol

import numpy as np

from audio_interaction_ros.audio.block import SAMPLE_NS
from audio_interaction_ros.audio.echo_reference import EchoReference
from audio_interaction_ros.audio.overhearing import EchoFrame

__all__ = ['EchoCanceller', 'EchoProcessor', 'FRAME']

FRAME = 160
"""Samples that are worked on at once: 10 ms."""
_FRAME_NS = FRAME * SAMPLE_NS
_NONE = np.zeros(0, np.float32)
_REMEMBERED = 1000  # frames without a reference: those of 10 s


class EchoProcessor(Protocol):
    """Cancels echoes, 10 ms at a time."""

    delay: int
    """Samples by which its output is late, less than a frame."""

    def process(self, heard: np.ndarray, played: np.ndarray) -> np.ndarray:
        """Return ``heard`` [160] float32, 16 kHz, without what ``played`` [160] left in it."""


class EchoCanceller:
    """
    Takes what is heard, with its time, and returns it without the robot's own voice.

    ``reference`` is filled by others. While ``speaking`` is set, audio waits for its reference,
    for up to ``hold_s`` of newer audio; then it passes as it is. The reference is given
    ``lead_s`` early, so that stamps may be late by that much; the library finds the rest of the
    delay itself.
    """

    def __init__(self, processor: EchoProcessor, *, lead_s: float = 0.04, hold_s: float = 0.4,
                 tail_s: float = 0.6) -> None:
        """Hear nothing yet; ``tail_s`` is how long a room may ring."""
        self.reference = EchoReference()
        self.speaking = False
        """Whether the robot says that it speaks."""
        self.on_frame: Callable[[EchoFrame], None] = lambda frame: None
        """Is told each frame that was worked on."""
        self._processor = processor
        self._lead_ns, self._hold_ns = round(lead_s * 1e9), round(hold_s * 1e9)
        self._tail_frames = max(2, round(tail_s * 1e9) // _FRAME_NS)  # one for its delay
        self.cancelled = self.uncovered = 0
        """Frames of 10 ms that were cancelled, and those that had no reference while speaking."""
        self._without: deque[int] = deque(maxlen=_REMEMBERED)  # when these began
        self._reference_ns: int | None = None
        self._ringing = 0
        self.reset()

    @property
    def pending(self) -> int:
        """Samples that went in and have not come out."""
        return len(self._raw)

    def was_uncovered(self, begin_ns: int, end_ns: int) -> bool:
        """Tell whether the robot spoke in a span of the newest seconds without a reference."""
        return any(begin_ns - _FRAME_NS < frame_ns < end_ns for frame_ns in self._without)

    def reset(self) -> None:
        """Forget the audio under way; what was learnt of the room stays."""
        self._raw = _NONE  # in, not out yet
        self._clean = _NONE  # the same, as it will come out
        self._decided = 0  # of these, how many a frame was made of
        self._written = 0  # of these, up to where the processor wrote
        self._working = False

    def push(self, samples: np.ndarray, start_ns: int) -> np.ndarray:
        """Take samples [n] float32, 16 kHz, the first at a time; return those now ready."""
        start_ns -= len(self._raw) * SAMPLE_NS
        self._raw = np.concatenate([self._raw, samples])
        self._clean = np.concatenate([self._clean, samples])
        newest_ns = start_ns + len(self._raw) * SAMPLE_NS
        while len(self._raw) - self._decided >= FRAME:
            frame_ns = start_ns + self._decided * SAMPLE_NS
            known = self.reference.end_ns >= frame_ns + self._lead_ns + _FRAME_NS
            if not known and self.speaking and newest_ns - frame_ns < self._hold_ns:
                break
            self._work(frame_ns, known)
        return self._give(max(0, self._decided - self._processor.delay))

    def flush(self) -> np.ndarray:
        """Return all samples that are still here; what follows begins anew."""
        if self._working and self._decided:
            rest = np.zeros(FRAME, np.float32)
            rest[:len(self._raw) - self._decided] = self._raw[self._decided:][:FRAME]
            self._write(self._processor.process(rest, np.zeros(FRAME, np.float32)))
        ready = self._give(len(self._raw))
        self.reset()
        return ready

    def _work(self, frame_ns: int, known: bool) -> None:
        """Decide on the next frame: cancel, or let it pass."""
        if not known:
            self.reference.finish()
        piece = self.reference.take(self._place(frame_ns), FRAME)
        if self.speaking and not (known and piece.whole):
            self.uncovered += 1
            self._without.append(frame_ns)
        self._ringing = self._tail_frames if piece.heard else max(0, self._ringing - 1)
        if not self._ringing:
            self._working, self._reference_ns = False, None
            self._decided += FRAME
            return
        if not self._working:
            self._working, self._written = True, self._decided
        frame = self._raw[self._decided:self._decided + FRAME]
        left = self._processor.process(frame, piece.samples)
        self._write(left)
        self.on_frame(EchoFrame(frame_ns, frame, piece.samples, left))
        self.cancelled += 1
        self._decided += FRAME

    def _place(self, frame_ns: int) -> int:
        """Return from when on the reference of a frame is; small moves of the clock are let be."""
        wanted_ns = frame_ns + self._lead_ns
        if self._reference_ns is None or abs(self._reference_ns - wanted_ns) > _FRAME_NS // 2:
            self._reference_ns = wanted_ns
        place_ns = self._reference_ns
        self._reference_ns += _FRAME_NS
        return place_ns

    def _write(self, output: np.ndarray) -> None:
        """Put what came out of the processor where it belongs, not before it began to work."""
        begin = self._decided - self._processor.delay
        skip = max(0, self._written - begin)
        end = min(begin + FRAME, len(self._clean))
        if begin + skip < end:
            self._clean[begin + skip:end] = output[skip:end - begin]
            self._written = end

    def _give(self, count: int) -> np.ndarray:
        ready, self._clean = self._clean[:count], self._clean[count:].copy()
        self._raw = self._raw[count:]
        self._decided -= count
        self._written = max(0, self._written - count)
        return ready
