"""The executor that gathers what nodes have once: nothing is lost, nothing waits in vain."""

import threading
import time

import pytest
import rclpy
from action_msgs.msg import GoalStatus
from lifecycle_msgs.srv import GetState
from rclpy.action import ActionClient, ActionServer, CancelResponse
from rclpy.callback_groups import MutuallyExclusiveCallbackGroup, ReentrantCallbackGroup
from rclpy.event_handler import SubscriptionEventCallbacks
from rclpy.executors import ExternalShutdownException, ShutdownException, TimeoutException
from rclpy.qos import DurabilityPolicy, QoSProfile
from rclpy.task import Future
from rclpy.waitable import NumberOfEntities, Waitable
from std_msgs.msg import String

from audio_interaction_msgs.action import Say
from audio_interaction_ros.nodes.lifecycle import kept_executor, spinner
from audio_interaction_ros.nodes.lifecycle.kept_executor import KeptExecutor

pytestmark = pytest.mark.ros

PATIENCE_S = 30.0
LATCHED = QoSProfile(depth=10, durability=DurabilityPolicy.TRANSIENT_LOCAL)


@pytest.fixture
def context():
    made = rclpy.Context()
    rclpy.init(context=made)
    yield made
    made.try_shutdown()


@pytest.fixture
def executor(context):
    plain = rclpy.executors.SingleThreadedExecutor(context=context)
    supported = kept_executor.is_supported(plain)
    plain.shutdown()
    if not supported:
        pytest.skip('this release of rclpy is not what our executor rests on')
    made = KeptExecutor(context=context)
    yield made
    for node in made.get_nodes():
        node.destroy_node()
    made.shutdown()


@pytest.fixture
def node(context, executor):
    made = rclpy.create_node('looked_at', context=context)
    executor.add_node(made)
    return made


def spin_until(executor, condition):
    limit = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < limit, 'it never happened'
        executor.spin_once(timeout_sec=0.1)


class Faulty(Waitable):
    """Is in the way of the others: fails as often as it is told to when it is looked at."""

    def __init__(self, node, *, looked_at=0, taken=0):
        super().__init__(MutuallyExclusiveCallbackGroup())
        self.looked_at, self.taken, self.executed = looked_at, taken, 0
        self._guard = node.create_guard_condition(lambda: None)
        node.add_waitable(self)

    def __enter__(self):
        self._guard.handle.__enter__()

    def __exit__(self, *reason):
        self._guard.handle.__exit__(*reason)

    def get_num_entities(self):
        return NumberOfEntities(0, 1, 0, 0, 0, 0)

    def add_to_wait_set(self, wait_set):
        wait_set.add_guard_condition(self._guard.handle)

    def is_ready(self, _wait_set):
        if self.looked_at:
            self.looked_at -= 1
            raise ValueError('looked at')
        return self.taken > 0 or self.executed == 0

    def take_data(self):
        if self.taken:
            self.taken -= 1
            raise ValueError('taken')

    async def execute(self, _data):
        self.executed += 1


@pytest.mark.parametrize('fault', ['looked_at', 'taken'])
def test_what_is_ready_beside_something_that_fails_is_not_lost(node, executor, fault):
    calls = []
    guards = [node.create_guard_condition(lambda name=name: calls.append(name),
                                          callback_group=ReentrantCallbackGroup())
              for name in 'abc']
    faulty = Faulty(node, **{fault: 1})
    for guard in guards:
        guard.trigger()
    with pytest.raises(ValueError, match=fault.replace('_', ' ')):
        spin_until(executor, lambda: faulty.executed)
    spin_until(executor, lambda: faulty.executed and len(calls) == 3)
    assert sorted(calls) == ['a', 'b', 'c']


def test_a_group_is_free_again_after_a_callback_that_fails(node, executor):
    group, calls = MutuallyExclusiveCallbackGroup(), []

    def fail():
        calls.append('fails')
        raise ValueError('this one')
    failing = node.create_guard_condition(fail, callback_group=group)
    other = node.create_guard_condition(lambda: calls.append('other'), callback_group=group)
    failing.trigger()
    with pytest.raises(ValueError, match='this one'):
        spin_until(executor, lambda: False)
    other.trigger()
    spin_until(executor, lambda: calls == ['fails', 'other'])


