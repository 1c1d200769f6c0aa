"""
What a robot heard, from the topics that were recorded with its audio.

Owns which topics of a bag are those of one assistant, and where its audio begins.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from audio_interaction_ros.audio.bag import read_bag_blocks, read_topics
from audio_interaction_ros.audio.messages import stamp_ns
from audio_interaction_ros.errors import AudioFormatError
from audio_interaction_ros.protocol import CHUNK_NS
from audio_interaction_ros.replay.heard import Heard
from audio_interaction_ros.replay.messages import HEARD_TOPICS, MessageCollector

__all__ = ['OUR_PACKAGE', 'choose_namespace', 'hear_recorded', 'hear_recorded_from',
           'split_topic']

OUR_PACKAGE = 'audio_interaction_msgs/msg/'
_CHUNKWISE = ('decisions', 'sounds/scores')
_DIAGNOSTICS = 'diagnostic_msgs/msg/DiagnosticArray'


def split_topic(topic: str, names: tuple[str, ...]) -> tuple[str, str]:
    """Return namespace and name of a topic that is called one of ``names``; ('', '') else."""
    for name in sorted(names, key=len, reverse=True):
        if topic == f'/{name}' or topic.endswith(f'/{name}'):
            return topic.removesuffix(name).rstrip('/'), name
    return '', ''


def choose_namespace(topics: set[str], names: tuple[str, ...], wanted: str, path: Path) -> str:
    """
    Return the namespace whose topics are one assistant's.

    Raises AudioFormatError where there are none, and where several are and ``wanted`` names none.
    """
    spaces = sorted({split_topic(topic, names)[0] for topic in topics
                     if split_topic(topic, names)[1]})
    if wanted.rstrip('/') in spaces:
        return wanted.rstrip('/')
    if len(spaces) != 1 or wanted:
        told = ', '.join(space or '/' for space in spaces) or 'none'
        raise AudioFormatError(
            f'{path}: expected the topics of one assistant ({", ".join(names)}), found those in '
            f'the namespaces: {told}; record them, or name one of these in --topic')
    return spaces[0]


def hear_recorded(path: Path, namespace: str = '', *, warn: Callable[[str], object]
                  ) -> list[Heard]:
    """
    Return what was heard, as the topics of a bag tell it.

    Times count from the first audio of the bag, or where it holds none from its first decision.
    Raises AudioFormatError for a bag without these topics.
    """
    return hear_recorded_from(path, namespace, warn=warn)[0]


def hear_recorded_from(path: Path, namespace: str = '', *, warn: Callable[[str], object],
                       more: tuple[str, ...] = ()
                       ) -> tuple[list[Heard], int, list[tuple[str, Any]]]:
    """
    Return what was heard, the stamp from which it counts, and the messages of ``more`` topics.

    Each of these as (topic without its namespace, message), in the order of recording.
    """
    names = (*HEARD_TOPICS, *_CHUNKWISE)
    kept: list[tuple[str, str, Any]] = []
    topics: set[str] = set()

    def choose(topic: str, kind: str) -> bool:
        ours = kind.startswith(OUR_PACKAGE) and bool(split_topic(topic, names)[1])
        topics.update([topic] * ours)
        return ours or 'diagnostics' in more and kind == _DIAGNOSTICS

    for item in read_topics(path, choose, warn=warn):
        kept.append((*split_topic(item.topic, (*names, 'diagnostics')), item.message))
    space = choose_namespace(topics, names, namespace, path)
    mine = [(name, message) for where, name, message in kept if where == space]
    collector = MessageCollector(_find_zero(path, mine))
    for name, message in mine:
        if name in HEARD_TOPICS:
            collector.note(name, message)
    return (collector.heard, collector.zero_ns,
            [(name, message) for name, message in mine if name in more])


def _find_zero(path: Path, messages: list[tuple[str, Any]]) -> int:
    """Return the stamp of the first audio; 0 where nothing tells."""
    try:
        first = next(read_bag_blocks(path, warn=lambda _: None), None)
    except AudioFormatError:
        first = None
    if first is not None and first.stamp_ns is not None:
        return first.stamp_ns
    for name, message in messages:
        if name in _CHUNKWISE:  # a decision is stamped with the end of its chunk
            return stamp_ns(message.header.stamp) - CHUNK_NS * (name == 'decisions')
    return min((stamp_ns(message.header.stamp) for name, message in messages
                if name in HEARD_TOPICS), default=0)
