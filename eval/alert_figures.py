"""
From hearings to the figures of alerts: recall, false alarms, delay, calibration, trade-off.

Owns how replies and p_respond become figures; what a detection is, eval.matching says. Knows
neither models nor audio nor files.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from audio_interaction_ros.protocol import CHUNK_S
from eval.matching import GRACE_S, ExpectedEvent, GivenReply, Matches, count_bursts, match
from measure.intervals import Estimate, calibration, percentiles, poisson, quotients, wilson

__all__ = ['BARS', 'CHUNK_S', 'THRESHOLDS', 'StreamOutcome', 'apply_constant', 'apply_threshold',
           'calibrations', 'choose_pair', 'false_alarms_by_kind', 'figures', 'list_pairs',
           'mean_of_classes', 'pick_threshold', 'single_alarms', 'trade_off']

PIECE_S = 10.0
"""Backgrounds are cut into pieces of this length where a share of silence is counted."""
SINGLE = 'single'
"""Kind of a stream with one harmless sound: of these the share with a false alarm counts."""
THRESHOLDS = (0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7,
              0.75, 0.8, 0.85, 0.9, 0.95, 0.97, 0.98, 0.99, 0.995, 0.999)
FINE = (*(round(0.1 + 0.01 * i, 2) for i in range(90)), 0.995, 0.999)
"""Thresholds that one is picked from."""
BARS = (0.0, 0.3, 0.4, 0.5, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95)
"""Values of min_confidence that one is picked from, with a threshold each."""
SAME = 0.01
"""Recalls that differ by less are taken for the same when a pair is chosen."""


@dataclass(frozen=True, kw_only=True)
class StreamOutcome:
    """One stream: what happened, what was said, and what a lane would say that never replies."""

    name: str
    kind: str
    seconds: float
    events: tuple[ExpectedEvent, ...] = ()
    replies: tuple[GivenReply, ...] = ()
    p: tuple[float, ...] = ()
    """p_respond, one value per chunk, of a lane that never replies."""
    asides: tuple[tuple[int, GivenReply, float], ...] = ()
    """What that lane would have said after some chunks, counted from 0, and how sure it was."""
    withheld: int = 0
    """Replies that the lane which replies withheld, being unsure of their words."""
    computing: tuple[float, ...] = ()
    """Per reply, in its order: seconds from the chunk to the first word; () if unknown."""
    group: str = ''
    origin: str = ''
    side: str = ''
    condition: str = ''
    raised: int = 0
    """Alerts that the policy raised."""
    unique_s: float = 0.0
    label: str = ''
    """Of a single sound: what it is."""

    @property
    def pieces(self) -> int:
        """Return how many pieces of PIECE_S a background has."""
        return max(1, int(self.seconds / PIECE_S))


def _share_by_group(cases: Iterable[tuple[str, bool]]) -> Estimate:
    """Return the share of true cases with Wilson's interval, each group counting once."""
    groups: dict[str, list[bool]] = defaultdict(list)
    for group, truth in cases:
        groups[group].append(truth)
    return wilson(sum(float(np.mean(mine)) for mine in groups.values()), len(groups))


@dataclass(frozen=True)
class Case:
    """One event and what became of it."""

    heard: StreamOutcome
    event: ExpectedEvent
    detection: GivenReply | None
    named: bool


def _collect_cases(heard: Sequence[StreamOutcome]) -> tuple[list[Case],
                                                            list[tuple[StreamOutcome, Matches]]]:
    cases, rest = [], []
    for stream in heard:
        matches = match(stream.events, stream.replies)
        rest.append((stream, matches))
        cases += [Case(stream, *parts) for parts in zip(
            stream.events, matches.detections, matches.tell_named(stream.events), strict=True)]
    return cases, rest


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


def _mean_of_classes(cases: Sequence[Case], hit: Callable[[Case], bool]) -> Estimate:
    return mean_of_classes([(case.heard.group, case.event.label, hit(case)) for case in cases])


