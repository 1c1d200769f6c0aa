"""
foxglove_audio_node: the audio once more, as foxglove_msgs/RawAudio.

That is the only type that Foxglove's audio panel plays. The package foxglove_msgs is not needed
for anything else; where it is missing the node says so and ends.
"""

import threading
from typing import Any

import numpy as np
from rclpy.callback_groups import MutuallyExclusiveCallbackGroup
from rclpy.node import Node

from audio_interaction_ros.audio.block import AudioBlock
from audio_interaction_ros.errors import (
    AudioInteractionError,
    ConfigurationError,
    MissingDependencyError,
)
from audio_interaction_ros.nodes.encoding.audio_input import AudioInput
from audio_interaction_ros.nodes.io.audio_messages import import_message
from audio_interaction_ros.nodes.io.stamps import time_message
from audio_interaction_ros.nodes.lifecycle import parameters, qos
from audio_interaction_ros.nodes.lifecycle.host_node import LockHolder
from audio_interaction_ros.nodes.lifecycle.spinning import run_or_say_why_not
from audio_interaction_ros.nodes.lifecycle.steady_timer import steady_timer

__all__ = ['FoxgloveAudioNode', 'main', 'raw_audio_message']

_TYPE = 'foxglove_msgs/msg/RawAudio'
_FULL_SCALE = 32767
_LOOK_S = 1.0


def raw_audio_message(kind: Any, block: AudioBlock) -> Any:
    """Return a block [frames] or [frames, channels] as RawAudio (``kind``), 16 bits a sample."""
    samples = block.samples if block.samples.ndim == 2 else block.samples[:, None]
    if samples.dtype.kind == 'i' and samples.dtype != np.int16:
        samples = samples / -float(np.iinfo(samples.dtype).min)
    if samples.dtype.kind == 'f':
        samples = np.nan_to_num(samples, posinf=1.0, neginf=-1.0).clip(-1, 1) * _FULL_SCALE
    return kind(timestamp=time_message(block.stamp_ns or 0),
                data=np.ascontiguousarray(samples.astype('<i2')).tobytes(), format='pcm-s16',
                sample_rate=block.sample_rate_hz, number_of_channels=samples.shape[1])


class FoxgloveAudioNode(LockHolder, Node):
    """Takes ``audio`` of any family and publishes ``audio/foxglove``."""

    def __init__(self, **options: Any) -> None:
        """Listen; what keeps it from that is in ``failure``, and logged."""
        super().__init__('foxglove_audio_node', **options)
        self.lock = threading.RLock()
        self.failure = ''
        """Why nothing is published; empty while it works."""
        try:
            self._start()
        except AudioInteractionError as error:
            self.failure = str(error)
            self.get_logger().error(self.failure)

    def _start(self) -> None:
        wrong = parameters.declare_checked(self, ('audio',))
        if wrong:
            raise ConfigurationError(wrong)
        try:
            self._kind = import_message(_TYPE)
        except MissingDependencyError as error:
            raise MissingDependencyError(
                f'{error}: apt install ros-$ROS_DISTRO-foxglove-msgs') from error
        self._publisher = self.create_publisher(self._kind, 'audio/foxglove', qos.AUDIO_OUT)
        self._input = AudioInput(
            node=self, settings=parameters.read(self).audio, infos={},
            group=MutuallyExclusiveCallbackGroup(), on_block=self._on_block)
        self._input.open()
        steady_timer(self, _LOOK_S, self.exclusive(self._input.poll),
                     callback_group=MutuallyExclusiveCallbackGroup())

    def _on_block(self, block: AudioBlock, _frame_id: str) -> bool:
        self._publisher.publish(raw_audio_message(self._kind, block))
        return True


def main(args: list[str] | None = None) -> int:
    """Publish until a signal comes; code 1 where foxglove_msgs is missing."""
    return run_or_say_why_not(FoxgloveAudioNode, args)


if __name__ == '__main__':
    raise SystemExit(main())
