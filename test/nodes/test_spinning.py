"""Spinning and ending: callbacks that fail, that are under way, that come back."""

import signal
import threading

import pytest
import rclpy
from rclpy.callback_groups import MutuallyExclusiveCallbackGroup
from rclpy.exceptions import InvalidHandle

from audio_interaction_ros.nodes.lifecycle import spinner, spinning
from audio_interaction_ros.nodes.lifecycle.kept_executor import KeptExecutor, is_supported
from audio_interaction_ros.nodes.lifecycle.spinning import run
from audio_interaction_ros.nodes.lifecycle.steady_timer import steady_timer

pytestmark = pytest.mark.ros


def test_a_callback_that_fails_is_named_and_the_others_go_on(capfd):
    calls = []

    def fail():
        raise ValueError('this one fails')

    def make():
        node = rclpy.create_node('one_of_two')
        node.create_timer(0.01, fail)
        node.create_timer(0.01, lambda: calls.append(1))
        return [node]
    assert run(make, [], done=lambda: len(calls) >= 5) == 0
    said = capfd.readouterr().err
    assert 'this one fails' in said and 'one_of_two' in said
    assert 'never retrieved' not in said


def test_a_log_folder_that_cannot_be_made_is_named_with_the_variable_to_set(capfd, monkeypatch):
    def refuse(*_, **__):
        raise RuntimeError('failed to initialize logging: Failed to create log directory /ro/log')
    monkeypatch.setattr(spinning, 'start_ros', refuse)
    assert run(list, []) == 2
    said = capfd.readouterr().err
    assert '/ro/log; set ROS_LOG_DIR to a folder that can be written' in said
    assert said.count('\n') == 1


def test_the_end_waits_for_a_callback_under_way(capfd):
    under_way, go_on, finished = threading.Event(), threading.Event(), []

    def slow():
        under_way.set()
        go_on.wait(10)
        finished.append(node[0].get_name())  # the node is still there

    node = []

    def make():
        node.append(rclpy.create_node('slow'))
        node[0].create_timer(0.01, slow, callback_group=MutuallyExclusiveCallbackGroup())
        return node

    def done():
        if under_way.is_set():
            threading.Timer(0.2, go_on.set).start()
        return under_way.is_set()
    assert run(make, [], done=done) == 0
    assert finished == ['slow']
    assert capfd.readouterr().err == ''


def test_more_slow_callbacks_than_threads_all_come_to_run():
    started, finished, go_on = set(), set(), threading.Event()

    def make():
        node = rclpy.create_node('busy')
        for name in range(6):
            def call(name=name):
                started.add(name)
                go_on.wait(10)
                finished.add(name)
            node.create_timer(0.01, call, callback_group=MutuallyExclusiveCallbackGroup())
        return [node]

    def done():
        if len(started) == 4:  # every thread is taken and two callbacks wait
            go_on.set()
        return len(finished) == 6
    assert run(make, [], done=done) == 0


def test_timers_go_on_where_the_simulated_clock_stands_still():
    calls = []

    def make():
        node = rclpy.create_node('simulated', parameter_overrides=[
            rclpy.parameter.Parameter('use_sim_time', value=True)])
        steady_timer(node, 0.01, lambda: calls.append(node.get_clock().now().nanoseconds))
        return [node]
    assert run(make, [], done=lambda: len(calls) >= 3) == 0
    assert set(calls) == {0}


def test_a_second_signal_does_not_hurt_a_process_that_ends(capfd):
    calls, handler = [], signal.getsignal(signal.SIGINT)

    def make():
        node = rclpy.create_node('interrupted')
        node.create_timer(0.01, lambda: calls.append(1))
        return [node]

    def done():
        if calls:
            signal.raise_signal(signal.SIGINT)
            signal.raise_signal(signal.SIGTERM)
            signal.raise_signal(signal.SIGINT)
        return False
    assert run(make, [], done=done) == 0
    assert signal.getsignal(signal.SIGINT) is handler
    assert capfd.readouterr().err == ''


