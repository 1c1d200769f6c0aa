"""A robot of its own for each test: domain, namespace, executor, and a node that looks on."""

import contextlib
import functools
import gc
import importlib.util
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from audio_interaction_ros.nodes.lifecycle.transport import leave_out_shared_memory
from bench.domain import claim_domain

HERE = Path(__file__).parent
sys.path.append(str(HERE))  # stand_ins
PATIENCE_S = 40.0


def load_scripted():
    spec = importlib.util.spec_from_file_location('scripted_process', HERE / 'scripted_process.py')
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Robot:
    """Nodes in process, spun as in production; ``wait`` for conditions, never for time."""

    def __init__(self, namespace, make_spinner=None):
        import rclpy

        from audio_interaction_ros.nodes.lifecycle.spinner import Spinner
        self.namespace = namespace
        self.context = rclpy.Context()
        rclpy.init(context=self.context)
        self.spinner = (make_spinner(self.context) if make_spinner
                        else Spinner(context=self.context))
        self.seen, self.processes = {}, []
        self.watcher = self.add(rclpy.create_node(
            'watcher', namespace=namespace, context=self.context))
        self._spinning = True
        self._thread = threading.Thread(target=self._spin)
        self._thread.start()
        self._stamp_ns = 1_000_000_000_000

    def _spin(self):
        while self._spinning:
            self.spinner.spin_once()

    def options(self, parameters=None, *, start=False):
        from rclpy.parameter import Parameter
        return {'namespace': self.namespace, 'context': self.context,
                'parameter_overrides': [Parameter(key, value=value) for key, value
                                        in (parameters or {}).items()]}

    @contextlib.contextmanager
    def at(self, namespace):
        """Make nodes and publishers in another namespace meanwhile."""
        before, self.namespace = self.namespace, namespace
        yield
        self.namespace = before

    def add(self, node):
        self.spinner.add(node)
        return node

    @staticmethod
    def scripted(**options):
        """Return a source of runtimes that say what these options tell them."""
        return functools.partial(load_scripted().scripted, **options)

    def held(self, go_on):
        """Return a source of a runtime whose decoder computes nothing until the event is set."""
        made = self.scripted(script={})()
        step = made.decoder.step

        def wait_and_step(requests):
            assert go_on.wait(120)
            return step(requests)
        made.decoder.step = wait_and_step
        return lambda _model: made

    def listen(self, encoder, publisher, *, decoder=True):
        """Wait until the encoder hears what the publisher says, and a decoder is there."""
        self.wait(lambda: publisher.get_subscription_count() > 0, 'encoder listens')
        self.wait(lambda: encoder._input._subscriptions
                  and encoder._input._subscriptions[0].get_publisher_count() > 0, 'it is heard')
        if decoder:
            self.wait(lambda: self.books(encoder).decoder_present, 'decoder offers credit')

    @staticmethod
    def books(encoder):
        """Return what the encoder's queue has counted."""
        return encoder._outlet.fifo.stats(time.monotonic())

    @staticmethod
    def status(messages, task):
        """Return the newest status of a task of diagnostics, None before the first."""
        return next((item for array in reversed(messages) for item in array.status
                     if item.name == task), None)

    def says(self, messages, task, words):
        """Tell whether the newest message of a task has these words."""
        found = self.status(messages, task)
        return found is not None and words in found.message

    def values(self, messages, task):
        """Return the newest values of a task by key."""
        found = self.status(messages, task)
        return {item.key: item.value for item in found.values} if found else {}

    @staticmethod
    def finals(messages):
        return [message.text for message in messages if message.is_final]

    def encoder(self, parameters=None, **more):
        from audio_interaction_ros.nodes.encoder_node import EncoderNode
        more.setdefault('runtime', self.scripted())
        # scripts count chunks: none may come because a test took its time
        parameters = {'audio.idle_flush_s': 0.0, **(parameters or {})}
        node = self.add(EncoderNode(**more, **self.options(parameters)))
        node.autostart()
        return node

    def decoder(self, parameters=None, **more):
        from audio_interaction_ros.nodes.decoder_node import DecoderNode
        more.setdefault('runtime', self.scripted())
        node = self.add(DecoderNode(**more, **self.options(parameters)))
        node.autostart()
        return node

    def process(self, name, *arguments, **environment):
        """Start a node as a process of its own."""
        process = subprocess.Popen(
            [sys.executable, str(HERE / 'scripted_process.py'), name, '--ros-args', '-r',
             f'__ns:={self.namespace}', *arguments], env={**os.environ, **environment})
        self.processes.append(process)
        return process

    def watch(self, kind, topic, profile):
        seen = self.seen.setdefault(topic, [])
        self.watcher.create_subscription(kind, topic, seen.append, profile)
        return seen

    def wait(self, condition, what):
        limit = time.monotonic() + PATIENCE_S
        while not condition():
            if time.monotonic() > limit:
                pytest.fail(f'never happened: {what}')
            time.sleep(0.02)

    def sees(self, *names):
        """Return whether nodes of these names are in the namespace of the robot."""
        found = self.watcher.get_node_names_and_namespaces()
        return {(name, self.namespace) for name in names} <= set(found)

    def call(self, kind, name, **fields):
        client = self.watcher.create_client(kind, name)
        self.wait(lambda: client.service_is_ready(), f'service {name}')
        future = client.call_async(kind.Request(**fields))
        self.wait(future.done, f'answer of {name}')
        self.watcher.destroy_client(client)
        return future.result()

    def microphone(self, kind=None):
        from audio_interaction_msgs.msg import AudioChunk
        from audio_interaction_ros.nodes.lifecycle import qos
        return self.watcher.create_publisher(
            kind or AudioChunk, f'{self.namespace}/audio', qos.AUDIO_OUT)

    def voice(self):
        """Return what a small speech node is told: it says each text at once."""
        from rclpy.action import ActionServer, CancelResponse

        from audio_interaction_msgs.action import Say
        node, said = self.add_plain('voice'), []

        def say(goal):
            said.append((goal.request.text, goal.request.priority))
            goal.succeed()
            return Say.Result(success=True, spoken=1.0)
        ActionServer(node, Say, 'say', say, cancel_callback=lambda _: CancelResponse.ACCEPT)
        return said

    def add_plain(self, name):
        """Add a node without callbacks of its own."""
        import rclpy
        return self.add(rclpy.create_node(name, namespace=self.namespace, context=self.context))

    def speak(self, publisher, chunks=1, *, level=3000, rate=16000, block=1600):
        """Publish chunks of 0.4 s of noise, without waiting."""
        from audio_interaction_ros.audio.block import AudioBlock
        from audio_interaction_ros.nodes.io.audio_messages import audio_message
        noise = np.random.default_rng(0)
        for _ in range(round(chunks * 0.4 * rate / block)):
            samples = noise.normal(0, level, block).astype(np.int16)
            publisher.publish(audio_message(
                AudioBlock(samples=samples, sample_rate_hz=rate, stamp_ns=self._stamp_ns),
                seq=0, frame_id='mic'))
            self._stamp_ns += block * 1_000_000_000 // rate

    def tell(self, publisher, encoder, chunks, *, settle=True, **sound):
        """
        Publish chunks one after another, each when the one before was heard.

        With ``settle`` each is decided on before the next: a backlog is drained in one pass,
        with one decision, and a script's cue inside it would be missed.
        """
        for _ in range(chunks):
            expected = encoder._input.received + 4
            self.speak(publisher, 1, **sound)
            self.wait(lambda expected=expected: encoder._input.received >= expected, 'heard')
            if settle:
                self.wait(lambda: encoder.idle, 'decided')

    def close(self):
        for process in self.processes:
            process.kill()
            process.wait()
        self._spinning = False
        self._thread.join()
        self.spinner.close()
        self.context.try_shutdown()
        # A destroyed node and its callbacks hold each other, and with them the connection to
        # ROS 2. Processes look for 32 of those at most: with more left, they find nobody.
        gc.collect()


@pytest.fixture(scope='session', autouse=True)
def quiet_domain():
    """Keep to this machine and to a domain in which nobody else is."""
    before = dict(os.environ)
    os.environ['ROS_DOMAIN_ID'] = str(claim_domain())
    os.environ['ROS_AUTOMATIC_DISCOVERY_RANGE'] = 'LOCALHOST'
    # As our processes do: Fast DDS has stood still for good while it closed its shared memory.
    leave_out_shared_memory(os.environ)
    os.environ['PYTHONPATH'] = os.pathsep.join(
        [str(HERE.parents[1]), os.environ.get('PYTHONPATH', '')])
    yield
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture(autouse=True)
def home(tmp_path_factory, monkeypatch):
    """Give each test a ROS home of its own; the alerts of one are not open in the next."""
    folder = tmp_path_factory.mktemp('home')
    monkeypatch.setenv('ROS_HOME', str(folder))
    return folder


@pytest.fixture
def robots():
    """Return a function that makes robots."""
    made = []

    def make(namespace='/robot', **more):
        made.append(Robot(namespace, **more))
        return made[-1]
    yield make
    while made:
        made.pop().close()


@pytest.fixture
def robot(robots):
    """Return one robot."""
    return robots()
