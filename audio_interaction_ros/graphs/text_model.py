"""
Writes the graphs of a text model into a folder: the same step and head as the decoder's.

Owns which weights are quantised and what the host gets beside the graphs.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path

import numpy as np

from audio_interaction_ros.errors import CheckpointError
from audio_interaction_ros.graphs import manifest
from audio_interaction_ros.graphs.decoder import decoder_step, vocabulary_head
from audio_interaction_ros.graphs.weights import Array
from audio_interaction_ros.model.shapes import DecoderConfig

__all__ = ['HALF', 'read_shape', 'write_text_model']

HALF = 'text_model'
SHAPE = 'shape.json'
_ROWS = 8192
"""Of the embeddings that are held at once."""


def write_text_model(folder: Path, shape: DecoderConfig, tensors: Mapping[str, Array],
                     write_tokenizer: Callable[[Path], object],
                     said: manifest.GraphManifest) -> None:
    """
    Write graphs, embeddings, tokenizer, shape and manifest into a folder.

    Weights are read one at a time. With fewer than 8 bits the head keeps 8, for too few cannot
    tell so many tokens apart. ConfigurationError for a precision that there is not.
    """
    bits, narrow = manifest.numbers(said.precision)
    assert not narrow, 'the host of a text model keeps its cache in float32'
    decoder_step(shape, tensors, bits=bits).save(folder / manifest.DECODER_STEP,
                                                 metadata=said.facts)
    vocabulary_head(shape, tensors, bits=bits and 8).save(folder / manifest.VOCABULARY_HEAD,
                                                          metadata=said.facts)
    _save_embeddings(folder / manifest.EMBEDDINGS, tensors['model.embed_tokens.weight'],
                     np.float32 if bits is None else np.float16)
    write_tokenizer(folder / 'tokenizer.json')
    (folder / SHAPE).write_text(json.dumps(asdict(shape), indent=1) + '\n', encoding='utf-8')
    manifest.write(folder, said)


def _save_embeddings(path: Path, embeddings: Array, dtype: type) -> None:
    # A table of 150,000 tokens is converted in pieces, into the file.
    source = np.asarray(embeddings)
    table = np.lib.format.open_memmap(path, mode='w+', dtype=dtype, shape=source.shape)
    for first in range(0, len(source), _ROWS):
        table[first:first + _ROWS] = source[first:first + _ROWS]
    table.flush()


def read_shape(folder: Path) -> DecoderConfig:
    """Return the shape that a folder's graphs were made for; CheckpointError where it is none."""
    path = folder / SHAPE
    try:
        return DecoderConfig(**json.loads(path.read_text(encoding='utf-8')))
    except (OSError, ValueError, TypeError) as error:
        raise CheckpointError(f'{path}: expected the shape of a text model ({error!r}); '
                              f'{manifest.describe_remedy(folder)}') from error
