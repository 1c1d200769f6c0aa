"""The encoder beside a robot that speaks: what is its own voice, and what was taken out of it."""

from types import SimpleNamespace

import numpy as np
import pytest
from std_msgs.msg import Bool, String

from audio_interaction_msgs.msg import AudioChunk
from audio_interaction_ros.audio.block import AudioBlock
from audio_interaction_ros.audio.echo import EchoCanceller
from audio_interaction_ros.config import AssistantConfig, AudioConfig
from audio_interaction_ros.nodes.encoding.encoder_task import (
    EncoderTask,
    Flush,
    IncomingBlock,
    PlayedAudio,
)
from audio_interaction_ros.nodes.encoding.interruption import Interruption
from audio_interaction_ros.nodes.encoding.overheard import Overheard
from audio_interaction_ros.nodes.io.audio_messages import audio_message
from audio_interaction_ros.nodes.lifecycle import qos
from audio_interaction_ros.runtimes.base import ReadWord, WindowReading

pytestmark = pytest.mark.ros

NS = 1_000_000_000


class Gone:
    """Takes out all that is heard while something is played."""

    delay = 0

    def process(self, heard, played):
        return np.zeros_like(heard)


class SecondPass:
    """Keeps what the second pass would be given."""

    def __init__(self):
        self.heard = []

    def remember(self, chunk, *, own_voice):
        self.heard.append((chunk.samples, own_voice))

    def overhear(self, frame):
        pass

    def finish(self):
        pass


class Faint(Gone):
    """Takes out a half, so that somebody else seems to be heard."""

    def process(self, heard, played):
        return heard / 2


class Reader:
    """Reads the same in any window."""

    def read_window(self, samples, *, language):
        words = tuple(ReadWord(text=text, start_s=0.0, end_s=1.0) for text in (' The', ' stop'))
        return WindowReading(words=words, language='en', doubt='guessed')

    def open_voice(self):
        return None


def make_canceller(settings):
    return EchoCanceller(Gone(), lead_s=0.0, hold_s=0.1)


