"""
Reads the audio topic of a rosbag2 (sqlite3 or mcap) as raw CDR, which is published as it is.

Owns the choice of the topic. Needs the ``rosbags`` package, nothing of ROS.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from audio_interaction_ros.errors import AudioFormatError, MissingDependencyError
from audio_interaction_ros.nodes.convert import (
    AUDIO_INFO,
    INFO_TYPES,
    SUPPORTED_TYPES,
    import_message,
)

__all__ = ['BagMessage', 'read_bag']


class BagMessage(NamedTuple):
    """One recorded message."""

    kind: type
    stamp_ns: int
    """When it was recorded."""
    data: bytes
    is_info: bool = False
    """True: it says what the audio means (AudioInfo of ros-drivers) and is none itself."""


def read_bag(path: Path, topic: str = '') -> Iterator[BagMessage]:
    """
    Yield the audio messages of a bag, and those that describe them, in the order of recording.

    Raises AudioFormatError for what is no rosbag2 or has no audio topic.
    """
    try:
        from rosbags.rosbag2 import Reader, ReaderError
    except ImportError as error:
        raise MissingDependencyError(
            'Bags are read by the rosbags package; run: pip install rosbags') from error
    try:
        with Reader(path) as reader:
            chosen = _choose(reader.connections, topic, path)
            infos = _infos(reader.connections, chosen)
            kinds = {item.id: import_message(item.msgtype) for item in (chosen, *infos)}
            for item, stamp_ns, data in reader.messages([chosen, *infos]):
                yield BagMessage(kinds[item.id], stamp_ns, bytes(data), item.id != chosen.id)
    except ReaderError as error:
        raise AudioFormatError(
            f'Expected a rosbag2 folder at {path}: {error}; name another one') from error


def _choose(connections: Any, topic: str, path: Path) -> Any:
    supported = [item for item in connections if item.msgtype in SUPPORTED_TYPES
                 and item.msgcount]
    chosen = [item for item in supported if topic in ('', item.topic)]
    if len(chosen) != 1:
        found = ', '.join(sorted(item.topic for item in supported)) or 'none'
        raise AudioFormatError(
            f'Expected one audio topic{f" {topic}" if topic else ""} in {path}, found {found}; '
            f'set the parameter topic')
    return chosen[0]


def _infos(connections: Any, chosen: Any) -> list[Any]:
    """Return what describes the chosen topic: the topic beside it, or the only one there is."""
    if chosen.msgtype not in INFO_TYPES:
        return []
    infos = [item for item in connections if item.msgtype == AUDIO_INFO and item.msgcount]
    beside = [item for item in infos if item.topic == f'{chosen.topic}_info']
    return beside or (infos if len(infos) == 1 else [])
