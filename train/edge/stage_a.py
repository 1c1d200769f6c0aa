r"""
Stage A: the projector learns to speak the language model's words, without the language model.

CTC of projected features straight onto the frozen token embeddings: a feature scores a token by
the product with that token's embedding. What is said counts as words, what an alert sound is
called too, and a harmless sound is to give nothing. Minutes of CPU; without it stage B learns
when to speak but not what was said. The epoch with the fewest word errors on validation scenes
is kept.

    python -m train.edge.stage_a --scenes OUT/train --validation OUT/validation \
        --out projector.safetensors --recipe edge
"""

import argparse
import math
import random
import re
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import jiwer
import numpy as np
import torch
from safetensors.torch import load_file
from tokenizers import Tokenizer
from torch import Tensor, nn
from torch.nn import functional as F

from audio_interaction_ros.checkpoints.base_weights import fetch
from audio_interaction_ros.protocol import CHUNK_S
from train.edge.feature_folder import read_features, read_streams
from train.edge.features import TOWER
from train.edge.recipe import read_edge_recipe
from train.records import Event, Stream
from train.trainer.clock import Clock
from train.trainer.progress import write_weights
from train.trainer.schedule import rate_share, set_rates

__all__ = ['Example', 'Speller', 'make_examples', 'decode_greedily', 'make_projector']

Example = tuple[np.ndarray, list[int], str]
"""Frames [T, stacked_width] float16, ids to be heard in them, and speech | sound | harmless."""
FEATURE_S = CHUNK_S / TOWER.word_features
SHARPNESS = 24.0
"""
Score of a feature that points exactly along an embedding of mean length.

Kept small on purpose: were features free to grow, a slight lean towards a token would already win,
and the language model could not read what is nearly orthogonal to every word that it knows.
"""
WIDTH = TOWER.stacked_width


def make_projector() -> nn.Sequential:
    """Return the two layers that AudioTower calls ``projector``."""
    return nn.Sequential(nn.Linear(WIDTH, TOWER.projector_hidden), nn.GELU(),
                         nn.Linear(TOWER.projector_hidden, TOWER.output_width))


class Speller(nn.Module):
    """Projector, and scores against the embeddings of the tokens in use, blank first."""

    mean: Tensor
    deviation: Tensor
    embeddings: Tensor

    def __init__(self, embeddings: Tensor, mean: Tensor, deviation: Tensor) -> None:
        super().__init__()
        self.projector = make_projector()
        self.register_buffer('mean', mean)
        self.register_buffer('deviation', deviation)
        self.register_buffer('embeddings', embeddings / embeddings.norm(dim=1).mean())
        self.blank = nn.Parameter(torch.randn(1, embeddings.shape[1]) / embeddings.shape[1] ** 0.5)

    def forward(self, frames: Tensor) -> Tensor:
        """Return log probabilities [B, T, 1 + tokens] float32 of frames [B, T, stacked_width]."""
        first, activation, last = self.projector
        with torch.autocast('cpu', torch.bfloat16):
            x = F.dropout((frames - self.mean) / self.deviation, 0.15, self.training)
            out = last(F.dropout(activation(first(x)), 0.25, self.training))
            rows = torch.cat((F.normalize(self.blank, dim=-1), self.embeddings))
            logits = F.normalize(out, dim=-1) @ rows.T
        return F.log_softmax(SHARPNESS * logits.float(), -1)

    def unfold(self, tensors: dict[str, Tensor]) -> None:
        """Take in what ``fold`` returned, for the scaling of this data."""
        state = {name.removeprefix('projector.'): value.float().clone()
                 for name, value in tensors.items()
                 if name.startswith('projector.')}
        state['0.bias'] += state['0.weight'] @ self.mean
        state['0.weight'] *= self.deviation
        self.projector.load_state_dict(state)

    def fold(self) -> dict[str, Tensor]:
        """Return the projector for frames as they are: the scaling goes into its first layer."""
        state = {name: value.clone() for name, value in self.projector.state_dict().items()}
        state['0.weight'] /= self.deviation
        state['0.bias'] -= state['0.weight'] @ self.mean
        return {f'projector.{name}': value for name, value in state.items()}


def events_to_spell(stream: Stream) -> Iterator[tuple[Event, int, str, str]]:
    """Yield what is heard in a stream, after which chunk it is answered, its words, its kind."""
    for lane, kind in (('transcript', 'speech'), ('assistant', 'sound')):
        for reply in stream.lanes[lane].replies:
            event = stream.events[reply.event] if reply.event is not None else None
            if event is not None and bool(event.clip.text) == (kind == 'speech'):
                yield event, reply.chunk, event.clip.text or reply.text, kind


def make_examples(folder: Path, tokenizer: Tokenizer) -> list[Example]:
    """Return every event up to when its answer is due, and every harmless scene as nothing."""
    made: list[Example] = []
    for stream in read_streams(folder):
        flat = read_features(folder, stream)[0].reshape(-1, WIDTH)
        heard = list(events_to_spell(stream))
        for event, chunk, text, kind in heard:
            words = ' ' + re.sub(r"[^\w' ]", '', text)
            until = (chunk + 1) * CHUNK_S + (0.0 if kind == 'speech' else 0.8)
            part = flat[max(0, int(event.start_s / FEATURE_S) - 2):int(until / FEATURE_S) + 1]
            ids = tokenizer.encode(words).ids
            if len(part) > len(ids) + 2:
                made.append((part, ids, kind))
        if not heard and not any(event.clip.text for event in stream.events):
            made.append((flat, [], 'harmless'))
    return made


