"""
What the encoder hears of scenes and checks, computed once and kept in parts.

Owns the files ``part-KIND-NUMBER.safetensors``: ``embeddings`` [chunks, 5632] float16, ``heard``
[chunks, labels] int8, and in their metadata the scenes with their events. A part is written whole
or not at all, so a run that was stopped goes on; the same part has the same bytes in every run on
one machine. Mel and windows are made by the classes that serve the robot.
"""

import json
import multiprocessing
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch

from audio_interaction_ros.model.audio_tower import AudioTower
from train.edge.features import SOUND_LEVELS, load_tower, make_windows
from train.sound_head.audible import label_chunks
from train.sound_head.checks import Check, compose_check, list_checks
from train.sound_head.classes import SoundClasses, read_classes
from train.sound_head.clips import FOLDS, HELD_OUT, SoundClip, read_clips
from train.sound_head.files import write_tensors
from train.sound_head.hours import HOUR_SECONDS, HOURS, compose_hours
from train.sound_head.material import Material
from train.sound_head.scenes import SHAPED, Scene, compose_training_scene, fold_of_scene
from train.sounds.signals import LABELS

__all__ = ['ASIDE', 'Amounts', 'Part', 'Workshop', 'label_vocabulary', 'load_sound_tower',
           'plan_parts', 'write_aside', 'write_parts']

ASIDE = 'aside'
"""Parts of what is put aside alone: its checks, then its hours."""
SCENES_PER_PART = 8
BATCH = 32


@dataclass(frozen=True)
class Part:
    """Some scenes or checks that are heard together and kept in one file."""

    kind: str
    """train, shaped, hours, check or aside."""
    number: int

    @property
    def file_name(self) -> str:
        """Return what it is called in its folder."""
        return f'part-{self.kind}-{self.number:05d}.safetensors'


@dataclass(frozen=True, kw_only=True)
class Amounts:
    """How much is composed to train and choose on."""

    scenes: int
    shaped: int = 0
    hours: float = 0.0

    @property
    def streams(self) -> dict[str, int]:
        """Return how many scenes or streams there are of each kind but checks."""
        return {'train': self.scenes, SHAPED: self.shaped,
                HOURS: round(self.hours * 3600 / HOUR_SECONDS)}


