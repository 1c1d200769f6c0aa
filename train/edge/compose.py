"""
Scenes for the edge model: speech, alert sounds and harmless sounds on one time line.

Owns what is mixed with what, how loud, and when each event is over or has become clear. Knows
no tokens and no models. Sounds come from a folder with ``manifest.jsonl`` (fields path, label,
licence_group, source_id, seconds, and text and speaker for speech); only clips of the licence
group ``free`` are ever used.
"""

import hashlib
import json
import random
from collections import defaultdict
from collections.abc import Mapping, Sequence, Sized
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import soundfile
from scipy.signal import fftconvolve, lfilter

from audio_interaction_ros.errors import AudioFormatError, AudioInteractionError
from audio_interaction_ros.protocol import Emotion
from train.edge.label import Label, sentence
from train.edge.synthesise import trimmed
from train.sounds.signals import LABELS, make

__all__ = ['ALERTS', 'Event', 'Library', 'Scene', 'Sounding', 'compose', 'fold',
           'is_validation', 'recording', 'scene_name', 'sound_names']

RATE = 16_000
CLEAR_AFTER_S = 0.8
LONGEST_S = 24  # 60 chunks, as in the paper

_U, _N = Emotion.URGENT, Emotion.NORMAL
ALERTS: dict[str, tuple[str, Emotion]] = {
    'smoke_alarm': ('A smoke alarm is sounding.', _U),
    'fire_alarm': ('A fire alarm is sounding.', _U),
    'fire_crackling': ('I hear fire crackling.', _U),
    'siren': ('I hear a siren.', _U),
    'car_alarm': ('A car alarm is sounding.', _U),
    'car_horn': ('A car horn is honking.', _U),
    'glass_break': ('I hear breaking glass.', _U),
    'dish_break': ('I hear breaking glass.', _U),
    'gunshot': ('I hear a gunshot.', _U),
    'explosion': ('I hear an explosion.', _U),
    'scream': ('Someone is screaming.', _U),
    'baby_cry': ('A baby is crying.', _U),
    'impact_hard': ('I heard a loud thud.', _U),
    'door_bang': ('I heard a loud thud.', _U),
    'cough': ('Someone is coughing.', _N),
    'dog_bark': ('A dog is barking.', _N),
    'door_knock': ('Someone is knocking on the door.', _N),
    'doorbell': ('The doorbell is ringing.', _N),
    'water_flow': ('Water is running.', _N),
    'water_pouring': ('Water is running.', _N),
}
"""What the assistant lane says of each sound, and in which tone."""

COMPUTED = {'smoke_alarm': 1.0, 'fire_alarm': 0.8, 'car_alarm': 0.8, 'doorbell': 0.7,
            'siren': 0.4}
"""How often a sound is a computed signal, where recordings exist too."""
HARMLESS_SIGNALS = [name for label in ('phone_ring', 'appliance_beep', 'reversing_beep')
                    for name in LABELS[label]]

# Too close to an alert, or too much like speech, to be told from it by their label alone.
NEITHER = {'alarm', 'alarm_clock', 'dog_growl', 'wolf_howl', 'air_horn', 'buzzer', 'bicycle_horn',
           'train_horn', 'train_whistle', 'fire_ignite', 'bell', 'fireworks', 'glass_impact',
           'pain_vocal', 'radio_chatter', 'church_bell', 'other_weapon', 'phone_tone', 'singing',
           'speech_nonverbal', 'impact_wood', 'impact_plastic', 'impact_metal',
           'water_bubbling', 'toilet_flush'}


class MissingMaterialError(AudioInteractionError):
    """The folders hold nothing of a kind that a scene needs; their maker must add it."""


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
    language: str = 'en'
    translation: str = ''
    """Of a text that is not English."""


@dataclass(frozen=True, kw_only=True)
class Sounding:
    """Some clip that can be heard, event or not; times in seconds of the scene."""

    label: str
    start: float
    end: float
    path: str = ''
    """Of a recording; empty for what was computed or spoken by a synthetic voice."""
    offset: float = 0.0
    """Seconds of that file where what is heard begins."""
    pace: float = 1.0
    """Seconds of that file that pass in a second of the scene."""
    length: float = 0.0
    """Seconds of that whole file, after which it begins again; 0 where it is not known."""
    faint: bool = False
    """So quiet beside the rest that nobody can be expected to name it."""


@dataclass(frozen=True, kw_only=True)
class Scene:
    """16 kHz mono samples [n] float32 and what happens in them."""

    name: str
    kind: str
    samples: np.ndarray
    events: list[Event] = field(default_factory=list)
    sounding: list[Sounding] = field(default_factory=list)


