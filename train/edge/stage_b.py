r"""
Stage B: when to speak and what to say, learned together on scenes.

Low-rank differences, control rows and projector are trained with cross-entropy on text and on
decisions; with sentence pairs every few steps on these too,
for what was learned of translating text is lost while only hearing is trained. Prints progress,
saves every two minutes and continues from the last save, the minutes spent before it included.
Alone it learns on a GPU where there is one. Under torchrun the processes share the cores; on two
cores two processes of one thread each beat one process of two.

    python -m train.edge.stage_b --scenes OUT/train --projector projector.safetensors \
        --sound sound.safetensors --out trained.safetensors --recipe edge
"""

import argparse
import json
import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from itertools import repeat
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional as F

from held_out.pairs import DIRECTIONS, Pair, read_pairs, split_pairs
from train.edge.adapter import Edge
from train.edge.feature_folder import read_sounds, read_streams
from train.edge.layout import BASE_VOCABULARY, IDS
from train.edge.pair_rows import BaseTokenizer, PairRow, loss_of
from train.edge.pair_rows import draw_rows as rows_of
from train.edge.recipe import Replies, read_edge_recipe
from train.edge.training_sessions import Item, draw_batches
from train.tokens import IGNORE
from train.trainer.clock import Clock, computing_seconds
from train.trainer.processes import average, mean_of, the_processes
from train.trainer.progress import hash_files, resume_progress, save_progress
from train.trainer.schedule import rate_share, set_rates

__all__ = ['collate', 'exchange_words', 'mean_losses']

SAID_EVERY = 20
"""Steps."""
SAVED_EVERY_S = 120
PARTS = {'projector': ('projector.',), 'sound_branch': ('sound.',),
         'begin': ('lora.', 'control_rows')}
"""What is taken of each file of weights, which may hold a whole model."""


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


def exchange_words(ids: Tensor, text: Tensor, share: float) -> Tensor:
    """
    Return ids [B, T] with a share of the words of replies exchanged for others of the batch.

    The next word is then to be read from what is heard, not guessed from the sentence so far:
    one misread word must not lead to a fluent and wrong sentence. Labels stay as they are.
    """
    words = torch.zeros_like(ids, dtype=torch.bool)
    words[:, 1:] = (text[:, :-1] != IGNORE) & (ids[:, 1:] < BASE_VOCABULARY)
    exchanged = words & (torch.rand(ids.shape, device=ids.device) < share)
    others = ids[words][torch.randint(int(words.sum()), (int(exchanged.sum()),),
                                      device=ids.device)]
    return ids.masked_scatter(exchanged, others)


def mean_losses(model: Edge, items: list[Item], asked: Replies) -> tuple[Tensor, Tensor]:
    """Return the mean losses of decisions and of text."""
    place = model.rows().device
    ids, frames, heard, (row, column), control, text = collate(items)
    ids, frames, heard, row, column, control, text = (
        values.to(place) for values in (ids, frames, heard, row, column, control, text))
    if model.training and (text != IGNORE).any():
        ids = exchange_words(ids, text, asked.forgotten)
    hidden = model(ids, frames, heard, (row, column))
    rows = model.rows()
    pair = rows[[IDS.silence, IDS.respond]]
    scores = F.linear(hidden[control != IGNORE], pair).float()
    decision = F.cross_entropy(scores, control[control != IGNORE],
                               weight=torch.tensor([1.0, asked.respond_weight], device=place))
    said = text != IGNORE
    if not said.any():
        return decision, decision.new_zeros(())
    return decision, F.cross_entropy(F.linear(hidden[said], rows).float(), text[said])


def parameter_groups(model: Edge, asked: Replies) -> list[dict]:
    """Return the trained parameters by part of the model, each with its rate."""
    groups: dict[str, list[nn.Parameter]] = {}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            groups.setdefault(name.partition('.')[0], []).append(parameter)
    return [{'params': members, 'lr': asked.rate * asked.rates.get(name, 1.0)}
            for name, members in groups.items()]


def step(model: Edge, optimizer: torch.optim.Optimizer, items: list[Item], asked: Replies,
         told: Sequence[PairRow] = ()) -> tuple[float, float]:
    """
    Learn from a batch, with all processes; return this one's losses of decisions and text.

    ``told`` are rows of sentence pairs that are learned in the same step.
    """
    decision, text = mean_losses(model, items, asked)
    optimizer.zero_grad()
    (asked.control_weight * decision + text).backward()
    if told:
        loss_of(model, told).backward()
    trainable = [p for p in model.parameters() if p.requires_grad]
    average([p.grad for p in trainable if p.grad is not None])
    nn.utils.clip_grad_norm_(trainable, 1.0)
    optimizer.step()
    return decision.item(), text.item()


def draw_pair_rows(pairs: Sequence[Pair]) -> Iterator[list[PairRow]]:
    """Yield, for ever, a row of each direction; each process takes pairs of its own."""
    mine = pairs[the_processes().process_index::the_processes().num_processes]
    words = BaseTokenizer()
    streams = [rows_of(mine, direction, words) for direction in DIRECTIONS]
    while True:
        yield [next(stream)[0] for stream in streams]


