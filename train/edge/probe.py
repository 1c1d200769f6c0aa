r"""
At which layer does the frozen encoder hear sounds best? An ablation, no step of the recipe.

Owns one linear classifier per choice of layers, trained on four of five source recordings and
judged on the fifth, twice. What it reads is what the sound branch reads. Ten minutes of CPU.

    python -m train.edge.probe --data DATA
"""

import argparse
import json
from collections import Counter
from pathlib import Path

import numpy as np
import soundfile
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from audio_interaction_ros.model.audio_tower import AudioTower
from held_out.classes import ALERTS
from held_out.splits import fold_of
from train.edge.features import BATCH, load_tower, make_windows

__all__ = ['probe_level', 'summarise']

LONGEST_S = 6
LEAST_CLIPS = 4
EPOCHS = 12
CHOICES = ((0,), (1,), (2,), (3,), (4,), (5,), (6,), (2, 3, 4), (3, 4, 5), (2, 4, 6))


@torch.inference_mode()
def summarise(tower: AudioTower, samples: np.ndarray) -> Tensor:
    """Return [chunks, levels, 3 * width] float16 of samples [n]: means and spread, per level."""
    return torch.cat([
        torch.stack([tower.summarise(level) for level in tower.levels(mel)], dim=1)
        for mel in torch.tensor(make_windows(samples), dtype=torch.bfloat16).split(BATCH)]).half()


def choose_clips(data: Path) -> list[dict]:
    """Return all free clips of sounds whose label has at least four of them."""
    rows = [json.loads(line)
            for line in (data / 'manifest.jsonl').read_text(encoding='utf-8').splitlines()]
    rows = [row for row in rows if row['licence_group'] == 'free'
            and not row['label'].startswith(('speech_', 'background_'))]
    many = Counter(row['label'] for row in rows)
    return [row for row in rows if many[row['label']] >= LEAST_CLIPS]


def fit_classifier(inputs: Tensor, classes: Tensor, count: int) -> nn.Module:
    """Return a linear classifier; rare classes weigh more."""
    torch.manual_seed(0)
    weight = (torch.bincount(classes, minlength=count) + 1.0) ** -0.5
    net = nn.Sequential(nn.Dropout(0.2), nn.Linear(inputs.shape[1], count))
    optimizer = torch.optim.AdamW(net.parameters(), lr=1e-3, weight_decay=0.05)
    for _ in range(EPOCHS):
        for places in torch.randperm(len(inputs)).split(256):
            loss = F.cross_entropy(net(inputs[places]), classes[places], weight=weight)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return net.eval()


@torch.no_grad()
def name_clips(net: nn.Module, inputs: Tensor, clip: Tensor) -> dict[int, int]:
    """Return the class of each clip by the mean over its chunks."""
    scores = F.softmax(net(inputs), dim=1)
    return {int(number): int(scores[clip == number].mean(0).argmax()) for number in clip.unique()}


def probe_level(heard: Tensor, clip: Tensor, labels: list[int], folds: list[int],
                alerts: set[int]) -> tuple[float, float]:
    """Return the share of clips named rightly, and the mean recall over the alert classes."""
    right: list[tuple[int, bool]] = []
    classes, sides = torch.tensor(labels)[clip], torch.tensor(folds)[clip]
    for held in (0, 1):
        train = sides != held
        mean, deviation = heard[train].mean(0), heard[train].std(0) + 1e-3
        net = fit_classifier((heard[train] - mean) / deviation, classes[train], max(labels) + 1)
        names = name_clips(net, (heard[~train & (sides == held)] - mean) / deviation,
                           clip[sides == held])
        right += [(labels[clip_number], labels[clip_number] == said) for clip_number,
                  said in names.items()]
    recalls = [np.mean([hit for label, hit in right if label == alert])
               for alert in alerts if any(label == alert for label, _ in right)]
    return float(np.mean([hit for _, hit in right])), float(np.mean(recalls))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument('--data', type=Path, required=True, help='folder with manifest.jsonl')
    data = parser.parse_args().data
    rows, tower = choose_clips(data), load_tower()
    names = sorted({row['label'] for row in rows})
    summaries_of = []
    for row in rows:
        samples, _ = soundfile.read(data / row['path'], dtype='float32')
        samples = samples[:LONGEST_S * 16_000] / max(1e-4, float(np.abs(samples).max())) * 0.5
        summaries_of.append(summarise(tower, samples)[1:])
    clip = torch.tensor(np.repeat(np.arange(len(rows)),
                                  [len(summary) for summary in summaries_of]))
    labels = [names.index(row['label']) for row in rows]
    folds = [fold_of(row.get('source_id') or row['path']) for row in rows]
    print(f'{len(rows)} clips, {len(names)} labels, {len(clip)} chunks')
    for choice in CHOICES:
        heard = torch.cat(summaries_of)[:, list(choice)].flatten(1).float()
        share, recall = probe_level(heard, clip, labels, folds,
                                    {i for i, name in enumerate(names) if name in ALERTS})
        print(f'after layers {choice}: named {share:.3f}, recall of alert classes {recall:.3f}',
              flush=True)


if __name__ == '__main__':
    main()