def _is_detected(case: Case) -> bool:
    return case.detection is not None


def _is_named(case: Case) -> bool:
    return case.named


def recall(cases: Sequence[Case]) -> dict[str, Any]:
    """Return recall of any alarm and of the right name, over events and over classes."""
    return {
        'events': len(cases), 'recordings': len({case.heard.group for case in cases}),
        'any': _share_by_group((c.heard.group, _is_detected(c)) for c in cases),
        'named': _share_by_group((c.heard.group, c.named) for c in cases),
        'any_mean_of_classes': _mean_of_classes(cases, _is_detected),
        'named_mean_of_classes': _mean_of_classes(cases, _is_named)}


def delays(cases: Sequence[Case]) -> dict[str, Any]:
    """Return seconds from the event's end and onset to the decision, and to the first word."""
    hit = [case for case in cases if case.detection is not None]
    computing = {id(said): spent for case in hit for said, spent in zip(
        case.heard.replies, case.heard.computing, strict=False)}
    from_end = [case.detection.at - case.event.end for case in hit if case.detection]
    timed = [(case.detection.at, case.event, computing[id(case.detection)]) for case in hit
             if case.detection and id(case.detection) in computing]
    from_onset = [case.detection.at - case.event.start for case in hit if case.detection]
    return {'decision_from_end_s': percentiles(from_end),
            'decision_from_onset_s': percentiles(from_onset),
            'first_word_from_end_s': percentiles([at + s - e.end for at, e, s in timed]),
            'first_word_from_onset_s': percentiles([at + s - e.start for at, e, s in timed])}


def false_alarms(backgrounds: Sequence[tuple[StreamOutcome, Matches]]) -> dict[str, Any]:
    """Return false alarms per hour (bursts), alerts raised, and false replies of all sorts."""
    hours = sum(stream.seconds for stream, _ in backgrounds) / 3600
    alarms = sum(count_bursts([said.at for said in matches.false if said.alarm])
                 for stream, matches in backgrounds)
    chatter = sum(sum(not said.alarm for said in matches.false) for _, matches in backgrounds)
    replies = sum(len(matches.false) for _, matches in backgrounds)
    quiet = [(pieces - len({min(int(said.at / PIECE_S), pieces - 1) for said in matches.false}),
              pieces) for stream, matches in backgrounds for pieces in [stream.pieces]]
    return {
        'hours': hours, 'hours_of_different_recordings': sum(
            stream.unique_s for stream, _ in backgrounds) / 3600,
        'false_alarms': alarms, 'false_alarms_per_hour': poisson(alarms, hours),
        'by_label': _count_labels(backgrounds),
        'alerts_raised_per_hour': poisson(sum(stream.raised for stream, _ in backgrounds), hours),
        'withheld_per_hour': poisson(sum(stream.withheld for stream, _ in backgrounds), hours),
        'chatter_per_hour': poisson(chatter, hours), 'false_replies_per_hour': poisson(
            replies, hours),
        'silent_pieces': quotients(
            [a for a, _ in quiet], [b for _, b in quiet], share=True)}


def _count_labels(backgrounds: Sequence[tuple[StreamOutcome, Matches]]) -> dict[str, int]:
    """Return how often each alert was raised for nothing, each time counted, the most first."""
    return dict(Counter('+'.join(sorted(said.labels)) for _, matches in backgrounds
                        for said in matches.false if said.alarm).most_common())


def false_alarms_by_kind(heard: Sequence[StreamOutcome]) -> dict[str, dict[str, Any]]:
    """Return the false alarms of each kind of background, single sounds left out."""
    pairs = _backgrounds_of(heard)
    kinds = sorted({stream.kind for stream, _ in pairs})
    return {kind: false_alarms([pair for pair in pairs if pair[0].kind == kind])
            for kind in kinds}


def _backgrounds_of(heard: Sequence[StreamOutcome]) -> list[tuple[StreamOutcome, Matches]]:
    return _collect_cases([stream for stream in heard
                           if not stream.events and stream.kind != SINGLE])[1]


