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
from audio_interaction_ros.checkpoints.weights import StoredModel, identify
from audio_interaction_ros.config import ReplyConfig
from audio_interaction_ros.errors import AudioInteractionError
from audio_interaction_ros.graphs import manifest
from audio_interaction_ros.graphs.text_model import HALF
from audio_interaction_ros.resources import shipped_path
from audio_interaction_ros.runtimes import onnx, onnx_second_pass, onnx_text

__all__ = ['ModelFiles', 'fetch_all', 'find_faults', 'find_missing', 'list_files']

SECOND_PASS = ('whisper-base', 'silero-vad', 'smart-turn')
"""Base weights that reading again needs, whatever model listens."""

_VERSION = f'-{manifest.FORMAT.rpartition("/")[2]}'


class ModelFiles(NamedTuple):
    """One folder with files of a model; ``size`` in bytes."""

    kind: str
    name: str
    size: int
    folder: Path


class _Graphs(NamedTuple):
    model_id: str
    half: str
    precision: str


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
    for name in _needed_weights(stored):
        yield name, base_weights.fetch(name)
    for half in ('encoder', 'decoder'):
        yield f'graphs of the {half}', onnx.ensure_graphs(stored, half, onnx.DTYPES['auto'])
    yield 'graphs of the second pass', onnx_second_pass.graph_folder()


def _needed_weights(stored: StoredModel) -> list[str]:
    over_base = () if stored.config.base is None else base_weights.SOURCES
    return list(dict.fromkeys((*over_base, *SECOND_PASS)))


def _list_needed(model: str) -> tuple[dict[str, base_weights.WeightSource], list[_Graphs]]:
    """Return what ``fetch_all`` gets besides the model's own folder: base weights and graphs."""
    if model in text_model.NAMED:
        stored_text = text_model.identify_text_model(model)
        return {model: text_model.NAMED[model]}, [
            _Graphs(stored_text.model_id, HALF, ReplyConfig.dtype)]
    stored = identify(model)
    weights = {name: base_weights.SOURCES[name] for name in _needed_weights(stored)}
    return weights, [*(_Graphs(stored.model_id, half, onnx.DTYPES['auto'])
                       for half in ('encoder', 'decoder')),
                     _Graphs(onnx_second_pass.base_id(), onnx_second_pass.HALF,
                             onnx_second_pass.PRECISION)]


def find_missing(model: str) -> Iterator[str]:
    """Yield the folder in the cache of all that a start would have to fetch or make first."""
    weights, graphs = _list_needed(model)
    folders = [*(cache_root() / 'base' / name for name in weights),
               *(manifest.cached_folder(*one) for one in graphs)]
    yield from (str(folder) for folder in folders if not folder.is_dir())


def find_faults(model: str) -> Iterator[str]:
    """Yield a sentence for each file of a model, its base weights and its graphs that differs."""
    try:
        weights, graphs = _list_needed(model)
    except AudioInteractionError as error:
        yield str(error)
        return
    for name, source in weights.items():
        folder = cache_root() / 'base' / name
        fault = base_weights.find_difference(folder, source) if folder.is_dir() else ''
        if fault:
            yield f'{folder}: {fault}; remove it, and it is fetched again'
    for model_id in dict.fromkeys(one.model_id for one in graphs):
        yield from _find_faults_of_graphs(model_id)


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
