"""
Writes what the assistant publishes about itself as JSON lines: decisions and diagnostics.

For benchmarks and soaks, which must not import ROS themselves: they start this as a process.
Finds the topics by their types, in any namespace. Knows no assistant node.
"""

import json
import sys
import threading
from typing import Any, TextIO

import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.executors import ExternalShutdownException
from rclpy.node import Node

from audio_interaction_msgs.msg import Decision
from audio_interaction_ros.nodes.io.stamps import stamp_ns
from audio_interaction_ros.nodes.lifecycle import qos
from audio_interaction_ros.nodes.lifecycle.transport import start_ros

__all__ = ['ProbeNode', 'main']


class ProbeNode(Node):
    """Subscribes to every decision and diagnostics topic as it appears."""

    def __init__(self, *, sink: TextIO, decisions: bool = True) -> None:
        super().__init__('probe')
        self._sink, self._writing = sink, threading.Lock()
        self._known = set() if decisions else {'audio_interaction_msgs/msg/Decision'}
        self._timer = self.create_timer(0.2, self._subscribe_to_new)
        self._write(kind='ready')

    def _subscribe_to_new(self) -> None:
        handlers = {'audio_interaction_msgs/msg/Decision': (
                        Decision, self._on_decision, qos.DECISIONS),
                    'diagnostic_msgs/msg/DiagnosticArray': (
                        DiagnosticArray, self._on_diagnostics, qos.DIAGNOSTICS)}
        for topic, types in self.get_topic_names_and_types():
            for type_name in types:
                if not {topic, type_name} & self._known and type_name in handlers:
                    self._known.add(topic)
                    kind, handler, profile = handlers[type_name]
                    self.create_subscription(kind, topic, handler, profile)

    def _on_decision(self, message: Decision) -> None:
        now_ns = self.get_clock().now().nanoseconds
        self._write(kind='decision', age_s=(now_ns - stamp_ns(message.header.stamp)) / 1e9,
                    epoch=message.epoch, seq=message.seq, lane=message.lane,
                    respond=message.respond, p_respond=message.p_respond,
                    queue_depth=message.queue_depth,
                    decision_latency_s=message.decision_latency_s)

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        for status in message.status:
            level = status.level
            self._write(kind='diagnostics', name=status.name, message=status.message,
                        level=level[0] if isinstance(level, bytes) else int(level),
                        values={item.key: item.value for item in status.values})

    def _write(self, **values: Any) -> None:
        with self._writing:
            self._sink.write(json.dumps(values) + '\n')
            self._sink.flush()


def main(args: list[str] | None = None) -> None:
    """Run until interrupted."""
    start_ros(args)
    node = ProbeNode(sink=sys.stdout)
    try:
        rclpy.spin(node)
    except (KeyboardInterrupt, ExternalShutdownException, BrokenPipeError):
        pass
    finally:
        node.destroy_node()
        rclpy.try_shutdown()


if __name__ == '__main__':
    main()
