"""
The figures of ``python -m eval echo``: echo taken out, alerts, calls and words, with intervals.

Owns what counts as heard. Knows neither audio nor models.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from audio_interaction_ros.intents.barge_in import BargeIn
from eval.echo_listener import HEARINGS
from measure import report
from measure.intervals import Estimate, bootstrap, poisson, wilson
from measure.word_errors import UnderstoodUtterance, normalise, word_error_rate

__all__ = ['LINE_UP', 'figures', 'print_tables']

LINE_UP = tuple(HEARINGS)
LATE_S = 3.0
"""So long after it is over something may still be told."""
HELD_S, LEARNT_S = 1.5, 2.0
"""So long the robot stays softer after a sign, and its canceller takes to learn the room."""
BESIDE = ('alarm', 'signal', 'call', 'word', 'speech')
RATIOS = {'': None, **{f' at {ratio:g} dB': ratio for ratio in (0.0, -10.0, -20.0)}}
Row = Mapping[str, Any]


def figures(rows: Sequence[Row], calls: BargeIn) -> dict[str, Any]:
    """Return the figures by what was done about the robot's voice; of what was not asked none."""
    groups, heard, read = (_group(row for row in rows if name in row)
                           for name in ('kind', 'alerts', 'texts'))
    return {which: {
        **{f'alarm{at}': _share(_at(heard['alarm', which], ratio), _heard_alarm)
           for at, ratio in RATIOS.items()},
        **{f'signal{at}': _share(_at(heard['signal', which], ratio), _heard_alarm)
           for at, ratio in RATIOS.items()},
        'call': _share(read['call', which], lambda row: _heard_call(row, calls)),
        'call, overheard too': _share(
            read['call', which],
            lambda row: _heard_call(row, calls) or _overheard_call(row, calls)),
        'false stops per hour': _false_stops(
            [row for kind in ('word', 'speech', 'silence') for row in read[kind, which]
             if not calls.find_call(row.get('text', row.get('word', '')), '')], calls),
        'word': _share(read['word', which], _heard_word),
        'wer': _word_errors(read['speech', which]),
        'false alerts per hour': _false_alerts(
            heard['silence', which] + heard['monologue', which]),
        **{f'noticed beside it{at}': _share(_at(
            [row for kind in BESIDE for row in groups[kind, which] if 'beside' in row],
            ratio), _noticed)
           for at, ratio in RATIOS.items()},
        'softer without a reason': _softer(
            [row for (_, one), rows in groups.items() for row in rows if one == which]),
        'own words read per minute': _own_words(read['silence', which]),
        'false calls per hour': _false_calls(read['silence', which], calls),
    } for which in LINE_UP} | {
        'erle': {f'{which}, {name}': value for which in LINE_UP[2:] for name, value in _erle(
            [row for row in rows if row['hearing'] == which]).items()},
        'scenes': len({(row['kind'], row['name']) for row in rows})}


def _group(rows: Iterable[Row]) -> dict[tuple[str, str], list[Row]]:
    """Return rows by kind of scene and by what was done about the robot's voice."""
    groups: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in rows:
        groups[row['kind'], row['hearing']].append(row)
    return groups


def _at(rows: Sequence[Row], ratio: float | None) -> Sequence[Row]:
    """Return those as loud, against the robot's own voice, as ``ratio`` (dB) says; None: all."""
    return [row for row in rows if ratio in (None, row['ratio_db'])]


def _in_time(row: Row, at: float) -> bool:
    return bool(row['begin'] - 0.5 <= at <= row['end'] + LATE_S)


def _share(rows: Sequence[Row], heard: Callable[[Row], bool]) -> Estimate:
    """Return the share that was heard; recordings, or voices, are what was drawn."""
    shares: dict[str, list[bool]] = defaultdict(list)
    for row in rows:
        shares[row['group']].append(heard(row))
    return wilson(sum(float(np.mean(found)) for found in shares.values()), len(shares))


def _noticed(row: Row) -> bool:
    return any(end > row['begin'] and begin < row['end'] for begin, end in row.get('beside', []))