def sound_names(data: Path) -> tuple[str, ...]:
    """Return all labels that scenes of this data can carry, in the order of the alphabet."""
    rows = map(json.loads, (data / 'manifest.jsonl').read_text(encoding='utf-8').splitlines())
    heard = {row['label'] for row in rows if row['licence_group'] == 'free'}
    return tuple(sorted({label for label in heard if not label.startswith('speech_')
                         and label not in NEITHER} | set(ALERTS) | {'phone_ring', 'speech'}))


def signal(name: str, rng: random.Random) -> np.ndarray:
    """Return 3 to 5 s of a standardised signal from some device in some room."""
    return make(name, np.random.default_rng(rng.randrange(1 << 30)), seconds=rng.uniform(3.0, 5.0))


def fold(key: str, folds: int = 5) -> int:
    """Return which fold a recording belongs to, by the hash of its identity."""
    return int(hashlib.sha256(key.encode()).hexdigest(), 16) % folds


def is_validation(key: str, share: int = 5) -> bool:
    """Put one in ``share`` recordings aside: the first fold."""
    return fold(key, share) == 0


def recording(row: Mapping[str, Any]) -> str:
    """
    Return what a line of a manifest is put on one side with: its speaker, else its source.

    Speech that names neither goes by its words: who says a wake phrase in one file may say it in
    another, and only a phrase that is held out as a whole is new to the model.
    """
    said = str(row.get('text') or '').strip().lower() if row['label'].startswith(
        'speech_') else ''
    return str(row.get('speaker') or row.get('source_id') or said or row['path'])


@lru_cache(maxsize=600)
def load(path: Path) -> np.ndarray:
    """Return mono float32 [n] at 16 kHz; AudioFormatError for anything else."""
    samples, rate = soundfile.read(path, dtype='float32')
    if rate != RATE or samples.ndim != 1:
        raise AudioFormatError(f'{path}: expected {RATE} Hz and one channel, got {rate} Hz and '
                               f'shape {samples.shape}; whoever made the folder must convert it')
    return samples


class Clip(NamedTuple):
    """A piece of sound to be placed: what it is, what is said or what it is called."""

    kind: str
    """speech | sound | harmless"""
    text: str
    label: str
    samples: np.ndarray
    path: str = ''
    offset: float = 0.0
    pace: float = 1.0
    length: float = 0.0
    faint: bool = False
    language: str = 'en'
    translation: str = ''

    def sounding(self, start: float, end: float) -> Sounding:
        """Return what is told of it when it is heard between these times of a scene."""
        return Sounding(label=self.label, start=start, end=end, path=self.path,
                        offset=self.offset, pace=self.pace, length=self.length, faint=self.faint)


REAL_SHARE = 0.25
"""How often an utterance is a real recording."""
REAL_KINDS = {'speech_command': 4, 'speech_addresses': 1, 'speech_names': 1, 'speech_numbers': 1,
              'speech_phrase': 3, 'speech_word': 1}
"""How often each kind of them, where there are any: sentences before single words."""


