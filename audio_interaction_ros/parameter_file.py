"""
ROS 2 parameter files, understood without ROS, so that nodes and the command line agree.

Owns the wrapper (``/**: ros__parameters:``), which sections concern this package, and how
``lanes: [names]`` with ``lane: {name: {…}}`` becomes lanes. A key that nobody knows is refused in
every section of ours, also one that only another node would read.
"""

import itertools
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from audio_interaction_ros.config import AssistantConfig
from audio_interaction_ros.errors import ConfigurationError
from audio_interaction_ros.strict_yaml import build, parse_yaml, read_yaml

__all__ = ['NODES', 'PLAIN', 'check_arguments', 'files_in', 'load_configuration']

NODES = ('encoder_node', 'decoder_node', 'audio_file_node', 'microphone_node', 'speech_node',
         'monitor_node', 'foxglove_audio_node', 'hri_node', 'safety_events_node')
"""Nodes whose sections are read."""
PLAIN = frozenset({
    'autostart', 'path', 'raw', 'topic', 'pace', 'block_ms', 'tail_s', 'frame_id',
    'max_ahead', 'wait_for_decoder', 'device', 'sample_rate_hz', 'channels', 'rules_file',
    'dry_run', 'voice_id', 'voices', 'use_sim_time', 'start_type_description_service',
    'qos_overrides'})
"""Parameters outside the groups of the configuration: of nodes, and of ROS itself."""
_WILD = ('*', '**')
_INSIDE = 'ros__parameters'


def load_configuration(path: str | Path) -> AssistantConfig:
    """
    Return what a parameter file tells the encoder and the decoder; the rest is default.

    Raises ConfigurationError naming file and key, for the same files as ``check_arguments``.
    """
    sections = list(_read_sections(read_yaml(path), str(path)))
    return _make_configuration(sections, str(path))


def check_arguments(arguments: Sequence[str]) -> None:
    """
    Refuse what the parameter files of a node's command line must not say.

    ROS reads them as well, but lets the last of two equal keys win and an empty list vanish.
    Raises ConfigurationError naming file and key.
    """
    files = files_in(arguments)
    sections = [section for file in files for section in _read_sections(read_yaml(file), file)]
    overrides = list(_read_overrides(arguments))
    places = [*files, *(['-p'] if overrides else [])]
    _make_configuration(sections + overrides, ' or '.join(places) or 'parameters')


def files_in(arguments: Sequence[str]) -> list[str]:
    """Return the parameter files that a command line names."""
    return [value for flag, value in itertools.pairwise(arguments)
            if flag == '--params-file']


def _read_overrides(arguments: Sequence[str]) -> Iterable[tuple[str, dict[str, Any]]]:
    """Yield what ``-p name:=value`` says, each as a section of its own."""
    for flag, text in itertools.pairwise(arguments):
        name, assigned, value = text.partition(':=')
        if flag in ('-p', '--param') and assigned:
            node, colon, key = name.rpartition(':')
            yield (node if colon else '/**',
                   _nest({key: parse_yaml(value, f'-p {name}')}, f'-p {name}'))


def _read_sections(document: Any, where: str) -> Iterable[tuple[str, dict[str, Any]]]:
    """Yield section name and nested parameters."""
    if document is None:  # half written, or emptied by a full disk: no wish for defaults
        raise ConfigurationError(f'{where}: expected /**: with ros__parameters: below it, found '
                                 'nothing; name the right file, or none where all is default')
    if not isinstance(document, Mapping):
        raise ConfigurationError(f'{where}: expected /**: with ros__parameters: below it, found '
                                 f'{document!r}; change it')
    for name, body in document.items():
        if not isinstance(body, Mapping) or not body:
            raise ConfigurationError(
                f'{where}: {name}: expected ros__parameters: before any parameter, found '
                f'{body!r}; write /**: and ros__parameters: above the parameters')
        if _INSIDE in body:
            parameters = body[_INSIDE]
            if len(body) > 1 or not isinstance(parameters, Mapping):
                raise ConfigurationError(f'{where}: {name}: expected only ros__parameters with '
                                         f'parameters below it, found {body!r}; change it')
            yield str(name), _nest(parameters, f'{where}: {name}')
        else:  # a namespace
            for inner, parameters in _read_sections(body, f'{where}: {name}'):
                yield f'{name}/{inner}', parameters


