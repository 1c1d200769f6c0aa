"""
The second pass on ONNX Runtime: Whisper base, or a size that the user brings, and Silero VAD.

Owns the decoder's cache and where graphs come from: the first start on a machine makes them of
the base weights with numpy, later ones only map them. How a text is read is second_pass' business.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort

from audio_interaction_ros.checkpoints.base_weights import fetch, identity
from audio_interaction_ros.checkpoints.cache import print_progress
from audio_interaction_ros.checkpoints.voice_activity import load_voice_activity
from audio_interaction_ros.checkpoints.whisper_folder import WhisperFolder, find_whisper
from audio_interaction_ros.errors import CheckpointError
from audio_interaction_ros.graphs import manifest, names
from audio_interaction_ros.model.shapes import AudioTowerConfig, WhisperDecoderConfig
from audio_interaction_ros.process_memory import give_back_freed
from audio_interaction_ros.runtimes.hot_words import MOST_BEFORE
from audio_interaction_ros.runtimes.onnx_session import (
    bind_input,
    bind_output,
    make_aligned,
    make_tidy,
    open_session,
)
from audio_interaction_ros.runtimes.row_file import RowFile, Rows
from audio_interaction_ros.runtimes.second_pass import (
    AFTER_S,
    END,
    LONGEST_TEXT,
    NO_TIMESTAMPS,
    START,
    WINDOW_S,
)
from audio_interaction_ros.runtimes.whisper_words import WhisperWords

__all__ = ['ENCODER', 'HALF', 'OnnxWhisper', 'base_id', 'graph_folder', 'load']

ENCODER = AudioTowerConfig(
    mel_bins=80, width=512, layers=6, heads=8, mlp_width=2048, window_frames=WINDOW_S * 100,
    keep_frames=WINDOW_S * 50, output_width=1)
"""Whisper base, every frame of whose window is kept."""
_SLOTS = LONGEST_TEXT + 36
"""Of the decoder's cache: the longest text, and what stands before it."""
_UNSEEN = np.float32(-1e9)
HALF = 'second_pass'
"""Of graphs, beside those of a model's encoder and decoder."""
_SHAPE = 'decoder_shape.json'
"""Of the decoder, beside its graphs."""
PRECISION = 'int8'
"""Of weights: half the memory of float32. Words and time of both: python -m eval second_pass
--precision fp32 int8."""


