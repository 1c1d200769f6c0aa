"""
Reads a rosbag2 (sqlite3 or mcap): its audio topic as raw CDR or as blocks, others as fields.

Owns the choice of the audio topic. Needs the ``rosbags`` package, nothing of ROS: what a message's
fields are is read from the bag.
"""

import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from audio_interaction_ros.audio.block import AudioBlock
from audio_interaction_ros.audio.messages import (
    AUDIO_INFO,
    INFO_TYPES,
    SUPPORTED_TYPES,
    MessageReader,
)
from audio_interaction_ros.audio.mono import check_samples
from audio_interaction_ros.errors import (
    AudioFormatError,
    AudioInteractionError,
    MissingDependencyError,
)

__all__ = ['RecordedFields', 'RecordedMessage', 'is_bag', 'read_bag_blocks', 'read_messages',
           'read_topics']

_log = logging.getLogger(__name__)
_SUFFIXES = ('.mcap', '.db3')
_REFUSED_IN_VAIN = 100
"""Where so many messages cannot be read and none before them could, no other will."""


class RecordedMessage(NamedTuple):
    """One recorded message."""

    type_name: str
    """Its ROS name, package/msg/Name."""
    stamp_ns: int
    """When it was recorded."""
    data: bytes
    is_info: bool = False
    """True: it says what the audio means (AudioInfo of ros-drivers) and is none itself."""
    definition: str = ''
    """Its fields as the bag tells them; empty in bags of old versions."""


class RecordedFields(NamedTuple):
    """One recorded message of any topic, read."""

    topic: str
    type_name: str
    stamp_ns: int
    """When it was recorded."""
    message: Any
    """An object with the fields of the message."""


def is_bag(path: Path) -> bool:
    """Say whether a path is to be read as a bag."""
    return path.is_dir() or path.suffix in _SUFFIXES


def read_messages(path: Path, topic: str = '', *,
                  warn: Callable[[str], object] = _log.warning) -> Iterator[RecordedMessage]:
    """
    Yield the audio messages of a bag, and those that describe them, in the order of recording.

    A bag is a folder or one of its files; without readable metadata.yaml the files of a folder
    are played one after another. Where a bag turns out damaged on the way, or holds another
    number of messages than it says, ``warn`` is told. Raises AudioFormatError for what is no
    bag, is damaged from the start, or has no audio topic.
    """
    played = promised = 0
    try:
        for reader in _open_readers(path, warn):
            with reader:
                chosen = _choose_topic(reader.connections, topic, path)
                promised += chosen.msgcount
                infos = _info_connections(reader.connections, chosen)
                for item, stamp_ns, data in reader.messages([chosen, *infos]):
                    is_info = item.id != chosen.id
                    yield RecordedMessage(
                        item.msgtype, stamp_ns, _check_uncompressed(bytes(data), path), is_info,
                        _definition_of(item))
                    played += not is_info
    except AudioInteractionError:
        raise
    except Exception as error:  # noqa: BLE001 - the library raises whatever a damaged file makes
        if not played:
            raise AudioFormatError(
                f'Expected a rosbag2 at {path}, it is none or damaged ({_describe_error(error)}); '
                'name another, or mend it: ros2 bag reindex, mcap recover') from error
        warn(f'{path}: expected a bag up to its end, it is damaged after {played} messages '
             f'({_describe_error(error)}); played so far')
        return
    if played != promised:
        warn(f'{path}: expected {promised} messages, as the bag says, found {played}; played '
             'these')


def read_bag_blocks(path: Path, topic: str = '', *,
                    warn: Callable[[str], object] = _log.warning) -> Iterator[AudioBlock]:
    """
    Yield the audio of a bag as blocks, stamped as its messages are.

    A message that cannot be read is left out, as a node refuses it, and ``warn`` is told how many
    were. Errors are those of ``read_messages``; AudioFormatError too where no message can be read,
    and for messages whose fields neither the bag nor the rosbags package knows.
    """
    stores: dict[str, Any] = {}
    audio = _AudioMessages()
    read, refused, why = 0, 0, ''
    for message in read_messages(path, topic, warn=warn):
        if message.type_name not in stores:
            stores[message.type_name] = _make_store(message, path)
        try:
            block = audio.take(message, stores[message.type_name])
        except Exception as error:  # noqa: BLE001 - damaged fields raise whatever they make
            refused, why = refused + 1, why or _describe_error(error)
            if not read and refused == _REFUSED_IN_VAIN:
                break
            continue
        if block is not None:
            read += 1
            yield block
    if refused and not read:
        raise AudioFormatError(f'Expected messages of audio in {path}, none of {refused} can be '
                               f'read: {why}')
    if refused:
        warn(f'{path}: {refused} messages of audio cannot be read and are left out; the first: '
             f'{why}')


