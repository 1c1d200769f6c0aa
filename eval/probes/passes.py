"""
Many lanes' pasts through a torch decoder at once, to look at its layers or to take heads away.

Owns the padding, the hooks and the passes that begin at a layer. What is padded stands behind
what counts, and attention is causal, so it changes nothing. Knows no audio and no figure.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from audio_interaction_ros.model.decoder import Decoder, rope_tables
from eval.probes.lived import Lived

__all__ = ['LaneBatch', 'ablate_heads', 'batches', 'layer_inputs']


@dataclass(frozen=True)
class LaneBatch:
    """Some lanes' pasts as rows of one pass."""

    places: tuple[int, ...]
    """Where each row stands among what was given."""
    lived: tuple[Lived, ...]
    embeddings: Tensor
    """[B, T, width]."""
    cos: Tensor
    sin: Tensor
    """[1, T, head_dim]."""


def batches(decoder: Decoder, lived: Sequence[Lived], size: int) -> Iterator[LaneBatch]:
    """Yield pasts in batches of ``size``, those of like length together."""
    order = sorted(range(len(lived)), key=lambda place: len(lived[place].ids))
    for at in range(0, len(order), size):
        places = tuple(order[at:at + size])
        rows = tuple(lived[place] for place in places)
        yield LaneBatch(places, rows, *_embed(decoder, rows))


@torch.inference_mode()
def _embed(decoder: Decoder, rows: Sequence[Lived]) -> tuple[Tensor, Tensor, Tensor]:
    config, weight = decoder.config, decoder.head_weight
    ids = torch.zeros((len(rows), max(len(row.ids) for row in rows)), dtype=torch.long)
    for row, lane in enumerate(rows):
        ids[row, :len(lane.ids)] = torch.tensor(lane.ids)
    embeddings = decoder.embed(ids.to(weight.device))
    for row, lane in enumerate(rows):
        features = torch.from_numpy(np.concatenate(lane.features)).to(weight)
        embeddings[row, lane.feature_at] = features
    cos, sin = rope_tables(np.arange(ids.shape[1])[None], config.head_dim, config.rope_base)
    return embeddings, cos.to(weight.device), sin.to(weight.device)


@torch.inference_mode()
def layer_inputs(decoder: Decoder, batch: LaneBatch) -> list[Tensor]:
    """Return what goes into layer 1, 2, … and comes out of the last, each [B, T, width]."""
    levels: list[Tensor] = []

    def note(_: nn.Module, given: Any) -> None:
        levels.append(given[0])
    hooks = [layer.register_forward_pre_hook(note) for layer in decoder.model.layers]
    hooks.append(decoder.model.norm.register_forward_pre_hook(note))
    try:
        decoder(batch.embeddings, batch.cos, batch.sin)
    finally:
        for hook in hooks:
            hook.remove()
    return levels


@torch.inference_mode()
def ablate_heads(decoder: Decoder, controls: Tensor, batch: LaneBatch) -> list[np.ndarray]:
    """
    Return log-odds of responding [layers, heads + 1, decisions] of each row, a head taken away.

    The last of an axis of heads is the model as it is. ``controls`` [2, width] scores silence and
    responding. A head is taken away by setting what it gives to its layer's output projection to
    zero. All heads of a layer are rows of one pass, which begins at that layer.
    """
    found = [np.zeros((decoder.config.layers, decoder.config.heads + 1, len(row.read_at)),
                      np.float32) for row in batch.lived]
    for layer, x in enumerate(layer_inputs(decoder, batch)[:-1]):
        hidden = _without_each_head(decoder, layer, x, batch)  # [heads + 1, B, T, width]
        for row, lane in enumerate(batch.lived):
            scores = hidden[:, row, lane.read_at].float() @ controls.T.to(hidden.device)
            found[row][layer] = (scores[..., 1] - scores[..., 0]).cpu().numpy()
    return found


def _without_each_head(decoder: Decoder, layer: int, x: Tensor, batch: LaneBatch) -> Tensor:
    heads, dim, rows = decoder.config.heads, decoder.config.head_dim, len(x)
    tail = _tail(decoder, layer)

    def take_away(_: nn.Module, given: Any) -> tuple[Tensor]:
        kept = given[0].unflatten(0, (heads + 1, rows)).unflatten(-1, (heads, dim)).clone()
        for head in range(heads):
            kept[head, ..., head, :] = 0
        return (kept.flatten(-2).flatten(0, 1),)
    first: Any = tail.model.layers[0]
    hook = first.self_attn.o_proj.register_forward_pre_hook(take_away)
    try:
        hidden: Tensor = tail(x.repeat(heads + 1, 1, 1), batch.cos, batch.sin)
    finally:
        hook.remove()
    return hidden.unflatten(0, (heads + 1, rows))


def _tail(decoder: Decoder, layer: int) -> Decoder:
    """Return a decoder of the layers from one on, which shares them; it begins with its input."""
    with torch.device('meta'):
        tail = Decoder(replace(decoder.config, layers=0)).eval()
    tail.model.layers = decoder.model.layers[layer:]
    tail.model.norm = decoder.model.norm
    return tail
