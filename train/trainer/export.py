"""
What a stage writes at its end: a folder that the runtime, or the next stage, loads.

Owns nothing of the format; ``checkpoints.layout`` does.
"""

import dataclasses
import tempfile
from collections.abc import Mapping
from pathlib import Path

import torch

from audio_interaction_ros.checkpoints import layout
from audio_interaction_ros.config import LaneDefaults
from audio_interaction_ros.errors import CheckpointError
from audio_interaction_ros.whole_file import open_whole_folder
from train.trainer.model import Trainee

__all__ = ['export']


def export(trainee: Trainee, folder: Path, tokenizer_json: str, prompts: Mapping[str, str], *,
           dtype: torch.dtype = torch.float32) -> None:
    """
    Write the model in the project's own layout, whole or not at all.

    ``prompts`` are those that the lanes were trained with. CheckpointError when it cannot be
    written.
    """
    lanes = dict(trainee.config.lanes)
    for name, prompt in prompts.items():
        lanes[name] = dataclasses.replace(lanes.get(name, LaneDefaults()), prompt=prompt)
    config = dataclasses.replace(
        trainee.config, base=None, lanes=lanes,
        max_positions=max(trainee.config.max_positions, trainee.recipe.data.max_positions))
    folder.parent.mkdir(parents=True, exist_ok=True)
    try:
        with open_whole_folder(folder) as new, tempfile.TemporaryDirectory() as scratch:
            tokenizer = Path(scratch) / 'tokenizer.json'
            tokenizer.write_text(tokenizer_json, encoding='utf-8')
            layout.save(new, config, trainee.tensors(dtype), tokenizer)
    except OSError as error:
        raise CheckpointError(f'{folder}: cannot write the model ({error}); make room, then run '
                              'the same command again') from error
