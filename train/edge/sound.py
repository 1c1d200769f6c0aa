r"""
The sound branch: which sounds are heard in a chunk, learned from every clip that is mixed in.

Owns the loss and the choice of the best epoch. Beside our own labels the hidden layer may learn
what a general AudioSet tagger said of the clips (``--tagger``), so that it hears more than our few
classes name; that head is not kept. Minutes of CPU; run it before stage B.

    python -m train.edge.sound --scenes OUT/train --validation OUT/validation --data DATA \
        --out sound.safetensors --recipe edge
"""

import argparse
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file
from tokenizers import Tokenizer
from torch import Tensor, nn
from torch.nn import functional as F

from audio_interaction_ros.checkpoints.base_weights import fetch
from audio_interaction_ros.errors import AudioInteractionError
from audio_interaction_ros.model.audio_tower import SoundBranch
from held_out.classes import ALERTS
from train.edge.feature_folder import read_features, read_streams
from train.edge.features import tower_config
from train.edge.library import sound_names
from train.edge.recipe import Training, read_edge_recipe
from train.edge.sound_targets import TAGGER_CLASSES, UNKNOWN, make_targets, read_tagger, tag_chunks
from train.trainer.clock import Clock
from train.trainer.progress import write_weights
from train.trainer.schedule import rate_share, set_rates

__all__ = ['Figures', 'SoundDataset', 'NoAlertsError', 'average_precision', 'make_figures',
           'save_branch',
           'step_loss']

BATCH = 512
NOTHING = 1.0
"""Length of what is said when nothing is heard; a sound that is heard for sure has over 2."""
FALSE_SHARE = 0.005
"""Of chunks without an alert sound, so many may pass when recall is told."""


class NoAlertsError(AudioInteractionError):
    """The validation scenes hold no alert sound to choose an epoch by; make some."""


class SoundDataset:
    """All chunks of a folder of scenes: what the branch hears and what it should tell."""

    def __init__(self, folder: Path, sounds: tuple[str, ...],
                 scores: Mapping[str, np.ndarray]) -> None:
        """Read a folder of features; without ``scores`` no tagger is asked."""
        streams = read_streams(folder)
        index = {name: number for number, name in enumerate(sounds)}
        self.heard = torch.from_numpy(np.concatenate(
            [read_features(folder, stream)[1] for stream in streams]))
        self.targets = torch.from_numpy(np.concatenate(
            [make_targets(stream, index) for stream in streams]))
        self.tagged = torch.from_numpy(np.concatenate(
            [tag_chunks(stream, scores) for stream in streams])) if scores else None


@dataclass(frozen=True, kw_only=True)
class Figures:
    """How well validation is told apart."""

    by_sound: dict[str, float]
    """Average precision of each sound that occurs."""
    alerts: float
    """Mean of those that are alerts: by it an epoch is chosen."""
    recall: float
    """Share of the chunks with an alert that pass where FALSE_SHARE of the others do."""


def embed_names(sounds: tuple[str, ...]) -> Tensor:
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


def precision_by_sound(scores: np.ndarray, truth: np.ndarray,
                       sounds: tuple[str, ...]) -> dict[str, float]:
    """Return the average precision of each sound that occurs, unknown chunks left out."""
    known = truth != UNKNOWN
    return {name: average_precision(truth[known[:, i], i], scores[known[:, i], i])
            for i, name in enumerate(sounds) if (truth[:, i] == 1).any()}


def alarm_recall(scores: np.ndarray, truth: np.ndarray, sounds: tuple[str, ...]) -> float:
    """Return the share of chunks with an alert sound that pass where FALSE_SHARE others do."""
    columns = [i for i, name in enumerate(sounds) if name in ALERTS]
    due, best = (truth[:, columns] == 1).any(1), scores[:, columns].max(1)
    if due.all():
        return 1.0
    return float((best[due] > np.quantile(best[~due], 1 - FALSE_SHARE)).mean())


def make_figures(scores: np.ndarray, truth: np.ndarray, sounds: tuple[str, ...]) -> Figures:
    """Return how well scores [chunks, sounds] tell the truth; NoAlertsError without an alert."""
    by_sound = precision_by_sound(scores, truth, sounds)
    alerts = [value for name, value in by_sound.items() if name in ALERTS]
    if not alerts:
        raise NoAlertsError(
            f'expected validation scenes with alert sounds, got {len(truth)} chunks without one; '
            'make some: scenes.alert.validation of the recipe')
    return Figures(by_sound=by_sound, alerts=float(np.mean(alerts)),
                   recall=alarm_recall(scores, truth, sounds))


def step_loss(branch: SoundBranch, tagger: nn.Linear, heard: Tensor, wanted: Tensor,
              soft: Tensor | None, weight: Tensor) -> Tensor:
    """Return the loss of our labels and of the tagger's scores, where each is known."""
    hidden = F.dropout(F.gelu(branch.hidden(F.dropout(heard, 0.2))), 0.3)
    told = F.binary_cross_entropy_with_logits(branch.classes(hidden), wanted.clamp(min=0.0),
                                              pos_weight=weight, reduction='none')
    loss = torch.where(wanted == UNKNOWN, 0.0, told).sum(1).mean()
    if soft is not None and (known := soft[:, 0] >= 0).any():
        loss = loss + F.binary_cross_entropy_with_logits(
            tagger(hidden[known]), soft[known].float(), reduction='none').sum(1).mean()
    return loss


