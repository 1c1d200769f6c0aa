"""
ROS parameters declared from the configuration dataclasses, and read back into them.

A field's name, default and help are written once, in config; here they get the dotted name
and the range of a ROS parameter. Lanes are a list of names and one group per name.
"""

import dataclasses
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, cast

from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor
from rclpy.node import Node
from rclpy.parameter import Parameter

from audio_interaction_ros.config import RANGES, AssistantConfig, LaneConfig, fields_with_help
from audio_interaction_ros.errors import ConfigurationError
from audio_interaction_ros.parameter_file import PLAIN, check_arguments
from audio_interaction_ros.strict_yaml import build

__all__ = ['GROUPS', 'DeclaredParameter', 'list_declarations', 'declare', 'declare_checked',
           'is_ours', 'read',
           'refuse_unknown', 'format_table']

GROUPS = {item.name: cast(type, item.default_factory)
          for item in dataclasses.fields(AssistantConfig) if item.name != 'lanes'}
"""Parameter groups and the classes they come from."""


class DeclaredParameter(NamedTuple):
    """One parameter as it is declared."""

    name: str
    type: type
    default: Any
    help: str
    range: tuple[float, float] | None


def list_declarations(groups: Sequence[str],
                      lanes: Sequence[LaneConfig] = ()) -> Iterator[DeclaredParameter]:
    """Yield the parameters of these groups and lanes."""
    for group in groups:
        for item in fields_with_help(GROUPS[group]):
            name = f'{group}.{item.name}'
            yield DeclaredParameter(name, item.type, item.default, item.help, RANGES.get(name))
    for lane in lanes:
        for item in fields_with_help(LaneConfig):
            if item.name != 'name':
                yield DeclaredParameter(f'lane.{lane.name}.{item.name}', item.type,
                                        getattr(lane, item.name), item.help,
                                        RANGES.get(f'lane.{item.name}'))


def is_ours(name: str) -> bool:
    """Tell whether a parameter belongs to the configuration."""
    return name == 'lanes' or name.partition('.')[0] in (*GROUPS, 'lane')


def format_table(takers: Callable[[str], Sequence[str]]) -> str:
    """
    Return the parameters as the Markdown table of docs/parameters.md.

    ``takers`` says which nodes take a change of a parameter while they work.
    """
    rows = ['| parameter | type | default | range | at run time | meaning |',
            '|---|---|---|---|---|---|']
    for item in list_declarations(list(GROUPS), [LaneConfig(name='<name>')]):
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
    for item in list_declarations(groups, chosen):
        _take_whole_number(node, item)
        node.declare_parameter(item.name, item.default, _make_descriptor(item))


def declare_checked(node: Node, groups: Sequence[str], *, lanes: bool = False) -> str:
    """
    Declare the parameters; return what is wrong with those that the process was started with.

    The parameter files of the command line are read here and never again: what becomes of them
    while the node runs does not matter.
    """
    wrong = ''
    try:
        declare(node, groups, lanes=lanes)
    except Exception as error:  # noqa: BLE001 - rclpy raises several kinds for bad values
        wrong = f'parameters: {error}'
    try:
        refuse_unknown(node)
    except ConfigurationError as error:
        return str(error)  # it names file and key
    return wrong


def _take_whole_number(node: Node, item: DeclaredParameter) -> None:
    """Let an int be given for a float, as in every other file; ROS refuses it."""
    given = node._parameter_overrides.get(item.name)
    if item.type is float and given is not None and given.type_ == Parameter.Type.INTEGER:
        node._parameter_overrides[item.name] = Parameter(item.name, value=float(given.value))


def refuse_unknown(node: Node, arguments: Sequence[str] | None = None) -> None:
    """
    Raise ConfigurationError for what the command refuses too: unknown keys, a key given twice.

    Groups that this node does not use are checked too, so one file serves all nodes and a
    misspelt key is still found. ``arguments`` are those of the process (None: its own), whose
    parameter files are read again, as ROS hides some of their faults.
    """
    check_arguments(sys.argv if arguments is None else arguments)
    names = node.get_parameter('lanes').value if node.has_parameter('lanes') else None
    known = {item.name for item in list_declarations(list(GROUPS))}
    for key in node._parameter_overrides:  # the public API shows declared ones only
        group, _, rest = key.partition('.')
        if node.has_parameter(key) or key in known or key == 'lanes' or group in PLAIN:
            continue
        if group == 'lane' and names is None:
            if rest.rpartition('.')[2] in {item.name for item in fields_with_help(LaneConfig)}:
                continue
        if group == 'lane' and names is not None and rest.partition('.')[0] not in names:
            raise ConfigurationError(f'parameters: {key}: expected the settings of a lane out of '
                                     f'lanes {list(names)}, found another; add it to lanes')
        choices = sorted(name for name in known if name.startswith(f'{group}.'))
        raise ConfigurationError(
            f'parameters: unknown key {key!r}; expected one of '
            f'{", ".join(choices) or ", ".join([*GROUPS, "lanes", "lane.<name>.<setting>"])}')


def _make_descriptor(item: DeclaredParameter) -> ParameterDescriptor:
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

    def values_below(prefix: str) -> dict[str, Any]:
        return {name: changed.get(f'{prefix}.{name}', item.value) for name, item
                in node.get_parameters_by_prefix(prefix).items()}
    values: dict[str, Any] = {group: group_values for group in GROUPS
                              if (group_values := values_below(group))}
    if node.has_parameter('lanes'):
        names = changed.get('lanes', node.get_parameter('lanes').value) or []
        for name in names:
            if not node.has_parameter(f'lane.{name}.kind'):
                raise ConfigurationError(
                    f'lanes: no group lane.{name} is declared; name a new lane when the node is '
                    f'started')
        values['lanes'] = [{'name': name, **values_below(f'lane.{name}')} for name in names]
    config: AssistantConfig = build(AssistantConfig, values, 'parameters')
    return config
