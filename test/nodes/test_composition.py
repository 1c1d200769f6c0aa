"""Nodes in somebody else's process: their executor, two assistants in it, nothing left over."""

import subprocess
import sys
import threading
from pathlib import Path

import pytest
from rclpy.executors import MultiThreadedExecutor, SingleThreadedExecutor

from audio_interaction_msgs.msg import Transcript
from audio_interaction_ros.nodes.lifecycle import qos
from audio_interaction_ros.nodes.speech_node import SpeechNode
from audio_interaction_ros.speech.engines import Tones
from audio_interaction_ros.speech.loudspeaker import PacedLoudspeaker
from audio_interaction_ros.speech.voice import Voice

pytestmark = pytest.mark.ros


ROOT = Path(__file__).parents[2]


def told():
    """Return what the code of docs/deployment.md defines."""
    page = (ROOT / 'docs/deployment.md').read_text(encoding='utf-8')
    code = page.partition('## In a process of your own')[2].split('```')[1]
    names = {'__name__': 'the page'}
    exec(code.removeprefix('python'), names)
    return names


class TheirSpinner:
    """An executor of rclpy, as whoever puts nodes together has it."""

    def __init__(self, executor):
        self._executor, self._nodes = executor, []

    def add_node(self, node):
        self._nodes.append(node)
        self._executor.add_node(node)

    add = add_node

    def spin_once(self):
        self._executor.spin_once(timeout_sec=0.1)

    def close(self):
        self._executor.shutdown()
        while self._nodes:
            self._nodes.pop().destroy_node()


@pytest.fixture(params=[SingleThreadedExecutor, MultiThreadedExecutor])
def robot(request, robots):
    """Return a robot whose nodes are spun by rclpy's own executor."""
    return robots(make_spinner=lambda context: TheirSpinner(request.param(context=context)))


class Assistant:
    """Encoder, decoder and voice in a namespace, with who talks to them and what they say."""

    def __init__(self, robot, namespace):
        self.robot, self.namespace = robot, namespace
        with robot.at(namespace):
            self.texts = robot.watch(Transcript, f'{namespace}/transcript', qos.EVENTS)
            self.encoder, self.decoder = told()['add_assistant'](
                robot.spinner, namespace, robot.scripted(script={0: {1: f'I am {namespace}'}}),
                context=robot.context,
                parameter_overrides=robot.options({'audio.idle_flush_s': 0.0})[
                    'parameter_overrides'])
            self.voice = robot.add(SpeechNode(
                load=lambda settings: Voice([Tones()]),
                open_speaker=lambda device, rate_hz: PacedLoudspeaker(rate_hz),
                **robot.options()))
            self.voice.autostart()
            self.microphone = robot.microphone()

    def wait_until_up(self):
        self.robot.wait(lambda: self.microphone.get_subscription_count()
                        and self.encoder.active and self.decoder.active
                        and self.voice.mouth and self.voice.mouth.voice, 'all is up')
        self.robot.wait(lambda: self.encoder.count_subscribers(
            f'{self.namespace}/encoded'), 'they find each other')

    def hear(self):
        self.robot.tell(self.microphone, self.encoder, 5)


def test_two_assistants_in_one_executor_of_rclpy_keep_apart(robot):
    both = [Assistant(robot, namespace) for namespace in ('/one', '/two')]
    for one in both:
        one.wait_until_up()
    first, second = both
    first.hear()
    robot.wait(lambda: robot.finals(first.texts) == ['I am /one'], 'the first hears')
    assert second.encoder._input.received == 0 and not second.texts
    second.hear()
    robot.wait(lambda: robot.finals(second.texts) == ['I am /two'], 'and the second')
    first.voice.say('Hello. ' * 50)  # a flag that is true only shortly may be missed
    robot.wait(lambda: first.encoder._voice.speech._began_at > 0, 'it speaks')
    began = [one.encoder._voice.speech._began_at > 0 for one in both]
    assert began == [True, False], 'each knows of its own voice'


def test_no_thread_is_left_when_nodes_are_destroyed(robots):
    before = set(threading.enumerate())
    robot = robots(make_spinner=lambda context: TheirSpinner(
        SingleThreadedExecutor(context=context)))
    one = Assistant(robot, '/one')
    one.wait_until_up()
    one.hear()
    robot.close()
    assert set(threading.enumerate()) <= before


STATE = """
import gc, logging, os, signal, sys, threading, warnings
def state():
    return {
        'hooks': [sys.excepthook, threading.excepthook, sys.unraisablehook, sys.displayhook],
        'signals': {one: signal.getsignal(one) for one in signal.valid_signals()},
        'threads': threading.enumerate(), 'interval': sys.getswitchinterval(),
        'log': [logging.root.level, list(logging.root.handlers)], 'folder': os.getcwd(),
        'collector': (gc.isenabled(), gc.get_threshold()), 'recursion': sys.getrecursionlimit(),
        'environment': {key: value for key, value in os.environ.items()
                        if key not in %r}}
import numpy, rclpy, rclpy.action
before = state()
import importlib, pkgutil
import audio_interaction_ros.nodes as package
for module in pkgutil.walk_packages(package.__path__, package.__name__ + '.'):
    importlib.import_module(module.name)
after = state()
changed = [key for key in before if before[key] != after[key]]
sys.exit(f'importing the nodes changed {changed}' if changed else 0)
"""
FOR_LIBRARIES = ('OMP_WAIT_POLICY', 'KMP_BLOCKTIME', 'GOMP_SPINCOUNT', 'OPENBLAS_NUM_THREADS')
"""What the package sets in the environment, where nobody else did, before numpy reads it."""


def test_importing_the_nodes_changes_nothing_of_a_process():
    done = subprocess.run([sys.executable, '-c', STATE % (FOR_LIBRARIES,)], text=True,
                          cwd=ROOT, capture_output=True)
    assert done.returncode == 0, done.stderr
