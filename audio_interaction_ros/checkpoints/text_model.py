"""
A text model for answers and translations: where its files are, and whose bits.

Owns the layout of such a model: a folder as the Hugging Face hub has it (``config.json``,
``model.safetensors`` or several, ``tokenizer.json``) or one GGUF file, of the families Qwen2 and
Llama with a chat in ChatML. One is known by name; it is fetched from the hub and checked by hash
when it is first asked for. Knows nothing of what is written with it.
"""

import hashlib
import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from audio_interaction_ros.checkpoints.arrays import LazyArray, open_arrays
from audio_interaction_ros.checkpoints.base_weights import HubFiles, WeightSource, fetch_source
from audio_interaction_ros.checkpoints.cache import sha256
from audio_interaction_ros.checkpoints.gguf_text import open_gguf
from audio_interaction_ros.checkpoints.text_shape import OpenTextModel, shape_of
from audio_interaction_ros.errors import CheckpointError

__all__ = ['NAMED', 'StoredTextModel', 'identify_text_model']

NAMED = {
    # Apache-2.0
    'qwen2.5-0.5b-instruct': WeightSource(
        hub=HubFiles(repository='Qwen/Qwen2.5-0.5B-Instruct',
                     revision='7ae557604adf67be50417f59c2c2f167def9a775',
                     files=('config.json', 'tokenizer.json', 'model.safetensors')),
        space_mb=1100, converted={
            'config.json': '18e18afcaccafade98daf13a54092927904649e1dd4eba8299ab717d5d94ff45',
            'tokenizer.json': 'c0382117ea329cdf097041132f6d735924b697924d6f6fc3945713e96ce87539',
            'model.safetensors':
                'fdf756fa7fcbe7404d5c60e26bff1a0c8b8aa1f72ced49e7dd0210fe288fb7fe'}),
}
"""What ``reply.model`` may name; anything else is a path."""


@dataclass(frozen=True, kw_only=True)
class StoredTextModel:
    """A model that was found; its weights are read when they are asked for."""

    model_id: str
    """Name and beginning of the hash of everything that it is made of."""
    open: Callable[[], OpenTextModel]
    """Fetches it where it is missing. Raises CheckpointError for what cannot be read."""


def identify_text_model(name: str) -> StoredTextModel:
    """
    Return the text model of this name, or in this folder or GGUF file.

    Files are read as a whole to know them again. CheckpointError where nothing is there.
    """
    if name in NAMED:
        return StoredTextModel(model_id=_make_id(name, NAMED[name].converted),
                               open=lambda: open_folder(fetch_source(name, NAMED[name])))
    path = Path(name).expanduser()
    if path.suffix == '.gguf' and path.is_file():
        return StoredTextModel(model_id=_make_id(path.stem, {'gguf': sha256(path)}),
                               open=lambda: open_gguf(path))
    if (path / 'config.json').is_file():
        files = {file.name: sha256(file) for file in _files_of(path)}
        return StoredTextModel(model_id=_make_id(path.name, files),
                               open=lambda: open_folder(path))
    raise CheckpointError(
        f'reply.model: expected a folder with config.json, a file .gguf, or one of '
        f'{", ".join(NAMED)} (audio-interaction model fetch NAME, or at the first start), found '
        f'{name!r}; correct the path, or set reply.model to such a name')


def _make_id(name: str, hashes: Mapping[str, str]) -> str:
    digest = hashlib.sha256(repr(sorted(hashes.items())).encode()).hexdigest()
    plain = ''.join(letter if letter.isalnum() or letter in '.-_' else '-' for letter in name)
    return f'{plain}-{digest[:16]}'


def _files_of(folder: Path) -> list[Path]:
    weights = sorted(folder.glob('*.safetensors'))
    files = [folder / 'config.json', folder / 'tokenizer.json', *weights]
    missing = [path.name for path in files if not path.is_file()]
    if missing or not weights:
        raise CheckpointError(
            f'{folder}: expected config.json, tokenizer.json and *.safetensors, found no '
            f'{missing[0] if missing else "*.safetensors"}; copy the model again')
    return files


def open_folder(folder: Path) -> OpenTextModel:
    files = _files_of(folder)
    try:
        said: Any = json.loads(files[0].read_text(encoding='utf-8'))
        shape = shape_of(said)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise CheckpointError(f'{files[0]}: expected the configuration of a Qwen2 or Llama model '
                              f'({error!r}); take another model') from error
    tensors = {name: LazyArray(stored.shape, np.dtype(np.float32),
                               partial(np.asarray, stored, np.float32))
               for name, stored in open_arrays(files[2:]).items()}  # many are in 16 bits
    return OpenTextModel(
        shape=shape, tensors=tensors,
        write_tokenizer=lambda path: shutil.copyfile(files[1], path))
