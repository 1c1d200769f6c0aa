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
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from audio_interaction_ros.protocol import CHUNK_S
from audio_interaction_ros.resources import shipped_path
from bench.audio import SAMPLE_SCENE
from bench.measure import Figure, spread
from bench.nodes import NodesError, require_nodes
from bench.robot import ProcessState, Robot

__all__ = ['SCRIPTED', 'Soak', 'run']

SCRIPTED = 'scripted'
_BATCH = 8
_AHEAD = 24  # chunks on their way at once, fewer than the queue holds
_LOOK_EVERY = 9_000  # chunks: an hour
_PATIENCE_S = 60.0
_PROBES = 30
_SPEAKS = ('noise', 'noise', 'noise', 'silence', 'full', 'dc')


@dataclass(kw_only=True)
class Soak:
    """The plan, and what was done of it."""

    robot: Robot
    realtime: bool
    fault_every_s: float
    chance: random.Random
    sent: int = 0
    """Blocks of one chunk each that were spoken."""
    faults: Counter[str] = field(default_factory=Counter)
    left_behind: int = 0
    """Chunks that a killed encoder had published and that were never taken."""
    stuck: list[str] = field(default_factory=list)
    states: list[dict[str, ProcessState]] = field(default_factory=list)
    round_trips_ms: list[list[float]] = field(default_factory=list)
    _owed: int = 0
    _next_at: float = 0.0
    _progress: tuple[int, float] = (0, 0.0)

    def stream(self, chunks: int) -> None:
        """Stream so many chunks, with faults in between; look at memory every hour of it."""
        self._expect(lambda: bool(self.robot.seen.listeners and self.robot.seen.consumer),
                     'encoder and decoder are there', seconds=180.0)
        self.speak(_BATCH)
        self.measure()
        look_every = min(_LOOK_EVERY, max(chunks // 4, 1))
        fault_at, look_at = self._draw_next_fault(), look_every
        while self.sent < chunks and not self._is_deaf():
            self.speak(1 if self.realtime else _BATCH, self.chance.choice(_SPEAKS))
            self.robot.revive()
            if self.sent >= fault_at:
                self._cause_fault()
                fault_at = self.sent + self._draw_next_fault()
            if self.sent >= look_at:
                self.measure()
                look_at += look_every
                self._print_progress('')

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
        goal = seen.progress + self._owed - _AHEAD
        # What a fault lost never comes; those who lost it have counted it.
        arrived = seen.wait(lambda: seen.progress >= goal, 1.0)
        self._owed = max(0, goal + _AHEAD - seen.progress) if arrived else 0

    def _in_real_time(self, blocks: int, skip_s: float) -> None:
        for _ in range(blocks):
            self.robot.tell('speak', blocks=4, sound='file', block_s=CHUNK_S / 4,
                            file=str(SAMPLE_SCENE), skip_s=skip_s)
            self._next_at = max(self._next_at, time.monotonic() - CHUNK_S) + CHUNK_S
            time.sleep(max(0.0, self._next_at - time.monotonic()))

    def _is_deaf(self) -> bool:
        """Tell whether no chunk was taken for so long that none ever will be."""
        progress, now = self.robot.seen.progress, time.monotonic()
        if progress != self._progress[0]:
            self._progress = (progress, now)
        deaf = now - self._progress[1] > _PATIENCE_S
        if deaf:
            self.robot.dump()
            self.stuck.append('chunks are taken again (threads on the standard error)')
        return deaf

    def _draw_next_fault(self) -> int:
        return round(self.chance.expovariate(1.0) * self.fault_every_s / CHUNK_S) + 1

    def _cause_fault(self) -> None:
        faults: dict[str, Callable[[], None]] = {
            'gap': lambda: self.speak(1, skip_s=self.chance.uniform(0.1, 20.0)),
            'burst': lambda: self.speak(self.chance.randint(33, 120), pace=False),
            'NaN': lambda: self.speak(1, 'nan'),
            'foreign chunk': self._send_foreign,
            'encoder killed': self._kill_encoder,
            'decoder killed': self._kill_decoder,
            'encoder stopped': lambda: self._stop_for_a_while('encoder_node'),
            'decoder stopped': lambda: self._stop_for_a_while('decoder_node'),
            'decoder slow': self._slow_decoder,
            'encoder reset': lambda: self._call('encoder_node/reset'),
            'decoder reset': lambda: self._call('decoder_node/reset'),
            'prompt': lambda: self._call('decoder_node/set_prompt', lane='assistant', prompt=(
                'Say what you hear. ' * self.chance.randint(1, 30))),
            'muted': self._mute_encoder}
        if self.realtime:
            del faults['decoder slow']  # only the scripted model can be told to be
        name = self.chance.choice(sorted(faults))
        self.faults[name] += 1
        self._print_progress(name)
        faults[name]()
        self._progress = (-1, 0.0)  # patience begins anew: a killed node is noticed after 20 s

    def _print_progress(self, what: str) -> None:
        print(f'  {self.sent * CHUNK_S / 3600:7.3f} h of stream, {sum(self.faults.values()):4d} '
              f'faults, {len(self.robot.seen.unbalanced)} reports that do not add up  {what}',
              file=sys.stderr, flush=True)

    def _send_foreign(self) -> None:
        seen, count = self.robot.seen, self.robot.seen.foreign
        self.robot.tell('foreign')
        self._expect(lambda: seen.foreign > count, 'a foreign chunk was sent')

    def _kill_encoder(self) -> None:
        seen = self.robot.seen
        self.speak(_BATCH, pace=False)
        self.robot.kill('encoder_node')
        self._expect(lambda: seen.listeners == 0, 'the killed encoder is gone')
        epoch = max(seen.published, default=0)
        if epoch and not seen.wait(
                lambda: seen.consumed.get(epoch, 0) >= seen.published[epoch], _PATIENCE_S):
            self.left_behind += seen.published[epoch] - seen.consumed.get(epoch, 0)
        self.robot.start('encoder_node')
        self.speak(_BATCH, pace=False)  # nobody hears these
        self._expect(lambda: seen.listeners > 0, 'the encoder is back')
        self._owed = 0

    def _kill_decoder(self) -> None:
        seen, before = self.robot.seen, self.robot.seen.consumer
        self.speak(_BATCH, pace=False)
        self.robot.kill('decoder_node')
        self.speak(2 * _BATCH, pace=False)
        self.robot.start('decoder_node')
        self._expect(lambda: seen.consumer != before, 'the decoder is back')

    def _stop_for_a_while(self, name: str) -> None:
        self.robot.send(name, signal.SIGSTOP)
        self.speak(self.chance.randint(1, 60), pace=False)
        time.sleep(self.chance.uniform(0.2, 4.0))
        self.robot.send(name, signal.SIGCONT)

    def _slow_decoder(self) -> None:
        self.robot.send('decoder_node', signal.SIGUSR1)
        self.speak(2 * _AHEAD, pace=False)
        time.sleep(2.0)
        self.robot.send('decoder_node', signal.SIGUSR2)

    def _call(self, service: str, **fields: str | bool) -> None:
        seen, count = self.robot.seen, len(self.robot.seen.answers)
        self.robot.tell('call', service=service, **fields)
        self._expect(lambda: len(seen.answers) > count, f'{service} answers')

    def _mute_encoder(self) -> None:
        self._call('encoder_node/set_listening', data=False)
        self.speak(_BATCH, pace=False)
        self._call('encoder_node/set_listening', data=True)
        self._expect(lambda: self.robot.seen.listeners > 0, 'the encoder listens again')

    def _expect(self, condition: Callable[[], bool], what: str,
                seconds: float = _PATIENCE_S) -> None:
        if self.robot.seen.wait(condition, seconds):
            return
        self.stuck.append(what)
        if len(self.stuck) == 1 and not self.states:
            raise NodesError(f'never happened: {what}; {self.robot.log_tail()}')

    def measure(self) -> None:
        """Let everything be taken, then look at what the processes hold and how fast they are."""
        if not self.robot.wait_for_report('encoder_node: fifo',
                                          lambda values: 'offered' in values and int(
                values['pending']) == int(values['in_flight']) == 0, _PATIENCE_S):
            self.stuck.append('everything offered is taken')
        self._owed = 0
        self.round_trips_ms.append([self._round_trip_ms() for _ in range(_PROBES)])
        self.states.append(self.robot.read_states())

    def _round_trip_ms(self) -> float:
        seen, before = self.robot.seen, self.robot.seen.progress
        began = time.perf_counter()
        self.sent += 1
        self.robot.tell('speak', blocks=1)
        seen.wait(lambda: seen.progress > before, 5.0)
        return 1000.0 * (time.perf_counter() - began)

    def make_figures(self, seconds: float) -> list[Figure]:
        """Return what came of it; a figure with the goal 0 is a promise."""
        seen = self.robot.seen
        injected = ', '.join(f'{count} {name}' for name, count in sorted(self.faults.items()))
        made = [
            Figure(what='stream', unit='h', value=self.sent * CHUNK_S / 3600,
                   note=f'{self.sent * CHUNK_S / seconds:.0f} times real time'),
            Figure(what='faults injected', unit='', value=sum(self.faults.values()),
                   note=injected),
            Figure(what='reports of the queue that do not add up', unit='', goal=0,
                   value=len(seen.unbalanced), samples=seen.counts['encoder_node: fifo'],
                   note=str(seen.unbalanced[:1] or '')),
            Figure(what='chunks that never came to the decoder', unit='', value=seen.missing,
                   goal=0, samples=sum(seen.published.values()),
                   note=f'{seen.skipped} not seen by the witness, who is busy speaking'),
            Figure(what='published by a killed encoder, never taken', unit='',
                   value=self.left_behind, goal=self.faults['encoder killed'],
                   note='a kill can fall between the two who read, the decoder and the stimulus'),
            Figure(what='processes that ended by themselves', unit='', goal=0,
                   value=len(self.robot.ended), note='; '.join(self.robot.ended)[:200],
                   samples=sum(self.robot.starts.values())),
            Figure(what='things that never happened', unit='', value=len(self.stuck), goal=0,
                   note='; '.join(self.stuck)[:300])]
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
        soak = Soak(robot=robot, realtime=realtime, fault_every_s=fault_every_s,
                    chance=random.Random(seed))
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

