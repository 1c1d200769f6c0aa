"""Nodes as processes that are killed, stopped and told to end, at the worst moments."""

import os
import random
import signal
import sys
import time

import pytest

from bench.robot import NAMES, Robot, count_unaccounted

pytestmark = [pytest.mark.ros, pytest.mark.slow]

FIFO = 'encoder_node: fifo'
PATIENCE_S = 60.0
LOOP_S = float(os.environ.get('FAULT_LOOP_S', '10'))
"""How long both nodes are killed again and again; 300 is the figure of docs/reliability.md."""


@pytest.fixture
def processes(tmp_path):
    """Return a function that starts both nodes as processes and waits until they hear."""
    made = []

    def start(**environment):
        made.append(Robot(folder=tmp_path, command=lambda name: [
            sys.executable, '-m', 'audio_interaction_ros.nodes.scripted_process', name],
            **environment))
        hear(made[-1])
        return made[-1]
    yield start
    while made:
        made.pop().close()


def hear(robot):
    assert robot.seen.wait(lambda: robot.seen.listeners > 0 and robot.seen.consumer, PATIENCE_S)


def speak_until(robot, condition):
    """Speak a chunk at a time until something holds."""
    limit = time.monotonic() + PATIENCE_S
    while not robot.seen.wait(condition, 0.1):
        assert time.monotonic() < limit, robot.log_tail()
        robot.tell('speak', blocks=1)


def count_dropped(robot):
    return int(robot.seen.reports[FIFO]['dropped_overflow'])


def worked_off(values):
    return 'offered' in values and int(values['pending']) == int(values['in_flight']) == 0


def everything_accounted(robot):
    """Wait until nothing is under way, then look whether every report added up."""
    assert robot.wait_for_report(FIFO, worked_off, PATIENCE_S), robot.seen.reports.get(FIFO)
    assert robot.seen.unbalanced == [] and count_unaccounted(robot.seen.reports[FIFO]) == 0
    assert robot.seen.skipped == 0


@pytest.mark.parametrize('name', NAMES)
def test_a_stopped_node_is_named_and_what_it_missed_is_counted(processes, name):
    robot = processes()
    speak_until(robot, lambda: robot.seen.progress >= 4)
    robot.send(name, signal.SIGSTOP)
    if name == 'decoder_node':
        robot.tell('speak', blocks=80)  # more than both queues hold
        assert robot.seen.wait(lambda: any('no decoder' in words for words in robot.seen.words),
                               PATIENCE_S)
        speak_until(robot, lambda: count_dropped(robot) > 0)  # a busy machine loses audio before
    else:
        robot.tell('speak', blocks=8)
    robot.send(name, signal.SIGCONT)
    before = robot.seen.progress
    speak_until(robot, lambda: robot.seen.progress >= before + 8)
    everything_accounted(robot)
    if name == 'decoder_node':
        assert count_dropped(robot) > 0


def test_both_nodes_killed_in_a_loop_come_back_and_every_report_adds_up(processes):
    robot, chance, kills = processes(), random.Random(0), 0
    end = time.monotonic() + LOOP_S
    while time.monotonic() < end or not kills:
        for name in chance.sample(NAMES, chance.randint(1, 2)):
            robot.tell('speak', blocks=chance.randint(1, 12))
            robot.kill(name)
            robot.start(name)
            kills += 1
        before = robot.seen.progress
        speak_until(robot, lambda before=before: robot.seen.progress > before)
    everything_accounted(robot)
    assert sum(robot.starts.values()) == kills + 2


def test_sigterm_in_mid_reply_ends_in_good_order(processes, tmp_path):
    robot = processes(STEP_S='0.05', EVERY='1')
    speak_until(robot, lambda: robot.seen.progress >= 2)
    for name in NAMES:
        robot.send(name, signal.SIGTERM)
    assert [robot.nodes[name].wait(timeout=PATIENCE_S) for name in NAMES] == [0, 0]
    assert 'Traceback' not in robot.log_tail() and 'terminate called' not in robot.log_tail()
