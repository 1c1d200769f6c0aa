"""
Parameters that change while a node runs: which may, who takes them, and why others may not.

Owns the answer to a change. What a node does with one that it takes is the node's matter.
"""

import difflib
import inspect
from collections.abc import Iterable, Mapping
from typing import Any

from rcl_interfaces.msg import SetParametersResult
from rclpy.node import Node

from audio_interaction_ros.config import AssistantConfig
from audio_interaction_ros.errors import ConfigurationError
from audio_interaction_ros.nodes.lifecycle import parameters

__all__ = ['LIVE', 'UNUSED', 'make_answer', 'check_change', 'logger_service', 'name_unknown',
           'nodes_that_take']

LIVE = {
    'encoder_node': frozenset((
        'audio.mute_holdoff_ms', 'audio.silence_warning_s', 'fifo.overflow',
        'fifo.credit_timeout_s', 'record.retention_s')),
    'decoder_node': frozenset((
        'alerts.event_min_severity', 'alerts.evidence', 'alerts.hold_min_severity',
        'alerts.journal_s', 'alerts.language', 'alerts.profile', 'alerts.thresholds',
        'alerts.while_speaking_min_severity', 'lane.threshold', 'lane.min_confidence',
        'lane.release', 'lane.refractory_s', 'sounds.top')),
    'speech_node': frozenset((
        'speech.says', 'speech.alerts_min_severity', 'speech.barge_in', 'speech.duck_db')),
}
"""What each node takes while it is configured."""

UNUSED = {
    'encoder_node': frozenset(('fifo.drain', 'model.slots', 'translation.source')),
    'decoder_node': frozenset(('fifo.credit_timeout_s', 'transcript.buffer_s')),
    'speech_node': frozenset(('assistant.address', 'assistant.window_s')),
}
"""What each node declares, for one file serves both, and leaves to the other."""

_AT_REST = ('unconfigured', 'inactive', 'active')


def _general_name(name: str) -> str:
    """Return lane.threshold for lane.assistant.threshold, and other names as they are."""
    return f'lane.{name.rpartition(".")[2]}' if name.startswith('lane.') else name


def nodes_that_take(name: str) -> list[str]:
    """Return the nodes that take a parameter while they are configured."""
    return [node for node, live in LIVE.items() if _general_name(name) in live]


def check_change(node: Node, role: str, values: Mapping[str, Any], *,
                 state: str) -> AssistantConfig | None:
    """
    Return the configuration after a change; None where it does not touch it.

    ``role`` is encoder_node, decoder_node or speech_node, ``state`` that of its life. Raises
    ConfigurationError, naming parameter and remedy, for a change that is refused.
    """
    ours = [name for name in values if parameters.is_ours(name)]
    if ours and state not in _AT_REST:
        raise ConfigurationError(f'{", ".join(ours)}: the node is {state} now; try again')
    for name in ours:
        if _general_name(name) in UNUSED[role]:
            other = 'encoder_node' if role == 'decoder_node' else 'decoder_node'
            raise ConfigurationError(f'{name}: {role} does not use it; set it at {other}')
        if state != 'unconfigured' and _general_name(name) not in LIVE[role]:
            raise ConfigurationError(
                f'{name}: read when the node is configured; deactivate and clean it up first '
                f'(ros2 lifecycle set), or start it again with the new value')
    return parameters.read(node, values) if ours else None


def make_answer(refusals: Iterable[str]) -> SetParametersResult:
    """Return the answer to a change: refused where there is a reason."""
    reason = '; '.join(refusals)
    return SetParametersResult(successful=not reason, reason=reason)


def name_unknown(name: str, known: Iterable[str]) -> str:
    """Return why a parameter that a node does not have cannot be set, with the nearest it has."""
    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.0)
    alike = [known_name for known_name in names if known_name.rpartition('.')[2]
             == name.rpartition('.')[2]]
    return (f'{name}: there is no such parameter; the nearest is {(alike or near or ["none"])[0]} '
            '(ros2 param list shows all)')


def logger_service() -> dict[str, Any]:
    """Return the option that lets a log level be set at run time, where rclpy has it."""
    known = 'enable_logger_service' in inspect.signature(Node.__init__).parameters
    return {'enable_logger_service': True} if known else {}
