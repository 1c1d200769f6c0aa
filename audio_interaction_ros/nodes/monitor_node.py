"""
monitor_node: a page in the browser that shows what the robot hears, and why it is quiet.

Owns the topics that are watched and the server's life. Off unless somebody starts it. It takes no
part in hearing: a page that is slow, or a monitor that dies, changes nothing.
"""

import struct
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.callback_groups import MutuallyExclusiveCallbackGroup
from rclpy.node import Node

from audio_interaction_msgs.msg import (
    Alert,
    AlertArray,
    Decision,
    Reply,
    SoundEvent,
    SoundScores,
    Transcript,
    Translation,
)
from audio_interaction_ros import __version__
from audio_interaction_ros.audio.block import AudioBlock
from audio_interaction_ros.errors import AudioInteractionError, ConfigurationError
from audio_interaction_ros.monitor.hub import Hub
from audio_interaction_ros.monitor.load import load_server
from audio_interaction_ros.monitor.outline import Outline, mix_samples
from audio_interaction_ros.nodes.encoding.audio_input import AudioInput
from audio_interaction_ros.nodes.lifecycle import parameters, qos
from audio_interaction_ros.nodes.lifecycle.host_node import LockHolder
from audio_interaction_ros.nodes.lifecycle.spinning import run_or_say_why_not
from audio_interaction_ros.nodes.lifecycle.steady_timer import steady_timer
from audio_interaction_ros.nodes.monitoring import events
from audio_interaction_ros.nodes.monitoring.acknowledging import Acknowledger
from audio_interaction_ros.nodes.monitoring.reasons import Reasons
from audio_interaction_ros.resources import shipped_path

__all__ = ['MonitorNode', 'main']

_PULSE_S = 1.0
_FULL_SCALE = 32767


class MonitorNode(LockHolder, Node):
    """Serves the page, from what the other nodes of its namespace publish."""

    def __init__(self, **options: Any) -> None:
        """Listen and serve; what keeps it from that is in ``failure``, and logged."""
        super().__init__('monitor_node', **options)
        self.lock = threading.RLock()
        self.failure = ''
        """Why there is no page; empty while there is one."""
        self.address = ''
        """Where the page is."""
        self._server: Any = None
        try:
            self._start()
        except AudioInteractionError as error:
            self.failure = str(error)
            self.get_logger().error(self.failure)

    def destroy_node(self) -> None:
        """End the page, then the node."""
        server, self._server = self._server, None
        if server is not None:
            server.close()
        super().destroy_node()

    def _start(self) -> None:
        wrong = parameters.declare_checked(self, ('audio', 'monitor'))
        if wrong:
            raise ConfigurationError(wrong)
        config = parameters.read(self)
        self._raw = config.monitor.raw_audio
        self.hub = Hub({'name': self.get_namespace().strip('/'), 'raw_audio': self._raw,
                        'version': __version__})
        self._reasons = Reasons(self.hub.tell)
        self._outline = Outline()
        self._open_alerts: list[Any] | None = None
        module = load_server()
        application = module.make_application(
            folder=shipped_path('page'), config=config.monitor, hub=self.hub,
            acknowledge=Acknowledger(self).acknowledge)
        server = module.PageServer(application, host=config.monitor.host,
                                   port=config.monitor.port)
        server.start()
        self._server, self.address = server, server.address
        self._input = AudioInput(
            node=self, settings=config.audio, group=MutuallyExclusiveCallbackGroup(),
            on_block=self._on_block, infos={})
        self._subscribe()
        self._input.open()
        steady_timer(self, _PULSE_S, self.exclusive(self._beat),
                     callback_group=MutuallyExclusiveCallbackGroup())
        self.get_logger().info(f'the page is at {self.address}')

    def _subscribe(self) -> None:
        """Listen to all that the page shows."""
        def text(kind: str) -> Callable[[Any], None]:
            return lambda message: self.hub.tell('text', events.text_event(kind, message))

        for kind, topic, callback, profile in (
                (Transcript, 'transcript', text('transcript'), qos.EVENTS),
                (Translation, 'translation', text('translation'), qos.EVENTS),
                (Reply, 'reply', text('reply'), qos.EVENTS),
                (Decision, 'decisions', self._on_decision, qos.DECISIONS),
                (SoundScores, 'sounds/scores', self._on_scores, qos.DECISIONS),
                (SoundEvent, 'sounds', self._on_sound, qos.EVENTS),
                (Alert, 'alerts', self._on_alert, qos.EVENTS),
                (AlertArray, 'alerts/active', self._on_alerts, qos.ALERTS_ACTIVE),
                (DiagnosticArray, 'diagnostics', self._on_diagnostics, qos.DIAGNOSTICS)):
            self.create_subscription(kind, topic, self.exclusive(callback), profile)

    def _on_block(self, block: AudioBlock, _frame_id: str) -> bool:
        piece = self._outline.push(block)
        if piece is not None:
            self.hub.tell('outline', {'start': round(piece.start_s, 3), 'pairs': piece.pairs,
                                      'rms': round(piece.rms_dbfs, 1)})
        if self._raw and self.hub.is_heard:
            samples = (mix_samples(block).clip(-1, 1) * _FULL_SCALE).astype('<i2')
            self.hub.play(struct.pack('<I', block.sample_rate_hz) + np.asarray(samples).tobytes())
        return True

    def _on_decision(self, message: Any) -> None:
        self.hub.tell('decision', events.decision_event(message))

    def _on_scores(self, message: Any) -> None:
        self.hub.tell('scores', events.scores_event(message))

    def _on_sound(self, message: Any) -> None:
        self.hub.tell('sound', events.sound_event(message))

    def _on_alert(self, message: Any) -> None:
        self.hub.tell('alert', events.alert_event(message))

    def _on_alerts(self, message: Any) -> None:
        """Tell of the open alerts where they changed; they come twice a second."""
        alerts = [events.alert_event(alert) for alert in message.alerts]
        if alerts != self._open_alerts:
            self._open_alerts = alerts
            self.hub.tell('alerts', {'open': alerts})

    def _on_diagnostics(self, message: Any) -> None:
        self._reasons.hear(message)
        if self._reasons.muted and self._input.is_open:  # whoever mutes means every ear
            self._input.close()
            self._outline = Outline()
        elif not self._reasons.muted and not self._input.is_open:
            self._input.open()

    def _beat(self) -> None:
        """Once a second: look for audio, for nodes that are gone, and let pages know we live."""
        self._input.poll()
        self._reasons.watch()
        self.hub.tell('numbers', {**self._reasons.count(), 'pages': len(self.hub),
                                  'missed': self.hub.missed})


def main(args: list[str] | None = None) -> int:
    """Serve the page until a signal comes; code 1 where it cannot be served."""
    return run_or_say_why_not(MonitorNode, args)


if __name__ == '__main__':
    raise SystemExit(main())
