"""Of utterances that were read: word errors, what was taken back, and how late words are shown."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from eval.asr_utterances import ReadUtterance
from measure.intervals import percentiles
from measure.word_errors import (
    UnderstoodUtterance,
    error_ratio,
    measure_erasure,
    normalise,
    word_error_rate,
    word_times,
)

__all__ = ['figures', 'measure']


def measure_latency(utterances: Sequence[ReadUtterance]) -> dict[str, Any]:
    """
    Return seconds from the end of a word to when it is shown, without and with computing.

    The last word is exact. For all words their ends are estimated from their letters, and the
    k-th word shown is taken for the k-th word said, so it counts only utterances with as many.
    """
    last = [(shown[-1][0] - utterance.end, shown[-1][1]) for utterance in utterances
            if (shown := utterance.shown)]
    words = [delay for utterance in utterances for delay in _word_delays(utterance)]
    return {'last_word_s': percentiles([a for a, _ in last]),
            'last_word_with_computing_s': percentiles([a + b for a, b in last]),
            'word_estimate_s': percentiles([a for a, _ in words]),
            'word_estimate_with_computing_s': percentiles([a + b for a, b in words])}


def _word_delays(utterance: ReadUtterance) -> Iterator[tuple[float, float]]:
    """Yield of each word (seconds after its estimated end, seconds of computing more)."""
    said, seen = word_times(utterance.reference, utterance.start, utterance.end), 0
    if not utterance.shown or len(utterance.shown[-1][2].split()) != len(said):
        return
    for at, spent, text in utterance.shown:
        count = len(text.split())
        yield from ((at - said[i], spent) for i in range(seen, count))
        seen = max(seen, count)


def measure_stability(utterances: Sequence[ReadUtterance], final: bool) -> float:
    """Return words taken back per word of the last text; ``final``: the second pass is last."""
    taken = words = 0
    for utterance in utterances:
        texts = [normalise(text) for _, _, text in utterance.shown]
        if final and utterance.final is not None:
            texts.append(normalise(utterance.final))
        a, b = measure_erasure(texts)
        taken, words = taken + a, words + b
    return taken / words if words else float('nan')


def _to_utterances(utterances: Sequence[ReadUtterance], which: str) -> list[UnderstoodUtterance]:
    return [UnderstoodUtterance(utterance.reference, getattr(utterance, which) or '',
                                utterance.group) for utterance in utterances]


def figures(utterances: Sequence[ReadUtterance]) -> dict[str, Any]:
    """Return word errors, what was missed, stability and latency of some utterances."""
    streamed = _to_utterances(utterances, 'streamed')
    values: dict[str, Any] = {
        'utterances': len(utterances),
        'groups': len({utterance.group for utterance in utterances}),
        'words': sum(len(normalise(utterance.reference).split()) for utterance in utterances),
        'wer_streamed': word_error_rate(streamed), 'wer_always_silent': 1.0,
        'without_any_reply': sum(not utterance.replies for utterance in utterances),
        'replies_per_utterance': float(np.mean([utterance.replies for utterance in utterances])),
        'erasure_streamed': measure_stability(utterances, final=False),
        'latency': measure_latency(utterances)}
    if any(utterance.final is not None for utterance in utterances):
        values['wer_second_pass'] = word_error_rate(_to_utterances(utterances, 'final'))
        values['erasure_by_second_pass'] = measure_stability(utterances, final=True)
    if all(utterance.whole is not None for utterance in utterances):
        whole = _to_utterances(utterances, 'whole')
        values['wer_whisper_whole'] = word_error_rate(whole)
        values['whisper_s_per_clip'] = float(np.mean([one.whole_s for one in utterances]))
        values['streamed_over_whisper'] = error_ratio(streamed, whole)
        values['second_pass_over_whisper'] = error_ratio(
            _to_utterances(utterances, 'final'), whole)
    return values


def measure(utterances: Sequence[ReadUtterance], beside: str) -> dict[str, Any]:
    """Return the figures of each kind of speech, and of all real speech together."""
    kinds = {kind: [utterance for utterance in utterances if utterance.kind == kind]
             for kind in sorted({utterance.kind for utterance in utterances})}
    real = [utterance for utterance in utterances if utterance.kind != 'synthetic']
    if real:
        kinds['all real'] = real
    return {'beside': beside, 'kinds': {kind: figures(mine) for kind, mine in kinds.items()}}
