"""
A finished head on what is put aside: which form of detection hears most at equal promised rates.

Nothing is trained. Only recordings of the fold that no head and no branch learned from are heard:
its checks, and hours of its backgrounds. Beside the head stand YAMNet's own classes, which learned
from none of our recordings, and half of each: what they gain is no matter of what a head knows by
heart. Other heads may stand beside the first. Owns who scores; streams are those of every run
(``embeddings.ASIDE``).
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from audio_interaction_ros.model.sound_head import SoundHead
from train.sound_head.baselines import tagger_logits
from train.sound_head.calibration import sigmoid
from train.sound_head.checks import list_checks
from train.sound_head.choose import detection_of_alerts
from train.sound_head.classes import SoundClasses, read_classes
from train.sound_head.clips import HELD_OUT, read_clips
from train.sound_head.curves import CheckedStream
from train.sound_head.dataset import Dataset, read_dataset
from train.sound_head.embeddings import Amounts, plan_parts, write_aside
from train.sound_head.files import write_json
from train.sound_head.forms import FORMS, Form
from train.sound_head.lasting import follow_lasting, say_lasting
from train.sound_head.place import LEAD_S
from train.sound_head.promised import compare_ways, say_ways
from train.sound_head.tagger import TaggerClasses, fetch_tagger_classes

__all__ = ['compare_aside', 'score_windows']

HEAD, PROFILE = 'head', 'home'
MOST = 1e-7
"""Probabilities this near 0 or 1 are the least and the most of 32 bits."""


def compare_aside(data: Path, out: Path, heads: Sequence[Path], hours: float, workers: int,
                  report: Callable[[str], None], lead_s: float = LEAD_S) -> None:
    """
    Write ``forms.json`` into ``out`` and tell its tables; hears what is missing.

    The first of ``heads`` is tried in every form, the others beside it in that of the rules file.
    """
    classes, tagger = read_classes(), fetch_tagger_classes(out)
    dataset = _hear(data, out / 'parts', Amounts(scenes=0, hours=hours), workers, report)
    report(f'{len(dataset.streams)} streams, {sum(one.chunks for one in dataset.streams)} chunks')
    told, table = score_all(dataset, SoundHead.read(heads[0]), tagger, classes), dict[str, Any]()
    others = {str(path): (_check(dataset, [sigmoid(one) for one in _hear_odds(
        dataset, SoundHead.read(path))]), Form()) for path in heads[1:]}
    for name, scores in told.items():
        checked = _check(dataset, scores)
        ways = {said: (checked, form) for said, form in FORMS.items()}
        table[name] = compare_ways(ways | (others if name == HEAD else {}), classes,
                                   detection_of_alerts(), lead_s)
        report(f'\n{name}\n\n{say_ways(table[name])}')
        if name == HEAD:
            lasting = follow_lasting(checked, classes, detection_of_alerts(PROFILE))
            table['lasting'] = {said: asdict(one) for said, one in lasting.items()}
            report(f'\nsounds that last, {PROFILE}\n\n{say_lasting(lasting)}')
    write_json(out / 'forms.json', table)


def _check(dataset: Dataset, scores: Sequence[np.ndarray]) -> list[CheckedStream]:
    return [CheckedStream(stream, one, dataset.targets[stream.places].numpy())
            for stream, one in zip(dataset.streams, scores, strict=True)]


def _hear(data: Path, folder: Path, amounts: Amounts, workers: int,
          report: Callable[[str], None]) -> Dataset:
    """Return what is put aside: from the parts of a whole run where these are, else heard now."""
    classes = read_classes()
    whole = plan_parts(amounts, len(list_checks(read_clips(data), classes)))
    if all((folder / part.file_name).is_file() for part in whole):
        dataset = read_dataset(folder, whole, classes)
        return replace(dataset, streams=tuple(dataset.choose(lambda one: one.fold == HELD_OUT)))
    return read_dataset(folder, write_aside(data, folder, amounts, workers, report), classes)


def score_all(dataset: Dataset, head: SoundHead, tagger: TaggerClasses,
              classes: SoundClasses) -> dict[str, list[np.ndarray]]:
    """Return by who scores the scores [chunks, classes] of each stream."""
    own = _hear_odds(dataset, head)
    others = [tagger_logits(dataset.embeddings[stream.places], tagger, classes)
              for stream in dataset.streams]
    return {HEAD: [sigmoid(one) for one in own],
            'half head, half YAMNet': [sigmoid((one + other) / 2)
                                       for one, other in zip(own, others, strict=True)],
            'YAMNet': [sigmoid(one) for one in others]}


def _hear_odds(dataset: Dataset, head: SoundHead) -> list[np.ndarray]:
    """Return the log-odds [chunks, classes] of a head for each stream."""
    return [_log_odds(score_windows(head, dataset.embeddings[stream.places].float().numpy()))
            for stream in dataset.streams]


def score_windows(head: SoundHead, embeddings: np.ndarray) -> np.ndarray:
    """Return scores [chunks, classes] of the embeddings [chunks, width] of one stream."""
    kept = head.hear(embeddings)
    padded = np.concatenate([np.zeros((head.context - 1, kept.shape[1]), np.float32), kept])
    windows = np.lib.stride_tricks.sliding_window_view(padded, head.context, axis=0)
    return head.score(windows.transpose(0, 2, 1))


def _log_odds(scores: np.ndarray) -> np.ndarray:
    kept = np.clip(scores.astype(np.float64), MOST, 1 - MOST)
    return np.asarray(np.log(kept) - np.log1p(-kept))
