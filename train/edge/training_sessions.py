"""
Sessions to learn from: which lane hears which scenes in a row, and what it should say.

Owns the mixture of lanes and scenes, and cutting one event out of a scene. Reads features from
disk as they are drawn. Knows no model and no loss.
"""

import math
import random
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer

from audio_interaction_ros.errors import AudioInteractionError
from held_out.phrasebook import Phrasebook
from train.edge.feature_folder import ENDINGS
from train.edge.layout import CHUNK_S, PROMPTS, decide_by_chunk, lay_out_session, reply_to_event
from train.tokens import Sample

__all__ = ['Item', 'SessionMixture', 'MissingScenesError', 'is_translated', 'draw_batches',
           'crop_event',
           'lay_out_scenes', 'add_translations']

POSITIONS = 1_600
"""Positions of one batch, padding included."""
LONGEST_CHUNKS = 60
"""Twice what the assistant lane keeps when it serves (layout.SLOTS)."""
SESSIONS = 96
"""Sessions drawn at once and grouped by length."""
ASKED, TOLD = 'asked', 'told'
"""Scenes of speech with something that the assistant answers; all of whose speech has a known
translation."""
LANES = {
    'transcript': (0.32, {'speech': 0.63, 'alert': 0.09, 'harmless': 0.09, 'long': 0.15,
                          'mandarin': 0.04}),
    'translation': (0.2, {TOLD: 0.58, 'mandarin': 0.24, 'alert': 0.08, 'harmless': 0.1}),
    'assistant': (0.48, {'speech': 0.11, ASKED: 0.13, 'alert': 0.26, 'harmless': 0.31,
                         'long': 0.16, 'mandarin': 0.03}),
}
"""How often a lane is drawn, and what it hears; what it does not answer to is its silence."""
Heard = tuple[np.ndarray, np.ndarray]
"""Frames [chunks, 5, 4096] and summaries [chunks, 5632], float16."""
Item = tuple[Sample, Heard]


class MissingScenesError(AudioInteractionError):
    """A folder of features holds no scene of a kind that sessions are drawn from; make some."""


def add_translations(rows: Sequence[dict], book: Phrasebook) -> list[dict]:
    """Return scenes whose English speech carries its translation, where the book knows it."""
    def with_translation(event: dict) -> dict:
        if event['kind'] != 'speech' or event.get('translation'):
            return event
        return {**event, 'translation': book.translation(event['text']) or ''}
    return [{**row, 'events': [with_translation(event) for event in row['events']]}
            for row in rows]


def is_translated(row: dict) -> bool:
    """Tell whether every utterance of a scene has a translation; true where nobody speaks."""
    return all(event.get('translation') for event in row['events'] if event['kind'] == 'speech')


class SessionMixture:
    """
    Scenes by what they are drawn as, and lanes that they can teach.

    Without Mandarin scenes those shares go to the others; without a single translated scene there
    is no translation lane.
    """

    def __init__(self, rows: Sequence[dict]) -> None:
        """Sort scenes; MissingScenesError when a lane would have nothing to hear."""
        self.by_kind: dict[str, list[dict]] = {}
        for row in rows:
            self.by_kind.setdefault(row['kind'], []).append(row)
        self.by_kind[ASKED] = [row for row in self.by_kind.get('speech', [])
                               if any(reply_to_event(event, 'assistant') for event
                                      in row['events'])]
        self.by_kind[TOLD] = [row for kind in ('speech', 'long')
                              for row in self.by_kind.get(kind, [])
                              if any(event['kind'] == 'speech' for event in row['events'])
                              and is_translated(row)]
        # What is said in English beside Mandarin may have no known translation.
        self.by_kind['mandarin'] = [row for row in self.by_kind.get('mandarin', [])
                                    if is_translated(row)]
        self.lanes = {lane: share for lane, (share, _) in LANES.items()
                      if lane != 'translation' or self.by_kind[TOLD]}
        needed = {kind for lane in self.lanes for kind in LANES[lane][1]} - {'mandarin'}
        if missing := sorted(kind for kind in needed if not self.by_kind.get(kind)):
            raise MissingScenesError(
                f'expected scenes of {", ".join(sorted(needed))}, found none of '
                f'{", ".join(missing)}; make some with train.edge.features')

    def draw_lane(self, rng: random.Random) -> str:
        """Draw a lane."""
        return rng.choices(list(self.lanes), list(self.lanes.values()))[0]

    def kinds_for(self, lane: str) -> dict[str, float]:
        """Return kinds of scenes that a lane hears and how often."""
        return {kind: share for kind, share in LANES[lane][1].items() if self.by_kind[kind]}

    def draw_answered_kind(self, lane: str, rng: random.Random) -> str:
        """Draw a kind of scene with something that a lane answers to, or must not."""
        if lane == 'assistant':
            return rng.choice(('speech', ASKED, 'alert'))
        if lane == 'transcript':
            return 'speech'
        return rng.choice((TOLD, TOLD, 'mandarin')) if self.by_kind['mandarin'] else TOLD

    def draw_session(self, rng: random.Random) -> tuple[str, list[dict]]:
        """
        Draw a lane and the scenes that it hears in a row.

        Sessions of one scene would teach the model when in a stream something happens, not what.
        """
        lane = self.draw_lane(rng)
        weights = self.kinds_for(lane)
        kinds = rng.choices(list(weights), list(weights.values()), k=rng.choice((1, 2, 3, 4, 5)))
        rows = [rng.choice(self.by_kind[kind]) for kind in kinds]
        while len(rows) > 1 and sum(row['chunks'] for row in rows) > LONGEST_CHUNKS:
            rows.pop()
        return lane, rows


