"""Two nodes of one name: told where they stay, in the log once."""

import pytest

rclpy = pytest.importorskip('rclpy', reason='ROS 2 is not installed: run make setup')

from audio_interaction_ros.nodes.lifecycle.diagnostics import ERROR, OK, StatusReport  # noqa: E402
from audio_interaction_ros.nodes.lifecycle.name_watch import NameWatch  # noqa: E402

pytestmark = pytest.mark.ros


def look(watch):
    report = StatusReport()
    watch.check(report)
    return report


def test_another_node_of_the_same_name_is_told_until_it_is_gone(robot, capfd):
    watch = NameWatch(node=robot.watcher, patience_s=0.0)
    patient = NameWatch(node=robot.watcher)
    other = rclpy.create_node('watcher', namespace='/elsewhere', context=robot.context)
    assert look(watch).level == OK
    twin = rclpy.create_node('watcher', namespace=robot.namespace, context=robot.context)
    robot.wait(lambda: look(watch).level == ERROR, 'the other is seen')
    report = look(watch)
    assert '/robot/watcher' in report.messages[0] and 'namespace' in report.messages[0]
    assert look(patient).level == OK, 'it may have been killed just now'
    assert capfd.readouterr().err.count('another node is called') == 1
    twin.destroy_node()
    robot.wait(lambda: look(watch).level == OK, 'the other is gone')
    other.destroy_node()
