"""How soon a robot is silent that is told to stop: each way is a figure, by what was played."""

import os
from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip('rclpy', reason='ROS 2 is not installed')

from bench import hush
from bench.nodes import NodesError

pytestmark = pytest.mark.ros


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    monkeypatch.setattr(os, 'environ', os.environ.copy())


def test_each_way_to_stop_is_a_figure():
    figures = hush.run(repeat=2)
    assert [figure.what.split()[2] for figure in figures] == ['"stop",', 'a', 'speech/stop']
    assert all(figure.samples == 2 and figure.value > -20 for figure in figures)
    assert {figure.goal for figure in figures} == {200.0}


def test_silence_is_not_counted_as_speech():
    samples = np.zeros(480, '<f4')
    block = SimpleNamespace(data=samples.tobytes(), sample_rate=24_000, header=SimpleNamespace(
        stamp=SimpleNamespace(sec=1, nanosec=0)))
    assert hush._end_ns(block) == 0.0
    samples[239] = 0.1
    block.data = samples.tobytes()
    assert hush._end_ns(block) == 1.01e9


def test_a_robot_that_does_not_speak_is_no_figure(monkeypatch):
    monkeypatch.setattr(hush, '_PATIENCE_S', 0.01)
    robot = object.__new__(hush._Robot)
    with pytest.raises(NodesError, match='never happened: it speaks'):
        robot.wait(lambda: False, 'it speaks')
