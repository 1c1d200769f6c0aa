"""
The clips that scenes are made of: utterances, real speech, alert sounds and harmless sounds.

Owns which kinds of clips there are and how often which clip is drawn; ``held_out`` tells who is on
which side and what an alert sound is called. Knows no scene, no tokens and no models. Sounds come
from a folder with ``manifest.jsonl`` (fields path, label, licence_group, source_id, seconds,
session where there is one, and text and speaker for speech); only clips of the licence group
``free`` are ever used. Utterances come from folders of ``train.edge.synthesise``.
"""

import json
import random
from collections import defaultdict
from collections.abc import Mapping, Sequence, Sized
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import soundfile

from audio_interaction_ros.errors import AudioFormatError, AudioInteractionError
from audio_interaction_ros.protocol import SAMPLE_RATE_HZ
from held_out.classes import ALERTS, NEITHER
from held_out.splits import is_validation, recording_of
from train.edge.label import Label, to_sentence
from train.edge.synthesise import trim_with_start
from train.sounds.signals import LABELS, make

__all__ = ['RATE', 'LibraryClip', 'Library', 'MissingMaterialError', 'SoundSpan', 'load',
           'sound_names']

RATE = SAMPLE_RATE_HZ

COMPUTED = {'smoke_alarm': 1.0, 'fire_alarm': 0.8, 'car_alarm': 0.8, 'doorbell': 0.7,
            'siren': 0.4}
"""How often a sound is a computed signal, where recordings exist too."""
HARMLESS_SIGNALS = [name for label in ('phone_ring', 'appliance_beep', 'reversing_beep')
                    for name in LABELS[label]]

class MissingMaterialError(AudioInteractionError):
    """The folders hold nothing of a kind that a scene needs; their maker must add it."""


@dataclass(frozen=True, kw_only=True)
class SoundSpan:
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


def sound_names(data: Path) -> tuple[str, ...]:
    """Return all labels that scenes of this data can carry, in the order of the alphabet."""
    rows = map(json.loads, (data / 'manifest.jsonl').read_text(encoding='utf-8').splitlines())
    heard = {row['label'] for row in rows if row['licence_group'] == 'free'}
    return tuple(sorted({label for label in heard if not label.startswith('speech_')
                         and label not in NEITHER} | set(ALERTS) | {'phone_ring', 'speech'}))


def draw_signal(name: str, rng: random.Random) -> np.ndarray:
    """Return 3 to 5 s of a standardised signal from some device in some room."""
    return make(name, np.random.default_rng(rng.randrange(1 << 30)), seconds=rng.uniform(3.0, 5.0))


@lru_cache(maxsize=600)
def load(path: Path) -> np.ndarray:
    """Return mono float32 [n] at 16 kHz; AudioFormatError for anything else."""
    samples, rate = soundfile.read(path, dtype='float32')
    if rate != RATE or samples.ndim != 1:
        raise AudioFormatError(f'{path}: expected {RATE} Hz and one channel, got {rate} Hz and '
                               f'shape {samples.shape}; whoever made the folder must convert it')
    return samples


