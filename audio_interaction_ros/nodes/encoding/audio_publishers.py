"""
Who publishes audio: of which type, whether several do, and whom we never hear.

Owns what is asked of the graph of ROS about the topic ``audio``. Subscribes to nothing.
"""

from typing import Any

from audio_interaction_ros.config import AudioConfig
from audio_interaction_ros.errors import AudioFormatError
from audio_interaction_ros.nodes.io.audio_messages import SUPPORTED_TYPES
from audio_interaction_ros.nodes.lifecycle import qos
from audio_interaction_ros.nodes.lifecycle.diagnostics import ERROR, WARN, StatusReport
from audio_interaction_ros.nodes.lifecycle.endpoints import (
    have_other_fields,
    name_several,
    publisher_name,
    why_unheard,
)
from audio_interaction_ros.nodes.lifecycle.host_node import HostNode

__all__ = ['AudioPublishers']


class AudioPublishers:
    """The publishers that a node sees on one topic."""

    def __init__(self, *, node: HostNode, topic: str, settings: AudioConfig) -> None:
        """Ask nothing yet; ``topic`` is relative."""
        self._node, self._topic, self._settings = node, topic, settings

    @property
    def topic(self) -> str:
        """Full name of the topic."""
        return str(self._node.resolve_topic_name(self._topic))

    def find(self) -> list[Any]:
        """Return the endpoints that publish now."""
        return list(self._node.get_publishers_info_by_topic(self.topic))

    def find_own(self) -> list[Any]:
        """Return the endpoints by which this node listens."""
        name = self._node.get_fully_qualified_name()
        return [info for info in self._node.get_subscriptions_info_by_topic(self.topic)
                if publisher_name(info) == name]

    def find_type(self) -> str:
        """
        Return the type to subscribe with; empty where nobody publishes yet.

        Raises AudioFormatError where only types are published that we cannot read.
        """
        if self._settings.msg_type != 'auto':
            return self._settings.msg_type
        types = [info.topic_type for info in self.find()]
        for type_name in SUPPORTED_TYPES:
            if type_name in types:
                return type_name
        if types:
            raise AudioFormatError(
                f'{self.topic}: expected one of {", ".join(SUPPORTED_TYPES)}, found {types[0]}; '
                f'remap audio to another topic')
        return ''

    def find_successor(self, type_name: str) -> Any:
        """Return who publishes another type where nobody does the given one any more, or None."""
        publishers = self.find()
        gone = self._settings.msg_type == 'auto' and publishers and not any(
            info.topic_type == type_name for info in publishers)
        return publishers[0] if gone else None

    def explain_mixing(self, type_name: str) -> str:
        """Return what is wrong where several are heard at once; empty where nothing is."""
        crowd = name_several(info for info in self.find() if info.topic_type == type_name
                             and not why_unheard(info, qos.AUDIO_IN))
        return crowd and (
            f'more than one publisher on {self.topic}, whose audio is mixed up: {crowd} (one that '
            f'was killed is listed for a while); stop all but one, or remap them')

    def report(self, report: StatusReport, type_name: str) -> None:
        """Say what keeps us from hearing one of them; ``type_name`` is heard, empty: none."""
        mixing = type_name and self.explain_mixing(type_name)
        if mixing:
            report.add(WARN, mixing)
        for info in self.find():
            problem = why_unheard(info, qos.AUDIO_IN)
            if problem:
                report.add(WARN, f'{self.topic}: {problem}')
            elif type_name and info.topic_type != type_name:
                report.add(WARN, f'{publisher_name(info)} publishes {info.topic_type}, not '
                                 f'{type_name}')
            elif have_other_fields(info, self.find_own()):
                report.add(ERROR, f'{publisher_name(info)} publishes {info.topic_type} with other '
                                  'fields than it has here, so nothing of it can be read; build '
                                  'both from one version of the package')