def listen(robot, *, played, while_speaking='all', canceller=make_canceller):
    """Return the chunks of 1.6 s, of which the robot speaks for the first 0.8."""
    second = SecondPass()
    ears = EncoderTask(
        config=AssistantConfig(audio=AudioConfig(
            echo='webrtc', while_speaking=while_speaking, mute_holdoff_ms=0.0)),
        runtime=robot.scripted(script={}), recorder=None, second_pass=second, log=print,
        interruption=Interruption(), make_canceller=canceller)
    model, emitted = ears.load(), []
    noise = np.random.default_rng(0).normal(0, 0.05, 25_600).astype(np.float32)
    items = []
    for at in range(0, 25_600, 1600):
        block = AudioBlock(samples=noise[at:at + 1600], sample_rate_hz=16_000,
                           stamp_ns=NS + at * NS // 16_000)
        speaks = at < 12_800
        items += [PlayedAudio(block)] * (speaks and played) + [IncomingBlock(block, speaks,
                                                                             speaks)]
    for item in [*items, Flush()]:
        ears.compute(model, [item], emitted.append)
    return [chunk for chunks in emitted for chunk in chunks], second.heard


def test_what_is_taken_out_is_the_robots_voice_no_more(robot):
    chunks, heard = listen(robot, played=True)
    assert [chunk.robot_speaking for chunk in chunks] == [False] * 4
    assert [own for _, own in heard] == [False] * 8, 'words are heard in halves'
    assert not heard[0][0].any() and heard[7][0].any()


def test_without_what_was_played_it_is_as_before(robot):
    for more in ({'played': False}, {'played': True, 'while_speaking': 'alerts'},
                 {'played': True, 'canceller': lambda settings: None}):
        chunks, heard = listen(robot, **more)
        assert [chunk.robot_speaking for chunk in chunks][:2] == [True, True], more
        assert not chunks[3].robot_speaking, more
        assert [own for _, own in heard][:4] == [True] * 4, more


def test_the_node_hears_what_is_played_and_says_where_it_is_missing(robot):
    encoder = robot.encoder({'audio.echo': 'webrtc'}, canceller=make_canceller)
    voice = robot.watcher.create_publisher(Bool, 'robot_speaking', qos.FLAG)
    reference = robot.watcher.create_publisher(AudioChunk, 'speech/reference', qos.AUDIO_OUT)
    microphone = robot.microphone()
    robot.wait(lambda: all(one.get_subscription_count() for one in (voice, reference, microphone)),
               'it hears')
    voice.publish(Bool(data=True))
    robot.wait(lambda: encoder._voice.speech.believed, 'it speaks')
    reference.publish(audio_message(AudioBlock(
        samples=np.ones(16_000, np.int16), sample_rate_hz=16_000, stamp_ns=robot._stamp_ns),
        seq=0, frame_id='loudspeaker'))
    robot.wait(lambda: encoder._voice.played == 1, 'what is played came')
    robot.tell(microphone, encoder, 2, settle=False)
    robot.wait(lambda: encoder._ears.canceller.cancelled > 50, 'it is taken out')
    assert encoder._ears.canceller.uncovered == 0
    report = encoder._report_input()
    assert any('its voice is taken out' in message for message in report.messages)
    robot.tell(microphone, encoder, 2, settle=False)
    robot.wait(lambda: encoder._ears.canceller.uncovered > 0, 'nothing more was played')
    report = encoder._report_input()
    assert any('without what it played on speech/reference' in m for m in report.messages)
    bad = AudioChunk(encoding='mp3')
    reference.publish(bad)
    reference.publish(audio_message(AudioBlock(
        samples=np.ones(1600, np.int16), sample_rate_hz=16_000, stamp_ns=robot._stamp_ns),
        seq=1, frame_id='loudspeaker'))
    robot.wait(lambda: encoder._voice.played == 2, 'a block that cannot be read ends nothing')


def test_what_was_said_over_its_voice_is_read_and_told(robot):
    encoder = robot.encoder(
        {'audio.echo': 'webrtc', 'transcript.second_pass': 'whisper'},
        canceller=lambda settings: EchoCanceller(Faint(), lead_s=0.0),
        transcriber=lambda name: Reader())
    heard = robot.watch(String, 'speech/overheard', qos.EVENTS)
    voice = robot.watcher.create_publisher(Bool, 'robot_speaking', qos.FLAG)
    reference = robot.watcher.create_publisher(AudioChunk, 'speech/reference', qos.AUDIO_OUT)
    microphone = robot.microphone()
    robot.wait(lambda: all(one.get_subscription_count() for one in (voice, reference, microphone))
               and robot.watcher.count_publishers(f'{robot.namespace}/speech/overheard'), 'ears')
    robot.wait(lambda: encoder._second_pass._overheard.wanted, 'somebody wants to know')
    voice.publish(Bool(data=True))
    robot.wait(lambda: encoder._voice.speech.believed, 'it speaks')
    reference.publish(audio_message(AudioBlock(
        samples=np.ones(32_000, np.int16), sample_rate_hz=16_000, stamp_ns=robot._stamp_ns),
        seq=0, frame_id='loudspeaker'))
    robot.wait(lambda: encoder._voice.played == 1, 'what is played came')
    robot.tell(microphone, encoder, 4, settle=False)
    robot.wait(lambda: heard, 'it is told')
    assert heard[0].data == 'The stop'


def test_nothing_is_computed_of_its_voice_where_nobody_wants_to_know():
    listeners, computed = 0, []
    publisher = SimpleNamespace(get_subscription_count=lambda: listeners)
    one = Overheard(node=SimpleNamespace(managed_publisher=lambda *_: publisher), language='')
    one._listens = SimpleNamespace(take=computed.append, due=True, forget=computed.clear)
    one.look()
    assert not one.take('frame') and not computed
    listeners = 1
    one.look()
    assert one.take('frame') and computed == ['frame']
    listeners = 0
    one.look()
    assert not one.take('frame') and not computed, 'what was kept is dropped'
