"""
From blocks of any format to chunks: convert, resample, cut, and account for what is missing.

Owns the health counters of the input. Knows nothing of mel, models or messages. Nothing that a
source sends is dropped. What it did not send is counted, and filled with zeros (up to one chunk)
or skipped where its place is known.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from audio_interaction_ros.audio.block import SAMPLE_NS, AudioBlock, AudioChunk
from audio_interaction_ros.audio.chunker import Chunker
from audio_interaction_ros.audio.echo import EchoCanceller
from audio_interaction_ros.audio.mono import to_mono_with_report
from audio_interaction_ros.audio.resample import Resampler
from audio_interaction_ros.audio.stream_clock import Jump, JumpKind, StreamClock
from audio_interaction_ros.errors import ConfigurationError
from audio_interaction_ros.protocol import RELEASED_CHUNK, SAMPLE_RATE_HZ, ChunkSize

__all__ = ['FrontEnd', 'FrontEndStats']

_NS_PER_MS = 1_000_000
_DC_SHARE = 0.1  # of the newest chunk in the running mean: about 4 s
_DIGITAL_SILENCE = 1e-6  # peak, -120 dB: no microphone is that quiet


@dataclass(kw_only=True)
class FrontEndStats:
    """What was seen since the front end was made; ``reset`` keeps it."""

    nonfinite_samples: int = 0
    """NaN or infinite samples, replaced by 0."""
    samples: int = 0
    """Samples of the channels in use, at the rate of the source."""
    clipped_samples: int = 0
    """Samples at or beyond full scale, at the rate of the source."""
    gaps: int = 0
    """Times that audio was missing between two blocks."""
    lost_samples: int = 0
    """Samples (at 16 kHz) missing in all gaps, filled ones included."""
    backwards_stamps: int = 0
    """Times that the stamps went back, for longer than jitter explains."""
    forward_stamps: int = 0
    """Times that they went forward and nothing was missing: the clock was set."""
    format_changes: int = 0
    """Changes of rate, channel count or sample type."""
    dc_offset: float = 0.0
    """Running mean over about 4 s, of full scale 1; reported, not removed."""
    chunks: int = 0
    silent_chunks: int = 0
    """Chunks of digital silence: a muted or wrong microphone."""
    streams: int = 0
    """Times that the audio stopped: the end of a file, a pause, a mute."""


class FrontEnd:
    """Takes blocks as they come and returns chunks as they complete."""

    def __init__(
            self, *, channel_select: int | None = None, gap_tolerance_ms: float = 60.0,
            canceller: EchoCanceller | None = None, chunk_size: ChunkSize = RELEASED_CHUNK,
            on_part: Callable[[AudioChunk], object] = lambda _: None):
        """
        Begin a stream; with ``canceller`` the robot's own voice is taken out of it.

        ``channel_select`` counts from 0; None mixes all channels. Stamps further than
        ``gap_tolerance_ms`` from where the audio before them ended are, when they stay so, a gap
        or a jump back. ``chunk_size`` is that of the model; ``on_part`` is told each part of a
        chunk, in order, as soon as it is whole.
        """
        if not gap_tolerance_ms > 0.0:
            raise ConfigurationError(
                f'Expected gap_tolerance_ms above 0, got {gap_tolerance_ms}; the operator must '
                'correct it')
        self._channel_select = channel_select
        self.canceller = canceller
        self._chunk_size, self._on_part = chunk_size, on_part
        self._tolerance_ns = round(gap_tolerance_ms * _NS_PER_MS)
        self.stats = FrontEndStats()
        self.reset()

    @property
    def pending(self) -> np.ndarray:
        """The samples [n < a chunk's] that follow the last chunk returned, a copy."""
        return self._chunker.pending

    @property
    def pending_after_gap(self) -> bool:
        """True when ``pending`` does not continue the last chunk: audio is missing between."""
        return self._chunker.after_gap

    def push(self, block: AudioBlock) -> list[AudioChunk]:
        """
        Take a block of any length and return the chunks now complete.

        Raises AudioFormatError, with nothing changed, for a block that cannot be understood.
        """
        mono = to_mono_with_report(block, self._channel_select)
        self.stats.nonfinite_samples += mono.report.nonfinite_samples
        self.stats.clipped_samples += mono.report.clipped_samples
        channels = 1 if self._channel_select is not None or block.samples.ndim == 1 \
            else block.samples.shape[1]
        self.stats.samples += len(mono.samples) * channels
        if len(mono.samples) == 0:
            return []
        chunks = self._follow_format(block)
        chunks += self._follow_stamp(block)
        chunks += self._feed(mono.samples)
        return self._observe(chunks)

    def reset(self) -> None:
        """Forget all audio and the clock; the counters stay."""
        self._format: tuple[int, int, str] | None = None
        self._resampler: Resampler | None = None
        self._rate_hz = 0
        self._chunker = Chunker(self._chunk_size, self._on_part)
        if self.canceller is not None:
            self.canceller.reset()
        self._timeline = StreamClock(tolerance_ns=self._tolerance_ns)

    def flush(self, tail_s: float = 0.0) -> list[AudioChunk]:
        """
        End the stream: return what was pending, its last chunk padded with zeros and marked.

        ``tail_s`` of silence follows before, where there was any audio, so that a model can hear
        that it ended; chunks of nothing else are ``padding``. Nothing heard, no chunk. The next
        block begins a new stream, at its own time.
        """
        if self._resampler is None:
            return []
        chunks = self._chunk(self._resampler.flush()) + self._drain_canceller()
        tail = np.zeros(round(tail_s * SAMPLE_RATE_HZ), dtype=np.float32)
        chunks += self._chunker.push(tail, padding=True)
        chunks += self._chunker.pad(end_of_stream=True)
        self.stats.streams += 1
        self._resampler, self._chunker = None, Chunker(self._chunk_size, self._on_part)
        self._timeline.restart(self._timeline.next_ns)
        self._timeline.follow_next_stamp()
        self._chunker.skip(self._timeline.next_ns, lost_samples=0)
        return self._observe(chunks)

    def _follow_format(self, block: AudioBlock) -> list[AudioChunk]:
        """Take over the format of a block; a new rate drains the old resampler."""
        samples = block.samples
        channels = 1 if samples.ndim == 1 else samples.shape[1]
        now = (block.sample_rate_hz, channels, samples.dtype.name)
        if self._format is not None and now != self._format:
            self.stats.format_changes += 1
        self._format = now
        if self._resampler is not None and block.sample_rate_hz == self._rate_hz:
            return []
        return self._begin_segment(block.sample_rate_hz)

    def _begin_segment(self, rate_hz: int) -> list[AudioChunk]:
        """Drain the resampler and begin a new one where the audio so far ends."""
        chunks = []
        if self._resampler is not None:
            chunks = self._chunk(self._resampler.flush())
            self._timeline.restart(self._timeline.next_ns)
        self._resampler = Resampler(sample_rate_hz=rate_hz)
        self._rate_hz = rate_hz
        return chunks

    def _follow_stamp(self, block: AudioBlock) -> list[AudioChunk]:
        jump = self._timeline.judge(block)
        lost = round(jump.lost_ns / SAMPLE_NS)
        self.stats.gaps += jump.lost_ns > 0
        self.stats.lost_samples += lost
        if jump.kind is JumpKind.SET:
            self.stats.backwards_stamps += jump.delta_ns < 0
            self.stats.forward_stamps += jump.delta_ns > 0
        if jump.kind is JumpKind.GAP and jump.here and jump.delta_ns <= self._chunk_size.ns:
            return self._feed(np.zeros(
                round(jump.delta_ns * self._rate_hz / 1e9), dtype=np.float32))
        far = abs(jump.delta_ns) > self._chunk_size.ns and jump.kind is not JumpKind.ANCHOR
        if far and jump.here:
            return self._skip(jump)
        self._timeline.move(jump.delta_ns)
        if far:
            self._chunker.move_next(jump.delta_ns, lost_samples=lost)
        else:
            self._chunker.move(jump.delta_ns)
        return []

    def _skip(self, jump: Jump) -> list[AudioChunk]:
        """Finish the present chunk with zeros and go on at another time."""
        goal_ns = self._timeline.next_ns + jump.delta_ns
        chunks = self._begin_segment(self._rate_hz) + self._drain_canceller()
        chunks += self._chunker.pad()
        padded_ns = self._chunker.end_ns - (goal_ns - jump.delta_ns) if chunks else 0
        lost = max(0, round((jump.lost_ns - padded_ns) / SAMPLE_NS))
        self._chunker.skip(goal_ns, lost_samples=lost)
        self._timeline.restart(goal_ns)
        return chunks

    def _feed(self, samples: np.ndarray) -> list[AudioChunk]:
        """Pass on samples at the rate of the source."""
        assert self._resampler is not None, 'a format is known before samples are taken'
        self._timeline.advance(len(samples), rate_hz=self._rate_hz)
        return self._chunk(self._resampler.push(samples))

    def _chunk(self, samples: np.ndarray) -> list[AudioChunk]:
        """Pass on samples at 16 kHz, without the robot's own voice where that is wanted."""
        if self.canceller is not None:
            begin_ns = self._chunker.end_ns + self.canceller.pending * SAMPLE_NS
            samples = self.canceller.push(samples, begin_ns)
        return self._chunker.push(samples)

    def _drain_canceller(self) -> list[AudioChunk]:
        return [] if self.canceller is None else self._chunker.push(self.canceller.flush())

    def _observe(self, chunks: list[AudioChunk]) -> list[AudioChunk]:
        """Count what the chunks show that the source sent."""
        for chunk in chunks:
            if chunk.padding:
                continue
            mean = float(chunk.samples.mean(dtype=np.float64))
            share = 1.0 if self.stats.chunks == 0 else _DC_SHARE
            self.stats.dc_offset += share * (mean - self.stats.dc_offset)
            self.stats.chunks += 1
            if float(np.abs(chunk.samples).max()) <= _DIGITAL_SILENCE:
                self.stats.silent_chunks += 1
        return chunks
