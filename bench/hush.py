"""
How soon the robot is silent: from what ends its speech to the last sample that is not silence.

``speech_node`` says tones into no device, at the pace of one, in this process; another node stops
it, again and again, in three ways. When it is silent is told by the stamps of what it plays; what
a sound card still holds comes on top. Owns what is said and how it is stopped.
"""

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from bench.domain import claim_domain
from bench.measure import Figure, spread
from bench.nodes import NodesError, require_nodes

__all__ = ['run']

GOAL_MS = 200.0
_TEXT = 'Nobody wants to hear this text to its very end, for that is far away. ' * 20
_PATIENCE_S = 60.0
_SPOKEN = 10
"""Blocks of 20 ms before it is stopped."""


def run(*, repeat: int) -> list[Figure]:
    """Stop the robot so many times in each way; raises NodesError where it does not speak."""
    require_nodes()
    os.environ.update(ROS_AUTOMATIC_DISCOVERY_RANGE='LOCALHOST', ROS_DOMAIN_ID=str(claim_domain()))
    with _speaking_robot() as robot:
        return [spread(f'silent after {what}', [robot.stop_by(end) for _ in range(repeat)],
                       goal=GOAL_MS, note='to the last sample, without a sound card')
                for what, end in robot.ways.items()]


class _Robot:
    """A node that speaks, and one that stops it."""

    def __init__(self, speech: Any, watcher: Any) -> None:
        from std_msgs.msg import String
        from std_srvs.srv import Trigger

        from audio_interaction_msgs.msg import Alert, AudioChunk, Transcript
        from audio_interaction_ros.nodes.lifecycle import qos
        self._speech, self._watcher = speech, watcher
        self._blocks: list[Any] = []
        watcher.create_subscription(AudioChunk, 'speech/reference', self._blocks.append,
                                    qos.AUDIO_OUT)
        self._say = watcher.create_publisher(String, 'speech/say', qos.EVENTS)
        self._alerts = watcher.create_publisher(Alert, 'alerts', qos.EVENTS)
        self._words = watcher.create_publisher(Transcript, 'transcript', qos.EVENTS)
        self._service = watcher.create_client(Trigger, 'speech/stop')
        self._string, self._count = String, 0
        self.ways: dict[str, Callable[[], object]] = {
            '"stop", from its partial transcript': lambda: self._words.publish(
                Transcript(text='Stop!')),
            'a CRITICAL alert': lambda: self._alerts.publish(Alert(
                id=str(self._count), label='smoke_alarm', severity=Alert.CRITICAL)),
            'speech/stop': lambda: self._service.call_async(Trigger.Request())}

    def wait(self, condition: Callable[[], object], what: str) -> None:
        """Wait until something is so."""
        until = time.monotonic() + _PATIENCE_S
        while not condition():
            if time.monotonic() > until:
                raise NodesError(f'expected speech_node to go on, never happened: {what}')
            time.sleep(0.002)

    def wait_for_topics(self) -> None:
        """Wait until all find each other."""
        self.wait(lambda: self._speech.mouth and self._speech.mouth.voice, 'the voice is loaded')
        self.wait(lambda: all(one.get_subscription_count() for one in (
            self._say, self._alerts, self._words)) and self._service.service_is_ready()
            and self._watcher.count_publishers('speech/reference'), 'they find each other')

    def stop_by(self, end: Callable[[], object]) -> float:
        """Return after how many ms there is silence."""
        self._count += 1
        counts = self._speech.mouth.counts
        before = counts.interrupted
        self.wait(lambda: not self._speech.mouth.busy, 'it is silent')
        self._blocks.clear()
        first = self._speech.played_blocks
        self._say.publish(self._string(data=_TEXT))
        self.wait(lambda: any(block.seq >= first + _SPOKEN for block in list(self._blocks)),
                  'it speaks')
        asked_ns = self._watcher.get_clock().now().nanoseconds
        end()
        self.wait(lambda: counts.interrupted > before and len(self._blocks) and self._blocks[
            -1].seq == self._speech.played_blocks - 1, 'it stops')
        return (max(map(_end_ns, list(self._blocks))) - asked_ns) / 1e6


def _end_ns(block: Any) -> float:
    """Return when the last sample of a block that is not silence is over; 0 for none."""
    loud = np.flatnonzero(np.frombuffer(bytes(block.data), '<f4'))
    stamp = block.header.stamp
    began_ns = stamp.sec * 10 ** 9 + stamp.nanosec
    return began_ns + (int(loud[-1]) + 1) * 1e9 / block.sample_rate if len(loud) else 0.0


@contextmanager
def _speaking_robot() -> Iterator[_Robot]:
    import rclpy
    from rclpy.logging import LoggingSeverity, set_logger_level
    from rclpy.parameter import Parameter

    from audio_interaction_ros.nodes.lifecycle.spinner import Spinner
    from audio_interaction_ros.nodes.lifecycle.transport import start_ros
    from audio_interaction_ros.nodes.speech_node import SpeechNode
    start_ros([])
    spinner, over = Spinner(), threading.Event()
    set_logger_level('speech_node', LoggingSeverity.ERROR)  # each stop is told
    speech = SpeechNode(parameter_overrides=[
        Parameter('speech.engines', value='tones'), Parameter('speech.device', value='none'),
        Parameter('speech.says', value='')])
    watcher = rclpy.create_node('watcher')

    def spin() -> None:
        while not over.is_set():
            spinner.spin_once()
    thread = threading.Thread(target=spin)
    try:
        for node in (speech, watcher):
            spinner.add(node)
        speech.autostart()
        thread.start()
        robot = _Robot(speech, watcher)
        robot.wait_for_topics()
        yield robot
    finally:
        over.set()
        thread.join()
        spinner.close()
        rclpy.try_shutdown()
