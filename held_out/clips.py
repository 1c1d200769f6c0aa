"""
What a model is measured on: the clips of a folder that no training ever took, and mixtures.

Owns who is held out and how a scene is put together. A clip is held out when training could not
take it: of the licence groups that are trained on, one source recording (or speaker) in five is
put aside by the recipe; the other groups are never trained on, except where a clip shares its
recording with a trained one. Speech that names neither speaker nor source went by its file in the
recipe's first version and goes by its words since; what has a session went by its source first.
Weights that went on from an earlier version must not have taken a clip by either name. Knows no
model. Everything is the same in every run: chance comes from hashes of names.
"""

import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from audio_interaction_ros.audio.block import AudioBlock
from audio_interaction_ros.audio.mono import to_mono
from audio_interaction_ros.audio.read_blocks import read_blocks
from audio_interaction_ros.errors import AudioFormatError, AudioInteractionError
from audio_interaction_ros.protocol import SAMPLE_RATE_HZ
from held_out.splits import chance_of, is_validation, recording_of

__all__ = ['HeldOutClip', 'MaterialError', 'join_blocks', 'scale_to', 'read_held_out', 'load',
           'loop_samples', 'mix_over',
           'read_manifest', 'root_mean_square', 'side_of', 'find_sounding']

RATE = SAMPLE_RATE_HZ
FRAME = 320
AUDIBLE_DB = -35.0
FLOOR_DBFS = -70.0
GAP_S = 0.05
"""Stamps of a recording that goes on may be so far from where the block before ended."""


class MaterialError(AudioInteractionError, ValueError):
    """The folder to measure on is not as expected; whoever made it must change it."""


@dataclass(frozen=True)
class HeldOutClip:
    """One held-out clip."""

    path: Path
    label: str
    group: str
    """Speaker, source recording or, of speech without either, its words: what was drawn
    independently."""
    seconds: float
    origin: str = 'held out'
    """held out: of a group that is trained on; never trained: of another licence group."""
    text: str = ''
    language: str = ''
    translation: str = ''
    generated: bool = False
    extra: dict[str, Any] = field(default_factory=dict, compare=False, hash=False)

    @property
    def name(self) -> str:
        """Return the end of the path, which is the same on every machine."""
        return '/'.join(self.path.parts[-3:])


def read_manifest(folder: Path) -> list[dict[str, Any]]:
    """Return the rows of a folder's manifest.jsonl; MaterialError names file and line."""
    path = folder / 'manifest.jsonl'
    if not path.is_file():
        raise MaterialError(f'{folder}: expected a folder with manifest.jsonl, found none; give '
                            'the folder of the recordings in --data')
    rows = []
    for number, line in enumerate(path.read_text(encoding='utf-8').splitlines(), start=1):
        try:
            row = json.loads(line)
            row['path'], row['label'] = str(row['path']), str(row['label'])
        except (ValueError, KeyError, TypeError) as error:
            raise MaterialError(f'{path}:{number}: expected a JSON object with path and label, '
                                f'got {line[:60]!r} ({error}); correct the manifest') from error
        rows.append(row)
    return rows


def _names_of(row: dict[str, Any]) -> set[str]:
    """Return each name that a version of the recipe puts a clip aside by."""
    return {str(row.get('speaker') or row.get('source_id') or row['path']), recording_of(row)}


def _trained_names(row: dict[str, Any]) -> set[str]:
    """Return the names that a clip of a trained group keeps from being held out."""
    names = _names_of(row)
    trained = {name for name in names if not is_validation(name)}
    # One source of a session was trained on: all of that room was heard.
    return names if trained and row.get('session') else trained


def read_held_out(folder: Path, trained_groups: Sequence[str] = ('free',)) -> list[HeldOutClip]:
    """Return the clips of a folder that no version of training took, in a fixed order."""
    rows = read_manifest(folder)
    trained = {name for row in rows if row.get('licence_group') in trained_groups
               for name in _trained_names(row)}
    return sorted((
        HeldOutClip(path=folder / row['path'], label=row['label'], group=recording_of(row),
                    seconds=float(row.get('seconds', 0.0)), text=row.get('text') or '',
                    language=row.get('lang') or row.get('language') or '',
                    translation=row.get('translation') or '', generated=bool(row.get('generated')),
                    origin='held out' if row.get('licence_group') in trained_groups
                    else 'never trained', extra=row)
        for row in rows if trained.isdisjoint(_names_of(row))),
                  key=lambda item: chance_of(item.name))


def side_of(item: HeldOutClip) -> str:
    """
    Return ``validation``, on which thresholds are chosen, or ``test``, on which they are reported.

    Validation is what the recipe puts aside, test the other licence groups, which no training
    takes. Of speech put aside one voice in two is test as well: the other groups hold digits only.
    """
    if item.origin == 'never trained' or (
            item.label.startswith('speech_') and chance_of(item.group, 'side') < 0.5):
        return 'test'
    return 'validation'


