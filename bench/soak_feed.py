"""
What is spoken to the robot of a soak: chunks as fast as they are taken, or in real time.

Owns how many are on their way, and what was waited for in vain.
"""

import time
from collections.abc import Callable

from audio_interaction_ros.protocol import CHUNK_S
from bench.audio import SAMPLE_SCENE
from bench.nodes import NodesError
from bench.robot import Robot

__all__ = ['AHEAD', 'BATCH', 'PATIENCE_S', 'Feed']

BATCH = 8
AHEAD = 24  # chunks on their way at once, fewer than the queue holds
PATIENCE_S = 60.0


class Feed:
    """Speaks blocks of one chunk each, and waits for what must come of them."""

    def __init__(self, robot: Robot, *, realtime: bool) -> None:
        """Say nothing yet."""
        self.robot, self.realtime = robot, realtime
        self.sent = 0
        """Blocks that were spoken."""
        self.stuck: list[str] = []
        """What was waited for in vain."""
        self.is_measured = False
        """The robot worked once; before that, whoever waits in vain gives up."""
        self._owed = 0
        self._next_at = 0.0

    def speak(self, blocks: int, sound: str = 'noise', *, pace: bool = True,
              skip_s: float = 0.0) -> None:
        """Speak blocks of a chunk each, as fast as they are taken, or in real time."""
        self.sent += blocks
        if self.realtime:
            self._in_real_time(blocks, skip_s)
            return
        self.robot.tell('speak', blocks=blocks, sound=sound, skip_s=skip_s)
        self._owed += blocks
        if not pace:
            return
        seen = self.robot.seen
        goal = seen.progress + self._owed - AHEAD
        # What a fault lost never comes; those who lost it have counted it.
        arrived = seen.wait(lambda: seen.progress >= goal, 1.0)
        self._owed = max(0, goal + AHEAD - seen.progress) if arrived else 0

    def _in_real_time(self, blocks: int, skip_s: float) -> None:
        for _ in range(blocks):
            self.robot.tell('speak', blocks=4, sound='file', block_s=CHUNK_S / 4,
                            file=str(SAMPLE_SCENE), skip_s=skip_s)
            self._next_at = max(self._next_at, time.monotonic() - CHUNK_S) + CHUNK_S
            time.sleep(max(0.0, self._next_at - time.monotonic()))

    def call(self, service: str, **fields: str | bool) -> None:
        """Call a service of the robot and wait for its answer."""
        seen, count = self.robot.seen, len(self.robot.seen.answers)
        self.robot.tell('call', service=service, **fields)
        self.expect(lambda: len(seen.answers) > count, f'{service} answers')

    def expect(self, condition: Callable[[], bool], what: str,
               seconds: float = PATIENCE_S) -> None:
        """Wait for what must happen; NodesError where nothing ever did."""
        if self.robot.seen.wait(condition, seconds):
            return
        self.stuck.append(what)
        if len(self.stuck) == 1 and not self.is_measured:
            raise NodesError(f'never happened: {what}; {self.robot.log_tail()}')

    def forget_owed(self) -> None:
        """Take it that nothing is on its way."""
        self._owed = 0