def _nest(values: Mapping[Any, Any], where: str) -> dict[str, Any]:
    """Return parameters with ``a.b: 1`` written as ``a: {b: 1}``."""
    result: dict[str, Any] = {}
    for key, value in values.items():
        *parents, last = str(key).split('.')
        inner: Any = _nest(value, f'{where}.{key}') if isinstance(value, Mapping) else value
        for part in reversed([*parents, last]):
            inner = {part: inner}
        _merge(result, inner, where, twice=False)
    return result


def _merge(into: dict[str, Any], more: Mapping[str, Any], where: str = '', *,
           twice: bool = True) -> None:
    """Add parameters; without ``twice`` one that is there already is an error."""
    for key, value in more.items():
        if isinstance(value, Mapping) and isinstance(into.get(key, {}), Mapping):
            _merge(into.setdefault(key, {}), value, f'{where}.{key}', twice=twice)
        elif key in into and not twice:
            raise ConfigurationError(f'{where}: key {key!r} given twice; take one away')
        else:
            into[key] = value


def _make_configuration(sections: list[tuple[str, dict[str, Any]]], where: str) -> AssistantConfig:
    """Check what each node is told, and return what encoder and decoder are told together."""
    special = {name for name, _ in sections if _node_name(name) in NODES}
    for chosen in [set(), *({name} for name in sorted(special))]:
        _build([section for name,
                section in sections if _node_name(name) in _WILD or name in chosen], where)
    return _build([section for name, section in sections
                   if _node_name(name) in (*_WILD, 'encoder_node', 'decoder_node')], where)


def _node_name(section: str) -> str:
    return section.rstrip('/').rpartition('/')[2]


def _build(parameters: Iterable[dict[str, Any]], where: str) -> AssistantConfig:
    values: dict[str, Any] = {}
    for section in parameters:
        _merge(values, section)
    for key in PLAIN & set(values):
        del values[key]
    settings = values.pop('lane', {})
    names = values.pop('lanes', None)
    if not isinstance(settings, Mapping):
        raise ConfigurationError(f'{where}: lane: expected a group per lane, found {settings!r}')
    defaults = {lane.name: lane for lane in AssistantConfig().lanes}
    if names is None and settings:
        names = list(defaults)
    if names is not None or settings:
        values['lanes'] = _make_lanes(names, settings, where)
    return build(AssistantConfig, values, where)


def _make_lanes(names: Any, settings: Mapping[str, Any], where: str) -> list[dict[str, Any]]:
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise ConfigurationError(f'{where}: lanes: expected a list of names, found {names!r}; '
                                 'change it')
    for name in settings:
        if name not in names:
            raise ConfigurationError(f'{where}: lane.{name}: expected the settings of a lane out '
                                     f'of lanes {names}, found another; add it to lanes')
    return [_make_lane(name, settings.get(name, {}), where) for name in names]


def _make_lane(name: str, settings: Any, where: str) -> dict[str, Any]:
    if not isinstance(settings, Mapping):
        raise ConfigurationError(f'{where}: lane.{name}: expected settings, found {settings!r}')
    if 'name' in settings:
        raise ConfigurationError(f'{where}: lane.{name}: unknown key \'name\'; lanes names it')
    usual = {lane.name: lane for lane in AssistantConfig().lanes}.get(name)
    return {'name': name, **({'kind': usual.kind, 'alerts': usual.alerts} if usual else {}),
            **settings}
