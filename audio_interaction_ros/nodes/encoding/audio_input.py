"""
The subscription to the audio topic, whatever type it turns out to have.

Owns finding the topic's type, converting its messages and what diagnostics say of the input.
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
from audio_interaction_ros.nodes.io.audio_messages import (
    AUDIO_INFO,
    SUPPORTED_TYPES,
    AudioConverter,
    import_message,
)
from audio_interaction_ros.nodes.lifecycle import qos
from audio_interaction_ros.nodes.lifecycle.diagnostics import (
    ERROR,
    WARN,
    StatusReport,
    have_other_fields,
    name_several,
    publisher_name,
    why_unheard,
)
from audio_interaction_ros.nodes.lifecycle.host_node import HostNode

__all__ = ['AudioInput']

_TOPIC = 'audio'
_QUIET_AFTER_S = 2.0
_LOOK_S = 1.0
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
        self._infos = infos
        self._on_block = on_block
        self._converter: AudioConverter | None = None
        self._subscriptions: list[Any] = []
        self._info: InfoTopic | None = None
        self._looked_at = float('-inf')
        self._crowd = ''
        self._wanted = False
        self._problem = ''
        self._opened_at = self._last_at = 0.0
        self._last_refusal_at = self._last_drop_at = float('-inf')
        self._refusal = ''
        self._renew_after_s = _RENEW_AFTER_S
        self._renewed_at, self._patience_s = 0.0, self._renew_after_s
        self.received = self.refused = self.dropped = self.renewed = 0
        self._format = (0, 0)
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
            type_name = self._find_type()
            if type_name:
                self._subscribe(type_name)
            problem = ''
        except AudioInteractionError as error:
            problem = str(error)
        except Exception as error:  # noqa: BLE001 - rclpy has its own exceptions
            problem = f'cannot listen to {self._topic_name()}: {error}'
        if problem and problem != self._problem:
            self._node.get_logger().error(problem)
        self._problem = problem

    def _check_publishers(self) -> None:
        """Find out who publishes now, and whether it still is what is subscribed to."""
        now = time.monotonic()
        if now - self._looked_at < _LOOK_S:
            return
        self._looked_at = now
        publishers, converter = self._find_publishers(), self._converter
        crowd = self._name_several(publishers)
        if crowd and crowd != self._crowd:
            self._node.get_logger().warning(self._explain_mixing(crowd))
        self._crowd = crowd
        if (converter is None or not publishers or self._settings.msg_type != 'auto'
                or any(info.topic_type == converter.type_name for info in publishers)):
            return
        self._node.get_logger().warning(
            f'{self._topic_name()}: nobody publishes {converter.type_name} any more, but '
            f'{publisher_name(publishers[0])} does {publishers[0].topic_type}')
        self._unsubscribe()

    def _renew_subscription(self) -> bool:
        """Give a subscription up on which nothing comes from publishers that are there."""
        now = time.monotonic()
        if (now - max(self._last_at, self._renewed_at) < self._patience_s
                or not self._find_publishers()):
            return False
        self._node.get_logger().info(
            f'{self._topic_name()}: no audio for {now - self._last_at:.0f} s from a publisher '
            'that is '
            f'there; subscribing anew')
        self._unsubscribe()
        self._group = MutuallyExclusiveCallbackGroup()  # whatever held up the old one
        self._renewed_at, self._patience_s = now, min(2 * self._patience_s, _RENEW_AT_MOST_S)
        self.renewed += 1
        return True

    def _name_several(self, publishers: list[Any]) -> str:
        """Name the publishers that are heard, where there are several."""
        return name_several(info for info in publishers
                            if self._converter and info.topic_type == self._converter.type_name
                            and not why_unheard(info, qos.AUDIO_IN))

    def _explain_mixing(self, crowd: str) -> str:
        return (f'more than one publisher on {self._topic_name()}, whose audio is mixed up: '
                f'{crowd} '
                f'(one that was killed is listed for a while); stop all but one, or remap them')

    def _find_type(self) -> str:
        if self._settings.msg_type != 'auto':
            return self._settings.msg_type
        types = [info.topic_type for info in self._find_publishers()]
        for type_name in SUPPORTED_TYPES:
            if type_name in types:
                return type_name
        if types:
            raise AudioFormatError(
                f'{self._topic_name()}: expected one of {", ".join(SUPPORTED_TYPES)}, found '
                f'{types[0]}; remap audio to another topic')
        return ''

    def _subscribe(self, type_name: str) -> None:
        converter = AudioConverter(
            type_name=type_name, sample_rate_hz=self._settings.sample_rate_hz)
        if not converter.stamped:
            self._node.get_logger().warning(
                f'{self._topic_name()}: {type_name} has no stamps; arrival time stands in')
        self._converter = converter
        if converter.wants_info:
            name = info_topic(self._node, self._topic_name(), self._settings.info_topic)
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
        header = getattr(message, 'header', None)
        if not self._on_block(block, header.frame_id if header is not None else ''):
            self.dropped += 1
            self._last_drop_at = time.monotonic()

    def refuse(self, reason: str) -> None:
        """Count a message that could not be understood; log each reason once per 5 s."""
        self.refused += 1
        now = time.monotonic()
        if reason != self._refusal or now - self._last_refusal_at > 5.0:
            self._node.get_logger().error(f'{self._topic_name()}: {reason}')
            self._last_refusal_at = now
        self._refusal = reason

    def report(self, report: StatusReport) -> None:
        """Say how the input does."""
        publishers = self._find_publishers()
        age = time.monotonic() - self._last_at
        kind = self._converter.type_name if self._converter else 'unknown'
        report.values.update(
            topic=self._topic_name(), type=kind, publishers=len(publishers),
            received=self.received,
            refused=self.refused, dropped_blocks=self.dropped, renewed=self.renewed,
            age_s=age,
            messages_per_s=self._messages_per_s(), sample_rate_hz=self._format[0],
            channels=self._format[1])
        if not self._wanted:
            return
        if self._problem:
            report.add(ERROR, self._problem)
        elif not publishers:
            report.add(WARN,
                       f'no publisher on {self._topic_name()}; start a microphone or remap audio')
        elif age > _QUIET_AFTER_S:
            report.add(WARN, f'no audio for {age:.0f} s on {self._topic_name()}')
        if time.monotonic() - self._last_refusal_at < 10.0:
            report.add(ERROR, self._refusal)
        if time.monotonic() - self._last_drop_at < 10.0:
            report.add(WARN, f'{self.dropped} blocks of audio dropped so far: the encoder is too '
                             f'slow')
        if self._info is not None:
            self._info.report(report, taken_as=f'{self._settings.sample_rate_hz} Hz mono s16le '
                                               f'(audio.sample_rate_hz)')
        crowd = self._name_several(publishers)
        if crowd:
            report.add(WARN, self._explain_mixing(crowd))
        for info in publishers:
            problem = why_unheard(info, qos.AUDIO_IN)
            if problem:
                report.add(WARN, f'{self._topic_name()}: {problem}')
            elif self._converter and info.topic_type != kind:
                report.add(WARN, f'{publisher_name(info)} publishes {info.topic_type}, not {kind}')
            elif have_other_fields(info, self._find_own()):
                report.add(ERROR, f'{publisher_name(info)} publishes {kind} with other fields '
                                  'than it has here, so nothing of it can be read; build both '
                                  'from one version of the package')

    def _messages_per_s(self) -> float:
        """Return the rate since this was last asked."""
        now, (then, count) = time.monotonic(), self._counted
        self._counted = (now, self.received)
        return (self.received - count) / max(now - then, 1e-3)

    def _find_publishers(self) -> list[Any]:
        return list(self._node.get_publishers_info_by_topic(self._topic_name()))

    def _find_own(self) -> list[Any]:
        name = self._node.get_fully_qualified_name()
        return [info for info in self._node.get_subscriptions_info_by_topic(self._topic_name())
                if publisher_name(info) == name]

    def _topic_name(self) -> str:
        return str(self._node.resolve_topic_name(_TOPIC))
