r"""
The sound branch: which sounds are heard in a chunk, learned from every clip that is mixed in.

Owns the targets (what sounds within the last 0.8 s, event or not), the loss and the choice of the
best epoch. Beside our own labels the hidden layer may learn what a general AudioSet tagger said of
the clips (``--tagger``), so that it hears more than our few classes name; that head is not kept.
Minutes of CPU; run it before stage B.

    python -m train.edge.sound --features FEATURES --validation VALIDATION --data DATA \
        --out sound.safetensors --minutes 5
"""

import argparse
import json
import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer
from torch import Tensor, nn
from torch.nn import functional as F

from audio_interaction_ros.model.audio_tower import SoundBranch
from audio_interaction_ros.model.base_weights import fetch
from train.edge.compose import ALERTS, sound_names
from train.edge.features import tower_config
from train.edge.scenes import scene_rows

__all__ = ['Heard', 'named', 'read', 'targets']

CHUNK_S = 0.4
LOOK_BACK_S = 0.8
LEAST_S = 0.2
TAGGER_FRAME_S = 0.4875
TAGGER_CLASSES = 521
BATCH = 512


def targets(row: Mapping, sounds: Mapping[str, int]) -> np.ndarray:
    """Return what sounds at the end of each chunk of a scene: [chunks, sounds] of 0 and 1."""
    found = np.zeros((row['chunks'], len(sounds)), np.float32)
    ends = (np.arange(row['chunks']) + 1) * CHUNK_S
    for one in row['sounding']:
        if one['label'] in sounds:
            common = np.minimum(ends, one['end']) - np.maximum(ends - LOOK_BACK_S, one['start'])
            found[common >= min(LEAST_S, one['end'] - one['start']), sounds[one['label']]] = 1.0
    return found


def tagged(row: Mapping, scores: Mapping[str, np.ndarray]) -> np.ndarray:
    """Return a tagger's scores of what sounds [chunks, 521]; -1 where it heard none of it."""
    found = np.full((row['chunks'], TAGGER_CLASSES), -1.0, np.float16)
    for one in row['sounding']:
        frames = scores.get(one['path'])
        if frames is None:
            continue
        for chunk in range(int(one['start'] / CHUNK_S), min(
                row['chunks'], int(one['end'] / CHUNK_S) + 1)):
            at = ((chunk + 0.5) * CHUNK_S - one['start']) / TAGGER_FRAME_S
            heard = frames[int(np.clip(at, 0, len(frames) - 1))]
            found[chunk] = np.maximum(found[chunk], heard)
    return found


def read_tagger(path: Path) -> dict[str, np.ndarray]:
    """Return by clip the scores [frames, 521] of a file of {path, frames: [[[class, score]]]}."""
    found = {}
    for line in path.read_text(encoding='utf-8').splitlines():
        row = json.loads(line)
        scores = np.zeros((max(1, len(row['frames'])), TAGGER_CLASSES), np.float16)
        for number, frame in enumerate(row['frames']):
            for index, score in frame:
                scores[number, index] = score
        found[row['path']] = scores
    return found


class Heard:
    """All chunks of a folder of scenes: what the branch hears and what it should tell."""

    def __init__(self, folder: Path, sounds: tuple[str, ...],
                 scores: Mapping[str, np.ndarray]) -> None:
        rows = scene_rows(folder)
        index = {name: number for number, name in enumerate(sounds)}
        self.heard = torch.from_numpy(np.concatenate(
            [np.load(folder / f'{row["name"]}.sound.npy') for row in rows]))
        self.targets = torch.from_numpy(np.concatenate([targets(row, index) for row in rows]))
        self.tagged = torch.from_numpy(np.concatenate([tagged(row, scores) for row in rows])) \
            if scores else None


def read(folder: Path, sounds: tuple[str, ...], scores: Mapping[str, np.ndarray]) -> Heard:
    """Read a folder of features."""
    return Heard(folder, sounds, scores)


def named(sounds: tuple[str, ...]) -> Tensor:
    """Return the mean embedding of what each sound is called [sounds, width], in the base."""
    base = fetch('smollm2-135m-instruct')
    tokenizer = Tokenizer.from_file(str(base / 'tokenizer.json'))
    table = load_file(base / 'model.safetensors')['model.embed_tokens.weight'].float()
    return torch.stack([table[tokenizer.encode(' ' + name.replace('_', ' '),
                                               add_special_tokens=False).ids].mean(0)
                        for name in sounds])


def average_precision(truth: np.ndarray, scores: np.ndarray) -> float:
    """Return the mean, over true cases, of the share of true ones among those scored as high."""
    hits = truth[np.argsort(-scores, kind='stable')].astype(bool)
    return float((np.cumsum(hits) / np.arange(1, len(hits) + 1))[hits].mean())


def precision(scores: np.ndarray, truth: np.ndarray, sounds: tuple[str, ...]) -> dict[str, float]:
    """Return the average precision of each sound that occurs."""
    return {name: average_precision(truth[:, i], scores[:, i])
            for i, name in enumerate(sounds) if truth[:, i].any()}


