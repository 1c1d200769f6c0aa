"""
microphone_node: a sound card as an audio topic; survives unplugging.

Owns the device. Its callback runs in PortAudio's thread and only enqueues; a timer opens the
device again when it went away.
"""

import sys
import time
from collections import deque
from typing import Any

import numpy as np
from rcl_interfaces.msg import ParameterDescriptor, SetParametersResult
from rclpy.callback_groups import MutuallyExclusiveCallbackGroup
from rclpy.node import Node
from std_srvs.srv import SetBool

from audio_interaction_msgs.msg import AudioChunk
from audio_interaction_ros.audio.block import AudioBlock
from audio_interaction_ros.audio.devices import choose_device, list_devices, sound_library
from audio_interaction_ros.errors import (
    AudioFormatError,
    AudioInteractionError,
    MissingDependencyError,
)
from audio_interaction_ros.nodes.io.audio_messages import audio_message
from audio_interaction_ros.nodes.lifecycle import qos
from audio_interaction_ros.nodes.lifecycle.diagnostics import (
    ERROR,
    WARN,
    Diagnostics,
    StatusReport,
)
from audio_interaction_ros.nodes.lifecycle.live_parameters import logger_service, make_answer
from audio_interaction_ros.nodes.lifecycle.spinning import run
from audio_interaction_ros.nodes.lifecycle.steady_timer import steady_timer

__all__ = ['MicrophoneNode', 'choose_device', 'list_devices', 'main', 'sound_library']

_NS = 1_000_000_000
_SILENT_DEVICE_S = 2.0  # no callback for this long: the device is gone
_RETRY_S = 1.0
_DRIFT_NS = 100_000_000  # stamps follow the sample count until they are off by this much
_QUEUE_BLOCKS = 100
_PARAMETERS = {
    'device': ('', 'Part of the name, or the index, of the input device; empty: the default.'),
    'sample_rate_hz': (0, 'Sample rate; 0: what the device prefers.'),
    'channels': (1, 'Channels to open.'),
    'block_ms': (40, 'Length of a message.'),
    'frame_id': ('microphone', 'frame_id of the messages.'),
}
_LEAST = {'sample_rate_hz': 0, 'channels': 1, 'block_ms': 1}


