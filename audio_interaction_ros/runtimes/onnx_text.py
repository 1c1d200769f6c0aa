"""
A text model on ONNX Runtime: graphs from the cache, made where they are missing.

Owns where graphs come from: the first start on a machine makes them of the weights, later ones
only map them. What is written with it is the business of ``dialogue``.
"""

from functools import partial
from pathlib import Path

import numpy as np
import onnxruntime as ort

from audio_interaction_ros.checkpoints.cache import print_progress
from audio_interaction_ros.checkpoints.text_model import StoredTextModel, identify_text_model
from audio_interaction_ros.graphs import manifest
from audio_interaction_ros.graphs.text_model import HALF, read_shape, write_text_model
from audio_interaction_ros.model.tokenizer import Tokenizer
from audio_interaction_ros.runtimes.base import TextModel
from audio_interaction_ros.runtimes.onnx_session import open_session
from audio_interaction_ros.runtimes.onnx_text_net import OnnxTextNet
from audio_interaction_ros.runtimes.row_file import RowFile

__all__ = ['ensure_graphs', 'load']

_SPACE_MB = 1200


def ensure_graphs(stored: StoredTextModel, precision: str) -> Path:
    """Return the folder in the cache of the graphs of a model, filled where it is missing."""
    said = manifest.GraphManifest(
        model_id=stored.model_id, half=HALF, precision=precision,
        versions={'onnxruntime': ort.__version__, 'numpy': np.__version__})

    def build(folder: Path) -> None:
        opened = stored.open()
        print_progress(f'making {stored.model_id} for ONNX Runtime ({precision}), once')
        write_text_model(folder, opened.shape, opened.tensors, opened.write_tokenizer, said)

    return manifest.ensure_cached(build, model_id=stored.model_id, half=HALF,
                                  precision=precision, space_mb=_SPACE_MB)


def load(name: str, *, threads: int | None = None, precision: str = 'int8') -> TextModel:
    """Bring a text model up; for registry.load_text_model, which says what the arguments mean."""
    stored = identify_text_model(name)
    folder = ensure_graphs(stored, precision)
    said, shape = manifest.read(folder), read_shape(folder)
    step, head = (open_session(folder / graph, threads=threads, expected=said.facts,
                               remedy=manifest.describe_remedy(folder))
                  for graph in (manifest.DECODER_STEP, manifest.VOCABULARY_HEAD))
    embeddings = RowFile(folder / manifest.EMBEDDINGS)
    return TextModel(
        name=stored.model_id, tokenizer=Tokenizer(folder / 'tokenizer.json'),
        open_net=partial(OnnxTextNet, shape, step=step, head=head, embeddings=embeddings))
