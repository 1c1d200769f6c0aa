"""What is said on backgrounds and on single harmless sounds, where nothing is due."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from eval.alert_figures.outcome import PIECE_S, SINGLE, StreamOutcome
from eval.alert_figures.recall import MatchedStream, match_streams, share_by_group
from eval.matching import count_bursts
from measure.intervals import Estimate, poisson, quotients

__all__ = ['alarm_rate', 'chatter_rate', 'false_alarms', 'false_alarms_by_kind',
           'match_backgrounds', 'silent_pieces', 'single_alarms']


def match_backgrounds(heard: Sequence[StreamOutcome]) -> list[MatchedStream]:
    """Return the backgrounds of streams, single sounds left out, with their false replies."""
    return match_streams([stream for stream in heard
                          if not stream.events and stream.kind != SINGLE])


def alarm_rate(backgrounds: Sequence[MatchedStream]) -> Estimate:
    """Return false alarms (bursts) per hour."""
    return poisson(_count_alarms(backgrounds), _hours(backgrounds))


def _count_alarms(backgrounds: Sequence[MatchedStream]) -> int:
    return sum(count_bursts([said.at for said in matches.false if said.alarm])
               for _, matches in backgrounds)


def _hours(backgrounds: Sequence[MatchedStream]) -> float:
    return sum(stream.seconds for stream, _ in backgrounds) / 3600


def chatter_rate(backgrounds: Sequence[MatchedStream]) -> Estimate:
    """Return false replies per hour that are no alarms."""
    return poisson(sum(not said.alarm for _, matches in backgrounds for said in matches.false),
                   _hours(backgrounds))


def false_alarms(backgrounds: Sequence[MatchedStream]) -> dict[str, Any]:
    """Return false alarms per hour (bursts), alerts raised, and false replies of all sorts."""
    hours = _hours(backgrounds)
    replies = sum(len(matches.false) for _, matches in backgrounds)
    return {
        'hours': hours, 'hours_of_different_recordings': sum(
            stream.unique_s for stream, _ in backgrounds) / 3600,
        'false_alarms': _count_alarms(backgrounds),
        'false_alarms_per_hour': alarm_rate(backgrounds),
        'by_label': _count_labels(backgrounds),
        'alerts_raised_per_hour': poisson(sum(stream.raised for stream, _ in backgrounds), hours),
        'withheld_per_hour': poisson(sum(stream.withheld for stream, _ in backgrounds), hours),
        'chatter_per_hour': chatter_rate(backgrounds),
        'false_replies_per_hour': poisson(replies, hours),
        'silent_pieces': silent_pieces(backgrounds)}


def silent_pieces(backgrounds: Sequence[MatchedStream]) -> Estimate:
    """Return the share of pieces of PIECE_S in which nothing is said."""
    pieces = [stream.pieces for stream, _ in backgrounds]
    loud = [len({min(int(said.at / PIECE_S), stream.pieces - 1) for said in matches.false})
            for stream, matches in backgrounds]
    return quotients([all_ - some for all_, some in zip(pieces, loud, strict=True)], pieces,
                     share=True)


def _count_labels(backgrounds: Sequence[MatchedStream]) -> dict[str, int]:
    """Return how often each alert was raised for nothing, each time counted, the most first."""
    return dict(Counter('+'.join(sorted(said.labels)) for _, matches in backgrounds
                        for said in matches.false if said.alarm).most_common())


def false_alarms_by_kind(heard: Sequence[StreamOutcome]) -> dict[str, dict[str, Any]]:
    """Return the false alarms of each kind of background, single sounds left out."""
    pairs = match_backgrounds(heard)
    return {kind: false_alarms([pair for pair in pairs if pair[0].kind == kind])
            for kind in sorted({stream.kind for stream, _ in pairs})}


def single_alarms(heard: Sequence[StreamOutcome]) -> dict[str, Any]:
    """Return the share of single harmless sounds with a false alarm, each recording once."""
    singles = [stream for stream in heard if stream.kind == SINGLE]
    return {'recordings': len({stream.group for stream in singles}),
            'share': share_by_group((stream.group, any(said.alarm for said in stream.replies))
                                    for stream in singles)}
