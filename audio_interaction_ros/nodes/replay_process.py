"""
replay_process: recordings through the real nodes, the same on every run and at every speed.

Reads one JSON object a line from the standard input (``recording``, ``topic``, ``speed``) and
writes one line for each (``replayed``: all that was heard, or ``error``). Encoder and decoder run
in this process as always, in a namespace of their own; audio and answers are messages. What makes
it the same each time: audio is published only when everything before it was worked off, and until
then the threads take turns (``lifecycle.turns``), so that nothing depends on which is done first.
So a speed is the most it may have. `audio-interaction replay --through nodes` starts it.
"""

import argparse
import functools
import itertools
import json
import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from rclpy.node import Node
from rclpy.parameter import Parameter
from std_srvs.srv import SetBool

from audio_interaction_msgs.msg import (
    Alert,
    AudioChunk,
    Reply,
    SoundEvent,
    Transcript,
    Translation,
)
from audio_interaction_ros.assembly import load_model
from audio_interaction_ros.audio.bag import is_bag, read_bag_blocks
from audio_interaction_ros.audio.block import AudioBlock
from audio_interaction_ros.audio.read_blocks import read_blocks
from audio_interaction_ros.errors import AudioFormatError, AudioInteractionError, ResourceError
from audio_interaction_ros.nodes.io.audio_messages import audio_message
from audio_interaction_ros.nodes.lifecycle import qos
from audio_interaction_ros.nodes.lifecycle.runtime_source import RuntimeSource
from audio_interaction_ros.nodes.lifecycle.spinning import run
from audio_interaction_ros.nodes.lifecycle.steady_timer import steady_timer
from audio_interaction_ros.nodes.lifecycle.turns import Traffic, Turns
from audio_interaction_ros.nodes.replayed_nodes import (
    STALLED_S,
    Player,
    ReplayedDecoder,
    ReplayedEncoder,
)
from audio_interaction_ros.replay.heard import Heard
from audio_interaction_ros.replay.messages import MessageCollector
from audio_interaction_ros.resources import shipped_path

__all__ = ['Replay', 'main', 'replay']

_KINDS = {'transcript': Transcript, 'translation': Translation, 'reply': Reply, 'alerts': Alert,
          'sounds': SoundEvent}
# what a replay takes its time over is no pause of the audio; what it raises is no alarm of today
_CHANGES = {'audio.idle_flush_s': 0.0, 'alerts.journal_s': 0.0,
            'audio.msg_type': 'audio_interaction_msgs/msg/AudioChunk',
            'fifo.credit_timeout_s': 600.0}
_STEP_S = 0.002
_LONGEST_S = 0.2
"""Longer blocks are cut, so that never two chunks come at once, and no message of megabytes."""
_LATER_NS = 86_400_000_000_000
"""Added to the stamps of a file, for a stamp of 0 would mean that there is none."""


