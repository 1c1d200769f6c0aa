"""
Encoder outputs of scenes, computed once: the encoder is frozen, so training never runs it.

Owns the folder of features: ``NAME.npy`` [chunks, 5, 4096] float16 and one line per scene in
``scenes-*.jsonl``. Mel and windows are made by the classes that serve the robot, so what is
trained on is what is heard.

    python -m train.edge.features --data DATA --speech SPEECH --out FEATURES --minutes 10
"""

import argparse
import json
import time
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file

from audio_interaction_ros.audio.mel import StreamingMel
from audio_interaction_ros.model.audio_tower import MEL_FILL, AudioTower, AudioTowerConfig
from audio_interaction_ros.model.base_weights import fetch
from audio_interaction_ros.protocol import CHUNK_SAMPLES, MEL_FRAMES_PER_CHUNK
from train.edge.compose import Library, compose

__all__ = ['MEL', 'TOWER', 'encode', 'load_tower', 'windows']

TOWER = AudioTowerConfig(mel_bins=80, width=512, layers=6, heads=8, mlp_width=2048,
                         window_frames=200, keep_frames=20, stack=4, second_look=True,
                         feature_norm=3.2, projector='mlp', projector_hidden=1024,
                         output_width=576)
MEL = {'decay_per_s': 0.05, 'maximum_floor': 0.0}
KINDS = ['speech'] * 12 + ['alert'] * 4 + ['harmless'] * 3 + ['mixed']


def load_tower(dtype: torch.dtype = torch.bfloat16) -> AudioTower:
    """Return the tower with Whisper's encoder; its projector is untrained."""
    tower = AudioTower(TOWER)
    state = load_file(fetch('whisper-base') / 'model.safetensors')
    missing, unexpected = tower.load_state_dict(
        {name: tensor.float() for name, tensor in state.items()}, strict=False)
    assert not unexpected and all(name.startswith('projector.') for name in missing)
    return tower.to(dtype).eval()


def windows(samples: np.ndarray) -> np.ndarray:
    """Return mel windows [chunks, 80, 200] of samples [n], zero-padded to whole chunks."""
    padded = np.pad(samples, (0, -len(samples) % CHUNK_SAMPLES))
    mel = StreamingMel(bins=TOWER.mel_bins, **MEL)
    frames = np.concatenate([*mel.push(padded), *mel.flush()], axis=1)
    left = TOWER.window_frames - MEL_FRAMES_PER_CHUNK
    frames = np.pad(frames, ((0, 0), (left, 0)), constant_values=MEL_FILL)
    views = np.lib.stride_tricks.sliding_window_view(frames, TOWER.window_frames, axis=1)
    return views[:, ::MEL_FRAMES_PER_CHUNK].transpose(1, 0, 2)


@torch.inference_mode()
def encode(tower: AudioTower, mel: np.ndarray) -> np.ndarray:
    """Return stacked frames [chunks, 5, 4096] float16 of windows [chunks, 80, 200]."""
    dtype = next(tower.parameters()).dtype
    return tower.encode(torch.tensor(mel, dtype=dtype)).float().numpy().astype(np.float16)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument('--data', type=Path, required=True, help='folder with manifest.jsonl')
    parser.add_argument('--speech', type=Path, required=True)
    parser.add_argument('--out', type=Path, required=True)
    parser.add_argument('--split', default='train', choices=('train', 'validation'))
    parser.add_argument('--count', type=int, default=3000)
    parser.add_argument('--kind', help='scenes of this kind only (default: a mixture)')
    parser.add_argument('--first', type=int, default=0, help='number of the first scene')
    parser.add_argument('--shard', type=int, default=0, help='which of --shards this one does')
    parser.add_argument('--shards', type=int, default=1)
    parser.add_argument('--minutes', type=float, default=1e9, help='stop after so long')
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    library = Library(arguments.data, arguments.speech, arguments.split)
    tower = load_tower()
    begin, chunks = time.monotonic(), 0
    name = f'scenes-{arguments.first + arguments.shard}.jsonl'
    with (arguments.out / name).open('w', encoding='utf-8') as lines:
        for index in range(arguments.first + arguments.shard, arguments.first + arguments.count,
                           arguments.shards):
            if (time.monotonic() - begin) / 60 > arguments.minutes:
                break
            kind = arguments.kind or KINDS[index * 7 % len(KINDS)]
            scene = compose(library, index, kind)
            features = encode(tower, windows(scene.samples))
            chunks += len(features)
            np.save(arguments.out / f'{scene.name}.npy', features)
            lines.write(json.dumps({
                'name': scene.name, 'kind': scene.kind, 'chunks': len(features),
                'events': [asdict(event) for event in scene.events]}) + '\n')
            if index // arguments.shards % 50 == 49:
                lines.flush()
                spent = (time.monotonic() - begin) / 60
                print(f'{index + 1} scenes, {chunks} chunks, {spent:.1f} min', flush=True)


if __name__ == '__main__':
    main()