def skip_where_not_supported():
    context = rclpy.Context()
    rclpy.init(context=context)
    plain = spinner.SingleThreadedExecutor(context=context)
    supported = is_supported(plain)
    plain.shutdown()
    context.try_shutdown()
    if not supported:
        pytest.skip('this release of rclpy is not what our executor expects')


@pytest.fixture(params=['kept', 'rclpy'])
def executor(request, monkeypatch):
    """Choose who finds callbacks; the class of it."""
    monkeypatch.setenv(spinner.EXECUTOR_VARIABLE, request.param)
    if request.param == 'kept':
        skip_where_not_supported()
    return {'kept': KeptExecutor, 'rclpy': spinner.SingleThreadedExecutor}[request.param]


def test_what_goes_while_it_is_waited_for_is_taken_in_stride(capfd, monkeypatch, executor):
    calls = []
    stumbles = [InvalidHandle('a topic that is gone'), InvalidHandle('a timer that is gone'),
                ValueError('a fault')]
    wait = executor.wait_for_ready_callbacks

    def stumbling(self, *args, **kwargs):
        if stumbles:
            raise stumbles.pop(0)
        return wait(self, *args, **kwargs)
    monkeypatch.setattr(executor, 'wait_for_ready_callbacks', stumbling)

    def make():
        node = rclpy.create_node('changing')
        node.create_timer(0.01, lambda: calls.append(1))
        return [node]
    assert run(make, [], done=lambda: len(calls) >= 3) == 0
    assert not stumbles
    said = capfd.readouterr().err
    assert 'a fault' in said and 'gone' not in said


def test_what_goes_while_everything_is_gathered_does_not_stop_the_others(monkeypatch, capfd):
    skip_where_not_supported()
    monkeypatch.setenv(spinner.EXECUTOR_VARIABLE, 'kept')
    calls, stumbles = [], [InvalidHandle('a waitable that is gone')]
    look = KeptExecutor.get_nodes

    def stumbling(self):
        if stumbles:
            raise stumbles.pop()
        return look(self)
    monkeypatch.setattr(KeptExecutor, 'get_nodes', stumbling)

    def make():
        node = rclpy.create_node('gathered')
        node.create_timer(0.01, lambda: calls.append(1))
        return [node]
    assert run(make, [], done=lambda: len(calls) >= 3) == 0
    assert not stumbles and capfd.readouterr().err == ''


def test_what_is_ready_while_its_group_is_busy_comes_after_it(executor):
    calls, guards, go_on = [], [], threading.Event()

    def slow():
        calls.append('slow')
        guards[1].trigger()
        guards[2].trigger()
        go_on.wait(10)
        calls.append('done')

    def make():
        node = rclpy.create_node('grouped')
        group = MutuallyExclusiveCallbackGroup()
        guards.append(node.create_guard_condition(slow, callback_group=group))
        guards.append(node.create_guard_condition(lambda: calls.append('after'),
                                                  callback_group=group))
        guards.append(node.create_guard_condition(go_on.set))  # of another group
        guards[0].trigger()
        return [node]
    assert run(make, [], done=lambda: 'after' in calls) == 0
    assert calls == ['slow', 'done', 'after']


def test_what_is_made_and_destroyed_while_it_spins_is_seen(executor):
    calls, timers = [], []

    def make():
        node = rclpy.create_node('changing')

        def renew():
            if timers:
                node.destroy_timer(timers.pop())
            timers.append(node.create_timer(0.001, lambda: calls.append(len(calls))))
        node.create_timer(0.05, renew)
        return [node]
    assert run(make, [], done=lambda: len(calls) >= 20) == 0


def test_a_callback_that_waits_for_another_goes_on_when_that_is_there(executor):
    answers = []

    def make():
        node = rclpy.create_node('asking')
        future = rclpy.task.Future()

        async def ask():
            timer.cancel()
            answers.append(await future)
        timer = node.create_timer(0.01, ask)
        node.create_timer(0.05, lambda: future.set_result('there'),
                          callback_group=MutuallyExclusiveCallbackGroup())
        return [node]
    assert run(make, [], done=lambda: bool(answers)) == 0
    assert answers == ['there']
