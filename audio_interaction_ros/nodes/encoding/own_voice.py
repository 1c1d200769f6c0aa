"""
The robot's own voice in what it hears: whether it speaks, what it plays, and what is said of that.

Owns the topics ``robot_speaking`` and ``speech/reference``. What takes the voice out belongs to
the thread that hears (``encoder_task``); here only its counts are read.
"""

import time
from collections.abc import Callable
from typing import Any

from rclpy.callback_groups import MutuallyExclusiveCallbackGroup
from std_msgs.msg import Bool

from audio_interaction_msgs.msg import AudioChunk
from audio_interaction_ros.audio.echo import EchoCanceller
from audio_interaction_ros.config import AudioConfig
from audio_interaction_ros.errors import AudioFormatError
from audio_interaction_ros.nodes.encoding.encoder_task import PlayedAudio
from audio_interaction_ros.nodes.encoding.input_report import RecentGrowth
from audio_interaction_ros.nodes.io.audio_messages import AudioConverter
from audio_interaction_ros.nodes.lifecycle import qos
from audio_interaction_ros.nodes.lifecycle.diagnostics import OK, WARN, StatusReport
from audio_interaction_ros.nodes.lifecycle.managed_node import ManagedNode
from audio_interaction_ros.stream.robot_speech import RobotSpeech

__all__ = ['OwnVoice']


class OwnVoice:
    """What one encoder node knows of the robot's voice, for one configuration of it."""

    def __init__(self, *, node: ManagedNode, settings: AudioConfig,
                 put: Callable[[PlayedAudio], bool]) -> None:
        """Create the subscriptions; ``put`` takes what is played, False where there is no room."""
        self._node, self._settings, self._put = node, settings, put
        self.speech = RobotSpeech(holdoff_s=settings.mute_holdoff_ms / 1000,
                                  timeout_s=settings.robot_speaking_timeout_s)
        self.played = 0
        """Blocks of what the robot plays that were taken."""
        self._recent_echo = RecentGrowth()
        node.managed_subscription(Bool, 'robot_speaking', self._on_robot_speaking, qos.FLAG)
        if settings.echo != 'none':
            self._reference = AudioConverter(type_name='audio_interaction_msgs/msg/AudioChunk')
            node.managed_subscription(
                AudioChunk, 'speech/reference', self._on_reference, qos.AUDIO_OUT,
                callback_group=MutuallyExclusiveCallbackGroup())

    @property
    def active(self) -> bool:
        """True while what is heard may be the robot's own voice."""
        return self.speech.is_active(time.monotonic())

    def apply(self, settings: AudioConfig) -> None:
        """Take the settings that may change while the node works."""
        self.speech.holdoff_s = settings.mute_holdoff_ms / 1000

    def look(self) -> None:
        """Doubt what was said of the robot where nobody is left who says so."""
        self.speech.check_doubt(time.monotonic(), publishers=self._node.count_publishers(
            self._node.resolve_topic_name('robot_speaking')))

    def _on_robot_speaking(self, message: Any) -> None:
        self.speech.set_speaking(message.data, time.monotonic())

    def _on_reference(self, message: Any) -> None:
        try:
            block = self._reference.to_block(message, 0)
        except AudioFormatError as error:
            self._node.get_logger().error(f'speech/reference: {error}', throttle_duration_sec=5.0)
            return
        self.played += self._put(PlayedAudio(block))

    def report(self, canceller: EchoCanceller | None, report: StatusReport) -> None:
        """Say whether the robot speaks, and whether its voice is taken out of what it hears."""
        report.values['echo'] = self._settings.echo
        if canceller is None:
            if self.active:
                report.add(OK, 'the robot speaks: only critical alerts')
        else:
            self._report_echo(canceller, report)
        if self.speech.doubt:
            report.add(WARN, f'{self.speech.doubt}: not believed, the robot hears again; its '
                             f'publisher must send false')

    def _report_echo(self, canceller: EchoCanceller, report: StatusReport) -> None:
        uncovered = self._recent_echo.growth(
            time.monotonic(), {'uncovered': canceller.uncovered})['uncovered']
        report.values.update(
            echo_played_blocks=self.played, echo_lost_blocks=canceller.reference.lost,
            echo_cancelled_s=canceller.cancelled / 100, echo_uncovered_s=canceller.uncovered / 100)
        if uncovered:
            report.add(WARN, f'the robot spoke for {uncovered / 100:.1f} s of the last 10 without '
                             f'what it played on speech/reference: only critical alerts then; '
                             f'whoever publishes robot_speaking must publish that too')
        elif self.active:
            report.add(OK, 'the robot speaks: its voice is taken out of what is heard')
