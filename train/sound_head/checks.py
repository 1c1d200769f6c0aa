"""
Streams to check a head on: one recording or signal each, as a robot meets it.

Owns which streams there are, in which order, and how loud: every alert dry and 10 dB above a
background of its fold, and what is no alert (ambience, speech, single harmless sounds). They
depend on names only. Test recordings are never among them: they are of other licence groups, and
of the speech that is put aside nothing is taken, because half of it is for tests.
"""

import hashlib
import random
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from audio_interaction_ros.protocol import CHUNK_SAMPLES
from train.edge.library import load
from train.sound_head.audible import FRAME, PlacedSound, frame_power
from train.sound_head.classes import SoundClasses
from train.sound_head.clips import FOLDS, HELD_OUT, SoundClip
from train.sound_head.material import Material, Piece, cut_sounding
from train.sound_head.rooms import place_somewhere
from train.sound_head.scenes import RATE, Scene, SceneEvent, scale_to
from train.sounds.signals import LABELS

__all__ = ['CONDITIONS', 'BACKGROUNDS', 'Check', 'compose_check', 'list_checks']

CONDITIONS = ('dry', '10 dB')
BACKGROUNDS = ('ambience', 'speech', 'harmless')
DEVICES = 2
"""Of each computed signal in each fold that is trained on."""
SPEECH_CLIPS = 280
EVENT_S, HARMLESS_S, SPEECH_S, AMBIENCE_S = 5.0, 6.0, 8.0, 60.0
TAIL_S = 1.2
DRY_DBFS, FLOOR_DBFS = -20.0, -70.0


@dataclass(frozen=True)
class Check:
    """A stream that is composed when it is asked for."""

    name: str
    fold: int
    kind: str
    clip: SoundClip | None = None
    signal: str = ''


def list_checks(clips: Sequence[SoundClip], classes: SoundClasses) -> list[Check]:
    """Return all checks, in an order by chance of their names."""
    checks, spoken = list[Check](), list[SoundClip]()
    unsure = {label for label, names in classes.ambiguous.items()
              if set(names) & set(classes.alerts)}
    for clip in clips:
        name = classes.name_of(clip.label)
        if name in classes.alerts:
            checks += [Check(f'{clip.path} {kind}', clip.fold, kind, clip) for kind in CONDITIONS]
        elif clip.label.startswith('background_'):
            checks.append(Check(clip.path, clip.fold, 'ambience', clip))
        elif name == 'speech':
            spoken += [clip] if clip.fold != HELD_OUT else []
        elif clip.label not in unsure or name:
            checks.append(Check(clip.path, clip.fold, 'harmless', clip))
    spoken.sort(key=lambda clip: _chance(clip.path))
    checks += [Check(clip.path, clip.fold, 'speech', clip) for clip in spoken[:SPEECH_CLIPS]]
    checks += [Check(f'{signal} {device} {kind}', fold, kind, signal=signal)
               for name in classes.alerts for label in classes.all[name].labels
               for signal in LABELS.get(label, ()) for fold in range(FOLDS) if fold != HELD_OUT
               for device in range(fold * DEVICES, (fold + 1) * DEVICES) for kind in CONDITIONS]
    return sorted(checks, key=lambda check: _chance(check.name))


def _chance(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()


def compose_check(material: Material, check: Check) -> Scene:
    """Return the stream of a check from the material of its fold."""
    rng = random.Random(f'check {check.name}')
    event = check.kind in CONDITIONS
    piece = _take_piece(material, check, rng)
    level = DRY_DBFS if event else rng.uniform(-42.0, -18.0)
    level = rng.uniform(-46.0, -34.0) if check.kind == 'ambience' else level
    sound = piece.samples
    if check.signal:
        sound = place_somewhere(sound, rng)
    at = 0 if check.kind == 'ambience' else round(rng.uniform(1.2, 2.4) * RATE) // FRAME * FRAME
    count = at + len(sound) + round((0 if check.kind == 'ambience' else TAIL_S) * RATE)
    count += -count % CHUNK_SAMPLES
    bed = _make_bed(material, check, rng, count)
    if check.kind == '10 dB':
        level = _level_of(bed.samples) + 10.0
    sound = scale_to(sound, level)
    mixture = bed.samples.copy()
    mixture[at:at + len(sound)] += sound
    mixture = (mixture / max(1.0, float(np.abs(mixture).max()) / 0.98)).astype(np.float32)
    placed = [PlacedSound(piece.label, at, sound)]
    placed += [PlacedSound(bed.label, 0, bed.samples)] if bed.label else []
    events = (SceneEvent(piece.label, at / RATE, (at + len(sound)) / RATE, piece.path,
                         piece.offset),) if event else ()
    return Scene(check.name, check.fold, check.kind, mixture, frame_power(mixture),
                 tuple(placed), events)


def _take_piece(material: Material, check: Check, rng: random.Random) -> Piece:
    """Return what is checked: what sounds of a recording, or a signal."""
    if check.clip is None:
        return material.compute(check.signal, rng)
    samples = load(material.data / check.clip.path)
    longest = {'ambience': AMBIENCE_S, 'speech': SPEECH_S, 'harmless': HARMLESS_S}.get(
        check.kind, EVENT_S)
    first, last = (0, len(samples)) if check.kind == 'ambience' else cut_sounding(samples)
    return Piece(check.clip.label, samples[first:min(last, first + round(longest * RATE))],
                 check.clip.path, first / RATE)


def _make_bed(material: Material, check: Check, rng: random.Random, count: int) -> Piece:
    """Return what is heard below: a floor, or for 10 dB a background."""
    noise = np.random.default_rng(rng.randrange(1 << 30)).standard_normal(count)
    floor = (noise * 10 ** (FLOOR_DBFS / 20)).astype(np.float32)
    if check.kind != '10 dB':
        return Piece('', floor)
    bed = material.draw_bed(rng, count)
    return Piece(bed.label, scale_to(bed.samples, rng.uniform(-46.0, -34.0)) + floor, bed.path,
                 bed.offset)


def _level_of(samples: np.ndarray) -> float:
    return 10 * float(np.log10(np.mean(np.square(samples, dtype=np.float64)) + 1e-12))
