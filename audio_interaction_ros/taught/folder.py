"""
Where taught sounds lie: one file each in a folder of the user.

Owns the folder's place, adding, removing and copying. What a file holds is ``head``'s.
"""

import os
import shutil
from pathlib import Path

from audio_interaction_ros.errors import AudioInteractionError, ConfigurationError
from audio_interaction_ros.taught.head import (
    TaughtSound,
    make_name,
    read_taught,
    write_taught,
)

__all__ = ['add_sound', 'export_sound', 'import_sound', 'list_sounds', 'remove_sound',
           'sounds_folder']

_ENDING = '.safetensors'


def sounds_folder() -> Path:
    """Return the folder, which need not exist: AUDIO_INTERACTION_SOUNDS, or one in the home."""
    named = os.environ.get('AUDIO_INTERACTION_SOUNDS')
    try:
        return (Path(named).expanduser() if named
                else Path.home() / '.audio_interaction' / 'sounds')
    except RuntimeError as error:
        raise ConfigurationError(f'expected a home folder to keep taught sounds in, this user has '
                                 f'none ({error}); set AUDIO_INTERACTION_SOUNDS') from error


def list_sounds(folder: Path) -> list[tuple[Path, TaughtSound | str]]:
    """Return each file, in the order of names, with its sound or what is wrong with it."""
    found: list[tuple[Path, TaughtSound | str]] = []
    for path in sorted(folder.glob(f'*{_ENDING}')):
        try:
            found.append((path, read_taught(path)))
        except AudioInteractionError as error:
            found.append((path, str(error)))
    return found


def add_sound(folder: Path, sound: TaughtSound) -> Path:
    """Keep a sound, in place of an older one of its name; return where."""
    path = folder / f'{sound.name}{_ENDING}'
    try:
        write_taught(path, sound)
    except OSError as error:
        raise ConfigurationError(f'expected to write {path}, cannot ({error}); make the folder '
                                 'usable, or name another in AUDIO_INTERACTION_SOUNDS') from error
    return path


def remove_sound(folder: Path, title: str) -> Path:
    """Delete a sound by what it is called; return the file that was."""
    path = _find(folder, title)
    path.unlink()
    return path


def export_sound(folder: Path, title: str, target: Path) -> Path:
    """Copy a sound to a file for another robot; return it."""
    source = _find(folder, title)
    try:
        shutil.copyfile(source, target)
    except OSError as error:
        raise ConfigurationError(f'expected to write {target}, cannot ({error}); name another '
                                 'file') from error
    return target


def import_sound(folder: Path, source: Path, *, model_id: str, width: int) -> TaughtSound:
    """Take a sound from a file that another robot exported; return it."""
    sound = read_taught(source)
    sound.check_model(model_id, width)
    add_sound(folder, sound)
    return sound


def _find(folder: Path, title: str) -> Path:
    path = folder / f'{make_name(title)}{_ENDING}'
    if not path.is_file():
        known = ', '.join(sorted(item.stem for item in folder.glob(f'*{_ENDING}'))) or 'none'
        raise ConfigurationError(f'expected a taught sound {title!r} in {folder}, there are: '
                                 f'{known}; choose one of them')
    return path
