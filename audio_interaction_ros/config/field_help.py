"""The help of a field: the string below it in its class, for parameters and documents."""

import ast
import dataclasses
import inspect
import textwrap
import typing
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

__all__ = ['FieldHelp', 'fields_with_help']

@dataclass(frozen=True)
class FieldHelp:
    """One configurable field."""

    name: str
    type: type
    default: Any
    help: str


@lru_cache
def _help_texts(cls: type) -> dict[str, str]:
    """Read the string under each annotated field of a class."""
    body = ast.parse(textwrap.dedent(inspect.getsource(cls))).body[0]
    assert isinstance(body, ast.ClassDef), 'only classes carry field help'
    texts = {}
    for statement, after in zip(body.body, body.body[1:], strict=False):
        if (isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name)
                and isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant)):
            texts[statement.target.id] = inspect.cleandoc(str(after.value.value))
    return texts


def fields_with_help(cls: type) -> Iterator[FieldHelp]:
    """Yield name, type, default and help of each scalar field of a configuration class."""
    hints = typing.get_type_hints(cls)
    for item in dataclasses.fields(cls):
        if hints[item.name] in (str, int, float, bool):
            default = None if item.default is dataclasses.MISSING else item.default
            yield FieldHelp(item.name, hints[item.name], default,
                            _help_texts(cls).get(item.name, ''))
