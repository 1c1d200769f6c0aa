"""
Types of audio messages, looked up by name at run time; what their fields mean is audio.messages'.

No message package but our own is needed: the type of a topic is imported when it is met.
"""

import importlib

from audio_interaction_ros.audio.messages import (
    AUDIO_INFO,
    INFO_TYPES,
    SUPPORTED_TYPES,
    MessageReader,
    stamp_ns,
)
from audio_interaction_ros.errors import MissingDependencyError

__all__ = ['AUDIO_INFO', 'INFO_TYPES', 'SUPPORTED_TYPES', 'AudioConverter', 'import_message',
           'stamp_ns']


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
