"""
Names of backends to running encoders, decoders and readers of words.

The only place that knows all backends. Each is a module with a function ``load``, imported when it
is asked for, so that nobody needs a framework that is not used.
"""

import contextlib
import ctypes
import importlib
from collections.abc import Collection, Iterator
from typing import Any

from audio_interaction_ros.config import ModelConfig
from audio_interaction_ros.errors import ConfigurationError, MissingDependencyError
from audio_interaction_ros.reading import ReaderChoice
from audio_interaction_ros.runtimes.base import HALVES, Runtime, TextModel, Transcriber

__all__ = ['RUNTIMES', 'SECOND_PASSES', 'load_runtime', 'load_text_model', 'load_transcriber',
           'load_turn_judge']

RUNTIMES = {'torch': 'audio_interaction_ros.runtimes.torch',
            'onnx': 'audio_interaction_ros.runtimes.onnx',
            'tensorrt': 'audio_interaction_ros.runtimes.tensorrt'}
"""Name of a backend to its module, which has ``load``."""
SECOND_PASSES = {'whisper': 'audio_interaction_ros.runtimes.onnx_second_pass',
                 'faster-whisper': 'audio_interaction_ros.runtimes.faster_whisper_reader',
                 'sherpa-onnx': 'audio_interaction_ros.runtimes.sherpa_reader',
                 'moonshine': 'audio_interaction_ros.runtimes.moonshine'}
"""Name of a reader to its module, which has ``load``."""
_TEXT_MODELS = 'audio_interaction_ros.runtimes.onnx_text'
_INSTALL = {'torch': 'pip install torch (CPU wheels: see README)',
            'onnx': 'pip install onnx', 'onnxruntime': 'pip install onnxruntime',
            **dict.fromkeys(('ctranslate2', 'sherpa_onnx'),
                            'pip install -r requirements/readers.txt'),
            **dict.fromkeys(('tensorrt', 'cuda'), 'pip install -r requirements/tensorrt.txt (on '
                            'a Jetson, JetPack brings TensorRT)')}
"""How to get a framework, by the name of its module."""


def load_runtime(model: str, *, runtime: str = ModelConfig.runtime, device: str = 'cpu',
                 threads: int | None = None, dtype: str = 'auto',
                 rope_index_dtype: str = 'fp32',
                 halves: Collection[str] = HALVES) -> Runtime:
    """
    Load a model and bring it up on a backend.

    ``model`` is a folder, the name of a shipped model (``edge``) or a Hugging Face repository id.
    A process that runs one half asks for that one in ``halves`` and needs memory for no other.
    Raises ConfigurationError for an unknown backend, CheckpointError for bad weights and
    MissingDependencyError where the backend is not installed.
    """
    if runtime not in RUNTIMES:
        raise ConfigurationError(f'runtime: expected one of {", ".join(RUNTIMES)}, found '
                                 f'{runtime!r}; change model.runtime')
    if not halves or not set(halves) <= set(HALVES):
        raise ConfigurationError(f'halves: expected some of {", ".join(HALVES)}, found '
                                 f'{sorted(halves)}; the caller must correct it')
    backend = _import_backend(RUNTIMES[runtime], f'runtime {runtime!r}')
    loaded: Runtime = backend.load(model, device=device, threads=threads, dtype=dtype,
                                   rope_index_dtype=rope_index_dtype, halves=halves)
    _release_memory()
    return loaded


def load_transcriber(name: str = 'whisper', *, threads: int | None = None, language: str = '',
                     task: str = 'transcribe', find_speech: bool = True,
                     **options: Any) -> Transcriber:
    """
    Load a reader of words: ``whisper``, or one of reading.READERS with ``:FOLDER`` behind it.

    ``language`` (ISO 639-1) is detected when empty; ``task`` may be translate (to English).
    Without ``find_speech`` everything is read as if somebody spoke; ``options`` are the reader's
    own (``hot_words``, and those of runtimes.onnx_second_pass). Raises ConfigurationError for an
    unknown name, CheckpointError for bad weights and MissingDependencyError where what computes
    it is not installed.
    """
    choice = ReaderChoice.parse(name, 'transcript.reader')
    options |= {'folder': choice.folder} if choice.folder else {}
    with _naming_packages(f'reader {choice.kind!r}'):
        module = importlib.import_module(SECOND_PASSES[choice.kind])
        loaded: Transcriber = module.load(threads=threads, language=language, task=task,
                                          find_speech=find_speech, **options)
    _release_memory()
    return loaded


def load_text_model(name: str, *, threads: int | None = None,
                    dtype: str = 'int8') -> TextModel:
    """
    Load a text model for answers and translations.

    ``name`` is one that is known (checkpoints.text_model), a folder of Qwen2 or Llama layout or a
    GGUF file; ``dtype`` is int8, int4 or float32. Stderr tells how far it is. Raises
    CheckpointError for bad weights, ConfigurationError for another dtype and
    MissingDependencyError where ONNX Runtime is not installed.
    """
    precisions = {'int8': 'int8', 'int4': 'int4', 'float32': 'fp32'}
    if dtype not in precisions:
        raise ConfigurationError(f'dtype: expected one of {", ".join(precisions)}, found '
                                 f'{dtype!r}; change reply.dtype')
    module = _import_backend(_TEXT_MODELS, f'text model {name!r}')
    loaded: TextModel = module.load(name, threads=threads, precision=precisions[dtype])
    _release_memory()
    return loaded


def load_turn_judge(*, threads: int | None = None) -> Any:
    """
    Load what hears whether a voice is through (runtimes.smart_turn), fetched where it is missing.

    Raises CheckpointError where it cannot be had and MissingDependencyError without ONNX Runtime.
    """
    module = _import_backend('audio_interaction_ros.runtimes.smart_turn', 'transcript.end smart')
    judge = module.load(threads=threads)
    _release_memory()
    return judge


def _import_backend(path: str, what: str) -> Any:
    with _naming_packages(what):
        return importlib.import_module(path)


@contextlib.contextmanager
def _naming_packages(what: str) -> Iterator[None]:
    """Say of a package that is missing how it is installed."""
    try:
        yield
    except ModuleNotFoundError as error:
        name = (error.name or '').partition('.')[0]
        if name not in _INSTALL:
            raise
        raise MissingDependencyError(f'{what} needs {name}; run: {_INSTALL[name]}') from error


def _release_memory() -> None:
    """
    Give the memory of loading back to the system.

    Weights pass through float32; glibc keeps the freed pages (265 MB with edge) until asked.
    """
    with contextlib.suppress(AttributeError, OSError, TypeError):  # another C library
        ctypes.CDLL(None).malloc_trim(0)
