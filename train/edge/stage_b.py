r"""
Stage B: when to speak and what to say, learned together on scenes.

Low-rank differences, control rows and projector are trained with cross-entropy on text and on
decisions (a due reply weighs twice). Prints progress, saves every two minutes and continues from
the last save. Under torchrun the processes share the work; on two cores two processes of one
thread each beat one process of two.

    python -m train.edge.stage_b --features FEATURES --projector projector.safetensors \
        --out trained.safetensors --minutes 20
"""

import argparse
import math
import os
import random
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
import torch.distributed as dist
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer
from torch import Tensor, nn
from torch.nn import functional as F

from audio_interaction_ros.model.base_weights import fetch
from train.edge.adapter import Edge
from train.edge.layout import (
    CHUNK_S, IDS, IGNORE, PROMPTS, Sequenced, decisions, sequence)
from train.edge.scenes import scene_rows

__all__ = ['collate', 'losses', 'pick_lane', 'sequenced']

POSITIONS = 1_600
"""Positions of one batch, padding included."""
RESPOND_WEIGHT = 2.0
LANE_SHARE = {'speech': 0.8, 'mixed': 0.5, 'alert': 0.25, 'harmless': 0.5}
"""How often a scene of a kind is seen by the transcript lane; else by the assistant lane."""
Item = tuple[Sequenced, np.ndarray]


def pick_lane(kind: str, rng: random.Random) -> str:
    """Draw the lane that sees a scene this time."""
    return 'transcript' if rng.random() < LANE_SHARE[kind] else 'assistant'


def sequenced(row: dict, lane: str, tokenizer: Tokenizer) -> Sequenced:
    """Return a scene as a lane's session."""
    def encode(text: str) -> list[int]:
        return tokenizer.encode(text, add_special_tokens=False).ids
    replies = [None if reply is None else (reply[0], encode(reply[1]))
               for reply in decisions(row['events'], lane, row['chunks'])]
    return sequence(encode(PROMPTS[lane]), replies)


def crops(row: dict) -> list[dict]:
    """Return each utterance of a scene as a scene of its own, from a chunk before it began."""
    found = []
    for event in row['events']:
        first = max(0, int(event['start'] / CHUNK_S) - 1)
        last = min(row['chunks'], math.ceil(event['due'] / CHUNK_S) + 1)
        moved = {**event, 'due': event['due'] - first * CHUNK_S}
        found.append({**row, 'first': first, 'chunks': last - first, 'events': [moved]})
    return found


def items_of(row: dict, folder: Path, tokenizer: Tokenizer, rng: random.Random,
             crop: float) -> list[Item]:
    """Return what is learned from a scene this time."""
    lane = pick_lane(row['kind'], rng)
    short = lane == 'transcript' and row['kind'] == 'speech' and rng.random() < crop
    frames = np.load(folder / f'{row["name"]}.npy', mmap_mode='r')
    found = []
    for part in crops(row) if short else [row]:
        first = part.get('first', 0)
        found.append((sequenced(part, lane, tokenizer), frames[first:first + part['chunks']]))
    return found


def collate(items: list[Item]) -> tuple[Tensor, Tensor, tuple[Tensor, Tensor], Tensor, Tensor]:
    """Return ids, frames, where the frames go, control labels and text labels; right-padded."""
    length = max(len(item.ids) for item, _ in items)

    def stack(name: str, fill: int) -> Tensor:
        rows = [np.pad(getattr(item, name), (0, length - len(item.ids)), constant_values=fill)
                for item, _ in items]
        return torch.from_numpy(np.stack(rows))

    frames = np.concatenate([values.reshape(-1, values.shape[-1]) for _, values in items])
    where = (torch.tensor(np.repeat(np.arange(len(items)),
                                    [len(item.feature_at) for item, _ in items])),
             torch.tensor(np.concatenate([item.feature_at for item, _ in items])))
    return (stack('ids', IDS.text_end), torch.from_numpy(frames.astype(np.float32)), where,
            stack('control', IGNORE), stack('text', IGNORE))


def losses(model: Edge, items: list[Item]) -> tuple[Tensor, Tensor]:
    """Return the mean losses of decisions and of text."""
    ids, frames, where, control, text = collate(items)
    hidden = model(ids, frames, where)
    rows = model.rows()
    pair = rows[[IDS.silence, IDS.respond]]
    scores = F.linear(hidden[control != IGNORE], pair).float()
    decision = F.cross_entropy(scores, control[control != IGNORE],
                               weight=torch.tensor([1.0, RESPOND_WEIGHT]))
    said = text != IGNORE
    if not said.any():
        return decision, torch.zeros(())
    return decision, F.cross_entropy(F.linear(hidden[said], rows).float(), text[said])


