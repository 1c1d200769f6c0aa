r"""
Stage B: when to speak and what to say, learned together on scenes.

Low-rank differences, control rows and projector are trained with cross-entropy on text and on
decisions (a due reply weighs twice). Prints progress, saves every two minutes and continues from
the last save, the minutes spent before it included. Under torchrun the processes share the work;
on two cores two processes of one thread each beat one process of two.

    python -m train.edge.stage_b --features FEATURES --projector projector.safetensors \
        --sound sound.safetensors --out trained.safetensors --minutes 20
"""

import argparse
import math
import os
import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
import torch.distributed as dist
from safetensors.torch import load_file
from tokenizers import Tokenizer
from torch import Tensor, nn
from torch.nn import functional as F

from audio_interaction_ros.errors import AudioInteractionError
from audio_interaction_ros.model.base_weights import fetch
from train.edge.adapter import Edge
from train.edge.layout import (
    CHUNK_S, IDS, IGNORE, PROMPTS, decisions, reply, sequence)
from train.edge.resume import Clock, digests, keep, take_up
from train.edge.scenes import ENDINGS, scene_rows, sounds_of
from train.tokens import Sample

__all__ = ['collate', 'draw_session', 'losses', 'sequenced']

POSITIONS = 1_600
"""Positions of one batch, padding included."""
RESPOND_WEIGHT = 2.0
LONGEST_CHUNKS = 60
SAID_EVERY = 20
"""Steps."""
SAVED_EVERY_S = 120
SESSIONS = 96
"""Sessions drawn at once and grouped by length."""
LANES = {
    'transcript': (0.5, {'speech': 0.65, 'alert': 0.1, 'harmless': 0.1, 'long': 0.15}),
    'assistant': (0.5, {'speech': 0.15, 'asked': 0.15, 'alert': 0.3, 'harmless': 0.2,
                        'long': 0.2}),
}
"""How often a lane is drawn, and what it hears; what it does not answer to is its silence."""
ASKED = 'asked'
"""Scenes of speech with something that the assistant answers."""
Heard = tuple[np.ndarray, np.ndarray]
"""Frames [chunks, 5, 4096] and summaries [chunks, 4608], float16."""
Item = tuple[Sample, Heard]


class MissingScenesError(AudioInteractionError):
    """A folder of features holds no scene of a kind that sessions are drawn from; make some."""


def sequenced(rows: Sequence[dict], lane: str, tokenizer: Tokenizer) -> Sample:
    """Return scenes, one after the other, as one session of a lane."""
    def encode(text: str) -> list[int]:
        return tokenizer.encode(text, add_special_tokens=False).ids
    replies = [None if said is None else (said[0], encode(said[1]))
               for row in rows for said in decisions(row['events'], lane, row['chunks'])]
    return sequence(encode(PROMPTS[lane]), replies)


def draw_lane(rng: random.Random) -> str:
    return rng.choices(list(LANES), [share for share, _ in LANES.values()])[0]


def draw_session(by_kind: Mapping[str, Sequence[dict]], rng: random.Random) -> tuple[
        str, list[dict]]:
    """
    Draw a lane and the scenes that it hears in a row.

    Sessions of one scene would teach the model when in a stream something happens, not what.
    """
    lane = draw_lane(rng)
    weights = LANES[lane][1]
    kinds = rng.choices(list(weights), list(weights.values()), k=rng.choice((1, 2, 3, 4, 5)))
    rows = [rng.choice(by_kind[kind]) for kind in kinds]
    while len(rows) > 1 and sum(row['chunks'] for row in rows) > LONGEST_CHUNKS:
        rows.pop()
    return lane, rows


def crop(row: dict, rng: random.Random, lane: str = '') -> tuple[dict, int]:
    """
    Return one event of a scene as a scene, from a chunk before it began, and that chunk.

    With ``lane`` only an event that this lane answers to, if there is one.
    """
    events = [event for event in row['events'] if lane and reply(event, lane)] or row['events']
    event = rng.choice(events)
    first = max(0, int(event['start'] / CHUNK_S) - 1)
    last = min(row['chunks'], math.ceil(event['due'] / CHUNK_S) + 1)
    return {**row, 'chunks': last - first,
            'events': [{**event, 'due': event['due'] - first * CHUNK_S}]}, first


