"""
What speech_node says next, now, and no more: queue, voice and loudspeaker as one.

Owns the one utterance under way. The worker's thread speaks it sentence by sentence into the
playback, the loudspeaker's thread takes it out; what was played comes back to the executor. All
methods are called with the node's lock held. Knows no topics.
"""

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from rclpy.callback_groups import CallbackGroup

from audio_interaction_ros.config import SpeechConfig
from audio_interaction_ros.errors import AudioInteractionError
from audio_interaction_ros.nodes.lifecycle.managed_node import ManagedNode
from audio_interaction_ros.nodes.lifecycle.worker import Emit, Ready, Worker, WorkerFailure
from audio_interaction_ros.speech.loudspeaker import Loudspeaker
from audio_interaction_ros.speech.playback import Playback, PlayedBlock
from audio_interaction_ros.speech.queue import Dropped, Priority, SpeechQueue, Utterance
from audio_interaction_ros.speech.voice import Voice

__all__ = ['Listeners', 'Mouth', 'Outcome']

_NS = 1_000_000_000
_JOBS = 4
_DUCKED_S = 1.5
"""After the newest sign of somebody else; words are read every 0.4 or 0.8 s."""


@dataclass(frozen=True)
class Outcome:
    """What became of an utterance that was under way, or waited."""

    utterance: Utterance
    spoken: float
    """Share of its text that was heard."""
    reason: str = ''
    """Why it was not said to its end; empty where it was."""


@dataclass(frozen=True)
class _Spoken:
    """From the worker: an utterance is made, or cannot be."""

    number: int
    error: str = ''


@dataclass(kw_only=True)
class _Counts:
    said: int = 0
    interrupted: int = 0
    failed: int = 0


@dataclass
class _Current:
    utterance: Utterance
    reason: str = ''
    spoken: float = 0.0


@dataclass(kw_only=True)
class Listeners:
    """Who is told what."""

    on_block: Callable[[PlayedBlock, int], None]
    """A block that is being played, and when its first sample is heard (ns, the node's clock)."""
    on_over: Callable[[Outcome], None]
    on_begin: Callable[[Utterance], None]
    on_progress: Callable[[Utterance, float], None]
    log: Callable[[str], object]


