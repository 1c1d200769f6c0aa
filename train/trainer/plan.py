"""
What a recipe trains and what it needs, computed on the meta device: no weights, no GPU.

Owns the formulae for memory. They are estimates for one GPU of ``run.gpus``, in bytes, with P
all parameters, Pt trained ones, G GPUs, B samples, T positions, L layers of width W and MLP
width M:

    weights       2 P                     bfloat16, on every GPU (ZeRO-2 does not split them)
    gradients     2 Pt / G + 2 buckets    bfloat16, split by ZeRO-2
    optimizer     12 Pt / G               float32 master weights and AdamW's two moments, split
    activations   2 W L B T               what checkpointing keeps: the input of every layer
    one layer     1.5 (8 M + 27 W) B T    recomputed on the way back; the bracket is measured on
                                          this decoder in bfloat16, the half is for gradients
    scores        10 bytes x vocabulary x 1024 positions (loss.BLOCK)
    tower         one layer over B x chunks windows; all layers where its body is trained
    reserve       2 GiB for CUDA, NCCL and fragments

Without checkpointing every layer keeps its bracket. Without ZeRO (sharding: none) weights that
are trained are float32 with float32 gradients: 18 Pt + 2 (P - Pt). Offloading is not counted.
"""

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from audio_interaction_ros.checkpoints.config import CheckpointConfig
from audio_interaction_ros.checkpoints.layout import build_modules
from audio_interaction_ros.errors import AudioInteractionError
from audio_interaction_ros.protocol import CHUNK_S
from train.trainer.loss import BLOCK
from train.trainer.model import ADAPTERS, Trainee
from train.trainer.recipe import Recipe
from train.trainer.starting_model import shape_of

__all__ = ['GIB', 'StagePlan', 'StagePlanError', 'check', 'make_plan', 'estimate_memory',
           'text_of']

GIB = 2 ** 30
BUCKET = 200_000_000
"""Elements of DeepSpeed's reduce bucket, as in train/recipes/deepspeed_*.json."""


class StagePlanError(AudioInteractionError):
    """A recipe states a number that its model does not have; one of both must change."""


@dataclass(frozen=True)
class StagePlan:
    """What one stage comes to."""

    recipe: Recipe
    tower_parameters: int
    lm_parameters: int
    added_parameters: int
    """Low-rank differences; merged away at the end."""
    trainable: dict[str, int]
    """Trained parameters per part: tower, adapter, new_embeddings, head, lm, lora."""
    memory: dict[str, float]
    """Bytes per GPU, by use."""
    chunk_s: float = CHUNK_S
    """What the model hears at once."""

    @property
    def trainable_parameters(self) -> int:
        """All trained parameters."""
        return sum(self.trainable.values())

    @property
    def effective_batch(self) -> int:
        """Samples per step of the optimizer."""
        run = self.recipe.run
        return run.batch * run.accumulation * run.gpus

    @property
    def steps(self) -> int:
        """Steps of the optimizer."""
        return self.recipe.run.steps

    @property
    def gpu_memory_gib(self) -> float:
        """Memory of one GPU."""
        return sum(self.memory.values()) / GIB


def _part_of(name: str) -> str:
    if name.endswith(('.A', '.B')):
        return 'lora'
    if name == 'new_rows':
        return 'new_embeddings'
    if name.startswith('tower.'):
        return 'adapter' if name.removeprefix('tower.').startswith(ADAPTERS) else 'tower'
    return 'head' if name.startswith('decoder.lm_head.') else 'lm'


def _count(values: Iterable[nn.Parameter]) -> int:
    return sum(value.numel() for value in values)