def load(path: Path) -> np.ndarray:
    """Return a file as mono float32 [n] at 16 kHz."""
    try:
        return join_blocks(list(read_blocks(path, block_ms=10_000)), path)
    except AudioFormatError as error:
        raise MaterialError(f'{error} (correct the manifest or fetch the file again)') from error


def join_blocks(blocks: Sequence[AudioBlock], path: Path) -> np.ndarray:
    """
    Return the blocks of ``path`` as mono float32 [n] at 16 kHz.

    What is missing between their stamps is silence, so that times stay true. MaterialError without
    a block.
    """
    import soxr
    if not blocks:
        raise MaterialError(f'{path}: expected samples, found none; fetch the file again')
    rate, begin_ns = blocks[0].sample_rate_hz, blocks[0].stamp_ns
    parts, count = list[np.ndarray](), 0
    for block in blocks:
        gap = 0 if block.stamp_ns is None or begin_ns is None else (
            round((block.stamp_ns - begin_ns) * rate / 1e9) - count)
        if gap > GAP_S * rate:
            parts.append(np.zeros(gap, np.float32))
            count += gap
        parts.append(to_mono(block))
        count += len(parts[-1])
    mono = np.concatenate(parts)
    return mono if rate == RATE else soxr.resample(mono, rate, RATE).astype(np.float32)


def root_mean_square(samples: np.ndarray) -> float:
    """Return the root mean square, never 0."""
    return float(np.sqrt(np.mean(np.square(samples, dtype=np.float64)) + 1e-12)) \
        if len(samples) else 1e-6


def scale_to(samples: np.ndarray, dbfs: float) -> np.ndarray:
    """Scale to a level, in dB relative to full scale, without clipping."""
    scaled = samples * (10 ** (dbfs / 20) / root_mean_square(samples))
    return (scaled / max(1.0, float(np.abs(scaled).max(initial=0.0)) / 0.98)).astype(np.float32)


def find_sounding(samples: np.ndarray, below_db: float = AUDIBLE_DB) -> tuple[int, int]:
    """Return first and last sample that is heard: frames of 20 ms within 35 dB of the loudest."""
    count = len(samples) // FRAME
    if not count:
        return 0, len(samples)
    power = np.square(samples[:count * FRAME], dtype=np.float64).reshape(count, FRAME).mean(1)
    heard = np.flatnonzero(power >= max(float(power.max()), 1e-12) * 10 ** (below_db / 10))
    return int(heard[0]) * FRAME, int(heard[-1] + 1) * FRAME


def loop_samples(samples: np.ndarray, count: int, name: str) -> np.ndarray:
    """Return ``count`` samples from a place in a clip that depends on ``name``, repeated."""
    if not len(samples):
        return np.zeros(count, np.float32)
    start = int(chance_of(name, 'start') * max(1, len(samples) - count))
    return np.resize(np.roll(samples, -start) if len(samples) < count else samples[start:], count)


def mix_over(event: np.ndarray, at: int, bed: np.ndarray, snr_db: float | None) -> np.ndarray:
    """
    Put an event [n] on a bed [m] at a sample and return [m] float32.

    The bed keeps its level; the event is ``snr_db`` above it where it sounds. None: the bed is
    replaced by a noise floor of -70 dBFS and the event set to -20 dBFS.
    """
    mixed = bed.astype(np.float32).copy()
    piece = event[:len(mixed) - at]
    if snr_db is None:
        floor = np.random.default_rng(len(mixed)).standard_normal(len(mixed))
        mixed = (floor * 10 ** (FLOOR_DBFS / 20)).astype(np.float32)
        level = -20.0
    else:
        level = 20 * np.log10(root_mean_square(mixed[at:at + len(piece)])) + snr_db
    first, last = find_sounding(piece)
    mixed[at:at + len(piece)] += piece * (10 ** (level / 20) / root_mean_square(piece[first:last]))
    return (mixed / max(1.0, float(np.abs(mixed).max()) / 0.98)).astype(np.float32)


def by_label(items: Sequence[HeldOutClip]) -> dict[str, list[HeldOutClip]]:
    """Return items by label, in their order."""
    clips: dict[str, list[HeldOutClip]] = defaultdict(list)
    for item in items:
        clips[item.label].append(item)
    return dict(clips)


def go_round(items: Sequence[HeldOutClip]) -> Iterator[tuple[int, HeldOutClip]]:
    """Yield (round, item) for ever, each item once per round; nothing without items."""
    number = 0
    while items:
        yield from ((number, item) for item in items)
        number += 1
