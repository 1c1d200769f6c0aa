"""
Devices of this machine: which there are, which one is meant, and what one hears as blocks.

Owns what PortAudio is asked for. Knows no topics and no files.
"""

import queue
from collections.abc import Iterator
from typing import Any

from audio_interaction_ros.audio.block import AudioBlock
from audio_interaction_ros.errors import AudioFormatError, MissingDependencyError

__all__ = ['choose_device', 'hear_device', 'list_devices', 'sound_library']

_NS = 1_000_000_000
_BLOCK_S = 0.1
_SILENT_DEVICE_S = 5.0


def sound_library() -> Any:
    """Return the sounddevice module; raises MissingDependencyError where it cannot work."""
    try:
        import sounddevice
    except (ImportError, OSError) as error:
        raise MissingDependencyError(
            f'Expected PortAudio, which microphones and loudspeakers need, and its Python package '
            f'sounddevice, found {error}; on Debian and Ubuntu: apt install libportaudio2, and '
            f'pip install sounddevice (with conda, both: conda install -c conda-forge '
            f'python-sounddevice)'
        ) from error
    return sounddevice


def list_devices(library: Any, *, direction: str = 'input') -> str:
    """Return a line per device that is an input or an output: index, name, channels, rate."""
    channels = f'max_{direction}_channels'
    lines = [f'{index:3d}  {device["name"]}  ({device[channels]} channels, '
             f'{device["default_samplerate"]:.0f} Hz)'
             for index, device in enumerate(library.query_devices()) if device[channels] > 0]
    return '\n'.join(lines) or f'no {direction} device found'


def choose_device(library: Any, wanted: str, *, direction: str = 'input') -> int | None:
    """
    Return the index of the input or output device that is meant; None for the default.

    Raises AudioFormatError, listing the devices, when none or several match.
    """
    if not wanted:
        return None
    names = {index: device['name'] for index, device in enumerate(library.query_devices())
             if device[f'max_{direction}_channels'] > 0}
    if wanted.isdigit() and int(wanted) in names:
        return int(wanted)
    matches = [index for index, name in names.items() if wanted.lower() in name.lower()]
    exact = [index for index, name in names.items() if wanted == name]
    if len(exact or matches) != 1:
        raise AudioFormatError(
            f'Expected one {direction} device like {wanted!r}, found {len(exact or matches)}; set '
            f'the parameter device to one of:\n{list_devices(library, direction=direction)}')
    return (exact or matches)[0]


def hear_device(library: Any, wanted: str = '') -> Iterator[AudioBlock]:
    """
    Yield what an input device hears, for ever, in blocks stamped from 0.

    Raises AudioFormatError when no device is like ``wanted``, it does not open, or it says nothing
    for 5 s.
    """
    device = choose_device(library, wanted)
    heard: queue.SimpleQueue[Any] = queue.SimpleQueue()

    def take(samples: Any, frames: int, times: Any, status: Any) -> None:
        heard.put(samples[:, 0].copy())
    try:
        rate_hz = round(library.query_devices(device, 'input')['default_samplerate'])
        stream = library.InputStream(device=device, samplerate=rate_hz, dtype='int16', channels=1,
                                     callback=take, blocksize=int(rate_hz * _BLOCK_S))
        stream.start()
    except Exception as error:  # noqa: BLE001 - PortAudio has its own exceptions
        raise AudioFormatError(f'Expected an input device that opens, got {error}; choose one of:'
                               f'\n{list_devices(library)}') from error
    position = 0
    try:
        while True:
            samples = heard.get(timeout=_SILENT_DEVICE_S)
            yield AudioBlock(samples=samples, sample_rate_hz=rate_hz,
                             stamp_ns=round(position * _NS / rate_hz))
            position += len(samples)
    except queue.Empty:
        raise AudioFormatError('Expected sound from the input device, it said nothing for '
                               f'{_SILENT_DEVICE_S:.0f} s; look at its plug') from None
    finally:
        stream.close()
