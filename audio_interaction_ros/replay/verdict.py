"""
What was heard held against what was expected: what fits, what is missing, what is too much.

Owns when the two fit, and which goes with which: as many as possible, so that no order of the
file decides. Prints nothing.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from audio_interaction_ros.replay.expectation import Expectation, Expected
from audio_interaction_ros.replay.heard import Heard
from audio_interaction_ros.replay.words import word_error_rate

__all__ = ['Extra', 'Missing', 'Verdict', 'hold_against', 'list_faults']


@dataclass(frozen=True, kw_only=True)
class Missing:
    """What was expected and not heard; what came nearest to it, and why that does not do."""

    expected: Expected
    nearest: Heard | None
    faults: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Extra:
    """What was heard and must not be."""

    heard: Heard
    why: str
    nearest: Expected | None = None
    faults: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What became of a recording."""

    name: str
    matched: tuple[tuple[Expected, Heard], ...]
    missing: tuple[Missing, ...]
    extra: tuple[Extra, ...]
    heard: tuple[Heard, ...]

    @property
    def passed(self) -> bool:
        """True where nothing is missing and nothing is too much."""
        return not self.missing and not self.extra


def list_faults(expected: Expected, heard: Heard, file: Expectation) -> list[str]:
    """Return why something that was heard is not what was expected; empty where it is."""
    if expected.kind != heard.kind:
        return [f'a {heard.kind}, not a {expected.kind}']
    return [*_name_faults(expected, heard), *_text_faults(expected, heard, file.wer),
            *_time_faults(expected, heard, file.within_s)]


def _name_faults(expected: Expected, heard: Heard) -> Iterator[str]:
    for key in ('label', 'language', 'intent'):
        wanted, found = getattr(expected, key), getattr(heard, key)
        if wanted and wanted != found:
            yield f'{key} {found or "none"}, not {wanted}'
    if expected.severity is not None and expected.severity != heard.severity:
        found = heard.severity.name if heard.severity is not None else 'none'
        yield f'severity {found}, not {expected.severity.name}'
    for slot, value in expected.slots.items():
        if heard.slots.get(slot) != value:
            yield f'{slot} {heard.slots.get(slot) or "none"}, not {value}'


def _text_faults(expected: Expected, heard: Heard, default: float) -> Iterator[str]:
    if expected.text is not None:
        rate = word_error_rate(expected.text, heard.text)
        allowed = default if expected.wer is None else expected.wer
        if rate > allowed:
            yield f'WER {rate:.2f}, {allowed:.2f} allowed'
    if expected.pattern and not re.search(expected.pattern, heard.text, re.IGNORECASE):
        yield f'without /{expected.pattern}/'


def _time_faults(expected: Expected, heard: Heard, default: float) -> Iterator[str]:
    allowed = default if expected.within_s is None else expected.within_s
    away = _distance(expected, heard)
    if away > allowed + 1e-9:
        assert expected.at is not None, 'what has no time is nowhere away'
        side = 'early' if heard.start_s < expected.at else 'late'
        yield f'{away:.1f} s too {side}, {allowed:.1f} s allowed'


def _distance(expected: Expected, heard: Heard) -> float:
    """Return the seconds between two spans; 0 where they meet, or no time is expected."""
    if expected.at is None:
        return 0.0
    until = expected.at if expected.until is None else expected.until
    # of an alert and a reply the beginning counts: how long it is repeated says little
    end = heard.start_s if heard.kind in ('alert', 'reply') else heard.end_s
    return max(0.0, expected.at - end, heard.start_s - until)


def hold_against(name: str, heard: Sequence[Heard], file: Expectation) -> Verdict:
    """Return the verdict on what was heard of a recording."""
    pairs = _pair(file.expect, heard, file)
    taken = set(pairs.values())
    rest = [one for index, one in enumerate(heard) if index not in taken]
    missing = [_explain_missing(expected, rest, file)
               for index, expected in enumerate(file.expect)
               if index not in pairs and not expected.optional]
    matched = [(file.expect[index], heard[pairs[index]]) for index in sorted(pairs)]
    return Verdict(name=name, matched=tuple(matched), missing=tuple(missing),
                   extra=tuple(_find_extra(heard, rest, missing, file)), heard=tuple(heard))


def _pair(wanted: Sequence[Expected], heard: Sequence[Heard], file: Expectation
          ) -> dict[int, int]:
    """
    Return which expectation goes with what was heard: as many as can be, the nearest first.

    What must be heard chooses before what may be. Each takes its nearest, and where that is taken
    the other one moves on to another where it can (augmenting paths).
    """
    fitting = {index: _list_fitting(expected, heard, file)
               for index, expected in enumerate(wanted)}
    owner: dict[int, int] = {}

    def find(index: int, seen: set[int]) -> bool:
        for other in fitting[index]:
            if other in seen:
                continue
            seen.add(other)
            if other not in owner or find(owner[other], seen):
                owner[other] = index
                return True
        return False

    for index in sorted(fitting, key=lambda index: (wanted[index].optional, index)):
        find(index, set())
    return {index: other for other, index in owner.items()}


def _list_fitting(expected: Expected, heard: Sequence[Heard], file: Expectation) -> list[int]:
    """Return the places of all that fits an expectation, the nearest first."""
    fitting = [place for place, one in enumerate(heard) if not list_faults(expected, one, file)]
    return sorted(fitting, key=lambda place: (_distance(expected, heard[place]), place))


def _explain_missing(expected: Expected, rest: Iterable[Heard], file: Expectation) -> Missing:
    """Return what is missing, with what is left of its kind that has the fewest faults."""
    near = [(list_faults(expected, one, file), one) for one in rest if one.kind == expected.kind]
    if not near:
        return Missing(expected=expected, nearest=None, faults=())
    faults, one = min(near, key=lambda pair: (len(pair[0]), _distance(expected, pair[1]),
                                              pair[1].start_s))
    return Missing(expected=expected, nearest=one, faults=tuple(faults))


def _find_extra(heard: Iterable[Heard], rest: Iterable[Heard], missing: Sequence[Missing],
                file: Expectation) -> Iterator[Extra]:
    for one in heard:
        for forbidden in file.never:
            if not list_faults(forbidden, one, file):
                yield Extra(heard=one, why=f'never: {forbidden.describe()}')
                break
    for one in rest:
        if one.kind not in file.nothing_else:
            continue
        near = [(list_faults(item.expected, one, file), item.expected) for item in missing
                if item.expected.kind == one.kind]
        faults, expected = min(near, key=lambda pair: len(pair[0]), default=([], None))
        yield Extra(heard=one, why='nothing else was expected', nearest=expected,
                    faults=tuple(faults))
