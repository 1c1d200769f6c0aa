"""
The training loop of one stage, on one process or many, by accelerate.

Owns the order of steps, logging, evaluation and when checkpoints are written. A run that was cut
off and goes on gives the same bits as one that was not.
"""

import hashlib
import itertools
import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch.utils.data import DataLoader

from audio_interaction_ros.errors import ConfigurationError, MissingDependencyError
from audio_interaction_ros.model.tokenizer import Tokenizer
from train.trainer import saving
from train.trainer.batch import Batch, collate
from train.trainer.data import Prepared, Samples
from train.trainer.draws import draw_batches
from train.trainer.evaluate import Counts, count_batch, generate_reply
from train.trainer.export import export
from train.trainer.model import Trainee
from train.trainer.recipe import Recipe, dump_recipe, learning_rate
from train.trainer.starting_model import Start
from train.trainer.watch import Watch

__all__ = ['RunReport', 'Trainer', 'make_accelerator']


@dataclass(frozen=True)
class RunReport:
    """How a call of ``Trainer.run`` ended."""

    step: int
    loss: float
    """Of the last step, per label."""
    measures: dict[str, float]
    """Of the last evaluation, empty before the first."""
    model: Path | None
    """The folder for the runtime, None where the stage is not over."""


def make_accelerator(recipe: Recipe, *, cpu: bool = False) -> Any:
    """Return accelerate's Accelerator for a recipe; DeepSpeed comes from ``accelerate launch``."""
    try:
        from accelerate import Accelerator
        from accelerate.utils import GradientAccumulationPlugin
    except ImportError as error:
        raise MissingDependencyError('training needs accelerate; run: pip install -r '
                                     'requirements/train.txt') from error
    accelerator = Accelerator(
        cpu=cpu, mixed_precision='bf16' if recipe.run.precision == 'bf16' else 'no',
        gradient_accumulation_plugin=GradientAccumulationPlugin(
            num_steps=recipe.run.accumulation, sync_with_dataloader=False))
    plugin = getattr(accelerator.state, 'deepspeed_plugin', None)
    if plugin is not None:  # numbers have one home: the recipe
        plugin.deepspeed_config['train_micro_batch_size_per_gpu'] = recipe.run.batch
        plugin.deepspeed_config['gradient_accumulation_steps'] = recipe.run.accumulation
        plugin.deepspeed_config['gradient_clipping'] = recipe.optimizer.clip
    return accelerator


def fingerprint(samples: Samples) -> str:
    """Return a hash of which samples there are, in order."""
    digest = hashlib.sha256()
    for item in samples.items:
        digest.update(f'{item.stream.id} {item.lane} {item.first} {item.chunks}\n'.encode())
    return digest.hexdigest()[:16]


