"""
Scenes for the first edge model: speech, alert sounds and harmless sounds on one time line.

Owns what is mixed with what, how loud, and when each event is over or has become clear. Knows
no tokens and no models. Sounds come from a folder with ``manifest.jsonl`` (fields path, label,
licence_group, source_id, seconds, and text and speaker for speech); only clips of the licence
group ``free`` are ever used.
"""

import hashlib
import json
import random
from collections import defaultdict
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import numpy as np
import soundfile
from scipy.signal import fftconvolve, lfilter

from audio_interaction_ros.protocol import Emotion
from train.edge.synthesise import trim
from train.sounds.signals import LABELS, make

__all__ = ['ALERTS', 'Event', 'Library', 'Scene', 'compose']

RATE = 16_000
CLEAR_AFTER_S = 0.8
LONGEST_S = 24  # 60 chunks, as in the paper

ALERTS: dict[str, tuple[str, Emotion]] = {
    'dog_bark': ('Dog barking.', Emotion.URGENT),
    'baby_cry': ('Baby crying.', Emotion.URGENT),
    'glass_break': ('Glass breaking.', Emotion.URGENT),
    'dish_break': ('Glass breaking.', Emotion.URGENT),
    'siren': ('Siren.', Emotion.URGENT),
    'smoke_alarm': ('Smoke alarm.', Emotion.URGENT),
    'scream': ('Scream.', Emotion.URGENT),
    'gunshot': ('Gunshot.', Emotion.URGENT),
    'explosion': ('Explosion.', Emotion.URGENT),
    'car_horn': ('Car horn.', Emotion.URGENT),
    'fire_crackling': ('Fire crackling.', Emotion.URGENT),
    'cough': ('Coughing.', Emotion.NORMAL),
    'door_knock': ('Knock on the door.', Emotion.NORMAL),
    'doorbell': ('Doorbell.', Emotion.NORMAL),
}
"""What the assistant lane says of each sound, and in which tone."""

COMPUTED = {'smoke_alarm': 1.0, 'doorbell': 0.7, 'siren': 0.4}
"""How often a sound is a computed signal, where recordings exist too."""
HARMLESS_SIGNALS = [name for label in ('phone_ring', 'appliance_beep', 'reversing_beep')
                    for name in LABELS[label]]

# Too close to an alert, or too much like speech, to be told from it by their label alone.
NEITHER = {'alarm', 'fire_alarm', 'alarm_clock', 'dog_growl', 'wolf_howl', 'air_horn', 'buzzer',
           'bicycle_horn', 'train_horn', 'train_whistle', 'car_alarm', 'fire_ignite', 'bell',
           'fireworks', 'glass_impact', 'pain_vocal', 'radio_chatter', 'church_bell', 'crowd',
           'other_weapon', 'phone_tone', 'singing', 'speech_nonverbal', 'music', 'impact_hard'}


@dataclass(frozen=True, kw_only=True)
class Event:
    """Something that a lane answers to; times in seconds of the scene."""

    kind: str
    """speech | sound"""
    start: float
    end: float
    due: float
    """From here on it is over (speech) or clear (sound), and an answer is due."""
    text: str
    label: str = ''
    emotion: Emotion = Emotion.NORMAL


@dataclass(frozen=True, kw_only=True)
class Scene:
    """16 kHz mono samples [n] float32 and what happens in them."""

    name: str
    kind: str
    samples: np.ndarray
    events: list[Event] = field(default_factory=list)


def signal(name: str, rng: random.Random) -> np.ndarray:
    """Return 3 to 5 s of a standardised signal from some device in some room."""
    return make(name, np.random.default_rng(rng.randrange(1 << 30)), seconds=rng.uniform(3.0, 5.0))


def is_validation(key: str, share: int = 5) -> bool:
    """Put one in ``share`` recordings aside, by the hash of the recording's identity."""
    return int(hashlib.sha256(key.encode()).hexdigest(), 16) % share == 0


