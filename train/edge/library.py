"""
The clips that scenes are made of, as records: utterances, real speech, sounds, computed signals.

Owns which clips there are on a side, which part of a file is heard, and how often which clip is
drawn; ``held_out`` tells who is on which side and what an alert sound is called. Knows no scene,
no tokens and no models. Sounds come from a folder with ``manifest.jsonl`` (fields path, label,
licence_group, source_id, seconds, session where there is one, and text and speaker for speech);
only clips of the licence group ``free`` are ever used. Utterances come from folders of
``train.edge.synthesise``.
"""

import json
import random
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache, partial
from pathlib import Path

import numpy as np
import soundfile

from audio_interaction_ros.errors import AudioFormatError, AudioInteractionError
from audio_interaction_ros.protocol import SAMPLE_RATE_HZ
from held_out.classes import ALERTS, NEITHER
from held_out.splits import is_validation, recording_of
from train.compose.audio import ClipError, read_clip
from train.compose.bind import Pool
from train.edge.label import LONGEST_S as LONGEST_SPEECH_S
from train.edge.label import Label, to_sentence
from train.edge.synthesise import trim_with_start
from train.records import Clip
from train.sounds.signals import LABELS, as_clip
from train.stages import Rejected, read_stage, run_stage, stable_seed

__all__ = ['MissingMaterialError', 'Shelf', 'cut', 'load', 'make_clips', 'read_clips',
           'sound_names']

RATE = SAMPLE_RATE_HZ

COMPUTED = {'smoke_alarm': 1.0, 'fire_alarm': 0.8, 'car_alarm': 0.8, 'doorbell': 0.7,
            'siren': 0.4}
"""How often a sound is a computed signal, where recordings exist too."""
HARMLESS_SIGNALS = ('phone_ring', 'appliance_beep', 'reversing_beep')
SIGNAL_SHARE = 0.06
"""How often what lasts and is harmless is one of them."""
LONGEST_S = 5.0
REAL_SHARE = 0.25
"""How often an utterance is a real recording."""
REAL_KINDS = {'speech_command': 4, 'speech_addresses': 1, 'speech_names': 1, 'speech_numbers': 1,
              'speech_phrase': 3, 'speech_word': 1}
"""How often each kind of them, where there are any: sentences before single words."""
FASTEST, SLOWEST = 1.13, 0.88


class MissingMaterialError(AudioInteractionError):
    """The folders hold nothing of a kind that a scene needs; their maker must add it."""


def sound_names(data: Path) -> tuple[str, ...]:
    """Return all labels that scenes of this data can carry, in the order of the alphabet."""
    rows = map(json.loads, (data / 'manifest.jsonl').read_text(encoding='utf-8').splitlines())
    heard = {row['label'] for row in rows if row['licence_group'] == 'free'}
    return tuple(sorted({label for label in heard if not label.startswith('speech_')
                         and label not in NEITHER} | set(ALERTS) | {'phone_ring', 'speech'}))


@lru_cache(maxsize=600)
def load(path: Path) -> np.ndarray:
    """Return mono float32 [n] at 16 kHz; AudioFormatError for anything else."""
    samples, rate = soundfile.read(path, dtype='float32')
    if rate != RATE or samples.ndim != 1:
        raise AudioFormatError(f'{path}: expected {RATE} Hz and one channel, got {rate} Hz and '
                               f'shape {samples.shape}; whoever made the folder must convert it')
    return samples


def read_clips(data: Path, speech: Sequence[Path], split: str,
               labels: Mapping[str, Label]) -> Iterator[Clip]:
    """Yield the clips of a side, with absolute paths; ``labels`` adds texts to real speech."""
    for line in (data / 'manifest.jsonl').read_text(encoding='utf-8').splitlines():
        row = json.loads(line)
        if row['licence_group'] == 'free' and (
                is_validation(recording_of(row)) == (split == 'validation')):
            yield from _read_row(row, data, labels.get(row['path']))
    for folder in speech:
        for line in (folder / 'utterances.jsonl').read_text(encoding='utf-8').splitlines():
            row = json.loads(line)
            if row['split'] == split:
                yield Clip(id=f'{folder.name}/{row["path"]}', seconds=row['seconds'],
                           path=str((folder / row['path']).absolute()), text=row['text'],
                           language=row.get('lang', 'en'), generated=True, licence_group='free',
                           translation=row.get('translation', ''), source='train.edge')


def _read_row(row: Mapping, data: Path, known: Label | None) -> Iterator[Clip]:
    label, text = row['label'], ''
    if label.startswith('speech_') and label != 'speech_nonverbal':
        text = known.text if known else row.get('text') or ''
        if not text or row['seconds'] > LONGEST_SPEECH_S or row.get('lang', 'en') != 'en' or (
                known and known.doubtful) or '_' in text or '.wav' in text:
            return
    elif label in NEITHER or (label in ('dog_bark', 'baby_cry')
                              and row.get('label_check') == 'not_confirmed'):
        return
    yield Clip(id=row['path'], path=str((data / row['path']).absolute()), seconds=row['seconds'],
               label=label, text=to_sentence(text) if text else '', language='en' if text else '',
               source_id=str(row.get('source_id', '')), licence=str(row.get('licence', '')),
               licence_group='free', author=str(row.get('author', '')),
               url=str(row.get('url', '')), title=str(row.get('title', '')))


