"""A model belongs to the configuration that asked for it, also when it comes too late."""

import gc
import threading
import types

import pytest

from audio_interaction_ros.config import ModelConfig
from audio_interaction_ros.nodes.lifecycle import runtime_source
from audio_interaction_ros.nodes.lifecycle.runtime_source import SharedRuntime
from audio_interaction_ros.runtimes.base import Runtime

pytestmark = pytest.mark.ros


class Loader:
    """A source of models whose first load ends only when it is told to."""

    def __init__(self, make):
        self._make = make
        self.go_on, self.late = threading.Event(), []
        self.asked = 0

    def __call__(self, _settings):
        self.asked += 1
        if self.asked > 1:
            return self._make()
        assert self.go_on.wait(120)
        self.late.append(self._make())
        return self.late[0]


def leave_behind(robot, node, worker, monkeypatch):
    """Configure the node again while its first model loads; return the thread left behind."""
    from audio_interaction_ros.nodes.lifecycle import worker as module
    monkeypatch.setattr(module, '_PATIENCE_S', 0.0)
    first = worker()._thread
    node.trigger_deactivate()
    node.trigger_cleanup()
    node.autostart()
    return first


@pytest.mark.parametrize('name', ['encoder', 'decoder'])
def test_a_model_that_was_loading_at_cleanup_is_not_taken(robot, monkeypatch, name):
    loader = Loader(robot.scripted(script={}))
    node = getattr(robot, name)(runtime=loader)
    robot.wait(lambda: loader.asked, 'it loads')
    first = leave_behind(robot, node, lambda: node._worker, monkeypatch)
    robot.wait(lambda: node._model is not None, 'the second model is there')
    second = node._model
    loader.go_on.set()
    first.join(60)
    robot.wait(lambda: node._worker.idle, 'settled')
    assert loader.late and node._model is second
    assert second.runtime is not loader.late[0]


@pytest.mark.parametrize('name', ['encoder', 'decoder'])
def test_a_model_that_comes_late_does_not_make_a_loading_node_ready(robot, monkeypatch, name):
    gates = [threading.Event(), threading.Event()]
    asked = []

    def load(_settings):
        gate = gates[len(asked)]
        asked.append(gate)
        assert gate.wait(120)
        return robot.scripted(script={})()
    node = getattr(robot, name)(runtime=load)
    robot.wait(lambda: len(asked) == 1, 'it loads')
    first = leave_behind(robot, node, lambda: node._worker, monkeypatch)
    robot.wait(lambda: len(asked) == 2, 'it loads again')
    gates[0].set()
    first.join(60)
    assert node._model is None and not node._worker.idle
    gates[1].set()
    robot.wait(lambda: node._model is not None, 'the model is there')


def test_a_second_pass_that_comes_late_is_not_taken(robot, monkeypatch):
    loader = Loader(lambda: types.SimpleNamespace())
    encoder = robot.encoder({'transcript.second_pass': 'whisper'}, transcriber=loader)
    robot.wait(lambda: loader.asked, 'it loads')
    old = encoder._second_pass
    leave_behind(robot, encoder, lambda: encoder._second_pass._worker._worker, monkeypatch)
    loader.go_on.set()
    old._worker._worker._thread.join(60)
    assert encoder._second_pass is not old and not old._worker._worker._outbox


def test_a_model_that_nobody_keeps_is_let_go(monkeypatch):
    loaded = []

    def load(model):
        loaded.append(model)
        return Runtime(encoder=None, decoder=None, tokenizer=None, config=model)
    monkeypatch.setattr(runtime_source, 'load_model', load)
    source = SharedRuntime()
    one, other = ModelConfig(path='one'), ModelConfig(path='other')
    kept = source(one)
    assert source(one) is kept
    assert source(other).config is other  # and nobody keeps it
    gc.collect()
    source(other)
    assert source(one) is kept
    assert loaded == [one, other, other]


@pytest.mark.parametrize('name', ['encoder', 'decoder'])
def test_what_remembers_one_stream_is_had_by_one_node_at_a_time(robot, name):
    runtime, make = robot.scripted(script={})(), getattr(robot, name)
    first = make(runtime=lambda _: runtime)
    robot.wait(lambda: first.ready, 'it has the model')
    with robot.at('/other'):
        second = make(runtime=lambda _: runtime)
    robot.wait(lambda: second.failure and second.state == 'unconfigured', 'it is refused')
    assert f'the one that {first.get_fully_qualified_name()} listens with' in second.failure
    assert 'give each assistant a SharedRuntime of its own' in second.failure
    for _ in range(2):  # itself it may have it again, and another once it is let go
        first.trigger_deactivate()
        first.trigger_cleanup()
        first.autostart()
        robot.wait(lambda: first.ready, 'it has it again')
    first.trigger_deactivate()
    first.trigger_cleanup()
    second.trigger_configure()
    robot.wait(lambda: second.ready, 'the other one has it')
