"""
Speech of minutes without an end: what is lost or said twice where it is cut into finals.

Part of ``python -m eval asr``. Clips of read books are joined, with the pauses of reading and with
none, and played (``eval.live_stream``). What became final is held against what was said, and
beside it what the same reader reads of each clip by itself. Knows no model.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import numpy as np

from eval.live_stream import HeardFinal, HeardStream, Play
from eval.shown_words import ShownClip, note_words
from eval.turn_streams import AROUND_S, FLOOR_DBFS, LEVEL_DBFS
from held_out.clips import RATE, HeldOutClip, MaterialError, find_sounding, load, scale_to
from held_out.splits import chance_of
from measure import report
from measure.intervals import percentiles
from measure.word_errors import count_errors, normalise

__all__ = ['Seams', 'count_seams', 'join_speech', 'measure_unbroken', 'pick_reading',
           'print_unbroken', 'squeeze']

PAUSES_S = (0.3, 0.7)
"""Who reads aloud pauses so long between two sentences."""
LONGEST_PAUSE_S = 0.12
"""Of unbroken speech no pause is longer, within sentences and between them."""
NEAR = 2
"""So many words around a cut count as at the cut."""
_FRAME, _SILENT_DB = 160, -30.0


@dataclass(frozen=True, kw_only=True)
class Seams:
    """Of finals held against what was said: words, and where they differ."""

    words: int
    wrong: int
    lost: int
    """Words left out next to a cut."""
    doubled: int
    """Words put in next to a cut."""
    misread: int
    """Words that became others next to a cut."""


def count_seams(said: str, finals: Sequence[str]) -> Seams:
    """Return how finals in a row differ from all that was said."""
    import jiwer
    reference, texts = normalise(said), [normalise(text) for text in finals]
    ends = [0, *accumulate(len(text.split()) for text in texts)]
    found = Counter[str]()
    for piece in jiwer.process_words(reference, ' '.join(filter(None, texts))).alignments[0]:
        count = max(piece.ref_end_idx - piece.ref_start_idx,
                    piece.hyp_end_idx - piece.hyp_start_idx)
        found['wrong'] += count * (piece.type != 'equal')
        if any(piece.hyp_start_idx - NEAR <= end <= piece.hyp_end_idx + NEAR
               for end in ends[1:-1]):
            found[piece.type] += count
    return Seams(words=len(reference.split()), wrong=found['wrong'], lost=found['delete'],
                 doubled=found['insert'], misread=found['substitute'])


def pick_reading(items: Sequence[HeldOutClip], seconds: float) -> list[HeldOutClip]:
    """
    Return clips of read books, in the order of their names, as long as that.

    Of one speaker where one has read so long, else of many. MaterialError without any.
    """
    speakers: dict[str, list[HeldOutClip]] = defaultdict(list)
    for item in items:
        if item.label == 'speech_read' and item.language in ('en', '') and not item.generated:
            speakers[str(item.extra.get('speaker') or item.group)].append(item)
    longest = max(speakers.values(), default=[], key=lambda mine: sum(
        item.seconds for item in mine))
    if not longest:
        raise MaterialError('expected held-out speech_read clips, found none; add such rows to '
                            'the manifest')
    enough = sum(item.seconds for item in longest) >= seconds
    clips = sorted(longest, key=lambda item: item.name) if enough else [
        item for mine in speakers.values() for item in mine]
    ends = list(accumulate(item.seconds for item in clips))
    return [item for item, end in zip(clips, ends, strict=True) if end - item.seconds < seconds]


def squeeze(samples: np.ndarray) -> np.ndarray:
    """Return speech [n] of which no pause is longer than LONGEST_PAUSE_S."""
    frames = samples[:len(samples) // _FRAME * _FRAME].reshape(-1, _FRAME)
    levels = np.sqrt(np.square(frames, dtype=np.float64).mean(axis=1))
    silent, most = levels < levels.max() * 10 ** (_SILENT_DB / 20), round(
        LONGEST_PAUSE_S * RATE / _FRAME)
    run = np.zeros(len(silent), int)
    for place in range(len(silent)):
        run[place] = (run[place - 1] + 1 if place else 1) if silent[place] else 0
    kept: np.ndarray = frames[run <= most].reshape(-1)
    return kept


def join_speech(pieces: Sequence[np.ndarray], names: Sequence[str],
                pauses: tuple[float, float]) -> np.ndarray:
    """Return pieces of speech [n] with pauses drawn between two lengths, over a soft noise."""
    parts = [np.zeros(RATE, np.float32)]
    for piece, name in zip(pieces, names, strict=True):
        pause_s = pauses[0] + (pauses[1] - pauses[0]) * chance_of(name, 'unbroken')
        parts += [piece, np.zeros(round(pause_s * RATE), np.float32)]
    joined = np.concatenate(parts)
    noise = np.random.default_rng(len(joined)).normal(0, 10 ** (FLOOR_DBFS / 20), len(joined))
    return (joined + noise).astype(np.float32)


def measure_unbroken(whole: Any, items: Sequence[HeldOutClip], minutes: float,
                     play: Play) -> dict[str, Any]:
    """Return the figures of speech of so many minutes, with pauses and without any."""
    clips = pick_reading(items, 60 * minutes)
    around = round(AROUND_S * RATE)
    cut = list[np.ndarray]()
    for clip in report.track('speech of minutes', clips):
        samples = scale_to(load(clip.path), LEVEL_DBFS)
        first, last = find_sounding(samples)
        cut.append(samples[max(0, first - around):last + around])
    speakers = len({clip.extra.get('speaker') or clip.group for clip in clips})
    forms = {'pauses of reading': (cut, PAUSES_S),
             'no pause': ([squeeze(piece) for piece in cut], (0.0, 0.0))}
    rows = dict(_measure_forms(whole, clips, forms, play))
    return {'minutes': minutes, 'clips': len(clips), 'speakers': speakers, 'forms': rows}


def _measure_forms(whole: Any, clips: Sequence[HeldOutClip], forms: dict[str, Any],
                   play: Play) -> Iterator[tuple[str, dict[str, Any]]]:
    for form, (pieces, pauses) in forms.items():
        read = [whole.transcribe(piece).text for piece in pieces]
        said = ' '.join(clip.text or text for clip, text in zip(clips, read, strict=True))
        samples = join_speech(pieces, [clip.name for clip in clips], pauses)
        yield form, figures(said, ' '.join(read), play(samples)) | {
            'seconds': len(samples) / RATE}


def figures(said: str, read: str, heard: HeardStream) -> dict[str, Any]:
    """Return the figures of one stream: what was said, what was read clip by clip, and finals."""
    finals = [final for final in heard.finals if final.text]
    clip = note_words(ShownClip('', '', [], '', 0.0), heard)
    return {**vars(count_seams(said, [final.text for final in finals])),
            'wrong_clip_by_clip': count_errors(said, read)[0], 'finals': len(finals),
            'final_length_s': percentiles([_length_s(final) for final in finals]),
            'longest_final_s': max(map(_length_s, finals), default=0.0),
            'ended_by': dict(Counter(final.ended_by for final in finals)),
            'stable_taken_back': clip.taken_back,
            'texts': [f'{final.start:.1f}-{final.end:.1f} {final.ended_by}: {final.text}'
                      for final in finals], 'said': said}


def _length_s(final: HeardFinal) -> float:
    return final.end - final.start


def print_unbroken(measured: dict[str, Any]) -> None:
    """Print the table of speech of minutes."""
    report.print_table(
        f'Speech of {measured["minutes"]:g} minutes, of {measured["speakers"]} speakers', [
            'joined with', 'seconds', 'words', 'wrong', 'clip by clip', 'lost at cuts',
            'doubled at cuts', 'misread at cuts', 'finals', 'length p50 s', 'longest s',
            'ended by', 'stable taken back'],
        [(form, round(row['seconds']), row['words'], row['wrong'], row['wrong_clip_by_clip'],
          row['lost'], row['doubled'], row['misread'], row['finals'],
          row['final_length_s']['p50'], row['longest_final_s'],
          ', '.join(f'{by} {count}' for by, count in row['ended_by'].items()),
          row['stable_taken_back']) for form, row in measured['forms'].items()])