class _AudioMessages:
    """The messages of one audio topic, and what describes them, as blocks."""

    def __init__(self) -> None:
        self._reader: MessageReader | None = None
        self._info: Any = None

    def take(self, message: RecordedMessage, store: Any) -> AudioBlock | None:
        """Return the block of a message; None of one that describes the others."""
        fields = store.deserialize_cdr(message.data, message.type_name)
        if message.is_info:
            self._info = fields
            if self._reader is not None:
                self._reader.on_info(fields)
            return None
        if self._reader is None:
            self._reader = MessageReader(type_name=message.type_name)
            if self._info is not None:
                self._reader.on_info(self._info)
        block = self._reader.to_block(fields, message.stamp_ns)
        check_samples(block)
        return block


def read_topics(path: Path, choose: Callable[[str, str], bool], *,
                warn: Callable[[str], object] = _log.warning) -> Iterator[RecordedFields]:
    """
    Yield the messages of the topics that ``choose`` wants by name and type, as they were recorded.

    Nothing for a bag that has none of them. Errors are those of ``read_messages``.
    """
    stores: dict[str, Any] = {}
    read = 0
    try:
        for reader in _open_readers(path, warn):
            with reader:
                chosen = [item for item in reader.connections if choose(item.topic, item.msgtype)]
                for item, stamp_ns, data in reader.messages(chosen) if chosen else ():
                    kind = item.msgtype
                    if kind not in stores:
                        stores[kind] = _make_store(RecordedMessage(
                            kind, stamp_ns, b'', definition=_definition_of(item)), path)
                    yield RecordedFields(item.topic, kind, stamp_ns, stores[kind].deserialize_cdr(
                        _check_uncompressed(bytes(data), path), kind))
                    read += 1
    except AudioInteractionError:
        raise
    except Exception as error:  # noqa: BLE001 - the library raises whatever a damaged file makes
        if not read:
            raise AudioFormatError(
                f'Expected a rosbag2 at {path}, it is none or damaged ({_describe_error(error)}); '
                'name another, or mend it: ros2 bag reindex, mcap recover') from error
        warn(f'{path}: expected a bag up to its end, it is damaged after {read} messages '
             f'({_describe_error(error)})')


def _definition_of(connection: Any) -> str:
    return connection.msgdef.data if connection.msgdef.format.name == 'MSG' else ''


def _make_store(message: RecordedMessage, path: Path) -> Any:
    """Return what reads messages of a type."""
    from rosbags.typesys import Stores, get_types_from_msg, get_typestore
    store = get_typestore(Stores.LATEST)
    if message.definition:
        store.register(get_types_from_msg(message.definition, message.type_name))
    elif message.type_name not in store.fielddefs:
        raise AudioFormatError(
            f'Expected the fields of {message.type_name} in {path}, an old bag that does not tell '
            'them; convert it: ros2 bag convert, storage mcap')
    return store


def _open_readers(path: Path, warn: Callable[[str], object]) -> list[Any]:
    """Return what reads a bag: one reader, or one for each file where the metadata is no help."""
    try:
        from rosbags.rosbag2 import Reader
    except ImportError as error:
        raise MissingDependencyError(
            'Bags are read by the rosbags package; run: pip install rosbags') from error
    if not path.is_dir():
        return [Reader(path)]
    try:
        with Reader(path) as reader:
            reader.topics  # noqa: B018 - reads what the metadata says
        return [Reader(path)]
    except Exception as error:  # noqa: BLE001 - as above
        files = sorted(file for file in path.iterdir() if file.suffix in _SUFFIXES)
        if not files:
            raise
        warn(f'{path}: expected a readable metadata.yaml ({_describe_error(error)}); reading '
             f'{", ".join(file.name for file in files)} without it')
    return sorted(map(Reader, files), key=_start_time)


def _start_time(reader: Any) -> int:
    with reader:
        return int(reader.start_time)


def _check_uncompressed(data: bytes, path: Path) -> bytes:
    """Return a message; raise for one that is compressed and was not said to be."""
    if not data.startswith(b'\0'):
        raise AudioFormatError(
            f'Expected messages in CDR in {path}, found other bytes, perhaps compressed; name the '
            'folder with its metadata.yaml')
    return data


def _describe_error(error: Exception) -> str:
    if isinstance(error, AudioInteractionError):
        return str(error)
    return ' '.join(f'{type(error).__name__}: {error}'.split()).rstrip('.')


def _choose_topic(connections: Any, topic: str, path: Path) -> Any:
    supported = [item for item in connections if item.msgtype in SUPPORTED_TYPES
                 and item.msgcount]
    chosen = [item for item in supported if topic in ('', item.topic)]
    if len(chosen) != 1:
        topics = ', '.join(sorted(item.topic for item in supported))
        raise AudioFormatError(
            f'Expected one audio topic{f" {topic}" if topic else ""} in {path}, found '
            + (f'{topics}; name one (--topic, of audio_file_node the parameter topic)' if topics
               else f'none with messages of {", ".join(SUPPORTED_TYPES)}; record one of these'))
    return chosen[0]


def _info_connections(connections: Any, chosen: Any) -> list[Any]:
    """Return what describes the chosen topic: the topic beside it, or the only one there is."""
    if chosen.msgtype not in INFO_TYPES:
        return []
    infos = [item for item in connections if item.msgtype == AUDIO_INFO and item.msgcount]
    beside = [item for item in infos if item.topic == f'{chosen.topic}_info']
    return beside or (infos if len(infos) == 1 else [])
