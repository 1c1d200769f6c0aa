"""
Where speech goes: a sound card, or nowhere but at the pace of one.

A loudspeaker takes blocks from a playback in a thread of its own and tells each one, with the
seconds until it is heard. Knows no topics.
"""

import threading
import time
from collections.abc import Callable
from typing import Any, Protocol

from audio_interaction_ros.audio.devices import choose_device, list_devices, sound_library
from audio_interaction_ros.errors import AudioFormatError
from audio_interaction_ros.speech.playback import Playback, PlayedBlock

__all__ = ['Loudspeaker', 'PacedLoudspeaker', 'SoundCard', 'open_loudspeaker']

_BLOCK_S = 0.02
_RATE_HZ = 24_000
_BEHIND_S = 0.5  # a thread that was held up by more than this does not hurry after its time

OnBlock = Callable[[PlayedBlock, float], None]
"""Told a block of an utterance, and in how many seconds its first sample is heard."""


class Loudspeaker(Protocol):
    """Takes what a playback has, for ever, until it is closed."""

    rate_hz: int

    def start(self, playback: Playback, on_block: OnBlock) -> None:
        """Begin; ``on_block`` is called in another thread."""

    def wake(self) -> None:
        """An utterance begins."""

    @property
    def is_alive(self) -> bool:
        """False where the device went away."""

    def close(self) -> None:
        """End the thread. Idempotent."""


class PacedLoudspeaker:
    """No device: blocks of 20 ms at the pace at which they would be heard."""

    def __init__(self, rate_hz: int = 0) -> None:
        """Take a rate in Hz; 0: 24,000."""
        self.rate_hz = rate_hz or _RATE_HZ
        self._wake = threading.Condition()
        self._closing = False
        self._thread: threading.Thread | None = None

    def start(self, playback: Playback, on_block: OnBlock) -> None:
        """Begin."""
        self._playback, self._on_block = playback, on_block
        self._thread = threading.Thread(target=self._run, name='loudspeaker', daemon=True)
        self._thread.start()

    def wake(self) -> None:
        """Go on, where nothing was to be said."""
        with self._wake:
            self._wake.notify_all()

    @property
    def is_alive(self) -> bool:
        """True until it is closed."""
        return not self._closing

    def close(self) -> None:
        """End the thread."""
        with self._wake:
            self._closing = True
            self._wake.notify_all()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join()
        self._thread = None

    def _run(self) -> None:
        frames = round(self.rate_hz * _BLOCK_S)
        due = time.monotonic()
        while True:
            with self._wake:
                self._wake.wait_for(lambda: self._closing or self._playback.number)
                now = time.monotonic()
                due = now if now - due > _BEHIND_S else due
                self._wake.wait_for(lambda: self._closing, max(0.0, due - now))
                if self._closing:
                    return
            block = self._playback.take(frames)
            if block.number:
                self._on_block(block, max(0.0, due + _BLOCK_S - time.monotonic()))
            due += _BLOCK_S


class SoundCard:
    """An output device by sounddevice."""

    def __init__(self, wanted: str = '', rate_hz: int = 0, *, library: Any = None) -> None:
        """
        Find the device by index or part of its name; ``library`` stands in for sounddevice.

        Raises MissingDependencyError without PortAudio, AudioFormatError for a device that is not
        there.
        """
        self._library = library or sound_library()
        self._device = choose_device(self._library, wanted, direction='output')
        try:
            info = self._library.query_devices(self._device, 'output')
        except Exception as error:  # noqa: BLE001 - PortAudio has its own exceptions
            raise self._refuse(error) from error
        self.rate_hz = rate_hz or round(info['default_samplerate'])
        self._stream: Any = None
        self._called_at = 0.0

    def _refuse(self, error: Exception) -> AudioFormatError:
        return AudioFormatError(
            f'Expected a loudspeaker that opens, got {error}; set speech.device to none or to one '
            f'of:\n{list_devices(self._library, direction="output")}')

    def start(self, playback: Playback, on_block: OnBlock) -> None:
        """Open the device; raises AudioFormatError where it does not open."""
        def fill(out: Any, frames: int, times: Any, _status: Any) -> None:
            self._called_at = time.monotonic()
            block = playback.take(frames)
            out[:, 0] = block.samples
            if block.number:
                on_block(block, max(0.0, times.outputBufferDacTime - times.currentTime))
        try:
            self._stream = self._library.OutputStream(
                device=self._device, samplerate=self.rate_hz, channels=1, dtype='float32',
                blocksize=round(self.rate_hz * _BLOCK_S), latency='low', callback=fill)
            self._stream.start()
        except Exception as error:  # noqa: BLE001 - PortAudio has its own exceptions
            raise self._refuse(error) from error
        self._called_at = time.monotonic()

    def wake(self) -> None:
        """Nothing to do: the device asks for blocks all the time."""

    @property
    def is_alive(self) -> bool:
        """False where the device has asked for nothing for two seconds."""
        return bool(self._stream and self._stream.active) \
            and time.monotonic() - self._called_at < 2.0

    def close(self) -> None:
        """Close the device."""
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.close()


def open_loudspeaker(device: str, rate_hz: int = 0) -> Loudspeaker:
    """Return the loudspeaker that ``speech.device`` names; none: one without a device."""
    if device == 'none':
        return PacedLoudspeaker(rate_hz)
    return SoundCard(device, rate_hz)