def draw_batches(items: list[Example], size: int, rng: random.Random) -> list[list[Example]]:
    order = sorted(items, key=lambda item: len(item[0]) + rng.random() * 12)
    groups = [order[i:i + size] for i in range(0, len(order), size)]
    return rng.sample(groups, len(groups))


def pad_frames(batch: list[Example]) -> tuple[Tensor, Tensor]:
    lengths = torch.tensor([len(frames) for frames, _, _ in batch])
    frames = torch.zeros(len(batch), int(lengths.max()), WIDTH)
    for row, (values, _, _) in enumerate(batch):
        frames[row, :len(values)] = torch.from_numpy(values.astype(np.float32))
    return frames, lengths


def loss_of(model: Speller, batch: list[Example], index: dict[int, int]) -> Tensor:
    frames, lengths = pad_frames(batch)
    targets = [torch.tensor([index[i] for i in ids], dtype=torch.long) for _, ids, _ in batch]
    return F.ctc_loss(model(frames).transpose(0, 1), torch.cat(targets), lengths,
                      torch.tensor([len(t) for t in targets]), zero_infinity=True)


@torch.no_grad()
def decode_greedily(model: Speller, batch: list[Example], used: list[int]) -> list[list[int]]:
    """Return the best ids per feature, repeats merged and blanks left out."""
    frames, lengths = pad_frames(batch)
    best = model(frames).argmax(-1)
    return [[used[i - 1] for i in torch.unique_consecutive(row[:n]).tolist() if i]
            for row, n in zip(best, lengths.tolist(), strict=True)]


def validate(model: Speller, held: list[Example], used: list[int],
             tokenizer: Tokenizer) -> dict[str, float]:
    """Return word errors of speech, the share of sounds named, and of harmless scenes quiet."""
    model.eval()
    said = [tokenizer.decode(ids).strip().lower() for i in range(0, len(held), 16)
            for ids in decode_greedily(model, held[i:i + 16], used)]
    model.train()
    meant = [tokenizer.decode(ids).strip().lower() for _, ids, _ in held]
    kinds = [kind for _, _, kind in held]

    pairs = [(m, s) for m, s, kind in zip(meant, said, kinds, strict=True) if kind == 'speech']

    def share_right(kind: str) -> float:
        hits = [m == s for m, s, k in zip(meant, said, kinds, strict=True) if k == kind]
        return float(np.mean(hits)) if hits else math.nan
    return {'wer': jiwer.wer([m for m, _ in pairs], [s for _, s in pairs]),
            'named': share_right('sound'), 'quiet': share_right('harmless')}


def make_speller(items: list[Example], used: list[int], base: Path) -> Speller:
    table = load_file(base / 'model.safetensors')['model.embed_tokens.weight'].float()
    some = np.concatenate([frames for frames, _, _ in items[:1500]]).astype(np.float32)
    return Speller(table[used], torch.from_numpy(some.mean(0)),
                   torch.from_numpy(some.std(0) + 1e-3))


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument('--scenes', type=Path, required=True)
    parser.add_argument('--validation', type=Path, required=True)
    parser.add_argument('--out', type=Path, required=True)
    parser.add_argument('--recipe', default='edge')
    parser.add_argument('--start', type=Path, help='file with a projector to go on from')
    return parser.parse_args()


def train_epoch(model: Speller, optimizer: torch.optim.Optimizer, batches: list[list[Example]],
                index: dict[int, int], clock: Clock, steps: Iterator[int]) -> list[float]:
    """Learn from the batches while there is time; return the loss of each step."""
    losses = []
    for batch in batches:
        done = clock.spent_share()
        if done >= 1.0:
            break
        set_rates(optimizer, rate_share(next(steps), done))
        loss = loss_of(model, batch, index)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        losses.append(loss.item())
    return losses


def main() -> None:
    arguments = parse_options()
    asked = read_edge_recipe(arguments.recipe).words
    rng = random.Random(0)
    torch.manual_seed(0)
    base = fetch('smollm2-135m-instruct')
    tokenizer = Tokenizer.from_file(str(base / 'tokenizer.json'))
    items = make_examples(arguments.scenes, tokenizer)
    held = make_examples(arguments.validation, tokenizer)
    rng.shuffle(items)
    used = sorted({i for _, ids, _ in items + held for i in ids})
    index = {token: place + 1 for place, token in enumerate(used)}
    model = make_speller(items, used, base)
    if arguments.start:
        model.unfold(load_file(arguments.start))
    optimizer = torch.optim.AdamW(model.parameters(), lr=asked.rate, weight_decay=0.05)
    best, clock, epoch, steps = math.inf, Clock(asked.minutes), 0, count()
    print(f'{len(items)} examples, {len(used)} tokens in use', flush=True)
    while clock.spent_share() < 1.0:
        losses = train_epoch(model, optimizer, draw_batches(items, 16, rng), index, clock, steps)
        minutes, figures = clock.spent_minutes(), validate(model, held, used, tokenizer)
        epoch += 1
        print(f'epoch {epoch}: loss {np.mean(losses or [0]):.3f}, validation '
              + ', '.join(f'{name} {value:.3f}' for name, value in figures.items())
              + f', {minutes:.1f} min', flush=True)
        if figures['wer'] < best:
            best = figures['wer']
            write_weights(arguments.out, model.fold())


if __name__ == '__main__':
    main()
