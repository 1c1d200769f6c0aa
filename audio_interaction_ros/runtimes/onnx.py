"""
The backend on ONNX Runtime: graphs from a folder that an export wrote, or made in the cache.

Owns where graphs come from. The first start on a machine makes them of the weights with numpy;
later ones only map them.
"""

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import onnxruntime as ort

from audio_interaction_ros.checkpoints.cache import print_progress
from audio_interaction_ros.checkpoints.config import CheckpointConfig, load_config
from audio_interaction_ros.checkpoints.weights import StoredModel, identify
from audio_interaction_ros.errors import CheckpointError, ConfigurationError
from audio_interaction_ros.graphs import manifest
from audio_interaction_ros.graphs.manifest import GraphManifest
from audio_interaction_ros.process_memory import give_back_freed
from audio_interaction_ros.runtimes.base import NotLoaded, Runtime
from audio_interaction_ros.runtimes.graph_folder import (
    describe,
    read_sound_head,
    read_tables,
    read_tokenizer,
)
from audio_interaction_ros.runtimes.onnx_decoder import OnnxDecoder
from audio_interaction_ros.runtimes.onnx_encoder import OnnxEncoder
from audio_interaction_ros.runtimes.onnx_session import open_session
from audio_interaction_ros.runtimes.onnx_static import OnnxStepDevice
from audio_interaction_ros.runtimes.static_decoder import StaticDecoder

__all__ = ['DTYPES', 'ensure_graphs', 'load', 'load_decoder', 'load_encoder']

DTYPES = {'auto': 'int8', 'float32': 'fp32', 'int8': 'int8', 'int4': 'int4'}
"""Value of model.dtype to the precision of graphs."""


def load(model: str, *, device: str, threads: int | None, dtype: str, rope_index_dtype: str,
         halves: Collection[str]) -> Runtime:
    """Bring a model up on ONNX Runtime; for load_runtime, which says what the arguments mean."""
    if device != 'cpu':
        raise ConfigurationError(f"device: the runtime onnx expects 'cpu', found {device!r}; "
                                 'change model.device or model.runtime')
    if dtype not in DTYPES:
        raise ConfigurationError(f'dtype: the runtime onnx expects one of {", ".join(DTYPES)}, '
                                 f'found {dtype!r}; change model.dtype')
    folders, config, heads = _find_graphs(model, sorted(halves), dtype)
    encoder: Any = NotLoaded('encoder')
    decoder: Any = NotLoaded('decoder')
    tokenizer: Any = NotLoaded('decoder')
    sounds = None
    if 'encoder' in halves:
        encoder = load_encoder(folders['encoder'], threads=threads)
        sounds = read_sound_head(heads, config)
    if 'decoder' in halves:
        decoder = load_decoder(folders['decoder'], threads=threads,
                               rope_index_dtype=rope_index_dtype)
        tokenizer = read_tokenizer(folders['decoder'], config)
    give_back_freed()  # what reading a tokenizer leaves, above all
    return Runtime(encoder=encoder, decoder=decoder, tokenizer=tokenizer, config=config,
                   sounds=sounds)


def _find_graphs(model: str, halves: Sequence[str],
                 dtype: str) -> tuple[dict[str, Path], CheckpointConfig, Path]:
    """
    Return the folder of the graphs of each half, the configuration, and where the sound head is.

    ``model`` is what load_runtime takes, whose graphs are made in the cache where they are
    missing, or a folder that ``python -m export onnx`` wrote; ConfigurationError where that is of
    another precision than ``dtype`` asks for.
    """
    precision = DTYPES[dtype]
    exported = {half: Path(model) / half for half in halves}
    if not any(map(manifest.has_graphs, exported.values())):
        stored = identify(model)
        # Not what lies beside the graphs: prompts, thresholds and the head may have changed since.
        return ({half: ensure_graphs(stored, half, precision) for half in halves},
                stored.config, stored.folder)
    said = {folder: manifest.read(folder) for folder in exported.values()}
    for folder, graphs in said.items():
        if dtype != 'auto' and graphs.precision != precision:
            raise ConfigurationError(
                f'dtype: {folder} was written as {graphs.precision}, found {dtype!r}; set '
                f'model.dtype to auto, or run: python -m export onnx MODEL --out {model} '
                f'--precision {precision}')
    if len({graphs.model_id for graphs in said.values()}) > 1:
        halves_found = ', '.join(f'{graphs.half} of {graphs.model_id}' for graphs in said.values())
        raise CheckpointError(f'{model}: expected both halves of one model, found {halves_found}; '
                              f'{manifest.describe_remedy(exported[halves[0]])}')
    first = exported[halves[0]]
    return exported, load_config(first / 'config.yaml'), exported.get('encoder', first)


def ensure_graphs(stored: StoredModel, half: str, precision: str) -> Path:
    """Return the folder in the cache of the graphs of half a model, filled where it is missing."""
    def build(folder: Path) -> None:
        from audio_interaction_ros.graphs.writer import write_half

        print_progress(f'making the {half} of {stored.model_id} for ONNX Runtime ({precision}), '
                       'once')
        write_half(folder, half, precision, stored)

    return manifest.ensure_cached(build, model_id=stored.model_id, half=half, precision=precision)


def load_encoder(folder: Path, *, threads: int | None = None) -> OnnxEncoder:
    """Return the encoder whose graph lies in a folder."""
    said, config = describe(folder, 'encoder')
    return OnnxEncoder(config, model_id=said.model_id,
                       tower=_open_graph(folder, manifest.AUDIO_TOWER, said, threads))


def load_decoder(folder: Path, *, threads: int | None = None,
                 rope_index_dtype: str = 'fp32') -> OnnxDecoder | StaticDecoder:
    """Return the decoder whose graphs, of whichever form, lie in a folder."""
    said, config = describe(folder, 'decoder')
    step, head = (_open_graph(folder, name, said, threads) for name in
                  (manifest.DECODER_STEP, manifest.VOCABULARY_HEAD))
    tables = read_tables(folder)
    if said.form == manifest.STATIC:
        return StaticDecoder(config, OnnxStepDevice(config.decoder, step=step, head=head),
                             model_id=said.model_id, rope_index_dtype=rope_index_dtype, **tables)
    return OnnxDecoder(config, model_id=said.model_id, step=step, head=head,
                       rope_index_dtype=rope_index_dtype, **tables)


def _open_graph(folder: Path, name: str, said: GraphManifest,
                threads: int | None) -> ort.InferenceSession:
    return open_session(folder / name, threads=threads, expected=said.facts,
                        remedy=manifest.describe_remedy(folder))
