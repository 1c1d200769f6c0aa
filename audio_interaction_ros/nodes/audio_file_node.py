"""
audio_file_node: a sound file or a rosbag2 as an audio topic, at real time or as fast as consumed.

Owns the pace. Blocks of a file are stamped from the moment it starts; messages of a bag are
published as recorded, in their own type and with their own stamps.
"""

import math
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from rcl_interfaces.msg import ParameterDescriptor
from rclpy.duration import Duration
from rclpy.node import Node

from audio_interaction_msgs.msg import AudioChunk, Decision, FifoCredit
from audio_interaction_ros.audio.block import AudioBlock
from audio_interaction_ros.audio.pcm import PcmFormat
from audio_interaction_ros.audio.read_blocks import read_blocks
from audio_interaction_ros.errors import (
    AudioFormatError,
    AudioInteractionError,
    ConfigurationError,
)
from audio_interaction_ros.nodes.encoding.audio_info import info_topic
from audio_interaction_ros.nodes.io.audio_messages import audio_message
from audio_interaction_ros.nodes.io.bag import BagMessage, is_bag, read_bag
from audio_interaction_ros.nodes.io.chunk_pace import ChunkPace
from audio_interaction_ros.nodes.io.stamps import stamp_ns
from audio_interaction_ros.nodes.lifecycle import qos
from audio_interaction_ros.nodes.lifecycle.diagnostics import ERROR, Diagnostics, StatusReport
from audio_interaction_ros.nodes.lifecycle.live_parameters import logger_service
from audio_interaction_ros.nodes.lifecycle.spinning import run_or_say_why_not

__all__ = ['AudioFileNode', 'main']

_NS = 1_000_000_000
_MATCHING_S = 0.5  # a reader that the writer knows of may not know the writer yet
_STALLED_S = 3.0  # with nothing waiting in the decoder, nothing is under way any more
_SENDING_S = 2.0
_PARAMETERS = {
    'path': ('', 'WAV, FLAC, Ogg, Opus, MP3, AIFF, AU or CAF file; or a rosbag2: its folder, an '
             '.mcap or a .db3 file.'),
    'raw': ('', 'Format of a file without a header, such as s16le:16000:1; empty: it has one.'),
    'topic': ('', 'Audio topic inside the bag; empty: the only one of a supported type.'),
    'pace': ('realtime', 'realtime, or consumed: as fast as the decoder takes it.'),
    'block_ms': (40, 'Length of the blocks of a file.'),
    'tail_s': (1.6, 'Silence after the end, so that a late decision can fire.'),
    'frame_id': ('audio_file', 'frame_id of the messages of a file.'),
    'wait_for_decoder': (True, 'Start when a decoder offers credit; false: when somebody '
                               'listens.'),
    'max_ahead': (4, 'Chunks that may be under way with pace consumed.'),
}


