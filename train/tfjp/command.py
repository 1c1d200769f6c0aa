"""``python -m train tfjp IN OUT``: one clip, or a folder of clips with a report of each."""

import argparse
import json
from collections import Counter
from dataclasses import asdict
from pathlib import Path

import numpy as np
import soundfile
import soxr

from audio_interaction_ros.protocol import SAMPLE_RATE_HZ
from train.tfjp.flow import TfjpResult, process
from train.tfjp.spectrum import TfjpError

__all__ = ['add_arguments', 'read_clip', 'run']

_RATE = SAMPLE_RATE_HZ
_SUFFIXES = ('.flac', '.mp3', '.ogg', '.opus', '.wav')


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the command takes."""
    parser.add_argument('input', metavar='IN',
                        help='sound file, folder of sound files, or the word example')
    parser.add_argument('output', metavar='OUT', type=Path,
                        help='FLAC file to write; for a folder: folder to write')
    parser.add_argument('--picture', type=Path, metavar='PNG',
                        help='spectrograms before and after (one clip only)')


def run(options: argparse.Namespace) -> int:
    """Process a clip or a folder; a clip that cannot be read is counted and named."""
    source = Path(options.input)
    if source.is_dir():
        if options.picture:
            raise TfjpError(f'--picture expected one clip, got the folder {source}; name a file')
        return _run_folder(source, options.output)
    samples = _make_example() if options.input == 'example' else read_clip(source)
    result = process(samples)
    _write(options.output, result)
    if options.picture:
        from train.tfjp.picture import draw
        draw(samples, result, options.picture,
             title=f'TFJP of {source.name}' if options.input != 'example' else '')
    print(json.dumps(asdict(result.report)))
    return 0


def _make_example() -> np.ndarray:
    from train.tfjp.picture import make_example
    return make_example()


def read_clip(path: Path) -> np.ndarray:
    """Return a sound file as mono [n] float32 at 16 kHz; raises TfjpError naming the file."""
    try:
        samples, rate = soundfile.read(path, dtype='float32', always_2d=True)
    except (OSError, soundfile.LibsndfileError) as error:
        raise TfjpError(f'expected a readable sound file, got {path}: {error}; repair or leave '
                        'out the file') from error
    mono = samples.mean(axis=1)
    return np.asarray(mono if rate == _RATE else soxr.resample(mono, rate, _RATE), np.float32)


def _write(path: Path, result: TfjpResult) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, np.clip(result.samples, -1, 1), _RATE, format='FLAC',
                    subtype='PCM_16')


def _run_folder(source: Path, output: Path) -> int:
    """Write a FLAC per clip in the same tree, report.jsonl, and a summary to the screen."""
    paths = sorted(p for p in source.rglob('*') if p.suffix.lower() in _SUFFIXES)
    if not paths:
        raise TfjpError(f'expected sound files ({", ".join(_SUFFIXES)}) in {source}, got none; '
                        'name another folder')
    output.mkdir(parents=True, exist_ok=True)
    verdicts: Counter[str] = Counter()
    loops: Counter[int] = Counter()
    with (output / 'report.jsonl').open('w', encoding='utf-8') as lines:
        for path in paths:
            name = path.relative_to(source)
            try:
                samples = read_clip(path)
                result = process(samples)
            except TfjpError as error:
                verdicts['unreadable'] += 1
                line: dict[str, object] = {'path': str(name), 'verdict': 'unreadable',
                                           'reason': str(error)}
            else:
                _write(output / name.with_name(name.name + '.flac'), result)
                verdicts[result.report.verdict] += 1
                loops[result.report.loops] += 1
                line = {'path': str(name), 'seconds': len(samples) / _RATE,
                        'seconds_after': len(result.samples) / _RATE, **asdict(result.report)}
            lines.write(json.dumps(line, ensure_ascii=False) + '\n')
    print(f'{len(paths)} clips; verdicts {dict(verdicts)}; loops {dict(sorted(loops.items()))}')
    return 0
