"""
A finished head on what is put aside: which form of detection hears most at equal promised rates.

Nothing is trained. Only recordings of the fold that no head and no branch learned from are heard:
its checks, and hours of its backgrounds. Beside the head stand YAMNet's own classes, which learned
from none of our recordings, and half of each: what they gain is no matter of what a head knows by
heart. Owns who scores; streams are those of every run (``embeddings.ASIDE``).
"""

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from audio_interaction_ros.model.sound_head import SoundHead
from train.sound_head.baselines import tagger_logits
from train.sound_head.calibration import sigmoid
from train.sound_head.choose import detection_of_alerts
from train.sound_head.classes import SoundClasses, read_classes
from train.sound_head.curves import CheckedStream
from train.sound_head.dataset import Dataset, read_dataset
from train.sound_head.embeddings import Amounts, write_aside
from train.sound_head.files import write_json
from train.sound_head.forms import FORMS
from train.sound_head.lasting import follow_lasting, say_lasting
from train.sound_head.place import LEAD_S
from train.sound_head.promised import compare_ways, say_ways
from train.sound_head.tagger import TaggerClasses, fetch_tagger_classes

__all__ = ['compare_aside', 'score_windows']

HEAD, PROFILE = 'head', 'home'
MOST = 1e-7
"""Probabilities this near 0 or 1 are the least and the most of 32 bits."""


def compare_aside(data: Path, out: Path, head: Path, hours: float, workers: int,
                  report: Callable[[str], None], lead_s: float = LEAD_S) -> None:
    """Write ``forms.json`` into ``out`` and tell its tables; hears what is missing."""
    classes, tagger = read_classes(), fetch_tagger_classes(out)
    parts = write_aside(data, out / 'parts', Amounts(scenes=0, hours=hours), workers, report)
    dataset = read_dataset(out / 'parts', parts, classes)
    report(f'{len(dataset.streams)} streams, {len(dataset.targets)} chunks')
    table: dict[str, Any] = {}
    for name, scores in score_all(dataset, SoundHead.read(head), tagger, classes).items():
        checked = [CheckedStream(stream, one, dataset.targets[stream.places].numpy())
                   for stream, one in zip(dataset.streams, scores, strict=True)]
        table[name] = compare_ways({said: (checked, form) for said, form in FORMS.items()},
                                   classes, detection_of_alerts(), lead_s)
        report(f'\n{name}\n\n{say_ways(table[name])}')
        if name == HEAD:
            lasting = follow_lasting(checked, classes, detection_of_alerts(PROFILE))
            table['lasting'] = {said: asdict(one) for said, one in lasting.items()}
            report(f'\nsounds that last, {PROFILE}\n\n{say_lasting(lasting)}')
    write_json(out / 'forms.json', table)


def score_all(dataset: Dataset, head: SoundHead, tagger: TaggerClasses,
              classes: SoundClasses) -> dict[str, list[np.ndarray]]:
    """Return by who scores the scores [chunks, classes] of each stream."""
    embeddings = [dataset.embeddings[stream.places] for stream in dataset.streams]
    own = [_log_odds(score_windows(head, one.float().numpy())) for one in embeddings]
    others = [tagger_logits(one, tagger, classes) for one in embeddings]
    return {HEAD: [sigmoid(one) for one in own],
            'half head, half YAMNet': [sigmoid((one + other) / 2)
                                       for one, other in zip(own, others, strict=True)],
            'YAMNet': [sigmoid(one) for one in others]}


def score_windows(head: SoundHead, embeddings: np.ndarray) -> np.ndarray:
    """Return scores [chunks, classes] of the embeddings [chunks, width] of one stream."""
    kept = head.hear(embeddings)
    padded = np.concatenate([np.zeros((head.context - 1, kept.shape[1]), np.float32), kept])
    windows = np.lib.stride_tricks.sliding_window_view(padded, head.context, axis=0)
    return head.score(windows.transpose(0, 2, 1))


def _log_odds(scores: np.ndarray) -> np.ndarray:
    kept = np.clip(scores.astype(np.float64), MOST, 1 - MOST)
    return np.asarray(np.log(kept) - np.log1p(-kept))
