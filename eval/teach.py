"""
``python -m eval teach``: are sounds of one device told apart after a few recordings of it?

Owns the run: sessions of users (ProtoSound: five recordings of one sound in one room), each
recording left out once and heard by what the others taught; backgrounds and speech, whose first
halves are the place that is known and whose second halves tell the false alarms; and harmless
single sounds as close as the taught one. Embeddings are of the ears of ``eval alerts``, computed
once and kept in --out, so that a second run takes minutes. The figures are eval.taught_figures'.
"""

import argparse
import json
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from audio_interaction_ros.cli.teach import LEAST_RECALL
from audio_interaction_ros.protocol import CHUNK_SAMPLES
from audio_interaction_ros.taught.fit import Recording
from audio_interaction_ros.whole_file import open_whole, write_whole
from eval.scenes import single_plans
from eval.sounds.embeddings import BatchedEars, Ears
from eval.taught_figures import (
    CASES,
    SHIPPED,
    Negatives,
    Session,
    is_for_choosing,
    learners,
    summarise,
    try_sessions,
)
from held_out.clips import chance_of, load, mix_over, read_held_out, read_manifest
from measure import report

__all__ = ['add_arguments', 'measure_teaching', 'run']

SURROUNDINGS = (('a', None), ('a', 20), ('a', 20), ('a', 10), ('b', None), ('b', 20), ('b', 10))
"""Side of the background and how far (dB) the sound stands out of it; b is heard in tests only."""
TAUGHT = (0, 1, 2, 3)
_SCENE_S, _FROM_S, _BED_DBFS = 4.4, 2.0, -35.0
_FIRST, _LAST = 4, 11


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    report.add_common_arguments(parser)
    parser.add_argument('--rate', type=float, default=1.0, help='false alarms per hour')


def run(options: argparse.Namespace, ears: Ears | None = None) -> int:
    """Measure, print and write; return 0."""
    out = report.make_folder(options, 'teach')
    embed = (ears or BatchedEars(threads=options.threads)).hear
    rows = read_manifest(options.data)
    user = [row for row in rows if str(row.get('session', '')).startswith('protosound:')]
    if options.limit:
        user = user[:options.limit]
    beds = [row for row in rows if row['label'].startswith('background')]
    speech = [row for row in rows if row['label'] == 'speech_read']
    room = {kind: _keep(out / name, partial(_hear_all, options.data, part, embed))
            for kind, name, part in (('backgrounds', 'bg', beds), ('speech', 'speech', speech))}
    close = _keep(out / 'close', partial(_hear_close, options, embed))
    taught = _keep(out / 'pos', lambda: _hear_scenes(
        options.data, user, [row for row in beds if row['seconds'] > 10], embed))
    labels = {row['source_id']: row['label'] for row in user}
    figures = measure_teaching(_sessions_of(taught, labels), _negatives_of(room, close),
                               options.rate)
    _print(figures)
    print(report.write(out, 'teach', options, figures))
    return 0


def measure_teaching(sessions: Sequence[Session], negatives: Negatives,
                     rate: float) -> dict[str, Any]:
    """
    Return figures of all ways to learn, on sessions that chose nothing.

    ``chosen`` is the way that the other sessions choose: of those within the rate the one that
    hears most, else the one of fewest false alarms. The shipped way is told in any case.
    """
    sides = {for_choosing: [item for item in sessions
                            if is_for_choosing(item.name) == for_choosing]
             for for_choosing in (True, False)}
    found, other = dict[str, Any](), dict[str, Any]()
    for name, learner in learners(negatives.known, rate).items():
        other[name] = summarise(try_sessions(sides[True], negatives, learner), negatives)
        found[name] = summarise(try_sessions(sides[False], negatives, learner), negatives)
    variants = {name: row for name, row in other.items() if 'dimensions' in name}

    def is_better(name: str) -> tuple[bool, float, float]:
        alarms = variants[name]['false_alarms']['all'].value
        within = alarms <= rate
        return within, variants[name]['recall']['all'].value if within else -alarms, -alarms
    return {'reported': found, 'choosing': other,
            'chosen': max(variants, key=is_better) if sides[True] else SHIPPED}


def _print(figures: dict[str, Any]) -> None:
    found = figures['reported']
    report.print_table(
        f'Taught sounds, recordings left out; {found[SHIPPED]["sessions"]} sessions that chose '
        f'nothing', ['', *(f'recall, {case}' for case in CASES.values()), 'false alarms/h',
                     'close sounds with one'],
        [(name + (' (chosen)' if name == figures['chosen'] else ''),
          *(row['recall'][case] for case in CASES.values()), row['false_alarms']['all'],
          row['close']) for name, row in found.items()])
    shipped = found[SHIPPED]
    report.print_table('False alarms per hour, as shipped', ['kind', ''],
                       list(shipped['false_alarms'].items()))
    report.print_table('By session, as shipped', ['session', 'recall', 'what the command says'], [
        (name, row['recall'], f'{row["own_recall"]:.2f}' + (
            '' if row['own_recall'] >= LEAST_RECALL else ': cannot be told, not stored'))
        for name, row in shipped['by_session'].items()])


