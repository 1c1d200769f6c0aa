r"""
Translation of text: what the language model of the edge can do before it has to listen.

Low-rank differences and control rows (those of stage B; nothing that hears) learn English to
Chinese and Chinese to English in one model, from sentence pairs, with the loss on the target
alone. Owns how pairs become rows of ids, the run and its curve. Spoken translation hears less
than it is given here, so these figures bound what a translation lane can do.

    python -m train.edge.translate fit --pairs PAIRS.tsv --out FOLDER --minutes 25
    python -m train.edge.translate score --pairs PAIRS.tsv --out FOLDER --per-direction 300
"""

import argparse
import json
import random
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer
from torch import Tensor, nn
from torch.nn import functional as F

from audio_interaction_ros.errors import AudioInteractionError
from audio_interaction_ros.model.base_weights import fetch
from audio_interaction_ros.model.decoder import KVCache, rope_tables
from audio_interaction_ros.protocol import prefix_block
from eval.report import plain
from eval.translation import Sentence, figures
from train.edge.adapter import DECODER, Edge
from train.edge.layout import FEATURES, IDS, IGNORE, PROMPTS
from train.edge.pairs import (
    DIRECTIONS, Pair, PairsError, baselines, read_pairs, references, short, split)
from train.tokens import Layout, Sample, t_t

__all__ = ['Row', 'hidden_states', 'learning_rate', 'main', 'pack', 'rows', 'sample',
           'score', 'translate']

POSITIONS = 384
"""Positions of one row; a step has one row for each direction."""
LONGEST = 96
"""Ids of the longest pair that is learned, prompt included; a fraction of a per cent is longer."""
LONGEST_REPLY = 48
WARM_UP = 20
SAVE_S = 120.0
AT_ONCE = 50


@dataclass(frozen=True, eq=False, kw_only=True)
class Row:
    """Pairs of one direction behind one prompt; T positions."""

    ids: np.ndarray  # [T] int64
    labels: np.ndarray  # [T] int64, IGNORE where nothing is learned
    positions: np.ndarray  # [T] int64: each pair begins right behind the prompt
    group: np.ndarray  # [T] int64: 0 for the prompt, 1, 2, … for pairs, -1 for padding


@dataclass
class Spent:
    """What a run has taken so far."""

    step: int = 0
    pairs: int = 0
    tokens: int = 0
    seconds: float = 0.0
    """Of training: on a GPU as the clock runs, on cores what they would take were they idle."""


class Words:
    """The tokenizer of the base, on plain text."""

    def __init__(self) -> None:
        self._tokenizer = Tokenizer.from_file(
            str(fetch('smollm2-135m-instruct') / 'tokenizer.json'))

    def encode(self, text: str) -> list[int]:
        return self._tokenizer.encode(text, add_special_tokens=False).ids

    def decode(self, ids: Sequence[int]) -> str:
        # A reply that was cut inside a character ends in the replacement character.
        return self._tokenizer.decode(list(ids)).replace('\ufffd', '').strip()


def sample(words: Any, given: str, wanted: str) -> Sample:
    """Lay out a pair as the offline text task of the project."""
    return t_t(Layout(IDS, FEATURES), *map(words.encode, (PROMPTS['translation'], given, wanted)))


def opening(words: Any) -> int:
    """Return how many ids stand before the source."""
    return len(prefix_block(IDS, words.encode(PROMPTS['translation'])))


def pack(samples: Sequence[Sample], shared: int) -> Row:
    """
    Return pairs with the same ``shared`` first ids as one row that holds these only once.

    With the mask of ``hidden_states`` each pair sees the prompt and itself, at the positions that
    it would have alone: the same as a row per pair, without its padding and repeated prompts.
    """
    first = samples[0]
    ids, labels = [first.ids[:shared]], [np.full(shared, IGNORE)]
    positions, group = [np.arange(shared)], [np.zeros(shared, np.int64)]
    for index, each in enumerate(samples, start=1):
        # ASSISTANT after a source goes without saying: it is forced when serving.
        learned = np.where(each.text == IDS.assistant, IGNORE, each.text)
        ids.append(each.ids[shared:])
        labels.append(learned[shared:])
        positions.append(np.arange(shared, len(each.ids)))
        group.append(np.full(len(each.ids) - shared, index))
    return Row(ids=np.concatenate(ids), labels=np.concatenate(labels),
               positions=np.concatenate(positions), group=np.concatenate(group))