def alarm_recall(scores: np.ndarray, truth: np.ndarray, sounds: tuple[str, ...],
                 false_share: float) -> float:
    """Return the share of chunks with an alert sound that pass where so few others do."""
    columns = [i for i, name in enumerate(sounds) if name in ALERTS]
    due, best = truth[:, columns].any(1), scores[:, columns].max(1)
    return float((best[due] > np.quantile(best[~due], 1 - false_share)).mean())


def step_loss(branch: SoundBranch, tagger: nn.Linear, heard: Tensor, wanted: Tensor,
              soft: Tensor | None, weight: Tensor) -> Tensor:
    hidden = F.dropout(F.gelu(branch.hidden(F.dropout(heard, 0.2))), 0.3)
    loss = F.binary_cross_entropy_with_logits(branch.classes(hidden), wanted, pos_weight=weight,
                                              reduction='none').sum(1).mean()
    if soft is not None and (known := soft[:, 0] >= 0).any():
        loss = loss + F.binary_cross_entropy_with_logits(
            tagger(hidden[known]), soft[known].float(), reduction='none').sum(1).mean()
    return loss


@torch.no_grad()
def probabilities(branch: SoundBranch, heard: Tensor) -> np.ndarray:
    return torch.cat([torch.sigmoid(branch.logits(part.float()))
                      for part in heard.split(8192)]).numpy()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument('--features', type=Path, required=True)
    parser.add_argument('--validation', type=Path, required=True)
    parser.add_argument('--data', type=Path, required=True, help='folder with manifest.jsonl')
    parser.add_argument('--tagger', type=Path, help='scores of a tagger on the clips')
    parser.add_argument('--out', type=Path, required=True)
    parser.add_argument('--minutes', type=float, default=5.0)
    parser.add_argument('--rate', type=float, default=1e-3)
    arguments = parser.parse_args()
    torch.manual_seed(0)
    sounds = sound_names(arguments.data)
    scores = read_tagger(arguments.tagger) if arguments.tagger else {}
    train, held = read(arguments.features, sounds, scores), read(arguments.validation, sounds, {})
    branch = SoundBranch(tower_config(sounds))
    tagger = nn.Linear(branch.hidden.out_features, TAGGER_CLASSES)
    with torch.no_grad():
        branch.names.weight.copy_(named(sounds).T)
        branch.names.bias.zero_()
        branch.classes.bias.fill_(-4.0)
    mean, deviation = train.heard.float().mean(0), train.heard.float().std(0) + 1e-3
    share = train.targets.mean(0).clamp(min=1e-4)
    weight = (0.02 / share).clamp(0.5, 5.0)
    optimizer = torch.optim.AdamW([*branch.parameters(), *tagger.parameters()],
                                  lr=arguments.rate, weight_decay=0.05)
    begin, best, epoch = time.monotonic(), -1.0, 0
    print(f'{len(train.heard)} chunks, {len(sounds)} sounds', flush=True)
    while (done := (time.monotonic() - begin) / 60 / arguments.minutes) < 1.0:
        branch.train()
        for places in torch.randperm(len(train.heard)).split(BATCH):
            done = min(1.0, (time.monotonic() - begin) / 60 / arguments.minutes)
            optimizer.param_groups[0]['lr'] = arguments.rate * max(0.02, 1 - done)
            loss = step_loss(branch, tagger, (train.heard[places].float() - mean) / deviation,
                             train.targets[places],
                             None if train.tagged is None else train.tagged[places], weight)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        said = probabilities(branch, (held.heard.float() - mean) / deviation)
        truth = held.targets.numpy()
        found = precision(said, truth, sounds)
        alerts = float(np.mean([value for name, value in found.items() if name in ALERTS]))
        recall = alarm_recall(said, truth, sounds, 0.005)
        epoch += 1
        print(f'epoch {epoch}: loss {loss.item():.3f}, validation: mean precision of alerts '
              f'{alerts:.3f}, of all {np.mean(list(found.values())):.3f}, chunks of alerts heard '
              f'at 0.5 % of others {recall:.3f}, {done * arguments.minutes:.1f} min', flush=True)
        if alerts > best:
            best = alerts
            save(branch, mean, deviation, sounds, arguments.out)
    print(', '.join(f'{name} {value:.2f}' for name, value in sorted(found.items())
                    if name in ALERTS))


def save(branch: SoundBranch, mean: Tensor, deviation: Tensor, sounds: tuple[str, ...],
         path: Path) -> None:
    """Write the branch for summaries as they are: the scaling goes into its first layer."""
    state = {f'sound.{name}': value.clone() for name, value in branch.state_dict().items()}
    state['sound.hidden.weight'] /= deviation
    state['sound.hidden.bias'] -= state['sound.hidden.weight'] @ mean
    save_file(state, path, metadata={'sounds': json.dumps(sounds)})


if __name__ == '__main__':
    main()
