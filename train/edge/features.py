"""
Encoder outputs of scenes, computed once: the encoder is frozen, so training never runs it.

Owns the folder of features: ``NAME.npy`` [chunks, 5, 4096] and ``NAME.sound.npy`` [chunks, 5632],
float16, and one line per scene in ``scenes-*.jsonl``. Mel and windows are made by the classes that
serve the robot, so what is trained on is what is heard. A run that was stopped goes on.

    python -m train.edge.features --data DATA --speech SPEECH --out FEATURES --minutes 10
"""

import argparse
import json
import time
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file

from audio_interaction_ros.checkpoints.base_weights import fetch
from audio_interaction_ros.checkpoints.config import MelConfig
from audio_interaction_ros.checkpoints.edge import TAGGER_PREFIX
from audio_interaction_ros.errors import CheckpointError
from audio_interaction_ros.model.audio_tower import AudioTower
from audio_interaction_ros.model.shapes import AudioTowerConfig
from audio_interaction_ros.protocol import CHUNK_SAMPLES
from train.edge.compose import compose, scene_name
from train.edge.feature_folder import ENDINGS, mend_lines, read_scene_rows
from train.edge.label import read_labels
from train.edge.library import Library
from train.trainer.features import online_windows

__all__ = ['EARS', 'MEL', 'SOUND_LEVELS', 'TAGGER', 'TOWER', 'encode', 'load_tower',
           'tower_config', 'make_windows', 'write_features']

TOWER = AudioTowerConfig(mel_bins=80, width=512, layers=6, heads=8, mlp_width=2048,
                         window_frames=200, keep_frames=20, stack=4, second_look=True,
                         feature_norm=3.2, projector='mlp', projector_hidden=1024,
                         output_width=576)
"""Without its sound branch, whose names depend on the data."""
MEL = MelConfig(decay_per_s=0.05, maximum_floor=0.0)
TAGGER = 'yamnet'
SOUND_LEVELS = (3, 4, 5)
"""Where Whisper base hears sounds best (docs/edge.md)."""
BATCH = 16
KINDS = ['speech'] * 11 + ['alert'] * 3 + ['harmless'] * 3 + ['long'] * 3


def tower_config(sounds: tuple[str, ...]) -> AudioTowerConfig:
    """Return the tower with a sound branch that tells these sounds apart."""
    return replace(TOWER, sounds=sounds, sound_levels=SOUND_LEVELS, tagger=True)


EARS = tower_config(('any',))
"""The tower before it is known what the sound branch tells apart."""


def load_tower(dtype: torch.dtype = torch.bfloat16) -> AudioTower:
    """Return the tower with Whisper's encoder and YAMNet; its projector is untrained."""
    tower = AudioTower(EARS)
    state = load_file(fetch('whisper-base') / 'model.safetensors')
    state |= {TAGGER_PREFIX + name: tensor for name, tensor in load_file(
        fetch(TAGGER) / 'model.safetensors').items()}
    missing, unexpected = tower.load_state_dict(
        {name: tensor.float() for name, tensor in state.items()}, strict=False)
    if unexpected or not all(name.startswith(('projector.', 'sound.')) for name in missing):
        raise CheckpointError('base weights: expected the encoder of Whisper base and YAMNet, got '
                              f'tensors {unexpected} and not {missing}; delete the downloads')
    return tower.to(dtype).eval()


def make_windows(samples: np.ndarray) -> np.ndarray:
    """Return mel windows [chunks, 144, 200] of samples [n], zero-padded to whole chunks."""
    padded = np.pad(samples, (0, -len(samples) % CHUNK_SAMPLES))
    return online_windows(padded, EARS, MEL)


@torch.inference_mode()
def encode(tower: AudioTower, mel: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """
    Return frames [chunks, 5, 4096] and summaries [chunks, 5632] of windows [chunks, 144, 200].

    Both float16. The summaries are what the sound branch hears.
    """
    dtype = next(tower.parameters()).dtype
    frames_of = []
    for part in torch.tensor(mel, dtype=dtype).split(BATCH):
        levels = tower.levels(part)
        frames_of.append((tower.stack_frames(levels[-1]), tower.sound_inputs(part, levels)))
    frames, heard = (torch.cat(parts).half().numpy() for parts in zip(*frames_of, strict=True))
    return frames, heard


def write_features(library: Library, tower: AudioTower, folder: Path,
                   arguments: argparse.Namespace) -> None:
    """Compute the scenes that this shard is to do and the folder does not hold yet."""
    path = folder / f'scenes-{arguments.first + arguments.shard}.jsonl'
    mend_lines(path)
    done = {row['name'] for row in read_scene_rows(folder)}
    begin, chunks = time.monotonic(), 0
    numbers = range(arguments.first + arguments.shard, arguments.first + arguments.count,
                    arguments.shards)
    with path.open('a', encoding='utf-8') as lines:
        for count, number in enumerate(numbers, start=1):
            spent = (time.monotonic() - begin) / 60
            kind = arguments.kind or KINDS[number * 7 % len(KINDS)]
            if spent > arguments.minutes:
                break
            if scene_name(kind, number) in done:
                continue
            scene = compose(library, number, kind)
            frames, heard = encode(tower, make_windows(scene.samples))
            chunks += len(frames)
            for end, values in zip(ENDINGS, (frames, heard), strict=True):
                np.save(folder / f'{scene.name}{end}', values)
            lines.write(json.dumps({
                'name': scene.name, 'kind': scene.kind, 'chunks': len(frames),
                'events': [asdict(event) for event in scene.events],
                'sounding': [asdict(sound) for sound in scene.sounding]}) + '\n')
            lines.flush()
            if count % 50 == 0:
                print(f'{count} of {len(numbers)} scenes, {chunks} chunks, {spent:.1f} min',
                      flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument('--data', type=Path, required=True, help='folder with manifest.jsonl')
    parser.add_argument('--speech', type=Path, required=True, action='append',
                        help='folder of train.edge.synthesise; may be given again')
    parser.add_argument('--labels', type=Path, help='texts from train.edge.label')
    parser.add_argument('--out', type=Path, required=True)
    parser.add_argument('--split', default='train', choices=('train', 'validation'))
    parser.add_argument('--count', type=int, default=3000)
    parser.add_argument('--kind', choices=sorted({*KINDS, 'mandarin'}),
                        help='scenes of this kind only (default: a mixture)')
    parser.add_argument('--first', type=int, default=0, help='number of the first scene')
    parser.add_argument('--shard', type=int, default=0, help='which of --shards this one does')
    parser.add_argument('--shards', type=int, default=1)
    parser.add_argument('--minutes', type=float, default=1e9, help='stop after so long')
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    library = Library(arguments.data, arguments.speech, arguments.split,
                      read_labels(arguments.labels) if arguments.labels else None)
    write_features(library, load_tower(), arguments.out, arguments)


if __name__ == '__main__':
    main()