class AudioFileNode(Node):
    """Publishes one recording and then stays silent; ``finished`` tells when."""

    def __init__(self, **options: Any) -> None:
        """Declare parameters and start the thread that keeps the pace."""
        super().__init__('audio_file_node', **{**logger_service(), **options})
        for name, (default, text) in _PARAMETERS.items():  # all are read when playing begins
            self.declare_parameter(name, default, ParameterDescriptor(
                description=text, read_only=True))
        self.finished = False
        self.held = False
        """Do not begin yet: whoever made this node knows that somebody is not ready to hear."""
        self.failure = ''
        self.consumed_at = 0.0
        """Steady time at which the decoder was last seen to have taken something."""
        self.published_s = 0.0
        self._length_s = math.inf
        self._consumed: tuple[int, int] | None = None
        self._info_publisher: Any = None
        self._epoch, self._base = 0, 0.0
        self._moved_at, self._stalled = 0.0, False
        self._pace = ChunkPace()
        self._news = threading.Condition()
        self._closing = False
        self.create_subscription(FifoCredit, 'encoded/credit', self._on_credit, qos.CREDIT)
        self.create_subscription(Decision, 'decisions', self._on_decision, qos.DECISIONS)
        self.diagnostics = Diagnostics(node=self, tasks={'file': self._make_report})
        self._thread = threading.Thread(target=self._run, name='audio_file', daemon=True)
        self._thread.start()

    def destroy_node(self) -> None:
        """Stop publishing, then destroy the node."""
        with self._news:
            self._closing = True
            self._news.notify_all()
        self._thread.join()
        super().destroy_node()

    @property
    def recorded_s(self) -> float:
        """Seconds of the recording played so far, without the silence after it."""
        return min(self.published_s, self._length_s)

    def _parameter_value(self, name: str) -> Any:
        return self.get_parameter(name).value

    def _run(self) -> None:
        try:
            self._play()
        except AudioInteractionError as error:
            self.failure = str(error)
        except Exception as error:  # noqa: BLE001 - the operator must see whatever it is
            self.failure = f'playing failed: {error!r}'
        if self.failure and not self._closing:
            self.get_logger().error(self.failure)
        self.finished = True

    def _play(self) -> None:
        path, pace = Path(
            self._parameter_value('path')).expanduser(), self._parameter_value('pace')
        if pace not in ('realtime', 'consumed'):
            raise ConfigurationError(
                f'pace: expected realtime or consumed, found {pace!r}; change the parameter')
        if not self._parameter_value('path'):
            raise ConfigurationError('path: expected a file or a rosbag2, found nothing; set the '
                                     'parameter path')
        if is_bag(path):
            messages = read_bag(path, self._parameter_value('topic'),
                                warn=self.get_logger().warning)
            before = list(self._until_audio(messages))
            if not before or before[-1].is_info:
                raise AudioFormatError(f'Expected audio in {path}, found no message of it; the '
                                       'bag is damaged, name another one')
            kind, items = before[-1].kind, self._bag_items(before, messages)
        else:
            next(self._read_file(path), None)  # a bad file is named at once
            kind, items = AudioChunk, self._file_items(path)
        # While it waits to begin there is no publisher: nobody shall miss audio from one.
        if not self._wait_until(self._is_free):
            return
        publisher = self.create_publisher(kind, 'audio', qos.AUDIO_OUT)
        if self._wait_until(publisher.get_subscription_count):
            self._sleep(_MATCHING_S)
            self._publish(publisher, items, pace)

    @staticmethod
    def _until_audio(messages: Iterator[BagMessage]) -> Iterator[BagMessage]:
        """Yield what comes before the first audio, and that."""
        for message in messages:
            yield message
            if not message.is_info:
                return

    def _bag_items(self, before: list[BagMessage], rest: Iterator[BagMessage]
                   ) -> Iterator[tuple[float, Any]]:
        """Yield the audio and when it is due; what describes it is published by the way."""
        for message in chain(before, rest):
            if message.is_info:
                self._publish_info(message)
            else:
                yield (message.stamp_ns - before[-1].stamp_ns) / _NS, message.data

    def _publish_info(self, message: BagMessage) -> None:
        if self._info_publisher is None:
            self._info_publisher = self.create_publisher(
                message.kind, info_topic(self, self.resolve_topic_name('audio'), ''),
                qos.INFO_LATCHED)
        self._info_publisher.publish(message.data)

    def _file_items(self, path: Path) -> Iterator[tuple[float, Any]]:
        start_ns = 0
        for seq, block in enumerate(self._blocks(path)):
            if not seq:
                start_ns = self.get_clock().now().nanoseconds
            end_s = ((block.stamp_ns or 0) + len(block.samples) * _NS / block.sample_rate_hz) / _NS
            stamped = replace(block, stamp_ns=start_ns + (block.stamp_ns or 0))
            # due when its last sample has been spoken, as from a microphone
            yield end_s, audio_message(stamped, seq=seq,
                                       frame_id=self._parameter_value('frame_id'))

    def _blocks(self, path: Path) -> Iterator[AudioBlock]:
        """Yield the blocks of the file and then the tail of silence."""
        position_ns, last = 0, None
        for block in self._read_file(path, self.get_logger().warning):
            yield block
            last = block
            position_ns = (block.stamp_ns or 0) + len(block.samples) * _NS // block.sample_rate_hz
        self._length_s = position_ns / _NS
        if last is None:
            return
        count = int(last.sample_rate_hz * self._parameter_value('block_ms') / 1000)
        silence = np.zeros((count, *last.samples.shape[1:]), last.samples.dtype)
        end_ns = position_ns + int(self._parameter_value('tail_s') * _NS)
        while position_ns < end_ns:
            yield replace(last, samples=silence, stamp_ns=position_ns)
            position_ns += count * _NS // last.sample_rate_hz

    def _read_file(self, path: Path, warn: Callable[[str], object] = lambda _: None
                   ) -> Iterator[AudioBlock]:
        raw = self._parameter_value('raw')
        return read_blocks(path, self._parameter_value('block_ms'),
                           raw=PcmFormat.parse(raw) if raw else None, warn=warn)

    def _is_free(self) -> bool:
        """Return whether a decoder is there, where one is waited for, and nobody holds it."""
        waits = self._consumed is None and self._parameter_value('wait_for_decoder')
        return not self.held and not waits

    def _wait_until(self, ready: Callable[[], object]) -> bool:
        """Wait for what the first block needs to be heard; False when closing."""
        if not ready():
            self.get_logger().info('waiting for an encoder and a decoder', once=True)
        while not self._closing and not ready():
            self._sleep(0.05)
        return not self._closing

    def _publish(self, publisher: Any, items: Iterator[tuple[float, Any]], pace: str) -> None:
        began = time.monotonic()
        (self._epoch, self._base), self._stalled = self._consumed or (0, 0), False
        for due_s, message in items:
            if pace == 'realtime':
                while not self._closing and (left := began + due_s - time.monotonic()) > 0:
                    self._sleep(left)
            else:
                self._wait_for_room(due_s)
            if self._closing:
                return
            publisher.publish(message)
            self.published_s = due_s
        self.get_logger().info(f'played {self.recorded_s:.1f} s')
        self._withdraw(publisher)

    def _withdraw(self, publisher: Any) -> None:
        """End the topic with the recording, so that nobody who listens waits for more of it."""
        publisher.wait_for_all_acked(Duration(seconds=_SENDING_S))
        self.destroy_publisher(publisher)

    def _wait_for_room(self, due_s: float) -> None:
        """Wait until no more than max_ahead chunks are under way."""
        with self._news:
            while (not self._closing
                   and self._count_under_way(due_s) > self._parameter_value('max_ahead')):
                self._news.wait(0.5)

    def _count_under_way(self, sent_s: float) -> float:
        """Return how many of the chunks of the seconds sent so far are not consumed yet."""
        sent_chunks = sent_s * self._pace.size.per_s
        if self._consumed is None:
            return sent_chunks
        epoch, consumed = self._consumed
        if epoch != self._epoch:
            # A decoder that has heard nothing yet offers credit for epoch 0. Any later change
            # is a restart of encoder or decoder: what was under way may be lost, count anew.
            first = (self._epoch, self._base) == (0, 0)
            self._epoch, self._base = epoch, 0 if first else consumed - sent_chunks
        if self._stalled:  # an encoder that was reset has thrown away what was under way
            self._base, self._stalled = consumed - sent_chunks, False
        return sent_chunks - (consumed - self._base)

    def _sleep(self, seconds: float) -> None:
        with self._news:
            if not self._closing:
                self._news.wait(seconds)

    def _on_credit(self, message: Any) -> None:
        with self._news:
            consumed = (message.epoch, message.consumed_seq)
            now = time.monotonic()
            if consumed != self._consumed:
                self.consumed_at = now
            if consumed != self._consumed or message.depth:
                self._moved_at = now
            elif now - self._moved_at > _STALLED_S:
                self._moved_at, self._stalled = now, True
            self._consumed = consumed
            if self._parameter_value('pace') == 'consumed':
                self._news.notify_all()

    def _on_decision(self, message: Any) -> None:
        with self._news:
            if self._pace.note(message.epoch, message.seq, stamp_ns(message.header.stamp)):
                # What was counted before was counted in chunks of another size.
                self._stalled = bool(self._base)

    def _make_report(self) -> StatusReport:
        report = StatusReport(values={'path': self._parameter_value('path'),
                                      'published_s': self.published_s,
                                      'finished': self.finished})
        if self.failure:
            report.add(ERROR, self.failure)
        return report


def main(args: list[str] | None = None) -> int:
    """Play one recording; code 1 where it cannot be played."""
    return run_or_say_why_not(AudioFileNode, args)


if __name__ == '__main__':
    raise SystemExit(main())
