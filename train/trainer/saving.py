"""
Checkpoints of a running stage: written whole or not at all, and read back exactly.

Owns their folders, what stands beside the weights (resolved recipe, git hash) and what is
refused. The weights, optimizer and random states are accelerate's to write.
"""

import dataclasses
import json
import platform
import shutil
import subprocess
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from torch import nn

from audio_interaction_ros.errors import CheckpointError
from train.trainer.recipe import Recipe, dump_recipe, load_recipe

__all__ = ['check_recipe', 'check_same', 'find_newest', 'read_provenance', 'restore', 'save']

PREFIX = 'step-'
FREE_KEYS = ('data.cache', 'run.log_every', 'run.evaluate_every', 'run.evaluation_batches',
             'run.generations', 'run.save_every', 'run.keep', 'run.workers')
"""What may change between a run and its continuation without changing its result."""
ADVICE = 'name another output folder or the recipe that it was made with'


def read_provenance() -> dict[str, Any]:
    """Return where the code stands: git hash, whether it was changed since, versions."""
    def run_git(*words: str) -> str | None:
        try:
            return subprocess.run(['git', *words], cwd=Path(__file__).parent, text=True,
                                  capture_output=True, check=True, timeout=30).stdout.strip()
        except (OSError, subprocess.SubprocessError):
            return None  # an installed package has no repository
    changed = run_git('status', '--porcelain', '--untracked-files=no')
    return {'git': run_git('rev-parse', 'HEAD'),
            'changed': None if changed is None else bool(changed),
            'torch': torch.__version__, 'python': platform.python_version()}


def find_newest(folder: Path) -> Path | None:
    """Return the newest complete checkpoint below a folder, None where there is none."""
    checkpoints = _list_complete(folder)
    return checkpoints[-1] if checkpoints else None


def _list_complete(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob(f'{PREFIX}*') if path.suffix != '.part')


def _shapes(parameters: dict[str, nn.Parameter]) -> dict[str, list[int]]:
    return {name: list(value.shape) for name, value in parameters.items()}


def save(accelerator: Any, parameters: dict[str, nn.Parameter], recipe: Recipe, folder: Path,
         state: dict[str, Any]) -> Path:
    """
    Write the checkpoint of ``state['step']`` and remove those beyond ``run.keep``.

    Raises CheckpointError when it cannot be written (disk full); older ones are untouched.
    """
    target = folder / f'{PREFIX}{state["step"]:07d}'
    scratch = target.with_name(target.name + '.part')
    options = ({'exclude_frozen_parameters': True}
               if str(accelerator.distributed_type).endswith('DEEPSPEED') else {})
    try:
        if accelerator.is_main_process:
            for left in folder.glob(f'{PREFIX}*.part'):  # of a run that was killed
                shutil.rmtree(left, ignore_errors=True)
            scratch.mkdir(parents=True)
        accelerator.wait_for_everyone()
        accelerator.save_state(str(scratch), **options)
        if accelerator.is_main_process:
            dump_recipe(recipe, scratch / 'recipe.yaml')
            values = {**state, 'processes': accelerator.num_processes,
                      'shapes': _shapes(parameters), 'provenance': read_provenance()}
            (scratch / 'state.json').write_text(json.dumps(values, indent=1) + '\n', 'utf-8')
    except (OSError, RuntimeError, SafetensorError) as error:
        shutil.rmtree(scratch, ignore_errors=True)
        free = shutil.disk_usage(folder if folder.is_dir() else '.').free / 2 ** 30
        raise CheckpointError(
            f'{target}: cannot write the checkpoint ({error}); {free:.1f} GiB are free: make '
            'room and start again, training goes on from the checkpoint before') from error
    accelerator.wait_for_everyone()
    if accelerator.is_main_process:
        shutil.rmtree(target, ignore_errors=True)
        scratch.replace(target)
        for old in _list_complete(folder)[:-recipe.run.keep]:
            shutil.rmtree(old)
    accelerator.wait_for_everyone()
    return target


def _read_state(folder: Path) -> dict[str, Any]:
    try:
        return json.loads((folder / 'state.json').read_text(encoding='utf-8'))
    except (OSError, ValueError) as error:
        raise CheckpointError(f'{folder}: expected a checkpoint with state.json ({error}); '
                              'remove the folder to start from an older one') from error


def _flatten(values: dict[str, Any], prefix: str = '') -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, dict) and key != 'shares':
            flat |= _flatten(value, f'{prefix}{key}.')
        else:
            flat[prefix + key] = value
    return flat


def check_recipe(folder: Path, recipe: Recipe) -> None:
    """Raise CheckpointError naming the first key in which the recipe in a folder is another."""
    before = _flatten(dataclasses.asdict(load_recipe(folder / 'recipe.yaml')[0]))
    now = _flatten(dataclasses.asdict(recipe))
    for key in sorted(before.keys() | now.keys()):
        if before.get(key) != now.get(key) and not key.startswith((*FREE_KEYS, 'expect.')):
            raise CheckpointError(f'{folder}: {key} was {before.get(key)!r}, is {now.get(key)!r};'
                                  f' an exact continuation needs the same recipe: {ADVICE}')


def check_same(folder: Path, state: dict[str, Any], parameters: dict[str, nn.Parameter],
               recipe: Recipe, expected: dict[str, Any]) -> None:
    """Raise CheckpointError naming the first key in which a checkpoint differs from this run."""
    wanted, saved = _shapes(parameters), state['shapes']
    for name, shape in wanted.items():
        if saved.get(name) != shape:
            came = saved.get(name, 'no such key')
            raise CheckpointError(f'{folder}: another model: expected {name} {shape}, found '
                                  f'{came}; {ADVICE}')
    for name in saved:
        if name not in wanted:
            raise CheckpointError(f'{folder}: another model: found {name} {saved[name]}, which '
                                  f'this recipe does not train; {ADVICE}')
    check_recipe(folder, recipe)
    for key, value in expected.items():
        if state.get(key) != value:
            raise CheckpointError(f'{folder}: {key} was {state.get(key)!r}, is {value!r}; '
                                  f'{ADVICE}')


def restore(accelerator: Any, parameters: dict[str, nn.Parameter], recipe: Recipe, folder: Path,
            expected: dict[str, Any]) -> dict[str, Any]:
    """Put weights, optimizer and random states back and return the saved state."""
    state = _read_state(folder)
    check_same(folder, state, parameters, recipe,
               {**expected, 'processes': accelerator.num_processes})
    options = ({'load_module_strict': False}
               if str(accelerator.distributed_type).endswith('DEEPSPEED') else {'strict': False})
    try:
        accelerator.load_state(str(folder), **options)
    except (OSError, RuntimeError, EOFError, ValueError, SafetensorError) as error:
        raise CheckpointError(f'{folder}: cannot read the checkpoint ({error}); remove the '
                              'folder to start from an older one') from error
    return state
