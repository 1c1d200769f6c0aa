"""
Encoder outputs of scenes, computed once: the encoder is frozen, so training never runs it.

Owns the encoder and the stage ``features`` of a folder of scenes, whose files lie where
``feature_folder`` says. Mel and windows are made by the classes that serve the robot, so what is
trained on is what is heard. A run that was stopped goes on.

    python -m train.edge.features --recipe edge --scenes OUT/train --scenes OUT/validation
"""

import argparse
import io
from dataclasses import replace
from functools import lru_cache, partial
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
from audio_interaction_ros.protocol import CHUNK_SAMPLES, MEL_HOP_SAMPLES, SAMPLE_RATE_HZ
from train.edge.feature_folder import feature_files
from train.edge.recipe import read_edge_recipe
from train.records import Stream
from train.stages import read_stage, run_stage
from train.stages.shards import write_whole
from train.trainer.features import online_windows, read_chunks

__all__ = ['MEL', 'SOUND_LEVELS', 'TAGGER', 'TOWER', 'encode', 'load_tower',
           'WINDOW_S', 'hear_stream', 'make_ears', 'make_windows', 'tower_config']

FRAMES_PER_S = SAMPLE_RATE_HZ / MEL_HOP_SAMPLES
WINDOW_S = 2.0
"""What the encoder of the model that ships hears at once."""
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


def tower_config(sounds: tuple[str, ...], sound_feature: str = 'direction',
                 window_s: float = WINDOW_S) -> AudioTowerConfig:
    """Return the tower that hears so long at once, with a branch that tells these sounds apart."""
    return replace(TOWER, window_frames=round(window_s * FRAMES_PER_S), sounds=sounds,
                   sound_levels=SOUND_LEVELS, tagger=True, sound_feature=sound_feature)


def make_ears(window_s: float = WINDOW_S) -> AudioTowerConfig:
    """Return the tower before it is known what its sound branch tells apart."""
    return tower_config(('any',), window_s=window_s)


def load_tower(dtype: torch.dtype = torch.bfloat16, window_s: float = WINDOW_S) -> AudioTower:
    """Return the tower with Whisper's encoder and YAMNet; its projector is untrained."""
    tower = AudioTower(make_ears(window_s))
    state = load_file(fetch('whisper-base') / 'model.safetensors')
    state |= {TAGGER_PREFIX + name: tensor for name, tensor in load_file(
        fetch(TAGGER) / 'model.safetensors').items()}
    missing, unexpected = tower.load_state_dict(
        {name: tensor.float() for name, tensor in state.items()}, strict=False)
    if unexpected or not all(name.startswith(('projector.', 'sound.')) for name in missing):
        raise CheckpointError('base weights: expected the encoder of Whisper base and YAMNet, got '
                              f'tensors {unexpected} and not {missing}; delete the downloads')
    return tower.to(dtype).eval()


def make_windows(samples: np.ndarray, window_s: float = WINDOW_S) -> np.ndarray:
    """Return mel windows [chunks, 144, 100 a second] of samples [n], padded to whole chunks."""
    padded = np.pad(samples, (0, -len(samples) % CHUNK_SAMPLES))
    return online_windows(padded, make_ears(window_s), MEL)


@torch.inference_mode()
def encode(tower: AudioTower, mel: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """
    Return frames [chunks, 5, 4096] and summaries [chunks, 5632] of windows [chunks, 144, T].

    Both float16. The summaries are what the sound branch hears.
    """
    dtype = next(tower.parameters()).dtype
    frames_of = []
    for part in torch.tensor(mel, dtype=dtype).split(BATCH):
        levels = tower.levels(part)
        frames_of.append((tower.stack_frames(levels[-1]), tower.sound_inputs(part, levels)))
    frames, heard = (torch.cat(parts).half().numpy() for parts in zip(*frames_of, strict=True))
    return frames, heard


@lru_cache(maxsize=1)
def _open_tower(window_s: float) -> AudioTower:
    torch.set_num_threads(1)  # the workers share the cores among them
    return load_tower(window_s=window_s)


def hear_stream(stream: Stream, folder: Path, window_s: float) -> Stream:
    """Stage function: write what the encoder hears of a stream, and return its record."""
    frames, heard = encode(_open_tower(window_s), make_windows(
        read_chunks(folder / stream.path, 0, stream.chunks), window_s))
    for path, values in zip(feature_files(folder, stream), (frames, heard), strict=True):
        data = io.BytesIO()
        np.save(data, values)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, data.getvalue(), durable=False)
    return stream


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument('--scenes', type=Path, required=True, action='append',
                        help='folder of train.edge.scenes; may be given again')
    parser.add_argument('--recipe', default='edge', help='a recipe by name or path')
    parser.add_argument('--workers', type=int, default=2)
    options = parser.parse_args()
    window_s = read_edge_recipe(options.recipe).window_s
    for folder in options.scenes:
        report = run_stage(
            'features', list(read_stage(folder / 'streams', Stream)),
            partial(hear_stream, folder=folder.absolute(), window_s=window_s), out=folder,
            workers=options.workers, on_error='raise', shard_size=16)
        print(f'{folder}: features of {report.records_out} streams')


if __name__ == '__main__':
    main()
