"""
The subscription to the audio topic, whatever type it turns out to have.

Owns when to subscribe, and anew, converting the messages, and what diagnostics say of the input.
Knows nothing of chunks; blocks go to a callback.
"""

import time
from collections.abc import Callable
from typing import Any

from rclpy.callback_groups import CallbackGroup, MutuallyExclusiveCallbackGroup

from audio_interaction_ros.audio.block import AudioBlock
from audio_interaction_ros.config import AudioConfig
from audio_interaction_ros.errors import AudioFormatError, AudioInteractionError
from audio_interaction_ros.nodes.encoding.audio_info import InfoTopic, info_topic
from audio_interaction_ros.nodes.encoding.audio_publishers import AudioPublishers
from audio_interaction_ros.nodes.io.audio_messages import (
    AUDIO_INFO,
    AudioConverter,
    import_message,
)
from audio_interaction_ros.nodes.lifecycle import qos
from audio_interaction_ros.nodes.lifecycle.diagnostics import ERROR, WARN, StatusReport
from audio_interaction_ros.nodes.lifecycle.endpoints import publisher_name
from audio_interaction_ros.nodes.lifecycle.host_node import HostNode

__all__ = ['AudioInput']

_TOPIC = 'audio'
_LONG_BLOCK_S = 1.0
_QUIET_AFTER_S = 2.0
_LOOK_S = 1.0
_SHOWN_S = 10.0
_RENEW_AFTER_S, _RENEW_AT_MOST_S = 10.0, 600.0
"""A silent publisher is subscribed to anew, ever more rarely: a connection can be lost on one
side only, and whoever pushes to talk rarely does so in the instant that this takes."""


