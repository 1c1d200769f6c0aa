"""
Scenes to train on: several sounds one after the other over a background, some of them together.

Owns what is mixed with what and how loud. A scene depends on its number only: on its fold, whose
recordings it takes, and on chance seeded by its name. Knows no encoder and no classes' targets.
"""

import random
from dataclasses import dataclass, field

import numpy as np

from audio_interaction_ros.protocol import CHUNK_SAMPLES, SAMPLE_RATE_HZ
from train.sound_head.audible import FRAME, PlacedSound, frame_power
from train.sound_head.clips import FOLDS, HELD_OUT
from train.sound_head.material import Material, Piece
from train.sound_head.rooms import pass_through_line, place_somewhere
from train.sound_head.shapes import place_in_shape

__all__ = ['SHAPED', 'Scene', 'SceneEvent', 'compose_training_scene', 'fold_of_scene', 'scale_to']

RATE = SAMPLE_RATE_HZ
SECONDS = 12.0
ALERT_SHARE, CLOSE_SHARE, SPEECH_SHARE, UNNAMED_SHARE = 0.45, 0.15, 0.13, 0.03
"""How often a sound is an alert, one that is easily taken for an alert, speech, of no class."""
CLOSE = ('door', 'impact', 'gun_handling', 'phone_ring', 'ui_beep', 'music', 'laughter', 'sneeze',
         'thunder', 'fireworks', 'can_opening', 'alarm_clock', 'bell', 'footsteps', 'cat',
         'rooster', 'keyboard_typing', 'rain', 'clapping', 'whoosh')
LOUDEST_DBFS, QUIETEST_DBFS = -12.0, -45.0
DRY_SHARE, OVERLAP_SHARE = 0.3, 0.12
SHAPED = 'shaped'
"""Scenes of this kind have rooms of walls, and their sounds drown in the background more often."""
SHAPED_SHARE, SHAPED_DRY_SHARE, FAINTEST_DB, SHAPED_FAINTEST_DB = 0.7, 0.1, 30.0, 15.0
FLOOR_DBFS = (-80.0, -60.0)


@dataclass(frozen=True)
class SceneEvent:
    """One sound of a scene, in seconds, for the figures."""

    label: str
    start: float
    end: float
    path: str = ''
    offset: float = 0.0


@dataclass(frozen=True)
class Scene:
    """16 kHz mono samples [n] float32 of whole chunks, and the sounds that were mixed."""

    name: str
    fold: int
    kind: str
    """train, shaped or hours; or what a stream checks: dry, 10 dB, ambience, speech, harmless."""
    samples: np.ndarray
    power: np.ndarray
    """Of each frame of what was mixed, before any microphone."""
    sounds: tuple[PlacedSound, ...]
    events: tuple[SceneEvent, ...] = field(default=())


def scale_to(samples: np.ndarray, dbfs: float) -> np.ndarray:
    """Return samples [n] with that level where they sound, in dB of full scale."""
    loud = np.abs(samples) > 0.03 * np.abs(samples).max(initial=1e-9)
    power = float(np.mean(np.square(samples[loud], dtype=np.float64))) if loud.any() else 1.0
    return np.asarray(samples * (10 ** (dbfs / 20) / max(power, 1e-12) ** 0.5), np.float32)


def fold_of_scene(number: int) -> int:
    """Return the fold of a training scene: all but the one that is put aside, in turn."""
    return 1 + number % (FOLDS - 1) if HELD_OUT == 0 else number % FOLDS


def compose_training_scene(material: Material, number: int, kind: str = 'train') -> Scene:
    """Return training scene ``number`` of a kind, train or shaped, from the sounds of its fold."""
    fold = fold_of_scene(number)
    rng = random.Random(f'{"sounds" if kind == "train" else kind} {fold} {number}')
    count = round(SECONDS * RATE)
    level = rng.uniform(QUIETEST_DBFS, LOUDEST_DBFS)
    mixture, placed, events = np.zeros(count, np.float32), list[PlacedSound](), list[SceneEvent]()
    at = round(rng.uniform(0.0, 1.5) * RATE)
    while at < count - RATE // 2:
        at -= at % FRAME
        piece = _draw_piece(material, rng)
        heard = _place(piece.samples, kind, rng)
        sound = scale_to(heard, level + rng.uniform(-6, 6))
        sound = sound[:count - at]
        mixture[at:at + len(sound)] += sound
        placed.append(PlacedSound(piece.label, at, sound))
        events.append(SceneEvent(piece.label, at / RATE, (at + len(sound)) / RATE, piece.path,
                                 piece.offset))
        apart = rng.uniform(-0.8, 0.0) if rng.random() < OVERLAP_SHARE else rng.uniform(0.1, 1.4)
        at = max(at + RATE // 5, at + len(sound) + round(apart * RATE))
    bed = _draw_bed(material, rng, count, level, kind)
    if bed.label:
        placed.append(PlacedSound(bed.label, 0, bed.samples))
    mixture += bed.samples
    return Scene(f'{kind}-{number:05d}', fold, kind, pass_through_line(mixture, rng),
                 frame_power(mixture), tuple(placed), tuple(events))


def _place(samples: np.ndarray, kind: str, rng: random.Random) -> np.ndarray:
    if kind == SHAPED and rng.random() < SHAPED_SHARE and samples.any():
        return place_in_shape(samples, rng)
    return place_somewhere(samples, rng)


def _draw_piece(material: Material, rng: random.Random) -> Piece:
    """Return what sounds next; where the fold does not have it, something else is drawn."""
    piece, draw = None, rng.random()
    while piece is None:
        if draw < ALERT_SHARE:
            piece = material.draw(rng.choice(tuple(material.classes.alerts)), rng)
        elif draw < ALERT_SHARE + CLOSE_SHARE:
            piece = material.draw(rng.choice(CLOSE), rng)
        elif draw < ALERT_SHARE + CLOSE_SHARE + SPEECH_SHARE:
            piece = material.draw('speech', rng)
        elif draw < ALERT_SHARE + CLOSE_SHARE + SPEECH_SHARE + UNNAMED_SHARE:
            piece = material.draw_unnamed(rng)
        else:
            piece = material.draw(rng.choice(tuple(material.classes.others)), rng)
        draw = rng.random()
    return piece


def _draw_bed(material: Material, rng: random.Random, count: int, level: float,
              kind: str) -> Piece:
    """Return what is heard all the time: a faint floor, or a bed below the sounds."""
    dry, faintest = (DRY_SHARE, FAINTEST_DB) if kind != SHAPED else (SHAPED_DRY_SHARE,
                                                                     SHAPED_FAINTEST_DB)
    noise = np.random.default_rng(rng.randrange(1 << 30)).standard_normal(count)
    floor = noise * 10 ** (rng.uniform(*FLOOR_DBFS) / 20)
    if rng.random() < dry:
        return Piece('', floor.astype(np.float32))
    bed = material.draw_bed(rng, count)
    samples = scale_to(bed.samples, level - rng.uniform(0.0, faintest)) + floor
    return Piece(bed.label, samples.astype(np.float32), bed.path, bed.offset)


assert round(SECONDS * RATE) % CHUNK_SAMPLES == 0, 'scenes are whole chunks'
