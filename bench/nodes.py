"""
Five minutes of audio in real time through the real nodes, measured from outside.

Starts the assistant as a process that plays a recording, and the probe as another that writes
down its decisions and diagnostics. Two latencies: the one that the decoder publishes, from the
arrival of an encoded chunk to its decision on the steady clock; and end to end, from the end of
the chunk (its stamp) to the receipt of the decision by the probe, which adds the source's block
of 100 ms, the look-ahead, the encoder and every hop. A stall is a decision of a lane that was
listening, published more than 400 ms after its chunk; the decision that follows a reply covers
what was queued meanwhile and counts as resuming.
"""

import importlib.util
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
import wave
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from audio_interaction_ros.protocol import CHUNK_NS, CHUNK_S, SAMPLE_RATE_HZ
from bench import models
from bench.audio import load_scene, quiet_room
from bench.domain import claim_domain
from bench.measure import Figure, peak_memory_mib, processor_s, resident_mib, spread

__all__ = ['NodesError', 'Observations', 'child_process', 'require_nodes', 'run', 'sum_up',
           'write_wav']

STALL_S = CHUNK_S
FACTOR = 'real_time_factor'
GOAL_P95_MS = 250.0
GOAL_REAL_TIME_FACTOR = 0.5
START_TIMEOUT_S = 180.0
REPLAY_AGE_S = 60.0
"""A stamp older than this is of another clock than ours; its age means nothing."""
ASSISTANT = 'audio_interaction_ros.nodes.assistant'
PROBE = 'audio_interaction_ros.nodes.probe'


class NodesError(Exception):
    """The nodes could not be measured; the message says what is missing."""


@dataclass
class Observations:
    """What was seen while the scene played."""

    decisions: list[dict[str, Any]] = field(default_factory=list)
    diagnostics: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    """By status name, in order of arrival."""
    resident: list[float] = field(default_factory=list)
    """MiB of the assistant, once a second."""
    peak_mib: float = float('nan')
    cpu_s: float = float('nan')
    """Processor seconds of all its threads between the first and the last decision."""
    played_s: float = 0.0

    def take(self, line: str) -> None:
        """Take in one line of the probe."""
        record = json.loads(line)
        if record['kind'] == 'decision':
            self.decisions.append(record)
        elif record['kind'] == 'diagnostics':
            self.diagnostics.setdefault(record['name'], []).append(record)

    def leave_out_the_end(self, seconds: float) -> None:
        """
        Leave out decisions on chunks that begin after so much audio.

        They are of the silence behind the end of a recording, which comes once nothing more does:
        a second late, and nobody waits for it.
        """
        self.decisions = [decision for decision in self.decisions
                          if decision.get('seq', 0) * CHUNK_S < seconds]


def run(*, seconds: float, file: Path | None, params_file: Path | None, model: str, runtime: str,
        dtype: str, threads: int, quiet: bool = False) -> list[Figure]:
    """Play a scene of a length, or with ``quiet`` an empty room, and return the figures."""
    require_nodes()
    samples, origin = ((quiet_room(seconds), 'quiet room') if quiet
                       else load_scene(seconds, file))
    with tempfile.TemporaryDirectory(prefix='bench-') as folder:
        path = Path(folder) / 'scene.wav'
        write_wav(path, samples)
        if model == models.RANDOM:
            model = str(models.save_random(Path(folder) / models.RANDOM))
        arguments = ['--ros-args', '-p', f'model.path:={model}', '-p', f'model.dtype:={dtype}',
                     '-p', f'model.runtime:={runtime}', '-p', f'model.threads:={threads}']
        if params_file is not None:
            arguments += ['--params-file', str(params_file)]
        observed = _play(path, seconds, arguments, Path(folder) / 'assistant.log')
    observed.leave_out_the_end(seconds)
    return sum_up(observed, origin)


def require_nodes() -> None:
    """Raise NodesError where ROS 2 or the messages are missing."""
    for module, remedy in (('rclpy', 'source a ROS 2 distribution or run make setup'),
                           ('audio_interaction_msgs', 'run make setup and . scripts/env.sh')):
        if importlib.util.find_spec(module) is None:
            raise NodesError(f'expected the Python module {module}, found none; {remedy}')


def write_wav(path: Path, samples: np.ndarray) -> None:
    """Write samples [n] float32 at 16 kHz."""
    with wave.open(str(path), 'wb') as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE_HZ)
        file.writeframes((np.clip(samples, -1, 1) * 32_767).astype('<i2').tobytes())


@contextmanager
def child_process(module: str, arguments: list[str], **options: Any) -> Iterator[subprocess.Popen]:
    """Run a module in a process of its own; ask it ever more clearly to end."""
    process = subprocess.Popen([sys.executable, '-m', module, *arguments], text=True, **options)
    try:
        yield process
    finally:
        for sign in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
            if process.poll() is not None:
                break
            process.send_signal(sign)
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                continue


