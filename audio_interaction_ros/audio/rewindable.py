"""A stream whose beginning can be read again, though a pipe cannot go back."""

import io
from typing import BinaryIO

from audio_interaction_ros.errors import AudioFormatError

__all__ = ['RewindableStream']

_SPOOL_BYTES = 256 << 20  # two hours of FLAC; nothing that is heard is written to a disk


class RewindableStream:
    """A stream whose beginning can be read again, also where it cannot seek."""

    def __init__(self, stream: BinaryIO, name: str) -> None:
        self._stream, self._name = stream, name
        self._seen: list[bytes] | None = [] if not stream.seekable() else None
        self._start = stream.tell() if self._seen is None else 0

    def read(self, count: int) -> bytes:
        """Return so many bytes, fewer only at the end."""
        try:
            data = self._stream.read(count)
        except OSError as error:
            raise AudioFormatError(
                f'Expected to read on in {self._name}, got {error}; look at its disk or device'
            ) from error
        if self._seen is not None:
            self._seen.append(data)
        return data

    def forget(self) -> None:
        """Keep no more of what is read."""
        self._seen = None

    def seekable(self) -> BinaryIO:
        """Return everything from the beginning as a stream that can seek."""
        if self._seen is None:
            self._stream.seek(self._start)
            return self._stream
        left = _SPOOL_BYTES - sum(map(len, self._seen))
        while left > 0 and (data := self.read(min(left, 1 << 20))):
            left -= len(data)
        if left <= 0:
            raise AudioFormatError(
                f'Expected up to {_SPOOL_BYTES >> 20} MiB of a compressed recording on '
                f'{self._name}, got more; name the file, or send WAV, which needs no memory')
        return io.BytesIO(b''.join(self._seen))
