"""A recording as a source: its pace, its samples, and what it says when it cannot play."""

import time

import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticArray
from std_srvs.srv import Trigger

from audio_interaction_msgs.msg import AudioChunk, FifoCredit
from audio_interaction_ros.nodes.audio_file_node import AudioFileNode
from audio_interaction_ros.nodes.lifecycle import qos
from audio_interaction_ros.protocol import ChunkSize

pytestmark = pytest.mark.ros
soundfile = pytest.importorskip('soundfile', reason='soundfile is not installed')

CHUNK = 6400


@pytest.fixture
def recording(tmp_path):
    """Return a file of 12 s, 30 chunks, of noise."""
    noise = np.random.default_rng(0).normal(0, 0.1, 30 * CHUNK)
    soundfile.write(tmp_path / 'noise.flac', noise, 16000, 'PCM_16')
    return tmp_path / 'noise.flac'


def play(robot, source, **parameters):
    return robot.add(AudioFileNode(**robot.options(
        {'path': str(source), 'pace': 'consumed', 'tail_s': 0.4} | parameters)))


def test_consumed_pace_keeps_no_more_than_max_ahead_under_way(robot, recording):
    slow = robot.scripted(script={}, step_s=0.02)
    robot.decoder({'fifo.capacity': 6}, runtime=slow)
    encoder = robot.encoder({'fifo.capacity': 6})
    node = play(robot, recording, max_ahead=3)
    ahead = []

    def look(_message):
        with node._news:
            ahead.append(node._under_way.count(node.published_s))
    robot.watcher.create_subscription(AudioChunk, 'audio', look, qos.AUDIO_IN)

    def stats():
        return encoder._outlet.fifo.stats(time.monotonic())
    robot.wait(lambda: node.finished and stats().consumed >= 30, 'all of it is heard')
    assert node.failure == '' and max(ahead) <= 3
    # without pace a queue of six chunks would have dropped most of it
    assert stats().dropped == 0


def test_a_recording_that_is_over_is_not_waited_for(robot, recording):
    diagnostics = robot.watch(DiagnosticArray, 'diagnostics', qos.DIAGNOSTICS)
    robot.decoder()
    encoder = robot.encoder()
    node = play(robot, recording)
    robot.wait(lambda: node.finished, 'it is over')
    encoder._input.be_patient(0.2)

    def told():
        return sum('no publisher on /robot/audio any more: a recording is over' in item.message
                   for array in diagnostics for item in array.status)
    robot.wait(lambda: told() >= 2, 'it is said')
    assert encoder._input.received and encoder._input.renewed == 0


def test_a_recording_that_waits_is_not_waited_for(robot, recording):
    """Held while what reads words is loaded, or without a decoder yet: no audio is missing."""
    encoder = robot.encoder()
    encoder._input.be_patient(0.05)
    node = robot.add(AudioFileNode(**robot.options({'path': str(recording), 'tail_s': 0.4})))
    node.held = True
    robot.decoder()
    robot.wait(lambda: node._under_way.has_decoder, 'there is a decoder')
    time.sleep(0.5)
    assert encoder.count_publishers('audio') == encoder._input.renewed == 0
    node.held = False
    robot.wait(lambda: node.published_s > 1.0 and encoder._input.received, 'it begins')


@pytest.mark.parametrize('chunk_s', [0.2, 0.8])
def test_consumed_pace_finds_out_how_long_chunks_are(robot, recording, chunk_s):
    """A model of chance of another size, in the nodes: nobody tells them how long a chunk is."""
    pytest.importorskip('torch')
    from bench import models
    size = ChunkSize.of_seconds(chunk_s)
    model = models.load('random-tiny', runtime='torch', threads=1, dtype='float32', device='cpu',
                        chunk_size=size)
    robot.decoder(runtime=lambda _: model)
    robot.encoder(runtime=lambda _: model)
    offers = robot.watch(FifoCredit, 'encoded/credit', qos.CREDIT)
    node = play(robot, recording, max_ahead=3)
    robot.wait(lambda: node.finished, 'it is played to the end')
    assert node._under_way._pace.size == size
    chunks = round(12 / chunk_s)
    robot.wait(lambda: offers and offers[-1].consumed_seq >= chunks, 'all of it is heard')


def test_consumed_pace_goes_on_when_the_encoder_starts_anew(robot, recording):
    offers = robot.watch(FifoCredit, 'encoded/credit', qos.CREDIT)
    quick = robot.scripted(script={}, step_s=0.01)
    robot.decoder(runtime=quick)
    robot.encoder()
    node = play(robot, recording, max_ahead=2)
    robot.wait(lambda: offers and offers[-1].consumed_seq >= 5, 'the first epoch')
    epoch = offers[-1].epoch
    assert robot.call(Trigger, 'encoder_node/reset').success
    robot.wait(lambda: offers[-1].epoch > epoch, 'the second epoch')
    robot.wait(lambda: node.finished, 'it is played to the end')
    assert node.published_s >= 12


@pytest.mark.parametrize(('parameters', 'words'), [
    ({'path': ''}, 'set the parameter path'), ({'pace': 'warp'}, "found 'warp'"),
    ({'path': 'nowhere.wav'}, 'nowhere.wav')])
def test_what_cannot_be_played_is_named(robot, recording, parameters, words):
    diagnostics = robot.watch(DiagnosticArray, 'diagnostics', qos.DIAGNOSTICS)
    node = play(robot, recording, wait_for_decoder=False, **parameters)
    robot.wait(lambda: any(words in item.message for array in diagnostics
                           for item in array.status), 'named in diagnostics')
    assert node.finished and words in node.failure


def test_a_recording_of_a_header_alone_is_named(robot, tmp_path):
    soundfile.write(tmp_path / 'header.wav', np.zeros(0, np.int16), 16000)
    node = play(robot, tmp_path / 'header.wav')
    robot.wait(lambda: node.finished, 'it is over')
    assert 'there is no audio in' in node.failure
