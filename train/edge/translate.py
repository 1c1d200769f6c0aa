r"""
Translation of text: what the language model of the edge can do before it has to listen.

Low-rank differences and control rows (those of stage B; nothing that hears) learn English to
Chinese and Chinese to English in one model, from sentence pairs, with the loss on the target
alone. Owns the run and its curve; rows of ids are ``pair_rows``'. Spoken translation hears less
than it is given here: these figures bound what a translation lane can do.

    python -m train.edge.translate fit --pairs PAIRS.tsv --out FOLDER --minutes 25
    python -m train.edge.translate score --pairs PAIRS.tsv --out FOLDER --per-direction 300 \
        --begin models/edge/trained.safetensors
"""

import argparse
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from audio_interaction_ros.errors import AudioInteractionError
from held_out.lines import mend_lines
from held_out.pairs import (
    DIRECTIONS,
    Pair,
    keep_short,
    read_pairs,
    split_pairs,
)
from train.edge.adapter import Edge
from train.edge.greedy_translation import print_scores, score_both
from train.edge.pair_rows import (
    BaseTokenizer,
    PairRow,
    draw_rows,
    loss_of,
)
from train.trainer.clock import Clock, computing_seconds
from train.trainer.progress import resume_progress, save_progress
from train.trainer.schedule import rate_share, set_rates

__all__ = ['main']

SAVE_S = 120.0


@dataclass
class RunState:
    """What a run has taken so far."""

    step: int = 0
    pairs: int = 0
    tokens: int = 0
    minutes: float = 0.0
    """Of training: on a GPU as the clock runs, on cores what they would take were they idle."""


def learned_tensors(model: Edge) -> dict[str, Tensor]:
    """
    Return what is learned here, under the names of ``Edge.trained_tensors``.

    Nothing that hears.
    """
    return {name: value for name, value in model.trained_tensors().items()
            if name.startswith(('control_rows', 'lora.'))}


def save(out: Path, model: Edge, optimizer: torch.optim.Optimizer, spent: RunState) -> None:
    """Write where the run stands, and the learned tensors (float16) for stage B to begin from."""
    out.mkdir(parents=True, exist_ok=True)
    save_progress(out / 'trained.safetensors', learned_tensors(model), optimizer, asdict(spent),
                  {})


def resume(out: Path, model: Edge, optimizer: torch.optim.Optimizer | None = None) -> RunState:
    """Go on from the last save, if there is one."""
    counts = resume_progress(out / 'trained.safetensors', model.load_trained, optimizer, {})
    return RunState(**{name: type(getattr(RunState, name))(value)
                       for name, value in counts.items()})


def load_learned(model: Edge, path: Path) -> None:
    """Take over from any file of the edge's weights what is learned here."""
    known = learned_tensors(model)
    model.load_trained({name: value for name, value in load_file(path).items() if name in known})


def fit(options: argparse.Namespace, model: Edge, words: Any, train: Sequence[Pair],
        held: Sequence[Pair]) -> None:
    """Train until the minutes are over, those before a stop included; score on the way."""
    learned = [value for name, value in model.named_parameters()
               if value.requires_grad and name.startswith(('control_rows', 'decoder.'))]
    optimizer = torch.optim.AdamW(learned, lr=options.rate, weight_decay=0.0, betas=(0.9, 0.98))
    spent = resume(options.out, model, optimizer)
    if not spent.step and options.begin:
        load_learned(model, options.begin)
    print(f'{len(train)} pairs to train on, {len(held)} held out; '
          f'{sum(value.numel() for value in learned)} parameters; from step {spent.step}',
          flush=True)
    streams = [islice(draw_rows(train, direction, words), spent.step, None)
               for direction in DIRECTIONS]
    clock = Clock(options.minutes, spent.minutes, partial(
        computing_seconds, options.threads) if options.device == 'cpu' else time.monotonic)
    saved, losses = time.monotonic(), list[float]()
    curve = options.out / 'curve.jsonl'
    points = len(mend_lines(curve))
    while clock.spent_share() < 1.0:
        drawn = [next(stream) for stream in streams]
        set_rates(optimizer, rate_share(spent.step, clock.spent_share(), fall=0.25))
        losses.append(_take_step(model, optimizer, learned, [row for row, _ in drawn]))
        spent.step += 1
        spent.pairs += sum(count for _, count in drawn)
        spent.tokens += sum(len(row.ids) for row, _ in drawn)
        spent.minutes = clock.spent_minutes()
        if spent.step % 10 == 0:
            _tell_step(spent, losses, options.minutes)
        if time.monotonic() - saved > SAVE_S:
            save(options.out, model, optimizer, spent)
            saved = time.monotonic()
        if options.points and clock.spent_share() >= (points + 1) / options.points:
            save(options.out, model, optimizer, spent)
            points += 1
            with clock.stopped():
                result = score_both(model, words, train, held, options.per_direction,
                                    trivial=False)
            _add_point(curve, spent, losses, result)
            print_scores(result)
    save(options.out, model, optimizer, spent)