def _softer(rows: Sequence[Row]) -> Estimate:
    """Return for what part of what it says alone the robot would speak softer at such a sign."""
    def share(some: Sequence[tuple[float, float]]) -> float:
        return sum(soft for soft, _ in some) / max(sum(whole for _, whole in some), 1e-9)
    return bootstrap([_time_softer(row) for row in rows if 'beside' in row], share)


def _time_softer(row: Row) -> tuple[float, float]:
    """Return seconds that are softer, and all, from when the room is learnt until others sound."""
    over = row['end'] if row['kind'] not in BESIDE else row['begin']
    soft, until = 0.0, LEARNT_S
    for begin, end in row['beside']:
        begin, end = max(begin, until), min(end + HELD_S, over)
        soft, until = soft + max(0.0, end - begin), max(until, end)
    return soft, over - LEARNT_S


def _heard_alarm(row: Row) -> bool:
    return any(label in row['accepts'] and _in_time(row, at) for at, label in row['alerts'])


def _texts(row: Row) -> list[str]:
    return [text for at, text in row['texts'] if _in_time(row, at)]


def _heard_call(row: Row, calls: BargeIn) -> bool:
    return any(calls.is_called(text) for text in _texts(row))


def _overheard_call(row: Row, calls: BargeIn) -> bool:
    return any(calls.find_call(text, '') and _in_time(row, at)
               for at, text in row.get('overheard', []))


def _heard_word(row: Row) -> bool:
    return any(normalise(row['word']) in normalise(text).split() for text in _texts(row))


def _word_errors(rows: Sequence[Row]) -> Estimate:
    """Return word errors of the last text of each clip."""
    return word_error_rate([UnderstoodUtterance(
        reference=row['text'], hypothesis=(_texts(row) or [''])[-1], group=row['group'])
        for row in rows])


def _hours(rows: Sequence[Row]) -> float:
    return sum(row['end'] for row in rows) / 3600


def _false_alerts(rows: Sequence[Row]) -> Estimate:
    return poisson(sum(len(row['alerts']) for row in rows), _hours(rows))


def _false_calls(rows: Sequence[Row], calls: BargeIn) -> Estimate:
    return poisson(sum(any(calls.is_called(text) for _, text in row['texts']) for row in rows),
                   _hours(rows))


def _false_stops(rows: Sequence[Row], calls: BargeIn) -> Estimate:
    """Return how often the robot falls silent though nobody wants that, in an hour of speech."""
    return poisson(sum(any(calls.is_called(text) for _, text in row['texts'])
                       or any(calls.find_call(text, '') for _, text in row.get('overheard', []))
                       for row in rows), _hours(rows))


def _own_words(rows: Sequence[Row]) -> Estimate:
    """Return how many words of the robot's own were shown as somebody's, in a minute."""
    counts = [(sum(len(text.split()) for _, text in row['texts'][-1:]), row['end'] / 60)
              for row in rows]
    return bootstrap(counts, lambda some: sum(count for count, _ in some)
                     / max(sum(minutes for _, minutes in some), 1e-9))


def _erle(rows: Sequence[Row]) -> dict[str, Estimate]:
    """Return by how many dB less is left of the robot's voice, by seconds since it began."""
    spans = {'first second': slice(0, 2), 'second to fourth': slice(2, 8)}

    def ratio(some: Sequence[Row], span: slice) -> float:
        values = [10 * np.log10(sum(before for before, _ in row['levels'][span])
                                / max(sum(after for _, after in row['levels'][span]), 1e-12))
                  for row in some]
        return float(np.median(values)) if values else float('nan')
    return {name: bootstrap(rows, partial(ratio, span=span)) for name, span in spans.items()}


def print_tables(measured: Mapping[str, Any]) -> None:
    """Print what was measured."""
    heard = [which for which in LINE_UP
             if any(str(figure) != '–' for figure in measured[which].values())]
    report.print_table(f'{measured["scenes"]} scenes', ['', *heard], [
        (name, *(measured[which][name] for which in heard)) for name in measured[LINE_UP[0]]])
    report.print_table('dB less of the own voice (median)', ['', 'ERLE'],
                       measured['erle'].items())
