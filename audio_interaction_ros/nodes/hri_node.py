"""
hri_node: transcripts for robots that speak REP-155 (ROS4HRI), as hri_msgs/LiveSpeech.

Nobody here knows voices apart, so all that is said comes from one voice. The package hri_msgs is
not needed for anything else; where it is missing the node says so and ends.
"""

import math
from typing import Any

from rcl_interfaces.msg import ParameterDescriptor
from rclpy.node import Node
from std_msgs.msg import Bool

from audio_interaction_msgs.msg import Transcript
from audio_interaction_ros.errors import ConfigurationError, MissingDependencyError
from audio_interaction_ros.nodes.io.audio_messages import import_message
from audio_interaction_ros.nodes.lifecycle import qos
from audio_interaction_ros.nodes.lifecycle.spinning import run_or_say_why_not
from audio_interaction_ros.nodes.lifecycle.steady_timer import steady_timer

__all__ = ['HriNode', 'live_speech', 'main']

_TRACKED_S = 1.0
_LOCALES = ('locale', 'language')  # the field was renamed between releases of hri_msgs
_PARAMETERS = {
    'voice_id': ('ears', 'Identifier of the voice that all transcripts are said to be of.'),
    'voices': ('/humans/voices', 'Where voices are published; REP-155 fixes it for all robots.'),
}


def live_speech(kind: Any, transcript: Any) -> Any:
    """Return a transcript as LiveSpeech (``kind``): what grows as incremental, or the final."""
    message = kind(header=transcript.header)
    if transcript.is_final:
        message.final = transcript.text
        sure = transcript.word_confidence
        message.confidence = float(sure) if math.isfinite(sure) else 0.0
    else:
        message.incremental = transcript.text
    for field in _LOCALES:
        if hasattr(message, field):
            setattr(message, field, transcript.language)
    return message


class HriNode(Node):
    """Takes ``transcript`` and publishes one voice below ``voices``."""

    def __init__(self, **options: Any) -> None:
        """Subscribe; what keeps it from that is in ``failure``, and logged."""
        super().__init__('hri_node', **options)
        for name, (default, text) in _PARAMETERS.items():
            self.declare_parameter(name, default, ParameterDescriptor(description=text,
                                                                      read_only=True))
        self.failure = ''
        """Why nothing is published; empty while it works."""
        try:
            self._start()
        except (ConfigurationError, MissingDependencyError) as error:
            self.failure = str(error)
            self.get_logger().error(self.failure)

    def _start(self) -> None:
        voice = self.get_parameter('voice_id').value
        if not voice.isidentifier():
            raise ConfigurationError(f'voice_id: expected letters, digits and _, as of a part of '
                                     f'a topic name, found {voice!r}; change it')
        try:
            self._kind = import_message('hri_msgs/msg/LiveSpeech')
            self._ids = import_message('hri_msgs/msg/IdsList')
        except MissingDependencyError as error:
            raise MissingDependencyError(
                f'{error}: apt install ros-$ROS_DISTRO-hri-msgs') from error
        voices = self.get_parameter('voices').value.rstrip('/')
        self._voice, self._speaks = voice, False
        self._speech = self.create_publisher(self._kind, f'{voices}/{voice}/speech', qos.EVENTS)
        self._speaking = self.create_publisher(
            Bool, f'{voices}/{voice}/is_speaking', qos.FINAL_TEXT)
        self._tracked = self.create_publisher(self._ids, f'{voices}/tracked', qos.FINAL_TEXT)
        self.create_subscription(Transcript, 'transcript', self._on_transcript, qos.EVENTS)
        steady_timer(self, _TRACKED_S, self._say_who_is_there)

    def _on_transcript(self, message: Any) -> None:
        if message.text:  # without text nobody spoke
            self._speech.publish(live_speech(self._kind, message))
        if self._speaks is message.is_final:
            self._speaks = not message.is_final
            self._speaking.publish(Bool(data=self._speaks))

    def _say_who_is_there(self) -> None:
        message = self._ids(ids=[self._voice])
        message.header.stamp = self.get_clock().now().to_msg()
        self._tracked.publish(message)


def main(args: list[str] | None = None) -> int:
    """Publish until a signal comes; code 1 where hri_msgs is missing."""
    return run_or_say_why_not(HriNode, args)


if __name__ == '__main__':
    raise SystemExit(main())
