"""
The cache of weights on this machine: where it lies, who fills an entry, what a bad one becomes.

Owns locks, scratch folders and the sentence for a cache that cannot be used. Knows nothing of
what an entry holds: base_weights and released say how one is made and what is wrong with it.
"""

import errno
import fcntl
import hashlib
import os
import re
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from safetensors import SafetensorError

from audio_interaction_ros.errors import CheckpointError
from audio_interaction_ros.whole_file import open_whole_folder, remove_left

__all__ = ['cache_root', 'ensure_filled', 'print_progress', 'sha256']

_LOOK_S = 0.2
_REMIND_S = 30.0
_ELSEWHERE = 'or name another folder in AUDIO_INTERACTION_CACHE'
_REMEDIES = {
    errno.ENOSPC: f'the disk is full; free some space {_ELSEWHERE}',
    errno.EDQUOT: f"this user's quota is used up; free some space {_ELSEWHERE}",
    errno.EROFS: f'it is read-only; make it writable for the first start {_ELSEWHERE}',
    errno.EACCES: f'this user may not; give it the folder {_ELSEWHERE}',
    errno.EPERM: f'this user may not; give it the folder {_ELSEWHERE}',
    errno.ENOTDIR: f'a file stands where a folder is needed; move it away {_ELSEWHERE}',
    errno.EEXIST: f'a file stands where a folder is needed; move it away {_ELSEWHERE}',
}


def print_progress(text: str) -> None:
    """Tell the person who waits; a first start takes minutes and must not look like a hang."""
    print(f'[weights] {text}', file=sys.stderr, flush=True)


def cache_root() -> Path:
    """Return the folder of all cached weights; it need not exist yet."""
    try:
        named = os.environ.get('AUDIO_INTERACTION_CACHE')
        return Path(named).expanduser() if named else Path.home() / '.cache' / 'audio_interaction'
    except RuntimeError as error:
        raise CheckpointError('expected a home folder to keep weights in, this user has none '
                              f'({error}); set HOME, {_ELSEWHERE}') from error


def sha256(path: Path) -> str:
    """Return the hash of a file as hexadecimal digits, reading it in pieces."""
    digest = hashlib.sha256()
    with path.open('rb') as file:
        while piece := file.read(1 << 22):
            digest.update(piece)
    return digest.hexdigest()


def ensure_filled(folder: Path, *, build: Callable[[Path], None], fault: Callable[[Path], str],
                  space_mb: int = 0) -> Path:
    """
    Return a cache entry, made first where it is missing or has a fault.

    ``build`` fills an empty folder; ``fault`` returns what is wrong with a filled one, empty when
    nothing is. An entry with a fault is named and made again. One process builds while others
    wait, and nobody ever sees half an entry. An entry without fault is only read, so a cache may
    be read-only once it is filled. CheckpointError where the cache cannot be used, where less
    than ``space_mb`` (10^6 bytes) are free, and where what was built has a fault.
    """
    try:
        if folder.exists() and not fault(folder):
            return folder
        folder.parent.mkdir(parents=True, exist_ok=True)
        with _hold_lock(folder):
            problem = fault(folder) if folder.exists() else 'missing'
            if not problem:  # another process was faster
                return folder
            if problem != 'missing':
                print_progress(f'{folder} cannot be used ({problem}); making it again')
            _make(folder, build, fault, space_mb)
        return folder
    except (OSError, SafetensorError) as error:
        raise _explain_refusal(folder, error) from error


def _make(folder: Path, build: Callable[[Path], None], fault: Callable[[Path], str],
          space_mb: int) -> None:
    remove_left(folder.parent)  # its room is needed
    free_mb = shutil.disk_usage(folder.parent).free // 10 ** 6
    if free_mb < space_mb:
        raise CheckpointError(
            f'{folder}: expected {space_mb} MB free to make it, found {free_mb} MB; free some '
            f'space {_ELSEWHERE}')
    with open_whole_folder(folder) as new:
        build(new)
        problem = fault(new)
        if problem:
            raise CheckpointError(f'{folder}: what was made for it cannot be used ({problem})')
        for path in new.rglob('*'):
            if path.is_file():  # other users of a shared cache may read what is public anyway
                path.chmod(new.stat().st_mode & 0o666)


@contextmanager
def _hold_lock(folder: Path) -> Iterator[None]:
    """Hold the lock of an entry; say whom this process waits for. It goes with the process."""
    with (folder.parent / f'.{folder.name}.lock').open('a+') as lock:
        waited = 0.0
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if waited % _REMIND_S < _LOOK_S:
                    lock.seek(0)
                    holder = lock.read()
                    who = ('another thread' if holder == str(os.getpid())
                           else f'process {holder or "?"}')
                    print_progress(f'waiting for {who}, which fills {folder}')
                time.sleep(_LOOK_S)
                waited += _LOOK_S
            except OSError as error:  # some network file systems have no locks
                print_progress(f'{folder} cannot be locked ({error}); start one process first')
                break
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield


def _explain_refusal(folder: Path, error: Exception) -> CheckpointError:
    number = error.errno if isinstance(error, OSError) else None
    if number is None and (told := re.search(r'os error (\d+)', str(error))):
        number = int(told[1])  # safetensors passes it on in words only
    remedy = _REMEDIES.get(number or 0, f'make the folder usable {_ELSEWHERE}')
    return CheckpointError(f'weights cannot be kept in {folder} ({error}): {remedy}')
