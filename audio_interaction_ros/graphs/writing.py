"""
Writes the graphs of one half of a model into a folder, ready for any runtime that reads ONNX.

Owns which weights are quantised and what the host gets beside the graphs.
"""

import platform
import shutil
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnx

from audio_interaction_ros import __version__
from audio_interaction_ros.graphs import manifest
from audio_interaction_ros.graphs.decoder import decoder_step, head_weight, vocabulary_head
from audio_interaction_ros.model.config import CheckpointConfig, dump_config
from audio_interaction_ros.model.manifest import DECODER_PREFIX
from audio_interaction_ros.model.weights import StoredModel

__all__ = ['HALVES', 'write_half']

HALVES = {'decoder': DECODER_PREFIX}
"""Name of a half to the prefix of its weights."""


def write_half(folder: Path, half: str, precision: str, stored: StoredModel) -> None:
    """
    Write what a runtime needs of a half: graphs, configuration, manifest; of a decoder more.

    Only the weights of that half are read.
    """
    facts = {'format': manifest.FORMAT, 'model_id': stored.model_id, 'half': half,
             'precision': precision}
    tensors, tokenizer = stored.arrays((HALVES[half],))
    folder.mkdir(parents=True, exist_ok=True)
    (folder / manifest.MANIFEST).unlink(missing_ok=True)  # half a folder says nothing of itself
    {'decoder': _write_decoder}[half](folder, stored.config, tensors, facts)
    if half == 'decoder':
        shutil.copyfile(tokenizer, folder / 'tokenizer.json')
    dump_config(stored.config, folder / 'config.yaml')
    manifest.write(folder, model_id=stored.model_id, half=half, precision=precision, versions={
        'audio_interaction_ros': __version__, 'onnx': onnx.__version__,
        'numpy': np.__version__, 'python': platform.python_version()})


def _write_decoder(folder: Path, config: CheckpointConfig, tensors: Mapping[str, np.ndarray],
                   facts: Mapping[str, str]) -> None:
    shape, bits = config.decoder, manifest.PRECISIONS[facts['precision']]
    own = {key.removeprefix(DECODER_PREFIX): np.asarray(value, np.float32)
           for key, value in tensors.items() if key.startswith(DECODER_PREFIX)}
    decoder_step(shape, own, bits=bits).save(folder / manifest.DECODER_STEP, metadata=facts)
    # Four bits are too few to tell 50,000 tokens apart.
    vocabulary_head(shape, own, bits=None if bits == 4 else bits).save(
        folder / manifest.VOCABULARY_HEAD, metadata=facts)
    embeddings = own['model.embed_tokens.weight']
    np.save(folder / manifest.EMBEDDINGS,
            embeddings if bits is None else embeddings.astype(np.float16))
    ids = config.token_ids
    np.save(folder / manifest.CONTROLS,
            head_weight(shape, own)[[ids.silence, ids.respond]].astype(np.float32))
