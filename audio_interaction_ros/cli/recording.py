"""A recording as blocks of audio, whatever it is: a sound file, standard input, or a bag."""

import sys
from collections.abc import Iterator
from pathlib import Path

from audio_interaction_ros.audio.bag import is_bag, read_bag_blocks
from audio_interaction_ros.audio.block import AudioBlock
from audio_interaction_ros.audio.read_blocks import read_blocks
from audio_interaction_ros.errors import ConfigurationError

__all__ = ['list_recordings', 'open_recording', 'print_notice']


def print_notice(text: str) -> None:
    """Tell the person who waits, beside what a command prints."""
    print(f'audio-interaction: {text}', file=sys.stderr, flush=True)


def open_recording(path: str | Path, topic: str = '') -> Iterator[AudioBlock]:
    """
    Yield the blocks of a file or a bag, ``topic`` of it; '-' is standard input.

    Errors are those of read_blocks and read_bag_blocks; what is damaged on the way is told.
    """
    if str(path) != '-' and is_bag(Path(path).expanduser()):
        return read_bag_blocks(Path(path).expanduser(), topic, warn=print_notice)
    return read_blocks(path, warn=print_notice)


def list_recordings(path: str | Path) -> list[Path]:
    """
    Return all recordings of a folder in the order of names; of a file or a bag only itself.

    Raises ConfigurationError for a folder without any.
    """
    path = Path(path).expanduser()
    if not path.is_dir() or any(path.glob('*.mcap')) or any(path.glob('*.db3')):
        return [path]
    found = sorted(item for item in path.iterdir() if item.is_file() or is_bag(item))
    if not found:
        raise ConfigurationError(f'{path}: expected recordings in the folder, found none; name '
                                 'another')
    return found
