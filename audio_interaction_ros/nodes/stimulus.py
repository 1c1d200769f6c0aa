"""
Plays the world around the nodes: audio, bad audio, foreign chunks, service calls; and looks on.

For soaks, which must not import ROS themselves: they start this as a process, write one command
per line as JSON to its standard input, and read what it saw as JSON lines from its standard
output: what the probe says, and every credit, chunk number and change of who listens. Knows no
assistant node but by the names of its topics and services.
"""

import faulthandler
import json
import signal
import sys
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import rclpy
from rclpy.duration import Duration
from rclpy.executors import ExternalShutdownException
from std_srvs.srv import SetBool, Trigger

from audio_interaction_msgs.msg import AudioChunk, EncodedChunk, FifoCredit
from audio_interaction_msgs.srv import SetPrompt
from audio_interaction_ros.audio.block import AudioBlock
from audio_interaction_ros.audio.mono import to_mono
from audio_interaction_ros.audio.read_blocks import read_blocks
from audio_interaction_ros.nodes.io.audio_messages import audio_message
from audio_interaction_ros.nodes.io.stamps import time_message
from audio_interaction_ros.nodes.lifecycle import qos
from audio_interaction_ros.nodes.lifecycle.transport import start_ros
from audio_interaction_ros.nodes.probe import ProbeNode
from audio_interaction_ros.protocol import SAMPLE_RATE_HZ

__all__ = ['StimulusNode', 'main']

_SERVICES: dict[str, Any] = {
    'encoder_node/reset': Trigger, 'decoder_node/reset': Trigger,
    'encoder_node/set_listening': SetBool, 'decoder_node/set_prompt': SetPrompt}
_FULL_SCALE = 32_767
_START_NS = 1_000_000_000_000
_ENCODED_DEPTH = 200


class StimulusNode(ProbeNode):
    """A probe with a mouth."""

    def __init__(self, *, decisions: bool) -> None:
        """Publish nothing before a command says so."""
        super().__init__(sink=sys.stdout, decisions=decisions)
        self._audio = self.create_publisher(AudioChunk, 'audio', qos.AUDIO_OUT)
        self._foreign: Any = None
        self.create_subscription(FifoCredit, 'encoded/credit', self._on_credit, qos.CREDIT)
        self.create_subscription(
            EncodedChunk, 'encoded', self._on_encoded, qos.encoded_profile(_ENCODED_DEPTH))
        self._asked = {name: self.create_client(kind, name) for name, kind in _SERVICES.items()}
        self._noise = np.random.default_rng(0)
        self._stamp_ns, self._seq, self._at = _START_NS, 0, 0
        self._recording = np.zeros(0, np.int16)
        self._listeners = -1
        self.create_timer(0.1, self._look_around)

    def obey(self, command: dict[str, Any]) -> None:
        """Do what one command says; called from the thread that reads them."""
        todo: dict[str, Callable[..., None]] = {
            'speak': self._speak, 'call': self._call_service, 'foreign': self._send_foreign}
        todo[command.pop('do')](**command)

    def _speak(self, *, blocks: int, sound: str = 'noise', block_s: float = 0.4,
               skip_s: float = 0.0, file: str = '') -> None:
        """Publish blocks one after another, without waiting; ``skip_s`` is lost before them."""
        self._stamp_ns += round(skip_s * 1e9)
        for _ in range(blocks):
            samples = self._make_sound(sound, round(block_s * SAMPLE_RATE_HZ), file)
            self._audio.publish(audio_message(
                AudioBlock(samples=samples, sample_rate_hz=SAMPLE_RATE_HZ,
                           stamp_ns=self._stamp_ns), seq=self._seq, frame_id='mic'))
            self._seq += 1
            self._stamp_ns += len(samples) * 1_000_000_000 // SAMPLE_RATE_HZ

    def _make_sound(self, name: str, count: int, file: str) -> np.ndarray:
        if name == 'file':
            if not len(self._recording):
                once = np.concatenate([to_mono(block) for block in read_blocks(file)])
                self._recording = (once * _FULL_SCALE).astype(np.int16)
            self._at += count
            return np.take(self._recording, range(self._at - count, self._at), mode='wrap')
        samples: np.ndarray
        if name == 'nan':
            samples = np.full(count, np.nan, np.float32)
        elif name in ('silence', 'dc'):
            samples = np.full(count, 20_000 if name == 'dc' else 0, np.int16)
        else:
            level = {'noise': 3_000.0, 'full': 100_000.0}[name]
            samples = np.clip(self._noise.normal(0, level, count), -_FULL_SCALE - 1,
                              _FULL_SCALE).astype(np.int16)
        return samples

    def _call_service(self, *, service: str, **fields: Any) -> None:
        client = self._asked[service]
        if not client.service_is_ready():
            self._write(kind='answer', service=service, success=False, message='not there')
            return
        client.call_async(_SERVICES[service].Request(**fields)).add_done_callback(
            lambda future: self._write(
                kind='answer', service=service, success=bool(future.result().success),
                message=str(future.result().message)))

    def _send_foreign(self) -> None:
        """Publish a chunk of another model, once somebody listens, and be gone again."""
        self._foreign = self.create_publisher(EncodedChunk, 'encoded', qos.encoded_profile(4))

    def _look_at_foreign(self) -> None:
        # Two listen: the decoder, and this node itself.
        if self._foreign is None or self._foreign.get_subscription_count() < 2:
            return
        message = EncodedChunk(epoch=1, seq=0, model_id='foreign', dtype='float32', shape=[1, 1],
                               data=bytes(4))
        message.header.stamp = time_message(self._stamp_ns)
        self._foreign.publish(message)
        self._foreign.wait_for_all_acked(Duration(seconds=1.0))
        self.destroy_publisher(self._foreign)
        self._foreign = None
        self._write(kind='foreign')

    def _on_credit(self, message: FifoCredit) -> None:
        self._write(kind='credit', epoch=message.epoch, consumed=message.consumed_seq,
                    consumer=message.header.frame_id)

    def _on_encoded(self, message: EncodedChunk) -> None:
        if message.model_id != 'foreign':
            self._write(kind='encoded', epoch=message.epoch, seq=message.seq)

    def _look_around(self) -> None:
        self._look_at_foreign()
        count = self._audio.get_subscription_count()
        if count != self._listeners:
            self._listeners = count
            self._write(kind='listeners', count=count)


def main(args: list[str] | None = None) -> None:
    """Obey until the standard input ends; ``--decisions`` writes down those too."""
    faulthandler.register(signal.SIGQUIT)  # where every thread is, on the standard error
    start_ros(args)
    node = StimulusNode(decisions='--decisions' in sys.argv)

    def read() -> None:
        for line in sys.stdin:
            node.obey(json.loads(line))
        rclpy.try_shutdown()
    threading.Thread(target=read, daemon=True).start()
    try:
        rclpy.spin(node)
    except (KeyboardInterrupt, ExternalShutdownException, BrokenPipeError):
        pass
    finally:
        rclpy.try_shutdown()


if __name__ == '__main__':
    main()
