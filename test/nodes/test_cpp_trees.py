"""The trees for BehaviorTree.CPP on real nodes with a scripted model, where they are built."""

import os
import subprocess
from pathlib import Path
from types import SimpleNamespace

import pytest

pytest.importorskip('geometry_msgs.msg', reason='geometry_msgs is not installed')

from action_msgs.msg import GoalStatus, GoalStatusArray
from ament_index_python.packages import get_packages_with_prefixes
from geometry_msgs.msg import Twist
from rclpy.qos import qos_profile_action_status_default
from std_msgs.msg import Bool

from audio_interaction_msgs.action import Say
from audio_interaction_ros.nodes.lifecycle import qos

TREES = Path(__file__).parents[2] / 'examples' / 'behaviour_trees' / 'cpp' / 'trees'
pytestmark = pytest.mark.ros


@pytest.fixture
def plant(robot):
    """Return a function that runs a tree in the namespace of the robot."""
    prefix = Path(get_packages_with_prefixes().get('audio_interaction_bt', 'nowhere'))
    program = prefix / 'lib' / 'audio_interaction_bt' / 'run_tree'
    if not program.exists():
        pytest.skip('audio_interaction_bt is not built: examples/behaviour_trees/cpp/README.md')

    def run(name):
        process = subprocess.Popen(
            [program, TREES / name, '--ros-args', '-r', f'__ns:={robot.namespace}',
             '-p', 'groot_port:=0'], env=dict(os.environ))
        robot.processes.append(process)
        return process
    return run


def listens(status):
    """Tell whether a goal of the action waits for words."""
    return bool(status) and any(goal.status in (GoalStatus.STATUS_ACCEPTED,
                                                GoalStatus.STATUS_EXECUTING)
                                for goal in status[-1].status_list)


@pytest.fixture
def alarmed(plant, robot):
    """Return a tree that asks about a smoke alarm, and what it is asked with and beside."""
    voice, wheels = robot.voice(), robot.watch(Twist, 'cmd_vel', 10)
    hold = robot.watch(Bool, 'alerts/hold', qos.FLAG)
    goals = robot.watch(GoalStatusArray, 'listen/_action/status',
                        qos_profile_action_status_default)
    runtime = robot.scripted(script={2: {1: 'A smoke alarm is sounding.'},
                                     0: {3: 'No there is smoke', 5: 'Yes it is okay'}})
    encoder, microphone = robot.encoder(runtime=runtime), robot.microphone()
    decoder = robot.decoder(runtime=runtime)
    robot.wait(lambda: decoder.ready and encoder.ready, 'ready')
    plant('stop_and_ask.xml')
    robot.wait(lambda: wheels, 'it stands until it hears')
    robot.tell(microphone, encoder, 3)
    robot.wait(lambda: hold and hold[-1].data and listens(goals), 'it listens')
    return SimpleNamespace(voice=voice, hold=hold, goals=goals,
                           tell=lambda: robot.tell(microphone, encoder, 2))


def test_it_stops_on_an_alarm_asks_again_after_a_no_and_acknowledges_a_yes(robot, alarmed):
    said = alarmed.voice
    assert said == [('A smoke alarm is sounding.', Say.Goal.HIGH),
                    ('I have stopped. Is everything all right?', Say.Goal.HIGH)]
    alarmed.tell()
    robot.wait(lambda: len(said) == 4 and listens(alarmed.goals), 'asked again')
    assert alarmed.hold[-1].data
    alarmed.tell()
    robot.wait(lambda: not alarmed.hold[-1].data, 'acknowledged')