class Trainer:
    """One stage: call ``run``; a second Trainer over the same folder goes on where it stood."""

    def __init__(self, recipe: Recipe, start: Start, samples: Samples, held_out: Samples,
                 out: Path, *, cpu: bool = False, quiet: bool = False) -> None:
        self.recipe, self.out, self._start = recipe, out, start
        self.samples, self.held_out = samples, held_out
        self.accelerator = make_accelerator(recipe, cpu=cpu)
        processes = self.accelerator.num_processes
        if processes != recipe.run.gpus:  # the effective batch would be another
            raise ConfigurationError(
                f'run.gpus: expected {recipe.run.gpus} processes, found {processes}; start with '
                f'accelerate launch, or say --set run.gpus={processes}')
        _seed(recipe.run.seed)  # low-rank differences are drawn
        self.trainee = Trainee(start.config, start.tower, start.decoder, recipe)
        self._halve_frozen()
        optimizer = recipe.optimizer
        self.model, self.optimizer = self.accelerator.prepare(
            self.trainee, torch.optim.AdamW(
                list(self.trainee.learned_parameters.values()), lr=optimizer.lr, eps=optimizer.eps,
                betas=(optimizer.beta1, optimizer.beta2), weight_decay=optimizer.weight_decay))
        names = set(self.trainee.learned_parameters)
        self.accelerator.register_save_state_pre_hook(partial(_drop_frozen, names))
        self.step, self.measures = 0, dict[str, float]()
        self._quiet = quiet
        self._resume()

    def _halve_frozen(self) -> None:
        """Keep what is not trained in bfloat16, where that is what it is computed in."""
        if self.recipe.run.precision == 'bf16' and self.accelerator.device.type == 'cuda':
            for value in self.trainee.parameters():
                if not value.requires_grad:
                    value.data = value.data.bfloat16()

    def _resume(self) -> None:
        newest = saving.find_newest(self.out / 'checkpoints')
        if newest is None:
            return
        state = saving.restore(self.accelerator, self.trainee.learned_parameters, self.recipe,
                               newest,
                               {'samples': fingerprint(self.samples)})
        self.step, self.measures = state['step'], state['measures']

    def run(self, until: int | None = None) -> RunReport:
        """
        Train up to step ``until`` (default: the whole stage) and return how it went.

        At the last step of the stage the model is written to ``OUT/model``.
        """
        run = self.recipe.run
        last = run.steps if until is None else min(until, run.steps)
        loss = math.nan
        self.out.mkdir(parents=True, exist_ok=True)
        dump_recipe(self.recipe, self.out / 'recipe.yaml')
        watch = Watch(self.out / 'log', self.recipe, self.step,
                      show=self.accelerator.is_main_process and not self._quiet,
                      write=self.accelerator.is_main_process)
        with watch:
            micro = self._micro_batches()
            while self.step < last:
                loss = self._take_step(list(itertools.islice(micro, run.accumulation)), watch)
                if self.step % run.evaluate_every == 0 or self.step == run.steps:
                    self._evaluate(watch)
                if self.step % run.save_every == 0 or self.step == last:
                    self._save()
        return RunReport(self.step, loss, self.measures, self._finish())

    def try_steps(self, count: int) -> Iterator[float]:
        """Yield the loss of each of some steps; nothing is evaluated, logged or written."""
        micro = self._micro_batches()
        with Watch(self.out / 'log', self.recipe, self.step, show=False, write=False) as watch:
            for _ in range(count):
                yield self._take_step(list(itertools.islice(micro, self.recipe.run.accumulation)),
                                      watch)

    def _micro_batches(self) -> Iterator[Batch]:
        run, accelerator = self.recipe.run, self.accelerator
        numbers = draw_batches(self.samples, seed=run.seed, batch=run.batch,
                               world=accelerator.num_processes, rank=accelerator.process_index,
                               first=self.step * run.accumulation)
        # Its own generator: making a loader must not advance the global one.
        return iter(DataLoader(
            self.samples, batch_sampler=numbers, num_workers=run.workers,  # type: ignore
            collate_fn=partial(collate, pad=self.trainee.config.token_ids.pad),
            generator=torch.Generator().manual_seed(run.seed)))

    def _take_step(self, micro: list[Batch], watch: Watch) -> float:
        accelerator, recipe = self.accelerator, self.recipe
        device = accelerator.device
        labels = self._sum_over_processes([sum(batch.labels for batch in micro)])[0]
        # Gradients are averaged over micro-batches and processes; the labels are counted once.
        scale = recipe.run.accumulation * accelerator.num_processes / max(labels, 1.0)
        rate = learning_rate(recipe, self.step)
        for group in self.optimizer.param_groups:
            group['lr'] = rate
        sums, norm = torch.zeros(2, device=device), torch.zeros(())
        self.model.train()
        for batch in micro:
            with accelerator.accumulate(self.model):
                parts = self.model(batch.to(device))
                accelerator.backward(parts.sum() * scale)
                if accelerator.sync_gradients:
                    norm = accelerator.clip_grad_norm_(self.trainee.learned_parameters.values(),
                                                       recipe.optimizer.clip)
                self.optimizer.step()
                self.optimizer.zero_grad()
            sums += parts.detach()
        self.step += 1
        text, control = (value / max(labels, 1.0) for value
                         in self._sum_over_processes(sums.tolist()))
        if self.step % recipe.run.log_every == 0 or self.step == recipe.run.steps:
            watch.scalars(self.step, {'loss': text + control, 'loss_text': text,
                                      'loss_control': control, 'lr': rate,
                                      'gradient_norm': float(norm or 0.0)}, 'train')
        watch.advance(self.step, text + control)
        return text + control

    def _sum_over_processes(self, values: list[float] | list[int]) -> list[float]:
        total = torch.tensor(values, dtype=torch.float64, device=self.accelerator.device)
        return self.accelerator.reduce(total, reduction='sum').tolist()

    def _evaluate(self, watch: Watch) -> None:
        if not len(self.held_out):
            return
        run, accelerator = self.recipe.run, self.accelerator
        numbers = range(accelerator.process_index, len(self.held_out), accelerator.num_processes)
        self.trainee.eval()
        counts = Counts()
        for first in range(0, min(len(numbers), run.evaluation_batches * run.batch), run.batch):
            batch = self._collate([self.held_out[i] for i in numbers[first:first + run.batch]])
            with accelerator.autocast():
                counts += count_batch(self.trainee, batch)
        counts = Counts(*(int(value) for value in self._sum_over_processes(counts.values())))
        self.measures = counts.measures()
        watch.scalars(self.step, self.measures, 'evaluation')
        if accelerator.is_main_process:
            self._generate(watch)

    def _generate(self, watch: Watch) -> None:
        tokenizer = self._tokenizer()
        wanted = self.recipe.run.generations
        for number in range(len(self.held_out)):
            if wanted == 0:
                break
            if not self.held_out.items[number].replies:
                continue
            with self.accelerator.autocast():
                said = generate_reply(self.trainee, self.held_out[number], tokenizer)
            if said is not None:
                wanted -= 1
                watch.text(self.step, f'expected: {said.expected}\n\ngiven: {said.given}',
                           f'generation {self.recipe.run.generations - wanted}')

    def _tokenizer(self) -> Tokenizer:
        path = self.out / 'tokenizer.json'
        path.write_text(self._start.tokenizer_json, encoding='utf-8')
        return Tokenizer(path, structural=self.trainee.config.token_ids.structural)

    def _collate(self, samples: list[Prepared]) -> Batch:
        return collate(samples, self.trainee.config.token_ids.pad).to(self.accelerator.device)

    def _save(self) -> None:
        saving.save(self.accelerator, self.trainee.learned_parameters, self.recipe,
                    self.out / 'checkpoints',
                    {'step': self.step, 'measures': self.measures,
                     'samples': fingerprint(self.samples)})

    def _finish(self) -> Path | None:
        if self.step < self.recipe.run.steps:
            return None
        folder = self.out / 'model'
        if self.accelerator.is_main_process:
            bf16 = self.recipe.run.precision == 'bf16'
            export(self.trainee, folder, self._start.tokenizer_json, self.samples.prompts(),
                   dtype=torch.bfloat16 if bf16 else torch.float32)
            dump_recipe(self.recipe, folder.parent / 'recipe.yaml')
            (folder.parent / 'provenance.json').write_text(
                json.dumps(saving.read_provenance(), indent=1) + '\n', encoding='utf-8')
        self.accelerator.wait_for_everyone()
        return folder


def _seed(seed: int) -> None:
    from accelerate.utils import set_seed
    set_seed(seed)


def _drop_frozen(names: set[str], models: list[Any], weights: list[dict], folder: str) -> None:
    # Frozen weights are where they came from; a checkpoint need not carry them.
    for state in weights:
        for name in [name for name in state if name.removeprefix('module.') not in names]:
            del state[name]
