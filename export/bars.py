"""
What a precision has to clear beside float32, each number with its reason. The only place of them.

A precision that misses one is not to be a default.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

__all__ = ['BARS', 'Bar', 'Verdict', 'count_edits', 'loosest']


@dataclass(frozen=True, kw_only=True)
class Bar:
    """What a precision has to clear; distances are largest ones."""

    features: float
    """Of features on seeded noise, in lengths of the largest of them."""
    sounds: float
    """Of scores of sounds, from 0 to 1, in the scene; what begins and ends has to be the same."""
    scores: float
    """Of scores and log-probabilities on seeded inputs, in the largest of them."""
    tokens: float
    """Tokens chosen on seeded inputs that differ, of all."""
    words: float
    """Words of replies that differ in the scene, of all words."""
    probability: float
    """Mean change of the probability to respond, over chunks."""
    same_events: bool
    """Every event of the scene is the same, text and time included; else alerts have to be."""
    word_errors: float
    """By how much the word error rate of clips may rise, in words per word of the reference."""
    alerts: float
    """Share of clips whose set of alerts may differ."""
    recall: float
    """By how much the share of clips with the alert that is due may fall."""


_FULL = Bar(
    # Another order of summing changes the last digits only, so nothing that anybody sees changes;
    # 1e-3 is a hundred times what was measured.
    features=1e-3, sounds=1e-3, scores=1e-3, tokens=0.0, words=0.0, probability=1e-3,
    same_events=True,
    word_errors=0.0, alerts=0.0, recall=0.0)
_ROUNDED = Bar(
    # Sanity only: noise is no sound, and what rounding does to it says little of words. A wrong
    # scale or a transposed weight is far beyond.
    features=0.1, scores=0.2, tokens=0.2,
    # No score of a sound moves by a tenth (0.064 was seen in int8): thresholds in the rules file
    # are further apart than that from what usual noise scores. And what the detector says of the
    # scene is the same, whatever the precision.
    sounds=0.1,
    # The scene has 30 words: four of them. Its alerts have to be the same whatever the precision.
    words=0.15,
    # Thresholds are chosen in steps of 0.01: less than a step changes no choice.
    probability=0.01,
    same_events=False,
    # Less than the model card tells apart: 68 clips give an interval of 0.2 to either side of a
    # rate of 0.5, and paired differences of 0.03 are within theirs.
    word_errors=0.03,
    # One clip in twenty: well inside the interval that the model card gives for recall, 0.11 to
    # either side and more, so what the card says of alerts in float32 still holds.
    alerts=0.05,
    # Alerts lost count more than alerts changed: one due alert in fifty.
    recall=0.02)

_HALF = replace(
    _ROUNDED,
    # Eleven bits of mantissa: the words of the scene are all but the same.
    features=0.01, sounds=0.01, scores=0.02, tokens=0.05, words=0.02, probability=1e-3)

BARS = {'fp32': _FULL, 'fp16': _HALF, 'int8': _ROUNDED, 'int4': _ROUNDED}
"""By precision, from the strictest to the loosest."""


def loosest(precisions: set[str]) -> str:
    """Return the precision whose bar holds for what halves of several make together."""
    return max(precisions, key=list(BARS).index)


@dataclass(frozen=True)
class Verdict:
    """One comparison: what was compared, what came out, and what it had to be."""

    name: str
    found: float
    bar: float

    @property
    def passed(self) -> bool:
        """Tell whether the bar is cleared; no number clears none."""
        return self.found <= self.bar


def count_edits(first: Sequence[object], second: Sequence[object]) -> int:
    """Return how many must be put in, left out or changed to make one of the other."""
    row = list(range(len(second) + 1))
    for count, item in enumerate(first, start=1):
        diagonal, row[0] = row[0], count
        for place, other in enumerate(second, start=1):
            diagonal, row[place] = row[place], min(row[place] + 1, row[place - 1] + 1,
                                                   diagonal + (item != other))
    return row[-1]
