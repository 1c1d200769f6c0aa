"""
The newest audio of a stream and where in it somebody speaks.

Owns the chunks that can still be read, and what the voice detector said of them. Knows no
utterances and no words. Audio stays in memory.
"""

from collections import deque

import numpy as np

from audio_interaction_ros.audio.block import AudioChunk
from audio_interaction_ros.protocol import SAMPLE_RATE_HZ
from audio_interaction_ros.runtimes.base import VoiceListener

__all__ = ['SOFTEST_NS', 'SpeechHeard']

NS = 1_000_000_000
SPEAKS = 0.5
"""Probability from which a piece counts as speech."""
SOFTEST_NS = 5 * NS
"""Of so much speech the softest moment is where it is cut."""
_QUIETEST_PEAK = 1e-3
_PEAK_KEPT = 0.99  # of a chunk's peak per chunk: a tenth of it after a minute and a half


class SpeechHeard:
    """Takes chunks in, and cuts out what is to be read."""

    def __init__(self, voice: VoiceListener) -> None:
        """Hear with a detector, which begins anew."""
        self._voice = voice
        self.piece_ns = round(voice.step_s * NS)
        """Length of a piece, of which the detector gives one probability."""
        self.start_anew()

    def start_anew(self) -> None:
        """Forget all audio."""
        self._chunks: deque[AudioChunk] = deque()
        self._pieces: list[tuple[int, float]] = []
        self._peak = 0.0
        self.until_ns = 0
        """End of the newest chunk; 0 before the first."""
        self._voice.reset()

    def follows(self, chunk: AudioChunk) -> bool:
        """Tell whether no audio is missing before a chunk."""
        return not self.until_ns or abs(chunk.stamp_ns - self.until_ns) <= (
            chunk.end_ns - chunk.stamp_ns) // 2

    def take(self, chunk: AudioChunk) -> list[int]:
        """Take a chunk in; return the ends of its pieces in which somebody speaks."""
        self._chunks.append(chunk)
        self.until_ns = chunk.end_ns
        self._peak = max(self._peak * _PEAK_KEPT, float(np.abs(chunk.samples).max()),
                         _QUIETEST_PEAK)
        heard = self._voice.push(chunk.samples * np.float32(0.5 / self._peak))
        ends = [self.until_ns - (len(heard) - 1 - place) * self.piece_ns
                for place in range(len(heard))]
        self._pieces += zip(ends, map(float, heard), strict=True)
        self._pieces = self._pieces[-(SOFTEST_NS // self.piece_ns):]
        return [end for end, share in zip(ends, heard, strict=True) if share > SPEAKS]

    @property
    def oldest_ns(self) -> int:
        """Start of the oldest audio that is still there."""
        return self._chunks[0].stamp_ns

    def find_softest(self) -> int:
        """Return the end of the piece of the last five seconds that is least like speech."""
        return min(self._pieces, key=lambda piece: piece[1])[0]

    def keep_from(self, start_ns: int) -> None:
        """Drop chunks that end before a time; the newest one stays."""
        while len(self._chunks) > 1 and self._chunks[0].end_ns <= start_ns:
            self._chunks.popleft()

    def cut_out(self, start_ns: int, end_ns: int) -> np.ndarray:
        """Return samples [n] float32 at 16 kHz of a span, as far as they are there."""
        joined = np.concatenate([chunk.samples for chunk in self._chunks])
        start, end = ((at - self.oldest_ns) * SAMPLE_RATE_HZ // NS for at in (start_ns, end_ns))
        cut: np.ndarray = joined[max(0, start):max(0, end)]
        return cut
