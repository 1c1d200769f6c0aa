"""
Recordings on a disk: the WAV files of one directory and their retention.

A disk that is full or a folder that is not there is said, and tried again. May wait for the disk
as long as that takes: for the thread of ``recorder`` alone.
"""

import re
import time
from pathlib import Path
from typing import Any

from audio_interaction_ros.audio.block import AudioChunk
from audio_interaction_ros.config import RecordConfig
from audio_interaction_ros.errors import MissingDependencyError
from audio_interaction_ros.protocol import SAMPLE_RATE_HZ

__all__ = ['Recordings']

_FILE_S = 60.0
_RETRY_S = 10.0
_OURS = re.compile(r'audio-\d+\.wav')


class Recordings:
    """
    Keeps WAV files, 16 kHz mono, named by the stamp (ns) of their first sample.

    A file is a minute long, or a quarter of the retention where that is shorter. It is deleted
    once its newest sample was written longer ago than the retention; ``delete_old`` must be
    called now and then (``period_s``).
    """

    def __init__(self, *, settings: RecordConfig) -> None:
        """Touch no disk yet; raises MissingDependencyError without soundfile."""
        assert settings.directory, 'nobody asked for a recording'
        try:
            import soundfile
        except (ImportError, OSError) as error:
            raise MissingDependencyError(
                f'record.directory needs the soundfile package ({error}); run: pip install '
                f'soundfile, or leave record.directory empty') from error
        self._soundfile = soundfile
        self.directory = Path(settings.directory).expanduser()
        self.retention_s = settings.retention_s
        """May change at any time."""
        self._file: Any = None
        self._path: Path | None = None
        self._chunks = 0
        self._pause_until = float('-inf')
        self._unwritten = self._undeleted = ''

    @property
    def failure(self) -> str:
        """Why nothing is written or deleted; empty while all is well."""
        return self._unwritten or self._undeleted

    @property
    def period_s(self) -> float:
        """How often delete_old should be called, seconds."""
        return min(10.0, max(0.5, self.retention_s / 4))

    def write(self, chunk: AudioChunk) -> bool:
        """Append a chunk, in a new file when the last one is long enough; False: it is lost."""
        if time.monotonic() < self._pause_until:
            return False
        try:
            self._append(chunk)
        except Exception as error:  # noqa: BLE001 - libsndfile has its own; none ends the thread
            self.finish()
            self._pause_until = time.monotonic() + _RETRY_S
            self._unwritten = (f'nothing is recorded: cannot write to {self.directory} ({error});'
                               f' tried again every {_RETRY_S:.0f} s')
            return False
        self._unwritten = ''
        return True

    def finish(self) -> None:
        """Finish the file being written. Idempotent."""
        file, self._file = self._file, None
        self._path, self._chunks = None, 0
        if file is not None:
            try:
                file.close()
            except (OSError, RuntimeError) as error:
                self._unwritten = f'a recording was not finished ({error})'

    def delete_old(self) -> None:
        """Delete the files, ours only, whose audio is older than the retention; never raises."""
        limit = time.time() - self.retention_s
        try:
            self.directory.mkdir(parents=True, exist_ok=True)
            for path in sorted(self.directory.iterdir()):
                if _OURS.fullmatch(path.name) and path.stat().st_mtime < limit:
                    if path == self._path:  # muted for longer than that
                        self.finish()
                    path.unlink(missing_ok=True)
        except OSError as error:
            self._undeleted = f'nothing is recorded or deleted in {self.directory} ({error})'
        else:
            self._undeleted = ''

    def _chunks_per_file(self, chunk: AudioChunk) -> int:
        seconds = min(_FILE_S, self.retention_s / 4)
        return max(1, int(seconds * SAMPLE_RATE_HZ / len(chunk.samples)))

    def _append(self, chunk: AudioChunk) -> None:
        if self._file is None or self._chunks >= self._chunks_per_file(chunk):
            self.finish()
            self.directory.mkdir(parents=True, exist_ok=True)
            self._path = self.directory / f'audio-{chunk.stamp_ns}.wav'
            self._file = self._soundfile.SoundFile(
                str(self._path), 'w', SAMPLE_RATE_HZ, 1, 'PCM_16')
        self._file.write(chunk.samples)
        self._chunks += 1
