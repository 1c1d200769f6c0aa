"""
A folder of a streaming model as sherpa-onnx publishes them: which kind it is, and its recogniser.

Owns how files of a folder are told apart. A folder that sherpa-onnx does not understand makes it
end the whole process, so each is opened in a process of its own first. Knows no words.
"""

import importlib.util
import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from audio_interaction_ros.errors import CheckpointError, ConfigurationError
from audio_interaction_ros.reading import has_no_spaces

__all__ = ['SherpaFolder', 'is_installed', 'open_recogniser', 'read_folder', 'try_out']

_CTC_KINDS = {'zipformer': 'zipformer2_ctc', 't-one': 't_one_ctc', 'wenet': 'wenet_ctc',
              'encdec': 'nemo_ctc', 'nemo': 'nemo_ctc'}
"""Beginning of the model_type in a single graph, in small letters, to who reads it."""
_TRY = ('import json, sys; told = json.loads(sys.stdin.read()); sys.path[:] = told["path"]; '
        'from audio_interaction_ros.runtimes import sherpa_model as model; '
        'model.open_recogniser(model.SherpaFolder(**told["folder"]), threads=1)')
_TRY_S = 300


@dataclass(frozen=True, kw_only=True)
class SherpaFolder:
    """What a folder holds."""

    path: str
    kind: str
    """transducer, paraformer, or one of the kinds of CTC."""
    graphs: dict[str, str]
    """What sherpa-onnx calls each graph, to its file."""
    unit: str = ''
    """Of what hot words are made: bpe, cjkchar or both; empty: the folder cannot tell."""
    capitals: bool = False
    """True where the model writes capitals only."""


def is_installed() -> bool:
    """Tell whether sherpa-onnx is there."""
    return importlib.util.find_spec('sherpa_onnx') is not None


def read_folder(folder: str) -> SherpaFolder:
    """
    Return what a folder holds; of graphs in two precisions the smaller one is taken.

    CheckpointError, which names what is missing, where it is no folder of a streaming model.
    """
    path = Path(folder)
    if not path.is_dir():
        raise CheckpointError(f'{folder}: expected the folder of a sherpa-onnx model, found none; '
                              'correct transcript.reader')
    if not (path / 'tokens.txt').is_file():
        raise CheckpointError(f'{folder}: expected tokens.txt, found none; give the folder of a '
                              'streaming model as sherpa-onnx publishes them, unpacked')
    parts = {part: _pick_graph(path, part) for part in ('encoder', 'decoder', 'joiner')}
    tokens = [line.rsplit(maxsplit=1)[0] for line in (path / 'tokens.txt').read_text(
        encoding='utf-8').splitlines() if line.strip()]
    letters = ''.join(token for token in tokens if not token.startswith('<'))
    about: dict[str, Any] = {'path': folder, 'unit': _find_unit(path, tokens),
                             'capitals': letters.upper() == letters != letters.lower()}
    if all(parts.values()):
        return SherpaFolder(kind='transducer', graphs=parts, **about)
    if parts['encoder'] and parts['decoder']:
        return SherpaFolder(kind='paraformer', graphs={
            name: parts[name] for name in ('encoder', 'decoder')}, **about)
    single = _pick_graph(path, '')
    if any(parts.values()) or not single:
        raise CheckpointError(
            f'{folder}: expected encoder, decoder and joiner (a transducer), encoder and decoder '
            f'(a paraformer) or one .onnx file (CTC), found '
            f'{sorted(file.name for file in path.glob("*.onnx")) or "none"}; unpack the whole '
            'download of a streaming model')
    return SherpaFolder(kind=_find_ctc_kind(single), graphs={'model': single}, **about)


def _pick_graph(path: Path, part: str) -> str:
    found = sorted((file for file in path.glob('*.onnx') if part in file.name),
                   key=lambda file: ('int8' not in file.name, file))
    return str(found[0]) if found else ''


def _find_unit(path: Path, tokens: Sequence[str]) -> str:
    chinese = any(has_no_spaces(token) for token in tokens)
    if any(token.startswith('▁') and len(token) > 1 for token in tokens):
        return ('cjkchar+bpe' if chinese else 'bpe') if (path / 'bpe.vocab').is_file() else ''
    return 'cjkchar' if chinese else ''


def _find_ctc_kind(graph: str) -> str:
    import onnxruntime
    try:
        told = onnxruntime.InferenceSession(
            graph, providers=['CPUExecutionProvider']).get_modelmeta().custom_metadata_map
    except Exception as error:  # its kinds have no common base
        raise CheckpointError(f'{graph}: expected an ONNX graph ({str(error).splitlines()[0]}); '
                              'fetch the model again') from error
    said = f'{told.get("model_type", "")} {told.get("comment", "")}'.strip().lower()
    for begins, kind in _CTC_KINDS.items():
        if begins in said:
            return kind
    raise CheckpointError(f'{graph}: expected the model_type of a streaming CTC model '
                          f'({", ".join(_CTC_KINDS)}) in its metadata, found {said!r}; give '
                          'another model')


def try_out(folder: SherpaFolder) -> None:
    """Open a folder in a process of its own; CheckpointError with its last words if it ends."""
    told = json.dumps({'path': sys.path, 'folder': asdict(folder)})
    try:
        done = subprocess.run([sys.executable, '-c', _TRY], input=told, text=True, check=False,
                              capture_output=True, timeout=_TRY_S)
    except subprocess.TimeoutExpired as error:
        raise CheckpointError(f'{folder.path}: sherpa-onnx did not open it in {_TRY_S} s; give a '
                              'smaller model') from error
    if done.returncode:
        words = (done.stderr.strip().splitlines() or ['it ended without a word'])[-1]
        raise CheckpointError(f'{folder.path}: expected a streaming model that sherpa-onnx can '
                              f'open, but it says: {words[-300:]}; give another model')


def open_recogniser(folder: SherpaFolder, *, threads: int, hot_words: bool = False,
                    bonus: float = 1.5) -> Any:
    """
    Return a sherpa_onnx.OnlineRecognizer; ends the process where the folder is wrong (try_out).

    With ``hot_words`` it can prefer words, each token by so much; ConfigurationError where the
    model cannot.
    """
    import sherpa_onnx

    options: dict[str, Any] = {'tokens': f'{folder.path}/tokens.txt', 'num_threads': threads,
                               'enable_endpoint_detection': True, **folder.graphs}
    if hot_words:
        if folder.kind != 'transducer' or not folder.unit:
            raise ConfigurationError(
                f'transcript.hot_words: expected a transducer whose folder has bpe.vocab or '
                f'Chinese characters, found {folder.kind} in {folder.path}; put bpe.vocab there '
                '(sherpa-onnx makes it of bpe.model) or leave hot_words empty')
        options |= {'decoding_method': 'modified_beam_search', 'hotwords_score': bonus,
                    'modeling_unit': folder.unit}
        if 'bpe' in folder.unit:
            options['bpe_vocab'] = f'{folder.path}/bpe.vocab'
    return getattr(sherpa_onnx.OnlineRecognizer, f'from_{folder.kind}')(**options)