class AudioInput:
    """
    Listens to ``audio`` between open() and close(); ``poll`` must be called now and then.

    ``on_block`` returns False when the block had to be dropped. ``infos`` keeps what descriptions
    said, by type of the audio and topic of the description, longer than this object lives.
    """

    def __init__(self, *, node: HostNode, settings: AudioConfig, group: CallbackGroup,
                 on_block: Callable[[AudioBlock, str], bool],
                 infos: dict[tuple[str, str], Any]) -> None:
        """Do nothing yet."""
        self._node, self._settings, self._group = node, settings, group
        self._publishers = AudioPublishers(node=node, topic=_TOPIC, settings=settings)
        self._infos = infos
        self._on_block = on_block
        self._converter: AudioConverter | None = None
        self._subscriptions: list[Any] = []
        self._info: InfoTopic | None = None
        self._looked_at = float('-inf')
        self._mixing = ''
        self._wanted = False
        self._problem = ''
        self._opened_at = self._last_at = 0.0
        self._last_refusal_at = self._last_drop_at = float('-inf')
        self._refusal = ''
        self._renew_after_s = _RENEW_AFTER_S
        self._renewed_at, self._patience_s = 0.0, self._renew_after_s
        self.received = self.refused = self.dropped = self.renewed = 0
        self._format = (0, 0)
        self._block_s = 0.0
        self._counted = (time.monotonic(), 0)

    def be_patient(self, seconds: float) -> None:
        """Subscribe anew to a silent publisher only after so long, as a slow replay is one."""
        self._renew_after_s = self._patience_s = seconds

    @property
    def is_open(self) -> bool:
        """True while audio is wanted, found or not."""
        return self._wanted

    def open(self) -> None:
        """Begin to listen, as soon as the topic's type is known."""
        self._wanted = True
        self._opened_at = self._last_at = time.monotonic()
        self.poll()

    def close(self) -> None:
        """Stop: after this no audio enters the process through here. Idempotent."""
        self._wanted = False
        self._unsubscribe()

    def _unsubscribe(self) -> None:
        self._converter = None
        info, self._info = self._info, None
        if info is not None:
            info.close()
        while self._subscriptions:
            self._node.destroy_subscription(self._subscriptions.pop())

    def poll(self) -> None:
        """Subscribe if audio is wanted and its type has become known, or another one."""
        if not self._wanted:
            return
        self._check_publishers()
        if self._subscriptions and not self._renew_subscription():
            return
        try:
            type_name = self._publishers.find_type()
            if type_name:
                self._subscribe(type_name)
            problem = ''
        except AudioInteractionError as error:
            problem = str(error)
        except Exception as error:  # noqa: BLE001 - rclpy has its own exceptions
            problem = f'cannot listen to {self._publishers.topic}: {error}'
        if problem and problem != self._problem:
            self._node.get_logger().error(problem)
        self._problem = problem

    def _check_publishers(self) -> None:
        """Find out who publishes now, and whether it still is what is subscribed to."""
        now = time.monotonic()
        if now - self._looked_at < _LOOK_S:
            return
        self._looked_at = now
        if self._converter is None:
            self._mixing = ''
            return
        type_name = self._converter.type_name
        mixing = self._publishers.explain_mixing(type_name)
        if mixing and mixing != self._mixing:
            self._node.get_logger().warning(mixing)
        self._mixing = mixing
        successor = self._publishers.find_successor(type_name)
        if successor is not None:
            self._node.get_logger().warning(
                f'{self._publishers.topic}: nobody publishes {type_name} any more, but '
                f'{publisher_name(successor)} does {successor.topic_type}')
            self._unsubscribe()

    def _renew_subscription(self) -> bool:
        """Give a subscription up on which nothing comes from publishers that are there."""
        now = time.monotonic()
        if (now - max(self._last_at, self._renewed_at) < self._patience_s
                or not self._publishers.find()):
            return False
        self._node.get_logger().info(
            f'{self._publishers.topic}: no audio for {now - self._last_at:.0f} s from a publisher '
            f'that is there; subscribing anew')
        self._unsubscribe()
        self._group = MutuallyExclusiveCallbackGroup()  # whatever held up the old one
        self._renewed_at, self._patience_s = now, min(2 * self._patience_s, _RENEW_AT_MOST_S)
        self.renewed += 1
        return True

    def _subscribe(self, type_name: str) -> None:
        converter = AudioConverter(
            type_name=type_name, sample_rate_hz=self._settings.sample_rate_hz)
        if not converter.stamped:
            self._node.get_logger().warning(
                f'{self._publishers.topic}: {type_name} has no stamps; arrival time stands in')
        self._converter = converter
        if converter.wants_info:
            name = info_topic(self._node, self._publishers.topic, self._settings.info_topic)
            key = (converter.type_name, name)

            def take_info(message: Any) -> None:
                self._infos[key] = message
                self._on_info(converter, message)
            self._info = InfoTopic(
                node=self._node, kind=import_message(AUDIO_INFO), name=name, group=self._group,
                take_info=take_info, take_audio=self._convert_message, known=self._infos.get(key))
        self._subscriptions.append(self._node.create_subscription(
            converter.message_type, _TOPIC, self._node.exclusive(self._on_message), qos.AUDIO_IN,
            callback_group=self._group))

    def _on_info(self, converter: AudioConverter, message: Any) -> None:
        try:
            converter.on_info(message)
        except AudioFormatError as error:
            self.refuse(str(error))

    def _on_message(self, message: Any) -> None:
        converter = self._converter
        if converter is None:
            return
        self._last_at, self._patience_s = time.monotonic(), self._renew_after_s
        self.received += 1
        came = (converter, message, self._node.get_clock().now().nanoseconds, time.monotonic_ns())
        if self._info is None or not self._info.hold(*came):
            self._convert_message(*came)

    def _convert_message(self, converter: AudioConverter, message: Any, arrival_ns: int,
                         steady_ns: int) -> None:
        try:
            block = converter.to_block(message, arrival_ns, steady_ns)
        except AudioFormatError as error:
            self.refuse(str(error))
            return
        except Exception as error:  # noqa: BLE001 - no message may end the listening
            self.refuse(f'Expected a message of audio, got one that cannot be read ({error!r}); '
                        f'the publisher must correct it')
            return
        channels = block.samples.shape[1] if block.samples.ndim > 1 else 1
        self._format = (block.sample_rate_hz, channels)
        self._block_s = len(block.samples) / max(1, block.sample_rate_hz)
        header = getattr(message, 'header', None)
        if not self._on_block(block, header.frame_id if header is not None else ''):
            self.dropped += 1
            self._last_drop_at = time.monotonic()

    def refuse(self, reason: str) -> None:
        """Count a message that could not be understood; log each reason once per 5 s."""
        self.refused += 1
        now = time.monotonic()
        if reason != self._refusal or now - self._last_refusal_at > 5.0:
            self._node.get_logger().error(f'{self._publishers.topic}: {reason}')
            self._last_refusal_at = now
        self._refusal = reason

    def report(self, report: StatusReport) -> None:
        """Say how the input does."""
        count, age_s = len(self._publishers.find()), time.monotonic() - self._last_at
        type_name = self._converter.type_name if self._converter else ''
        report.values.update(
            topic=self._publishers.topic, type=type_name or 'unknown', publishers=count,
            received=self.received, refused=self.refused, dropped_blocks=self.dropped,
            renewed=self.renewed, age_s=age_s, messages_per_s=self._messages_per_s(),
            sample_rate_hz=self._format[0], channels=self._format[1],
            block_ms=round(self._block_s * 1000, 3))
        if self._wanted:
            self._report_silence(report, count, age_s)
            self._report_losses(report)
            self._publishers.report(report, type_name)

    def _report_silence(self, report: StatusReport, publishers: int, age_s: float) -> None:
        topic = self._publishers.topic
        if self._problem:
            report.add(ERROR, self._problem)
        elif not publishers:
            gone = ' any more: a recording is over, or a microphone is muted or ended'
            report.add(WARN, f'no publisher on {topic}{gone if self.received else ""}; start a '
                             'microphone or remap audio')
        elif age_s > _QUIET_AFTER_S:
            report.add(WARN, f'no audio for {age_s:.0f} s on {topic}')

    def _report_losses(self, report: StatusReport) -> None:
        now = time.monotonic()
        if now - self._last_refusal_at < _SHOWN_S:
            report.add(ERROR, self._refusal)
        if now - self._last_drop_at < _SHOWN_S:
            report.add(WARN, f'{self.dropped} blocks of audio dropped so far: the encoder is too '
                             f'slow')
        if self._block_s > _LONG_BLOCK_S:
            report.add(WARN, f'blocks of {self._block_s:.1f} s: nothing of one is heard before it '
                             'is whole, and what the queue does not hold of it is dropped; '
                             'publish 10 to 100 ms at a time')
        if self._info is not None:
            self._info.report(report, taken_as=f'{self._settings.sample_rate_hz} Hz mono s16le '
                                               f'(audio.sample_rate_hz)')

    def _messages_per_s(self) -> float:
        """Return the rate since this was last asked."""
        now, (then, count) = time.monotonic(), self._counted
        self._counted = (now, self.received)
        return (self.received - count) / max(now - then, 1e-3)