def plan_parts(amounts: Amounts, checks: int) -> list[Part]:
    """Return the parts of so many scenes and checks, mixed evenly: a few of each come first."""
    counts = {kind: -(-count // SCENES_PER_PART)
              for kind, count in {**amounts.streams, 'check': checks}.items()}
    parts = [(number / count, Part(kind, number)) for kind, count in counts.items()
             for number in range(count)]
    return [part for _, part in sorted(parts, key=lambda item: (item[0], item[1].kind))]


def label_vocabulary(clips: Sequence[SoundClip]) -> tuple[str, ...]:
    """Return every label that can be heard in a scene, in the order of the alphabet."""
    return tuple(sorted({clip.label for clip in clips} | set(LABELS)))


def load_sound_tower() -> AudioTower:
    """Return the encoder in bfloat16 as far as its sound summaries need it."""
    tower = load_tower(torch.bfloat16)
    tower.layers = tower.layers[:max(SOUND_LEVELS)]
    return tower


@torch.inference_mode()
def encode_sounds(tower: AudioTower, samples: np.ndarray, batch: int = BATCH) -> np.ndarray:
    """
    Return embeddings [chunks, 5632] float16 of samples [n] from the start of a stream.

    The last chunk is filled with silence; ``batch`` windows are heard at a time.
    """
    dtype = next(tower.parameters()).dtype
    windows = torch.tensor(make_windows(samples), dtype=dtype)
    return torch.cat([tower.sound_inputs(part, tower.levels(part))
                      for part in windows.split(batch)]).half().numpy()


class Workshop:
    """Makes any part of a folder of recordings; every part alone, so that parts can be shared."""

    def __init__(self, data: Path, encode: Callable[[np.ndarray], np.ndarray],
                 classes: SoundClasses | None = None) -> None:
        self.encode, classes = encode, classes or read_classes()
        clips = read_clips(data)
        self.labels = label_vocabulary(clips)
        self.checks = list_checks(clips, classes)
        self.material = [Material(data, clips, classes, fold) for fold in range(FOLDS)]

    def compose(self, part: Part, amounts: Amounts) -> Iterator[Scene]:
        """Yield the scenes of a part; the last part of a kind has what is left of it."""
        numbers = range(part.number * SCENES_PER_PART, (part.number + 1) * SCENES_PER_PART)
        if part.kind == ASIDE:
            for make in self.aside(amounts)[numbers[0]:numbers[-1] + 1]:
                yield make()
        elif part.kind == 'check':
            chosen: list[Check] = self.checks[numbers[0]:numbers[-1] + 1]
            for check in chosen:
                yield compose_check(self.material[check.fold], check)
        else:
            for number in numbers[:max(0, amounts.streams[part.kind] - numbers[0])]:
                if part.kind == HOURS:
                    yield compose_hours(self.material[number % FOLDS], number)
                else:
                    yield compose_training_scene(self.material[fold_of_scene(number)], number,
                                                 part.kind)

    def aside(self, amounts: Amounts) -> list[Callable[[], Scene]]:
        """Return all scenes of what is put aside, as they are composed when they are called."""
        own = self.material[HELD_OUT]
        return [*(partial(compose_check, own, check) for check in self.checks
                  if check.fold == HELD_OUT),
                *(partial(compose_hours, own, number)
                  for number in range(HELD_OUT, amounts.streams[HOURS], FOLDS))]

    def write(self, part: Part, amounts: Amounts, folder: Path) -> int:
        """Make one part and return how many chunks it has; what exists is left as it is."""
        path = folder / part.file_name
        if path.exists():
            return 0
        rows, embeddings, heard = [], [], []
        for scene in self.compose(part, amounts):
            embeddings.append(self.encode(scene.samples))
            heard.append(label_chunks(scene.sounds, scene.power, self.labels))
            rows.append({'name': scene.name, 'fold': scene.fold, 'kind': scene.kind,
                         'chunks': len(heard[-1]),
                         'events': [asdict(event) for event in scene.events]})
        write_tensors(path, {'embeddings': np.concatenate(embeddings),
                             'heard': np.concatenate(heard)},
                      {'scenes': json.dumps(rows), 'labels': json.dumps(self.labels)})
        return sum(map(len, heard))


_workshop: Workshop | None = None


def _open_workshop(data: Path) -> None:
    global _workshop  # one per worker process, whose encoder is loaded once
    torch.set_num_threads(1)
    _workshop = Workshop(data, partial(encode_sounds, load_sound_tower()))


def _write_part(folder: Path, amounts: Amounts, part: Part) -> int:
    assert _workshop is not None, 'the pool opened it'
    return _workshop.write(part, amounts, folder)


def write_parts(data: Path, folder: Path, amounts: Amounts, workers: int,
                report: Callable[[str], None] = print) -> list[Part]:
    """Make what is missing of the parts of that much and of all checks; return all parts."""
    checks = list_checks(read_clips(data), read_classes())
    return _write_missing(plan_parts(amounts, len(checks)), data, folder, amounts, workers, report)


def write_aside(data: Path, folder: Path, amounts: Amounts, workers: int,
                report: Callable[[str], None] = print) -> list[Part]:
    """Make what is missing of the checks and hours that are put aside; return their parts."""
    checks = list_checks(read_clips(data), read_classes())
    count = sum(check.fold == HELD_OUT for check in checks) + len(
        range(HELD_OUT, amounts.streams[HOURS], FOLDS))
    parts = [Part(ASIDE, number) for number in range(-(-count // SCENES_PER_PART))]
    return _write_missing(parts, data, folder, amounts, workers, report)


def _write_missing(parts: list[Part], data: Path, folder: Path, amounts: Amounts, workers: int,
                   report: Callable[[str], None]) -> list[Part]:
    folder.mkdir(parents=True, exist_ok=True)
    missing = [part for part in parts if not (folder / part.file_name).exists()]
    if not missing:
        return parts
    begin, chunks = time.monotonic(), 0
    context = multiprocessing.get_context('spawn')
    with context.Pool(workers, _open_workshop, (data,)) as pool:
        for done, made in enumerate(pool.imap(partial(_write_part, folder, amounts), missing), 1):
            chunks += made
            if done % 20 == 0 or done == len(missing):
                minutes = (time.monotonic() - begin) / 60
                report(f'parts: {done} of {len(missing)}, {chunks} chunks, {minutes:.1f} min, '
                       f'{minutes / done * (len(missing) - done):.0f} min left')
    return parts