def batches(rows: list[dict], folder: Path, tokenizer: Tokenizer,
            rng: random.Random, crop: float = 0.0) -> Iterator[list[Item]]:
    """Yield batches of alike lengths, for ever; every round draws lanes anew."""
    while True:
        items = [item for row in rows for item in items_of(row, folder, tokenizer, rng, crop)]
        items.sort(key=lambda item: len(item[0].ids) + rng.random() * 30)
        groups: list[list[Item]] = [[]]
        for item in items:
            if len(groups[-1]) and len(item[0].ids) * (len(groups[-1]) + 1) > POSITIONS:
                groups.append([])
            groups[-1].append(item)
        yield from rng.sample(groups, len(groups))


def parameter_groups(model: Edge, rate: float) -> list[dict]:
    # Stage A has taught the projector already: large early gradients must not undo it.
    rates = {'projector': 0.1, 'control_rows': 0.5}
    groups: dict[str, list[nn.Parameter]] = {}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            groups.setdefault(name.partition('.')[0], []).append(parameter)
    return [{'params': members, 'scale': rate * rates.get(name, 1.0)}
            for name, members in groups.items()]


def average(tensors: list[Tensor]) -> None:
    """Average tensors in place over the processes that torchrun started."""
    flat = torch.cat([tensor.reshape(-1) for tensor in tensors])
    dist.all_reduce(flat)
    flat /= dist.get_world_size()
    for tensor, part in zip(tensors, flat.split([t.numel() for t in tensors]), strict=True):
        tensor.copy_(part.view_as(tensor))


def save(model: Edge, path: Path) -> None:
    scratch = path.with_suffix('.part')
    save_file({name: value.to(torch.float16).contiguous()
               for name, value in model.trained().items()}, scratch)
    scratch.replace(path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument('--features', type=Path, required=True)
    parser.add_argument('--projector', type=Path, required=True)
    parser.add_argument('--out', type=Path, required=True)
    parser.add_argument('--minutes', type=float, default=20.0)
    parser.add_argument('--crop', type=float, default=0.0,
                        help='share of speech scenes cut into single utterances')
    parser.add_argument('--rate', type=float, default=8e-4)
    arguments = parser.parse_args()
    rank = int(os.environ.get('RANK', 0))
    if 'RANK' in os.environ:
        dist.init_process_group('gloo')
    rng = random.Random(f'stage b {rank}')
    tokenizer = Tokenizer.from_file(str(fetch('smollm2-135m-instruct') / 'tokenizer.json'))
    model = Edge()
    start = arguments.out if arguments.out.exists() else arguments.projector
    model.load_trained(load_file(start))
    optimizer = torch.optim.AdamW(parameter_groups(model, arguments.rate), weight_decay=0.0,
                                  betas=(0.9, 0.98))
    rows = scene_rows(arguments.features)
    trainable = [p for p in model.parameters() if p.requires_grad]
    print(f'{len(rows)} scenes, from {start.name}', flush=True)
    begin, saved, seen, sums = time.monotonic(), time.monotonic(), 0, np.zeros(3)
    for step, items in enumerate(batches(rows, arguments.features, tokenizer, rng,
                                            arguments.crop), start=1):
        done = torch.tensor((time.monotonic() - begin) / 60 / arguments.minutes)
        if dist.is_initialized():
            average([done])  # processes must stop after the same step
        if done >= 1.0:
            break
        for group in optimizer.param_groups:
            group['lr'] = group['scale'] * min(1.0, step / 20) * max(0.05, 1 - float(done))
        decision, text = losses(model, items)
        optimizer.zero_grad()
        (2.0 * decision + text).backward()
        if dist.is_initialized():
            average([p.grad for p in trainable if p.grad is not None])
        nn.utils.clip_grad_norm_(trainable, 1.0)
        optimizer.step()
        seen += len(items)
        sums += (decision.item(), text.item(), 1)
        if rank == 0 and step % 20 == 0:
            print(f'step {step}, {seen} scenes, decision {sums[0] / sums[2]:.4f}, text '
                  f'{sums[1] / sums[2]:.3f}, {float(done) * arguments.minutes:.1f} min',
                  flush=True)
            sums[:] = 0
        if rank == 0 and time.monotonic() - saved > 120:
            save(model, arguments.out)
            saved = time.monotonic()
    if rank == 0:
        save(model, arguments.out)


if __name__ == '__main__':
    main()
