"""
YAML read strictly, and plain values made into dataclasses strictly: one way for every file.

Owns which text is refused (a key given twice, bare words that YAML 1.1 and ROS 2 take for a
boolean, aliases, what is not UTF-8) and which value fits a field. Knows no format of any file.
"""

import dataclasses
import difflib
import enum
import math
import re
import types
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import yaml

from audio_interaction_ros.errors import AudioInteractionError, ConfigurationError

__all__ = ['build', 'dump_yaml', 'parse_yaml', 'read_yaml']

_LARGEST_BYTES = 8 << 20
_T = TypeVar('_T')
_BARE = re.compile(r'(?:y|n|yes|no|on|off)$', re.IGNORECASE)
_RESOLVERS = (
    ('bool', r'(?:true|True|TRUE|false|False|FALSE)$', 'tTfF'),
    ('null', r'(?:~|null|Null|NULL|)$', ('~', 'n', 'N', '')),
    ('int', r'[-+]?(?:0|[1-9][0-9]*|0x[0-9a-fA-F]+)$', '-+0123456789'),
    ('float', r'[-+]?(?:(?:[0-9]+\.[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?|[0-9]+[eE][-+]?[0-9]+'
              r'|\.(?:inf|Inf|INF))$|\.(?:nan|NaN|NAN)$', '-+.0123456789'))


class _Loader(yaml.SafeLoader):
    """A safe loader that takes numbers as YAML 1.2 does and leaves nothing to be overridden."""

    aliases = False

    def compose_node(self, parent: Any, index: Any) -> Any:
        if not self.aliases and self.check_event(yaml.AliasEvent):
            raise yaml.constructor.ConstructorError(
                None, None, 'an alias; write out what it stands for', self.peek_event().start_mark)
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            try:
                twice = key in seen
            except TypeError:
                raise _make_error('a word as key', key, key_node) from None
            if twice:
                raise yaml.constructor.ConstructorError(
                    None, None, f'key {key!r} given twice', key_node.start_mark)
            seen.add(key)
        return super().construct_mapping(node, deep)

    def construct_word(self, node: yaml.ScalarNode) -> str:
        text = str(self.construct_scalar(node))
        if node.style is None and _BARE.match(text):
            raise _make_error('true or false, or the word in quotes', text, node)
        return text

    def construct_float(self, node: yaml.ScalarNode) -> float:
        text = str(self.construct_scalar(node)).lower()
        return float(text.replace('.inf', 'inf').replace('.nan', 'nan'))