class Library:
    """The clips of one split: utterances, real speech, alert sounds and harmless sounds."""

    def __init__(self, data: Path, speech: Sequence[Path], split: str,
                 labels: Mapping[str, Label] | None = None) -> None:
        """Read manifests; ``labels`` adds texts to real speech that came without."""
        self.split, self.data = split, data
        self.sounds: dict[str, list[Path]] = defaultdict(list)
        self.harmless: dict[str, list[Path]] = defaultdict(list)
        self.real: dict[str, list[tuple[str, Path]]] = defaultdict(list)
        for line in (data / 'manifest.jsonl').read_text(encoding='utf-8').splitlines():
            self._sort(json.loads(line), labels or {})
        spoken = [(row, folder / row['path']) for folder in speech
                  for row in map(json.loads, (
                      folder / 'utterances.jsonl').read_text(encoding='utf-8').splitlines())
                  if row['split'] == split]
        self.utterances = [(row['text'], path) for row, path in spoken
                           if row.get('lang', 'en') == 'en']
        self.mandarin = [(row['text'], row['translation'], path) for row, path in spoken
                         if row.get('lang') == 'zh']

    def _sort(self, row: dict, labels: Mapping[str, Label]) -> None:
        if row['licence_group'] != 'free' or (
                is_validation(recording(row)) != (self.split == 'validation')):
            return
        path, label = self.data / row['path'], row['label']
        if label.startswith('speech_') and label != 'speech_nonverbal':
            known = labels.get(row['path'])
            text = known.text if known else row.get('text')
            if text and row['seconds'] <= 11 and row.get('lang', 'en') == 'en' and not (
                    known and known.doubtful or '_' in text or '.wav' in text):
                self.real[label].append((sentence(text), path))
        elif label in ALERTS:
            if row.get('label_check') != 'not_confirmed' or label not in ('dog_bark', 'baby_cry'):
                self.sounds[label].append(path)
        elif label not in NEITHER:
            self.harmless[label].append(path)

    def speech(self, rng: random.Random) -> Clip:
        """Return one utterance, trimmed: most are synthetic."""
        kinds = [kind for kind in REAL_KINDS if self.real.get(kind)]
        if kinds and (rng.random() < REAL_SHARE or not self.utterances):
            kind = rng.choices(kinds, [REAL_KINDS[kind] for kind in kinds])[0]
            text, path = rng.choice(self.real[kind])
            samples, first = trimmed(load(path), -32.0)
            return self._of_file(Clip('speech', text, 'speech', samples), path, first)
        self._need(self.utterances, 'speech')
        text, path = rng.choice(self.utterances)
        return Clip('speech', text, 'speech', load(path))

    def in_mandarin(self, rng: random.Random) -> Clip:
        """Return one Chinese utterance with its English translation."""
        self._need(self.mandarin, 'Mandarin speech')
        text, translation, path = rng.choice(self.mandarin)
        return Clip('speech', text, 'speech', load(path), language='zh', translation=translation)

    def alert(self, rng: random.Random) -> Clip:
        """Return at most 5 s of an alert sound, beginning with the sound."""
        label = rng.choice(sorted(ALERTS))
        share = COMPUTED.get(label, 0.0) if self.sounds[label] else 1.0
        if label in LABELS and rng.random() < share:
            return Clip('sound', '', label, signal(rng.choice(LABELS[label]), rng))
        if not self.sounds[label]:
            return self.alert(rng)
        path = rng.choice(self.sounds[label])
        sound, first = trimmed(load(path), -28.0)
        if len(sound) > 8 * RATE and rng.random() < 0.5:  # it may well be heard from its middle
            later = rng.randrange(len(sound) - 6 * RATE)
            sound, first = sound[later:], first + later
        sound, pace = paced(sound[:6 * RATE], rng)
        return self._of_file(Clip('sound', '', label, sound[:5 * RATE]), path, first, pace)

    def single(self, rng: random.Random) -> Clip:
        """
        Return a harmless sound once, at most 5 s, beginning with the sound.

        Steps, doors and beeps are over in a moment: repeated to fill some seconds they would be
        told from a shot or a thud by their rhythm, which a single one does not have.
        """
        self._need(self.harmless, 'harmless sounds')
        labels = sorted(self.harmless)
        weights = [len(self.harmless[label]) ** 0.5 for label in labels]
        label = rng.choices(labels, weights)[0]
        path = rng.choice(self.harmless[label])
        sound, first = trimmed(load(path), -32.0)
        sound, pace = paced(sound[:5 * RATE], rng)
        return self._of_file(Clip('harmless', '', label, sound), path, first, pace)

    def noise(self, rng: random.Random, samples: int) -> Clip:
        """Return so many samples of a harmless sound, repeated if it is shorter."""
        if rng.random() < 0.06:
            return Clip('harmless', '', 'phone_ring',
                        np.resize(signal(rng.choice(HARMLESS_SIGNALS), rng), samples))
        self._need(self.harmless, 'harmless sounds')
        label = rng.choice(sorted(self.harmless))
        path = rng.choice(self.harmless[label])
        clip = load(path)
        start = rng.randrange(max(1, len(clip) - samples))
        piece = clip.take(np.arange(start, start + int(FASTEST * samples) + 2), mode='wrap')
        piece, pace = paced(piece, rng)
        return self._of_file(Clip('harmless', '', label, piece[:samples]), path, start, pace)

    def _of_file(self, clip: Clip, path: Path, first: int, pace: float = 1.0) -> Clip:
        """Say which file a clip is of, and with which sample of it it begins."""
        return clip._replace(path=path.relative_to(self.data).as_posix(), offset=first / RATE,
                             pace=pace, length=len(load(path)) / RATE)

    def _need(self, found: Sized, what: str) -> None:
        if not found:
            raise MissingMaterialError(
                f'{self.data}: expected {what} for the side {self.split!r}, found none; add free '
                'clips to its manifest or speak more utterances (train.edge.synthesise)')


FASTEST, SLOWEST = 1.13, 0.88


def paced(samples: np.ndarray, rng: random.Random) -> tuple[np.ndarray, float]:
    """Return a sound faster and higher or slower and lower, another specimen, and its pace."""
    if rng.random() < 0.4 or len(samples) < 2:
        return samples, 1.0
    pace = rng.uniform(SLOWEST, FASTEST)
    at = np.arange(0.0, len(samples) - 1, pace)
    return np.interp(at, np.arange(len(samples)), samples).astype(np.float32), pace


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