def train(model: Edge, optimizer: torch.optim.Optimizer, drawn: Iterator[list[Item]],
          told: Iterator[Sequence[PairRow]], asked: Replies, clock: Clock,
          save: Callable[[], None]) -> None:
    """
    Learn until the time is over; say every SAID_EVERY steps how it goes, save as often.

    ``told`` gives rows of sentence pairs, one list for every ``asked.pairs_every`` steps.
    """
    first = the_processes().is_main_process
    saved, seen, sums = time.monotonic(), 0, np.zeros(3)
    for number, items in enumerate(drawn, start=1):
        done = mean_of(clock.spent_share())
        if done >= 1.0:
            break
        set_rates(optimizer, rate_share(number - 1, done))
        pairs = next(told) if number % asked.pairs_every == 0 else ()
        sums += (*step(model, optimizer, items, asked, pairs), 1)
        seen += len(items)
        if first and number % SAID_EVERY == 0:
            print(f'step {number}, {seen} sessions, decision {sums[0] / sums[2]:.4f}, text '
                  f'{sums[1] / sums[2]:.3f}, {done * clock.minutes:.1f} min', flush=True)
            sums[:] = 0
        if first and time.monotonic() - saved > SAVED_EVERY_S:
            save()
            saved = time.monotonic()
    if first:
        save()


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument('--scenes', type=Path, required=True,
                        help='folder of train.edge.scenes with its features')
    parser.add_argument('--projector', type=Path, required=True)
    parser.add_argument('--sound', type=Path, required=True, help='what train.edge.sound made')
    parser.add_argument('--out', type=Path, required=True)
    parser.add_argument('--begin', type=Path, metavar='TRAINED',
                        help='low-rank differences and control rows to go on from, of '
                        'train.edge.translate or of an earlier run')
    parser.add_argument('--pairs', type=Path, metavar='TSV',
                        help='sentence pairs (en, zh), learned among the sessions')
    parser.add_argument('--recipe', default='edge')
    parser.add_argument('--device', default='cuda' if torch.cuda.is_available() else 'cpu',
                        help='of one process alone; several share the cores')
    arguments = parser.parse_args()
    if the_processes().num_processes > 1:
        arguments.device = 'cpu'
    return arguments


def begin(model: Edge, optimizer: torch.optim.Optimizer, starts: Mapping[str, Path], out: Path,
          begun_from: dict[str, str]) -> float:
    """Load what an earlier run left, or what it begins from; return the minutes spent on it."""
    before = resume_progress(out, model.load_trained, optimizer, begun_from)
    if not before:
        for name, start in starts.items():
            model.load_trained({tensor: value for tensor, value in load_file(start).items()
                                if tensor.startswith(PARTS[name])})
    the_processes().wait_for_everyone()  # nobody writes what another still reads
    return before.get('minutes', 0.0)


def main() -> None:
    arguments = parse_options()
    recipe = read_edge_recipe(arguments.recipe)
    asked = recipe.replies
    minutes = asked.minutes_again if arguments.begin else asked.minutes
    rank = the_processes().process_index
    starts = {'projector': arguments.projector, 'sound_branch': arguments.sound}
    if arguments.begin:
        starts['begin'] = arguments.begin
    begun_from, out = hash_files(starts), arguments.out
    model = Edge(read_sounds(arguments.sound), recipe.sound_feature).to(arguments.device)
    optimizer = torch.optim.AdamW(parameter_groups(model, asked), weight_decay=0.0,
                                  betas=(0.9, 0.98))
    spent = begin(model, optimizer, starts, out, begun_from)
    pairs = split_pairs(read_pairs(arguments.pairs))[0] if arguments.pairs else []
    streams = read_streams(arguments.scenes)
    print(f'{len(streams)} streams, {spent:.1f} of {minutes:.1f} min spent', flush=True)
    clock = Clock(minutes, spent, partial(computing_seconds, torch.get_num_threads())
                  if arguments.device == 'cpu' else time.monotonic)
    about = {**begun_from, 'sounds': json.dumps(model.sounds)}

    def single_share() -> float:
        # To read words is learned first, on single events; when to speak, in long sessions. What
        # is to be kept silent about is in these only.
        return max(0.2, (0.4 if arguments.begin else 1.0) - 2.0 * clock.spent_share())
    drawn = draw_batches(streams, recipe.lanes, arguments.scenes, BaseTokenizer().encode,
                         random.Random(f'stage b {rank} {spent:.1f}'), single_share,
                         asked.positions)
    train(model, optimizer, drawn, draw_pair_rows(pairs) if pairs else repeat(()), asked, clock,
          lambda: save_progress(out, model.trained_tensors(), optimizer,
                                {'minutes': clock.spent_minutes()}, about))


if __name__ == '__main__':
    main()
