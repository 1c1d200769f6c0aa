"""
Writes the graphs of one half of a model into a folder, ready for any runtime that reads ONNX.

Owns which weights are quantised and what the host gets beside the graphs.
"""

import platform
import shutil
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import numpy as np
import onnx

from audio_interaction_ros import __version__
from audio_interaction_ros.checkpoints.arrays import LazyArray
from audio_interaction_ros.checkpoints.config import CheckpointConfig, dump_config
from audio_interaction_ros.checkpoints.manifest import DECODER_PREFIX, TOWER_PREFIX
from audio_interaction_ros.checkpoints.weights import StoredModel
from audio_interaction_ros.graphs import manifest
from audio_interaction_ros.graphs.audio_tower import audio_tower
from audio_interaction_ros.graphs.decoder import decoder_step, head_weight, vocabulary_head
from audio_interaction_ros.graphs.static_decoder import static_step
from audio_interaction_ros.graphs.weights import Array

__all__ = ['HALVES', 'write_half']

HALVES = {'encoder': TOWER_PREFIX, 'decoder': DECODER_PREFIX}
"""Name of a half to the prefix of its weights."""


def write_half(folder: Path, half: str, precision: str, stored: StoredModel, *,
               form: str = manifest.DELTA) -> None:
    """
    Write what a runtime needs of a half: graphs, configuration, manifest; of a decoder more.

    Only the weights of that half are read, one tensor at a time. ConfigurationError for a
    precision that the form does not have.
    """
    bits, narrow = manifest.numbers(precision, form)
    said = manifest.GraphManifest(
        model_id=stored.model_id, half=half, precision=precision, form=form,
        spec=stored.config.computed_with, source=stored.hashes, base=stored.base,
        versions={'audio_interaction_ros': __version__, 'onnx': onnx.__version__,
                  'numpy': np.__version__, 'python': platform.python_version()})
    prefix = HALVES[half]
    arrays, tokenizer = stored.arrays((prefix,))
    tensors = {key.removeprefix(prefix): LazyArray(
        value.shape, np.dtype(np.float32), partial(np.asarray, value, np.float32))
        for key, value in arrays.items() if key.startswith(prefix)}
    folder.mkdir(parents=True, exist_ok=True)
    (folder / manifest.MANIFEST).unlink(missing_ok=True)  # half a folder says nothing of itself
    if half == 'encoder':
        audio_tower(stored.config.audio_tower, tensors, bits=None if narrow else bits,
                    half=narrow).save(folder / manifest.AUDIO_TOWER, metadata=said.facts)
        if stored.config.sounds:
            shutil.copyfile(stored.folder / stored.config.sounds, folder / stored.config.sounds)
    else:
        _write_decoder(folder, stored.config, tensors, said)
        shutil.copyfile(tokenizer, folder / 'tokenizer.json')
    dump_config(stored.config, folder / 'config.yaml')
    manifest.write(folder, said)


def _write_decoder(folder: Path, config: CheckpointConfig, tensors: Mapping[str, Array],
                   said: manifest.GraphManifest) -> None:
    shape, (bits, narrow) = config.decoder, manifest.numbers(said.precision, said.form)
    step = static_step if said.form == manifest.STATIC else decoder_step
    step(shape, tensors, bits=bits, half=narrow).save(folder / manifest.DECODER_STEP,
                                                      metadata=said.facts)
    embeddings = folder / manifest.EMBEDDINGS
    wide = said.precision == 'fp32'
    np.save(embeddings, np.asarray(tensors['model.embed_tokens.weight'],
                                   np.float32 if wide else np.float16))
    # Four bits are too few to tell 50,000 tokens apart.
    bits = None if bits == 4 else bits
    shared = shape.tied_head and bits is None and wide != narrow
    vocabulary_head(shape, tensors, bits=bits, half=narrow,
                    place=_place_in(embeddings) if shared else None).save(
        folder / manifest.VOCABULARY_HEAD, metadata=said.facts)
    ids = config.token_ids
    np.save(folder / manifest.CONTROLS,
            np.asarray(head_weight(shape, tensors))[[ids.silence, ids.respond]])


def _place_in(path: Path) -> tuple[str, int]:
    """Return the name of a file of numpy and where its numbers begin."""
    return path.name, np.load(path, mmap_mode='r').offset
