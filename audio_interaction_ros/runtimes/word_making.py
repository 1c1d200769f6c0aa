"""
How tokens become words with places and confidence.

Owns where a word begins and what is a mark behind it. Knows no net.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np

from audio_interaction_ros.reading import has_no_spaces
from audio_interaction_ros.runtimes.base import ReadWord
from audio_interaction_ros.runtimes.word_alignment import FRAME_S, align_tokens

__all__ = ['HALF_CHARACTER', 'ids_of', 'looks_of', 'make_words', 'place_words', 'write_ids']

HALF_CHARACTER = '\ufffd'
"""What decoders write for bytes that are no whole character."""
_MARKS = frozenset('.,!?;:…。，、！？；：")]}”’»')


def make_words(ids: Sequence[int], log_probs: Sequence[float], decode: Callable[[list[int]], str],
               *, agreed: Sequence[ReadWord] = ()) -> list[ReadWord]:
    """
    Return the words of a text, without places; each has the probability of its tokens.

    The text begins with the words ``agreed``, which stay as they are, and goes on with ids. A
    word begins where a space stands before it, with each piece of a script without spaces, and
    behind those agreed on, whose last one only a mark can follow: "5" and ":30". Ids at the end
    that are no whole character are of no word.
    """
    words, fixed = list(agreed), len(agreed)
    shares = [0.0] * fixed
    waiting: list[int] = []
    for place, code in enumerate(ids):
        waiting.append(code)
        text = decode(waiting)
        if HALF_CHARACTER in text:  # a character of several ids
            continue
        piece, waiting = tuple(waiting), []
        share = log_probs[place]
        if words and text.strip() and set(text.strip()) <= _MARKS and not text.startswith(' '):
            words[-1] = replace(words[-1], mark=words[-1].mark + text,
                                mark_ids=words[-1].mark_ids + piece)
        elif len(words) > fixed and not _begins_word(text) and not words[-1].mark:
            shares[-1] += share
            words[-1] = replace(words[-1], text=words[-1].text + text,
                                ids=words[-1].ids + piece)
        elif len(words) > fixed and not _begins_word(text):  # "3.5", "o'clock"
            last, shares[-1] = words[-1], shares[-1] + share
            words[-1] = replace(last, text=last.written + text, mark='', mark_ids=(),
                                ids=last.ids + last.mark_ids + piece)
        else:
            words.append(ReadWord(text=text, start_s=0.0, end_s=0.0, ids=piece))
            shares.append(share)
    return [*words[:fixed], *(replace(word, confidence=float(np.exp(share / len(word.ids))))
                              for word, share in zip(words[fixed:], shares[fixed:], strict=True))]


def write_ids(ids: Sequence[int], decode: Callable[[list[int]], str]) -> tuple[str, bool]:
    """Return the text of ids, and False where it is broken: some were no whole character."""
    text = decode(list(ids))
    return text.replace(HALF_CHARACTER, '').strip(), HALF_CHARACTER not in text


def ids_of(words: Sequence[ReadWord]) -> list[int]:
    """Return the ids of words and of the marks behind them."""
    return [code for word in words for code in (*word.ids, *word.mark_ids)]


def _begins_word(text: str) -> bool:
    return text.startswith(' ') or any(map(has_no_spaces, text))


def looks_of(step: Any, start: int) -> np.ndarray | None:
    """Return where heads looked [heads, T + 1, frames] for each token of a text and its end."""
    looks = getattr(step, 'looks', None)
    return np.concatenate(looks, axis=1)[:, start - 1:] if looks else None


def place_words(words: Sequence[ReadWord], looks: np.ndarray | None, seconds: float, *,
                kept: int = 0, starts: np.ndarray | None = None) -> list[ReadWord]:
    """
    Return words with their places in so many seconds of audio; the first ``kept`` have theirs.

    ``starts`` [T + 1] are the frames where tokens begin, if they are known. Without them and
    without ``looks`` [heads, T + 1, frames] all letters take equally long.
    """
    counts = [len(word.ids) + len(word.mark_ids) for word in words]
    if starts is None and looks is not None and looks.shape[1] >= sum(counts) > 0:
        starts = align_tokens(looks[:, :sum(counts), :max(1, round(seconds / FRAME_S))])
    if starts is None or not words:
        lengths = np.cumsum([0, *(len(word.written) for word in words)])
        spans = [(seconds * a / lengths[-1], seconds * b / lengths[-1])
                 for a, b in pairwise(lengths)]
    else:
        at = np.cumsum([0, *counts])
        spans = [(FRAME_S * starts[first], FRAME_S * starts[first + len(word.ids)])
                 for first, word in zip(at, words, strict=False)]
    return [*words[:kept], *(replace(word, start_s=float(start), end_s=float(end))
                             for word, (start, end) in
                             zip(words[kept:], spans[kept:], strict=True))]