@lru_cache(maxsize=600)
def load(path: Path) -> np.ndarray:
    samples, rate = soundfile.read(path, dtype='float32')
    assert rate == RATE, f'{path}: expected {RATE} Hz, got {rate}'
    return samples


class Library:
    """The clips of one split: utterances, real speech, alert sounds and harmless sounds."""

    def __init__(self, data: Path, speech: Path, split: str) -> None:
        self.split = split
        self.sounds: dict[str, list[Path]] = defaultdict(list)
        self.harmless: dict[str, list[Path]] = defaultdict(list)
        self.real: list[tuple[str, Path]] = []
        for line in (data / 'manifest.jsonl').read_text(encoding='utf-8').splitlines():
            self._sort(json.loads(line), data)
        self.utterances = [
            (row['text'], speech / row['path']) for row in map(json.loads, (
                speech / 'utterances.jsonl').read_text(encoding='utf-8').splitlines())
            if row['split'] == split]

    def _sort(self, row: dict, data: Path) -> None:
        key = row.get('speaker') or row.get('source_id') or row['path']
        if row['licence_group'] != 'free' or (
                is_validation(key) != (self.split == 'validation')):
            return
        path, label = data / row['path'], row['label']
        if label.startswith('speech_') and label != 'speech_nonverbal':
            if row.get('text') and row['seconds'] <= 11 and row.get('lang') == 'en':
                text = row['text']
                self.real.append((text[0].upper() + text[1:] + '.', path))
        elif label in ALERTS:
            if row.get('label_check') != 'not_confirmed' or label not in ('dog_bark', 'baby_cry'):
                self.sounds[label].append(path)
        elif label not in NEITHER:
            self.harmless[label].append(path)

    def speech(self, rng: random.Random) -> tuple[str, np.ndarray]:
        """Return one utterance, trimmed: synthetic four times in five, else a real recording."""
        if self.real and rng.random() < 0.2:
            long = [item for item in self.real if '/alphanumeric/' in str(item[1])]
            pool = long if long and rng.random() < 0.35 else self.real
            text, path = rng.choice(pool)
            return text, trim(load(path), -32.0)
        text, path = rng.choice(self.utterances)
        return text, load(path)

    def alert(self, rng: random.Random) -> tuple[str, np.ndarray]:
        """Return the label and at most 5 s of an alert sound, beginning with the sound."""
        label = rng.choice([*ALERTS, 'dog_bark', 'baby_cry', 'smoke_alarm', 'glass_break'])
        share = COMPUTED.get(label, 0.0) if self.sounds[label] else 1.0
        if label in LABELS and rng.random() < share:
            return label, signal(rng.choice(LABELS[label]), rng)
        if not self.sounds[label]:
            return self.alert(rng)
        return label, trim(load(rng.choice(self.sounds[label])), -28.0)[:5 * RATE]

    def noise(self, rng: random.Random, samples: int) -> np.ndarray:
        """Return so many samples of a harmless sound, repeated if it is shorter."""
        if rng.random() < 0.06:
            return np.resize(signal(rng.choice(HARMLESS_SIGNALS), rng), samples)
        clip = load(rng.choice(self.harmless[rng.choice(sorted(self.harmless))]))
        start = rng.randrange(max(1, len(clip) - samples))
        return np.resize(clip[start:start + samples], samples)


def level(samples: np.ndarray) -> float:
    return float(np.sqrt((samples ** 2).mean() + 1e-12))


def scaled(noise: np.ndarray, reference: float, below_db: float) -> np.ndarray:
    return noise / level(noise) * reference * 10 ** (-below_db / 20)


