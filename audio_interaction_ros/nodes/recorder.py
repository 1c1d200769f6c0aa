"""
Writes audio to disk: only where a directory was named, and not for ever.

Owns the files of one directory and their retention. Never created unless asked for. A disk that
is full or a folder that went away ends the recording, never the listening.
"""

import re
import threading
import time
from pathlib import Path
from typing import Any

from audio_interaction_ros.audio.block import AudioChunk
from audio_interaction_ros.config import RecordConfig
from audio_interaction_ros.errors import ConfigurationError, MissingDependencyError
from audio_interaction_ros.protocol import CHUNK_NS, SAMPLE_RATE_HZ

__all__ = ['Recorder']

_FILE_S = 60.0
_CHUNK_S = CHUNK_NS / 1e9
_RETRY_S = 10.0
_OURS = re.compile(r'audio-\d+\.wav')


class Recorder:
    """
    Keeps WAV files, 16 kHz mono, named by the stamp (ns) of their first sample.

    A file is a minute long, or a quarter of the retention where that is shorter. It is deleted
    once its newest sample was written longer ago than the retention; ``delete_old`` must be
    called now and then (``period_s``). May be used from several threads.
    """

    def __init__(self, *, settings: RecordConfig) -> None:
        """
        Create the directory and delete what is too old.

        Raises MissingDependencyError without soundfile and ConfigurationError for a directory
        that cannot be made.
        """
        assert settings.directory, 'nobody asked for a recording'
        try:
            import soundfile
        except (ImportError, OSError) as error:
            raise MissingDependencyError(
                f'record.directory needs the soundfile package ({error}); run: pip install '
                f'soundfile, or leave record.directory empty') from error
        self._soundfile = soundfile
        self._directory = Path(settings.directory).expanduser()
        try:
            self._directory.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigurationError(
                f'record.directory: expected a folder that can be written, found '
                f'{settings.directory!r} ({error}); name another one or leave it empty') from error
        self.retention_s = settings.retention_s
        """May change at any time."""
        self._lock = threading.Lock()
        self._file: Any = None
        self._path: Path | None = None
        self._chunks = 0
        self._pause_until = 0.0
        self.failure = ''
        """Why nothing is written or deleted; empty while all is well."""
        self.delete_old()

    @property
    def period_s(self) -> float:
        """How often delete_old should be called, seconds."""
        return min(10.0, max(0.5, self.retention_s / 4))

    def write(self, chunk: AudioChunk) -> None:
        """Append a chunk, in a new file when the last one is long enough; never raises."""
        with self._lock:
            if time.monotonic() < self._pause_until:
                return
            try:
                self._append(chunk)
                self.failure = ''
            except (OSError, RuntimeError) as error:
                self._close()
                self._pause_until = time.monotonic() + _RETRY_S
                self.failure = f'nothing is recorded: cannot write to {self._directory} ({error})'

    def close(self) -> None:
        """Finish the file being written. Idempotent."""
        with self._lock:
            self._close()

    def delete_old(self) -> None:
        """Delete the files, ours only, whose audio is older than the retention; never raises."""
        limit = time.time() - self.retention_s
        with self._lock:
            try:
                for path in sorted(self._directory.iterdir()):
                    if _OURS.fullmatch(path.name) and path.stat().st_mtime < limit:
                        if path == self._path:  # muted for longer than that
                            self._close()
                        path.unlink(missing_ok=True)
            except OSError as error:
                self.failure = f'old recordings cannot be deleted ({error})'

    def _chunks_per_file(self) -> int:
        return max(1, int(min(_FILE_S, self.retention_s / 4) / _CHUNK_S))

    def _append(self, chunk: AudioChunk) -> None:
        if self._file is None or self._chunks >= self._chunks_per_file():
            self._close()
            self._path = self._directory / f'audio-{chunk.stamp_ns}.wav'
            self._file = self._soundfile.SoundFile(
                str(self._path), 'w', SAMPLE_RATE_HZ, 1, 'PCM_16')
        self._file.write(chunk.samples)
        self._chunks += 1

    def _close(self) -> None:
        file, self._file = self._file, None
        self._path, self._chunks = None, 0
        if file is not None:
            try:
                file.close()
            except (OSError, RuntimeError) as error:
                self.failure = f'a recording was not finished ({error})'
