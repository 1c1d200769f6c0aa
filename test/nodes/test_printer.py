"""What a person reads beside the nodes: times of the audio, and true reasons of a silence."""

from types import SimpleNamespace

import pytest
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue

from audio_interaction_ros.nodes import assistant
from audio_interaction_ros.nodes.lifecycle import qos
from audio_interaction_ros.nodes.printer import PrinterNode

pytestmark = pytest.mark.ros

OK, WARN, ERROR = DiagnosticStatus.OK, DiagnosticStatus.WARN, DiagnosticStatus.ERROR
LOADING = (WARN, 'loading the model for {n} s so far', {'loaded': 'False'})


class Screen:
    """A printer, and what it has printed."""

    def __init__(self, robot, capfd):
        self.robot, self._capfd, self.out, self.err = robot, capfd, '', ''
        self.node = robot.add(PrinterNode(grace_s=0.3, **robot.options()))
        self.diagnostics = robot.watcher.create_publisher(
            DiagnosticArray, 'diagnostics', qos.DIAGNOSTICS)
        self._count = 0

    def look(self):
        new = self._capfd.readouterr()
        self.out, self.err = self.out + new.out, self.err + new.err
        return self

    def report(self, tasks):
        """Publish diagnostics: level, message and values of each task."""
        self._count += 1
        self.diagnostics.publish(DiagnosticArray(status=[DiagnosticStatus(
            name=name, level=level,
            message=message.format(n=self._count),
            values=[KeyValue(key=key, value=value) for key, value in values.items()])
            for name, (level, message, values) in tasks.items()]))

    def until(self, words, tasks):
        """Report the same again and again until something is on the screen."""
        def seen():
            self.report(tasks)
            return words in self.look().err
        self.robot.wait(seen, f'printed: {words}')

    @property
    def reasons(self):
        return [line.strip() for line in self.look().err.splitlines()
                if line.startswith(('  quiet?', '  note'))]


@pytest.fixture
def screen(robot, capfd):
    return Screen(robot, capfd)


def test_times_count_from_the_begin_of_the_audio(screen, robot):
    """The reply is decided at the end of the third chunk."""
    script = {0: {3: 'hello'}}
    robot.decoder({'lanes': ['assistant']}, runtime=robot.scripted(script=script))
    encoder = robot.encoder({'lanes': ['assistant']}, runtime=robot.scripted(script=script))
    microphone = robot.microphone()
    robot.wait(lambda: microphone.get_subscription_count() > 0, 'heard')
    robot.tell(microphone, encoder, 5)
    robot.wait(lambda: 'hello' in screen.look().out, 'the reply')
    assert '     1.6 s  reply        hello' in screen.out


@pytest.mark.parametrize('seconds', [0.2, 0.4, 0.8])
def test_the_begin_of_the_audio_is_found_whatever_the_size_of_chunks(screen, robot, seconds):
    from audio_interaction_msgs.msg import Decision
    decisions = robot.watcher.create_publisher(Decision, 'decisions', qos.DECISIONS)
    robot.wait(decisions.get_subscription_count, 'the printer listens')
    seq = 4

    def is_known():
        nonlocal seq
        seq += 1
        message = Decision(epoch=7, seq=seq, lane='assistant')
        ns = round(100e9 + (seq + 1) * seconds * 1e9)
        message.header.stamp.sec, message.header.stamp.nanosec = divmod(ns, 1_000_000_000)
        decisions.publish(message)
        return screen.node._zero_ns == 100_000_000_000
    robot.wait(is_known, 'it knows when the audio began')


def test_a_sound_that_begins_is_a_line_with_score_and_threshold(screen, robot):
    from audio_interaction_msgs.msg import SoundEvent, SoundScores
    scores = robot.watcher.create_publisher(SoundScores, 'sounds/scores', qos.DECISIONS)
    sounds = robot.watcher.create_publisher(SoundEvent, 'sounds', qos.EVENTS)
    robot.wait(lambda: scores.get_subscription_count() and sounds.get_subscription_count(),
               'the printer listens')
    message = SoundScores(seq=10)
    message.header.stamp.sec = 104

    def is_there():
        scores.publish(message)
        return screen.node._zero_ns == 100_000_000_000
    robot.wait(is_there, 'it knows when the audio began')
    for state in (SoundEvent.STARTED, SoundEvent.ENDED):
        event = SoundEvent(state=state, sound='smoke_alarm', score=0.97, threshold=0.62)
        event.onset.sec = 103
        sounds.publish(event)
    robot.wait(lambda: 'smoke_alarm' in screen.look().out, 'the sound')
    assert '     3.0 s  sound        smoke_alarm 0.97 (threshold 0.62)' in screen.out
    assert screen.out.count('smoke_alarm') == 1


def test_while_a_model_loads_that_is_the_only_reason(screen):
    others = {'encoder_node: audio input': (WARN, 'not listening yet', {}),
              'encoder_node: fifo': (WARN, 'no decoder: no credit', {})}
    halves = {'encoder_node: model': LOADING, 'decoder_node: model': LOADING}
    screen.until('loading', {**others, **halves})
    for _ in range(5):
        screen.report({**others, **halves})
    screen.until('no decoder', {'encoder_node: fifo': others['encoder_node: fifo'],
                                  'encoder_node: model': (OK, 'ok', {'loaded': 'True'}),
                                  'decoder_node: model': (OK, 'ok', {'loaded': 'True'})})
    loading, credit = screen.reasons
    assert loading.startswith('quiet?  encoder_node: model: loading the model for ')
    assert credit == 'quiet?  encoder_node: fifo: no decoder: no credit'


