"""What several callback groups read has one rule: the node's lock."""

import sys
import threading

import pytest
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.callback_groups import MutuallyExclusiveCallbackGroup
from std_msgs.msg import Bool
from std_srvs.srv import Trigger

from audio_interaction_msgs.msg import EncodedChunk as EncodedChunkMessage
from audio_interaction_ros.nodes.lifecycle import qos
from audio_interaction_ros.nodes.lifecycle.diagnostics import Diagnostics, StatusReport
from audio_interaction_ros.nodes.lifecycle.managed_node import ManagedNode
from audio_interaction_ros.nodes.lifecycle.worker import Ready, Worker

pytestmark = pytest.mark.ros

ROUNDS = 300


class Accounts(ManagedNode):
    """Moves money between accounts from every kind of callback; a reader must find all of it."""

    def __init__(self, **options):
        super().__init__('accounts', groups=(), **options)
        self.books = {'a': 0}
        self.moves = self.checks = 0
        self.wrong = []
        self.diagnostics = Diagnostics(node=self, tasks={'books': self.check}, lock=self.lock)

    def set_up(self):
        for _ in range(2):
            self.managed_timer(0.001, self.move, callback_group=MutuallyExclusiveCallbackGroup())
        self.managed_subscription(EncodedChunkMessage, 'encoded', lambda _message: self.move(),
                                  qos.encoded_profile(32),
                                  callback_group=MutuallyExclusiveCallbackGroup())
        self.managed_service(Trigger, '~/move', self.serve,
                             callback_group=MutuallyExclusiveCallbackGroup())
        self.worker = Worker(
            node=self, group=MutuallyExclusiveCallbackGroup(), setup=lambda: None,
            compute=lambda _result, items, emit: [emit(item) for item in items] and False,
            publish=lambda output: isinstance(output, Ready) or self.move(), capacity=8,
            name='accounts')
        self.worker.start()

    def start(self):
        pass

    def stop(self):
        pass

    def tear_down(self):
        if hasattr(self, 'worker'):
            self.worker.close()

    def move(self):
        self.moves += 1
        name = str(self.moves % 50)
        for key in list(self.books):
            self.books[key] -= 1
        self.books[name] = self.books.get(name, 0) + len(self.books)
        if name not in list(self.books)[:-1]:
            self.books[name] -= 1
        self.books['a'] += -sum(self.books.values())

    def serve(self, _request, response):
        self.move()
        response.success = True
        return response

    def check(self):
        total = 0
        for value in self.books.values():  # breaks as well where somebody adds an account
            total += value
        self.checks += 1
        if total:
            self.wrong.append(total)
        return StatusReport()


def test_no_reader_sees_a_change_half_done(robot):
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        node = robot.add(Accounts(**robot.options()))
        node.autostart()
        stop = threading.Event()
        publisher = robot.watcher.create_publisher(EncodedChunkMessage, 'encoded',
                                                   qos.encoded_profile(32))

        def look():
            while not stop.is_set():
                node.diagnostics.publish()
                node.worker.put(1)
                publisher.publish(EncodedChunkMessage())
        lookers = [threading.Thread(target=look) for _ in range(2)]
        for looker in lookers:
            looker.start()
        robot.wait(lambda: node.moves > ROUNDS and node.checks > ROUNDS, 'enough of both')
        assert robot.call(Trigger, 'accounts/move').success
        stop.set()
        for looker in lookers:
            looker.join()
    finally:
        sys.setswitchinterval(before)
    assert not node.wrong


def test_diagnostics_come_also_while_a_callback_keeps_the_node_busy(robot):
    diagnostics = robot.watch(DiagnosticArray, 'diagnostics', qos.DIAGNOSTICS)
    node = robot.add(Accounts(**robot.options()))
    robot.wait(lambda: diagnostics, 'it reports')
    with node.lock:
        robot.wait(lambda: 'busy in a callback' in diagnostics[-1].status[0].message, 'it says so')
    robot.wait(lambda: diagnostics[-1].status[0].message == 'ok', 'it is free again')


def test_what_was_taken_before_a_cleanup_is_not_called_after_it(robot):
    node, heard = robot.encoder(), []
    subscription = node.managed_subscription(Bool, 'told', heard.append, qos.FLAG, always=True)
    subscription.callback(Bool())
    node.release()
    subscription.callback(Bool())
    assert len(heard) == 1, 'the topics that it would publish on are gone'


def test_a_decoder_under_fire_reports_without_a_stumble(robot, capfd):
    """Every way in at once, with cleanups in between: no task fails and no callback raises."""
    diagnostics = robot.watch(DiagnosticArray, 'diagnostics', qos.DIAGNOSTICS)
    decoder = robot.decoder(runtime=robot.scripted(script={0: dict.fromkeys(range(0, 200, 3),
                                                                            'yes')}))
    encoder = robot.encoder()
    microphone = robot.microphone()
    stop = threading.Event()

    def look():
        while not stop.is_set():
            decoder.diagnostics.publish()
            encoder.diagnostics.publish()
    looker = threading.Thread(target=look)
    looker.start()
    try:
        for _ in range(3):
            robot.wait(lambda: decoder.ready and decoder.active, 'it decides')
            robot.wait(lambda: encoder.ready, 'it hears')
            seen = decoder._worker
            robot.speak(microphone, 12)
            robot.wait(lambda: decoder._health.nearest, 'decisions')
            for node in (decoder, encoder):
                robot.speak(microphone, 4)
                node.trigger_deactivate()
                node.trigger_cleanup()
                node.autostart()
            assert decoder._worker is not seen
    finally:
        stop.set()
        looker.join()
    failed = [status.message for array in diagnostics for status in array.status
              if 'task failed' in status.message]
    assert not failed
    said = capfd.readouterr().err
    assert 'Traceback' not in said and 'a callback failed' not in said, said
