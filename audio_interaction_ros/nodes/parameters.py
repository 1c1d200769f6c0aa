"""
ROS parameters declared from the configuration dataclasses, and read back into them.

A field's name, default and help are written once, in config.py; here they get the dotted name
and the range of a ROS parameter. Lanes are a list of names and one group per name.
"""

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, cast

from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor
from rclpy.node import Node

from audio_interaction_ros.config import AssistantConfig, LaneConfig, build, fields_with_help
from audio_interaction_ros.errors import ConfigurationError

__all__ = ['GROUPS', 'Declared', 'declarations', 'declare', 'is_ours', 'read', 'refuse_unknown',
           'table']

GROUPS = {item.name: cast(type, item.default_factory)
          for item in dataclasses.fields(AssistantConfig) if item.name != 'lanes'}
"""Parameter groups and the classes they come from."""

_RANGES: dict[str, tuple[float, float]] = {
    'audio.channel_select': (-1, 255), 'audio.sample_rate_hz': (1_000, 768_000),
    'audio.gap_tolerance_ms': (1.0, 10_000.0), 'audio.mute_holdoff_ms': (0.0, 60_000.0),
    'audio.silence_warning_s': (0.4, 86_400.0),
    'fifo.capacity': (1, 1000), 'fifo.credit_timeout_s': (0.5, 3_600.0),
    'model.threads': (1, 256), 'model.slots': (128, 1_000_000),
    'transcript.buffer_s': (0.4, 600.0),
    'alerts.event_min_severity': (0, 3), 'alerts.hold_min_severity': (0, 3),
    'alerts.while_speaking_min_severity': (0, 4),
    'alerts.journal_s': (0.0, 31_536_000.0),
    'record.retention_s': (1.0, 31_536_000.0),
    'lane.threshold': (0.0, 1.0), 'lane.min_confidence': (-1.0, 1.0),
    'lane.release': (0.0, 1.0),
    'lane.refractory_s': (0.0, 86_400.0), 'lane.max_reply_tokens': (1, 100_000),
    'lane.slots': (0, 1_000_000),
}


class Declared(NamedTuple):
    """One parameter as it is declared."""

    name: str
    type: type
    default: Any
    help: str
    range: tuple[float, float] | None


def declarations(groups: Sequence[str], lanes: Sequence[LaneConfig] = ()) -> Iterator[Declared]:
    """Yield the parameters of these groups and lanes."""
    for group in groups:
        for item in fields_with_help(GROUPS[group]):
            name = f'{group}.{item.name}'
            yield Declared(name, item.type, item.default, item.help, _RANGES.get(name))
    for lane in lanes:
        for item in fields_with_help(LaneConfig):
            if item.name != 'name':
                yield Declared(f'lane.{lane.name}.{item.name}', item.type,
                               getattr(lane, item.name), item.help,
                               _RANGES.get(f'lane.{item.name}'))


def is_ours(name: str) -> bool:
    """Tell whether a parameter belongs to the configuration."""
    return name == 'lanes' or name.partition('.')[0] in (*GROUPS, 'lane')


def table(takers: Callable[[str], Sequence[str]]) -> str:
    """
    Return the parameters as the Markdown table of docs/parameters.md.

    ``takers`` says which nodes take a change of a parameter while they work.
    """
    rows = ['| parameter | type | default | range | at run time | meaning |',
            '|---|---|---|---|---|---|']
    for item in declarations(list(GROUPS), [LaneConfig(name='<name>')]):
        span = '' if item.range is None else f'{item.range[0]:g} … {item.range[1]:g}'
        meaning = ' '.join(item.help.split())
        rows.append(f'| `{item.name}` | {item.type.__name__} | `{item.default!r}` | {span} | '
                    f'{", ".join(takers(item.name))} | {meaning} |')
    return '\n'.join(rows)


def declare(node: Node, groups: Sequence[str], *, lanes: bool = False) -> None:
    """
    Declare the parameters of these groups; with ``lanes`` those of the lanes as well.

    Raises what rclpy raises for a value of the wrong type or out of range.
    """
    chosen: list[LaneConfig] = []
    if lanes:
        known = {lane.name: lane for lane in AssistantConfig().lanes}
        names = node.declare_parameter('lanes', list(known), ParameterDescriptor(
            description='Names of the lanes; each has a group lane.<name>.')).value
        chosen = [known.get(name, LaneConfig(name=name)) for name in names or []]
    for item in declarations(groups, chosen):
        node.declare_parameter(item.name, item.default, _descriptor(item))


def refuse_unknown(node: Node) -> None:
    """
    Raise ConfigurationError for an override in the groups of this package that nobody declared.

    Groups that this node does not use are checked too, so one file serves all nodes and a
    misspelt key is still found.
    """
    names = node.get_parameter('lanes').value if node.has_parameter('lanes') else None
    known = {item.name for item in declarations(list(GROUPS))}
    for key in node._parameter_overrides:  # the public API shows declared ones only
        group, _, rest = key.partition('.')
        if not rest or node.has_parameter(key) or key in known:
            continue
        if group == 'lane' and (names is None or rest.partition('.')[0] not in names):
            if rest.rpartition('.')[2] in {item.name for item in fields_with_help(LaneConfig)}:
                continue
        if group in GROUPS or group == 'lane':
            choices = sorted(name for name in known if name.startswith(f'{group}.'))
            raise ConfigurationError(
                f'parameters: unknown key {key!r}; expected one of '
                f'{", ".join(choices) or "lane.<name>.<setting>"}')


def _descriptor(item: Declared) -> ParameterDescriptor:
    descriptor = ParameterDescriptor(description=item.help)
    if item.range is not None and item.type is int:
        descriptor.integer_range = [IntegerRange(
            from_value=int(item.range[0]), to_value=int(item.range[1]))]
    elif item.range is not None:
        descriptor.floating_point_range = [FloatingPointRange(
            from_value=float(item.range[0]), to_value=float(item.range[1]))]
    return descriptor


def read(node: Node, changed: Mapping[str, Any] | None = None) -> AssistantConfig:
    """
    Build the configuration from the parameters that a node declared; the rest is default.

    ``changed`` are values about to be set. Raises ConfigurationError naming the parameter.
    """
    changed = changed or {}

    def found(prefix: str) -> dict[str, Any]:
        return {name: changed.get(f'{prefix}.{name}', item.value) for name, item
                in node.get_parameters_by_prefix(prefix).items()}
    values: dict[str, Any] = {group: group_values for group in GROUPS
                              if (group_values := found(group))}
    if node.has_parameter('lanes'):
        names = changed.get('lanes', node.get_parameter('lanes').value) or []
        for name in names:
            if not node.has_parameter(f'lane.{name}.kind'):
                raise ConfigurationError(
                    f'lanes: no group lane.{name} is declared; name a new lane when the node is '
                    f'started')
        values['lanes'] = [{'name': name, **found(f'lane.{name}')} for name in names]
    config: AssistantConfig = build(AssistantConfig, values, 'parameters')
    return config
