"""
A day of stream through the real nodes, with faults from a seed, and whether the counts add up.

Encoder and decoder run as processes with a scripted model, fed faster than real time as fast as
the decoder takes chunks; or with a real model in real time. In between one of the faults below is
injected, chosen at random from the seed. Checked: in every report of the encoder's queue
offered = consumed + dropped + pending + in flight, exactly; the decoder misses no chunk; what a
killed encoder had published is consumed; nobody ends without being killed; after every hour
everything that was offered is taken or counted.
"""

import random
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from audio_interaction_ros.protocol import CHUNK_S
from audio_interaction_ros.resources import shipped_path
from bench.measure import Figure, spread
from bench.nodes import require_nodes
from bench.robot import ProcessState, Robot
from bench.soak_faults import Faults
from bench.soak_feed import BATCH, PATIENCE_S, Feed

__all__ = ['SCRIPTED', 'Soak', 'run']

SCRIPTED = 'scripted'
_LOOK_EVERY = 9_000  # chunks: an hour
_PROBES = 30
_SPEAKS = ('noise', 'noise', 'noise', 'silence', 'full', 'dc')


@dataclass(kw_only=True)
class Soak:
    """The plan, and what was done of it."""

    robot: Robot
    feed: Feed
    faults: Faults
    fault_every_s: float
    chance: random.Random
    states: list[dict[str, ProcessState]] = field(default_factory=list)
    round_trips_ms: list[list[float]] = field(default_factory=list)
    _progress: tuple[int, float] = (0, 0.0)

    def stream(self, chunks: int) -> None:
        """Stream so many chunks, with faults in between; look at memory every hour of it."""
        self.feed.expect(lambda: bool(self.robot.seen.listeners and self.robot.seen.consumer),
                         'encoder and decoder are there', seconds=180.0)
        self.feed.speak(BATCH)
        self.measure()
        look_every = min(_LOOK_EVERY, max(chunks // 4, 1))
        fault_at, look_at = self._draw_next_fault(), look_every
        while self.feed.sent < chunks and not self._is_deaf():
            self.feed.speak(1 if self.feed.realtime else BATCH, self.chance.choice(_SPEAKS))
            self.robot.revive()
            if self.feed.sent >= fault_at:
                name = self.faults.choose()
                self._print_progress(name)
                self.faults.cause(name)
                self._progress = (-1, 0.0)  # patience anew: a killed node is noticed after 20 s
                fault_at = self.feed.sent + self._draw_next_fault()
            if self.feed.sent >= look_at:
                self.measure()
                look_at += look_every
                self._print_progress('')

    def _is_deaf(self) -> bool:
        """Tell whether no chunk was taken for so long that none ever will be."""
        progress, now = self.robot.seen.progress, time.monotonic()
        if progress != self._progress[0]:
            self._progress = (progress, now)
        deaf = now - self._progress[1] > PATIENCE_S
        if deaf:
            self.robot.dump()
            self.feed.stuck.append('chunks are taken again (threads on the standard error)')
        return deaf

    def _draw_next_fault(self) -> int:
        return round(self.chance.expovariate(1.0) * self.fault_every_s / CHUNK_S) + 1

    def _print_progress(self, what: str) -> None:
        print(f'  {self.feed.sent * CHUNK_S / 3600:7.3f} h of stream, '
              f'{self.faults.counts.total():4d} faults, {len(self.robot.seen.unbalanced)} reports '
              f'that do not add up  {what}', file=sys.stderr, flush=True)

    def measure(self) -> None:
        """Let everything be taken, then look at what the processes hold and how fast they are."""
        if not self.robot.wait_for_report(
                'encoder_node: fifo', lambda values: 'offered' in values and int(
                    values['pending']) == int(values['in_flight']) == 0, PATIENCE_S):
            self.feed.stuck.append('everything offered is taken')
        self.feed.forget_owed()
        self.round_trips_ms.append([self._round_trip_ms() for _ in range(_PROBES)])
        self.states.append(self.robot.read_states())
        self.feed.is_measured = True

    def _round_trip_ms(self) -> float:
        seen, before = self.robot.seen, self.robot.seen.progress
        began = time.perf_counter()
        self.feed.sent += 1
        self.robot.tell('speak', blocks=1)
        seen.wait(lambda: seen.progress > before, 5.0)
        return 1000.0 * (time.perf_counter() - began)

    def make_figures(self, seconds: float) -> list[Figure]:
        """Return what came of it; a figure with the goal 0 is a promise."""
        seen = self.robot.seen
        injected = ', '.join(f'{count} {name}'
                             for name, count in sorted(self.faults.counts.items()))
        made = [
            Figure(what='stream', unit='h', value=self.feed.sent * CHUNK_S / 3600,
                   note=f'{self.feed.sent * CHUNK_S / seconds:.0f} times real time'),
            Figure(what='faults injected', unit='', value=self.faults.counts.total(),
                   note=injected),
            Figure(what='reports of the queue that do not add up', unit='', goal=0,
                   value=len(seen.unbalanced), samples=seen.counts['encoder_node: fifo'],
                   note=str(seen.unbalanced[:1] or '')),
            Figure(what='chunks that never came to the decoder', unit='', value=seen.missing,
                   goal=0, samples=sum(seen.published.values()),
                   note=f'{seen.skipped} not seen by the witness, who is busy speaking'),
            Figure(what='published by a killed encoder, never taken', unit='',
                   value=self.faults.left_behind, goal=self.faults.counts['encoder killed'],
                   note='a kill can fall between the two who read, the decoder and the stimulus'),
            Figure(what='processes that ended by themselves', unit='', goal=0,
                   value=len(self.robot.ended), note='; '.join(self.robot.ended)[:200],
                   samples=sum(self.robot.starts.values())),
            Figure(what='things that never happened', unit='', value=len(self.feed.stuck), goal=0,
                   note='; '.join(self.feed.stuck)[:300])]
        if seen.latencies:
            made.append(spread('decision latency',
                               [1000.0 * latency for latency in seen.latencies]))
        for when, at in (('beginning', 0), ('end', -1)):
            made.append(spread(f'block to credit, {when}', self.round_trips_ms[at]))
            made += self._state_figures(when, self.states[at])
        return made

    def _state_figures(self, when: str, states: dict[str, ProcessState]) -> list[Figure]:
        return [Figure(what=f'{name} at the {when}: {what}', unit=unit, value=value)
                for name, state in states.items()
                for what, unit, value in (('memory', 'MiB', state.resident_mib),
                                          ('handles', '', state.handles),
                                          ('threads', '', state.threads))]


def run(*, hours: float, seed: int, fault_every_s: float, model: str,
        realtime: bool) -> list[Figure]:
    """Stream so many hours and return the figures."""
    require_nodes()
    with tempfile.TemporaryDirectory(prefix='bench-') as folder:
        robot = Robot(command=lambda name: _node_command(name, model), folder=Path(folder),
                      decisions=realtime, EVERY='23', SLOW_STEP_S='0.5')
        feed, chance = Feed(robot, realtime=realtime), random.Random(seed)
        soak = Soak(robot=robot, feed=feed, faults=Faults(feed, chance),
                    fault_every_s=fault_every_s, chance=chance)
        began = time.monotonic()
        try:
            soak.stream(round(hours * 3600 / CHUNK_S))
            soak.measure()
            seconds = time.monotonic() - began
            print('\n'.join(f'  {count:6d} {words}' for words, count
                            in robot.seen.words.most_common()), file=sys.stderr)
            return soak.make_figures(seconds)
        finally:
            robot.close()


def _node_command(name: str, model: str) -> list[str]:
    lanes = ['--ros-args', '-p', 'lanes:=[transcript,translation,assistant]',
             '-p', 'lane.transcript.kind:=transcript', '-p', 'lane.translation.kind:=translation',
             '-p', 'lane.assistant.alerts:=true']
    nodes = 'audio_interaction_ros.nodes'
    if model == SCRIPTED:
        return [sys.executable, '-m', f'{nodes}.scripted_process', name, *lanes]
    return [sys.executable, '-m', f'{nodes}.{name}', '--ros-args', '--params-file',
            str(shipped_path('config/edge.yaml')), '-p', f'model.path:={model}']

