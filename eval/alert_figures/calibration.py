"""Is p_respond a probability? Per chunk, and per event or piece of a background."""

from collections.abc import Sequence
from typing import Any

from audio_interaction_ros.protocol import CHUNK_S
from eval.alert_figures.outcome import PIECE_S, StreamOutcome, end_of
from eval.matching import GRACE_S, ExpectedEvent
from measure.intervals import calibration

__all__ = ['calibrations']


def _in_window(events: Sequence[ExpectedEvent], at: float) -> bool:
    return any(event.start < at <= event.end + GRACE_S for event in events)


def _window_peaks(heard: Sequence[StreamOutcome]) -> list[tuple[float, bool]]:
    """Return (largest p, truth): per event its window, per background its pieces."""
    peaks = []
    for stream in heard:
        times = [end_of(chunk) for chunk in range(len(stream.p))]
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
    chunks = [(p, _in_window(stream.events, end_of(chunk)))
              for stream in heard for chunk, p in enumerate(stream.p)]
    peaks = _window_peaks(heard)
    return {'per chunk': calibration([p for p, _ in chunks], [y for _, y in chunks]),
            'per event or 10 s': calibration([p for p, _ in peaks], [y for _, y in peaks])}
