"""Of events: how many are detected and rightly named, and how soon."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from eval.alert_figures.outcome import StreamOutcome
from eval.matching import ExpectedEvent, GivenReply, Matches, match
from measure.intervals import Estimate, percentiles, quotients, wilson

__all__ = ['Case', 'MatchedStream', 'cases_of', 'delays', 'detected_by_class', 'match_streams',
           'mean_of_classes', 'named_by_class', 'recall', 'share_by_group']

MatchedStream = tuple[StreamOutcome, Matches]


@dataclass(frozen=True)
class Case:
    """One event and what became of it."""

    heard: StreamOutcome
    event: ExpectedEvent
    detection: GivenReply | None
    named: bool

    @property
    def detected(self) -> bool:
        """Tell whether an alarm came of it."""
        return self.detection is not None

    @property
    def first_word_at(self) -> float | None:
        """Seconds of the stream at the first word of the alarm; None if that is unknown."""
        for reply, spent_s in zip(self.heard.replies, self.heard.computing, strict=False):
            if reply is self.detection:
                return reply.at + spent_s
        return None


def match_streams(heard: Sequence[StreamOutcome]) -> list[MatchedStream]:
    """Return streams with what each of their replies is."""
    return [(stream, match(stream.events, stream.replies)) for stream in heard]


def cases_of(streams: Sequence[MatchedStream]) -> list[Case]:
    """Return the events of streams."""
    return [Case(stream, *parts) for stream, matches in streams for parts in zip(
        stream.events, matches.detections, matches.tell_named(stream.events), strict=True)]


def share_by_group(cases: Iterable[tuple[str, bool]]) -> Estimate:
    """Return the share of true (group, truth) with Wilson's interval, each group counting once."""
    groups: dict[str, list[bool]] = defaultdict(list)
    for group, truth in cases:
        groups[group].append(truth)
    return wilson(sum(float(np.mean(mine)) for mine in groups.values()), len(groups))


def mean_of_classes(cases: Sequence[tuple[str, str, bool]]) -> Estimate:
    """Return the mean over classes of the share of hits of (group, class, hit)."""
    groups = sorted({group for group, _, _ in cases})
    labels = sorted({label for _, label, _ in cases})
    hits, counts = np.zeros((2, len(groups), len(labels)))
    for group, label, hit in cases:
        place = groups.index(group), labels.index(label)
        hits[place] += hit
        counts[place] += 1
    return quotients(hits, counts, share=True)


def detected_by_class(cases: Sequence[Case]) -> Estimate:
    """Return the mean over classes of the share of events that are detected."""
    return mean_of_classes([(case.heard.group, case.event.label, case.detected)
                            for case in cases])


def named_by_class(cases: Sequence[Case]) -> Estimate:
    """Return the mean over classes of the share of events that are rightly named."""
    return mean_of_classes([(case.heard.group, case.event.label, case.named) for case in cases])


def recall(cases: Sequence[Case]) -> dict[str, Any]:
    """Return recall of any alarm and of the right name, over events and over classes."""
    return {
        'events': len(cases), 'recordings': len({case.heard.group for case in cases}),
        'any': share_by_group((case.heard.group, case.detected) for case in cases),
        'named': share_by_group((case.heard.group, case.named) for case in cases),
        'any_mean_of_classes': detected_by_class(cases),
        'named_mean_of_classes': named_by_class(cases)}


def delays(cases: Sequence[Case]) -> dict[str, Any]:
    """Return seconds from the event's end and onset to the decision, and to the first word."""
    decisions = [(case.event, case.detection.at) for case in cases if case.detection]
    words = [(case.event, at) for case in cases if (at := case.first_word_at) is not None]
    return {'decision_from_end_s': percentiles([at - event.end for event, at in decisions]),
            'decision_from_onset_s': percentiles([at - event.start for event, at in decisions]),
            'first_word_from_end_s': percentiles([at - event.end for event, at in words]),
            'first_word_from_onset_s': percentiles([at - event.start for event, at in words])}
