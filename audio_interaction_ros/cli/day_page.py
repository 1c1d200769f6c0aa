"""A day as a page of Markdown: what was heard, hour by hour, and how well."""

import time
from collections import Counter
from collections.abc import Iterator

from audio_interaction_ros.replay.day import Day, Hour
from audio_interaction_ros.replay.heard import Heard
from audio_interaction_ros.terminal import one_line

__all__ = ['describe_day', 'describe_length']

_MOST_WORDS = 200
"""So many utterances stand on the page; the JSON beside it has all."""


def describe_day(day: Day, picture: str = '') -> Iterator[str]:
    """Yield the lines of the page; ``picture`` is the file beside it."""
    yield f'# What was heard: {day.name}'
    yield ''
    if day.has_time_of_day:
        yield f'From {_when(day, 0.0)} to {_when(day, day.seconds)} (UTC).'
    yield (f'{describe_length(day.seconds)}, of which '
           f'{describe_length(sum(day.listened.values()))} were listened to.')
    if picture:
        yield from ('', f'![time line]({picture})')
    yield from _list_alerts(day)
    yield from _list_sounds(day)
    yield from _list_hours(day)
    yield from _list_measures(day)
    yield from _list_words(day)


def describe_length(seconds: float) -> str:
    """Return a length in the unit that suits it: 32 s, 12.5 minutes, 24.0 hours."""
    if seconds < 60:
        return f'{seconds:.0f} s'
    return f'{seconds / 60:.1f} minutes' if seconds < 3600 else f'{seconds / 3600:.1f} hours'


def _when(day: Day, seconds: float) -> str:
    """Return a time of day, or the time since the beginning."""
    if day.has_time_of_day:
        return time.strftime('%Y-%m-%d %H:%M:%S', time.gmtime(day.begin_ns / 1e9 + seconds))
    return f'{int(seconds) // 3600:d}:{int(seconds) % 3600 // 60:02d}:{seconds % 60:04.1f}'


def _list_alerts(day: Day) -> Iterator[str]:
    alerts = [one for one in day.heard if one.kind == 'alert']
    yield from ('', '## Alerts', '')
    if not alerts:
        yield 'None.'
        return
    yield '| when | severity | label | for | said |'
    yield '|---|---|---|---|---|'
    for one in alerts:
        severity = '' if one.severity is None else one.severity.name
        yield (f'| {_when(day, one.start_s)} | {severity} | {one.label} '
               f'| {one.end_s - one.start_s:.0f} s | {_cell(one.text)} |')


def _list_sounds(day: Day) -> Iterator[str]:
    sounds = [one for one in day.heard if one.kind == 'sound']
    counts = Counter(one.label for one in sounds)
    lengths = Counter[str]()
    for one in sounds:
        lengths[one.label] += round(one.end_s - one.start_s)
    yield from ('', '## Sounds', '')
    if not sounds:
        yield 'None.'
        return
    yield from ('| sound | times | seconds in all |', '|---|---|---|')
    for name, count in sorted(counts.items(), key=lambda item: (-item[1], item[0])):
        yield f'| {name} | {count} | {lengths[name]} |'


def _list_hours(day: Day) -> Iterator[str]:
    yield from ('', '## Hours', '')
    yield '| from | listened | loudest | words | replies | sounds | alerts | |'
    yield '|---|---|---|---|---|---|---|---|'
    for hour in day.hours:
        loudest = '' if hour.loudest_dbfs != hour.loudest_dbfs else f'{hour.loudest_dbfs:.0f} dBFS'
        yield (f'| {_when(day, hour.begin_s)} | {hour.listened_s / 60:.0f} min | {loudest} '
               f'| {hour.words} | {hour.replies} | {hour.sounds} | {hour.alerts} '
               f'| {_describe_hour(hour)} |')
    quiet = sum(hour.is_quiet for hour in day.hours)
    deaf = sum(not hour.listened_s for hour in day.hours)
    yield ''
    yield f'Quiet hours: {quiet}. Hours in which nobody listened: {deaf}.'


def _describe_hour(hour: Hour) -> str:
    return 'quiet' if hour.is_quiet else '' if hour.listened_s else 'nobody listened'


def _list_measures(day: Day) -> Iterator[str]:
    yield from ('', '## How well', '')
    middle, late, worst = (day.latency(percent) for percent in (50, 95, 100))
    if middle is None or late is None or worst is None:
        yield 'Latency: not recorded (the topic `decisions` of a robot has it).'
    else:
        yield (f'Decision after the end of its audio: p50 {middle:.2f} s, p95 {late:.2f} s, '
               f'longest {worst:.2f} s, of {len(day.latencies_s)} decisions.')
    yield ''
    if not day.drops:
        yield 'Losses: not recorded (the topic `diagnostics` of a robot has them).'
    elif not any(day.drops.values()):
        yield 'Losses: none.'
    else:
        yield 'Losses: ' + ', '.join(f'{name} {count}' for name, count
                                     in sorted(day.drops.items()) if count) + '.'


def _list_words(day: Day) -> Iterator[str]:
    said = [one for one in day.heard if one.kind in ('transcript', 'reply')]
    yield from ('', '## Words', '')
    for one in said[:_MOST_WORDS]:
        yield f'- {_when(day, one.start_s)} {_describe_words(one)}'
    if len(said) > _MOST_WORDS:
        yield f'- … and {len(said) - _MOST_WORDS} more in the JSON file'
    if not said:
        yield 'None.'


def _describe_words(one: Heard) -> str:
    intent = f' [{one.intent}]' if one.intent else ''
    mark = '→ ' if one.kind == 'reply' else ''
    return f'{mark}{_cell(one.text)}{intent}'


def _cell(text: str) -> str:
    """Return a text that breaks no table and no markup."""
    return one_line(text).replace('\\', '\\\\').replace('|', '\\|').replace('<', '&lt;')
