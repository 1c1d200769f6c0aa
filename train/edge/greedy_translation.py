"""
Greedy translation by the edge model, and what it is worth: BLEU and chrF of both directions.

Owns the batch of sources with its cache, and the texts that stand beside the scores. Learns
nothing.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from audio_interaction_ros.model.decoder import KVCache, rope_tables
from held_out.pairs import DIRECTIONS, Pair, baseline_texts, find_references
from held_out.spoken_sentences import Sentence
from measure.bleu import score
from measure.report import to_json
from train.edge.adapter import DECODER, Edge
from train.edge.layout import IDS
from train.edge.pair_rows import lay_out_pair, scores

__all__ = ['print_scores', 'score_both', 'translate']

LONGEST_REPLY = 48
AT_ONCE = 50


@torch.inference_mode()
def translate(model: Edge, sources: Sequence[str], words: Any) -> list[str]:
    """Return greedy translations, at most 48 ids each; all sources go through as one batch."""
    # An empty target leaves prompt, source, and RESPOND at the end.
    given = [lay_out_pair(words, source, '').ids for source in sources]
    lengths = np.array([len(ids) for ids in given])
    place, longest = model.table.device, int(lengths.max())
    cache = KVCache(DECODER, lanes=len(given), slots=longest + LONGEST_REPLY,
                    dtype=model.table.dtype, device=place)
    ids = np.stack([np.pad(row, (0, longest - len(row))) for row in given])
    places = np.broadcast_to(np.arange(longest), ids.shape)
    slots = np.where(places < lengths[:, None], places, cache.trash_slot)
    said: list[list[int]] = [[] for _ in given]
    open_ = np.ones(len(given), bool)
    for _ in range(LONGEST_REPLY):
        hidden = _run_cached(model, cache, ids, slots, places)
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


def _run_cached(model: Edge, cache: KVCache, ids: np.ndarray, slots: np.ndarray,
                places: np.ndarray) -> Tensor:
    place = model.table.device
    span = int(places.max()) + 1
    seen = np.arange(span) <= places[..., None]
    cos, sin = rope_tables(places, DECODER.head_dim, DECODER.rope_base)
    return model.decoder(
        model.embed(torch.from_numpy(ids).to(place)), cos.to(place), sin.to(place), cache=cache,
        slots=torch.from_numpy(np.ascontiguousarray(slots)).to(place),
        mask=torch.from_numpy(seen[:, None]).to(place))


def _make_sentences(direction: str, known: Mapping[str, tuple[str, ...]],
                    sources: Sequence[str]) -> list[Sentence]:
    return [Sentence(source, Path(), direction[:2], source, known[source]) for source in sources]


def score_both(model: Edge, words: Any, train: Sequence[Pair], held: Sequence[Pair], count: int, *,
               trivial: bool) -> dict[str, Any]:
    """Return BLEU and chrF of both directions over ``count`` sources each, and the texts."""
    result: dict[str, Any] = {}
    for direction in DIRECTIONS:
        known = find_references(held, direction)
        sources = list(known)[:count]
        said: list[str] = []
        for at in range(0, len(sources), AT_ONCE):
            said += translate(model, sources[at:at + AT_ONCE], words)
        spoken = {'model': said}
        if trivial:
            spoken |= baseline_texts(train, direction, sources)
        sentences = _make_sentences(direction, known, sources)
        result[direction] = {
            'figures': {name: {'sentences': len(sources), **to_json(score(sentences, texts))}
                        for name, texts in spoken.items()},
            'texts': [{'source': source, 'said': text, 'references': known[source]}
                      for source, text in zip(sources, said, strict=True)]}
    return result


def print_scores(result: Mapping[str, Any]) -> None:
    """Print the figures of ``score_both``, one line for each translator."""
    for direction, part in result.items():
        for name, row in part['figures'].items():
            cells = [f'{what} {row[what]["value"]:5.1f} [{row[what]["low"]:.1f}, '
                     f'{row[what]["high"]:.1f}]' for what in ('BLEU', 'chrF')]
            print(f'  {direction} {name:9s} {row["sentences"]} sentences  ' + '  '.join(cells),
                  flush=True)
