"""
Sentence pairs as rows of ids, and the loss on their targets.

Owns the layout (that of the offline text task), how many pairs share a row, and a mask under which
they do not see each other. Knows no run and no files.
"""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from tokenizers import Tokenizer
from torch import Tensor
from torch.nn import functional as F

from audio_interaction_ros.checkpoints.base_weights import fetch
from audio_interaction_ros.model.decoder import rope_tables
from audio_interaction_ros.protocol import offline_block
from held_out.pairs import Pair, PairsError
from train.edge.adapter import DECODER, Edge
from train.edge.layout import FEATURES, IDS, PROMPTS
from train.tokens import IGNORE, Layout, Sample, t_t

__all__ = ['PairRow', 'BaseTokenizer', 'hidden_states', 'loss_of', 'count_opening', 'pack_pairs',
           'draw_rows', 'lay_out_pair',
           'scores']

POSITIONS = 384
"""Positions of one row; a step has one row for each direction."""
LONGEST = 96
"""Ids of the longest pair that is learned, prompt included; a fraction of a per cent is longer."""


@dataclass(frozen=True, eq=False, kw_only=True)
class PairRow:
    """Pairs of one direction behind one prompt; T positions."""

    ids: np.ndarray  # [T] int64
    labels: np.ndarray  # [T] int64, IGNORE where nothing is learned
    positions: np.ndarray  # [T] int64: each pair begins right behind the prompt
    group: np.ndarray  # [T] int64: 0 for the prompt, 1, 2, … for pairs, -1 for padding


class BaseTokenizer:
    """The tokenizer of the base, on plain text."""

    def __init__(self) -> None:
        self._tokenizer = Tokenizer.from_file(
            str(fetch('smollm2-135m-instruct') / 'tokenizer.json'))

    def encode(self, text: str) -> list[int]:
        return self._tokenizer.encode(text, add_special_tokens=False).ids

    def decode(self, ids: Sequence[int]) -> str:
        # A reply that was cut inside a character ends in the replacement character.
        return self._tokenizer.decode(list(ids)).replace('\ufffd', '').strip()


def lay_out_pair(words: Any, given: str, wanted: str) -> Sample:
    """Lay out a pair as the offline text task of the project."""
    return t_t(Layout(IDS, FEATURES), *map(words.encode, (PROMPTS['translation'], given, wanted)))


def count_opening(words: Any) -> int:
    """Return how many ids stand before the source."""
    return len(offline_block(IDS, words.encode(PROMPTS['translation'])).ids)


def pack_pairs(samples: Sequence[Sample], shared: int) -> PairRow:
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
    return PairRow(ids=np.concatenate(ids), labels=np.concatenate(labels),
                   positions=np.concatenate(positions), group=np.concatenate(group))


def draw_rows(pairs: Sequence[Pair], direction: str, words: Any,
              limit: int = POSITIONS) -> Iterator[
        tuple[PairRow, int]]:
    """Yield rows of at most ``limit`` ids and their number of pairs, for ever, shuffled anew."""
    shared = count_opening(words)
    known: dict[Pair, Sample] = {}
    for epoch in range(1_000_000):
        waiting: list[Sample] = []
        room = limit - shared
        for pair in random.Random(f'{direction} {epoch}').sample(pairs, len(pairs)):
            pair_sample = known.setdefault(pair, lay_out_pair(words, *pair.ends(direction)))
            size = len(pair_sample.ids) - shared
            if len(pair_sample.ids) > min(LONGEST, limit):
                continue
            if size > room:
                yield pack_pairs(waiting, shared), len(waiting)
                waiting, room = [], limit - shared
            waiting.append(pair_sample)
            room -= size
        if not waiting:
            raise PairsError(f'no pair fits into {min(LONGEST, limit)} ids; give shorter ones')
        yield pack_pairs(waiting, shared), len(waiting)


def _stack_rows(batch: Sequence[PairRow]) -> tuple[np.ndarray, ...]:
    length = max(len(row.ids) for row in batch)
    fills = {'ids': IDS.text_end, 'labels': IGNORE, 'positions': 0, 'group': -1}
    return tuple(np.stack([np.pad(getattr(row, name), (0, length - len(row.ids)),
                                  constant_values=fill) for row in batch])
                 for name, fill in fills.items())


def hidden_states(model: Edge, batch: Sequence[PairRow]) -> tuple[Tensor, Tensor]:
    """Return hidden states [B, T, width] and labels [B, T] of rows."""
    ids, labels, positions, group = _stack_rows(batch)
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


def loss_of(model: Edge, batch: Sequence[PairRow]) -> Tensor:
    """Return the mean cross-entropy of the targets' ids."""
    hidden, labels = hidden_states(model, batch)
    said = labels != IGNORE
    return F.cross_entropy(scores(model, hidden[said]).float(), labels[said])
