"""
Files and folders that are written whole or not at all, whenever the process or the power ends.

Owns what stands beside and is renamed at the end, and what becomes of it where its writer was
killed: the next process that writes into the same folder removes it.
"""

import contextlib
import fcntl
import functools
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

__all__ = ['open_whole', 'open_whole_folder', 'remove_left', 'write_whole']

_ENDING = '.unfinished'
_FOLDER = '.folder'


def write_whole(path: Path, data: bytes, *, private: bool = False, durable: bool = True) -> None:
    """Write a file in place of an older one, so that readers find the old or the new."""
    with open_whole(path, private=private, durable=durable) as file:
        file.write(data)


@contextlib.contextmanager
def open_whole(path: Path, *, private: bool = False, durable: bool = True) -> Iterator[IO[bytes]]:
    """
    Yield a file to write that takes the place of an older one at the end, for a library by name.

    Whoever may read the folder may read it, or the owner only, who alone may change it. Where
    ``durable`` it is there after a power cut too, which costs milliseconds a file: too much for
    each of many small clips.
    Raises OSError; whatever is raised on the way leaves the old one as it was.
    """
    _remove_left_once(path.parent.absolute())
    with _open_beside(path) as file:
        if not private:
            os.fchmod(file.fileno(), path.parent.stat().st_mode & 0o644)
        yield file
        file.flush()
        if durable:
            os.fsync(file.fileno())
        os.replace(file.name, path)
    if durable:
        _sync_folder(path.parent)


@contextlib.contextmanager
def open_whole_folder(path: Path) -> Iterator[Path]:
    """Yield an empty folder to fill that takes the place of an older one at the end."""
    remove_left(path.parent)
    with _make_beside(path) as mark:
        scratch = Path(mark.name + _FOLDER)
        try:
            new, old = scratch / 'new', scratch / 'old'
            for folder in (scratch, new, old):
                folder.mkdir()
            yield new
            if path.exists():
                path.rename(old / path.name)
            new.rename(path)
        finally:
            _remove(Path(mark.name))


def remove_left(folder: Path) -> None:
    """
    Remove from a folder what writers left that were killed.

    Who writes holds a lock, which goes with its process; where none can be had nothing is
    removed. Raises nothing: what cannot be removed harms nobody.
    """
    for path in folder.glob(f'.*{_ENDING}'):
        with contextlib.suppress(OSError), path.open('r+b') as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _remove(path)


def _remove(path: Path) -> None:
    """Remove a file beside, and first the folder that it stands for, if it does."""
    scratch = Path(f'{path}{_FOLDER}')
    for old in scratch.glob('old/*'):
        if not (path.parent / old.name).exists():  # the new one did not get to its place
            old.rename(path.parent / old.name)
    shutil.rmtree(scratch, ignore_errors=True)
    with contextlib.suppress(OSError):
        path.unlink()


@functools.cache
def _remove_left_once(folder: Path) -> None:
    """Remove what was left, not at each of ten thousand clips that a process writes there."""
    remove_left(folder)


@contextlib.contextmanager
def _open_beside(path: Path) -> Iterator[IO[bytes]]:
    """Yield a file that is removed where it was not renamed."""
    with _make_beside(path) as file:
        try:
            yield file
        except BaseException:
            _remove(Path(file.name))
            raise


def _make_beside(path: Path) -> IO[bytes]:
    """Return a file with a name of its own, for two processes may write at once; locked."""
    while True:
        file = tempfile.NamedTemporaryFile(  # noqa: SIM115 - whoever asked closes it
            prefix=f'.{path.name}.', suffix=_ENDING, dir=path.parent, delete=False)
        with contextlib.suppress(OSError):  # some network file systems have no locks
            fcntl.flock(file, fcntl.LOCK_EX)
        if os.fstat(file.fileno()).st_nlink:
            return file
        file.close()  # removed by another before it was locked


def _sync_folder(folder: Path) -> None:
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