def single_alarms(heard: Sequence[StreamOutcome]) -> dict[str, Any]:
    """Return the share of single harmless sounds with a false alarm, each recording once."""
    singles = [stream for stream in heard if stream.kind == SINGLE]
    return {'recordings': len({stream.group for stream in singles}),
            'share': _share_by_group((stream.group, any(said.alarm for said in stream.replies))
                                     for stream in singles)}


def balanced_accuracy(cases: Sequence[Case],
                      backgrounds: Sequence[tuple[StreamOutcome, Matches]]) -> Estimate:
    """Return the mean of recall (mean of classes) and share of silent pieces of background."""
    silent = false_alarms(backgrounds)['silent_pieces']
    detected = _mean_of_classes(cases, _is_detected)
    spread = [((e.high - e.low) / 2) ** 2 for e in (detected, silent)]
    middle, half = (detected.value + silent.value) / 2, sum(spread) ** 0.5 / 2
    return Estimate(value=middle, low=max(0.0, middle - half), high=min(1.0, middle + half),
                    n=detected.n + silent.n)


def figures(heard: Sequence[StreamOutcome]) -> dict[str, Any]:
    """Return all figures of replies over event scenes and backgrounds."""
    cases, rest = _collect_cases([stream for stream in heard if stream.events])
    backgrounds = _backgrounds_of(heard)

    def recall_by(part: str) -> dict[str, Any]:
        values = sorted({getattr(case.heard, part) for case in cases})
        return {value: recall([c for c in cases if getattr(c.heard, part) == value])
                for value in values}
    labels = sorted({case.event.label for case in cases})
    classes = {label: {**recall(mine), 'delay': delays(mine)} for label in labels
               for mine in [[case for case in cases if case.event.label == label]]}
    return {
        'recall': recall(cases), 'classes': classes, 'conditions': recall_by('condition'),
        'origins': recall_by('origin'), 'delay': delays(cases),
        'repeats_per_detection': sum(len(matches.repeats) for _, matches in rest) / max(
            1, sum(case.detection is not None for case in cases)),
        'false_before_events': sum(len(matches.false) for _, matches in rest),
        'background': false_alarms(backgrounds),
        'backgrounds': false_alarms_by_kind(heard), 'singles': single_alarms(heard),
        'balanced_accuracy': balanced_accuracy(cases, backgrounds)}


def apply_constant(heard: Sequence[StreamOutcome], respond: bool) -> list[StreamOutcome]:
    """Return the streams as a policy hears them that never, or after every chunk, replies."""
    def make_replies(stream: StreamOutcome) -> tuple[GivenReply, ...]:
        chunks = int(stream.seconds / CHUNK_S)
        return tuple(GivenReply(at=(i + 1) * CHUNK_S, urgent=True) for i
                     in range(chunks * respond))
    return [StreamOutcome(name=stream.name, kind=stream.kind, seconds=stream.seconds,
                          events=stream.events,
                          replies=make_replies(stream), group=stream.group, origin=stream.origin,
                          side=stream.side, condition=stream.condition, unique_s=stream.unique_s,
                          label=stream.label)
            for stream in heard]


def _in_window(events: Sequence[ExpectedEvent], at: float) -> bool:
    return any(event.start < at <= event.end + GRACE_S for event in events)


def _window_peaks(heard: Sequence[StreamOutcome]) -> list[tuple[float, bool]]:
    """Return (largest p, truth): per event its window, per background its pieces."""
    peaks = []
    for stream in heard:
        times = [(i + 1) * CHUNK_S for i in range(len(stream.p))]
        for event in stream.events:
            mine = [p for at, p in zip(times, stream.p, strict=True) if _in_window([event], at)]
            peaks.append((max(mine, default=0.0), True))
        per_piece = round(PIECE_S / CHUNK_S)
        if not stream.events:
            peaks += [(max(stream.p[at:at + per_piece]), False)
                      for at in range(0, len(stream.p), per_piece)]
    return peaks


