"""
Utterances to understand: of real people, and of synthetic voices that training never heard.

Owns which recordings these are. Knows no model.
"""

import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from held_out.clips import HeldOutClip, MaterialError

__all__ = ['LEAD_S', 'LONGEST_S', 'SpeechClip', 'choose_clips', 'read_speech', 'read_synthetic',
           'read_unheard_voices']

LEAD_S = 0.6
"""Silence that is played before an utterance."""
LONGEST_S = 20.0


@dataclass(frozen=True)
class SpeechClip:
    """One utterance to understand."""

    name: str
    kind: str
    path: Path
    text: str
    group: str


def read_speech(items: Sequence[HeldOutClip]) -> list[SpeechClip]:
    """Return the utterances of real people that have an English text, by kind of recording."""
    return [SpeechClip(name=item.name, kind=item.label.removeprefix('speech_'), path=item.path,
                       text=item.text, group=item.group) for item in items
            if item.label.startswith('speech_') and item.text and not item.generated
            and item.language in ('en', '') and 0 < item.seconds <= LONGEST_S]


def read_synthetic(folder: Path) -> list[SpeechClip]:
    """Return the utterances of voices that are kept for validation, of sentences as well."""
    return [clip for clip in read_unheard_voices(folder) if clip.kind == 'synthetic']


def read_unheard_voices(folder: Path) -> list[SpeechClip]:
    """
    Return the utterances of voices that are kept for validation.

    The kind tells apart whether a voice of training says the same sentence.
    """
    path = folder / 'utterances.jsonl'
    if not path.is_file():
        raise MaterialError(f'{folder}: expected utterances.jsonl, found none; give the folder '
                            'of synthetic speech in --speech')
    rows = [json.loads(line) for line in path.read_text(encoding='utf-8').splitlines()]
    known = {row['text'] for row in rows if row['split'] != 'validation'}
    return [SpeechClip(name=f'synthetic/{row["path"]}', path=folder / row['path'],
                       text=row['text'],
                       group=row['text'], kind='synthetic, sentence of training'
                       if row['text'] in known else 'synthetic') for row in rows
            if row['split'] == 'validation']


def choose_clips(clips: Sequence[SpeechClip], per_kind: int, limit: int) -> list[SpeechClip]:
    """Return at most so many clips of each kind, in their order."""
    most, kinds = min(per_kind, limit or per_kind), defaultdict[str, list[SpeechClip]](list)
    for clip in clips:
        if len(kinds[clip.kind]) < most:
            kinds[clip.kind].append(clip)
    return [clip for kind in sorted(kinds) for clip in kinds[kind]]
