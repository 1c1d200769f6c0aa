"""
Encoder and decoder as processes, a stimulus beside them, and what all three said.

Owns starting, stopping, killing and respawning, and the counts that come in. Knows no plan.
"""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.domain import claim_domain
from bench.measure import resident_mib

__all__ = ['NAMES', 'Robot', 'Sightings', 'ProcessState', 'count_unaccounted']

NAMES = ('encoder_node', 'decoder_node')
_LOST = ('consumed', 'dropped_overflow', 'lost_in_flight', 'pending', 'in_flight')


def count_unaccounted(values: dict[str, str]) -> int:
    """Return how many chunks a report of the queue cannot account for; 0 is right."""
    return int(values['offered']) - sum(int(values[key]) for key in _LOST)


@dataclass(frozen=True, kw_only=True)
class ProcessState:
    """What a process holds at one moment."""

    resident_mib: float
    handles: int
    threads: int


@dataclass
class Sightings:
    """Everything that was said, summed up as it comes; other threads only look."""

    changed: threading.Condition = field(default_factory=threading.Condition)
    consumed: dict[int, int] = field(default_factory=dict)
    """By epoch: chunks that the decoder said it had taken."""
    published: dict[int, int] = field(default_factory=dict)
    """By epoch: chunks on the wire."""
    skipped: int = 0
    """Chunk numbers that this witness never saw, though a later one; it may be slow itself."""
    missing: int = 0
    """Chunks of which decoders said that they never came, though a later one did."""
    consumer: str = ''
    listeners: int = 0
    foreign: int = 0
    answers: list[dict[str, Any]] = field(default_factory=list)
    reports: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Newest values by task, as ``encoder_node: fifo``."""
    counts: Counter[str] = field(default_factory=Counter)
    """Reports by task."""
    words: Counter[str] = field(default_factory=Counter)
    """What diagnostics said above OK, numbers left out, and how often."""
    unbalanced: list[dict[str, str]] = field(default_factory=list)
    latencies: list[float] = field(default_factory=list)
    """Of decisions, seconds, where they are watched."""
    _missing_before: int = 0

    @property
    def progress(self) -> int:
        """Chunks taken by the decoder since the beginning."""
        return sum(self.consumed.values())

    def take(self, line: str) -> None:
        """Take in one line of the stimulus."""
        record = json.loads(line)
        with self.changed:
            getattr(self, f'_{record.pop("kind")}')(**record)
            self.changed.notify_all()

    def reports_of(self, node: str) -> dict[str, dict[str, Any]]:
        """Return the newest reports of a node's tasks."""
        return {task: values for task, values in self.reports.items() if task.startswith(node)}

    def wait(self, condition: Callable[[], bool], seconds: float) -> bool:
        """Wait until something holds; return whether it does."""
        with self.changed:
            return self.changed.wait_for(condition, seconds)

    def _ready(self) -> None:
        pass

    def _credit(self, epoch: int, consumed: int, consumer: str) -> None:
        self.consumer = consumer
        self.consumed[epoch] = max(consumed, self.consumed.get(epoch, 0))

    def _encoded(self, epoch: int, seq: int) -> None:
        before = self.published.get(epoch, 0)
        self.skipped += max(0, seq - before)
        self.published[epoch] = max(before, seq + 1)

    def _listeners(self, count: int) -> None:
        self.listeners = count

    def _foreign(self) -> None:
        self.foreign += 1

    def _answer(self, **answer: Any) -> None:
        self.answers.append(answer)

    def _decision(self, decision_latency_s: float, **_more: Any) -> None:
        self.latencies.append(decision_latency_s)

    def _diagnostics(self, name: str, message: str, level: int, values: dict[str, str]) -> None:
        task = name.rpartition('/')[2].rpartition('.')[2]
        self.reports[task] = {**values, 'level': str(level), 'message': message}
        self.counts[task] += 1
        if level:
            words = ''.join(c for c in message if not c.isdigit()).split(';')[0]
            self.words[f'{task}: {words[:90].strip()}'] += 1
        if task == 'decoder_node: decode' and 'missing' in values:
            self._count_missing(int(values['missing']))
        if task == 'encoder_node: fifo' and 'offered' in values and count_unaccounted(values):
            self.unbalanced.append(values)

    def _count_missing(self, now: int) -> None:
        # A decoder that was started again counts from 0.
        self.missing += now - (self._missing_before if now >= self._missing_before else 0)
        self._missing_before = now


