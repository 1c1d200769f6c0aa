"""
Thresholds on a folder of validation features: a look in a minute, before anything listens.

Owns the sweep over the decision threshold of each lane with the true past as context. What a model
does while it listens, the commands of ``eval`` measure (docs/evaluation.md).

    python -m train.edge.evaluate --model models/edge --pick VALIDATION_FEATURES
"""

import argparse
from pathlib import Path

import numpy as np
import torch

from audio_interaction_ros.checkpoints.load import LoadedModel
from audio_interaction_ros.checkpoints.load import load as load_model
from audio_interaction_ros.model.audio_tower import AudioTower
from audio_interaction_ros.model.decoder import rope_tables
from held_out.pairs import read_pairs
from held_out.phrasebook import Phrasebook
from train.edge.feature_folder import ENDINGS, read_scene_rows
from train.edge.layout import IGNORE, decide_by_chunk, lay_out_session
from train.edge.training_sessions import add_translations, is_translated

__all__ = ['print_choices', 'project_scene', 'sweep_thresholds']

GROUND = (0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)


def sweep_thresholds(scores: np.ndarray, labels: np.ndarray) -> list[tuple[float, float, float]]:
    """Return (threshold, recall, share of silent chunks that fire) of p_respond [n]."""
    due, silent = scores[labels == 1], scores[labels == 0]
    return [(t, float((due >= t).mean()), float((silent >= t).mean())) for t in GROUND]


def project_scene(tower: AudioTower, folder: Path, name: str) -> torch.Tensor:
    """Return features [chunks * N, output_width] float32 of a scene, sound last in each chunk."""
    frames, *summary = (torch.from_numpy(np.load(folder / f'{name}{end}').astype(np.float32))
                        for end in ENDINGS[:1 + bool(tower.config.sounds)])
    features = tower.features(frames, summary[0] if summary else None)
    return features.reshape(-1, tower.config.output_width)


@torch.inference_mode()
def probabilities(model: LoadedModel, lane: str, row: dict, folder: Path) -> tuple[
        np.ndarray, np.ndarray]:
    """Return p_respond and label [chunks] of one scene, given the true past."""
    assert model.tokenizer is not None, 'the whole model was loaded'
    encode = model.tokenizer.encode
    ids = model.config.token_ids
    replies = [None if reply is None else (reply[0], encode(reply[1]))
               for reply in decide_by_chunk(row['events'], lane, row['chunks'])]
    laid = lay_out_session(encode(model.config.lanes[lane].prompt), replies, ids)
    embeddings = model.decoder.embed(torch.from_numpy(laid.ids)[None])
    features = project_scene(model.tower, folder, row['name'])
    embeddings[0, torch.from_numpy(laid.feature_at)] = features.to(embeddings.dtype)
    decoder = model.config.decoder
    cos, sin = rope_tables(np.arange(len(laid.ids))[None], decoder.head_dim, decoder.rope_base)
    hidden = model.decoder(embeddings, cos, sin)[0, laid.control != IGNORE]
    logits = model.decoder.control_logits(hidden, ids.silence, ids.respond).float()
    return logits.softmax(-1)[:, 1].numpy(), laid.control[laid.control != IGNORE]


def print_choices(name: str, folder: Path, book: Phrasebook) -> None:
    """Print recall and false fires of each lane over thresholds."""
    model = load_model(name)
    model.decoder.to(torch.bfloat16)
    rows = add_translations(read_scene_rows(folder), book)
    for lane in model.config.lanes:
        results = [probabilities(model, lane, row, folder) for row in rows
                   if lane != 'translation' or is_translated(row)]
        scores, labels = (np.concatenate(part) for part in zip(*results, strict=True))
        print(f'{lane}: {int(labels.sum())} due, {int((labels == 0).sum())} silent chunks')
        for threshold, recall, false in sweep_thresholds(scores, labels):
            print(f'  p >= {threshold:.1f}: recall {recall:.3f}, false {false:.4f}, '
                  f'balanced accuracy {(recall + 1 - false) / 2:.3f} (always silent 0.500)')


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument('--model', default='edge')
    parser.add_argument('--pick', type=Path, required=True, help='folder of validation features')
    parser.add_argument('--pairs', type=Path, metavar='TSV',
                        help='sentence pairs (en, zh), held-out ones too, for a translation lane')
    arguments = parser.parse_args()
    print_choices(arguments.model, arguments.pick,
                  Phrasebook(read_pairs(arguments.pairs) if arguments.pairs else []))


if __name__ == '__main__':
    main()