def _keep(path: Path, make: Callable[[], tuple[np.ndarray, list[Any]]]
          ) -> tuple[np.ndarray, list[Any]]:
    """Return embeddings and what each is, from the folder where they are there."""
    lines = path.with_suffix('.json')
    if not lines.is_file():
        values, names = make()
        with open_whole(path.with_suffix('.npy')) as file:
            np.save(file, values)
        write_whole(lines, json.dumps(names).encode())
    return np.load(path.with_suffix('.npy')), json.loads(lines.read_text(encoding='utf-8'))


def _hear_all(data: Path, rows: Iterable[dict[str, Any]], embed: Callable[[np.ndarray], np.ndarray]
              ) -> tuple[np.ndarray, list[Any]]:
    parts, names = [], []
    for row in rows:
        parts.append(embed(load(data / row['path'])).astype(np.float16))
        names.append([row['path'], len(parts[-1])])
    return np.concatenate(parts), names


def _hear_scenes(data: Path, user: Sequence[dict[str, Any]], beds: Sequence[dict[str, Any]],
                 embed: Callable[[np.ndarray], np.ndarray]) -> tuple[np.ndarray, list[Any]]:
    """Return embeddings of the chunks around each recording in each of SURROUNDINGS."""
    sides = {side: [row for row in beds if ('a' if chance_of(row['path'], 'bedside') < 0.5
                                            else 'b') == side] for side in 'ab'}
    parts, names = [], []
    for row in user:
        clip = load(data / row['path'])
        for place, (side, snr_db) in enumerate(SURROUNDINGS):
            rng = np.random.default_rng(int(chance_of(row['path'], place) * 2 ** 40))
            bed = load(data / sides[side][rng.integers(len(sides[side]))]['path'])
            scene, at = _compose(clip, bed, snr_db, rng)
            heard = embed(scene)[_FIRST:_LAST]
            for chunk in range(_FIRST, _FIRST + len(heard)):
                shared = (min(at + len(clip), (chunk + 1) * CHUNK_SAMPLES)
                          - max(at, chunk * CHUNK_SAMPLES))
                names.append([row['source_id'], row['path'], place, side, snr_db, chunk,
                              max(0, shared) / CHUNK_SAMPLES])
            parts.append(heard.astype(np.float16))
    return np.concatenate(parts), names


def _compose(clip: np.ndarray, bed: np.ndarray, snr_db: float | None, rng: np.random.Generator
             ) -> tuple[np.ndarray, int]:
    length = int(16_000 * _SCENE_S)
    start = int(rng.integers(0, max(1, len(bed) - length)))
    bed = np.resize(bed[start:start + length], length)
    bed = bed * 10 ** (_BED_DBFS / 20) / max(float(np.sqrt(np.mean(bed ** 2))), 1e-6)
    at = int(16_000 * _FROM_S) + int(rng.integers(0, CHUNK_SAMPLES))
    return mix_over(clip, at, bed, snr_db) * 10 ** (rng.uniform(-10, 0) / 20), at


def _hear_close(options: argparse.Namespace, embed: Callable[[np.ndarray], np.ndarray]
                ) -> tuple[np.ndarray, list[Any]]:
    """Return embeddings of one harmless sound each, close and with nothing else, and labels."""
    items = [item for item in read_held_out(options.data) if not item.extra.get('session')]
    parts, names = [], []
    for plan in single_plans(items, options.limit):
        scene = plan.make()
        parts.append(embed(scene.samples).astype(np.float16))
        names.append([scene.label, len(parts[-1])])
    return (np.concatenate(parts) if parts else np.zeros((0, 0), np.float16)), names


def _split(heard: tuple[np.ndarray, list[Any]]) -> list[tuple[str, np.ndarray]]:
    """Return (name, embeddings) of each stream of a file."""
    ends = np.cumsum([count for _, count in heard[1]])
    return [(name, heard[0][end - count:end].astype(np.float32))
            for (name, count), end in zip(heard[1], ends, strict=True)]


def _negatives_of(room: dict[str, tuple[np.ndarray, list[Any]]],
                  close: tuple[np.ndarray, list[Any]]) -> Negatives:
    """Return first halves of all recordings as known, second ones as later."""
    streams = {kind: [values for _, values in _split(heard)] for kind, heard in room.items()}
    return Negatives(
        known=np.concatenate([values[:len(values) // 2] for mine in streams.values()
                              for values in mine]),
        later={kind: np.concatenate([values[len(values) // 2:] for values in mine])
               for kind, mine in streams.items() if mine},
        close=_split(close))


def _sessions_of(taught: tuple[np.ndarray, list[Any]], labels: dict[str, str]) -> list[Session]:
    values, names = taught[0].astype(np.float32), taught[1]
    session, clip, place, shared = (np.array([name[column] for name in names])
                                    for column in (0, 1, 2, 6))

    def stream(name: str, case: int) -> np.ndarray:
        return values[(clip == name) & (place == case)]
    found = []
    for name in sorted(set(session.tolist())):
        clips = sorted(set(clip[session == name].tolist()))
        found.append(Session(name, labels.get(name, ''), [
            Recording(sounding=values[(clip == mine) & np.isin(place, TAUGHT) & (shared >= 0.5)],
                      streams=[stream(mine, case) for case in TAUGHT]) for mine in clips],
            [{case: stream(mine, case) for case in CASES} for mine in clips]))
    return found
