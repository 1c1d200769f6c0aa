"""
The robots of test/nodes for tests of faults, and what each of them asks at the end.

A fault may cost chunks, never their count: sent = consumed + counted drops. It may stop a node,
never for good. It may not be silent: diagnostics say it, above OK.
"""

import importlib.util
import time
from pathlib import Path

import pytest

NODES = Path(__file__).parents[1] / 'nodes/conftest.py'
spec = importlib.util.spec_from_file_location('nodes_conftest', NODES)
shared = importlib.util.module_from_spec(spec)
spec.loader.exec_module(shared)
quiet_domain, home, robots = shared.quiet_domain, shared.home, shared.robots


class Witness:
    """One robot with both nodes, its microphone and its diagnostics."""

    def __init__(self, robot):
        from diagnostic_msgs.msg import DiagnosticArray

        from audio_interaction_ros.nodes.lifecycle import qos
        self.robot = robot
        self._diagnostics = robot.watch(DiagnosticArray, 'diagnostics', qos.DIAGNOSTICS)

    def start(self, parameters=None, *, encoder=None, decoder=None):
        """Start both nodes, each with more options, and wait until they know each other."""
        self.decoder = self.robot.decoder(parameters, **decoder or {})
        self.encoder = self.robot.encoder(parameters, **encoder or {})
        self.microphone = self.robot.microphone()
        self.listening()

    def listening(self):
        wait, encoder = self.robot.wait, self.encoder
        wait(lambda: self.microphone.get_subscription_count() > 0, 'the encoder listens')
        wait(lambda: encoder._input is not None and encoder._input._subscriptions
             and encoder._input._subscriptions[0].get_publisher_count() > 0, 'it is heard')
        wait(lambda: self.books().decoder_present, 'the decoder offers credit')

    def books(self):
        return self.encoder._outlet.fifo.stats(time.monotonic())

    def speak(self, chunks, **sound):
        self.robot.speak(self.microphone, chunks, **sound)

    def publish(self, samples, *, rate=16000, stamp_ns=10 ** 12, seq=0):
        from audio_interaction_ros.audio.block import AudioBlock
        from audio_interaction_ros.nodes.io.audio_messages import audio_message
        self.microphone.publish(audio_message(AudioBlock(
            samples=samples, sample_rate_hz=rate, stamp_ns=stamp_ns), seq=seq, frame_id='mic'))

    def says(self, task, words):
        """Tell whether the newest report of a task is above OK and has these words."""
        for array in reversed(self._diagnostics):
            for status in array.status:
                if status.name.endswith(task):
                    return status.level not in (0, b'\0') and words in status.message
        return False

    def value(self, task, key):
        for array in reversed(self._diagnostics):
            for status in array.status:
                if status.name.endswith(task):
                    return {item.key: item.value for item in status.values}.get(key)
        return None

    def hears_on(self, chunks=3, *, lost=0):
        """Wait until what is spoken now is consumed, but for what the fault may cost yet."""
        before = self.books().consumed
        self.robot.tell(self.microphone, self.encoder, chunks + 1 + lost)
        self.robot.wait(lambda: self.books().consumed >= before + chunks, 'it hears on')

    def everything_accounted(self):
        """Wait until all is worked off, then hold both ends of the queue against each other."""
        encoder, decoder = self.encoder, self.decoder
        self.robot.wait(lambda: encoder.idle and decoder.idle, 'everything is worked off')
        sent, taken = self.books(), self.decoder._model.session.fifo.stats
        assert sent.offered == sent.consumed + sent.dropped
        assert taken.pushed == taken.consumed + taken.dropped
        return sent


@pytest.fixture
def robot(robots):
    return robots()


@pytest.fixture
def witness(robot):
    """Return a robot that is being watched; nothing of it is started yet."""
    return Witness(robot)
