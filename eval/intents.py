"""
``python -m eval intents``: what somebody wants, from what Whisper reads of their voice.

Owns the run over recordings: orders of drinks with their intent and slots (a user's file of
intents beside the shipped one), names that a robot may have, calls for help and talk of help
(``eval.spoken_calls``), and other speech, in which no intent should be found. Voices are told
apart: those that the phrases were written on are reported beside the others. Readings are kept in
``readings.jsonl``, so another matcher costs no new reading. Leaves ``intents.json`` and
``understood.jsonl``.
"""

import argparse
import json
import math
from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from audio_interaction_ros.assembly import build_matcher
from audio_interaction_ros.assembly.alerts import load_file_rules
from audio_interaction_ros.config import AlertsConfig, AssistantConfig, IntentsConfig
from audio_interaction_ros.intents.address import Address
from audio_interaction_ros.intents.matching import IntentMatcher
from audio_interaction_ros.intents.words import tokenise
from eval.second_pass import Readings
from held_out.clips import MaterialError, load, read_manifest
from held_out.splits import chance_of
from measure import report
from measure.intervals import poisson, wilson

__all__ = ['DRINKS', 'SpokenClip', 'Understood', 'add_arguments', 'choose_clips', 'figures', 'run']

DRINKS = Path(__file__).parent / 'data' / 'drinks.yaml'
HELP = ('call for help', 'talk of help')
DEVELOPMENT = 0.3
"""Share of the voices on which the phrases of DRINKS were written."""
KEYWORDS = ('coffee', 'mocha', 'espresso', 'americano', 'cappuccino', 'latte')
ORDERS = ('stop', 'help', 'go', 'come', 'follow', 'turn', 'bring', 'give', 'get', 'find', 'show',
          'wait', 'clean', 'open', 'close', 'start', 'look', 'call', 'yes', 'no', 'hello', 'quiet')
"""A keyword look-up finds an intent wherever one of these is said."""


@dataclass(frozen=True)
class SpokenClip:
    """One recording, and what it should be understood as."""

    path: Path
    sort: str
    """drinks, drinks (development), names, call for help, talk of help or other speech."""
    seconds: float
    intent: str = ''
    slots: tuple[tuple[str, str], ...] = ()
    called: str = ''
    """The name that is called in it."""

    @property
    def name(self) -> str:
        """Return the end of the path, which is the same on every machine."""
        return '/'.join(self.path.parts[-3:])