def rows(pairs: Sequence[Pair], direction: str, words: Any, limit: int = POSITIONS) -> Iterator[
        tuple[Row, int]]:
    """Yield rows of at most ``limit`` ids and their number of pairs, for ever, shuffled anew."""
    shared = opening(words)
    known: dict[Pair, Sample] = {}
    for epoch in range(1_000_000):
        waiting: list[Sample] = []
        room = limit - shared
        for pair in random.Random(f'{direction} {epoch}').sample(pairs, len(pairs)):
            one = known.setdefault(pair, sample(words, *pair.ends(direction)))
            size = len(one.ids) - shared
            if len(one.ids) > min(LONGEST, limit):
                continue
            if size > room:
                yield pack(waiting, shared), len(waiting)
                waiting, room = [], limit - shared
            waiting.append(one)
            room -= size
        if not waiting:
            raise PairsError(f'no pair fits into {min(LONGEST, limit)} ids; give shorter ones')
        yield pack(waiting, shared), len(waiting)


def _stacked(batch: Sequence[Row]) -> tuple[np.ndarray, ...]:
    length = max(len(row.ids) for row in batch)
    fills = {'ids': IDS.text_end, 'labels': IGNORE, 'positions': 0, 'group': -1}
    return tuple(np.stack([np.pad(getattr(row, name), (0, length - len(row.ids)),
                                  constant_values=fill) for row in batch])
                 for name, fill in fills.items())


def hidden_states(model: Edge, batch: Sequence[Row]) -> tuple[Tensor, Tensor]:
    """Return hidden states [B, T, width] and labels [B, T] of rows."""
    ids, labels, positions, group = _stacked(batch)
    same = (group[:, None] == group[:, :, None]) | (group[:, None] == 0)
    seen = np.tril(same)[:, None]
    place = model.table.device
    cos, sin = rope_tables(positions, DECODER.head_dim, DECODER.rope_base)
    hidden = model.decoder(model.embed(torch.from_numpy(ids).to(place)), cos.to(place),
                           sin.to(place), mask=torch.from_numpy(seen).to(place))
    return hidden, torch.from_numpy(labels).to(place)


def scores(model: Edge, hidden: Tensor) -> Tensor:
    """Return scores [..., vocabulary]; the frozen table needs no gradient, so it is apart."""
    return torch.cat((F.linear(hidden, model.table),
                      F.linear(hidden, model.control_rows.to(hidden.dtype))), -1)


def loss_of(model: Edge, batch: Sequence[Row]) -> Tensor:
    """Return the mean cross-entropy of the targets' ids."""
    hidden, labels = hidden_states(model, batch)
    said = labels != IGNORE
    return F.cross_entropy(scores(model, hidden[said]).float(), labels[said])


def clock(options: argparse.Namespace) -> float:
    """Return seconds; on cores those computed, so that other work does not shorten a run."""
    return (time.process_time() / options.threads if options.device == 'cpu'
            else time.monotonic())


def learning_rate(peak: float, step: int, done: float) -> float:
    """Return the rate: a short rise, level, falling over the last quarter of the time."""
    return peak * min(1.0, (step + 1) / WARM_UP) * min(1.0, max(0.05, (1.0 - done) / 0.25))


def own(model: Edge) -> dict[str, Tensor]:
    """Return what is learned here, under the names of ``Edge.trained``; nothing that hears."""
    return {name: value for name, value in model.trained().items()
            if name.startswith(('control_rows', 'lora.'))}


def save(out: Path, model: Edge, optimizer: torch.optim.Optimizer, spent: Spent) -> None:
    """Write where the run stands, and the learned tensors (float16) for stage B to begin from."""
    out.mkdir(parents=True, exist_ok=True)
    scratch = out / 'checkpoint.part'
    torch.save({'trained': own(model), 'optimizer': optimizer.state_dict(),
                'spent': asdict(spent)}, scratch)
    scratch.replace(out / 'checkpoint.pt')
    save_file({name: value.to(torch.float16).contiguous() for name, value in own(model).items()},
              out / 'trained.part')
    (out / 'trained.part').replace(out / 'trained.safetensors')


