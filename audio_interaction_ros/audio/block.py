"""
The audio that enters the house: one block, as a source delivered it.

Knows nothing of ROS or files; those convert into a block.
"""

from dataclasses import dataclass

import numpy as np

from audio_interaction_ros.protocol import SAMPLE_RATE_HZ

__all__ = ['SAMPLE_NS', 'AudioBlock', 'AudioChunk']

SAMPLE_NS = 1_000_000_000 // SAMPLE_RATE_HZ  # 62,500 ns, exact


@dataclass(frozen=True, kw_only=True)
class AudioBlock:
    """What a source delivered at once: any length, rate and channel count."""

    samples: np.ndarray  # [frames] or [frames, channels], float32 in [-1, 1] or an integer type
    sample_rate_hz: int
    stamp_ns: int | None
    """Time of the first sample; None: continue where the block before ended."""
    stamped_on_arrival: bool = False
    """True: the stamp is the time of arrival less the length, for want of a better one."""
    seq: int | None = None
    """Number among the blocks of its source; consecutive ones miss nothing. None: not known."""
    arrival_ns: int | None = None
    """Steady time at which it arrived; None where that says nothing, as from a file."""


@dataclass(frozen=True, kw_only=True)
class AudioChunk:
    """One chunk of 16 kHz mono audio, of the size that the model hears, or a part of one."""

    samples: np.ndarray  # [n] float32; 6400 in chunks of 0.4 s, 3200 in their parts
    stamp_ns: int
    """Time of the first sample."""
    lost_samples_before: int
    """Samples (at 16 kHz) missing between the chunk before and this one."""
    end_of_stream: bool = False
    """True: the stream ended here; missing samples were padded with zeros."""
    padding: bool = False
    """True: silence that was added after the end of a stream; the source sent none of it."""
    ends_chunk: bool = False
    """True of a part: its chunk is whole with it."""

    @property
    def end_ns(self) -> int:
        """Time at which its last sample ends."""
        return self.stamp_ns + len(self.samples) * SAMPLE_NS

    @property
    def rms_dbfs(self) -> float:
        """Level in dB relative to full scale; -inf becomes -120."""
        rms = float(np.sqrt(np.mean(np.square(self.samples, dtype=np.float64))))
        return float(20.0 * np.log10(max(rms, 1e-6)))
