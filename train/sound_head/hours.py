"""
Hours in which nothing happens: several steady sounds at once, looped, without any alert.

Owns what a background is made of and how it moves. Thresholds are chosen on these hours, and what
a first head takes for an alert in them is learned again with more weight. A stream depends on its
number only. Nothing in it may be taken for an alert, so that every alarm in it is a false one.
"""

import random

import numpy as np
from scipy.signal import butter, sosfilt

from audio_interaction_ros.protocol import CHUNK_SAMPLES, SAMPLE_RATE_HZ
from train.edge.library import load
from train.sound_head.audible import FRAME, PlacedSound, frame_power
from train.sound_head.clips import FOLDS, SoundClip
from train.sound_head.material import Material, choose_evenly, cut_sounding, make_noise
from train.sound_head.rooms import pass_through_line, place_somewhere
from train.sound_head.scenes import Scene, scale_to
from train.sound_head.shapes import place_in_shape

__all__ = ['HOURS', 'HOUR_SECONDS', 'compose_hours', 'is_quiet']

HOURS = 'hours'
"""The kind of these streams."""
RATE = SAMPLE_RATE_HZ
HOUR_SECONDS = 40.0
STEADY = ('rain', 'wind', 'sea_waves', 'engine', 'helicopter', 'airplane', 'chainsaw',
          'vacuum_cleaner', 'washing_machine', 'train', 'crowd', 'insects', 'birds',
          'frog', 'music', 'keyboard_typing', 'clock_tick', 'footsteps', 'clapping', 'crow',
          'farm_animal', 'rooster', 'radio_static', 'snoring', 'breathing', 'brushing_teeth',
          'sawing', 'water_drip', 'thunder', 'laughter')
PASSING = ('engine', 'train', 'airplane', 'helicopter', 'rain', 'wind', 'sea_waves')
"""What comes and goes, as a street and a shore do."""
SINGLE = ('door', 'gun_handling', 'footsteps', 'mouse_click', 'keyboard_typing', 'whoosh',
          'can_opening', 'drinking', 'cat')
"""What happens now and then, softly: somebody is at home."""
AMBIENCE_SHARE, NOISE_SHARE, BABBLE_SHARE = 0.3, 0.12, 0.18
PACES = (0.8, 1.25)
FADE_S = 0.25
LOUDEST_DBFS, QUIETEST_DBFS = -20.0, -48.0
SHAPED_SHARE = 0.4


def is_quiet(clip: SoundClip, material: Material) -> bool:
    """Tell whether a recording is, and can be taken for, no alert."""
    name, alerts = material.classes.name_of(clip.label), material.classes.alerts
    return name not in alerts and not any(
        other in alerts for other in material.classes.ambiguous.get(clip.label, ()))


def compose_hours(material: Material, number: int) -> Scene:
    """Return stream ``number`` of the hours, from the sounds of its fold."""
    fold = number % FOLDS
    rng = random.Random(f'hours {fold} {number}')
    count = round(HOUR_SECONDS * RATE)
    level = rng.uniform(QUIETEST_DBFS, LOUDEST_DBFS)
    layers = [_draw_layer(material, rng, count) for _ in range(rng.choice((1, 1, 2, 2, 3, 4)))]
    layers = [(label, scale_to(samples, level - (rng.uniform(0.0, 15.0) if place else 0.0)))
              for place, (label, samples) in enumerate(layers)]
    placed = [PlacedSound(label, 0, samples) for label, samples in layers if label]
    mixture = np.asarray(np.sum([samples for _, samples in layers], axis=0), np.float32)
    for single in _draw_singles(material, rng, count, level):
        mixture[single.begin:single.end] += single.samples
        placed.append(single)
    floor = np.random.default_rng(rng.randrange(1 << 30)).standard_normal(count)
    mixture = (mixture + floor * 10 ** (rng.uniform(-80.0, -60.0) / 20)).astype(np.float32)
    return Scene(f'hours-{number:05d}', fold, HOURS, pass_through_line(mixture, rng),
                 frame_power(mixture), tuple(placed))


