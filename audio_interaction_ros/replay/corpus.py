"""
Which recordings are replayed, and the expectation of each.

Owns how an expectation and its recording find each other in a folder. Reads no audio.
"""

import os
from dataclasses import dataclass
from pathlib import Path

from audio_interaction_ros.errors import ConfigurationError
from audio_interaction_ros.replay.expectation import SUFFIX, Expectation, read_expectation

__all__ = ['Case', 'find_cases']


@dataclass(frozen=True, kw_only=True)
class Case:
    """One recording and what is expected of it."""

    name: str
    recording: Path
    expectation: Expectation


def find_cases(path: Path, expect: Path | None = None) -> list[Case]:
    """
    Return what is to be replayed.

    Of a folder with expectations below it: each with its recording. Of a recording: itself, with
    ``expect`` or with the expectation beside it. Raises ConfigurationError where something is
    missing, and for a file that is wrong.
    """
    path = Path(os.path.expanduser(path))
    if expect is None and path.is_dir():
        found = sorted(path.rglob(f'*{SUFFIX}'))
        if found:
            return [_make_case(item, item.relative_to(path).as_posix().removesuffix(SUFFIX))
                    for item in found]
    if not path.exists():
        raise ConfigurationError(f'{path}: expected a recording, a bag or a folder with '
                                 f'expectations, found none; name another')
    beside = expect or path.with_name(f'{_stem(path)}{SUFFIX}')
    if not beside.is_file():
        raise ConfigurationError(
            f'{path}: expected what it must become in {beside}, found no such file; name one in '
            '--expect, or write one with --record')
    return [Case(name=path.name, recording=path, expectation=read_expectation(beside))]


def _stem(path: Path) -> str:
    return path.name if path.is_dir() else path.stem


def _make_case(path: Path, name: str) -> Case:
    expectation = read_expectation(path)
    if expectation.recording:
        recording = path.parent / expectation.recording
        if not recording.exists():
            raise ConfigurationError(f'{path}: recording: expected a file or a bag at '
                                     f'{recording}, found none; change it')
        return Case(name=name, recording=recording, expectation=expectation)
    stem = path.name.removesuffix(SUFFIX)
    found = [item for item in sorted(path.parent.iterdir())
             if item != path and _stem(item) == stem]
    if len(found) != 1:
        raise ConfigurationError(
            f'{path}: expected one recording or bag called {stem} beside it, found '
            f'{", ".join(item.name for item in found) or "none"}; add it, or name it under '
            'recording')
    return Case(name=name, recording=found[0], expectation=expectation)
