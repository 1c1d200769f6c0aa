"""
Thresholds on a folder of validation scenes: a look in a minute, before anything listens.

Owns the sweep over the decision threshold of each lane with the true past as context. What a model
does while it listens, the commands of ``eval`` measure (docs/evaluation.md).

    python -m train.edge.evaluate --model models/edge --pick OUT/validation
"""

import argparse
from pathlib import Path

import numpy as np
import torch

from audio_interaction_ros.checkpoints.load import LoadedModel
from audio_interaction_ros.checkpoints.load import load as load_model
from audio_interaction_ros.model.audio_tower import AudioTower
from audio_interaction_ros.model.decoder import rope_tables
from train.edge.feature_folder import read_features, read_streams
from train.records import Stream
from train.tokens import IGNORE, Layout, lay_out_online
from train.tokens.command import replies_of_lane

__all__ = ['print_choices', 'project_stream', 'sweep_thresholds']

GROUND = (0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)


def sweep_thresholds(scores: np.ndarray, labels: np.ndarray) -> list[tuple[float, float, float]]:
    """Return (threshold, recall, share of silent chunks that fire) of p_respond [n]."""
    due, silent = scores[labels == 1], scores[labels == 0]
    return [(t, float((due >= t).mean()), float((silent >= t).mean())) for t in GROUND]


def project_stream(tower: AudioTower, folder: Path, stream: Stream) -> torch.Tensor:
    """Return features [chunks * N, output_width] float32 of a stream, sound last in each chunk."""
    frames, heard = (torch.from_numpy(values.astype(np.float32))
                     for values in read_features(folder, stream))
    features = tower.features(frames, heard if tower.config.sounds else None)
    return features.reshape(-1, tower.config.output_width)


@torch.inference_mode()
def probabilities(model: LoadedModel, lane: str, stream: Stream, folder: Path) -> tuple[
        np.ndarray, np.ndarray]:
    """Return p_respond and label [chunks] of one stream, given the true past."""
    assert model.tokenizer is not None, 'the whole model was loaded'
    encode = model.tokenizer.encode
    ids = model.config.token_ids
    laid = lay_out_online(Layout(ids, model.config.audio_tower.features_per_chunk),
                          encode(model.config.lanes[lane].prompt),
                          replies_of_lane(stream.lanes[lane], encode, 0, stream.chunks))
    embeddings = model.decoder.embed(torch.from_numpy(laid.ids)[None])
    features = project_stream(model.tower, folder, stream)
    embeddings[0, torch.from_numpy(laid.feature_at)] = features.to(embeddings.dtype)
    decoder = model.config.decoder
    cos, sin = rope_tables(np.arange(len(laid.ids))[None], decoder.head_dim, decoder.rope_base)
    hidden = model.decoder(embeddings, cos, sin)[0, laid.control != IGNORE]
    logits = model.decoder.control_logits(hidden, ids.silence, ids.respond).float()
    return logits.softmax(-1)[:, 1].numpy(), laid.control[laid.control != IGNORE]


def print_choices(name: str, folder: Path) -> None:
    """Print recall and false fires of each lane over thresholds."""
    model = load_model(name)
    model.decoder.to(torch.bfloat16)
    streams = read_streams(folder)
    for lane in model.config.lanes:
        results = [probabilities(model, lane, stream, folder) for stream in streams
                   if lane in stream.lanes]
        scores, labels = (np.concatenate(part) for part in zip(*results, strict=True))
        print(f'{lane}: {int(labels.sum())} due, {int((labels == 0).sum())} silent chunks')
        for threshold, recall, false in sweep_thresholds(scores, labels):
            print(f'  p >= {threshold:.1f}: recall {recall:.3f}, false {false:.4f}, '
                  f'balanced accuracy {(recall + 1 - false) / 2:.3f} (always silent 0.500)')


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument('--model', default='edge')
    parser.add_argument('--pick', type=Path, required=True, help='folder of validation scenes')
    arguments = parser.parse_args()
    print_choices(arguments.model, arguments.pick)


if __name__ == '__main__':
    main()
