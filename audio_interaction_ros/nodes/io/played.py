"""
What a recording is as messages, each with the second at which it is due: of a file, of a bag.

Blocks of a file are stamped from the moment it starts; messages of a bag stay as recorded, with
their own types and stamps. Owns no pace and no publisher.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from audio_interaction_ros.audio.block import AudioBlock
from audio_interaction_ros.audio.pcm import PcmFormat
from audio_interaction_ros.audio.read_blocks import read_blocks
from audio_interaction_ros.errors import AudioFormatError
from audio_interaction_ros.nodes.io.audio_messages import audio_message
from audio_interaction_ros.nodes.io.bag import BagMessage, read_bag

__all__ = ['PlayedBag', 'PlayedFile']

_NS = 1_000_000_000
Warn = Callable[[str], object]


class PlayedFile:
    """A sound file, and silence after it."""

    def __init__(self, path: Path, *, raw: str, block_ms: float, tail_s: float,
                 frame_id: str) -> None:
        """Look at the file; raises AudioFormatError at once for one that cannot be read."""
        self._path, self._block_ms, self._tail_s = path, block_ms, tail_s
        self._raw = PcmFormat.parse(raw) if raw else None
        self._frame_id = frame_id
        self.length_s = math.inf
        """Without the silence, once it is known."""
        next(self._read(lambda _: None), None)

    def messages(self, now_ns: Callable[[], int], warn: Warn) -> Iterator[tuple[float, Any]]:
        """Yield when each is due, when its last sample was spoken as from a microphone, and it."""
        start_ns = 0
        for seq, block in enumerate(self._blocks(warn)):
            if not seq:
                start_ns = now_ns()
            stamped = replace(block, stamp_ns=start_ns + (block.stamp_ns or 0))
            yield _end_ns(block) / _NS, audio_message(stamped, seq=seq, frame_id=self._frame_id)

    def _blocks(self, warn: Warn) -> Iterator[AudioBlock]:
        """Yield the blocks of the file and then the tail of silence."""
        last = None
        for last in self._read(warn):
            yield last
        if last is None:
            self.length_s = 0.0
            return
        position_ns = _end_ns(last)
        self.length_s = position_ns / _NS
        count = int(last.sample_rate_hz * self._block_ms / 1000)
        silence = np.zeros((count, *last.samples.shape[1:]), last.samples.dtype)
        end_ns = position_ns + int(self._tail_s * _NS)
        while position_ns < end_ns:
            yield replace(last, samples=silence, stamp_ns=position_ns)
            position_ns += count * _NS // last.sample_rate_hz

    def _read(self, warn: Warn) -> Iterator[AudioBlock]:
        return read_blocks(self._path, self._block_ms, raw=self._raw, warn=warn)


def _end_ns(block: AudioBlock) -> int:
    return (block.stamp_ns or 0) + len(block.samples) * _NS // block.sample_rate_hz


class PlayedBag:
    """A rosbag2 from its first audio on; what describes it is handed over by the way."""

    def __init__(self, path: Path, *, topic: str, on_info: Callable[[BagMessage], object],
                 warn: Warn) -> None:
        """Read up to the first audio; AudioFormatError where there is none."""
        self._on_info, self._rest = on_info, read_bag(path, topic, warn=warn)
        self._before = list(self._until_audio())
        if not self._before or self._before[-1].is_info:
            raise AudioFormatError(f'Expected audio in {path}, found no message of it; the '
                                   'bag is damaged, name another one')
        self.kind = self._before[-1].kind

    def _until_audio(self) -> Iterator[BagMessage]:
        """Yield what comes before the first audio, and that."""
        for message in self._rest:
            yield message
            if not message.is_info:
                return

    def messages(self) -> Iterator[tuple[float, Any]]:
        """Yield when each is due and the message of audio."""
        for message in chain(self._before, self._rest):
            if message.is_info:
                self._on_info(message)
            else:
                yield (message.stamp_ns - self._before[-1].stamp_ns) / _NS, message.data
