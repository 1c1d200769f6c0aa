"""
What the ears make of streams, kept on disk: each is heard once, whatever is asked of it later.

Owns the torch tower as ears, many chunks a batch, and the folder of embeddings: ``SAMPLES.npy``
[chunks, width] float16, named by the hash of ears and samples, and ``STREAM.json``, what happens
in a stream and which samples it is, named by the hash of its name, of who is held out and of the
version of the scenes. So a second head, other rules or another threshold cost no hearing, and
where the split moves only what sounds different is heard anew. A run that was stopped goes on.
Knows no sound by name and no figure.
"""

import hashlib
import io
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from audio_interaction_ros.alerts.rules import AlertRules
from audio_interaction_ros.protocol import CHUNK_SAMPLES
from audio_interaction_ros.whole_file import write_whole
from eval import scenes
from eval.matching import ExpectedEvent
from eval.scenes import Scene, ScenePlan
from held_out.classes import accepted_labels
from held_out.clips import RATE, HeldOutClip
from measure import report

__all__ = ['BatchedEars', 'Ears', 'EmbeddingCache', 'HeardScene']

BATCH = 8
"""Windows a pass: more do not fit the caches of a core and take longer."""


class Ears(Protocol):
    """Whoever makes embeddings of samples."""

    name: str
    """Part of the key: other ears hear otherwise."""

    def hear(self, samples: np.ndarray) -> np.ndarray:
        """Return embeddings [chunks, width] float16 of samples [n] float32 at 16 kHz."""


@dataclass
class BatchedEars:
    """The tower that serves the robot, in PyTorch and bfloat16, many chunks at a time."""

    threads: int = 1
    name: str = 'torch bfloat16'

    @cached_property
    def _tower(self) -> Any:
        import torch
        from torch import nn

        from train.sound_head.embeddings import load_sound_tower
        torch.set_num_threads(self.threads)
        tower = load_sound_tower()
        nn.Module.to(tower.tagger, memory_format=torch.channels_last)  # type: ignore[call-overload]
        return tower

    def hear(self, samples: np.ndarray) -> np.ndarray:
        """Return embeddings [chunks, width] float16; the last chunk is filled with silence."""
        from train.sound_head.embeddings import encode_sounds
        return encode_sounds(self._tower, samples, BATCH)


@dataclass(frozen=True)
class HeardScene:
    """What happens in a stream, and where its embeddings lie."""

    scene: Scene
    """Without samples."""
    seconds: float
    path: Path = field(repr=False)

    def read(self) -> np.ndarray:
        """Return embeddings [chunks, width] float16."""
        embeddings: np.ndarray = np.load(self.path)
        return embeddings


class EmbeddingCache:
    """The embeddings of the streams of one folder of recordings, heard by one pair of ears."""

    def __init__(self, folder: Path, ears: Ears, items: Sequence[HeldOutClip],
                 known: AlertRules) -> None:
        """Take the folder of the cache, which need not exist, and all that streams are made of."""
        self._folder, self._ears, self._known = folder, ears, known
        self._base = _digest(scenes.VERSION, [
            (item.name, item.label, item.group, item.seconds) for item in items])
        self.fresh = 0
        """Streams that were not in the cache."""

    def hear(self, plans: Sequence[ScenePlan]) -> list[HeardScene]:
        """Return all streams in their order, hearing what is missing and showing how far it is."""
        self._folder.mkdir(parents=True, exist_ok=True)
        heard = []
        with report.progress_bar() as bar:
            task = bar.add_task('streams heard', total=len(plans))
            for plan in plans:
                heard.append(self._hear_one(plan))
                bar.advance(task)
        return heard

    def _hear_one(self, plan: ScenePlan) -> HeardScene:
        told = self._folder / f'{_digest(self._base, plan.name)}.json'
        if not told.is_file():
            scene = plan.make()
            row = {**_describe(scene), 'samples': self._keep(scene.samples)}
            write_whole(told, json.dumps(row, ensure_ascii=False).encode())
        return self._restore(json.loads(told.read_text(encoding='utf-8')))

    def _keep(self, samples: np.ndarray) -> str:
        """Return the name of the embeddings of samples, hearing them if nobody did."""
        name = _digest(self._ears.name, samples.astype('<f4').tobytes())
        path = self._folder / f'{name}.npy'
        if not path.is_file():
            data = io.BytesIO()
            np.save(data, self._ears.hear(samples))
            write_whole(path, data.getvalue())  # another run may hear it too
            self.fresh += 1
        return name

    def _restore(self, row: dict[str, Any]) -> HeardScene:
        """Return a stream from its description; which answers are right is asked of the rules."""
        events = tuple(ExpectedEvent(label=event['label'], start=event['start'],
                                     end=event['end'],
                                     accepts=accepted_labels(event['label'], self._known))
                       for event in row.pop('events'))
        seconds, path = row.pop('seconds'), self._folder / f'{row.pop("samples")}.npy'
        return HeardScene(Scene(**row, events=events, samples=np.empty(0, np.float32)),
                          seconds, path)


def _digest(*parts: object) -> str:
    return hashlib.sha256(b'\0'.join(
        part if isinstance(part, bytes) else repr(part).encode() for part in parts)
    ).hexdigest()[:24]


def _describe(scene: Scene) -> dict[str, Any]:
    """Return all of a scene but its samples, as plain values."""
    chunks = -(-len(scene.samples) // CHUNK_SAMPLES)
    row = asdict(replace(scene, samples=np.empty(0, np.float32), events=()))
    del row['samples']
    return {**row, 'seconds': chunks * CHUNK_SAMPLES / RATE,
            'events': [{'label': event.label, 'start': event.start, 'end': event.end}
                       for event in scene.events]}
