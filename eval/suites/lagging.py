"""
How late streamed words are, and how many are taken back.

Times are those of the audio: when the chunk was over on which a reply was decided. What computing
adds is the matter of ``python -m bench``.
"""

from collections.abc import Sequence
from typing import Any

from eval.suites.items import Answered
from measure.intervals import Estimate, bootstrap, percentiles, quotients
from measure.word_errors import measure_erasure

__all__ = ['average_lagging', 'count_units', 'score_streaming']


def average_lagging(delays: Sequence[float], seconds: float, wanted: int) -> float:
    """
    Return LAAL in seconds (Papi et al., 2022): how far words are behind an ideal translator.

    ``delays``: when each word was told, in seconds since the recording of ``seconds`` began;
    ``wanted``: words of the reference. The ideal one tells as many words, or as many as the
    reference has where that is more, evenly over the recording. Words count up to the first that
    is told once the recording is over.
    """
    pace = seconds / max(len(delays), wanted)
    behind = []
    for place, delay in enumerate(delays):
        behind.append(delay - place * pace)
        if delay >= seconds:
            break
    return sum(behind) / len(behind)


def score_streaming(answers: Sequence[Answered], *, by_letter: bool) -> dict[str, Any]:
    """
    Return delay of the last word after the recording, LAAL, and the share of words taken back.

    ``by_letter``: each letter is a word, as in Chinese. Items without an answer are left out.
    """
    told = [one for one in answers if one.said]
    ends = percentiles([one.said[-1].at - one.seconds for one in told])
    lagging = [_lagging_of(one, by_letter) for one in told]
    erased = [measure_erasure([part.text, part.final]) for one in told for part in one.said
              if part.final]
    return {'last word after the end, s (p50)': ends['p50'],
            'LAAL, s': bootstrap(lagging, lambda drawn: sum(drawn) / len(drawn)),
            'words taken back': quotients(*zip(*erased, strict=True)) if erased else _NONE}


_NONE = Estimate(value=0.0, low=0.0, high=0.0, n=0)
"""Nobody read again: what is streamed only grows."""


def count_units(text: str, *, by_letter: bool) -> int:
    """Return how many words a text has; by letter, as in Chinese, how many characters."""
    return len(''.join(text.split())) if by_letter else len(text.split())


def _lagging_of(one: Answered, by_letter: bool) -> float:
    delays = [part.at for part in one.said
              for _ in range(count_units(part.final or part.text, by_letter=by_letter))]
    return average_lagging(delays, one.seconds,
                           count_units(one.item.references[0], by_letter=by_letter))