class Robot:
    """The processes; ``command`` says how a node is started."""

    def __init__(self, *, command: Callable[[str], list[str]], folder: Path,
                 decisions: bool = False, **environment: str) -> None:
        self._command, self._folder = command, folder
        self._environment = {
            **os.environ, 'ROS_AUTOMATIC_DISCOVERY_RANGE': 'LOCALHOST',
            'ROS_DOMAIN_ID': str(claim_domain()), 'ROS_HOME': str(folder), **environment}
        self.seen = Sightings()
        self.nodes: dict[str, subprocess.Popen] = {}
        self.ended: list[str] = []
        """Processes that ended without being told to."""
        self.starts: Counter[str] = Counter()
        self._stimulus = subprocess.Popen(
            [sys.executable, '-m', 'audio_interaction_ros.nodes.stimulus',
             *(['--decisions'] if decisions else [])], text=True, env=self._environment,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        threading.Thread(target=self._read, daemon=True).start()
        for name in NAMES:
            self.start(name)

    def _read(self) -> None:
        assert self._stimulus.stdout is not None, 'it was started with a pipe'
        for line in self._stimulus.stdout:
            self.seen.take(line)

    def start(self, name: str) -> None:
        """Start a node, or start it again."""
        self.starts[name] += 1
        with (self._folder / f'{name}.log').open('a') as log:
            self.nodes[name] = subprocess.Popen(
                self._command(name), env=self._environment, stdout=log, stderr=log)

    def tell(self, do: str, **fields: Any) -> None:
        """Let the stimulus do something."""
        assert self._stimulus.stdin is not None, 'it was started with a pipe'
        self._stimulus.stdin.write(json.dumps({'do': do, **fields}) + '\n')
        self._stimulus.stdin.flush()

    def send(self, name: str, sign: signal.Signals) -> None:
        """Send a signal to a node that is alive."""
        if self.nodes[name].poll() is None:
            self.nodes[name].send_signal(sign)

    def kill(self, name: str) -> None:
        """End a node as the kernel does when memory runs out."""
        self.nodes[name].kill()
        self.nodes[name].wait()

    def revive(self) -> None:
        """Start again who ended by itself, and remember that."""
        for name, process in self.nodes.items():
            if process.poll() is not None:
                self.ended.append(f'{name}: exit status {process.returncode}')
                self.start(name)

    def wait_for_report(self, task: str, condition: Callable[[dict[str, str]], bool],
                        seconds: float) -> bool:
        """Wait for a report of a task, made after now, that fulfils a condition."""
        told = self.seen.counts[task]
        return self.seen.wait(lambda: self.seen.counts[task] > told + 1
                              and condition(self.seen.reports[task]), seconds)

    def read_states(self) -> dict[str, ProcessState]:
        """Return what each node holds now."""
        states = {}
        for name, process in self.nodes.items():
            place = Path(f'/proc/{process.pid}')
            handles, threads = (len(list((place / part).iterdir())) for part in ('fd', 'task'))
            states[name] = ProcessState(resident_mib=resident_mib(process.pid), handles=handles,
                                        threads=threads)
        return states

    def dump(self) -> None:
        """Let each node write where its threads are, and print all that they wrote lately."""
        for name in NAMES:
            self.send(name, signal.SIGQUIT)
        self._stimulus.send_signal(signal.SIGQUIT)
        print(f'listeners {self.seen.listeners}, consumed {self.seen.consumed}, published '
              f'{self.seen.published}', file=sys.stderr)
        time.sleep(1.0)
        for name in NAMES:
            lines = (self._folder / f'{name}.log').read_text().splitlines()
            print(f'{name}: {self.seen.reports_of(name)}', *lines[-80:], sep='\n', file=sys.stderr)

    def log_tail(self) -> str:
        """Return the last lines that the nodes wrote."""
        return ' | '.join(line for name in NAMES for line in
                          (self._folder / f'{name}.log').read_text().splitlines()[-4:])

    def close(self) -> None:
        """End everything."""
        for process in (*self.nodes.values(), self._stimulus):
            process.send_signal(signal.SIGCONT)
            process.send_signal(signal.SIGTERM)
        limit = time.monotonic() + 20.0
        for process in (*self.nodes.values(), self._stimulus):
            try:
                process.wait(max(0.1, limit - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