def _draw_layer(material: Material, rng: random.Random, count: int) -> tuple[str, np.ndarray]:
    """Return the label, '' for noise, and the samples [count] of what is heard all the time."""
    draw = rng.random()
    ambience = [clip for clip in material.beds if clip.label.startswith('background_')]
    if draw < NOISE_SHARE:
        return '', make_noise(rng, count)
    if draw < NOISE_SHARE + BABBLE_SHARE:
        return 'speech', _make_babble(material, rng, count)
    if draw < NOISE_SHARE + BABBLE_SHARE + AMBIENCE_SHARE and ambience:
        clip = rng.choice(ambience)
    else:
        name = rng.choice([name for name in STEADY if _quiet_clips(material, name)] or [''])
        if not name:
            return '', make_noise(rng, count)
        clip = choose_evenly(_quiet_clips(material, name), rng)
    samples = _place(_loop(material, clip, rng, count), rng)
    passes = material.classes.name_of(clip.label) in PASSING and rng.random() < 0.5
    return clip.label, samples * (_come_and_go(rng, count) if passes else 1.0)


def _quiet_clips(material: Material, name: str) -> list[SoundClip]:
    return [clip for clip in material.by_class.get(name, ()) if is_quiet(clip, material)]


def _loop(material: Material, clip: SoundClip, rng: random.Random, count: int) -> np.ndarray:
    """Return a recording [count] at some pace, repeated from somewhere with cross-fades."""
    samples = load(material.data / clip.path)
    first, last = cut_sounding(samples, -45.0)
    pace = rng.uniform(*PACES)
    samples = np.interp(np.arange(first, max(first + 2, last - 1), pace),
                        np.arange(len(samples)), samples)
    fade = min(round(FADE_S * RATE), len(samples) // 3)
    ramp = np.sin(np.linspace(0.0, np.pi / 2, fade)) if fade else np.empty(0)
    looped, at = np.zeros(count + len(samples)), -rng.randrange(max(1, len(samples)))
    while at < count:
        piece = samples.copy()
        if fade:
            piece[:fade] *= ramp
            piece[-fade:] *= ramp[::-1]
        begin = max(at, 0)
        looped[begin:at + len(piece)] += piece[begin - at:]
        at += max(1, len(piece) - fade)
    return looped[:count].astype(np.float32)


def _make_babble(material: Material, rng: random.Random, count: int) -> np.ndarray:
    """Return several people who talk at once [count], or a silent stream where nobody does."""
    mixture, clips = np.zeros(count, np.float32), material.by_class.get('speech', [])
    for _ in range(rng.randrange(1, 7) if clips else 0):
        at, voice = round(rng.uniform(0.0, 4.0) * RATE), np.zeros(count, np.float32)
        while at < count:
            samples = load(material.data / choose_evenly(clips, rng).path)[:count - at]
            voice[at:at + len(samples)] = scale_to(samples, -20.0)
            at += len(samples) + round(rng.uniform(0.1, 2.0) * RATE)
        mixture += _place(voice, rng) * rng.uniform(0.3, 1.0)
    return mixture


def _draw_singles(material: Material, rng: random.Random, count: int,
                  level: float) -> list[PlacedSound]:
    """Return what happens now and then, in every second stream: no alert and not loud."""
    singles: list[PlacedSound] = []
    names = [name for name in SINGLE if _quiet_clips(material, name)]
    for _ in range(rng.randrange(1, 5) if names and rng.random() < 0.5 else 0):
        piece = material.cut(choose_evenly(_quiet_clips(material, rng.choice(names)), rng), rng)
        at = rng.randrange(count - RATE) // FRAME * FRAME
        sound = scale_to(_place(piece.samples, rng), level + rng.uniform(-12.0, 6.0))
        singles.append(PlacedSound(piece.label, at, sound[:count - at]))
    return singles


def _place(samples: np.ndarray, rng: random.Random) -> np.ndarray:
    """Return a sound [n] in a room of walls, a statistical one or none, its spectrum tilted."""
    shaped = rng.random() < SHAPED_SHARE and samples.any()
    samples = place_in_shape(samples, rng) if shaped else place_somewhere(samples, rng)
    hz, wet = rng.uniform(300.0, 5000.0), rng.uniform(-0.9, 2.0)
    low = sosfilt(butter(1, hz, fs=RATE, output='sos'), samples)
    return np.asarray(samples + wet * low, np.float32)


def _come_and_go(rng: random.Random, count: int) -> np.ndarray:
    """Return a gain [count] that swells and fades every few seconds."""
    places = np.arange(0.0, HOUR_SECONDS + 8.0, rng.uniform(2.0, 8.0))
    decibels = [rng.uniform(-25.0, 0.0) for _ in places]
    return np.asarray(10 ** (np.interp(np.arange(count) / RATE, places, decibels) / 20),
                      np.float32)


assert round(HOUR_SECONDS * RATE) % CHUNK_SAMPLES == 0, 'streams are whole chunks'
