"""
Recordings heard by the assistant without ROS: one loaded model, each recording from its start.

What is heard depends on the samples alone: every chunk is worked off before the next one enters,
so a replay at any speed, on any machine with the same model, gives the same.
"""

import time
from collections.abc import Callable, Iterable, Iterator

from audio_interaction_ros.audio.block import AudioBlock
from audio_interaction_ros.config import AssistantConfig
from audio_interaction_ros.errors import AudioFormatError
from audio_interaction_ros.offline import Assistant
from audio_interaction_ros.replay.collect import EventCollector
from audio_interaction_ros.replay.heard import Heard

__all__ = ['OfflineListener', 'keep_pace']


class OfflineListener:
    """Hears recordings one after another; none goes over into the next."""

    def __init__(self, make: Callable[[], Assistant], kinds: dict[str, str]) -> None:
        """Take what makes an assistant on a loaded model, and the kinds of its lanes by name."""
        self._make, self._kinds = make, kinds

    @classmethod
    def load(cls, config: AssistantConfig, tell: Callable[[str], object] = lambda _: None
             ) -> 'OfflineListener':
        """Load the model that a configuration names; ``tell`` is told what is being loaded."""
        return cls(Assistant.maker(config, tell), {lane.name: lane.kind for lane in config.lanes})

    def hear(self, blocks: Iterable[AudioBlock], speed: float = 0.0) -> list[Heard]:
        """
        Return what is heard of a recording.

        ``speed`` 1 plays it no faster than it was, 10 ten times so fast, 0 as fast as possible.
        Raises AudioFormatError for one without audio.
        """
        assistant = self._make()
        collector = EventCollector(kinds=self._kinds, read_again=assistant.read_again)
        for event in assistant.listen(keep_pace(_note_zero(blocks, collector), speed)):
            collector.note(event)
        if not assistant.stats.audio_s:
            raise AudioFormatError('expected audio in the recording, found none; name another')
        return collector.heard


def _note_zero(blocks: Iterable[AudioBlock], collector: EventCollector) -> Iterator[AudioBlock]:
    """Yield the blocks; the stamp of the first one is where times begin."""
    for number, block in enumerate(blocks):
        if not number:
            collector.zero_ns = block.stamp_ns or 0
        yield block


def keep_pace(blocks: Iterable[AudioBlock], speed: float,
              clock: Callable[[], float] = time.monotonic,
              sleep: Callable[[float], None] = time.sleep) -> Iterator[AudioBlock]:
    """Hand out each block no sooner than its last sample is due at this speed; 0: at once."""
    start, played_s = clock(), 0.0
    for block in blocks:
        played_s += len(block.samples) / block.sample_rate_hz
        if speed > 0:
            sleep(max(0.0, start + played_s / speed - clock()))
        yield block