class OnnxWhisper:
    """The graphs of graphs.whisper as WhisperNet."""

    def __init__(self, config: WhisperDecoderConfig, *, encoder: ort.InferenceSession,
                 cross: ort.InferenceSession, step: ort.InferenceSession,
                 embeddings: Rows, positions: np.ndarray, slots: int = _SLOTS) -> None:
        """Take sessions and the host's tables, float16 or float32; ``slots`` bounds a text."""
        self._config, self._slots = config, slots
        self._encoder, self._cross, self._step = encoder, cross, step
        self._embeddings, self._positions = embeddings, positions
        self._cross_names = list(names.cross_names(config.layers))
        self._tidy = make_tidy()  # for half a minute at once

    def encode(self, mel: np.ndarray) -> np.ndarray:
        """Return encoder frames [frames, width] of mel [bins, window_frames]."""
        encoded = make_aligned((mel.shape[1] // 2, self._config.width))
        self._run_into(self._encoder, {names.MEL_INPUT: mel[None]}, {names.ENCODED: encoded})
        return encoded

    def attend(self, encoded: np.ndarray) -> dict[str, np.ndarray]:
        """Return keys and values of encoder frames for every layer, by their names."""
        heads, dim, frames = self._config.heads, self._config.head_dim, len(encoded)
        attended = {name: make_aligned(shape) for names_of_layer in self._cross_names
                    for name, shape in zip(names_of_layer, ((heads, dim, frames),
                                                            (heads, frames, dim)), strict=True)}
        self._run_into(self._cross, {names.ENCODED: encoded}, attended)
        return attended

    def _run_into(self, session: ort.InferenceSession, inputs: Mapping[str, np.ndarray],
                  outputs: Mapping[str, np.ndarray]) -> None:
        """Run over arrays of ours: room that ONNX Runtime makes for results it keeps for ever."""
        binding = session.io_binding()
        given = {name: np.ascontiguousarray(array, np.float32)
                 for name, array in inputs.items()}
        for name, array in given.items():
            bind_input(binding, name, array)
        for name, array in outputs.items():
            bind_output(binding, name, array)
        session.run_with_iobinding(binding, self._tidy)

    def begin(self, frames: Mapping[str, np.ndarray]) -> Callable[[Sequence[int]], np.ndarray]:
        """Begin a text with an empty cache."""
        return _Text(self, self._config, self._slots, frames)

    def _look_up(self, ids: Sequence[int], start: int) -> np.ndarray:
        """Return embeddings [T, width] of ids that stand from position ``start`` on."""
        rows = self._embeddings[list(ids)].astype(np.float32)
        looked: np.ndarray = rows + self._positions[start:start + len(ids)].astype(np.float32)
        return looked


class _Text:
    # One text and its cache, which no step copies: new keys and values are written behind it.
    # ``looks`` [heads, T, frames] of each step: where in the audio the ids that were fed lie.

    def __init__(self, net: OnnxWhisper, config: WhisperDecoderConfig, slots: int,
                 frames: Mapping[str, np.ndarray]) -> None:
        heads, dim, layers = config.heads, config.head_dim, config.layers
        self._net, self._used = net, 0
        self.looks: list[np.ndarray] = []
        self._cache = [(np.zeros((heads, dim, slots), np.float32),
                        np.zeros((heads, slots, dim), np.float32)) for _ in range(layers)]
        self._mask = np.full((1, slots), _UNSEEN, np.float32)
        self._outputs = [names.LOGITS_OUTPUT,
                         *(name for pair in names.new_names(layers) for name in pair)]
        self._inputs = {**frames, names.PAST_MASK: self._mask}
        for pair, arrays in zip(names.cache_names(layers), self._cache, strict=True):
            self._inputs |= dict(zip(pair, arrays, strict=True))
        if config.alignment_heads:
            self._outputs.append(names.ALIGNMENT_OUTPUT)

    def __call__(self, ids: Sequence[int]) -> np.ndarray:
        """Feed ids and return scores [vocab_size] of what follows them."""
        start, count = self._used, len(ids)
        assert start + count <= self._mask.shape[1], 'a text longer than its cache'
        scores, *new = self._net._step.run(self._outputs, self._inputs | {
            names.EMBEDDINGS: self._net._look_up(ids, start),
            names.NEW_MASK: np.triu(np.full((count, count), _UNSEEN, np.float32), 1)})
        if self._net._config.alignment_heads:
            self.looks.append(new.pop())
        for (keys, values), new_keys, new_values in zip(self._cache, new[::2], new[1::2],
                                                        strict=True):
            keys[..., start:start + count] = new_keys
            values[:, start:start + count] = new_values
        self._mask[0, start:start + count] = 0
        self._used += count
        last_scores: np.ndarray = scores[0]
        return last_scores


def base_id() -> str:
    """Return the name of Whisper base, with these very weights, for what is made of them."""
    return f'whisper-base-{identity("whisper-base")[:16]}'


def graph_folder(precision: str = PRECISION, folder: str = '') -> Path:
    """
    Return the folder of the graphs, made in the cache where it is missing.

    ``folder`` holds a Whisper of the user's; empty: Whisper base.
    """
    brought = find_whisper(folder) if folder else None
    model_id = brought.identity if brought else base_id()
    said = manifest.GraphManifest(
        model_id=model_id, half=HALF, precision=precision,
        versions={'onnxruntime': ort.__version__, 'numpy': np.__version__})

    def build(target: Path) -> None:
        from audio_interaction_ros.graphs.whisper import write_second_pass

        print_progress(f'making the second pass for ONNX Runtime ({precision}), once')
        tower, encoder, shape, decoder, tokenizer = _read_brought(brought) if brought else (
            _read_base())
        write_second_pass(target, tower, encoder, shape, decoder, said.facts)
        (target / 'tokenizer.json').write_bytes(tokenizer.read_bytes())
        (target / _SHAPE).write_text(json.dumps(asdict(shape)), encoding='utf-8')
        manifest.write(target, said)

    space_mb = 600 if brought is None else 100 + 4 * brought.weights.stat().st_size // 1_000_000
    return manifest.ensure_cached(build, model_id=model_id, half=HALF, precision=precision,
                                  space_mb=space_mb)


_Parts = tuple[AudioTowerConfig, dict[str, np.ndarray], WhisperDecoderConfig,
               dict[str, np.ndarray], Path]


def _read_base() -> _Parts:
    from audio_interaction_ros.checkpoints.arrays import load_arrays

    base = fetch('whisper-base')
    return (ENCODER, load_arrays([base / 'model.safetensors']), WhisperDecoderConfig(),
            load_arrays([base / 'decoder.safetensors']), base / 'tokenizer.json')


def _read_brought(brought: WhisperFolder) -> _Parts:
    encoder, decoder = brought.read()
    tower, shape = brought.shapes(encoder, decoder)
    return tower, encoder, shape, decoder, brought.path / 'tokenizer.json'


def _read_shape(folder: Path) -> WhisperDecoderConfig:
    """Return the decoder's shape; folders that were made before it was written are of base."""
    path = folder / _SHAPE
    if not path.is_file():
        return WhisperDecoderConfig()
    said = json.loads(path.read_text(encoding='utf-8'))
    return WhisperDecoderConfig(**said | {'alignment_heads': tuple(
        (layer, head) for layer, head in said['alignment_heads'])})


def _check_tokens(tokenizer: Any, folder: str) -> None:
    """Refuse a tokenizer whose ids are not those that this reader knows."""
    found = {name: tokenizer.token_to_id(name)
             for name in ('<|endoftext|>', '<|startoftranscript|>', '<|notimestamps|>')}
    if list(found.values()) != [END, START, NO_TIMESTAMPS]:
        raise CheckpointError(
            f'{folder}: expected the tokens of a Whisper for all languages (tiny to large-v2), '
            f'found {found}; write transcript.reader: faster-whisper:FOLDER for other sizes')


def load(*, threads: int | None = None, language: str = '', task: str = 'transcribe',
         find_speech: bool = True, precision: str = PRECISION, after_s: float = AFTER_S,
         folder: str = '', hot_words: Sequence[str] = ()) -> WhisperWords:
    """
    Bring the second pass up; for registry.load_transcriber, which says what the arguments mean.

    Raises CheckpointError for bad weights and graphs, ConfigurationError for a wrong name.
    """
    from tokenizers import Tokenizer

    if folder:
        _check_tokens(Tokenizer.from_file(str(find_whisper(folder).path / 'tokenizer.json')),
                      folder)
    graphs = graph_folder(precision, folder)
    said = manifest.read(graphs)
    encoder, cross, step = (
        open_session(graphs / name, threads=threads, expected=said.facts,
                     remedy=manifest.describe_remedy(graphs))
        for name in (manifest.WHISPER_ENCODER, manifest.WHISPER_CROSS, manifest.WHISPER_STEP))
    net = OnnxWhisper(
        _read_shape(graphs), encoder=encoder, cross=cross, step=step,
        embeddings=RowFile(graphs / manifest.EMBEDDINGS),
        positions=np.load(graphs / manifest.POSITIONS),
        slots=_SLOTS + (MOST_BEFORE if hot_words else 0))
    tokenizer = Tokenizer.from_file(str(graphs / 'tokenizer.json'))
    give_back_freed()
    return WhisperWords(
        net, tokenizer,
        find_speech=load_voice_activity() if find_speech else None, language=language, task=task,
        after_s=after_s, hot_words=hot_words)