def find_sound(clip: Clip) -> Clip | Rejected:
    """Stage function: return a recording as the part of its file that sounds."""
    if clip.generated:
        return clip  # its maker has trimmed it
    try:
        samples = read_clip(clip, Path('/'))
    except ClipError as error:
        return Rejected(reason='clip cannot be used', detail=str(error))
    below_db = -28.0 if clip.label in ALERTS else -32.0
    sounding, first = trim_with_start(samples, below_db)
    return replace(clip, offset_s=first / RATE, seconds=len(sounding) / RATE,
                   file_s=len(samples) / RATE)


def make_signal(request: Mapping, out: Path) -> Clip:
    """Stage function: write one specimen of a computed signal, as of some device in some room."""
    seed = stable_seed(request['signal'], request['split'], request['number'])
    seconds = round(random.Random(seed).uniform(3.0, 5.0), 3)
    clip = as_clip(request['signal'], seed, seconds=seconds, out=out)
    return replace(clip, path=str((out / clip.path).absolute()))


def make_clips(clips: Iterable[Clip], out: Path, *, signals: int, split: str,
               workers: int) -> list[Clip]:
    """
    Return all clips of a side as they are to be heard; two stages in ``out``, which go on.

    ``signals`` specimens of each computed signal come to them.
    """
    run_stage('clips', list(clips), find_sound, out=out, workers=workers, shard_size=256)
    wanted = [{'signal': signal, 'split': split, 'number': number}
              for label in sorted({*HARMLESS_SIGNALS, *(set(LABELS) & set(ALERTS))})
              for signal in LABELS[label] for number in range(signals)]
    run_stage('signals', wanted, partial(make_signal, out=out / 'computed'), out=out,
              workers=workers)
    return [*read_stage(out / 'clips', Clip), *read_stage(out / 'signals', Clip)]


class Shelf:
    """The clips of one side by what they are drawn as; MissingMaterialError for what is not."""

    def __init__(self, clips: Iterable[Clip], side: str) -> None:
        """Sort clips; ``side`` is for messages."""
        pool = Pool.of(clips)
        self.side = side
        self.english, self.mandarin = ([clip for clip in pool.speech[''] if clip.language == lang]
                                       for lang in ('en', 'zh'))
        self.real = {kind: pool.speech[kind] for kind in REAL_KINDS if pool.speech.get(kind)}
        self.recorded, self.computed = ({label: found for label, all_ in pool.sounds.items()
                                         if (found := [clip for clip in all_
                                                       if clip.generated == generated])}
                                        for generated in (False, True))
        self.harmless = {label: clips for label, clips in self.recorded.items()
                         if label not in ALERTS}

    def draw_speech(self, rng: random.Random) -> Clip:
        """Return one English utterance: most are synthetic."""
        if self.real and (rng.random() < REAL_SHARE or not self.english):
            kind = rng.choices(list(self.real), [REAL_KINDS[kind] for kind in self.real])[0]
            return rng.choice(self.real[kind])
        return rng.choice(self._require_some(self.english, 'speech'))

    def draw_mandarin(self, rng: random.Random) -> Clip:
        """Return one Chinese utterance with its English translation."""
        return rng.choice(self._require_some(self.mandarin, 'Mandarin speech'))

    def draw_alert(self, rng: random.Random) -> Clip:
        """Return at most 5 s of an alert sound."""
        there = sorted(label for label in ALERTS
                       if label in self.recorded or label in self.computed)
        label = rng.choice(self._require_some(there, 'alert sounds'))
        share = COMPUTED.get(label, 0.0) if label in self.recorded else 1.0
        if label in self.computed and rng.random() < share:
            return rng.choice(self.computed[label])
        clip = rng.choice(self.recorded.get(label) or self.computed[label])
        if clip.seconds > 8.0 and rng.random() < 0.5:  # it may well be heard from its middle
            later = rng.uniform(0.0, clip.seconds - 6.0)
            clip = replace(clip, offset_s=clip.offset_s + later, seconds=clip.seconds - later)
        return cut(clip, LONGEST_S, rng)

    def draw_single(self, rng: random.Random) -> Clip:
        """
        Return a harmless sound once, at most 5 s.

        Steps, doors and beeps are over in a moment: repeated to fill some seconds they would be
        told from a shot or a thud by their rhythm, which a single one does not have.
        """
        labels = sorted(self._require_some(self.harmless, 'harmless sounds'))
        weights = [len(self.harmless[label]) ** 0.5 for label in labels]
        return cut(rng.choice(self.harmless[rng.choices(labels, weights)[0]]), LONGEST_S, rng)

    def draw_lasting(self, rng: random.Random) -> Clip:
        """Return a harmless sound that may be heard all the time."""
        signals = [clip for label in HARMLESS_SIGNALS if label not in ALERTS
                   for clip in self.computed.get(label, ())]
        if signals and rng.random() < SIGNAL_SHARE:
            return rng.choice(signals)
        label = rng.choice(sorted(self._require_some(self.harmless, 'harmless sounds')))
        return cut(rng.choice(self.harmless[label]), np.inf, rng)

    def _require_some(self, clips: Collection, what: str):
        if not clips:
            raise MissingMaterialError(
                f'expected {what} for the side {self.side!r}, found none; add free clips to the '
                'manifest or speak more utterances (train.edge.synthesise)')
        return clips


def cut(clip: Clip, longest_s: float, rng: random.Random) -> Clip:
    """Return at most so much of a recording, often faster or slower: another specimen."""
    pace = 1.0 if clip.generated or rng.random() < 0.4 else rng.uniform(SLOWEST, FASTEST)
    return replace(clip, pace=pace, seconds=min(longest_s, clip.seconds * clip.pace / pace),
                   file_s=clip.file_s or clip.seconds)
