"""
What a command leaves behind: a table on the screen, JSON and where its pictures are.

Owns the form of a result: command, machine, model, options, figures. Knows no figure.
"""

import argparse
import json
import math
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import is_dataclass
from pathlib import Path
from typing import Any, TypeVar

from audio_interaction_ros.config import ModelConfig
from audio_interaction_ros.errors import ConfigurationError, MissingDependencyError
from audio_interaction_ros.runtimes.base import Runtime
from audio_interaction_ros.runtimes.registry import RUNTIMES, load_runtime
from measure.intervals import Estimate
from measure.machine import describe

__all__ = ['add_common_arguments', 'describe_variant', 'load_model', 'make_folder', 'print_table',
           'progress_bar', 'read', 'to_json', 'track', 'write']

T = TypeVar('T')


def add_common_arguments(parser: argparse.ArgumentParser, *, data: bool = True) -> None:
    """Add the options that every command has."""
    parser.add_argument('--data', type=Path, required=data, metavar='MANIFEST_FOLDER',
                        help='folder with manifest.jsonl (path, label, licence_group, source_id, '
                             'seconds; speaker, text, lang for speech)')
    parser.add_argument('--model', default='edge', help='folder, shipped name or repository id')
    parser.add_argument('--runtime', default=ModelConfig.runtime, choices=sorted(RUNTIMES),
                        help='backend that runs it (default: %(default)s)')
    parser.add_argument('--device', default='cpu', help='device of the backend')
    parser.add_argument('--dtype', default='auto', help='float32, bfloat16, int8 or auto')
    parser.add_argument('--threads', type=int, default=2, help='CPU threads of the backend')
    parser.add_argument('--limit', type=int, default=0, metavar='N',
                        help='at most N clips or streams of each kind, for a quick run')
    parser.add_argument('--out', type=Path, metavar='FOLDER',
                        help='where results and the cache go (default: work/eval/COMMAND); '
                             'give the same one again to go on after a stop')


def make_folder(options: argparse.Namespace, command: str) -> Path:
    """Return the folder of the results, made."""
    out = options.out or Path(__file__).parents[1] / 'work' / 'eval' / command
    out.mkdir(parents=True, exist_ok=True)
    return out


def describe_variant(options: argparse.Namespace) -> str:
    """Return what else than the weights decides what a model says."""
    return f'{options.runtime} {options.device} {options.dtype}'


def load_model(options: argparse.Namespace) -> Runtime:
    """Load the model that the options name."""
    return load_runtime(options.model, runtime=options.runtime, device=options.device,
                        threads=options.threads, dtype=options.dtype)


def progress_bar() -> Any:
    """Return rich's progress bar, on the error stream."""
    try:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn
    except ImportError as error:
        raise MissingDependencyError('the evaluation needs rich; run: pip install -r '
                                     'requirements/eval.txt') from error
    return Progress('{task.description}', BarColumn(), MofNCompleteColumn(),
                    TimeRemainingColumn(), console=Console(stderr=True))


def track(title: str, things: Sequence[T]) -> Iterator[T]:
    """Yield things and show how far that is."""
    with progress_bar() as bar:
        task = bar.add_task(title, total=len(things))
        for thing in things:
            yield thing
            bar.advance(task)


def _format_cell(value: Any) -> str:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return '–'
    return f'{value:.3g}' if isinstance(value, float) else str(value)


def print_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Print a table; NaN and None are a dash."""
    from rich.console import Console
    from rich.table import Table
    table = Table(title=title, title_justify='left')
    for index, column in enumerate(columns):
        table.add_column(column, justify='right' if index else 'left', no_wrap=True)
    for row in rows:
        table.add_row(*map(_format_cell, row))
    console = Console(width=None if sys.stdout.isatty() else 150)
    console.print(table)


def to_json(value: Any) -> Any:
    """Return a value as JSON types: estimates as mappings, NaN and infinity as null."""
    if isinstance(value, Estimate):
        return to_json(value.as_json())
    if is_dataclass(value) and not isinstance(value, type):
        return to_json(vars(value))
    if isinstance(value, dict):
        return {str(key): to_json(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [to_json(item) for item in value]
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, float):
        return round(value, 6) if math.isfinite(value) else None
    return value


def read(path: Path) -> dict[str, Any]:
    """Return the figures of an earlier run; ConfigurationError for another file."""
    try:
        document = json.loads(path.read_text(encoding='utf-8'))
        return {'model_id': str(document['model_id']), **_from_json(document['figures'])}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigurationError(f'{path}: expected the JSON of an earlier run ({error}); give '
                                 'another file') from error


def _from_json(value: Any) -> Any:
    if isinstance(value, dict):
        if set(value) == {'value', 'low', 'high', 'n'}:
            return Estimate(**{key: math.nan if item is None else item
                               for key, item in value.items()})
        return {key: _from_json(item) for key, item in value.items()}
    return [_from_json(item) for item in value] if isinstance(value, list) else value


def write(out: Path, command: str, options: argparse.Namespace, figures: dict[str, Any],
          model_id: str = '') -> Path:
    """Write ``COMMAND.json`` and return where."""
    document = {'when': time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime()), 'command': command,
                'machine': describe(), 'model_id': model_id,
                'options': {key: str(value) if isinstance(value, Path) else value
                            for key, value in vars(options).items()}, 'figures': figures}
    path = out / f'{command}.json'
    path.write_text(json.dumps(to_json(document), indent=1, ensure_ascii=False) + '\n',
                    encoding='utf-8')
    return path