def resume(out: Path, model: Edge, optimizer: torch.optim.Optimizer | None = None) -> Spent:
    """Go on from the last save, if there is one."""
    path = out / 'checkpoint.pt'
    if not path.exists():
        return Spent()
    state = torch.load(path, map_location=model.table.device, weights_only=True)
    with torch.no_grad():
        model.load_trained(state['trained'])
    if optimizer is not None:
        optimizer.load_state_dict(state['optimizer'])
    return Spent(**state['spent'])


@torch.inference_mode()
def translate(model: Edge, sources: Sequence[str], words: Any) -> list[str]:
    """Return greedy translations, at most 48 ids each; all sources go through as one batch."""
    # An empty target leaves prompt, source, and RESPOND at the end.
    given = [sample(words, source, '').ids for source in sources]
    lengths = np.array([len(ids) for ids in given])
    place, longest = model.table.device, int(lengths.max())
    cache = KVCache(DECODER, lanes=len(given), slots=longest + LONGEST_REPLY,
                    dtype=model.table.dtype, device=place)
    ids = np.stack([np.pad(row, (0, longest - len(row))) for row in given])
    places = np.broadcast_to(np.arange(longest), ids.shape)
    slots = np.where(places < lengths[:, None], places, cache.trash)
    said: list[list[int]] = [[] for _ in given]
    open_ = np.ones(len(given), bool)
    for _ in range(LONGEST_REPLY):
        hidden = _cached(model, cache, ids, slots, places)
        last = np.zeros_like(lengths) if said[0] else lengths - 1
        picked = hidden[torch.arange(len(given)), torch.from_numpy(last)]
        tokens = scores(model, picked).argmax(-1).cpu().numpy()
        open_ &= tokens != IDS.text_end
        for row, token in zip(said, np.where(open_, tokens, IDS.text_end), strict=True):
            row.append(int(token))
        if not open_.any():
            break
        ids, slots = tokens[:, None], lengths[:, None]
        places, lengths = slots, lengths + 1
    return [words.decode([token for token in row if token < IDS.user]) for row in said]


def _cached(model: Edge, cache: KVCache, ids: np.ndarray, slots: np.ndarray,
            places: np.ndarray) -> Tensor:
    place = model.table.device
    span = int(places.max()) + 1
    seen = np.arange(span) <= places[..., None]
    cos, sin = rope_tables(places, DECODER.head_dim, DECODER.rope_base)
    return model.decoder(
        model.embed(torch.from_numpy(ids).to(place)), cos.to(place), sin.to(place), cache=cache,
        slots=torch.from_numpy(np.ascontiguousarray(slots)).to(place),
        mask=torch.from_numpy(seen[:, None]).to(place))


def _sentences(direction: str, known: Mapping[str, tuple[str, ...]], sources: Sequence[str],
               said: Sequence[str]) -> list[Sentence]:
    return [Sentence(source, Path(), direction[:2], source, known[source], hypothesis=text)
            for source, text in zip(sources, said, strict=True)]


def score(model: Edge, words: Any, train: Sequence[Pair], held: Sequence[Pair], count: int, *,
          trivial: bool) -> dict[str, Any]:
    """Return BLEU and chrF of both directions over ``count`` sources each, and the texts."""
    found: dict[str, Any] = {}
    for direction in DIRECTIONS:
        known = references(held, direction)
        sources = list(known)[:count]
        said: list[str] = []
        for at in range(0, len(sources), AT_ONCE):
            said += translate(model, sources[at:at + AT_ONCE], words)
        spoken = {'model': said}
        if trivial:
            spoken |= baselines(train, direction, sources)
        found[direction] = {
            'figures': {name: plain(figures(_sentences(direction, known, sources, texts)))
                        for name, texts in spoken.items()},
            'texts': [{'source': source, 'said': text, 'references': known[source]}
                      for source, text in zip(sources, said, strict=True)]}
    return found