class LibraryClip(NamedTuple):
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

    def span_in_scene(self, start: float, end: float) -> SoundSpan:
        """Return what is told of it when it is heard between these times of a scene."""
        return SoundSpan(label=self.label, start=start, end=end, path=self.path,
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
            self._sort_in(json.loads(line), labels or {})
        spoken = [(row, folder / row['path']) for folder in speech
                  for row in map(json.loads, (
                      folder / 'utterances.jsonl').read_text(encoding='utf-8').splitlines())
                  if row['split'] == split]
        self.utterances = [(row['text'], path) for row, path in spoken
                           if row.get('lang', 'en') == 'en']
        self.mandarin = [(row['text'], row['translation'], path) for row, path in spoken
                         if row.get('lang') == 'zh']

    def _sort_in(self, row: dict, labels: Mapping[str, Label]) -> None:
        if row['licence_group'] != 'free' or (
                is_validation(recording_of(row)) != (self.split == 'validation')):
            return
        path, label = self.data / row['path'], row['label']
        if label.startswith('speech_') and label != 'speech_nonverbal':
            known = labels.get(row['path'])
            text = known.text if known else row.get('text')
            if text and row['seconds'] <= 11 and row.get('lang', 'en') == 'en' and not (
                    known and known.doubtful or '_' in text or '.wav' in text):
                self.real[label].append((to_sentence(text), path))
        elif label in ALERTS:
            if row.get('label_check') != 'not_confirmed' or label not in ('dog_bark', 'baby_cry'):
                self.sounds[label].append(path)
        elif label not in NEITHER:
            self.harmless[label].append(path)

    def draw_speech(self, rng: random.Random) -> LibraryClip:
        """Return one utterance, trimmed: most are synthetic."""
        kinds = [kind for kind in REAL_KINDS if self.real.get(kind)]
        if kinds and (rng.random() < REAL_SHARE or not self.utterances):
            kind = rng.choices(kinds, [REAL_KINDS[kind] for kind in kinds])[0]
            text, path = rng.choice(self.real[kind])
            samples, first = trim_with_start(load(path), -32.0)
            return self._of_file(LibraryClip('speech', text, 'speech', samples), path, first)
        self._require_some(self.utterances, 'speech')
        text, path = rng.choice(self.utterances)
        return LibraryClip('speech', text, 'speech', load(path))

    def draw_mandarin(self, rng: random.Random) -> LibraryClip:
        """Return one Chinese utterance with its English translation."""
        self._require_some(self.mandarin, 'Mandarin speech')
        text, translation, path = rng.choice(self.mandarin)
        return LibraryClip('speech', text, 'speech', load(path), language='zh',
                           translation=translation)

    def draw_alert(self, rng: random.Random) -> LibraryClip:
        """Return at most 5 s of an alert sound, beginning with the sound."""
        label = rng.choice(sorted(ALERTS))
        share = COMPUTED.get(label, 0.0) if self.sounds[label] else 1.0
        if label in LABELS and rng.random() < share:
            return LibraryClip('sound', '', label, draw_signal(rng.choice(LABELS[label]), rng))
        if not self.sounds[label]:
            return self.draw_alert(rng)
        path = rng.choice(self.sounds[label])
        sound, first = trim_with_start(load(path), -28.0)
        if len(sound) > 8 * RATE and rng.random() < 0.5:  # it may well be heard from its middle
            later = rng.randrange(len(sound) - 6 * RATE)
            sound, first = sound[later:], first + later
        sound, pace = change_pace(sound[:6 * RATE], rng)
        return self._of_file(LibraryClip('sound', '', label, sound[:5 * RATE]), path, first, pace)

    def draw_single(self, rng: random.Random) -> LibraryClip:
        """
        Return a harmless sound once, at most 5 s, beginning with the sound.

        Steps, doors and beeps are over in a moment: repeated to fill some seconds they would be
        told from a shot or a thud by their rhythm, which a single one does not have.
        """
        self._require_some(self.harmless, 'harmless sounds')
        labels = sorted(self.harmless)
        weights = [len(self.harmless[label]) ** 0.5 for label in labels]
        label = rng.choices(labels, weights)[0]
        path = rng.choice(self.harmless[label])
        sound, first = trim_with_start(load(path), -32.0)
        sound, pace = change_pace(sound[:5 * RATE], rng)
        return self._of_file(LibraryClip('harmless', '', label, sound), path, first, pace)

    def draw_noise(self, rng: random.Random, samples: int) -> LibraryClip:
        """Return so many samples of a harmless sound, repeated if it is shorter."""
        if rng.random() < 0.06:
            return LibraryClip('harmless', '', 'phone_ring',
                               np.resize(draw_signal(rng.choice(HARMLESS_SIGNALS), rng), samples))
        self._require_some(self.harmless, 'harmless sounds')
        label = rng.choice(sorted(self.harmless))
        path = rng.choice(self.harmless[label])
        clip = load(path)
        start = rng.randrange(max(1, len(clip) - samples))
        piece = clip.take(np.arange(start, start + int(FASTEST * samples) + 2), mode='wrap')
        piece, pace = change_pace(piece, rng)
        return self._of_file(LibraryClip('harmless', '', label, piece[:samples]), path, start,
                             pace)

    def _of_file(self, clip: LibraryClip, path: Path, first: int,
                 pace: float = 1.0) -> LibraryClip:
        """Say which file a clip is of, and with which sample of it it begins."""
        return clip._replace(path=path.relative_to(self.data).as_posix(), offset=first / RATE,
                             pace=pace, length=len(load(path)) / RATE)

    def _require_some(self, clips: Sized, what: str) -> None:
        if not clips:
            raise MissingMaterialError(
                f'{self.data}: expected {what} for the side {self.split!r}, found none; add free '
                'clips to its manifest or speak more utterances (train.edge.synthesise)')


FASTEST, SLOWEST = 1.13, 0.88


def change_pace(samples: np.ndarray, rng: random.Random) -> tuple[np.ndarray, float]:
    """Return a sound faster and higher or slower and lower, another specimen, and its pace."""
    if rng.random() < 0.4 or len(samples) < 2:
        return samples, 1.0
    pace = rng.uniform(SLOWEST, FASTEST)
    at = np.arange(0.0, len(samples) - 1, pace)
    return np.interp(at, np.arange(len(samples)), samples).astype(np.float32), pace