def test_a_coroutine_goes_on_when_the_callback_it_waits_for_has_come(node, executor):
    answers, group = [], ReentrantCallbackGroup()  # one of its own would wait for the coroutine
    node.create_service(GetState, 'asked', lambda _request, response: response)
    client = node.create_client(GetState, 'asked', callback_group=group)

    async def ask():
        timer.cancel()
        answers.append(await client.call_async(GetState.Request()))
    timer = node.create_timer(0.01, ask, callback_group=group)
    spin_until(executor, lambda: bool(answers))


def test_a_coroutine_that_waits_does_not_keep_the_processor_busy(node, executor):
    future, resumed = Future(), []

    class Counted:
        def __await__(self):
            while not future.done():
                resumed.append(1)
                yield

    async def wait():
        timer.cancel()
        await Counted()
    timer = node.create_timer(0.01, wait)
    spin_until(executor, lambda: bool(resumed))
    before = len(resumed)
    executor.spin_once(timeout_sec=0.05)  # comes back by time, with the coroutine
    assert len(resumed) <= before + 1
    future.set_result(None)
    executor.spin_once(timeout_sec=0.05)


def test_a_task_from_another_thread_ends_a_wait_without_limit(executor):
    done = []
    thread = threading.Thread(target=executor.spin_once)
    thread.start()
    executor.create_task(done.append, 'here')
    thread.join(PATIENCE_S)
    assert done == ['here']


def test_a_future_ends_the_spinning_that_waits_for_it(executor):
    future = Future()
    thread = threading.Thread(target=executor.spin_until_future_complete, args=(future,))
    thread.start()
    future.set_result('there')
    thread.join(PATIENCE_S)
    assert not thread.is_alive()
    executor.spin_until_future_complete(Future(), timeout_sec=0.01)  # and by time without it


def test_nodes_that_come_and_go_while_it_waits_without_limit_are_seen(context, executor):
    called, thread = threading.Event(), threading.Thread(target=executor.spin_once)
    node = rclpy.create_node('late', context=context)
    node.create_timer(0.01, called.set)
    thread.start()
    executor.add_node(node)
    thread.join(PATIENCE_S)
    assert called.is_set()
    executor.remove_node(node)
    with pytest.raises(TimeoutException):
        executor.wait_for_ready_callbacks(timeout_sec=0.05)
    node.destroy_node()


@pytest.mark.parametrize(('end', 'error'), [
    ('executor', ShutdownException), ('context', ExternalShutdownException)])
def test_the_end_ends_a_wait_without_limit(context, node, executor, end, error):
    raised = []

    def wait():
        try:
            while True:
                executor.wait_for_ready_callbacks()
        except (ShutdownException, ExternalShutdownException) as ended:
            raised.append(type(ended))
    thread = threading.Thread(target=wait)
    thread.start()
    executor.shutdown() if end == 'executor' else context.shutdown()
    thread.join(PATIENCE_S)
    assert raised == [error]


def test_what_is_destroyed_behind_the_back_of_its_node_is_let_go(node, executor):
    heard, calls = [], []
    gone = node.create_subscription(String, 'said', heard.append, 10)
    node.create_timer(0.01, lambda: calls.append(1))
    spin_until(executor, lambda: bool(calls))
    publisher = node.create_publisher(String, 'said', 10)
    spin_until(executor, lambda: publisher.get_subscription_count() == 1)
    gone.destroy()
    publisher.publish(String(data='to nobody'))
    before = len(calls)
    spin_until(executor, lambda: len(calls) >= before + 3)
    assert heard == []


def test_topics_made_and_destroyed_over_and_over_lose_nothing(node, executor):
    heard, made = [], []
    publisher = node.create_publisher(String, 'said', LATCHED)
    for number in range(20):
        made.append(node.create_subscription(
            String, 'said', lambda message: heard.append(message.data), LATCHED))
        publisher.publish(String(data=str(number)))
        spin_until(executor, lambda number=number: str(number) in heard)
        node.destroy_subscription(made.pop())
    assert set(heard) == {str(number) for number in range(20)}


