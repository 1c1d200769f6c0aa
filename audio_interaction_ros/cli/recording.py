"""
What a command reads and writes: recordings as blocks, whatever they are, and paths for results.

A recording is a sound file, standard input, or a bag.
"""

import itertools
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

from audio_interaction_ros.audio.bag import is_bag, read_bag_blocks
from audio_interaction_ros.audio.block import AudioBlock
from audio_interaction_ros.audio.read_blocks import read_blocks
from audio_interaction_ros.errors import AudioFormatError, ConfigurationError

__all__ = ['each_readable', 'expect_writable', 'holds_bag', 'list_recordings', 'open_recording',
           'open_recordings', 'print_notice']

_TEXTS = ('.yaml', '.yml', '.md', '.txt', '.json', '.jsonl', '.py', '.csv', '.tsv', '.xml')
Read = TypeVar('Read')


def print_notice(text: str) -> None:
    """Tell the person who waits, beside what a command prints."""
    print(f'audio-interaction: {text}', file=sys.stderr, flush=True)


def open_recording(path: str | Path, topic: str = '') -> Iterator[AudioBlock]:
    """
    Return the blocks of a file or a bag, ``topic`` of it; '-' is standard input.

    Errors are those of read_blocks and read_bag_blocks. They come at once, before a model is
    loaded; what is damaged on the way is told.
    """
    path = os.path.expanduser(path)  # which leaves a home that nobody has as it is written
    if Path(path).is_dir() and not holds_bag(Path(path)):
        raise AudioFormatError(f'Expected a recording or a bag, found a folder at {path}; name '
                               'one of those in it')
    if path != '-' and is_bag(Path(path)):
        blocks = read_bag_blocks(Path(path), topic, warn=print_notice)
    else:
        blocks = read_blocks(path, warn=print_notice)
    return itertools.chain([next(blocks)], blocks)


def open_recordings(path: str | Path, topic: str = ''
                    ) -> Iterator[tuple[Path, Iterator[AudioBlock]]]:
    """
    Return each recording of a folder with its blocks; of a file, a bag or '-' only itself.

    What cannot be read is told and left out where it is one of several.
    """
    found = [Path('-')] if str(path) == '-' else list_recordings(path)
    if len(found) == 1:
        return iter([(found[0], open_recording(found[0], topic))])
    return each_readable(found, lambda item: (item, open_recording(item, topic)))


def each_readable(paths: Sequence[Path], read: Callable[[Path], Read]) -> Iterator[Read]:
    """
    Yield what ``read`` makes of each; of several, one that it cannot read is told and left out.

    Raises ConfigurationError where none can be read, and what ``read`` raises of a single one.
    """
    count = 0
    for path in paths:
        try:
            made = read(path)
        except AudioFormatError as error:
            if len(paths) == 1:
                raise
            print_notice(f'left out: {error}')
            continue
        count += 1
        yield made
    if not count:
        raise ConfigurationError(f'expected recordings, none of {len(paths)} files can be read; '
                                 'name others')


def list_recordings(path: str | Path) -> list[Path]:
    """
    Return all recordings of a folder in the order of names; of a file or a bag only itself.

    Texts and hidden files that lie beside them are none. Raises ConfigurationError for a folder
    without any.
    """
    path = Path(os.path.expanduser(path))
    if not path.is_dir() or holds_bag(path):
        return [path]
    found = sorted(item for item in path.iterdir()
                   if not item.name.startswith('.') and item.suffix.lower() not in _TEXTS
                   and (item.is_file() or holds_bag(item)))
    if not found:
        raise ConfigurationError(f'{path}: expected recordings in the folder, found none; name '
                                 'another')
    return found


def holds_bag(folder: Path) -> bool:
    """Tell whether a folder is a bag, and not one of recordings."""
    return (folder / 'metadata.yaml').is_file() or any(
        is_bag(item) and item.is_file() for item in folder.glob('*'))


def expect_writable(path: Path, option: str) -> None:
    """Raise ConfigurationError where a result could not be written: before all is heard for it."""
    folder = path.parent
    if path.is_dir():
        why = 'it is a folder'
    elif not folder.is_dir():
        why = f'there is no folder {folder}'
    elif not os.access(path if path.exists() else folder, os.W_OK):
        why = 'this user may not'
    else:
        return
    raise ConfigurationError(f'expected to write {path}, cannot: {why}; name another file in '
                             f'{option}')
