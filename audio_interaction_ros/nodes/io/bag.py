"""The audio topic of a bag with the types of this environment's ROS, to be published as it is."""

import logging
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

from audio_interaction_ros.audio.bag import is_bag, read_messages
from audio_interaction_ros.nodes.io.audio_messages import import_message

__all__ = ['BagMessage', 'is_bag', 'read_bag']

_log = logging.getLogger(__name__)


class BagMessage(NamedTuple):
    """One recorded message."""

    kind: type
    stamp_ns: int
    """When it was recorded."""
    data: bytes
    is_info: bool = False
    """True: it says what the audio means (AudioInfo of ros-drivers) and is none itself."""


def read_bag(path: Path, topic: str = '', *,
             warn: Callable[[str], object] = _log.warning) -> Iterator[BagMessage]:
    """
    Yield the audio messages of a bag, and those that describe them, in the order of recording.

    Errors are those of audio.bag.read_messages; MissingDependencyError too where a type is not in
    this environment.
    """
    import_once = cache(import_message)
    for message in read_messages(path, topic, warn=warn):
        yield BagMessage(import_once(message.type_name), message.stamp_ns, message.data,
                         message.is_info)