@torch.no_grad()
def sound_probabilities(branch: SoundBranch, heard: Tensor) -> np.ndarray:
    return torch.cat([torch.sigmoid(branch.logits(part))
                      for part in heard.split(8192)]).numpy()


def make_branch(sounds: tuple[str, ...], names: Path | None = None,
                sound_feature: str = 'direction') -> SoundBranch:
    """
    Return a branch that says what it hears by name, and hears little of anything yet.

    What it says of nothing is ``silence``: a feature that is a direction only has one length, and
    without something to stand against, a faint guess would look like a certain one. Where the
    feature keeps the strength its length tells that. ``names`` are weights of a model whose names
    for the sounds are kept; it must tell the same sounds apart.
    """
    branch = SoundBranch(tower_config(sounds, sound_feature))
    nothing = NOTHING if sound_feature == 'direction' else 0.0
    with torch.no_grad():
        branch.names.weight.copy_(embed_names(sounds).T if names is None
                                  else load_file(names)['sound.names.weight'])
        branch.names.bias.copy_(F.normalize(embed_names(('silence',))[0], dim=0) * nothing)
        branch.classes.bias.fill_(-4.0)
    return branch


def train(branch: SoundBranch, heard: SoundDataset, held: SoundDataset, sounds: tuple[str, ...],
          asked: Training, out: Path) -> None:
    """Train for so many minutes and write the epoch that tells alerts best."""
    mean, deviation = heard.heard.float().mean(0), heard.heard.float().std(0) + 1e-3
    weight = (0.02 / (heard.targets == 1).float().mean(0).clamp(min=1e-4)).clamp(0.5, 5.0)
    tagger = nn.Linear(branch.hidden.out_features, TAGGER_CLASSES)
    optimizer = torch.optim.AdamW([*branch.parameters(), *tagger.parameters()],
                                  lr=asked.rate, weight_decay=0.05)
    kept, clock = (held.heard.float() - mean) / deviation, Clock(asked.minutes)
    best, epoch, best_figures = -1.0, 0, None
    while best_figures is None or clock.spent_share() < 1.0:
        branch.train()
        for places in torch.randperm(len(heard.heard)).split(BATCH):
            set_rates(optimizer, rate_share(0, clock.spent_share(), warm_up=1, least=0.02))
            loss = step_loss(branch, tagger, (heard.heard[places].float() - mean) / deviation,
                             heard.targets[places],
                             None if heard.tagged is None else heard.tagged[places], weight)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        said = sound_probabilities(branch, kept)
        best_figures, epoch = make_figures(said, held.targets.numpy(), sounds), epoch + 1
        print(f'epoch {epoch}: loss {loss.item():.3f}, validation: mean precision of alerts '
              f'{best_figures.alerts:.3f}, of all '
              f'{np.mean(list(best_figures.by_sound.values())):.3f}, chunks '
              f'of alerts heard at {FALSE_SHARE:.1%} of others {best_figures.recall:.3f}, '
              f'{clock.spent_minutes():.1f} min', flush=True)
        if best_figures.alerts > best:
            best = best_figures.alerts
            save_branch(branch, mean, deviation, sounds, out)
    print(', '.join(f'{name} {value:.2f}' for name, value in sorted(best_figures.by_sound.items())
                    if name in ALERTS))


def save_branch(branch: SoundBranch, mean: Tensor, deviation: Tensor, sounds: tuple[str, ...],
                path: Path) -> None:
    """Write the branch for summaries as they are: the scaling goes into its first layer."""
    state = {f'sound.{name}': value.clone() for name, value in branch.state_dict().items()}
    state['sound.hidden.weight'] /= deviation
    state['sound.hidden.bias'] -= state['sound.hidden.weight'] @ mean
    write_weights(path, state, {'sounds': json.dumps(sounds)})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument('--scenes', type=Path, required=True)
    parser.add_argument('--validation', type=Path, required=True)
    parser.add_argument('--data', type=Path, required=True, help='folder with manifest.jsonl')
    parser.add_argument('--tagger', type=Path, help='scores of a tagger on the clips')
    parser.add_argument('--names', type=Path, metavar='TRAINED',
                        help='weights whose names of the same sounds are kept, for a language '
                        'model that knows them')
    parser.add_argument('--out', type=Path, required=True)
    parser.add_argument('--recipe', default='edge')
    arguments = parser.parse_args()
    torch.manual_seed(0)
    sounds = sound_names(arguments.data)
    scores = read_tagger(arguments.tagger) if arguments.tagger else {}
    heard = SoundDataset(arguments.scenes, sounds, scores)
    held = SoundDataset(arguments.validation, sounds, {})
    print(f'{len(heard.heard)} chunks, {len(sounds)} sounds', flush=True)
    recipe = read_edge_recipe(arguments.recipe)
    train(make_branch(sounds, arguments.names, recipe.sound_feature), heard, held, sounds,
          recipe.sounds, arguments.out)


if __name__ == '__main__':
    main()
