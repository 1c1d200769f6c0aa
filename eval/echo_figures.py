"""
The figures of ``python -m eval echo``: echo taken out, alerts, calls and words, with intervals.

Owns what counts as heard. Knows neither audio nor models.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from audio_interaction_ros.intents.barge_in import BargeIn
from measure import report
from measure.intervals import Estimate, bootstrap, poisson, wilson
from measure.word_errors import UnderstoodUtterance, normalise, word_error_rate

__all__ = ['LINE_UP', 'figures', 'print_tables']

LINE_UP = ('alone', 'own voice', 'webrtc', 'speex', 'linear')
"""
The other sound alone; under the robot's own voice; with that voice taken out by each canceller,
the last of which (audio.linear_echo) only helps the others.
"""
LATE_S = 3.0
"""So long after it is over something may still be told."""
Row = Mapping[str, Any]


def figures(rows: Sequence[Row], calls: BargeIn) -> dict[str, Any]:
    """Return the figures by what was done about the robot's voice."""
    groups: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in rows:
        groups[row['key'][0], row['key'][2]].append(row)
    return {which: {
        'alarm': _share(groups['alarm', which], _heard_alarm),
        **{f'alarm at {ratio:g} dB': _share(
            [row for row in groups['alarm', which] if row['ratio_db'] == ratio], _heard_alarm)
            for ratio in (0.0, -10.0, -20.0)},
        'call': _share(groups['call', which], lambda row: _heard_call(row, calls)),
        'call, overheard too': _share(
            groups['call', which],
            lambda row: _heard_call(row, calls) or _overheard_call(row, calls)),
        'false stops per hour': _false_stops(
            [row for kind in ('word', 'speech', 'silence') for row in groups[kind, which]
             if not calls.find_call(row.get('text', row.get('word', '')), '')], calls),
        'word': _share(groups['word', which], _heard_word),
        'wer': _word_errors(groups['speech', which]),
        'false alerts per hour': _false_alerts(groups['silence', which]),
        'own words read per minute': _own_words(groups['silence', which]),
        'false calls per hour': _false_calls(groups['silence', which], calls),
    } for which in LINE_UP} | {
        'erle': {f'{which}, {name}': value for which in LINE_UP[2:] for name, value in _erle(
            [row for row in rows if row['key'][2] == which]).items()},
        'scenes': len({tuple(row['key'][:2]) for row in rows})}


def _in_time(row: Row, at: float) -> bool:
    return bool(row['begin'] - 0.5 <= at <= row['end'] + LATE_S)


def _share(rows: Sequence[Row], heard: Callable[[Row], bool]) -> Estimate:
    """Return the share that was heard; recordings, or voices, are what was drawn."""
    shares: dict[str, list[bool]] = defaultdict(list)
    for row in rows:
        shares[row['group']].append(heard(row))
    return wilson(sum(float(np.mean(found)) for found in shares.values()), len(shares))


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
    names = list(measured[LINE_UP[0]])
    report.print_table(f'{measured["scenes"]} scenes', ['', *LINE_UP], [
        (name, *(measured[which][name] for which in LINE_UP)) for name in names])
    report.print_table('dB less of the own voice (median)', ['', 'ERLE'],
                       measured['erle'].items())