class Mouth:
    """Says one text at a time."""

    def __init__(self, *, node: ManagedNode, group: CallbackGroup, settings: SpeechConfig,
                 load: Callable[[SpeechConfig], Voice],
                 open_speaker: Callable[[str, int], Loudspeaker], listeners: Listeners) -> None:
        """Load the voice in the worker's thread; open the loudspeaker in ``open``."""
        self._node, self._settings, self._tell = node, settings, listeners
        self._open_speaker = open_speaker
        self.queue = SpeechQueue(capacity=settings.queue, repeat_s=settings.repeat_s)
        self.counts = _Counts()
        self.voice: Voice | None = None
        self.problem = ''
        """Why nothing can be played; empty while it can."""
        self._current: _Current | None = None
        self._wanted = 0  # number that the worker may go on with
        self._speaker: Loudspeaker | None = None
        self._playback: Playback | None = None
        self._played: deque[tuple[PlayedBlock, int]] = deque()
        self._guard = node.create_guard_condition(
            node.exclusive(self._take_played), callback_group=group)
        self._worker = Worker(
            node=node, group=group, setup=lambda: load(settings), compute=self._speak,
            publish=self._take_spoken, capacity=_JOBS, name='voice')
        self._worker.start()

    @property
    def current(self) -> Utterance | None:
        """What is being said."""
        return self._current.utterance if self._current else None

    @property
    def rate_hz(self) -> int:
        """Rate of what is played; 0 before open."""
        return self._playback.rate_hz if self._playback else 0

    @property
    def busy(self) -> bool:
        """True while something is said or waits."""
        return self._current is not None or len(self.queue) > 0

    def open(self) -> None:
        """Open the loudspeaker; ``problem`` says where it does not."""
        try:
            speaker = self._open_speaker(self._settings.device, self._settings.rate_hz)
            playback = Playback(rate_hz=speaker.rate_hz)
            speaker.start(playback, self._note_block)
        except AudioInteractionError as error:
            if str(error) != self.problem:
                self._tell.log(str(error))
            self.problem = str(error)
            return
        self.problem = ''
        self._speaker, self._playback = speaker, playback

    def shut(self, reason: str) -> None:
        """Drop what waits and is said, and close the loudspeaker. Idempotent."""
        self._report(self.queue.clear(reason))
        self._end_current(reason)
        speaker, self._speaker = self._speaker, None
        if speaker is not None:
            speaker.close()
        self._played.clear()

    def close(self) -> None:
        """End the threads. Idempotent."""
        self.shut('the node ends')
        self._worker.close()
        self._node.destroy_guard_condition(self._guard)

    def say(self, utterance: Utterance) -> None:
        """Let a text be said: at once, later, or not, of which somebody is told."""
        if self.problem:
            self.counts.failed += 1
            self._tell.on_over(Outcome(utterance, 0.0, self.problem))
            return
        lost = self.queue.offer(utterance, time.monotonic())
        self._report(lost)
        kept = all(item.utterance is not utterance for item in lost)
        now = self.current
        if kept and now and now.priority < utterance.priority and utterance.priority == 3:
            self.hush('something critical is to be said')
        self._say_next()

    def hush(self, reason: str) -> bool:
        """End what is being said, within 10 ms of playing; False where nothing is."""
        if self._current is None or self._current.reason:
            return False
        self._current.reason = reason
        self._wanted = 0
        assert self._playback is not None, 'only what is played can end'
        self._playback.stop()
        return True

    def fall_silent(self, reason: str) -> bool:
        """End what is being said and drop what waits; False where there was nothing."""
        lost = self.queue.clear(reason)
        self._report(lost)
        return self.hush(reason) or bool(lost)

    def duck(self, decibels: float) -> None:
        """Say what is being said so much softer for a while, unless it is CRITICAL."""
        if self._current and self._current.utterance.priority < Priority.CRITICAL:
            assert self._playback is not None, 'only what is played can be softer'
            self._playback.soften(10.0 ** (-decibels / 20.0), _DUCKED_S)

    def withdraw(self, number: int, reason: str) -> None:
        """End one text, whether it waits or is being said."""
        if not self.queue.withdraw(number) and self.current and self.current.number == number:
            self.hush(reason)

    def look_after(self) -> None:
        """Open the loudspeaker again where it went away; call it now and then."""
        if self._speaker is not None and not self._speaker.is_alive:
            self.problem = 'the loudspeaker went away; it is opened again'
            self._tell.log(self.problem)
            self.shut(self.problem)
        if self._speaker is None:
            self.open()

    def _report(self, lost: list[Dropped]) -> None:
        for item in lost:
            self._tell.on_over(Outcome(item.utterance, 0.0, item.reason))

    def _say_next(self) -> None:
        if self._current or self.voice is None or self._playback is None or self._speaker is None:
            return
        utterance = self.queue.take()
        if utterance is None:
            return
        self._current = _Current(utterance)
        self._wanted = utterance.number
        self._playback.begin(utterance.number)
        self._worker.put(utterance)
        self._tell.on_begin(utterance)
        self._speaker.wake()

    def _speak(self, voice: Voice, items: list[Utterance], emit: Emit) -> bool:
        """Make speech of a text (worker's thread)."""
        playback = self._playback
        for utterance in items:
            error = ''
            try:
                assert playback is not None, 'nothing is said before open'
                for samples, share in voice.speak(utterance.text, utterance.language,
                                                  rate_hz=playback.rate_hz):
                    if self._wanted != utterance.number:
                        break
                    playback.put(utterance.number, samples, share)
            except AudioInteractionError as refused:
                error = str(refused)
            emit(_Spoken(utterance.number, error))
        return False

    def _take_spoken(self, output: Ready | WorkerFailure | _Spoken) -> None:
        if isinstance(output, WorkerFailure):
            self._node.recovery.give_up(f'cannot speak: {output.error}', output.error)
        elif isinstance(output, Ready):
            self.voice = output.result
            self._say_next()
        elif self._current and self._current.utterance.number == output.number:
            if output.error and not self._current.reason:
                self._current.reason = output.error
            assert self._playback is not None, 'nothing is said before open'
            self._playback.finish(output.number)

    def _note_block(self, block: PlayedBlock, delay_s: float) -> None:
        """Take a block that is being played (loudspeaker's thread)."""
        stamp_ns = self._node.get_clock().now().nanoseconds + round(delay_s * _NS)
        self._played.append((block, stamp_ns))
        self._guard.trigger()

    def _take_played(self) -> None:
        while self._played:
            block, stamp_ns = self._played.popleft()
            self._tell.on_block(block, stamp_ns)
            current = self._current
            if current is None or current.utterance.number != block.number:
                continue
            current.spoken = block.spoken
            self._tell.on_progress(current.utterance, block.spoken)
            if block.over:
                self._end_current(current.reason)
                self._say_next()

    def _end_current(self, reason: str) -> None:
        current, self._current = self._current, None
        self._wanted = 0
        if current is None:
            return
        if not reason:
            self.counts.said += 1
            self._node.recovery.note_success()
        else:
            self.counts.interrupted += 1
        self._tell.on_over(Outcome(current.utterance, current.spoken if reason else 1.0, reason))