def draw_item(by_kind: Mapping[str, Sequence[dict]], folder: Path, tokenizer: Tokenizer,
              rng: random.Random, single: float) -> Item:
    """
    Draw a session; with the probability ``single`` one event alone.

    Both lanes hear speech alone: only the prompt tells the one to write and the other to wait.
    """
    def heard(row: dict, first: int = 0, last: int | None = None) -> list[np.ndarray]:
        return [np.load(folder / f'{row["name"]}{end}', mmap_mode='r')[first:last]
                for end in ENDINGS]
    if rng.random() < single:
        lane = draw_lane(rng)
        kind = 'speech' if lane == 'transcript' else rng.choice(('speech', ASKED, 'alert'))
        part, first = crop(row := rng.choice(by_kind[kind]), rng, lane if kind == ASKED else '')
        frames, sound = heard(row, first, first + part['chunks'])
        return sequenced([part], lane, tokenizer), (frames, sound)
    lane, scenes = draw_session(by_kind, rng)
    frames, sound = (np.concatenate(parts) for parts in zip(*map(heard, scenes), strict=True))
    return sequenced(scenes, lane, tokenizer), (frames, sound)


def collate(items: list[Item]) -> tuple[
        Tensor, Tensor, Tensor, tuple[Tensor, Tensor], Tensor, Tensor]:
    """Return ids, frames, summaries, where features go, control and text labels; right-padded."""
    length = max(len(item.ids) for item, _ in items)

    def stack(name: str, fill: int) -> Tensor:
        rows = [np.pad(getattr(item, name), (0, length - len(item.ids)), constant_values=fill)
                for item, _ in items]
        return torch.from_numpy(np.stack(rows))

    frames, heard = (np.concatenate(parts).astype(np.float32)
                     for parts in zip(*(heard for _, heard in items), strict=True))
    where = (torch.tensor(np.repeat(np.arange(len(items)),
                                    [len(item.feature_at) for item, _ in items])),
             torch.tensor(np.concatenate([item.feature_at for item, _ in items])))
    return (stack('ids', IDS.text_end), torch.from_numpy(frames), torch.from_numpy(heard), where,
            stack('control', IGNORE), stack('text', IGNORE))


def losses(model: Edge, items: list[Item]) -> tuple[Tensor, Tensor]:
    """Return the mean losses of decisions and of text."""
    ids, frames, heard, where, control, text = collate(items)
    hidden = model(ids, frames, heard, where)
    rows = model.rows()
    pair = rows[[IDS.silence, IDS.respond]]
    scores = F.linear(hidden[control != IGNORE], pair).float()
    decision = F.cross_entropy(scores, control[control != IGNORE],
                               weight=torch.tensor([1.0, RESPOND_WEIGHT]))
    said = text != IGNORE
    if not said.any():
        return decision, torch.zeros(())
    return decision, F.cross_entropy(F.linear(hidden[said], rows).float(), text[said])


def batches(rows: list[dict], folder: Path, tokenizer: Tokenizer, rng: random.Random,
            single: Callable[[], float]) -> Iterator[list[Item]]:
    """Yield batches of sessions of alike lengths, for ever; ``single`` as in draw_item."""
    by_kind: dict[str, list[dict]] = {}
    for row in rows:
        by_kind.setdefault(row['kind'], []).append(row)
    by_kind[ASKED] = [row for row in by_kind.get('speech', [])
                      if any(reply(event, 'assistant') for event in row['events'])]
    needed = sorted({kind for _, weights in LANES.values() for kind in weights})
    if missing := [kind for kind in needed if not by_kind.get(kind)]:
        raise MissingScenesError(f'{folder}: expected scenes of {", ".join(needed)}, found none '
                                 f'of {", ".join(missing)}; make some with train.edge.features')
    while True:
        items = [draw_item(by_kind, folder, tokenizer, rng, single()) for _ in range(SESSIONS)]
        items.sort(key=lambda item: len(item[0].ids))
        groups: list[list[Item]] = [[]]
        for item in items:
            if len(groups[-1]) and len(item[0].ids) * (len(groups[-1]) + 1) > POSITIONS:
                groups.append([])
            groups[-1].append(item)
        yield from rng.sample(groups, len(groups))


