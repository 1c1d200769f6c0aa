"""
``python -m eval teach``: are sounds of one device told apart after a few recordings of it?

Owns the measurement: sessions of users (ProtoSound: five recordings of one sound in one room),
each recording left out once and heard by what the others taught; backgrounds and speech, whose
first halves are the place that is known and whose second halves tell the false alarms. Embeddings
are computed once and kept in --out.
"""

import argparse
import json
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from audio_interaction_ros.cli.teach import make_embedder
from audio_interaction_ros.config import AssistantConfig
from audio_interaction_ros.protocol import CHUNK_S, CHUNK_SAMPLES
from audio_interaction_ros.taught.fit import Recording, count_events, learn, sustain, whiten
from held_out.clips import chance_of, load, mix_over, read_manifest
from measure import report
from measure.intervals import Estimate, poisson, quotients

__all__ = ['add_arguments', 'measure_teaching', 'run']

SURROUNDINGS = (('a', None), ('a', 20), ('a', 20), ('a', 10), ('b', None), ('b', 20), ('b', 10))
"""Side of the background and how far (dB) the sound stands out of it; b is heard in tests only."""
TAUGHT, TESTED = (0, 1, 2, 3), (4, 5, 6)
_SCENE_S, _FROM_S, _BED_DBFS = 4.4, 2.0, -35.0
_FIRST, _LAST = 4, 11


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    report.add_common_arguments(parser)
    parser.add_argument('--rate', type=float, default=1.0, help='false alarms per hour')


def run(options: argparse.Namespace) -> int:
    """Measure, print and write; return 0."""
    out = report.make_folder(options, 'teach')
    rows = read_manifest(options.data)
    user = [row for row in rows if str(row.get('session', '')).startswith('protosound:')]
    if options.limit:
        user = user[:options.limit]
    beds = [row for row in rows if row['label'].startswith('background')]
    speech = [row for row in rows if row['label'] == 'speech_read']
    runtime = report.load_model(options)
    embed = make_embedder(AssistantConfig(), runtime.encoder)
    negatives = [_keep(out / name, partial(_hear_all, options.data, part, embed))
                 for name, part in (('bg', beds), ('speech', speech))]
    positives = _keep(out / 'pos', lambda: _hear_scenes(
        options.data, user, [row for row in beds if row['seconds'] > 10], embed))
    figures = measure_teaching(positives, negatives, options.rate)
    report.print_table('taught sounds: recordings left out', ['', 'recall', 'false alarms / h'],
                       [[name, str(row['recall']), str(row['false_alarms'])]
                        for name, row in figures['heard'].items()])
    report.print_table('by session', ['session', 'recall'],
                       [[name, value] for name, value in figures['sessions'].items()])
    print(report.write(out, 'teach', options, figures, runtime.encoder.spec.model_id))
    return 0


def _keep(path: Path, make: Callable[[], tuple[np.ndarray, list[Any]]]
          ) -> tuple[np.ndarray, list[Any]]:
    """Return embeddings and what each is, from the folder where they are there."""
    lines = path.with_suffix('.json')
    if not lines.is_file():
        values, names = make()
        np.save(path.with_suffix('.npy'), values)
        lines.write_text(json.dumps(names), encoding='utf-8')
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


def _halve(negatives: Sequence[tuple[np.ndarray, list[Any]]]) -> tuple[np.ndarray, np.ndarray]:
    """Return the first halves of all recordings and the second ones."""
    first, second = [], []
    for values, names in negatives:
        start = 0
        for _, count in names:
            middle = start + count // 2
            first.append(values[start:middle])
            second.append(values[middle:start + count])
            start += count
    return (np.concatenate(first).astype(np.float32), np.concatenate(second).astype(np.float32))


def measure_teaching(positives: tuple[np.ndarray, list[Any]],
                     negatives: Sequence[tuple[np.ndarray, list[Any]]], rate: float
                     ) -> dict[str, Any]:
    """Return recall and false alarms per hour, with intervals over sessions, and by session."""
    values, names = positives[0].astype(np.float32), positives[1]
    session, clip = (np.array([name[column] for name in names]) for column in (0, 1))
    place, shared = (np.array([name[column] for name in names]) for column in (2, 6))
    known, later = _halve(negatives)
    room = whiten(known)
    later_places, hours = room.place(later), len(later) * CHUNK_S / 3600
    found: dict[str, dict[int, list[bool]]] = {}
    alarms: list[int] = []
    for name in sorted(set(session.tolist())):
        clips = sorted(set(clip[session == name].tolist()))
        if len(clips) < 4:
            continue
        heard = found.setdefault(name, {case: [] for case in TESTED})
        for left in clips:
            lesson = learn([_gather(values, (clip == other), place, shared)
                            for other in clips if other != left], room, rate)
            alarms.append(count_events(sustain(later_places @ lesson.direction), lesson.middle))
            for case in TESTED:
                stream = room.place(values[(clip == left) & (place == case)])
                heard[case].append(bool(sustain(stream @ lesson.direction).max()
                                        >= lesson.middle))
    return _summarise(found, alarms, hours)


def _gather(values: np.ndarray, mine: np.ndarray, place: np.ndarray, shared: np.ndarray
            ) -> Recording:
    chosen = mine & np.isin(place, TAUGHT)
    return Recording(sounding=values[chosen & (shared >= 0.5)],
                     streams=[values[chosen & (place == case)] for case in TAUGHT])


def _summarise(found: dict[str, dict[int, list[bool]]], alarms: list[int], hours: float
               ) -> dict[str, Any]:
    cases = {'all surroundings': TESTED, **{
        'dry' if SURROUNDINGS[case][1] is None else f'{SURROUNDINGS[case][1]} dB': (case,)
        for case in TESTED}}
    # One head's hour is no other hour than another's: the interval is that of one mean head.
    mean = float(np.mean(alarms))
    spread = poisson(round(mean * len(alarms)), hours * len(alarms))
    false_alarms = Estimate(value=mean / hours, low=spread.low, high=spread.high, n=hours)

    def recall(chosen: tuple[int, ...]) -> Estimate:
        hits = [[sum(sum(cases_of[case]) for case in chosen)] for cases_of in found.values()]
        trials = [[sum(len(cases_of[case]) for case in chosen)] for cases_of in found.values()]
        return quotients(hits, trials, share=True)
    return {'heard': {name: {'recall': recall(chosen), 'false_alarms': false_alarms}
                      for name, chosen in cases.items()},
            'hours': hours, 'heads': len(alarms),
            'sessions': {name: float(np.mean([hit for hits in cases_of.values() for hit in hits]))
                         for name, cases_of in found.items()}}