def show(found: Mapping[str, Any]) -> None:
    """Print the figures of ``score``, one line for each translator."""
    for direction, part in found.items():
        for name, row in part['figures'].items():
            cells = [f'{what} {row[what]["value"]:5.1f} [{row[what]["low"]:.1f}, '
                     f'{row[what]["high"]:.1f}]' for what in ('BLEU', 'chrF')]
            print(f'  {direction} {name:9s} {row["sentences"]} sentences  ' + '  '.join(cells),
                  flush=True)


def fit(options: argparse.Namespace, model: Edge, words: Any, train: Sequence[Pair],
        held: Sequence[Pair]) -> None:
    """Train until the minutes are over, those before a stop included; score on the way."""
    learned = [value for name, value in model.named_parameters()
               if value.requires_grad and name.startswith(('control_rows', 'decoder.'))]
    optimizer = torch.optim.AdamW(learned, lr=options.rate, weight_decay=0.0, betas=(0.9, 0.98))
    spent = resume(options.out, model, optimizer)
    if not spent.step and options.begin:
        known = own(model)
        model.load_trained({name: value for name, value in load_file(options.begin).items()
                            if name in known})
    print(f'{len(train)} pairs to train on, {len(held)} held out; '
          f'{sum(value.numel() for value in learned)} parameters; from step {spent.step}',
          flush=True)
    streams = [islice(rows(train, direction, words), spent.step, None)
               for direction in DIRECTIONS]
    total, saved, losses = options.minutes * 60, time.monotonic(), list[float]()
    curve = options.out / 'curve.jsonl'
    points = len(curve.read_text(encoding='utf-8').splitlines()) if curve.exists() else 0
    while spent.seconds < total:
        begin = clock(options)
        drawn = [next(stream) for stream in streams]
        for group in optimizer.param_groups:
            group['lr'] = learning_rate(options.rate, spent.step, spent.seconds / total)
        loss = loss_of(model, [row for row, _ in drawn])
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(learned, 1.0)
        optimizer.step()
        losses.append(loss.item())
        spent.step += 1
        spent.pairs += sum(count for _, count in drawn)
        spent.tokens += sum(len(row.ids) for row, _ in drawn)
        spent.seconds += clock(options) - begin
        if spent.step % 10 == 0:
            print(f'step {spent.step}, {spent.pairs} pairs, loss {np.mean(losses[-20:]):.3f}, '
                  f'{spent.tokens / spent.seconds:.0f} tokens/s, '
                  f'{spent.seconds / 60:.1f} of {options.minutes:g} min', flush=True)
        if time.monotonic() - saved > SAVE_S:
            save(options.out, model, optimizer, spent)
            saved = time.monotonic()
        if options.points and spent.seconds / total >= (points + 1) / options.points:
            save(options.out, model, optimizer, spent)
            points += 1
            found = score(model, words, train, held, options.per_direction, trivial=False)
            with curve.open('a', encoding='utf-8') as lines:
                lines.write(json.dumps({**asdict(spent), 'loss': float(np.mean(losses[-50:])),
                                        'directions': found}, ensure_ascii=False) + '\n')
            show(found)
    save(options.out, model, optimizer, spent)


def parser() -> argparse.ArgumentParser:
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
                      help='weights of train.edge.stage_b to go on from')
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
    options = parser().parse_args(arguments)
    torch.set_num_threads(options.threads)
    try:
        pairs = read_pairs(options.pairs)
        train, held = split(pairs)
        held = short(held)
        if options.overfit:
            train = held = short(train)[::max(1, len(train) // (2 * options.overfit))][
                :options.overfit]
        words, model = Words(), Edge().to(options.device)
        if options.command == 'fit':
            fit(options, model, words, train, held)
            return 0
        spent = resume(options.out, model)
        found = score(model, words, train, held, options.per_direction, trivial=True)
    except AudioInteractionError as error:
        print(error, file=sys.stderr)
        return 2
    show(found)
    path = options.out / 'score.json'
    path.write_text(json.dumps({**asdict(spent), 'directions': found}, ensure_ascii=False,
                               indent=1), encoding='utf-8')
    print(f'written to {path}')
    return 0


if __name__ == '__main__':
    sys.exit(main())
