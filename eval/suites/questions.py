"""What an item asks: in writing, with its choices, and in the recording."""

from pathlib import Path

import numpy as np

from eval.suites.items import SuiteItem
from held_out.clips import RATE, load

__all__ = ['phrase_question', 'read_recording']

_LETTERS = 'ABCDEFGHIJ'


def phrase_question(item: SuiteItem) -> str:
    """Return a written question with its choices as one instruction."""
    if not item.choices:
        return item.question
    options = ' '.join(f'({letter}) {choice}.'
                       for letter, choice in zip(_LETTERS, item.choices, strict=False))
    return f'{item.question} Answer with one of: {options}'


def read_recording(item: SuiteItem) -> np.ndarray:
    """Return the recording of an item and, after a short pause, its spoken question."""
    question = item.groups.get('asked by')
    if not question:
        return load(item.audio)
    pause = np.zeros(RATE // 2, np.float32)
    return np.concatenate([load(item.audio), pause, load(Path(question))])