class MicrophoneNode(Node):
    """Publishes what an input device hears."""

    def __init__(self, *, library: Any = None, **options: Any) -> None:
        """Open the device; ``library`` stands in for sounddevice in tests."""
        super().__init__('microphone_node', **{**logger_service(), **options})
        self._changed, self._library = False, None
        self.add_on_set_parameters_callback(self._on_set_parameters)  # of a start, too
        for name, (default, text) in _PARAMETERS.items():
            self.declare_parameter(name, default, ParameterDescriptor(
                description=text, dynamic_typing=name == 'device'))
        self._changed, self._library = False, library  # a device that is not there may come
        self._stream: Any = None
        self._blocks: deque[tuple[np.ndarray, int, int]] = deque(maxlen=_QUEUE_BLOCKS)
        self._listening = True
        self._problem = ''
        self._rate_hz = 0
        self._seq = -1
        self._came_back = False
        self._overflows = self._reopened = 0
        self._published = 0
        self._next_ns: int | None = None
        self._ended_at_ns: int | None = None  # steady time at which the newest block ended
        self._heard_at = float('-inf')
        group = MutuallyExclusiveCallbackGroup()
        self._publisher: Any = None
        self._offer(True)
        self._guard = self.create_guard_condition(self._publish_blocks, callback_group=group)
        steady_timer(self, _RETRY_S, self._watch, callback_group=group)
        self.create_service(SetBool, '~/set_listening', self._on_set_listening,
                            callback_group=group)
        self.diagnostics = Diagnostics(node=self, tasks={'microphone': self._make_report})
        self._watch()

    def destroy_node(self) -> None:
        """Close the device, then destroy the node."""
        self._listening = False
        self._close()
        super().destroy_node()

    def _offer(self, wanted: bool) -> None:
        """Have a publisher, or none: whoever listens then knows that nothing is to come."""
        if wanted and self._publisher is None:
            self._publisher = self.create_publisher(AudioChunk, 'audio', qos.AUDIO_OUT)
        elif not wanted and self._publisher is not None:
            self.destroy_publisher(self._publisher)
            self._publisher = None

    def _watch(self) -> None:
        """Open the device if it should be open and is not, or went silent."""
        if not self._listening:
            return
        changed, self._changed = self._changed, False
        if self._stream is not None and changed:
            self.get_logger().info('opening the device again with other parameters')
            self._close()
            self._came_back = True
        if self._stream is not None:
            if self._stream.active and time.monotonic() - self._heard_at < _SILENT_DEVICE_S:
                return
            self.get_logger().warning('the device went away; opening it again')
            self._close()
            self._forget_devices()
            self._reopened += 1
            self._came_back = True
        try:
            self._open()
            problem = ''
        except AudioInteractionError as error:
            problem = str(error)
        except Exception as error:  # noqa: BLE001 - PortAudio has its own exceptions
            problem = (f'Expected a device that opens, got {error}; check the parameter device; '
                       'microphone_node --list-devices names what there is')
        if problem and problem != self._problem:
            self.get_logger().error(problem)
        self._problem = problem

    def _on_set_parameters(self, changed: list[Any]) -> SetParametersResult:
        """Take what the device can be asked for; it is opened again within a second."""
        refusals = []
        for item in changed:
            low = _LEAST.get(item.name)
            if low is not None and not item.value >= low:
                refusals.append(f'{item.name}: expected {low} or more, found {item.value!r}')
            elif item.name == 'device':
                try:
                    if self._library is not None:
                        choose_device(self._library, str(item.value))
                    if not isinstance(item.value, str | int):
                        raise AudioFormatError('expected part of a name, or an index')
                except AudioInteractionError as error:
                    refusals.append(f'device: {error}')
            self._changed |= not refusals and item.name in _PARAMETERS and item.name != 'frame_id'
        return make_answer(refusals)

    def _open(self) -> None:
        if self._library is None:
            self._library = sound_library()
        device = choose_device(self._library, str(self.get_parameter('device').value))
        rate_hz = self.get_parameter('sample_rate_hz').value
        if not rate_hz:
            info = self._library.query_devices(device, 'input')
            rate_hz = round(info['default_samplerate'])
        self._rate_hz, self._next_ns = rate_hz, None
        self._heard_at = time.monotonic()
        stream = self._library.InputStream(
            device=device, samplerate=rate_hz, dtype='int16',
            channels=self.get_parameter('channels').value, callback=self._on_audio,
            blocksize=rate_hz * self.get_parameter('block_ms').value // 1000)
        stream.start()
        self._stream = stream
        self.get_logger().info(f'listening to device {device if device is not None else "default"}'
                               f' at {rate_hz} Hz')

    def _close(self) -> None:
        stream, self._stream = self._stream, None
        if stream is not None:
            try:
                stream.close()
            except Exception as error:  # noqa: BLE001 - it is gone anyway
                self.get_logger().warning(f'closing the device: {error}')
        self._blocks.clear()

    def _forget_devices(self) -> None:
        """Let PortAudio look for devices again; it does so only when it starts."""
        for name in ('_terminate', '_initialize'):
            function = getattr(self._library, name, None)
            if function is not None:
                function()

    def _on_audio(self, samples: np.ndarray, frames: int, _time: Any, status: Any) -> None:
        """Take a block in PortAudio's thread."""
        self._heard_at = time.monotonic()
        block_ns = frames * _NS // self._rate_hz
        self._number_block(block_ns, lost=bool(status))
        if status:
            self._overflows += 1
            self._next_ns = None
        measured_ns = self.get_clock().now().nanoseconds - block_ns
        if self._next_ns is None or abs(measured_ns - self._next_ns) > _DRIFT_NS:
            self._next_ns = measured_ns
        self._blocks.append((samples.copy(), self._next_ns, self._seq))
        self._next_ns += block_ns
        if self._listening:
            self._guard.trigger()

    def _number_block(self, block_ns: int, *, lost: bool) -> None:
        """Give the block its number; those that the device lost before it count as well."""
        now_ns = time.monotonic_ns()
        if self._ended_at_ns is None:
            self._ended_at_ns = now_ns - block_ns
        elif lost or self._came_back:
            self._seq += max(0, round((now_ns - self._ended_at_ns) / block_ns) - 1)
            self._ended_at_ns = now_ns - block_ns
        self._came_back = False
        self._seq += 1
        self._ended_at_ns += block_ns

    def _publish_blocks(self) -> None:
        while self._blocks and self._listening:
            samples, stamp_ns, seq = self._blocks.popleft()
            self._publisher.publish(audio_message(
                AudioBlock(samples=samples, sample_rate_hz=self._rate_hz, stamp_ns=stamp_ns),
                seq=seq, frame_id=self.get_parameter('frame_id').value))
            self._published += 1

    def _on_set_listening(self, request: Any, response: Any) -> Any:
        self._listening = request.data
        self._offer(request.data)
        if request.data:
            self._watch()
        else:
            self._close()
            self._ended_at_ns = None  # what is not heard while muted is not lost
        response.success = not self._problem
        response.message = self._problem or (
            'listening' if request.data else 'the device is closed')
        return response

    def _make_report(self) -> StatusReport:
        report = StatusReport(values={
            'listening': self._listening, 'open': self._stream is not None,
            'sample_rate_hz': self._rate_hz, 'published': self._published,
            'lost_blocks': self._seq + 1 - self._published - len(self._blocks),
            'overflows': self._overflows, 'reopened': self._reopened})
        if not self._listening:
            report.add(WARN, 'muted by ~/set_listening: the device is closed')
        elif self._problem:
            report.add(ERROR, self._problem)
        return report


def main(args: list[str] | None = None) -> int:
    """Run the node, or list the devices with --list-devices."""
    arguments = sys.argv[1:] if args is None else args
    if '--list-devices' in arguments:
        try:
            print(list_devices(sound_library()))
        except MissingDependencyError as error:
            print(error, file=sys.stderr)
            return 1
        return 0
    return run(lambda: [MicrophoneNode()], args)


if __name__ == '__main__':
    raise SystemExit(main())
