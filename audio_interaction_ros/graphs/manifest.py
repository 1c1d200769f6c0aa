"""
What a folder of graphs says of itself: model, precision, versions and the hash of every file.

One folder holds one half of a model. The facts that a reader relies on stand in the metadata of
every graph too. Needs neither onnx nor a runtime.
"""

import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from audio_interaction_ros.checkpoints.cache import cache_root, ensure_filled, sha256
from audio_interaction_ros.errors import CheckpointError, ConfigurationError

__all__ = ['AUDIO_TOWER', 'CONTROLS', 'DECODER_STEP', 'DELTA', 'EMBEDDINGS', 'FORMAT', 'FORMS',
           'MANIFEST', 'POSITIONS', 'PRECISIONS', 'STATIC', 'VOCABULARY_HEAD', 'WHISPER_CROSS',
           'WHISPER_ENCODER', 'WHISPER_STEP', 'GraphManifest', 'cached_folder',
           'differing_files', 'find_fault', 'check_spec', 'has_graphs', 'ensure_cached', 'numbers',
           'read', 'describe_remedy', 'write']

FORMAT = 'audio-interaction-graphs/8'
PRECISIONS: Mapping[str, int | None] = {'fp32': None, 'fp16': None, 'int8': 8, 'int4': 4}
"""Name of a precision to the bits of its weights; None: they are floating-point numbers."""
DELTA, STATIC = 'delta', 'static'
FORMS: Mapping[str, tuple[str, ...]] = {DELTA: ('fp32', 'fp16', 'int8', 'int4'),
                                        STATIC: ('fp32', 'fp16', 'int4')}
"""Form of the decoder's step (what keeps the cache: the host or the graph) to its precisions."""
MANIFEST = 'manifest.json'
DECODER_STEP = 'decoder_step.onnx'
VOCABULARY_HEAD = 'vocabulary_head.onnx'
AUDIO_TOWER = 'audio_tower.onnx'
WHISPER_ENCODER = 'whisper_encoder.onnx'
WHISPER_CROSS = 'whisper_cross.onnx'
WHISPER_STEP = 'whisper_step.onnx'
EMBEDDINGS = 'embeddings.npy'
"""[vocab_size, width], looked up by the host."""
POSITIONS = 'positions.npy'
"""[positions, width], added to embeddings of Whisper by the host."""
CONTROLS = 'controls.npy'
"""[2, width] float32: the head's rows of silence and respond."""


@dataclass(frozen=True, kw_only=True)
class GraphManifest:
    """Identity of the graphs in a folder."""

    model_id: str
    half: str
    """encoder, decoder or second_pass"""
    precision: str
    form: str = DELTA
    """That of FORMS."""
    format: str = FORMAT
    spec: str = ''
    """Shapes, ids and settings that the graphs were made for: CheckpointConfig.computed_with."""
    source: Mapping[str, str] = field(default_factory=dict)
    """sha256 of the files of the model that they were made of, by name."""
    base: tuple[str, ...] = ()
    """Identities of the base weights below it."""
    versions: Mapping[str, str] = field(default_factory=dict)
    """Of the package and the libraries that wrote it."""
    files: Mapping[str, tuple[str, int]] = field(default_factory=dict)
    """Name to sha256 and size in bytes."""

    @property
    def facts(self) -> dict[str, str]:
        """What stands in the metadata of every graph, and must."""
        said = {'format': self.format, 'model_id': self.model_id, 'half': self.half,
                'precision': self.precision, 'form': self.form, 'spec': self.spec,
                'source': ' '.join(f'{name}={digest}' for name, digest in self.source.items()),
                'base': ' '.join(self.base)}
        return {key: value for key, value in said.items() if value}


def numbers(precision: str, form: str = DELTA) -> tuple[int | None, bool]:
    """
    Return the bits of weights, and whether what is computed with them is of float16.

    ConfigurationError for a form that has no such precision. Weights of 4 bits are met in float16
    in the static form, which is for GPUs, and in float32 in the other, which is for CPUs.
    """
    if precision not in FORMS[form]:
        raise ConfigurationError(f'precision: the {form} form has {", ".join(FORMS[form])}, found '
                                 f'{precision!r}; change --precision or --form')
    return PRECISIONS[precision], precision == 'fp16' or (form, precision) == (STATIC, 'int4')


def write(folder: Path, said: GraphManifest) -> None:
    """Write the manifest of all that a folder holds; its files are hashed here."""
    files = {path.name: (sha256(path), path.stat().st_size) for path in sorted(folder.iterdir())
             if path.is_file() and path.name != MANIFEST}
    (folder / MANIFEST).write_text(json.dumps(asdict(replace(said, files=files)), indent=1) + '\n',
                                   encoding='utf-8')


