"""
``python -m eval stand-in NAME``: held-out clips in the public form of a benchmark.

For whoever does not have a benchmark's own audio: what is written here is read by the same command
and counted by the same rule, but it is **no benchmark**, and a figure on it stands beside no
published one. ``psb`` is what ``python -m eval psb`` reads: clips of events, which are due an
answer, and of harmless sounds in the domains of ProactiveSound-Bench. ``librispeech`` is what
``python -m eval suite librispeech-clean`` reads: English clips with their words; with ``--read-by
whisper`` also clips without, whose reference is what Whisper base reads of the whole clip.
"""

import argparse
import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import soundfile

from audio_interaction_ros.runtimes import registry
from eval.psb_rows import DECISIONS, MANIFEST
from eval.sounds.subset import place_of
from eval.suites.sample import NOTE
from held_out.classes import kind_of
from held_out.clips import RATE, HeldOutClip, MaterialError, by_label, load, read_held_out
from measure import report

__all__ = ['add_arguments', 'run']


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    parser.add_argument('name', choices=sorted(_MAKERS))
    parser.add_argument('--data', type=Path, required=True, metavar='MANIFEST_FOLDER',
                        help='folder with manifest.jsonl; only clips that no training took count')
    parser.add_argument('--per-label', type=int, default=2, metavar='N',
                        help='at most N clips of each label (default: %(default)s)')
    parser.add_argument('--label', nargs='+', default=[], metavar='LABEL',
                        help='only clips of these labels')
    parser.add_argument('--read-by', default='none', choices=('none', 'whisper'),
                        help='who reads speech whose words nobody wrote down (default: '
                        '%(default)s, it is left out)')
    parser.add_argument('--out', type=Path, required=True, metavar='FOLDER')


def run(options: argparse.Namespace) -> int:
    """Write the folder; return 0."""
    clips = [clip for label, each in by_label(read_held_out(options.data)).items()
             for clip in each[:options.per_label] if label in (options.label or [label])]
    note = 'held-out clips in its form'
    if options.read_by == 'whisper':
        clips = list(_read_missing(clips))
        note += '; words that nobody wrote down are what Whisper base reads of the whole clip'
    count = _MAKERS[options.name](clips, options.out)
    if not count:
        raise MaterialError(f'{options.data}: expected held-out clips for {options.name}, found '
                            'none; give another folder in --data')
    (options.out / NOTE).write_text(f'{note}\n', encoding='utf-8')
    print(f'{count} clips in {options.out}; figures on them are no figures of the benchmark')
    return 0


def _read_missing(clips: Sequence[HeldOutClip]) -> Iterator[HeldOutClip]:
    """Yield clips; English speech whose words nobody wrote down has what Whisper base reads."""
    reader = registry.load_transcriber(language='en')
    for clip in report.track('reading', clips):
        if kind_of(clip) == 'speech' and not clip.text and clip.language in ('en', ''):
            clip = replace(clip, text=reader.transcribe(load(clip.path)).text, language='en')
        yield clip


def _write_psb(clips: Sequence[HeldOutClip], out: Path) -> int:
    rows = list(_psb_rows(clips, out))
    (out / MANIFEST).write_text(''.join(json.dumps(row) + '\n' for row in rows),
                                encoding='utf-8')
    return len(rows)


def _psb_rows(clips: Sequence[HeldOutClip], out: Path) -> Iterator[dict[str, str]]:
    out.mkdir(parents=True, exist_ok=True)
    for number, clip in enumerate(clips):
        (domain, category), kind = place_of(clip.label), kind_of(clip)
        if not domain or kind not in ('event', 'harmless'):
            continue
        decision = DECISIONS[kind == 'harmless']
        path = Path(domain) / category / decision / f'{number:04d}.wav'
        _write(out / path, clip)
        yield {'id': f'{number:04d}', 'path': str(path), 'decision': decision,
               'description': clip.label}


def _write_librispeech(clips: Sequence[HeldOutClip], out: Path) -> int:
    """Write every voice as a speaker; the number of a clip is its utterance."""
    said: dict[str, list[HeldOutClip]] = defaultdict(list)
    for clip in clips:
        if clip.text and clip.language == 'en':
            said[clip.group].append(clip)
    for speaker, (_, spoken) in enumerate(sorted(said.items()), start=1):
        place, lines = out / 'test-clean' / f'{speaker}' / '1', []
        for number, clip in enumerate(spoken):
            name = f'{speaker}-1-{number:04d}'
            _write(place / f'{name}.flac', clip)
            lines.append(f'{name} {clip.text.upper()}')
        (place / f'{speaker}-1.trans.txt').write_text('\n'.join(lines) + '\n', encoding='utf-8')
    return sum(map(len, said.values()))


def _write(path: Path, clip: HeldOutClip) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, load(clip.path), RATE)


_MAKERS = {'psb': _write_psb, 'librispeech': _write_librispeech}
