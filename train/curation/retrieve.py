"""
Search over clips: SQLite FTS5 over label, tags, caption and title, with optional embeddings.

Owns the index and the ranking. Knows no plan and no audio. Without an embedder the whole thing
is one SQLite file (or none: in memory).
"""

import hashlib
import json
import re
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from audio_interaction_ros.errors import MissingDependencyError
from train.records import Clip, RecordError, from_dict, to_dict

__all__ = ['ClipIndex', 'Embedder', 'Hit']

_WEIGHTS = '4.0, 3.0, 2.0, 1.0'
"""How much a word in label, tags, caption, title counts."""
_STOP = frozenset((
    'a', 'an', 'and', 'are', 'at', 'behind', 'by', 'for', 'from', 'in', 'into', 'is', 'it', 'its',
    'near', 'of', 'off', 'on', 'one', 'or', 'over', 'recording', 'sound', 'sounds', 'the', 'then',
    'there', 'through', 'to', 'up', 'very', 'while', 'with'))
_POOL = 1_000
"""Clips that are ranked for a query; of many equals chance should have some to choose from."""


class Embedder(Protocol):
    """Anything that puts texts into a space where likeness is the cosine."""

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        """Return float32 [len(texts), width]."""
        ...


@dataclass(frozen=True, kw_only=True)
class Hit:
    """A clip that was found, with a score of which more is better."""

    clip: Clip
    score: float


def _split_words(text: str) -> list[str]:
    return [word for word in re.findall(r'[^\W_]+', text.casefold()) if word not in _STOP]


def _text_of(clip: Clip) -> str:
    return ' '.join((clip.label, *clip.tags, clip.caption, clip.title)).replace('_', ' ')


class ClipIndex:
    """Clips that can be searched by words."""

    def __init__(self, clips: Iterable[Clip], *, path: Path | None = None,
                 embedder: Embedder | None = None) -> None:
        """
        Index clips, in memory or in a new file (an older one at the path is replaced).

        Speech is found like any other clip; who does not want it leaves it out. Raises
        RecordError when two clips share an id.
        """
        if path is not None:
            path.unlink(missing_ok=True)
        self._open(path, embedder)
        with self._base:
            try:
                self._base.execute('CREATE VIRTUAL TABLE clips USING fts5(label, tags, caption, '
                                   "title, record UNINDEXED, tokenize='porter unicode61')")
            except sqlite3.OperationalError as error:
                raise MissingDependencyError(
                    f'expected an SQLite with FTS5, this Python has none ({error}); use a Python '
                    'from python.org, conda or the system package manager') from error
            seen: set[str] = set()
            for clip in clips:
                if clip.id in seen:
                    raise RecordError(f'clip {clip.id!r} is there twice; give each its own id')
                seen.add(clip.id)
                self._base.execute('INSERT INTO clips VALUES (?, ?, ?, ?, ?)', (
                    clip.label.replace('_', ' '), ' '.join(clip.tags).replace('_', ' '),
                    clip.caption, clip.title, json.dumps(to_dict(clip), ensure_ascii=False)))
        self._embed()

    @classmethod
    def open(cls, path: Path, *, embedder: Embedder | None = None) -> 'ClipIndex':
        """Return an index written earlier; RecordError when the file is none."""
        index = cls.__new__(cls)
        try:
            index._open(path.resolve(strict=True), embedder)
            index._base.execute('SELECT record FROM clips LIMIT 1').fetchone()
        except (sqlite3.DatabaseError, FileNotFoundError) as error:
            raise RecordError(f'{path.name}: expected an index of clips, got {error}; build it '
                              'again') from error
        index._embed()
        return index

    def _open(self, path: Path | None, embedder: Embedder | None) -> None:
        self._base = sqlite3.connect(path or ':memory:')
        self._embedder, self._vectors = embedder, np.zeros((0, 0), np.float32)

    def _embed(self) -> None:
        if self._embedder is not None:
            vectors = self._embedder.embed([_text_of(clip) for clip in self.clips()])
            self._vectors = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True),
                                                 1e-9)

    def __len__(self) -> int:
        return int(self._base.execute('SELECT count(*) FROM clips').fetchone()[0])

    def clips(self) -> list[Clip]:
        """Return all clips in the order they came."""
        rows = self._base.execute('SELECT record FROM clips ORDER BY rowid')
        return [from_dict(Clip, json.loads(record)) for record, in rows]

    def _by_words(self, words: Sequence[str]) -> list[tuple[int, float]]:
        """Return (row, score) of clips with one of the words, best first."""
        if not words:
            return []
        asked = ' OR '.join(f'"{word}"' for word in dict.fromkeys(words))
        rows = self._base.execute(
            f'SELECT rowid, -bm25(clips, {_WEIGHTS}) AS score FROM clips '
            'WHERE clips MATCH ? ORDER BY score DESC, rowid LIMIT ?', (asked, _POOL))
        return [(row, float(score)) for row, score in rows]

    def _by_meaning(self, query: str) -> list[tuple[int, float]]:
        if self._embedder is None or not len(self._vectors):
            return []
        vector = self._embedder.embed([query])[0]
        scores = self._vectors @ (vector / max(float(np.linalg.norm(vector)), 1e-9))
        return [(int(i) + 1, float(scores[i])) for i in np.argsort(-scores, kind='stable')[:_POOL]]

    def search(self, query: str, *, labels: Sequence[str] = (), seconds: float | None = None,
               count: int = 3, seed: int = 0, without: frozenset[str] = frozenset()) -> list[Hit]:
        """
        Return the best clips for a query in words.

        ``labels`` are further words (in snake_case) and lift clips that carry them as label,
        most of all the first, which is meant; the others will do.
        Of clips that match about as well, those of 0.5 to 2 times ``seconds`` come first, then
        chance decides by ``seed``: the same few clips would else stand in every stream.
        ``without`` names source_ids (or ids) that are not wanted.
        """
        words = _split_words(' '.join((query, *labels)).replace('_', ' '))
        fused: dict[int, float] = {}
        for ranked in (self._by_words(words), self._by_meaning(query)):
            best = max((score for _, score in ranked), default=0.0) or 1.0
            for row, score in ranked:
                fused[row] = fused.get(row, 0.0) + max(score, 0.0) / best
        hits = [hit for hit in self._read_hits(fused) if not {
            hit.clip.id, hit.clip.source_id or hit.clip.id} & without]
        top = max((hit.score for hit in hits), default=0.0) or 1.0

        meant = {label: min(i, 1) for i, label in reversed(list(enumerate(labels)))}

        def rank(hit: Hit) -> tuple[int, int, bool, str]:
            fits = seconds is None or 0.5 * seconds <= hit.clip.seconds <= 2.0 * seconds
            chance = hashlib.blake2s(f'{seed} {hit.clip.id}'.encode(), digest_size=8).hexdigest()
            return meant.get(hit.clip.label, 2), -round(8 * hit.score / top), not fits, chance

        return sorted(hits, key=rank)[:count]

    def _read_hits(self, fused: dict[int, float]) -> list[Hit]:
        hits = []
        for row, score in fused.items():
            record, = self._base.execute('SELECT record FROM clips WHERE rowid = ?',
                                         (row,)).fetchone()
            hits.append(Hit(clip=from_dict(Clip, json.loads(record)), score=score))
        return hits
