"""
Whether another node has the very name of this one: two assistants in one namespace.

Each of them would take what is meant for the other, so neither hears. Asks the graph only.
"""

import time

from rclpy.node import Node

from audio_interaction_ros.nodes.lifecycle.diagnostics import ERROR, StatusReport

__all__ = ['NameWatch']

_GONE_S = 30.0
"""A node that was killed stays in the graph for some 20 s."""


class NameWatch:
    """Finds whoever has the name of a node."""

    def __init__(self, *, node: Node, patience_s: float = _GONE_S) -> None:
        """Have found nobody; who is there no longer than ``patience_s`` counts for nothing."""
        self._node, self._patience_s = node, patience_s
        self._since: float | None = None
        self._told = False

    def check(self, report: StatusReport) -> None:
        """Report a node of the same name that stays; the log has it once."""
        own = (self._node.get_name(), self._node.get_namespace())
        if self._node.get_node_names_and_namespaces().count(own) < 2:
            self._since, self._told = None, False
            return
        now = time.monotonic()
        self._since = now if self._since is None else self._since
        if now - self._since < self._patience_s:
            return
        message = (f'another node is called {self._node.get_fully_qualified_name()} too: two '
                   f'assistants in one namespace hear nothing; end one, or give it a namespace '
                   f'of its own (namespace:=robot2)')
        report.add(ERROR, message)
        if not self._told:
            self._node.get_logger().error(message)
            self._told = True
