"""
What is wrong with the sound that comes in, in words: from counters to findings of a diagnosis.

Owns which count is worth a warning, for how long, and what an operator can do about it. Knows
neither topics nor messages.
"""

import time
from collections import deque
from collections.abc import Callable, Mapping

from audio_interaction_ros.nodes.encoding.encoder_task import EncoderTask
from audio_interaction_ros.nodes.lifecycle.diagnostics import WARN, StatusReport
from audio_interaction_ros.protocol import SAMPLE_RATE_HZ

__all__ = ['InputReport', 'RecentGrowth']

_WINDOW_S = 10.0
_CLIPPED_SHARE = 0.001
_MOST_OFFSET = 0.05
_QUIET_DBFS = -75.0  # the noise of a microphone alone is louder
_QUIET_AFTER_S = 60.0


class RecentGrowth:
    """How much counters have grown lately, as seen by regular looks at them."""

    def __init__(self, *, window_s: float = _WINDOW_S) -> None:
        """Begin with everything at 0."""
        self._window_s = window_s
        self._looks: deque[tuple[float, Mapping[str, float]]] = deque([(float('-inf'), {})])

    def growth(self, now: float, counters: Mapping[str, float]) -> dict[str, float]:
        """Return by how much each has grown within the window, up to steady second ``now``."""
        self._looks.append((now, dict(counters)))
        while len(self._looks) > 2 and self._looks[1][0] <= now - self._window_s:
            self._looks.popleft()
        before = self._looks[0][1]
        return {name: value - before.get(name, 0) for name, value in counters.items()}


class InputReport:
    """Looks at what the listening side counted; ``check`` once a second."""

    def __init__(self, *, ears: EncoderTask, silence_warning_s: float,
                 clock: Callable[[], float] = time.monotonic) -> None:
        """Remember nothing yet."""
        self._ears, self._clock = ears, clock
        self.silence_warning_s = silence_warning_s
        self._recent = RecentGrowth()
        self._loud_at = clock()

    def check(self, report: StatusReport) -> None:
        """Add the counters as values, and what they mean now in words."""
        stats, now = vars(self._ears.stats), self._clock()
        counters = {**stats, 'restarts': self._ears.restarts,
                    'lost_in_faults': self._ears.lost_in_faults}
        report.values.update(counters, level_dbfs=self._ears.level_dbfs)
        grown = self._recent.growth(now, counters)
        for words in (*_find_gaps(grown), *_find_sample_faults(grown), *_find_stamp_jumps(grown),
                      *_find_faults(grown), *self._find_level_faults(now, grown)):
            report.add(WARN, words)

    def _find_level_faults(self, now: float, grown: Mapping[str, float]) -> list[str]:
        """Find a microphone that is muted, unplugged or far too quiet."""
        loudest, self._ears.loudest_dbfs = self._ears.loudest_dbfs, -120.0
        if loudest > _QUIET_DBFS or not grown['chunks']:
            self._loud_at = now
        offset = self._ears.stats.dc_offset
        findings = []
        if abs(offset) > _MOST_OFFSET:
            findings.append(f'a constant offset of {offset:+.0%} of full scale: check the '
                            f'microphone and its wiring')
        if self._ears.silent_s >= self.silence_warning_s:
            findings.append(f'digital silence for {self._ears.silent_s:.0f} s: is this the right '
                            f'microphone?')
        elif now - self._loud_at > _QUIET_AFTER_S:
            findings.append(f'nothing above {_QUIET_DBFS:.0f} dBFS for {now - self._loud_at:.0f} '
                            f's: raise the gain of the microphone')
        return findings


def _find_gaps(grown: Mapping[str, float]) -> list[str]:
    if not grown['gaps']:
        return []
    return [f'{grown["gaps"]:.0f} gaps in the last {_WINDOW_S:.0f} s: '
            f'{grown["lost_samples"] / SAMPLE_RATE_HZ:.2f} s of audio never came; check the '
            f'network, the microphone and the load of the machine']


def _find_sample_faults(grown: Mapping[str, float]) -> list[str]:
    findings = []
    if grown['clipped_samples'] > _CLIPPED_SHARE * grown['samples']:
        share = grown['clipped_samples'] / grown['samples']
        findings.append(f'clipping: {share:.1%} of the samples of the last {_WINDOW_S:.0f} s are '
                        f'at full scale; lower the gain of the microphone')
    if grown['nonfinite_samples']:
        findings.append(f'{grown["nonfinite_samples"]:.0f} samples of the last {_WINDOW_S:.0f} s '
                        f'were not finite and became 0; the publisher must correct them')
    return findings


def _find_stamp_jumps(grown: Mapping[str, float]) -> list[str]:
    findings = []
    for name, direction in (('backwards_stamps', 'back'), ('forward_stamps', 'forward')):
        if grown[name]:
            findings.append(f'stamps jumped {direction} in the last {_WINDOW_S:.0f} s and no '
                            f'audio was missing: a clock was set, or a recording began again')
    if grown['format_changes']:
        findings.append(f'the format of the audio changed {grown["format_changes"]:.0f} times in '
                        f'the last {_WINDOW_S:.0f} s')
    return findings


def _find_faults(grown: Mapping[str, float]) -> list[str]:
    findings = []
    if grown['restarts']:
        findings.append(f'the stream started anew {grown["restarts"]:.0f} times in the last '
                        f'{_WINDOW_S:.0f} s after a fault, which is in the log')
    if grown['lost_in_faults']:
        findings.append(f'{grown["lost_in_faults"] / SAMPLE_RATE_HZ:.1f} s of audio were not '
                        f'heard because of a fault, which is in the log')
    return findings