def lay_out_scenes(rows: Sequence[dict], lane: str, tokenizer: Tokenizer) -> Sample:
    """Return scenes, one after the other, as one session of a lane."""
    def encode(text: str) -> list[int]:
        return tokenizer.encode(text, add_special_tokens=False).ids
    replies = [None if said is None else (said[0], encode(said[1]))
               for row in rows for said in decide_by_chunk(row['events'], lane, row['chunks'])]
    return lay_out_session(encode(PROMPTS[lane]), replies)


def crop_event(row: dict, rng: random.Random, lane: str = '') -> tuple[dict, int]:
    """
    Return one event of a scene as a scene, from a chunk before it began, and that chunk.

    With ``lane`` only an event that this lane answers to, if there is one.
    """
    events = [event for event in row['events'] if lane
              and reply_to_event(event, lane)] or row['events']
    event = rng.choice(events)
    first = max(0, int(event['start'] / CHUNK_S) - 1)
    last = min(row['chunks'], math.ceil(event['due'] / CHUNK_S) + 1)
    return {**row, 'chunks': last - first,
            'events': [{**event, 'due': event['due'] - first * CHUNK_S}]}, first


def draw_item(mixture: SessionMixture, folder: Path, tokenizer: Tokenizer, rng: random.Random,
              single: float) -> Item:
    """
    Draw a session; with the probability ``single`` one event alone.

    All lanes hear speech alone: only the prompt tells the one to write and the other to wait.
    """
    def load_features(row: dict, first: int = 0, last: int | None = None) -> list[np.ndarray]:
        return [np.load(folder / f'{row["name"]}{end}', mmap_mode='r')[first:last]
                for end in ENDINGS]
    if rng.random() < single:
        lane = mixture.draw_lane(rng)
        kind = mixture.draw_answered_kind(lane, rng)
        row = rng.choice(mixture.by_kind[kind])
        part, first = crop_event(row, rng, lane if kind in (ASKED, TOLD) else '')
        frames, sound = load_features(row, first, first + part['chunks'])
        return lay_out_scenes([part], lane, tokenizer), (frames, sound)
    lane, scenes = mixture.draw_session(rng)
    frames, sound = (np.concatenate(parts) for parts
                     in zip(*map(load_features, scenes), strict=True))
    return lay_out_scenes(scenes, lane, tokenizer), (frames, sound)


def draw_batches(rows: Sequence[dict], folder: Path, tokenizer: Tokenizer, rng: random.Random,
                 single: Callable[[], float]) -> Iterator[list[Item]]:
    """Yield batches of sessions of alike lengths, for ever; ``single`` as in draw_item."""
    mixture = SessionMixture(rows)
    while True:
        items = [draw_item(mixture, folder, tokenizer, rng, single()) for _ in range(SESSIONS)]
        items.sort(key=lambda item: len(item[0].ids))
        groups: list[list[Item]] = [[]]
        for item in items:
            if len(groups[-1]) and len(item[0].ids) * (len(groups[-1]) + 1) > POSITIONS:
                groups.append([])
            groups[-1].append(item)
        yield from rng.sample(groups, len(groups))
