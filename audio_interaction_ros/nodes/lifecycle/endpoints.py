"""
Who else is on a topic, by name, and whose quality of service never connects to ours.

Owns what is asked of the graph of ROS for diagnostics.
"""

from collections import Counter
from collections.abc import Iterable
from typing import Any

from rclpy.node import Node

from audio_interaction_ros.nodes.lifecycle import qos
from audio_interaction_ros.nodes.lifecycle.diagnostics import WARN, StatusReport

__all__ = ['QosWatch', 'have_other_fields', 'name_several', 'publisher_name', 'why_unheard']


class QosWatch:
    """Names publishers of a topic whose quality of service never connects to ours."""

    def __init__(self, *, node: Node) -> None:
        """Watch nothing yet."""
        self._node = node
        self._topics: dict[str, Any] = {}

    def watch(self, topic: str, profile: Any) -> None:
        """Watch a topic that the node subscribes to with this profile."""
        self._topics[topic] = profile

    def check(self, report: StatusReport) -> None:
        """Add a warning for each publisher that cannot be heard."""
        for topic, profile in self._topics.items():
            name = self._node.resolve_topic_name(topic)
            for info in self._node.get_publishers_info_by_topic(name):
                problem = why_unheard(info, profile)
                if problem:
                    report.add(WARN, f'{name}: {problem}')


def why_unheard(info: Any, profile: Any) -> str:
    """Return why a publisher never connects to a subscription; empty where it does."""
    reason = qos.find_mismatch(info.qos_profile, profile)
    return f'publisher {publisher_name(info)} has an incompatible QoS: {reason}' if reason else ''


def have_other_fields(info: Any, own: Iterable[Any]) -> bool:
    """
    Tell whether an endpoint has our type's name and other fields, so that nothing of it is read.

    ``own`` are endpoints of the topic made here. Distributions before Iron say nothing of fields.
    """
    theirs: Any = getattr(info, 'topic_type_hash', None)
    if theirs is None:
        return False
    ours = [item.topic_type_hash for item in own if item.topic_type == info.topic_type]
    return any(theirs.version == hash_.version > 0 and theirs != hash_ for hash_ in ours)


def publisher_name(info: Any) -> str:
    """Return the full name of the node of an endpoint."""
    return f'{info.node_namespace.rstrip("/")}/{info.node_name}'


def name_several(endpoints: Iterable[Any]) -> str:
    """Return the nodes of endpoints where there are more than one; empty where there are not."""
    names = Counter(publisher_name(info) for info in endpoints)
    if names.total() < 2:
        return ''
    return ', '.join(f'{name} ({count} times)' if count > 1 else name
                     for name, count in sorted(names.items()))
