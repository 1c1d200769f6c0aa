"""
Ours beside programs that people know, on the same recording, each in a process of its own.

Owns the comparison: processor seconds for an hour of audio, and memory at its peak. What a
program is, bench.programs says; one that is not installed is left out and said so.
"""

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.measure import Figure
from bench.programs import PROGRAMS

__all__ = ['figures', 'run']


def run(*, file: Path, seconds: float, threads: int) -> list[Figure]:
    """Let every program hear a recording, one after the other, and return the figures."""
    return [figure for name in PROGRAMS
            for figure in figures(name, _hear(name, file, seconds, threads))]


def _hear(name: str, file: Path, seconds: float, threads: int) -> dict[str, Any]:
    print(f'  {name} ...', file=sys.stderr, flush=True)
    done = subprocess.run(
        [sys.executable, '-m', 'bench.programs', name, str(file), '--seconds', str(seconds),
         '--threads', str(threads)], stdout=subprocess.PIPE, text=True, check=False)
    lines = done.stdout.splitlines()
    if done.returncode or not lines:
        return {'missing': f'ended with exit status {done.returncode}'}
    found: dict[str, Any] = json.loads(lines[-1])
    return found


def figures(name: str, found: Mapping[str, Any]) -> Sequence[Figure]:
    """Return the figures of one program; of one that is missing, a line that says so."""
    if 'missing' in found:
        return [Figure(what=name, unit='', value=float('nan'), samples=0,
                       note=f'left out: {found["missing"]}')]
    audio_s = found['audio_s']
    return [Figure(what=f'{name}: processor', unit='s/h', value=3600 * found['cpu_s'] / audio_s,
                   note=f'{PROGRAMS[name][1]}; {found["came"]}, {found["seconds"]:.1f} s for '
                        f'{audio_s:.0f} s'),
            Figure(what=f'{name}: memory', unit='MiB', value=found['peak_mib'])]
