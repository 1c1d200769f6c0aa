"""
Audio messages: blocks as our own, and those of any type, looked up by name, as blocks.

No message package but our own is needed: the type of a topic is imported when it is met. What the
fields of each type mean is audio.messages'.
"""

import array
import importlib

import numpy as np

from audio_interaction_msgs import msg
from audio_interaction_ros.audio.block import AudioBlock
from audio_interaction_ros.audio.messages import (
    AUDIO_INFO,
    INFO_TYPES,
    SUPPORTED_TYPES,
    MessageReader,
)
from audio_interaction_ros.errors import MissingDependencyError
from audio_interaction_ros.nodes.io.stamps import header_message

__all__ = ['AUDIO_INFO', 'INFO_TYPES', 'SUPPORTED_TYPES', 'AudioConverter', 'audio_message',
           'import_message']

_WIRE_DTYPES = {'s16le': '<i2', 'f32le': '<f4'}


def import_message(type_name: str) -> type:
    """
    Import a message class by its ROS name, 'package/msg/Name' or 'package/Name'.

    Raises MissingDependencyError when its package is not in this environment.
    """
    package, _, name = type_name.replace('/msg/', '/').partition('/')
    try:
        kind: type = getattr(importlib.import_module(f'{package}.msg'), name)
    except (ImportError, AttributeError) as error:
        raise MissingDependencyError(
            f'Expected the message type {type_name} in this environment, found {error}; the '
            f'operator must install or source the package {package}') from error
    return kind


class AudioConverter(MessageReader):
    """Turns messages of one type into blocks, and has that type to subscribe with."""

    def __init__(self, *, type_name: str, sample_rate_hz: int = 16_000) -> None:
        """Import the message type; see import_message for errors."""
        super().__init__(type_name=type_name, sample_rate_hz=sample_rate_hz)
        self.message_type = import_message(self.type_name)


def audio_message(block: AudioBlock, *, seq: int, frame_id: str) -> msg.AudioChunk:
    """Return a block of signed or float samples [frames] or [frames, channels] as a message."""
    samples = block.samples if block.samples.ndim == 2 else block.samples[:, None]
    if samples.dtype.kind == 'i' and samples.dtype != np.int16:  # no encoding of the message
        samples = samples / -float(np.iinfo(samples.dtype).min)
    encoding = 's16le' if samples.dtype == np.int16 else 'f32le'
    frames, channels = samples.shape
    return msg.AudioChunk(
        header=header_message(block.stamp_ns or 0, frame_id), encoding=encoding,
        sample_rate=block.sample_rate_hz, channels=channels, frames=frames, seq=seq,
        data=array.array('B', samples.astype(_WIRE_DTYPES[encoding]).tobytes()))