class Replay:
    """One recording through one pair of nodes."""

    def __init__(self, asked: Mapping[str, Any], runtime: RuntimeSource, transcriber: Any) -> None:
        """Open the recording; raises AudioInteractionError for a wrong one."""
        self.collector = MessageCollector()
        self.failure = ''
        self._asked = asked
        self._runtime, self._transcriber = runtime, transcriber
        self._blocks = self._open_blocks()
        first = next(self._blocks, None)
        if first is None:
            raise AudioFormatError(f'{asked["recording"]}: expected audio, found none; name '
                                   'another recording')
        self._blocks = itertools.chain([first], self._blocks)
        self._traffic = Traffic()
        self._turns = Turns(self._traffic)
        self._sent_s = 0.0
        self._steps = self._play()
        self._moved_at = time.monotonic()
        self.done = False

    def _open_blocks(self) -> Iterator[AudioBlock]:
        """Yield the blocks of the recording, none too long, each with a stamp above 0."""
        path = Path(self._asked['recording'])
        blocks = (read_bag_blocks(path, self._asked['topic'], warn=_tell) if is_bag(path)
                  else read_blocks(path, warn=_tell))
        later = 0
        for number, block in enumerate(blocks):
            if not number:
                later = 0 if (block.stamp_ns or 0) > _LATER_NS else _LATER_NS
                self.collector.zero_ns = (block.stamp_ns or 0) + later
            yield from _cut(replace(block, stamp_ns=(block.stamp_ns or 0) + later))

    def make_nodes(self) -> list[Node]:
        """Create both nodes, and one that plays and listens."""
        changes = [Parameter(name, value=value) for name, value in _CHANGES.items()]
        self._encoder = ReplayedEncoder(runtime=self._runtime, transcriber=self._transcriber,
                                         parameter_overrides=changes)
        self._decoder = ReplayedDecoder(runtime=self._runtime, parameter_overrides=changes)
        self._player = Player('player')
        for node in (self._encoder, self._decoder, self._player):
            node.traffic = self._traffic
        self._encoder.turns = self._decoder.turns = self._turns
        self._audio = self._player.create_publisher(AudioChunk, 'audio', qos.AUDIO_OUT)
        for topic, kind in _KINDS.items():
            self._player.create_subscription(
                kind, topic, functools.partial(self.collector.note, topic), qos.EVENTS)
        self._mute = self._player.create_client(SetBool, 'encoder_node/set_listening')
        steady_timer(self._player, _STEP_S, self._advance)
        return [self._encoder, self._decoder, self._player]

    def _advance(self) -> None:
        """Let a worker go on; where all is worked off, do what comes next."""
        now = time.monotonic()
        self.failure = self.failure or self._encoder.failure or self._decoder.failure
        if now - self._moved_at > STALLED_S:
            self.failure = (f'expected the nodes to go on, they stand still for {STALLED_S:g} s '
                            f'after {self._sent_s:.1f} s of audio; look at their log above')
        if self.failure or self.done:
            self.done = True
            self._turns.end()
        elif self._turns.advance() and not self._encoder.owes:
            self._moved_at = now
            self.done = next(self._steps, self) is self  # a step is None

    def _is_connected(self) -> bool:
        """Tell whether both nodes work and whoever is to hear something is found."""
        return (self._encoder.active and self._decoder.active and self._decoder.ready
                and all(self._player.count_publishers(topic) for topic in _KINDS)
                and self._traffic.connected and self._mute.service_is_ready())

    def _play(self) -> Iterator[None]:
        """Yield wherever everything that was sent must be worked off."""
        while not self._is_connected():
            yield
        speed, began = self._asked['speed'], time.monotonic()
        for block in self._blocks:
            length_s = len(block.samples) / block.sample_rate_hz
            while speed and time.monotonic() < began + (self._sent_s + length_s) / speed:
                yield
            self._audio.publish(audio_message(block, seq=block.seq or 0, frame_id='replay'))
            self._sent_s += length_s
            yield
        yield from self._end()

    def _end(self) -> Iterator[None]:
        """Let what is pending be heard to its end, then give up what waits for more."""
        muted = self._mute.call_async(SetBool.Request(data=False))
        while not muted.done():
            yield
        yield
        if self._encoder.end():
            yield
        self._decoder.trigger_deactivate()
        yield


def _cut(block: AudioBlock) -> Iterator[AudioBlock]:
    """Yield a block, or its parts where it is long; parts have no number."""
    most = max(1, int(_LONGEST_S * block.sample_rate_hz))
    if len(block.samples) <= most:
        yield block
        return
    assert block.stamp_ns is not None
    for start in range(0, len(block.samples), most):
        yield replace(block, samples=block.samples[start:start + most], seq=None,
                      stamp_ns=block.stamp_ns + start * 1_000_000_000 // block.sample_rate_hz)


def _tell(text: str) -> None:
    print(f'replay: {text}', file=sys.stderr, flush=True)


def replay(asked: Mapping[str, Any], words: Sequence[str], runtime: RuntimeSource,
           transcriber: Any = None) -> list[Heard]:
    """
    Return what the nodes hear of a recording.

    ``words`` are ROS arguments. Raises AudioInteractionError where it cannot be heard.
    """
    one = Replay(asked, runtime, transcriber)
    space = f'__ns:=/replay_{os.getpid()}'
    code = run(one.make_nodes, ['replay', *words, '--ros-args', '-r', space],
               done=lambda: one.done)
    if one.failure or code or not one.done:
        raise ResourceError(one.failure or 'stopped before the recording was over')
    return one.collector.heard


def main(arguments: Sequence[str] | None = None, *, runtime: RuntimeSource | None = None) -> int:
    """Replay what the standard input names, one after another; ``runtime`` is for tests."""
    parser = argparse.ArgumentParser(prog='replay_process', description=__doc__)
    parser.add_argument('--config', default='', help='parameter file; empty: the shipped one')
    parser.add_argument('--model', default='', help='model folder; empty: as in the file')
    parser.add_argument('--profile', default='', help='alerts.profile; empty: as in the file')
    options = parser.parse_args(arguments)
    words = ['--ros-args', '--params-file',
             options.config or str(shipped_path('config/edge.yaml'))]
    for name, value in (('model.path', options.model), ('alerts.profile', options.profile)):
        words += ['-p', f'{name}:={value}'] if value else []
    keep = runtime or functools.cache(load_model)
    for line in sys.stdin:
        try:
            heard = replay(json.loads(line), words, keep)
            answer: dict[str, Any] = {'replayed': [_to_json(one) for one in heard]}
        except AudioInteractionError as error:
            answer = {'replayed': [], 'error': str(error)}
        try:
            print(json.dumps(answer, ensure_ascii=False), flush=True)
        except BrokenPipeError:  # whoever asked has left
            return 1
    return 0


def _to_json(one: Heard) -> dict[str, Any]:
    return {**asdict(one), 'severity': None if one.severity is None else one.severity.name}


if __name__ == '__main__':
    raise SystemExit(main())
