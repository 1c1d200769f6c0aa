"""
Stage A: the projector learns to speak the language model's words, without the language model.

CTC of projected features straight onto the frozen token embeddings: a feature scores a token by
the product with that token's embedding. Minutes of CPU; without it stage B learns when to speak
but not what was said. Few clips are learned by heart, hence
the dropout; the epoch that does best on held-out clips is kept.

    python -m train.edge.stage_a --features FEATURES --out projector.safetensors --minutes 4
"""

import argparse
import random
import re
import time
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer
from torch import Tensor, nn
from torch.nn import functional as F

from audio_interaction_ros.model.base_weights import fetch
from train.edge.scenes import features, scene_rows

__all__ = ['Speller', 'projector_module']

Clip = tuple[np.ndarray, list[int]]


def projector_module() -> nn.Sequential:
    """Return the two layers that AudioTower calls ``projector``."""
    return nn.Sequential(nn.Linear(2048, 1024), nn.GELU(), nn.Linear(1024, 576))


class Speller(nn.Module):
    """Projector, and scores against the embeddings of the tokens in use, blank first."""

    def __init__(self, embeddings: Tensor) -> None:
        super().__init__()
        self.projector = projector_module()
        self.register_buffer('embeddings', embeddings / embeddings.std())
        self.blank = nn.Parameter(torch.zeros(1, embeddings.shape[1]))
        self.bias = nn.Parameter(torch.zeros(1))
        self.unit = float(embeddings.std())

    def forward(self, frames: Tensor) -> Tensor:
        """Return log probabilities [B, T, 1 + tokens] of frames [B, T, 2048]."""
        # The projector's output has the embeddings' own scale, so stage B can start from it.
        first, activation, last = self.projector
        hidden = activation(first(F.dropout(frames, 0.25, self.training)))
        out = last(F.dropout(hidden, 0.35, self.training)) / self.unit
        rows = torch.cat((self.blank, self.embeddings))
        logits = out @ rows.T / rows.shape[1] ** 0.5
        return F.log_softmax(torch.cat((logits[..., :1] + self.bias, logits[..., 1:]), -1), -1)


def clips(folder: Path, rows: list[dict], tokenizer: Tokenizer) -> list[Clip]:
    """Return the speech of scenes: frames [T, 2048] up to 0.45 s after the end, and its ids."""
    found = []
    for row, values in zip(rows, features(folder, rows), strict=True):
        flat = values.reshape(-1, 2048)
        for event in row['events']:
            if event['kind'] == 'speech':
                words = ' ' + re.sub(r"[^\w' ]", '', event['text'])
                part = flat[max(0, int(event['start'] / 0.08) - 2):int(event['due'] / 0.08) + 1]
                ids = tokenizer.encode(words).ids
                if len(part) > len(ids) + 2:
                    found.append((part, ids))
    return found


def batches(items: list[Clip], size: int, rng: random.Random) -> list[list[Clip]]:
    order = sorted(items, key=lambda item: len(item[0]) + rng.random() * 12)
    groups = [order[i:i + size] for i in range(0, len(order), size)]
    return rng.sample(groups, len(groups))


def loss_of(model: Speller, batch: list[Clip], index: dict[int, int]) -> Tensor:
    lengths = torch.tensor([len(frames) for frames, _ in batch])
    padded = torch.zeros(len(batch), int(lengths.max()), 2048)
    for row, (frames, _) in enumerate(batch):
        padded[row, :len(frames)] = torch.from_numpy(frames.astype(np.float32))
    targets = [torch.tensor([index[i] for i in ids]) for _, ids in batch]
    scores = model(padded).transpose(0, 1)
    return F.ctc_loss(scores, torch.cat(targets), lengths,
                      torch.tensor([len(t) for t in targets]), zero_infinity=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument('--features', type=Path, required=True)
    parser.add_argument('--out', type=Path, required=True)
    parser.add_argument('--minutes', type=float, default=4.0)
    parser.add_argument('--rate', type=float, default=1e-3)
    arguments = parser.parse_args()
    rng = random.Random(0)
    torch.manual_seed(0)
    base = fetch('smollm2-135m-instruct')
    tokenizer = Tokenizer.from_file(str(base / 'tokenizer.json'))
    items = clips(arguments.features, scene_rows(arguments.features), tokenizer)
    rng.shuffle(items)
    held, items = items[:60], items[60:]
    used = sorted({i for _, ids in items + held for i in ids})
    index = {token: place + 1 for place, token in enumerate(used)}
    table = load_file(base / 'model.safetensors')['model.embed_tokens.weight'].float()
    model = Speller(table[used])
    if arguments.out.exists():
        model.projector.load_state_dict({name.removeprefix('projector.'): value for name, value
                                         in load_file(arguments.out).items()})
    optimizer = torch.optim.AdamW(model.parameters(), lr=arguments.rate, weight_decay=0.1)
    best = float('inf')
    begin, epoch = time.monotonic(), 0
    print(f'{len(items)} clips, {len(used)} tokens in use', flush=True)
    while (done := (time.monotonic() - begin) / 60 / arguments.minutes) < 1.0:
        losses = []
        for batch in batches(items, 16, rng):
            done = (time.monotonic() - begin) / 60 / arguments.minutes
            if done >= 1.0:
                break
            optimizer.param_groups[0]['lr'] = arguments.rate * min(1, 20 * done + 0.05) * max(
                0.03, 1 - done)
            loss = loss_of(model, batch, index)
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            losses.append(loss.item())
        model.eval()
        with torch.no_grad():
            validation = float(np.mean([float(loss_of(model, held[i:i + 20], index))
                                        for i in range(0, len(held), 20)]))
        model.train()
        epoch += 1
        print(f'epoch {epoch}: loss {np.mean(losses or [0]):.3f}, held-out {validation:.3f}, '
              f'{done * arguments.minutes:.1f} min', flush=True)
        if validation > best:
            continue
        best = validation
        save_file({f'projector.{name}': value for name, value in
                   model.projector.state_dict().items()}, arguments.out)


if __name__ == '__main__':
    main()
