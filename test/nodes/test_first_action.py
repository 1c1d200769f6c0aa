"""The node that docs/deployment.md shows: it stops a robot while a critical alert waits."""

import re
import types
from pathlib import Path

import pytest

pytest.importorskip('geometry_msgs.msg')

from geometry_msgs.msg import Twist

from audio_interaction_msgs.srv import AcknowledgeAlert

pytestmark = pytest.mark.ros

PAGE = Path(__file__).parents[2] / 'docs' / 'deployment.md'


def test_a_robot_stands_still_until_somebody_acknowledges(robot, monkeypatch):
    code, = (one for one in re.findall(r'```python\n(.*?)```', PAGE.read_text(encoding='utf-8'),
                                       re.DOTALL) if 'StopOnAlarm' in one)
    example = types.ModuleType('stop_on_alarm')
    exec(code, example.__dict__)
    made = example.Node.__init__
    monkeypatch.setattr(example.Node, '__init__', lambda self, name, **options: made(
        self, name, **{**robot.options(), **options}))
    node = robot.add(example.StopOnAlarm())
    stops = robot.watch(Twist, '/cmd_vel', 10)
    script = {0: {2: 'A smoke alarm is sounding!'}}
    robot.decoder({'lanes': ['assistant']}, runtime=robot.scripted(script=script))
    encoder = robot.encoder({'lanes': ['assistant']}, runtime=robot.scripted(script=script))
    microphone = robot.microphone()
    robot.wait(lambda: microphone.get_subscription_count() > 0, 'heard')
    robot.tell(microphone, encoder, 1)
    assert not stops
    robot.tell(microphone, encoder, 3)
    robot.wait(lambda: len(stops) > 2, 'the robot is told to stop')
    assert node.stopped and all(stop == Twist() for stop in stops)
    assert robot.call(AcknowledgeAlert, 'alerts/acknowledge', id='').success
    robot.wait(lambda: not node.stopped, 'it may go on')
