"""
The listening side as one object: blocks in, encoded chunks out.

Joins the front end, the mel and an encoder, and keeps each chunk's metadata until its mel is
there (40 samples later). Numbers the chunks. Knows nothing of queues, lanes or messages.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from audio_interaction_ros.audio.block import AudioBlock, AudioChunk
from audio_interaction_ros.audio.frontend import FrontEnd
from audio_interaction_ros.audio.mel import LOOK_AHEAD_SAMPLES, StreamingMel
from audio_interaction_ros.errors import ConfigurationError
from audio_interaction_ros.runtimes.base import Encoder, Encoding
from audio_interaction_ros.stream.chunk import EncodedChunk
from audio_interaction_ros.stream.quiet import QuietRoom
from audio_interaction_ros.stream.sound_scores import SoundScorer

__all__ = ['ListeningPipeline']

# A room in which nothing stands out of the noise sounds the same from chunk to chunk, and the
# encoder would spend on it half of what an idle robot computes. So of many quiet chunks in a row
# the first two are read, and then one in ten (4 s apart in chunks of 0.4 s); the others carry what
# was read last.
_READ_AT_FIRST, _READ_EVERY = 2, 10


class ListeningPipeline:
    """Encodes a stream chunk by chunk; one at a time per encoder, as it holds state."""

    def __init__(
            self, *, frontend: FrontEnd, mel: StreamingMel, encoder: Encoder, epoch: int = 1,
            quiet: QuietRoom | None = None, scorer: SoundScorer | None = None,
            on_chunk: Callable[[AudioChunk], None] | None = None):
        """
        Begin a stream.

        ``quiet`` tells which chunks are; without it none is. ``scorer`` tells what each sounds
        like; without it nobody does. ``on_chunk`` is told each chunk of audio that the source
        sent before it is encoded, in order.
        """
        if mel.rows != encoder.spec.mel_rows:
            raise ConfigurationError(
                f'Expected a mel of {encoder.spec.mel_rows} rows, as the encoder was trained '
                f'with, got {mel.rows}; the caller must build StreamingMel from the encoder spec')
        self.frontend = frontend
        self._mel = mel
        self._encoder = encoder
        self._quiet = quiet
        self._scorer = scorer or SoundScorer(None)
        self._on_chunk = on_chunk
        self._expected_ns: int | None = None  # half a chunk of slack for steering
        self.reset(epoch)

    @property
    def epoch(self) -> int:
        """The epoch that chunks are marked with."""
        return self._epoch

    def push(self, block: AudioBlock) -> list[EncodedChunk]:
        """
        Take a block of any length and return the chunks encoded now.

        Raises AudioFormatError, with nothing changed, for a block that cannot be understood.
        """
        encoded = []
        for chunk in self.frontend.push(block):
            encoded += self._feed_chunk(chunk)
        return encoded + self._look_ahead()

    def flush(self, tail_s: float = 0.0) -> list[EncodedChunk]:
        """
        End the stream: return what was pending, its last chunk marked with end_of_stream.

        ``tail_s`` of silence is heard before the end, so that a late decision can fire.
        """
        encoded = []
        for chunk in self.frontend.flush(tail_s):
            encoded += self._feed_chunk(chunk)
        if self._waiting:
            self._waiting[-1] = replace(self._waiting[-1], end_of_stream=True)
        encoded += self._finish_mel()
        self._mel.reset()
        self._forget_context()
        self._expected_ns = None
        return encoded

    def reset(self, epoch: int) -> None:
        """Forget all audio and context and number the chunks of a new epoch from 0."""
        self.frontend.reset()
        self._mel.reset()
        self._forget_context()
        if self._quiet is not None:
            self._quiet.reset()
        self._epoch = epoch
        self._seq = 0
        self._waiting: deque[AudioChunk] = deque()  # chunks whose mel is not there yet
        self._ahead = 0  # samples of the incomplete chunk that the mel has had already
        self._expected_ns = None

    def _forget_context(self) -> None:
        """Let the next chunk be the first of a stream, as far as the model is concerned."""
        self._encoder.reset()
        self._scorer.reset()
        self._encoding: Encoding | None = None  # the newest
        self._quiet_in_a_row = 0

    def _feed_chunk(self, chunk: AudioChunk) -> list[EncodedChunk]:
        """Pass a chunk to the mel; after a gap the mel begins anew, with its maximum kept."""
        encoded = []
        if chunk.lost_samples_before > 0:
            encoded = self._finish_mel()
            self._forget_context()
        if self._on_chunk is not None and not chunk.padding:
            self._on_chunk(chunk)
        self._waiting.append(chunk)
        mels = self._mel.push(chunk.samples[self._ahead:])
        self._ahead = 0
        return encoded + [self._encode(mel) for mel in mels]

    def _finish_mel(self) -> list[EncodedChunk]:
        """Complete the mel of chunks that wait, without their look-ahead."""
        assert self._ahead == 0, 'the mel has samples of a chunk that never came'
        return [self._encode(mel) for mel in self._mel.flush()]

    def _look_ahead(self) -> list[EncodedChunk]:
        """Give the mel the few samples after the last chunk that its last frame needs."""
        if self.frontend.pending_after_gap:
            return self._finish_mel()  # what follows is no continuation to look into
        if self._ahead == LOOK_AHEAD_SAMPLES:
            return []
        pending = self.frontend.pending[:LOOK_AHEAD_SAMPLES]
        mels = self._mel.push(pending[self._ahead:])
        self._ahead = len(pending)
        return [self._encode(mel) for mel in mels]

    def _encode(self, mel: np.ndarray) -> EncodedChunk:
        chunk, size = self._waiting.popleft(), self._encoder.spec.chunk_size
        jumped = (self._expected_ns is not None
                  and abs(chunk.stamp_ns - self._expected_ns) > size.ns // 2)
        quiet = self._is_quiet(mel, chunk.rms_dbfs)
        encoding = self._encode_mel(mel, quiet)
        encoded = EncodedChunk(
            features=encoding.features, stamp_ns=chunk.stamp_ns, epoch=self._epoch,
            seq=self._seq, model_id=self._encoder.spec.model_id, duration_ns=size.ns,
            rms_dbfs=chunk.rms_dbfs, lost_samples_before=chunk.lost_samples_before, quiet=quiet,
            sounds=self._scorer.push(encoding.embedding), end_of_stream=chunk.end_of_stream,
            discontinuity=chunk.lost_samples_before > 0 or jumped)
        self._seq += 1
        self._expected_ns = encoded.end_ns
        return encoded

    def _encode_mel(self, mel: np.ndarray, quiet: bool) -> Encoding:
        """Encode a chunk; where it is one of many quiet ones, most of the time let it be."""
        place = self._quiet_in_a_row - _READ_AT_FIRST
        self._quiet_in_a_row = self._quiet_in_a_row + 1 if quiet else 0
        if not quiet or self._encoding is None or place < 0 or place % _READ_EVERY == 0:
            self._encoding = self._encoder.encode(mel)
        else:
            self._encoder.skip(mel)
        return self._encoding

    def _is_quiet(self, mel: np.ndarray, rms_dbfs: float) -> bool:
        return self._quiet is not None and self._quiet.hear(
            mel[:self._encoder.spec.mel_bins], rms_dbfs)
