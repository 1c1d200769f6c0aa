"""
The two halves of an assistant, in this process or each in one of its own, and the page beside.

Owns how the command ``assistant`` starts them, knows whether they fail or still work, and ends
them. Knows nothing of sources and of what is printed.
"""

import ctypes
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from diagnostic_msgs.msg import DiagnosticArray
from rclpy.node import Node
from rclpy.parameter import Parameter

from audio_interaction_ros.nodes.decoder_node import DecoderNode
from audio_interaction_ros.nodes.encoder_node import EncoderNode
from audio_interaction_ros.nodes.lifecycle import qos
from audio_interaction_ros.nodes.lifecycle.runtime_source import RuntimeSource
from audio_interaction_ros.terminal import print_on

__all__ = ['Halves', 'MonitorProcess', 'OwnProcesses', 'SameProcess', 'ros_arguments']

_NAMES = ('encoder_node', 'decoder_node')
_END_S = 20.0
_QUIET_REPORTS = 2
_DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG of Linux


class Halves(Protocol):
    """What the assistant asks of encoder and decoder, wherever they run."""

    def make_nodes(self) -> list[Node]:
        """Create the nodes that this process spins for them."""

    @property
    def failure(self) -> str:
        """Why one of them cannot work; empty while both can."""

    @property
    def ended(self) -> str:
        """Which of them is gone for good; empty while both are there."""

    def list_busy(self) -> list[str]:
        """Return the names of those that have not worked off what came."""

    def close(self) -> None:
        """End what was started."""


class SameProcess:
    """Encoder and decoder as nodes of this process; they share one loaded model."""

    ended = ''

    def __init__(self, runtime: RuntimeSource, changes: Mapping[str, Any]) -> None:
        """Make no node yet: that needs rclpy to be up. ``changes`` are parameters by name."""
        self._runtime, self._changes = runtime, changes
        self._made: list[EncoderNode | DecoderNode] = []

    def make_nodes(self) -> list[Node]:
        """Create both."""
        changes = [Parameter(name, value=value) for name, value in self._changes.items()]
        self._made = [kind(runtime=self._runtime, parameter_overrides=changes)
                      for kind in (EncoderNode, DecoderNode)]
        return list(self._made)

    @property
    def failure(self) -> str:
        """Why one of them cannot work."""
        return next((node.failure for node in self._made if node.failure), '')

    def list_busy(self) -> list[str]:
        """Return the names of those that are at work."""
        return [node.get_name() for node in self._made if not node.idle]

    def close(self) -> None:
        """Nothing to end: their process ends them."""


class OwnProcesses:
    """
    Encoder and decoder each in a process of its own, seen through their diagnostics.

    They die with this process, whatever ends it. One that ends by itself is a failure: starting
    it again is the business of launch or systemd.
    """

    def __init__(self, arguments: Sequence[str], changes: Mapping[str, Any]) -> None:
        """Start both with the same ROS arguments; call it before any thread is started."""
        words = [*arguments, '--ros-args', *(word for name, value in changes.items()
                                             for word in ('-p', f'{name}:={value}'))]
        self._processes = {name: subprocess.Popen(
            [*node_command(name), *words], stdin=subprocess.DEVNULL,
            preexec_fn=_die_with_parent) for name in _NAMES}
        self._quiet = dict.fromkeys(_NAMES, 0)
        self._failures: dict[str, str] = {}

    def make_nodes(self) -> list[Node]:
        """Create the node that reads their diagnostics."""
        node = Node('watcher')
        node.create_subscription(DiagnosticArray, 'diagnostics', self._on_diagnostics,
                                 qos.DIAGNOSTICS)
        return [node]

    @property
    def failure(self) -> str:
        """Why one of them cannot work, as it reports."""
        return next((text for text in self._failures.values() if text), '')

    @property
    def ended(self) -> str:
        """Which of the processes ended by itself."""
        return next((f'{name} ended by itself with code {process.returncode}'
                     for name, process in self._processes.items()
                     if process.poll() is not None), '')

    def list_busy(self) -> list[str]:
        """Return the names of those that did not report twice in a row that they are idle."""
        return [name for name, count in self._quiet.items() if count < _QUIET_REPORTS]

    def close(self) -> None:
        """Ask both to end, and end them where they do not."""
        for process in self._processes.values():
            if process.poll() is None:
                process.send_signal(signal.SIGINT)
        for name, process in self._processes.items():
            try:
                process.wait(_END_S)
            except subprocess.TimeoutExpired:
                print_on(sys.stderr, f'{name} did not end within {_END_S:.0f} s and is killed')
                process.kill()
                process.wait()

    def _on_diagnostics(self, message: Any) -> None:
        for status in message.status:
            name, _, task = status.name.partition(': ')
            values = {pair.key: pair.value for pair in status.values}
            if name in self._quiet and task == 'model' and 'idle' in values:
                idle = values['idle'] == 'True'
                self._quiet[name] = self._quiet[name] + 1 if idle else 0
                self._failures[name] = values['failure']


class MonitorProcess:
    """
    monitor_node in a process of its own, so that nothing of the page holds up the ears.

    It dies with this process. That it ends by itself is no reason to stop hearing.
    """

    def __init__(self, arguments: Sequence[str]) -> None:
        """Start it with these ROS arguments; call it before any thread is started."""
        self._process = subprocess.Popen(
            [*node_command('monitor_node'), *arguments], stdin=subprocess.DEVNULL,
            preexec_fn=_die_with_parent)

    def close(self) -> None:
        """Ask it to end, and end it where it does not."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
        try:
            self._process.wait(_END_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def node_command(name: str) -> list[str]:
    """Return what starts a node of this package in a process of its own."""
    return [sys.executable, '-m', f'audio_interaction_ros.nodes.{name}']


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, signal.SIGTERM)


def ros_arguments(arguments: Sequence[str]) -> list[str]:
    """Return the part of a command line that is for ROS, to be passed on."""
    words = list(arguments)
    if '--ros-args' not in words:
        return []
    begin = words.index('--ros-args')
    end = words.index('--', begin) if '--' in words[begin:] else len(words)
    return words[begin:end]