def room(samples: np.ndarray, rng: random.Random) -> np.ndarray:
    """Add a short synthetic reverberation, and a tilt of the spectrum as of a cheap microphone."""
    if rng.random() < 0.25:
        time = np.arange(int(0.25 * RATE)) / RATE
        tail = np.random.default_rng(rng.randrange(1 << 30)).standard_normal(len(time))
        tail *= np.exp(-time * rng.uniform(18, 50)) * rng.uniform(0.01, 0.06)
        tail[0] = 1.0
        samples = fftconvolve(samples, tail)[:len(samples)]
    if rng.random() < 0.5:
        samples = lfilter([1.0, rng.uniform(-0.6, 0.6)], [1.0], samples)
    return np.asarray(samples, np.float32)


def background(library: Library, rng: random.Random, count: int, reference: float) -> np.ndarray:
    """Return what is heard everywhere: a sound bed, a quiet gap noise, white floor or zeros."""
    kind = rng.random()
    if kind < 0.3:
        return np.zeros(count, np.float32)
    if kind < 0.5:
        white = np.random.default_rng(rng.randrange(1 << 30)).standard_normal(count)
        return np.asarray(white * 10 ** (-rng.uniform(45, 75) / 20), np.float32)
    below = rng.uniform(18, 32) if kind < 0.75 else rng.uniform(6, 18)
    return scaled(library.noise(rng, count), reference, below)


def foreground(library: Library, rng: random.Random,
               kind: str) -> list[tuple[str, str, np.ndarray]]:
    """Return what happens one after the other: (speech|sound|harmless, text or label, samples)."""
    if kind == 'speech':
        items = [('speech', *library.speech(rng))]
        while rng.random() < 0.45 and sum(len(item[2]) for item in items) < 4 * RATE:
            items.append(('speech', *library.speech(rng)))
        return items
    if kind == 'alert':
        return [('sound', *library.alert(rng))]
    if kind == 'long':
        return [item for part in rng.choices(('speech', 'alert', 'harmless'), (4, 4, 3),
                                             k=rng.choice((2, 3, 4)))
                for item in foreground(library, rng, part)[:1]]
    if kind == 'mixed':
        items = [('speech', *library.speech(rng)), ('sound', *library.alert(rng))]
        return rng.sample(items, 2)
    return [('harmless', '', library.noise(rng, int(rng.uniform(3, 5) * RATE)))
            for _ in range(rng.choice([1, 2]))]


def compose(library: Library, seed: int, kind: str) -> Scene:
    """
    Return scene number ``seed`` of a kind: speech, alert, mixed, harmless or long.

    A long one has two to four things far apart, for else a model would learn that something
    happens soon after a stream begins.
    """
    rng = random.Random(f'{library.split} {kind} {seed}')
    gap = rng.uniform(0.1, 6.0 if kind == 'long' else 1.2)
    pieces, events = [np.zeros(int(gap * RATE), np.float32)], []
    for what, name, clip in foreground(library, rng, kind):
        start = sum(map(len, pieces)) / RATE
        end = start + len(clip) / RATE
        gain = 10 ** (-rng.uniform(0, 14) / 20) / max(1e-4, float(np.abs(clip).max())) * 0.9
        pieces.append(room(clip * gain, rng))
        if what == 'speech':
            events.append(Event(kind='speech', start=start, end=end, due=end + 0.45, text=name))
        elif what == 'sound':
            text, emotion = ALERTS[name]
            events.append(Event(kind='sound', start=start, end=end, text=text, label=name,
                                due=min(start + CLEAR_AFTER_S, end), emotion=emotion))
        gap = rng.uniform(0.95, 6.0 if kind == 'long' else 1.6)
        pieces.append(np.zeros(int(gap * RATE), np.float32))
    samples = np.concatenate(pieces)[:LONGEST_S * RATE]
    samples = samples + background(library, rng, len(samples), level(samples))
    samples = np.clip(samples * 10 ** (-rng.uniform(0, 10) / 20), -1, 1)
    return Scene(name=f'{kind}-{seed:05d}', kind=kind, samples=samples, events=events)