def parameter_groups(model: Edge, rate: float) -> list[dict]:
    # Stage A has taught the projector already: large early gradients must not undo it.
    rates = {'projector': 0.1, 'sound': 0.3, 'control_rows': 0.5}
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


def step(model: Edge, optimizer: torch.optim.Optimizer, items: list[Item]) -> tuple[float, float]:
    """Learn from a batch, with all processes; return this one's losses of decisions and text."""
    decision, text = losses(model, items)
    optimizer.zero_grad()
    (2.0 * decision + text).backward()
    trainable = [p for p in model.parameters() if p.requires_grad]
    if dist.is_initialized():
        average([p.grad for p in trainable if p.grad is not None])
    nn.utils.clip_grad_norm_(trainable, 1.0)
    optimizer.step()
    return decision.item(), text.item()


def train(model: Edge, optimizer: torch.optim.Optimizer, drawn: Iterator[list[Item]],
          clock: Clock, save: Callable[[], None]) -> None:
    """Learn until the time is over; say every SAID_EVERY steps how it goes, save as often."""
    first = not dist.is_initialized() or dist.get_rank() == 0
    saved, seen, sums = time.monotonic(), 0, np.zeros(3)
    for number, items in enumerate(drawn, start=1):
        done = torch.tensor(clock.share())
        if dist.is_initialized():
            average([done])  # processes must stop after the same step
        if done >= 1.0:
            break
        for group in optimizer.param_groups:
            group['lr'] = group['scale'] * min(1.0, number / 20) * max(0.05, 1 - float(done))
        sums += (*step(model, optimizer, items), 1)
        seen += len(items)
        if first and number % SAID_EVERY == 0:
            print(f'step {number}, {seen} sessions, decision {sums[0] / sums[2]:.4f}, text '
                  f'{sums[1] / sums[2]:.3f}, {float(done) * clock.minutes:.1f} min', flush=True)
            sums[:] = 0
        if first and time.monotonic() - saved > SAVED_EVERY_S:
            save()
            saved = time.monotonic()
    if first:
        save()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument('--features', type=Path, required=True)
    parser.add_argument('--projector', type=Path, required=True)
    parser.add_argument('--sound', type=Path, required=True, help='what train.edge.sound made')
    parser.add_argument('--out', type=Path, required=True)
    parser.add_argument('--minutes', type=float, default=20.0)
    parser.add_argument('--rate', type=float, default=8e-4)
    arguments = parser.parse_args()
    rank = int(os.environ.get('RANK', 0))
    if 'RANK' in os.environ:
        dist.init_process_group('gloo')
    tokenizer = Tokenizer.from_file(str(fetch('smollm2-135m-instruct') / 'tokenizer.json'))
    starts = {'projector': arguments.projector, 'sound_branch': arguments.sound}
    begun_from, out, spent = digests(starts), arguments.out, 0.0
    model = Edge(sounds_of(arguments.sound))
    optimizer = torch.optim.AdamW(parameter_groups(model, arguments.rate), weight_decay=0.0,
                                  betas=(0.9, 0.98))
    if out.exists():
        spent = take_up(model, optimizer, out, begun_from)
    else:
        for start in starts.values():
            model.load_trained(load_file(start))
    if dist.is_initialized():
        dist.barrier()  # nobody writes what another still reads
    rows = scene_rows(arguments.features)
    print(f'{len(rows)} scenes, {spent:.1f} of {arguments.minutes:.1f} min spent', flush=True)
    clock = Clock(arguments.minutes, spent)

    def single() -> float:
        # To read words is learned first, on single events; when to speak, in long sessions.
        return max(0.3, 1.0 - 2.0 * clock.share())
    drawn = batches(rows, arguments.features, tokenizer,
                    random.Random(f'stage b {rank} {spent:.1f}'), single)
    train(model, optimizer, drawn, clock,
          lambda: keep(model, optimizer, out, clock.spent(), begun_from))


if __name__ == '__main__':
    main()