def calibrations(heard: Sequence[StreamOutcome]) -> dict[str, dict[str, Any]]:
    """
    Return calibration per chunk (is a reply now right?) and per window of some seconds.

    Speech is left out: some of it may well be for the robot, and then a reply is right.
    """
    heard = [stream for stream in heard if stream.kind != 'speech']
    chunks = [(p, _in_window(stream.events, (i + 1) * CHUNK_S))
              for stream in heard for i, p in enumerate(stream.p)]
    peaks = _window_peaks(heard)
    return {'per chunk': calibration([p for p, _ in chunks], [y for _, y in chunks]),
            'per event or 10 s': calibration([p for p, _ in peaks], [y for _, y in peaks])}


def apply_threshold(stream: StreamOutcome, threshold: float,
                    min_confidence: float = 0.0) -> StreamOutcome:
    """
    Return a stream with the replies of another pair: one after each chunk that reaches threshold.

    What the model would have been less sure of than ``min_confidence`` is not said. Exact for the
    first reply of a stream. For later ones it is a model: the lane that gave p never replied, so
    its context has no replies in it, told or withheld. Where nobody asked what it would have said
    (a tagger), each is an alarm.
    """
    known = {chunk: (said, sure) for chunk, said, sure in stream.asides}

    def reply_at(chunk: int) -> tuple[GivenReply, float]:
        return known.get(chunk, (GivenReply(at=(chunk + 1) * CHUNK_S, urgent=True), 1.0))
    said = [reply_at(chunk) for chunk, p in enumerate(stream.p) if p >= threshold]
    return replace(stream, computing=(), replies=tuple(
        reply for reply, sure in said if sure >= min_confidence))


def trade_off(heard: Sequence[StreamOutcome], thresholds: Sequence[float] = THRESHOLDS,
              min_confidence: float = 0.0) -> list[dict[str, Any]]:
    """Return recall (mean of classes) and false alarms and chatter per hour by threshold."""
    points = []
    for threshold in thresholds:
        moved = [apply_threshold(stream, threshold, min_confidence) for stream in heard]
        cases, _ = _collect_cases([stream for stream in moved if stream.events])
        silent = false_alarms(_backgrounds_of(moved))
        points.append({
            'threshold': threshold, 'min_confidence': min_confidence,
            'recall': _mean_of_classes(cases, _is_detected),
            'named': _mean_of_classes(cases, _is_named),
            'false_per_hour': silent['false_alarms_per_hour'],
            'chatter_per_hour': silent['chatter_per_hour']})
    return points


def pick_threshold(heard: Sequence[StreamOutcome], rate: float,
                   min_confidence: float = 0.0) -> float | None:
    """Return the lowest threshold with at most ``rate`` false alarms an hour; None if none has."""
    backgrounds = [stream for stream in heard if not stream.events and stream.kind != SINGLE]
    for threshold in FINE:
        moved = [apply_threshold(stream, threshold, min_confidence) for stream in backgrounds]
        if false_alarms(_collect_cases(moved)[1])['false_alarms_per_hour'].value <= rate:
            return threshold
    return None


def list_pairs(heard: Sequence[StreamOutcome], rate: float,
               bars: Sequence[float] = BARS) -> list[dict[str, Any]]:
    """Return a point of the trade-off for each min_confidence, at the threshold it allows."""
    allowed = [(bar, pick_threshold(heard, rate, bar)) for bar in bars]
    return [trade_off(heard, [threshold], bar)[0] for bar, threshold in allowed
            if threshold is not None]


def choose_pair(points: Sequence[dict[str, Any]]) -> dict[str, Any] | None:
    """
    Return the pair with the highest recall; of those with the same, the one of least chatter.

    Where chatter is the same too, the one that withholds least. None of no pairs.
    """
    if not points:
        return None
    best = max(point['recall'].value for point in points)
    return min((point for point in points if not point['recall'].value <= best - SAME),
               key=lambda point: (point['chatter_per_hour'].value, point['min_confidence']))
