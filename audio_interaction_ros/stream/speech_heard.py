"""
The newest audio of a stream and where in it somebody speaks.

Owns the audio that can still be read, and what the voice detector said of them. Knows no
utterances and no words. Audio stays in memory.
"""

from collections import deque

import numpy as np

from audio_interaction_ros.audio.block import AudioChunk
from audio_interaction_ros.protocol import CHUNK_NS, SAMPLE_RATE_HZ
from audio_interaction_ros.runtimes.base import VoiceListener

__all__ = ['SOFTEST_NS', 'SpeechHeard']

NS = 1_000_000_000
SPEAKS = 0.5
"""Probability from which a piece counts as speech."""
SOFTEST_NS = 5 * NS
"""Of so much speech the softest moment is where it is cut."""
_STEERED_NS = CHUNK_NS // 2
"""Stamps may be steered so far between two parts that follow each other."""
_QUIETEST_PEAK = 1e-3
_PEAK_KEPT = 0.975  # of the peak per second: a tenth of it after a minute and a half


class SpeechHeard:
    """Takes parts of chunks in, and cuts out what is to be read."""

    def __init__(self, voice: VoiceListener) -> None:
        """Hear with a detector, which begins anew."""
        self._voice = voice
        self.piece_ns = round(voice.step_s * NS)
        """Length of a piece, of which the detector gives one probability."""
        self.start_anew()

    def start_anew(self) -> None:
        """Forget all audio."""
        self._parts: deque[AudioChunk] = deque()
        self._pieces: list[tuple[int, float]] = []
        self._peak = 0.0
        self.until_ns = 0
        """End of the newest part; 0 before the first."""
        self._voice.reset()

    def follows(self, part: AudioChunk) -> bool:
        """Tell whether no audio is missing before a part."""
        return not self.until_ns or abs(part.stamp_ns - self.until_ns) <= _STEERED_NS

    def take(self, part: AudioChunk) -> list[int]:
        """Take a part in; return the ends of its pieces in which somebody speaks."""
        self._parts.append(part)
        self.until_ns = part.end_ns
        kept = _PEAK_KEPT ** (len(part.samples) / SAMPLE_RATE_HZ)
        self._peak = max(self._peak * kept, float(np.abs(part.samples).max()), _QUIETEST_PEAK)
        heard = self._voice.push(part.samples * np.float32(0.5 / self._peak))
        ends = [self.until_ns - (len(heard) - 1 - place) * self.piece_ns
                for place in range(len(heard))]
        self._pieces += zip(ends, map(float, heard), strict=True)
        self._pieces = self._pieces[-(SOFTEST_NS // self.piece_ns):]
        return [end for end, share in zip(ends, heard, strict=True) if share > SPEAKS]

    @property
    def oldest_ns(self) -> int:
        """Start of the oldest audio that is still there."""
        return self._parts[0].stamp_ns

    def find_softest(self) -> int:
        """Return the end of the piece of the last five seconds that is least like speech."""
        return min(self._pieces, key=lambda piece: piece[1])[0]

    def keep_from(self, start_ns: int) -> None:
        """Drop parts that end before a time; the newest one stays."""
        while len(self._parts) > 1 and self._parts[0].end_ns <= start_ns:
            self._parts.popleft()

    def cut_out(self, start_ns: int, end_ns: int) -> np.ndarray:
        """Return samples [n] float32 at 16 kHz of a span, as far as they are there."""
        joined = np.concatenate([part.samples for part in self._parts])
        start, end = ((at - self.oldest_ns) * SAMPLE_RATE_HZ // NS for at in (start_ns, end_ns))
        cut: np.ndarray = joined[max(0, start):max(0, end)]
        return cut