@dataclass(frozen=True)
class Understood:
    """What was read of a recording and understood."""

    clip: SpokenClip
    text: str
    confidence: float
    intent: str
    slots: tuple[tuple[str, str], ...]
    keyword: str
    """What a look-up of words understands."""
    alert: bool
    """Whether the shipped rules make an alert of the intent."""
    named: bool
    """Whether the robot, which has the name of the clip, heard itself called."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    report.add_common_arguments(parser)
    parser.add_argument('--per-sort', type=int, default=0, metavar='CLIPS',
                        help='at most so many of each sort (default: all)')
    parser.add_argument('--readings', type=Path, metavar='JSONL',
                        help='readings of an earlier run (default: readings.jsonl in --out)')
    parser.add_argument('--known', action='store_true',
                        help='read nothing; only what is in the readings counts')
    parser.add_argument('--min-confidence', type=float, default=IntentsConfig.min_confidence)


def choose_clips(folder: Path, most: int) -> list[SpokenClip]:
    """Return at most so many recordings of each sort (0: all), drawn by their names."""
    sorts = defaultdict[str, list[SpokenClip]](list)
    rows = sorted(read_manifest(folder), key=lambda row: chance_of(row['path'], 'intents'))
    for clip in filter(None, (_make_clip(folder, row) for row in rows)):
        if not most or len(sorts[clip.sort]) < most:
            sorts[clip.sort].append(clip)
    return [clip for sort in sorted(sorts) for clip in sorts[sort]]


def _make_clip(folder: Path, row: dict[str, Any]) -> SpokenClip | None:
    path, seconds = folder / row['path'], float(row.get('seconds', 0.0))
    if row.get('intent'):
        written_on = chance_of(str(row.get('speaker')), 'intents') < DEVELOPMENT
        return SpokenClip(
            path, 'drinks (development)' if written_on else 'drinks', seconds,
            intent=row['intent'],
            slots=tuple(sorted((key, value.strip()) for key, value in row['slots'].items())))
    if row['label'].replace('_', ' ') in HELP:
        return SpokenClip(path, row['label'].replace('_', ' '), seconds)
    if row['label'] == 'speech_read':
        return SpokenClip(path, 'other speech', seconds)
    if row['label'] == 'speech_phrase' and row.get('text') in (
            'jarvis', 'computer', 'athena', 'alexa', 'amelia'):
        return SpokenClip(path, 'names', seconds, called=row['text'])
    return None


def look_up(text: str) -> str:
    """Return the intent of a trivial look-up of words; '' for none."""
    words = set(tokenise(text))
    if words.intersection(KEYWORDS):
        return 'orderDrink'
    return next((word for word in ORDERS if word in words), '')


def understand(clip: SpokenClip, matcher: IntentMatcher, readings: Readings, least: float,
               alerts: Collection[str]) -> Understood:
    """
    Read a recording, or take what was read of it, and understand that.

    ``alerts`` are the intents of which the rules make alerts.
    """
    read = readings.read(clip.name, lambda: load(clip.path), find_speech=True)
    intent = matcher.match(read.text, read.confidence)
    intent = intent if intent is not None and intent.confidence >= least else None
    return Understood(
        clip=clip, text=read.text, confidence=read.confidence,
        intent='' if intent is None else intent.name,
        alert=intent is not None and intent.name in alerts,
        slots=() if intent is None else tuple(sorted(intent.slots.items())),
        keyword=look_up(read.text),
        named=Address(names=[clip.called or 'robot']).names_robot(read.text))


def _share(rows: Sequence[Understood], holds: Callable[[Understood], bool]) -> Any:
    return wilson(sum(map(holds, rows)), len(rows))


def figures(understood: Sequence[Understood]) -> dict[str, Any]:
    """Return shares understood with Wilson's interval, and false intents with Garwood's."""
    sorts = defaultdict[str, list[Understood]](list)
    for row in understood:
        sorts[row.clip.sort].append(row)
    figures: dict[str, Any] = {'sorts': {}}
    for sort, rows in sorted(sorts.items()):
        hours = sum(row.clip.seconds for row in rows) / 3600
        one: dict[str, Any] = {'clips': len(rows), 'hours': hours}
        if sort.startswith('drinks'):
            one |= {'intent': _share(rows, lambda row: row.intent == row.clip.intent),
                    'intent_and_slots': _share(rows, lambda row: (row.intent, row.slots) == (
                        row.clip.intent, row.clip.slots)),
                    'keyword': _share(rows, lambda row: row.keyword == row.clip.intent),
                    'none': _share(rows, lambda row: not row.clip.intent)}
        elif sort == 'names':
            one['called'] = {name: _share([row for row in rows if row.clip.called == name],
                                          lambda row: row.named)
                             for name in sorted({row.clip.called for row in rows})}
            one['all'] = _share(rows, lambda row: row.named)
        elif sort in HELP:
            one |= {'alert': _share(rows, lambda row: row.alert),
                    'keyword': _share(rows, lambda row: row.keyword == 'help')}
        else:
            one |= {'false_per_hour': poisson(sum(bool(row.intent) for row in rows), hours),
                    'keyword_per_hour': poisson(sum(bool(row.keyword) for row in rows), hours),
                    'none_per_hour': poisson(0, hours),
                    'named_per_hour': poisson(sum(row.named for row in rows), hours)}
        one['alerts_per_hour'] = poisson(sum(row.alert for row in rows), hours)
        figures['sorts'][sort] = one
    return figures


def run(options: argparse.Namespace) -> int:
    """Measure; return 0."""
    out = report.make_folder(options, 'intents')
    readings = Readings(options.readings or out / 'readings.jsonl')
    clips = choose_clips(options.data, options.limit or options.per_sort)
    clips = [clip for clip in clips if not options.known or readings.has(
        clip.name, find_speech=True)]
    if not clips:
        raise MaterialError(f'{options.data}: expected recordings with intents, names or read '
                            'speech, found none; give another folder in --data')
    matcher = build_matcher(AssistantConfig(intents=IntentsConfig(file=str(DRINKS))))
    alerts = load_file_rules(AlertsConfig()).of_intent
    with report.progress_bar() as bar:
        understood = [understand(clip, matcher, readings, options.min_confidence, alerts)
                      for clip in bar.track(clips, description='recordings')]
    measured = figures(understood)
    (out / 'understood.jsonl').write_text(''.join(
        json.dumps(report.to_json(row), ensure_ascii=False) + '\n' for row in understood),
        encoding='utf-8')
    path = report.write(out, 'intents', options, measured)
    print_tables(measured)
    print(f'written to {path}; what was read and understood: {out / "understood.jsonl"}')
    return 0


def print_tables(measured: dict[str, Any]) -> None:
    """Print the tables."""
    sorts = measured['sorts']
    report.print_table('What is wanted', ['', 'clips', 'intent', 'and all slots', 'keywords'],
                       [(sort, row['clips'], row['intent'], row['intent_and_slots'],
                         row['keyword']) for sort, row in sorts.items() if 'intent' in row])
    report.print_table('Speech that wants nothing: per hour',
                       ['', 'hours', 'intents', 'keywords', 'always none', 'called by name'],
                       [(sort, row['hours'], row['false_per_hour'], row['keyword_per_hour'],
                         row['none_per_hour'], row['named_per_hour'])
                        for sort, row in sorts.items() if 'false_per_hour' in row])
    report.print_table('Calls for help', ['', 'clips', 'alert', 'the word help'],
                       [(sort, row['clips'], row['alert'], row['keyword'])
                        for sort, row in sorts.items() if 'alert' in row])
    report.print_table('Alerts of words where nobody calls for help: per hour',
                       ['', 'hours', 'alerts'],
                       [(sort, row['hours'], row['alerts_per_hour'])
                        for sort, row in sorts.items() if sort != HELP[0]])
    report.print_table('A robot of that name hears itself called', ['', 'share'],
                       [(name, share) for row in sorts.values()
                        for name, share in {**row.get('called', {}),
                                            'all': row.get('all', math.nan)}.items()
                        if 'called' in row])
