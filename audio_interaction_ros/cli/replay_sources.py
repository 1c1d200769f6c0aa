"""
Who hears a recording for `replay`: the assistant without ROS, the nodes, or a robot that did.

Owns how each is started and ended. What is heard comes in one form from all of them.
"""

import argparse
import contextlib
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from audio_interaction_ros.alerts.alert import Severity
from audio_interaction_ros.audio.bag import is_bag
from audio_interaction_ros.cli.recording import open_recording, print_notice
from audio_interaction_ros.cli.sounds import make_configuration
from audio_interaction_ros.errors import ConfigurationError, ResourceError
from audio_interaction_ros.replay.heard import Heard
from audio_interaction_ros.replay.listener import OfflineListener
from audio_interaction_ros.replay.recorded import hear_recorded

__all__ = ['WAYS', 'Hear', 'choose_source']

WAYS = ('offline', 'nodes', 'recorded')
Hear = Callable[[Path, str, float], list[Heard]]
"""Returns what is heard of a recording, of a topic ('' = the only one), at a speed (0 = max)."""
_NODES = 'audio_interaction_ros.nodes.replay_process'


@contextlib.contextmanager
def choose_source(options: argparse.Namespace) -> Iterator[Hear]:
    """Give who hears for ``--through``, with its model loaded, and end it."""
    if options.through == 'offline':
        yield _hear_offline(options)
    elif options.through == 'nodes':
        with _NodesProcess(options) as process:
            yield process.hear
    else:
        yield _hear_recorded


def _hear_offline(options: argparse.Namespace) -> Hear:
    listener = OfflineListener.load(make_configuration(options), tell=print_notice)

    def hear(path: Path, topic: str, speed: float) -> list[Heard]:
        return listener.hear(open_recording(path, topic), speed)
    return hear


def _hear_recorded(path: Path, topic: str, _speed: float) -> list[Heard]:
    if not is_bag(path):
        raise ConfigurationError(f'{path}: expected a bag with the topics of an assistant for '
                                 '--through recorded, found another file; name a bag')
    return hear_recorded(path, topic, warn=print_notice)


class _NodesProcess:
    """The process in which both nodes run; it hears one recording after another."""

    def __init__(self, options: argparse.Namespace) -> None:
        """Start nothing yet."""
        self._words = [sys.executable, '-m', _NODES]
        for name in ('config', 'model', 'profile'):
            value = getattr(options, name)
            if value is not None:
                self._words += [f'--{name}', str(value)]
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> '_NodesProcess':
        """Start it; its model is loaded with the first recording."""
        self._process = subprocess.Popen(self._words, stdin=subprocess.PIPE,
                                         stdout=subprocess.PIPE, text=True)
        return self

    def __exit__(self, kind: object, *_exception: object) -> None:
        """End it: it ends where nothing more comes, and at once where something went wrong."""
        assert self._process is not None and self._process.stdin is not None
        if kind is not None:
            self._process.terminate()
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        self._process.wait()

    def hear(self, path: Path, topic: str, speed: float) -> list[Heard]:
        """Return what the nodes hear of a recording."""
        assert self._process is not None
        assert self._process.stdin is not None and self._process.stdout is not None
        asked = {'recording': str(path.resolve()), 'topic': topic, 'speed': speed}
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.write(json.dumps(asked) + '\n')
            self._process.stdin.flush()
        for line in self._process.stdout:  # the log of ROS may come on it as well
            if line.startswith('{"replayed"'):
                return _read_answer(json.loads(line))
        raise ResourceError(f'expected an answer of the nodes, their process ended with code '
                            f'{self._process.wait()}; what it said stands above')


def _read_answer(answer: dict[str, Any]) -> list[Heard]:
    if answer.get('error'):
        raise ConfigurationError(answer['error'])
    return [Heard(**{**one, 'severity': None if one['severity'] is None
                     else Severity[one['severity']]}) for one in answer['replayed']]
