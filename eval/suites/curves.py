"""
Quality over delay: words that are right so long after they were spoken, BLEU over LAAL.

Owns the two curves and what a stream must tell for them. Knows neither benchmarks nor who hears.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from eval.live_stream import HeardStream
from eval.shown_words import ShownClip, count_wrong
from eval.suites.items import Answered
from eval.suites.lagging import average_lagging, count_units
from measure.intervals import Estimate, bootstrap, quotients

__all__ = ['DELAYS_S', 'Translated', 'follow_replies', 'follow_words', 'score_translated',
           'wer_over_delay']

DELAYS_S = (0.5, 1.0, 1.5, 2.0, 3.0, 5.0)
"""So long after each word the screen is looked at."""
_ROUNDS = 200


@dataclass(frozen=True, kw_only=True)
class Translated:
    """One recording, its translation, and when each word of that was there for good."""

    reference: str
    text: str
    delays: tuple[float, ...]
    """Seconds since the recording began; a character of Chinese is a word."""
    seconds: float


def wer_over_delay(clips: Sequence[ShownClip], *, computing: bool,
                   stable: bool = False) -> dict[float, Estimate]:
    """
    Return wrong words per word said, by delay in seconds, drawn by speaker.

    ``stable``: only words that are never taken back count as shown.
    """
    return {delay: _pool(clips, [count_wrong(clip, computing=computing, after_s=delay,
                                             stable=stable) for clip in clips])
            for delay in DELAYS_S}


def _pool(clips: Sequence[ShownClip], counts: Sequence[tuple[int, int]]) -> Estimate:
    groups: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for clip, count in zip(clips, counts, strict=True):
        groups[clip.group].append(count)
    return quotients([sum(wrong for wrong, _ in mine) for mine in groups.values()],
                     [sum(words for _, words in mine) for mine in groups.values()])


def follow_words(heard: HeardStream, answered: Answered, *, by_letter: bool) -> Translated:
    """Return the translation of words that were read, with the moments it became stable."""
    parts, events = dict[str, str](), list[tuple[float, str]]()
    for utterance, shown in heard.translated:
        parts[utterance] = shown.stable
        events.append((shown.at + shown.spent, _join(parts.values(), by_letter)))
    return _follow(events, answered, by_letter)


def follow_replies(answered: Answered, *, by_letter: bool) -> Translated:
    """Return the translation that a lane wrote, each word at the chunk it was decided on."""
    parts, events = list[str](), list[tuple[float, str]]()
    for said in answered.said:
        parts.append(said.final or said.text)
        events.append((said.at, _join(parts, by_letter)))
    return _follow(events, answered, by_letter)


def _join(parts: Any, by_letter: bool) -> str:
    return ('' if by_letter else ' ').join(filter(None, parts))


def _follow(events: Sequence[tuple[float, str]], answered: Answered,
            by_letter: bool) -> Translated:
    delays: list[float] = []
    for at, text in events:
        delays += [at] * (count_units(text, by_letter=by_letter) - len(delays))
    return Translated(reference=answered.item.references[0], text=events[-1][1] if events else '',
                      delays=tuple(delays), seconds=answered.seconds)


def score_translated(some: Sequence[Translated], *, by_letter: bool) -> dict[str, Any]:
    """
    Return BLEU (sacrebleu, zh into Chinese, 13a into English) and LAAL in seconds.

    What was not translated at all counts for BLEU and not for LAAL.
    """
    import sacrebleu
    metric = sacrebleu.BLEU(tokenize='zh' if by_letter else '13a', effective_order=False)

    def corpus_bleu(drawn: Sequence[Translated]) -> float:
        return float(metric.corpus_score([one.text for one in drawn],
                                         [[one.reference for one in drawn]]).score)
    lagging = [average_lagging(one.delays, one.seconds,
                               count_units(one.reference, by_letter=by_letter))
               for one in some if one.delays]
    return {'items': len(some), 'silent': sum(not one.text for one in some),
            'BLEU': bootstrap(list(some), corpus_bleu, rounds=_ROUNDS),
            'LAAL, s': bootstrap(lagging, lambda drawn: sum(drawn) / len(drawn)),
            'signature': str(metric.get_signature())}
