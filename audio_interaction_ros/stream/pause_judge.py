"""
Whether who was speaking is through, asked in a pause and not too often.

A voice is judged by a net that takes a tenth of a second of the processor, which listening needs
as well. Owns when its answer could change anything, how often it is asked, and what follows where
it fails: from then on silence and words decide alone. Knows neither the net nor what is read.
"""

from collections.abc import Callable

import numpy as np

from audio_interaction_ros.errors import ModelFaultError
from audio_interaction_ros.stream.open_utterance import OpenUtterance
from audio_interaction_ros.stream.turn_end import TurnEnd

__all__ = ['PauseJudge', 'TurnJudge']

MOST_QUESTIONS = 2
"""So often a voice is judged in a pause: as soon as that may end it, and once more."""

TurnJudge = Callable[[np.ndarray], float]
"""Returns how likely it is, 0 to 1, that who speaks in samples [n] at 16 kHz is through."""


class PauseJudge:
    """Says how long a pause must last until an utterance is over."""

    def __init__(self, end: TurnEnd, judge: TurnJudge | None = None, *,
                 tell: Callable[[str], object]) -> None:
        """
        Take the waits to choose from and who hears the voice; None: words alone decide.

        ``tell`` is told once where the judge fails.
        """
        self._end, self._judge, self._tell = end, judge, tell
        self.failure = ''
        """Why nobody hears the voice any more; empty while all is well."""

    def wait_ns(self, now: OpenUtterance, *, silence_ns: int, read: bool,
                cut_out: Callable[[], np.ndarray]) -> int:
        """
        Return how long silence must last, after ``silence_ns`` of it.

        ``read``: the words are those of all that was said; before that the voice is not judged,
        for both are asked together. ``cut_out`` returns the samples of the utterance.
        """
        spoken_ns = now.speech_ns - now.start_ns
        soonest, latest = (self._end.wait_ns(now.text, over, spoken_ns) for over in (1.0, 0.0))
        if (self._judge is not None and read and soonest <= silence_ns < latest
                and silence_ns not in now.asked_at and len(now.asked_at) < MOST_QUESTIONS):
            now.asked_at.append(silence_ns)
            now.over = self._ask(self._judge, cut_out())
        return self._end.wait_ns(now.text, None if self._judge is None else now.over, spoken_ns)

    def _ask(self, judge: TurnJudge, samples: np.ndarray) -> float:
        try:
            over = judge(samples)
            if not 0 <= over <= 1:
                raise ModelFaultError(f'expected a probability, got {over}')
        except Exception as error:  # noqa: BLE001 - whatever it is, words must still become final
            self.failure = f'the judge of voices failed ({error!r}): silence alone ends utterances'
            self._judge = None
            self._tell(self.failure)
            return 0.0
        return over