def _play(path: Path, seconds: float, arguments: list[str], log: Path) -> Observations:
    # Another robot on this network must neither hear this one nor be heard.
    environment = {**os.environ, 'ROS_AUTOMATIC_DISCOVERY_RANGE': 'LOCALHOST',
                   'ROS_DOMAIN_ID': str(claim_domain())}
    observed = Observations()
    with log.open('w') as sink, \
            child_process(PROBE, [], env=environment, stdout=subprocess.PIPE) as probe:
        reader = threading.Thread(target=_read, args=(probe, observed), daemon=True)
        reader.start()
        play = ['--source', 'file', '--file', str(path), '--exit-at-end', *arguments]
        with child_process(ASSISTANT, play, env=environment, stdout=sink,
                           stderr=sink) as assistant:
            _watch(assistant, observed, seconds)
            code = assistant.poll()
    if not observed.decisions:
        tail = ' | '.join(log.read_text(encoding='utf-8').splitlines()[-5:])
        raise NodesError(f'expected decisions of the assistant, got none (exit status {code}): '
                         f'{tail}')
    return observed


def _read(probe: subprocess.Popen, observed: Observations) -> None:
    assert probe.stdout is not None, 'the probe was started with a pipe'
    for line in probe.stdout:
        observed.take(line)


def _watch(assistant: subprocess.Popen, observed: Observations, seconds: float) -> None:
    """Sample the assistant once a second until it ends or the scene must be over."""
    deadline = time.monotonic() + START_TIMEOUT_S
    first_at, cpu_at_first = None, 0.0
    while assistant.poll() is None and time.monotonic() < deadline:
        time.sleep(1.0)
        if observed.decisions and first_at is None:
            first_at, cpu_at_first = time.monotonic(), processor_s(assistant.pid)
            deadline = first_at + seconds + 30.0
        memory = resident_mib(assistant.pid)
        if first_at is None or memory != memory:  # not begun, or gone
            continue
        observed.resident.append(memory)
        observed.peak_mib = peak_memory_mib(assistant.pid)
        observed.cpu_s = processor_s(assistant.pid) - cpu_at_first
        observed.played_s = time.monotonic() - first_at


def sum_up(observed: Observations, origin: str = '') -> list[Figure]:
    """Sum up what was observed."""
    listening, resuming = _by_phase(observed.decisions)
    lanes = sorted({decision['lane'] for decision in observed.decisions})
    stalls = sum(decision['decision_latency_s'] > STALL_S for decision in listening)
    replies = sum(decision['respond'] for decision in observed.decisions)
    every = [1000.0 * decision['decision_latency_s'] for decision in observed.decisions]
    made = [spread('decision latency, all', every, goal=GOAL_P95_MS,
                   note=f'{len(lanes)} lanes: {", ".join(lanes)}; {origin}',
                   series=[(decision.get('seq', 0) * CHUNK_NS / 1e9, late)
                           for decision, late in zip(observed.decisions, every, strict=True)])]
    ages = [1000.0 * age for decision in listening
            if 0 <= (age := decision.get('age_s', -1.0)) < REPLAY_AGE_S]
    if ages:
        made.append(spread('end to end, listening', ages, goal=GOAL_P95_MS,
                           note='end of the chunk to receipt by another process'))
    for what, decisions in (('decision latency, listening', listening),
                            ('decision latency, resuming after a reply', resuming)):
        if decisions:
            made.append(spread(what, [1000.0 * d['decision_latency_s'] for d in decisions]))
    made += [Figure(what='stalls', unit='', value=stalls, samples=len(listening), goal=0,
                    note=f'of {len(listening)} decisions while listening; {replies} replies'),
             Figure(what='deepest queue', unit='chunks',
                    value=max(d['queue_depth'] for d in observed.decisions))]
    made += _load_figures(observed)
    return made


def _by_phase(decisions: list[dict[str, Any]]) -> tuple[list[dict], list[dict]]:
    """Part the decisions of listening lanes from those that follow a reply of their lane."""
    replied: dict[str, bool] = {}
    listening: list[dict] = []
    resuming: list[dict] = []
    for decision in decisions:
        (resuming if replied.get(decision['lane']) else listening).append(decision)
        replied[decision['lane']] = decision['respond']
    return listening, resuming


def _load_figures(observed: Observations) -> list[Figure]:
    made = []
    whole: list[np.ndarray] = []
    for name, records in sorted(observed.diagnostics.items()):
        factors = np.array([float(record['values'][FACTOR]) for record in records
                            if FACTOR in record['values']])
        factors = factors[factors > 0]  # before the first chunk and after the last
        if len(factors):
            made.append(spread(f'real-time factor ({name})', factors.tolist(), unit=''))
            whole.append(factors)
    if whole:
        made.append(Figure(what='real-time factor, sum of medians', unit='',
                           value=float(sum(np.median(factors) for factors in whole)),
                           goal=GOAL_REAL_TIME_FACTOR,
                           note='computing seconds per second, from diagnostics'))
    if observed.played_s > 0:
        made.append(Figure(what='processor seconds per second, all threads', unit='s/s',
                           value=observed.cpu_s / observed.played_s))
    if observed.resident:
        tenth = max(1, len(observed.resident) // 10)
        early, late = observed.resident[:tenth], observed.resident[-tenth:]
        made.append(Figure(what='memory grown, first to last tenth', unit='MiB',
                           value=float(np.median(late) - np.median(early))))
    return [*made, Figure(what='peak memory of the assistant', unit='MiB',
                          value=observed.peak_mib)]
