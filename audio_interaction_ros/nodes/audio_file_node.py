"""
audio_file_node: a sound file or a rosbag2 as an audio topic, at real time or as fast as consumed.

Owns the pace; what is played is ``io.played``'s.
"""

import math
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from rcl_interfaces.msg import ParameterDescriptor
from rclpy.duration import Duration
from rclpy.node import Node

from audio_interaction_msgs.msg import AudioChunk, Decision, FifoCredit
from audio_interaction_ros.errors import AudioInteractionError, ConfigurationError
from audio_interaction_ros.nodes.encoding.audio_info import info_topic
from audio_interaction_ros.nodes.io.bag import BagMessage, is_bag
from audio_interaction_ros.nodes.io.chunks_under_way import ChunksUnderWay
from audio_interaction_ros.nodes.io.played import PlayedBag, PlayedFile
from audio_interaction_ros.nodes.io.stamps import stamp_ns
from audio_interaction_ros.nodes.lifecycle import qos
from audio_interaction_ros.nodes.lifecycle.diagnostics import ERROR, Diagnostics, StatusReport
from audio_interaction_ros.nodes.lifecycle.live_parameters import logger_service
from audio_interaction_ros.nodes.lifecycle.spinning import run_or_say_why_not

__all__ = ['AudioFileNode', 'main']

_NS = 1_000_000_000
_MATCHING_S = 0.5  # a reader that the writer knows of may not know the writer yet
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
        self.published_s = 0.0
        self._file: PlayedFile | None = None
        self._info_publisher: Any = None
        self._under_way = ChunksUnderWay()
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
    def consumed_at(self) -> float:
        """Steady time at which the decoder was last seen to have taken something."""
        return self._under_way.taken_at

    @property
    def recorded_s(self) -> float:
        """Seconds of the recording played so far, without the silence after it."""
        return min(self.published_s, self._file.length_s if self._file else math.inf)

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
        pace = self._parameter_value('pace')
        if pace not in ('realtime', 'consumed'):
            raise ConfigurationError(
                f'pace: expected realtime or consumed, found {pace!r}; change the parameter')
        kind, messages = self._open()
        # While it waits to begin there is no publisher: nobody shall miss audio from one.
        if not self._wait_until(self._is_free):
            return
        publisher = self.create_publisher(kind, 'audio', qos.AUDIO_OUT)
        if self._wait_until(publisher.get_subscription_count):
            self._sleep(_MATCHING_S)
            self._publish(publisher, messages, pace)

    def _open(self) -> tuple[Any, Iterator[tuple[float, Any]]]:
        """Return the type of the messages, and these with the second at which each is due."""
        if not self._parameter_value('path'):
            raise ConfigurationError('path: expected a file or a rosbag2, found nothing; set the '
                                     'parameter path')
        path, warn = Path(self._parameter_value('path')).expanduser(), self.get_logger().warning
        if is_bag(path):
            bag = PlayedBag(path, topic=self._parameter_value('topic'),
                            on_info=self._publish_info, warn=warn)
            return bag.kind, bag.messages()
        self._file = PlayedFile(path, **{name: self._parameter_value(name) for name in (
            'raw', 'block_ms', 'tail_s', 'frame_id')})
        return AudioChunk, self._file.messages(lambda: self.get_clock().now().nanoseconds, warn)

    def _publish_info(self, message: BagMessage) -> None:
        if self._info_publisher is None:
            self._info_publisher = self.create_publisher(
                message.kind, info_topic(self, self.resolve_topic_name('audio'), ''),
                qos.INFO_LATCHED)
        self._info_publisher.publish(message.data)

    def _is_free(self) -> bool:
        """Return whether a decoder is there, where one is waited for, and nobody holds it."""
        waits = not self._under_way.has_decoder and self._parameter_value('wait_for_decoder')
        return not self.held and not waits

    def _wait_until(self, ready: Callable[[], object]) -> bool:
        """Wait for what the first block needs to be heard; False when closing."""
        if not ready():
            self.get_logger().info('waiting for an encoder and a decoder', once=True)
        while not self._closing and not ready():
            self._sleep(0.05)
        return not self._closing

    def _publish(self, publisher: Any, messages: Iterator[tuple[float, Any]], pace: str) -> None:
        began = time.monotonic()
        self._under_way.begin()
        for due_s, message in messages:
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
                   and self._under_way.count(due_s) > self._parameter_value('max_ahead')):
                self._news.wait(0.5)

    def _sleep(self, seconds: float) -> None:
        with self._news:
            if not self._closing:
                self._news.wait(seconds)

    def _on_credit(self, message: Any) -> None:
        with self._news:
            self._under_way.note_credit((message.epoch, message.consumed_seq), message.depth,
                                        time.monotonic())
            if self._parameter_value('pace') == 'consumed':
                self._news.notify_all()

    def _on_decision(self, message: Any) -> None:
        with self._news:
            self._under_way.note_decision(
                message.epoch, message.seq, stamp_ns(message.header.stamp))

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