class _Dumper(yaml.SafeDumper):
    """Writes what ``_Loader`` reads back equal."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


for _kind in (_Loader, _Dumper):
    _kind.yaml_implicit_resolvers = {}
    for _tag, _pattern, _first in _RESOLVERS:
        _kind.add_implicit_resolver(f'tag:yaml.org,2002:{_tag}', re.compile(_pattern),
                                    list(_first))
_Dumper.add_implicit_resolver('tag:yaml.org,2002:bool', _BARE, list('yYnNoO'))  # in quotes
_Loader.add_constructor('tag:yaml.org,2002:str', _Loader.construct_word)
_Loader.add_constructor('tag:yaml.org,2002:float', _Loader.construct_float)


def _make_error(expected: str, found: object, node: yaml.Node) -> yaml.YAMLError:
    return yaml.constructor.ConstructorError(
        None, None, f'expected {expected}, found {found!r}', node.start_mark)


def parse_yaml(text: str, where: str, *, aliases: bool = False) -> Any:
    """
    Return what YAML text says, as plain values.

    Raises ConfigurationError naming ``where`` and the line. With ``aliases`` a node may be named
    again, as programs write it; people's files, like those of ROS 2, may not.
    """
    try:
        loader = _Loader(text)
        loader.aliases = aliases
        return loader.get_single_data()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = f':{mark.line + 1}' if mark else ''
        problem = str(error.problem or error.context)
        remedy = 'indent with spaces' if r"'\t'" in problem else 'change it'
        raise ConfigurationError(
            f'{where}{line}: expected valid YAML: {problem}; {remedy}') from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        said = ' '.join(str(error).split()) or type(error).__name__
        raise ConfigurationError(f'{where}: expected valid YAML: {said}; change it') from error


def read_yaml(path: str | Path, *, aliases: bool = False) -> Any:
    """Return what a YAML file says; raises ConfigurationError naming the file and the line."""
    try:
        data = Path(path).expanduser().read_bytes()
        if len(data) > _LARGEST_BYTES:
            raise ConfigurationError(
                f'{path}: expected up to {_LARGEST_BYTES} bytes of YAML, found {len(data)}; name '
                'the right file')
        text = data.decode('utf-8-sig')
    except FileNotFoundError as error:
        raise ConfigurationError(f'{path}: expected a YAML file, found none{_say_from_where(path)}'
                                 '; correct the path') from error
    except (OSError, RuntimeError, UnicodeDecodeError) as error:
        raise ConfigurationError(f'{path}: expected a readable YAML file in UTF-8, got {error}; '
                                 'name another or correct it') from error
    return parse_yaml(text, str(path), aliases=aliases)


def _say_from_where(path: str | Path) -> str:
    """Return where a relative path was looked for: a node may have been started elsewhere."""
    try:
        return '' if str(path).startswith(('/', '~')) else f' in {Path.cwd()}'
    except OSError:
        return ' in a folder that is gone'


def dump_yaml(values: Any) -> str:
    """Return plain values as YAML that ``parse_yaml`` reads back equal."""
    return yaml.dump(values, Dumper=_Dumper, sort_keys=False, allow_unicode=True)


def build(cls: type[_T], values: Any, where: str,
          error: type[AudioInteractionError] = ConfigurationError) -> _T:
    """
    Build a dataclass from plain values, and the dataclasses in its fields.

    ``where`` names the place in messages. Raises ``error`` for an unknown or missing key or a
    value of the wrong type; an int passes for a float.
    """
    return _build(cls, values, where, error, ': ')


def _build(cls: type[_T], values: Any, where: str, error: type[AudioInteractionError],
           joint: str) -> _T:
    """Build one dataclass; ``joint`` stands between its place, a file's or a key's, and a key."""
    if not isinstance(values, Mapping):
        raise error(f'{where}: expected a mapping of keys, found {values!r}; change it')
    hints = typing.get_type_hints(cls)
    fields = {item.name: item for item in dataclasses.fields(typing.cast(Any, cls)) if item.init}
    for key in values:
        if key not in fields:
            near = difflib.get_close_matches(str(key), fields, n=1)
            meant = f', did you mean {near[0]!r}' if near else ''
            raise error(f'{where}: unknown key {key!r}{meant}; expected one of '
                        f'{", ".join(sorted(fields))}')
    given = {key: _convert(hints[key], value, f'{where}{joint}{key}', error)
             for key, value in values.items()}
    for name, item in fields.items():
        if (name not in values and item.default is dataclasses.MISSING
                and item.default_factory is dataclasses.MISSING):
            raise error(f'{where}: expected the key {name!r}, found none; add it')
    try:
        return cls(**given)
    except ConfigurationError as fault:  # what the class itself checks
        raise error(f'{where}: {fault}') from fault


def _convert(kind: Any, value: Any, where: str, error: type[AudioInteractionError]) -> Any:
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if kind is Any:  # for people to read
        return value
    if origin in (types.UnionType, typing.Union):
        return None if value is None else _convert(inner[0], value, where, error)
    if dataclasses.is_dataclass(kind):
        return _build(typing.cast(type, kind), value, where, error, '.')
    if origin is tuple:
        return _convert_tuple(inner, value, where, error)
    if origin is not None and issubclass(origin, Mapping):
        if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
            raise error(f'{where}: expected a mapping from names, found {value!r}; change it')
        return {key: _convert(inner[1], item, f'{where}.{key}', error)
                for key, item in value.items()}
    if isinstance(kind, enum.EnumMeta):
        if not isinstance(value, str) or value not in kind.__members__:
            raise error(f'{where}: expected one of {", ".join(kind.__members__)}, found {value!r}'
                        '; change it')
        return kind[value]
    if kind is float and type(value) is int:
        value = float(value)
    if type(value) is not kind or (kind is float and not math.isfinite(value)):
        raise error(f'{where}: expected {_NAMES.get(kind, kind)}, found {value!r}; change it')
    return value


_NAMES = {str: 'text', int: 'a whole number', float: 'a number', bool: 'true or false'}


def _convert_tuple(inner: tuple[Any, ...], value: Any, where: str,
                   error: type[AudioInteractionError]) -> tuple[Any, ...]:
    open_ended = len(inner) == 2 and inner[1] is ...
    if not isinstance(value, list | tuple) or not (open_ended or len(value) == len(inner)):
        wanted = 'a list' if open_ended else f'a list of {len(inner)}'
        raise error(f'{where}: expected {wanted}, found {value!r}; change it')
    kinds = [inner[0]] * len(value) if open_ended else inner
    return tuple(_convert(kind, item, f'{where}[{i}]', error)
                 for i, (kind, item) in enumerate(zip(kinds, value, strict=True)))
