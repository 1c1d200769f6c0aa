"""
Files that are written whole or not at all, whenever the process or the power ends.

Owns the file beside that is renamed at the end, and what becomes of one whose writer was killed.
"""

import contextlib
import fcntl
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

__all__ = ['remove_left', 'write_whole']

_ENDING = '.tmp'


def write_whole(path: Path, data: bytes, *, private: bool = False) -> None:
    """
    Write a file in place of an older one, so that readers find the old or the new.

    Whoever may read the folder may read it, or the owner only. Raises OSError, and then leaves
    the old one as it was.
    """
    with _open_beside(path) as file:
        if not private:
            os.fchmod(file.fileno(), path.parent.stat().st_mode & 0o666)
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
        os.replace(file.name, path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def remove_left(folder: Path, name: str) -> None:
    """
    Remove what writers of files called ``name`` (a pattern) left that were killed.

    Who writes holds a lock, which goes with its process; where none can be had nothing is
    removed. Raises nothing: what cannot be removed harms nobody.
    """
    for path in folder.glob(f'.{name}.*{_ENDING}'):
        with contextlib.suppress(OSError), path.open('r+b') as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            path.unlink()


@contextlib.contextmanager
def _open_beside(path: Path) -> Iterator[IO[bytes]]:
    """Yield a file that is removed where it was not renamed."""
    with _make_beside(path) as file:
        try:
            yield file
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(file.name)
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
