"""
How much silence a Whisper is given behind speech, so that it neither repeats itself nor is slow.

Owns the paddings and when a reading is done again with more: where the text may become final. One
that only shows what is said so far is cut where it begins to run in circles. How a padded window
is read is each reader's own.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np

from audio_interaction_ros.runtimes.base import ReadWord, WindowReading
from audio_interaction_ros.runtimes.second_pass import WINDOW_S

__all__ = ['BROKEN', 'CIRCLES', 'DOUBTED_PAD_S', 'PaddedReading']

PAD_S = 1.0
"""Silence behind the speech. Of less Whisper reads the last word worse, of more it costs more."""
DOUBTED_PAD_S = 4.0
"""With so much a window is read again whose text runs in circles; the second pass has as much."""
CIRCLES, BROKEN = 'in circles', 'broken'
"""The doubts of a reading that repeats itself, and of one that holds half a character."""


class PaddedReading(ABC):
    """A WindowReader and ClosingReader (runtimes.base) over a reader of padded windows."""

    def read_window(self, samples: np.ndarray, *, agreed: Sequence[ReadWord] = (),
                    before: Sequence[ReadWord] = (), language: str = '') -> WindowReading:
        """Return what a window says so far; see runtimes.base.WindowReader."""
        return self._read_padded(samples, agreed, before, language, PAD_S, once=True)

    def read_closed(self, samples: np.ndarray, *, before: Sequence[ReadWord] = (),
                    language: str = '') -> WindowReading:
        """Return what a window says if nobody speaks on; see runtimes.base.ClosingReader."""
        read = self._read_padded(samples, (), before, language, DOUBTED_PAD_S)
        if read.doubt in (CIRCLES, BROKEN):
            read = self._read_padded(samples, (), before, language, WINDOW_S)
        return read

    @abstractmethod
    def _read_padded(self, samples: np.ndarray, agreed: Sequence[ReadWord],
                     before: Sequence[ReadWord], language: str, pad_s: float, *,
                     once: bool = False) -> WindowReading:
        """
        Return what is read of samples [n] with ``pad_s`` of silence behind them.

        ``once``: words that are only said again are left out (runtimes.circles).
        """