FAINT_DB = 15
"""A bed so far below the scene is not asked for: it may be heard in a pause, but need not."""


def background(library: Library, rng: random.Random, count: int, reference: float,
               noisy: bool = False) -> tuple[np.ndarray, Clip | None]:
    """
    Return what is heard everywhere: a sound bed, a quiet gap noise, white floor or zeros.

    ``noisy`` makes beds more frequent: alarms are to be heard through them.
    """
    kind = rng.random() ** (0.5 if noisy else 1.0)
    if kind < 0.2:
        return np.zeros(count, np.float32), None
    if kind < 0.4:
        white = np.random.default_rng(rng.randrange(1 << 30)).standard_normal(count)
        return np.asarray(white * 10 ** (-rng.uniform(45, 75) / 20), np.float32), None
    below = rng.uniform(18, 32) if kind < 0.7 else rng.uniform(3, 18)
    bed = library.noise(rng, count)
    return scaled(bed.samples, reference, below), bed._replace(faint=below >= FAINT_DB)


def foreground(library: Library, rng: random.Random, kind: str) -> list[Clip]:
    """Return what happens one after the other."""
    if kind == 'speech':
        items = [library.speech(rng)]
        while rng.random() < 0.45 and sum(len(item.samples) for item in items) < 4 * RATE:
            items.append(library.speech(rng))
        return items
    if kind == 'mandarin':
        return [library.in_mandarin(rng) for _ in range(rng.choice((1, 1, 2)))] + [
            library.speech(rng) for _ in range(rng.choice((0, 0, 1)))]
    if kind == 'alert':
        return [library.alert(rng)]
    if kind == 'long':
        return [item for part in rng.choices(('speech', 'alert', 'harmless'), (4, 4, 3),
                                             k=rng.choice((2, 3, 4)))
                for item in foreground(library, rng, part)[:1]]
    if rng.random() < 0.65:
        return [library.single(rng) for _ in range(rng.choice((2, 3, 4)))]
    return [library.noise(rng, int(rng.uniform(3, 5) * RATE)) for _ in range(rng.choice([1, 2]))]


def placed(clip: Clip, start: float, end: float) -> Event | None:
    """Return the event that a clip makes between these times; a harmless one makes none."""
    if clip.kind == 'speech':
        return Event(kind='speech', start=start, end=end, due=end + 0.45, text=clip.text,
                     language=clip.language, translation=clip.translation)
    if clip.kind == 'sound':
        text, emotion = ALERTS[clip.label]
        return Event(kind='sound', start=start, end=end, text=text, label=clip.label,
                     due=min(start + CLEAR_AFTER_S, end), emotion=emotion)
    return None


def scene_name(kind: str, seed: int) -> str:
    """Return what a scene is called in a folder of features."""
    return f'{kind}-{seed:05d}'


def compose(library: Library, seed: int, kind: str) -> Scene:
    """
    Return scene number ``seed`` of a kind: speech, mandarin, alert, harmless or long.

    A long one has two to four things far apart, for else a model would learn that something
    happens soon after a stream begins.
    """
    rng = random.Random(f'{library.split} {kind} {seed}')
    gap = rng.uniform(0.1, 6.0 if kind == 'long' else 1.2)
    pieces = [np.zeros(int(gap * RATE), np.float32)]
    events, sounding = list[Event](), list[Sounding]()
    for clip in foreground(library, rng, kind):
        start = sum(map(len, pieces)) / RATE
        end = start + len(clip.samples) / RATE
        gain = 10 ** (-rng.uniform(0, 14) / 20) / max(1e-4, float(np.abs(clip.samples).max()))
        pieces.append(room(clip.samples * gain * 0.9, rng))
        event = placed(clip, start, end)
        events += [event] if event else []
        sounding.append(clip.sounding(start, end))
        gap = rng.uniform(0.95, 6.0 if kind == 'long' else 1.6)
        pieces.append(np.zeros(int(gap * RATE), np.float32))
    samples = np.concatenate(pieces)[:LONGEST_S * RATE]
    noise, bed = background(library, rng, len(samples), level(samples), noisy=kind == 'alert')
    if bed:
        sounding.append(bed.sounding(0.0, len(samples) / RATE))
    samples = np.clip((samples + noise) * 10 ** (-rng.uniform(0, 10) / 20), -1, 1)
    return Scene(name=scene_name(kind, seed), kind=kind, samples=samples, events=events,
                 sounding=sounding)
