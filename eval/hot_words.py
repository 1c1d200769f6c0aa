"""
``python -m eval hot_words``: names that a reader is told of, and what that costs where nobody says
them.

Hears short recordings of one name each, and recordings without any. Each is read with none of the
names told, with them before the text, with their tokens favoured, and with both. Leaves
``hot_words.json`` and the texts.
"""

import argparse
import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from audio_interaction_ros.runtimes.hot_words import FAVOUR_FIRST, FAVOUR_NEXT, HotWords
from held_out.clips import RATE, MaterialError, load, read_manifest
from held_out.splits import chance_of
from measure import report
from measure.intervals import Estimate, wilson
from measure.word_errors import UnderstoodUtterance, normalise, word_error_rate

__all__ = ['NAMES', 'WAYS', 'add_arguments', 'figures', 'run']

NAMES = ('Alexa', 'Amelia', 'Athena', 'Jarvis', 'Snowboy', 'View Glass')
"""Said in the recordings of wake words, by many voices."""
WITHOUT = ('speech_command', 'speech_read', 'speech_word')
"""Kinds of recordings in which nobody says a name."""
WAYS: dict[str, dict[str, Any]] = {
    'not told': {}, 'told before the text': {}, 'favoured': {'prompt': False},
    'both': {'favour_all': True}}


@dataclass(frozen=True)
class NameClip:
    """One recording; ``said`` is the name in it, '' where there is none."""

    path: Path
    said: str
    text: str
    group: str


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    report.add_common_arguments(parser)
    parser.add_argument('--each', type=int, default=30, metavar='CLIPS',
                        help='so many recordings of each name, and of each kind without one')
    parser.add_argument('--first', type=float, default=FAVOUR_FIRST, metavar='NATS',
                        help='how far the first token of a name is favoured')
    parser.add_argument('--following', type=float, default=FAVOUR_NEXT, metavar='NATS',
                        help='how far each next one is')


def choose_clips(rows: Sequence[dict[str, Any]], folder: Path, each: int) -> list[NameClip]:
    """Return so many recordings of each name and of each kind without one, by chance of name."""
    kinds: dict[str, list[NameClip]] = defaultdict(list)
    names = {normalise(name): name for name in NAMES}
    for row in sorted(rows, key=lambda row: chance_of('hot', row['path'])):
        text = row.get('text') or ''
        name = names.get(normalise(text), '') if row['label'] == 'speech_phrase' else ''
        kind = name or (row['label'] if row['label'] in WITHOUT else '')
        if kind and len(kinds[kind]) < each:
            kinds[kind].append(NameClip(folder / row['path'], name, text, row['path']))
    return [clip for kind in sorted(kinds) for clip in kinds[kind]]


def holds(text: str, name: str) -> bool:
    """Tell whether a name stands in a text, written in one word or in several."""
    return normalise(name).replace(' ', '') in normalise(text).replace(' ', '')


def _share(told: Sequence[bool]) -> Estimate:
    return wilson(sum(told), len(told))


def figures(clips: Sequence[NameClip], read: Sequence[str], untold: Sequence[str]
            ) -> dict[str, Any]:
    """Return what was found of the names, what was put in, and word errors of both kinds."""
    pairs = list(zip(clips, read, untold, strict=True))
    named = [(clip, text) for clip, text, _ in pairs if clip.said]
    others = [(clip, text, before) for clip, text, before in pairs if not clip.said]
    put_in = [any(holds(text, name) and not holds(before, name) for name in NAMES)
              for _, text, before in others]
    return {
        'recall': _share([holds(text, clip.said) for clip, text in named]),
        'wer_of_names': word_error_rate([
            UnderstoodUtterance(clip.text, text, clip.group) for clip, text in named]),
        'false': _share(put_in), 'false_names': sum(put_in),
        'changed_without_names': word_error_rate([
            UnderstoodUtterance(before, text, clip.group) for clip, text, before in others
            if normalise(before)]),
        'of_each': {name: sum(holds(text, name) for clip, text in named if clip.said == name)
                    for name in NAMES}}


def run(options: argparse.Namespace, reader: Any = None) -> int:
    """Measure; return 0."""
    out = report.make_folder(options, 'hot_words')
    each = min(options.each, options.limit or options.each)
    clips = choose_clips(read_manifest(options.data), options.data, each)
    if not any(clip.said for clip in clips):
        raise MaterialError(f'expected recordings of {", ".join(NAMES)}, found none; add '
                            'speech_phrase rows with these texts to the manifest')
    if reader is None:
        from audio_interaction_ros.runtimes.registry import load_transcriber
        reader = load_transcriber(threads=options.threads, language='en')
    texts: dict[str, list[str]] = {way: [] for way in WAYS}
    with report.progress_bar() as bar:
        for clip in bar.track(clips, description='recordings'):
            samples = load(clip.path)[:20 * RATE]
            for way, settings in WAYS.items():
                reader.hot_words = HotWords(
                    NAMES if way != 'not told' else (), reader.encode,
                    **{'first': options.first, 'following': options.following} | settings)
                texts[way].append(reader.transcribe(samples).text)
    measured = {way: figures(clips, read, texts['not told']) for way, read in texts.items()}
    (out / 'texts.jsonl').write_text(''.join(
        json.dumps({'clip': clip.group, 'said': clip.said, **{way: texts[way][place]
                                                              for way in WAYS}},
                   ensure_ascii=False) + '\n' for place, clip in enumerate(clips)),
        encoding='utf-8')
    path = report.write(out, 'hot_words', options, {
        'clips_with_names': sum(bool(clip.said) for clip in clips), 'clips': len(clips),
        'ways': measured})
    report.print_table('Names', ['told', 'recall', 'wrong words of names', 'clips with a false '
                                 'name', 'words changed without names'],
                       [(way, row['recall'], row['wer_of_names'], row['false'],
                         row['changed_without_names']) for way, row in measured.items()])
    print(f'written to {path}; what was read: {out / "texts.jsonl"}')
    return 0