def _take_step(model: Edge, optimizer: torch.optim.Optimizer, learned: Sequence[nn.Parameter],
               rows: Sequence[PairRow]) -> float:
    """Learn from rows once; return the loss before."""
    loss = loss_of(model, rows)
    optimizer.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(learned, 1.0)
    optimizer.step()
    return loss.item()


def _tell_step(spent: RunState, losses: Sequence[float], minutes: float) -> None:
    print(f'step {spent.step}, {spent.pairs} pairs, loss {np.mean(losses[-20:]):.3f}, '
          f'{spent.tokens / spent.minutes / 60:.0f} tokens/s, '
          f'{spent.minutes:.1f} of {minutes:g} min', flush=True)


def _add_point(curve: Path, spent: RunState, losses: Sequence[float], result: Any) -> None:
    with curve.open('a', encoding='utf-8') as lines:
        lines.write(json.dumps({**asdict(spent), 'loss': float(np.mean(losses[-50:])),
                                'directions': result}, ensure_ascii=False) + '\n')


def make_parser() -> argparse.ArgumentParser:
    """Return the options of both commands."""
    made = argparse.ArgumentParser(description=(__doc__ or '').splitlines()[1])
    made.add_argument('command', choices=('fit', 'score'))
    made.add_argument('--pairs', type=Path, required=True, metavar='TSV',
                      help='sentence pairs with the columns en and zh')
    made.add_argument('--out', type=Path, required=True, metavar='FOLDER')
    made.add_argument('--minutes', type=float, default=25.0,
                      help='of training, over all runs into the same folder; on cores, '
                      'computing time per thread')
    made.add_argument('--begin', type=Path, metavar='TRAINED',
                      help='weights of the edge model to go on from, or to score')
    made.add_argument('--rate', type=float, default=1e-3)
    made.add_argument('--points', type=int, default=0, metavar='N',
                      help='score N times on the way, into curve.jsonl')
    made.add_argument('--per-direction', type=int, default=100, metavar='N')
    made.add_argument('--overfit', type=int, default=0, metavar='N',
                      help='train and score on the same N pairs, to check the code')
    made.add_argument('--threads', type=int, default=1)
    made.add_argument('--device', default='cuda' if torch.cuda.is_available() else 'cpu')
    return made


def main(arguments: Sequence[str] | None = None) -> int:
    """Train or score; return 0, or 2 for an error that a person can correct."""
    options = make_parser().parse_args(arguments)
    torch.set_num_threads(options.threads)
    try:
        pairs = read_pairs(options.pairs)
        train, held = split_pairs(pairs)
        held = keep_short(held)
        if options.overfit:
            train = held = keep_short(train)[::max(1, len(train) // (2 * options.overfit))][
                :options.overfit]
        words, model = BaseTokenizer(), Edge().to(options.device)
        if options.command == 'fit':
            fit(options, model, words, train, held)
            return 0
        if options.begin:
            options.out.mkdir(parents=True, exist_ok=True)
            load_learned(model, options.begin)
            spent = RunState()
        else:
            spent = resume(options.out, model)
        result = score_both(model, words, train, held, options.per_direction, trivial=True)
    except AudioInteractionError as error:
        print(error, file=sys.stderr)
        return 2
    print_scores(result)
    path = options.out / 'score.json'
    path.write_text(json.dumps({**asdict(spent), 'directions': result}, ensure_ascii=False,
                               indent=1), encoding='utf-8')
    print(f'written to {path}')
    return 0


if __name__ == '__main__':
    sys.exit(main())
