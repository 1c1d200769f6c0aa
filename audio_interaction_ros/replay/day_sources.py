"""
A long recording as a ``Day``: from the topics that a robot recorded, or by hearing its audio.

Owns what is read of decisions, scores and diagnostics.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from audio_interaction_ros.audio.bag import is_bag, read_topics
from audio_interaction_ros.audio.block import AudioBlock
from audio_interaction_ros.audio.messages import stamp_ns
from audio_interaction_ros.errors import AudioFormatError
from audio_interaction_ros.protocol import CHUNK_S
from audio_interaction_ros.replay.day import Day, settle
from audio_interaction_ros.replay.listener import OfflineListener
from audio_interaction_ros.replay.recorded import OUR_PACKAGE, hear_recorded_from

__all__ = ['hear_day', 'holds_topics', 'recorded_day']

_NS, _MINUTE_NS = 1_000_000_000, 60_000_000_000
_DROPS = {
    'encoder_node: fifo': ('dropped_overflow', 'lost_in_flight'),
    'encoder_node: audio input': ('dropped_blocks', 'refused'),
    'decoder_node: decode': ('dropped', 'missing', 'refused', 'resets')}
"""Which counts of the diagnostics are losses."""


def holds_topics(path: Path) -> bool:
    """Tell whether a bag holds what an assistant heard, so that nothing need be heard again."""
    if not is_bag(path):
        return False
    found = read_topics(path, lambda topic, kind: kind == f'{OUR_PACKAGE}Decision',
                        warn=lambda _: None)
    return next(found, None) is not None


def recorded_day(path: Path, namespace: str, warn: Callable[[str], object]) -> Day:
    """Return what a robot heard and recorded; errors are those of ``hear_recorded``."""
    heard, zero_ns, rest = hear_recorded_from(path, namespace, warn=warn,
                                              more=('diagnostics', 'decisions', 'sounds/scores'))
    listened: dict[int, float] = defaultdict(float)
    loudness: dict[int, float] = {}
    latencies: list[float] = []
    counts: dict[str, int] = {}
    end_ns, seen = zero_ns, set[tuple[int, int]]()
    for name, message in rest:
        if name == 'diagnostics':
            _note_drops(message, counts)
            continue
        now_ns = stamp_ns(message.header.stamp)
        end_ns, minute = max(end_ns, now_ns), (now_ns - zero_ns) // _MINUTE_NS
        if (message.epoch, message.seq) not in seen:  # each lane decides on each chunk
            seen.add((message.epoch, message.seq))
            listened[minute] += CHUNK_S
        if name == 'decisions':
            latencies.append(float(message.decision_latency_s))
        else:
            loudness[minute] = max(loudness.get(minute, -np.inf), float(message.rms_dbfs))
    seconds = max([(end_ns - zero_ns) / _NS, *(one.end_s for one in heard)])
    return settle(Day(name=path.name, begin_ns=zero_ns, seconds=seconds, heard=tuple(heard),
                      listened=dict(listened), loudness=loudness, latencies_s=tuple(latencies),
                      drops=counts))


def _note_drops(message: Any, counts: dict[str, int]) -> None:
    """Keep the highest of each count: they only grow while a node lives."""
    for status in message.status:
        values = {pair.key: pair.value for pair in status.values}
        for key in _DROPS.get(status.name, ()):
            if values.get(key, '').isdigit():
                name = f'{status.name}: {key}'
                counts[name] = max(counts.get(name, 0), int(values[key]))


def hear_day(name: str, blocks: Iterable[AudioBlock], listener: OfflineListener) -> Day:
    """Return what the assistant makes of a recording; nobody measures latencies or drops."""
    levels, listened = dict[int, float](), Counter[int]()
    begin: list[int] = []
    heard_s = [0.0]

    def watch() -> Iterator[AudioBlock]:
        for block in blocks:
            if not begin:
                begin.append(block.stamp_ns or 0)
            minute = int(heard_s[0] // 60)
            heard_s[0] += len(block.samples) / block.sample_rate_hz
            listened[minute] += round(1000 * len(block.samples) / block.sample_rate_hz)
            levels[minute] = max(levels.get(minute, -np.inf), _level_dbfs(block.samples))
            yield block
    heard = listener.hear(watch())
    if not begin:
        raise AudioFormatError(f'{name}: expected audio, found none; name another recording')
    return settle(Day(name=name, begin_ns=begin[0], seconds=heard_s[0], heard=tuple(heard),
                      listened={minute: count / 1000 for minute, count in listened.items()},
                      loudness=levels))


def _level_dbfs(samples: np.ndarray) -> float:
    full = 1.0 if samples.dtype.kind == 'f' else float(np.iinfo(samples.dtype).max)
    rms = float(np.sqrt(np.mean(np.square(samples.astype(np.float64) / full)))) if len(
        samples) else 0.0
    return float(20 * np.log10(max(rms, 1e-6)))