def make_plan(recipe: Recipe, recipe_path: Path) -> StagePlan:
    """Return the plan of a recipe; its shape is instantiated without storage."""
    config = shape_of(recipe, recipe_path)
    tower, decoder = build_modules(config)
    sizes = _count(tower.parameters()), _count(decoder.parameters())
    with torch.device('meta'):
        trainee = Trainee(config, tower, decoder, recipe)
    trainable: dict[str, int] = {}
    for name, value in trainee.learned_parameters.items():
        part = _part_of(name)
        part = 'lm' if part == 'head' and 'head' not in recipe.train else part
        trainable[part] = trainable.get(part, 0) + value.numel()
    added = trainable.get('lora', 0) + trainable.get('new_embeddings', 0)
    return StagePlan(recipe, *sizes, added, trainable,
                     estimate_memory(recipe, config, sum(sizes) + added, sum(trainable.values())),
                     config.audio_tower.chunk_size.s)


def estimate_memory(recipe: Recipe, config: CheckpointConfig, everything: int,
                    trained: int) -> dict[str, float]:
    """Return the bytes of one GPU by use; the formulae stand at the head of this module."""
    run, lm, tower = recipe.run, config.decoder, config.audio_tower
    places = run.batch * min(recipe.data.max_positions, config.max_positions)
    layer = (8 * lm.mlp_width + 27 * lm.width) * places
    frames = run.batch * recipe.data.max_chunks * tower.window_frames / 2
    tower_layer = (4 * tower.mlp_width + 20 * tower.width) * frames
    kept_towers = tower.layers if 'tower' in recipe.train else 1
    if run.sharding == 'zero2':
        states = {'weights': 2.0 * everything,
                  'gradients': 2 * trained / run.gpus + 2 * 2 * min(BUCKET, trained),
                  'optimizer': 12 * trained / run.gpus}
    else:
        states = {'weights': 6.0 * trained + 2 * (everything - trained),
                  'gradients': 4.0 * trained, 'optimizer': 8.0 * trained}
    return states | {
        'activations': 2.0 * lm.width * lm.layers * places if run.gradient_checkpointing
        else float(layer * lm.layers),
        'one layer': 1.5 * layer, 'scores': 10.0 * lm.vocab_size * BLOCK,
        'tower': 1.5 * tower_layer * kept_towers, 'reserve': 2.0 * GIB}


def check(plan: StagePlan) -> None:
    """Raise StagePlanError naming every number that differs from what the recipe states."""
    wrong = []
    for item in dataclasses.fields(plan.recipe.expect):
        stated, planned = getattr(plan.recipe.expect, item.name), getattr(plan, item.name)
        if stated is None:
            continue
        if item.name == 'gpu_memory_gib':
            if planned > stated:
                wrong.append(f'{item.name}: at most {stated:.1f} stated, {planned:.1f} needed')
        elif stated != planned:
            wrong.append(f'{item.name}: {stated:,} stated, {planned:,} found')
    if wrong:
        raise StagePlanError(f'recipe {plan.recipe.name}: ' + '; '.join(wrong) + '; correct the '
                             'recipe, its expect section or the shape')


def text_of(plan: StagePlan) -> str:
    """Return a plan for people."""
    run = plan.recipe.run
    hours = plan.effective_batch * plan.steps * plan.recipe.data.max_chunks * plan.chunk_s / 3600
    parts = ', '.join(f'{part} {count:,}' for part, count in plan.trainable.items())
    lines = [
        f'{plan.recipe.name}',
        f'  parameters      tower {plan.tower_parameters:,}, LM {plan.lm_parameters:,}',
        f'  trained         {plan.trainable_parameters:,} ({parts})',
        f'  batch           {plan.effective_batch:,} = {run.batch} x {run.accumulation} x '
        f'{run.gpus} GPUs',
        f'  steps           {plan.steps:,} at lr {plan.recipe.optimizer.lr:g}; at most '
        f'{hours:,.0f} h of audio heard',
        f'  memory per GPU  {plan.gpu_memory_gib:.1f} GiB ({run.sharding})']
    lines += [f'    {use:14s}{size / GIB:7.2f} GiB' for use, size in plan.memory.items()]
    return '\n'.join(lines)
