"""
Writes audio to disk: only where a directory was named, and not for ever.

Owns the files of one directory and their retention. Never created unless asked for.
"""

import time
from pathlib import Path
from typing import Any

from audio_interaction_ros.audio.block import AudioChunk
from audio_interaction_ros.config import RecordConfig
from audio_interaction_ros.errors import MissingDependencyError
from audio_interaction_ros.protocol import SAMPLE_RATE_HZ

__all__ = ['Recorder']

_CHUNKS_PER_FILE = 150  # one minute
_PATTERN = 'audio-*.wav'


class Recorder:
    """Keeps one-minute WAV files, 16 kHz mono, named by the stamp of their first sample."""

    def __init__(self, *, settings: RecordConfig) -> None:
        """Create the directory; raises MissingDependencyError without soundfile."""
        assert settings.directory, 'nobody asked for a recording'
        try:
            import soundfile
        except (ImportError, OSError) as error:
            raise MissingDependencyError(
                f'record.directory needs the soundfile package ({error}); run: pip install '
                f'soundfile, or leave record.directory empty') from error
        self._soundfile = soundfile
        self._directory = Path(settings.directory)
        self._directory.mkdir(parents=True, exist_ok=True)
        self._retention_s = settings.retention_s
        self._file: Any = None
        self._chunks = 0

    def write(self, chunk: AudioChunk) -> None:
        """Append a chunk; begin a new file each minute and delete what is too old."""
        if self._file is None or self._chunks >= _CHUNKS_PER_FILE:
            self.close()
            self._delete_old()
            self._file = self._soundfile.SoundFile(
                str(self._directory / f'audio-{chunk.stamp_ns}.wav'), 'w', SAMPLE_RATE_HZ, 1,
                'PCM_16')
        self._file.write(chunk.samples)
        self._chunks += 1

    def close(self) -> None:
        """Finish the file being written. Idempotent."""
        if self._file is not None:
            self._file.close()
        self._file, self._chunks = None, 0

    def _delete_old(self) -> None:
        limit = time.time() - self._retention_s
        for path in self._directory.glob(_PATTERN):
            if path.stat().st_mtime < limit:
                path.unlink(missing_ok=True)