def test_a_recording_that_waits_for_what_reads_words_says_so_and_not_that_no_audio_comes(screen):
    reading = (WARN, 'loading what reads words for {n} s so far',
               {'loaded': 'True', 'second_pass_loading': 'True'})
    tasks = {'encoder_node: audio input': (WARN, 'no audio for {n} s on /audio', {}),
             'encoder_node: model': reading}
    screen.until('loading what reads words', tasks)
    for _ in range(5):
        screen.report(tasks)
    (reason,) = screen.reasons
    assert reason.startswith('quiet?  encoder_node: model: loading what reads words for ')


def test_what_passes_by_itself_is_not_told(screen):
    bad, good = {'a: b': (WARN, 'no credit', {})}, {'a: b': (OK, 'ok', {})}
    for _ in range(3):
        screen.report(bad)
        screen.report(good)
    screen.until('other', {'c: d': (WARN, 'other', {})})
    assert screen.reasons == ['quiet?  c: d: other']


def test_a_fault_is_told_also_while_the_other_half_loads(screen):
    screen.until('sha256', {'encoder_node: model': LOADING, 'decoder_node: model': (
        ERROR, 'expected sha256 abc', {'loaded': 'False'})})


def test_after_a_recording_no_audio_is_no_reason(screen):
    screen.node.note_recording_over()
    screen.until('slow', {'encoder_node: audio input': (WARN, 'no audio for {n} s', {}),
                            'decoder_node: alerts': (WARN, 'unacknowledged: siren', {}),
                            'decoder_node: model': (ERROR, 'slow', {'loaded': 'True'})})
    assert screen.reasons == ['note    decoder_node: alerts: unacknowledged: siren',
                              'quiet?  decoder_node: model: slow']


@pytest.mark.parametrize(('chunk_s', 'lost'), [(0.4, '2.1'), (0.8, '3.7')])
def test_what_was_lost_of_a_recording_is_told_at_its_end(screen, chunk_s, lost):
    for seq in range(2):
        screen.node._paces['decisions'].note(1, seq, round(seq * chunk_s * 1e9))
    tasks = {'encoder_node: audio input': (OK, 'ok', {'lost_samples': '8000',
                                                      'lost_in_faults': '0'}),
             'encoder_node: fifo': (WARN, 'dropped', {'dropped_overflow': '3',
                                                      'lost_in_flight': '1'})}
    screen.until('dropped', tasks)
    screen.node.conclude(32.0)
    assert f'{lost} of 32.0 s of audio were not heard; ' in screen.look().err
    assert 'nothing heard in 32.0 s' in screen.out


def test_a_recording_that_was_whole_has_no_word_of_losses(screen):
    screen.until('busy', {'encoder_node: fifo': (WARN, 'busy', {'dropped_overflow': '0'})})
    screen.node.conclude(32.0)
    assert 'not heard;' not in screen.look().err


def test_what_is_given_up_of_a_recording_ends_with_an_error():
    """Who reads the exit status must not take a part for the whole."""
    told = []
    process = assistant.AssistantProcess(
        assistant.parse_options(['--source', 'file', '--file', 'x', '--exit-at-end']),
        SimpleNamespace(list_busy=lambda: ['decoder_node'], ended='', failure=''))
    process._file = SimpleNamespace(
        held=False, finished=True, failure='', consumed_at=0.0, recorded_s=32.0,
        get_logger=lambda: SimpleNamespace(warning=told.append))
    assert not process.is_done() and process.exit_code == 0
    process._ended_at -= assistant._GIVE_UP_S + 1.0
    assert process.is_done() and process.exit_code == 1
    assert 'decoder_node still busy' in told[0]


@pytest.mark.parametrize('script', [{}, {0: {2: 'hello'}}])
def test_a_recording_of_which_nothing_is_heard_ends_with_a_word(
        script, robot, tmp_path, capfd, monkeypatch):
    soundfile = pytest.importorskip('soundfile')
    monkeypatch.setenv('ROS_LOG_DIR', str(tmp_path))
    path = tmp_path / 'short.wav'
    soundfile.write(path, [0.0] * 4800, 16_000)
    assert assistant.main(
        ['--source', 'file', '--file', str(path), '--pace', 'consumed', '--exit-at-end',
         '--print', '--ros-args', '-p', 'lanes:=[assistant]', '-r', '__ns:=/alone'],
        runtime=robot.scripted(script=script)) == 0
    out = capfd.readouterr().out
    said = 'nothing heard in 0.3 s of audio; p_respond: assistant 0.'
    assert (said in out) is (not script) and ('hello' in out) is bool(script)


def test_samples_without_a_header_are_played_where_their_format_is_named(
        robot, tmp_path, capfd):
    path = tmp_path / 'samples'
    path.write_bytes(bytes(32_000))
    command = ['--source', 'file', '--file', str(path), '--pace', 'consumed', '--exit-at-end',
               '--print']
    ros = ['--ros-args', '-p', 'lanes:=[assistant]', '-r', '__ns:=/alone']
    assert assistant.main([*command, *ros], runtime=robot.scripted()) == 1
    assert 'make assistant with ARGS="--raw s16le:16000:1"' in capfd.readouterr().err
    assert assistant.main([*command, '--raw', 's16le:16000:1', *ros],
                          runtime=robot.scripted()) == 0
    assert 'nothing heard in 1.0 s' in capfd.readouterr().out