def test_a_timer_that_its_own_group_puts_off_does_not_come_early(node, executor):
    group, period_s, times = MutuallyExclusiveCallbackGroup(), 0.05, []

    def put_off():
        watchdog.reset()
        times.append(time.monotonic())
    guard = node.create_guard_condition(put_off, callback_group=group)
    guard.trigger()
    task = executor.wait_for_ready_callbacks(timeout_sec=PATIENCE_S)[0]
    watchdog = node.create_timer(
        period_s, lambda: times.append(time.monotonic()), callback_group=group)
    while not watchdog.is_ready():
        time.sleep(0.001)
    with pytest.raises(TimeoutException):  # the group is another's
        executor.wait_for_ready_callbacks(timeout_sec=0.0)
    executor.run_task(task)
    spin_until(executor, lambda: len(times) == 2)
    assert times[1] - times[0] >= 0.9 * period_s


def test_the_end_of_a_callback_wakes_only_where_something_had_to_wait_for_it(
        node, executor, monkeypatch):
    group, woken, calls = MutuallyExclusiveCallbackGroup(), [], []
    first, second = (node.create_guard_condition(lambda name=name: calls.append(name),
                                                 callback_group=group) for name in 'ab')
    first.trigger()
    task = executor.wait_for_ready_callbacks(timeout_sec=PATIENCE_S)[0]
    with pytest.raises(TimeoutException):  # it is waited for more while that one runs
        executor.wait_for_ready_callbacks(timeout_sec=0.0)
    trigger = executor._trigger
    monkeypatch.setattr(executor, '_trigger', lambda: (woken.append(1), trigger()))
    executor.run_task(task)
    assert calls == ['a'] and not woken
    first.trigger()
    task = executor.wait_for_ready_callbacks(timeout_sec=PATIENCE_S)[0]
    second.trigger()
    for _ in ('it is put off', 'its group is passed over'):
        with pytest.raises(TimeoutException):
            executor.wait_for_ready_callbacks(timeout_sec=0.0)
    executor.run_task(task)
    assert woken
    executor.run_task(executor.wait_for_ready_callbacks(timeout_sec=PATIENCE_S)[0])
    assert calls == ['a', 'a', 'b']


def test_an_action_that_waits_is_cancelled(node, executor):
    group, cancelled, statuses = ReentrantCallbackGroup(), Future(), []

    def cancel(_goal):
        cancelled.set_result(None)
        return CancelResponse.ACCEPT

    async def execute(goal):
        await cancelled
        goal.canceled()
        return Say.Result()
    server = ActionServer(node, Say, 'act', execute, callback_group=group, cancel_callback=cancel)
    client = ActionClient(node, Say, 'act', callback_group=group)
    spin_until(executor, client.server_is_ready)
    asked = client.send_goal_async(Say.Goal())
    spin_until(executor, asked.done)
    result = asked.result().get_result_async()
    result.add_done_callback(lambda done: statuses.append(done.result().status))
    asked.result().cancel_goal_async()
    spin_until(executor, lambda: bool(statuses))
    assert statuses == [GoalStatus.STATUS_CANCELED]
    server.destroy()
    client.destroy()


def test_what_a_topic_says_of_itself_is_told(node, executor):
    told = []
    node.create_publisher(String, 'said', 10)
    node.create_subscription(String, 'said', lambda _: None, LATCHED,
                             event_callbacks=SubscriptionEventCallbacks(
                                 incompatible_qos=told.append))
    spin_until(executor, lambda: bool(told))


def test_a_release_with_another_inside_gets_its_own_executor(context, monkeypatch, capfd):
    monkeypatch.setattr(rclpy.executors.Executor, '_call_task_in_next_spin', None, raising=False)
    monkeypatch.delenv(spinner.EXECUTOR_VARIABLE, raising=False)
    made = spinner._make_finder(context)
    assert type(made) is rclpy.executors.SingleThreadedExecutor
    assert "rclpy's own" in ''.join(capfd.readouterr())
    made.shutdown()


@pytest.mark.parametrize(('said', 'kind'), [
    ('', KeptExecutor), ('kept', KeptExecutor), ('fast', KeptExecutor),
    ('rclpy', rclpy.executors.SingleThreadedExecutor)])
def test_the_environment_chooses(context, executor, monkeypatch, capfd, said, kind):
    monkeypatch.setenv(spinner.EXECUTOR_VARIABLE, said)
    made = spinner._make_finder(context)
    assert type(made) is kind
    assert ('expected AUDIO_INTERACTION_EXECUTOR' in ''.join(capfd.readouterr())) == (
        said == 'fast')
    made.shutdown()