def has_graphs(folder: Path) -> bool:
    """Tell whether a folder says that it holds graphs, of whatever version."""
    try:
        said = json.loads((folder / MANIFEST).read_text(encoding='utf-8'))
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(said, dict) and str(said.get('format')).startswith(FORMAT.split('/')[0])


def read(folder: Path) -> GraphManifest:
    """
    Return what a folder says of itself.

    CheckpointError where it cannot be read, is of another format, or a file is missing or of
    another size; hashes are for differing_files, for reading all weights takes time.
    """
    path = folder / MANIFEST
    try:
        said: Any = json.loads(path.read_text(encoding='utf-8'))
        if said['format'] != FORMAT:
            raise CheckpointError(f'{path}: expected format {FORMAT!r}, found '
                                  f'{said["format"]!r}; {describe_remedy(folder)}')
        manifest = GraphManifest(**said | {'base': tuple(said['base']), 'files': {
            str(name): (str(digest), int(size)) for name, (digest, size)
            in said['files'].items()}})
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise CheckpointError(f'{path}: expected a manifest of graphs ({error!r}); '
                              f'{describe_remedy(folder)}') from error
    for name, (_, size) in manifest.files.items():
        actual_size = (
            folder / name).stat().st_size if (folder / name).is_file() else 'no such file'
        if actual_size != size:
            raise CheckpointError(f'{folder / name}: expected {size} bytes, found {actual_size}; '
                                  f'{describe_remedy(folder)}')
    return manifest


def find_fault(folder: Path, *, model_id: str, half: str, precision: str) -> str:
    """Return what is wrong with a folder that should hold these graphs; empty if nothing is."""
    try:
        facts = read(folder).facts
    except CheckpointError as error:
        return str(error)
    for key, expected in (('model_id', model_id), ('half', half), ('precision', precision)):
        if facts[key] != expected:
            return f'expected {key} {expected!r}, found {facts[key]!r}'
    return ''


def cached_folder(model_id: str, half: str, precision: str) -> Path:
    """Return where these graphs lie in the cache, in this format; they need not be there."""
    version = FORMAT.rpartition('/')[2]
    return cache_root() / 'onnx' / f'{model_id}-{half}-{precision}-{version}'


def ensure_cached(build: Callable[[Path], None], *, model_id: str, half: str, precision: str,
                  space_mb: int = 0) -> Path:
    """
    Return the folder of these graphs in the cache; ``build`` fills it where it is missing.

    Where it does, the same graphs of older formats go, which no version to come reads.
    """
    entry = cached_folder(model_id, half, precision)
    name, _, version = entry.name.rpartition('-')

    def build_anew(folder: Path) -> None:
        build(folder)
        for older in range(1, int(version)):
            shutil.rmtree(entry.with_name(f'{name}-{older}'), ignore_errors=True)
    return ensure_filled(
        entry, build=build_anew, space_mb=space_mb, fault=lambda folder: find_fault(
            folder, model_id=model_id, half=half, precision=precision))


def check_spec(folder: Path, said: GraphManifest, *, half: str, spec: str) -> None:
    """
    Hold what a folder says of its graphs against the configuration beside them.

    CheckpointError where they are of the other half or for other shapes, ids or settings than
    ``spec``; what lanes take as a default may have changed since.
    """
    if said.half != half:
        raise CheckpointError(f'{folder}: expected graphs of the {half}, found {said.half}; '
                              f'{describe_remedy(folder)}')
    if said.spec != spec:
        raise CheckpointError(
            f'{folder / "config.yaml"}: {", ".join(_differing(said.spec, spec))} is not what the '
            f'graphs beside it were made for; {describe_remedy(folder)}')


def _differing(first: str, second: str) -> list[str]:
    # Names of the settings that two specs have differently.
    try:
        ours, theirs = json.loads(first), json.loads(second)
        return sorted(key for key in ours.keys() | theirs.keys()
                      if ours.get(key) != theirs.get(key))
    except (ValueError, AttributeError):
        return ['all of it']


def differing_files(folder: Path) -> list[str]:
    """Return the files of a folder whose content is not that of its manifest."""
    return [name for name, (digest, _) in read(folder).files.items()
            if sha256(folder / name) != digest]


def describe_remedy(folder: Path) -> str:
    """Say how the graphs of a folder are made again."""
    if folder.parent.name == 'onnx':  # of the cache
        return f'remove {folder} and start again'
    return f'write the graphs again: python -m export onnx MODEL --out {folder.parent}'
