"""
What of models lies on this machine: shipped folders, base weights and graphs in the cache.

Owns the inventory and the check of it. What a file should be say `checkpoints` and
`graphs.manifest`; this only asks them.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from audio_interaction_ros.checkpoints import base_weights, text_model
from audio_interaction_ros.checkpoints.cache import cache_root
from audio_interaction_ros.checkpoints.weights import identify
from audio_interaction_ros.config import ReplyConfig
from audio_interaction_ros.errors import AudioInteractionError
from audio_interaction_ros.graphs import manifest
from audio_interaction_ros.resources import shipped_path
from audio_interaction_ros.runtimes import onnx, onnx_second_pass, onnx_text

__all__ = ['ModelFiles', 'fetch_all', 'find_faults', 'list_files']

SECOND_PASS = ('whisper-base', 'silero-vad', 'smart-turn')
"""Base weights that reading again needs, whatever model listens."""

_VERSION = f'-{manifest.FORMAT.rpartition("/")[2]}'


class ModelFiles(NamedTuple):
    """One folder with files of a model; ``size`` in bytes."""

    kind: str
    name: str
    size: int
    folder: Path


def list_files() -> Iterator[ModelFiles]:
    """
    Yield every model that is shipped, then base weights and graphs in the cache.

    Graphs of older formats are called old: nothing reads them, and they may be removed.
    """
    folders = {'model': shipped_path('models'), 'base weights': cache_root() / 'base',
               'graphs': cache_root() / 'onnx'}
    for kind, parent in folders.items():
        for folder in sorted(parent.glob('[!.]*')):
            if folder.is_dir():
                old = kind == 'graphs' and not folder.name.endswith(_VERSION)
                yield ModelFiles('old graphs' if old else kind, folder.name, _measure(folder),
                                 folder)


def _measure(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob('*') if path.is_file())


def fetch_all(model: str) -> Iterator[tuple[str, Path]]:
    """
    Yield name and folder of all that a start of ``model`` needs, each when it is there.

    CheckpointError where something cannot be had, says why and how else to get it.
    """
    if model in text_model.NAMED:
        yield model, base_weights.fetch_source(model, text_model.NAMED[model])
        yield 'graphs of the text model', onnx_text.ensure_graphs(
            text_model.identify_text_model(model), ReplyConfig.dtype)
        return
    stored = identify(model)
    yield stored.model_id, stored.folder
    over_base = () if stored.config.base is None else base_weights.SOURCES
    for name in dict.fromkeys((*over_base, *SECOND_PASS)):
        yield name, base_weights.fetch(name)
    for half in ('encoder', 'decoder'):
        yield f'graphs of the {half}', onnx.ensure_graphs(stored, half, onnx.DTYPES['auto'])
    yield 'graphs of the second pass', onnx_second_pass.graph_folder()


def find_faults(model: str) -> Iterator[str]:
    """Yield a sentence for each file of a model, its base weights and its graphs that differs."""
    if model in text_model.NAMED:
        folder = cache_root() / 'base' / model
        fault = base_weights.find_difference(folder, text_model.NAMED[model])
        if fault and folder.is_dir():
            yield f'{folder}: {fault}; remove it, and it is fetched again'
        yield from _find_faults_of_graphs(text_model.identify_text_model(model).model_id)
        return
    try:
        stored = identify(model)
    except AudioInteractionError as error:
        yield str(error)
        return
    for name in base_weights.SOURCES if stored.config.base is not None else SECOND_PASS:
        folder = cache_root() / 'base' / name
        fault = base_weights.find_fault(folder, name) if folder.is_dir() else ''
        if fault:
            yield f'{folder}: {fault}; remove it, and it is fetched again'
    yield from _find_faults_of_graphs(stored.model_id)


def _find_faults_of_graphs(model_id: str) -> Iterator[str]:
    for folder in sorted((cache_root() / 'onnx').glob(f'{model_id}-*{_VERSION}')):
        yield from _find_graph_faults(folder)


def _find_graph_faults(folder: Path) -> Iterator[str]:
    try:
        names = manifest.differing_files(folder)
    except AudioInteractionError as error:
        yield str(error)
        return
    for name in names:
        yield f'{folder / name}: not what was written; {manifest.describe_remedy(folder)}'
