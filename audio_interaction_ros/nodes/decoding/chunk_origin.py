"""What is known of the chunk that an event belongs to. Knows no event."""

import math
import time
from dataclasses import dataclass

__all__ = ['ChunkOrigin']

_NAN = float('nan')


@dataclass(frozen=True, kw_only=True)
class ChunkOrigin:
    """Where a chunk came from and how late it was."""

    frame_id: str = ''
    arrived_at: float = _NAN
    """Steady second at which the decoder got it."""
    encode_latency_s: float = _NAN
    """From the end of its audio to its arrival, by the ROS clock; NaN for replayed audio."""

    def latency_s(self) -> float:
        """Return seconds since the end of its audio; of replayed audio, since its arrival."""
        waited = time.monotonic() - self.arrived_at
        return waited if math.isnan(self.encode_latency_s) else self.encode_latency_s + waited
