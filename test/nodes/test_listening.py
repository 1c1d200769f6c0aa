"""Audio that stops, a robot that speaks, and what the input report makes of the counters."""

import threading
import time

import numpy as np
import pytest
from std_srvs.srv import SetBool

from audio_interaction_msgs.msg import EncodedChunk, Transcript
from audio_interaction_ros.audio.block import AudioBlock
from audio_interaction_ros.config import AssistantConfig
from audio_interaction_ros.nodes.encoding.encoder_task import (
    EncoderTask,
    Flush,
    IncomingBlock,
    PauseDetector,
)
from audio_interaction_ros.nodes.encoding.input_report import InputReport, RecentGrowth
from audio_interaction_ros.nodes.encoding.interruption import Interruption
from audio_interaction_ros.nodes.lifecycle import qos
from audio_interaction_ros.nodes.lifecycle.diagnostics import OK, WARN, StatusReport
from audio_interaction_ros.runtimes.base import Recognition

pytestmark = pytest.mark.ros

NS = 1_000_000_000


def ears(robot, **options):
    return EncoderTask(config=AssistantConfig(), runtime=robot.scripted(script={}), recorder=None,
                       second_pass=None, log=print, interruption=Interruption(), **options)


def sound(frames=6400, *, value=None, stamp_s=1.0):
    samples = (np.random.default_rng(0).normal(0, 0.05, frames) if value is None
               else np.full(frames, value)).astype(np.float32)
    return AudioBlock(samples=samples, sample_rate_hz=16000, stamp_ns=round(stamp_s * NS))


def test_a_pause_is_told_once_and_only_after_audio():
    pause = PauseDetector(after_s=1.0, period_s=0.2)
    assert [pause.has_paused(0) for _ in range(9)] == [False] * 9
    assert [pause.has_paused(7) for _ in range(9)] == [False] * 5 + [True] + [False] * 3
    assert [pause.has_paused(8) for _ in range(6)] == [False] * 5 + [True]
    never = PauseDetector(after_s=0.0, period_s=0.2)
    assert not any(never.has_paused(1) for _ in range(100))


def test_the_end_of_what_the_robot_said_is_marked_as_well(robot):
    listening, emitted = ears(robot), []
    model = listening.load()
    listening.compute(model, [IncomingBlock(sound(3000), True), Flush(tail_s=1.2)], emitted.append)
    (chunks,) = emitted
    assert [chunk.robot_speaking for chunk in chunks] == [True] * len(chunks)
    listening.compute(model, [IncomingBlock(sound(3000, stamp_s=9.0), False), Flush()],
                      emitted.append)
    assert not any(chunk.robot_speaking for chunk in emitted[1])


def test_a_fault_while_the_end_is_heard_costs_no_more_than_the_stream(robot):
    listening, emitted = ears(robot), []
    model = listening.load()
    encode = model.runtime.encoder.encode

    def broken(mel):
        raise RuntimeError('no memory')
    model.runtime.encoder.encode = broken
    listening.compute(model, [IncomingBlock(sound(3000), False), Flush()], emitted.append)
    assert listening.restarts == 1 and not emitted
    model.runtime.encoder.encode = encode
    listening.compute(model, [IncomingBlock(sound(9000), False), Flush()], emitted.append)
    assert len(emitted) == 2


@pytest.mark.parametrize(('heard', 'goes_on_s', 'lost'), [
    (2, 3.0, 19_200),  # 0.8 s heard from 1.0 s on
    (0, 3.0, 32_000),  # the first chunk was the one that failed
    (2, 0.5, 6_400)])  # stamps went back: 0.4 s of the steady clock
def test_the_first_chunk_after_a_fault_says_what_was_lost(robot, heard, goes_on_s, lost):
    listening, emitted, now = ears(robot), [], [10 * NS]
    listening._interruption = Interruption(clock=lambda: now[0])
    model = listening.load()
    encode = model.runtime.encoder.encode
    if heard:
        listening.compute(model, [IncomingBlock(sound(6400 * heard + 40), False)], emitted.append)

    def broken(mel):
        raise RuntimeError('no memory')
    model.runtime.encoder.encode = broken
    stamp_s = 1.0 + (6400 * heard + 40) / 16000 if heard else 1.0
    listening.compute(model, [IncomingBlock(sound(6440, stamp_s=stamp_s), False)], emitted.append)
    model.runtime.encoder.encode = encode
    now[0] += 4 * NS // 10
    listening.compute(model, [IncomingBlock(sound(12900, stamp_s=goes_on_s), False)],
                      emitted.append)
    first, second = emitted[-1][:2]
    assert first.discontinuity and first.lost_samples_before == lost
    assert not second.discontinuity and second.lost_samples_before == 0
    assert listening.lost_in_faults == lost


def test_what_nobody_sent_after_a_fault_is_not_lost(robot):
    listening, emitted = ears(robot), []
    model = listening.load()
    listening.compute(model, [IncomingBlock(sound(6440), False)], emitted.append)
    encode = model.runtime.encoder.encode

    def broken(mel):
        raise RuntimeError('no memory')
    model.runtime.encoder.encode = broken
    listening.compute(model, [Flush(for_good=False)], emitted.append)
    model.runtime.encoder.encode = encode
    listening.compute(model, [IncomingBlock(sound(6440, stamp_s=999.0), False)], emitted.append)
    assert emitted[-1][0].discontinuity and listening.lost_in_faults == 0


def pressed(robot, microphone, encoder):
    """Say a word with a button pressed, and let go of it."""
    robot.wait(lambda: microphone.get_subscription_count() > 0, 'encoder listens')
    robot.wait(lambda: encoder._input._subscriptions
               and encoder._input._subscriptions[0].get_publisher_count() > 0, 'it is heard')
    robot.wait(lambda: encoder._outlet.fifo.decoder_present(time.monotonic()),
               'decoder offers credit')
    robot.speak(microphone, 2)


@pytest.mark.parametrize('ending', ['the audio stops', 'mute', 'deactivate'])
def test_audio_that_stops_ends_the_utterance(robot, ending):
    encoded = robot.watch(EncodedChunk, 'encoded', qos.encoded_profile(32))
    transcripts = robot.watch(Transcript, 'transcript', qos.EVENTS)
    robot.decoder(runtime=robot.scripted(script={0: {3: 'the last word'}}))
    flush_s = 1.0 if ending == 'the audio stops' else 0.0
    encoder = robot.encoder({'audio.idle_flush_s': flush_s})
    microphone = robot.microphone()
    began_ns = robot._stamp_ns
    pressed(robot, microphone, encoder)
    if ending != 'the audio stops':
        robot.wait(lambda: encoder._input.received == 8, 'all of it arrived')
    if ending == 'mute':
        assert robot.call(SetBool, 'encoder_node/set_listening', data=False).success
    elif ending == 'deactivate':
        encoder.trigger_deactivate()
    robot.wait(lambda: robot.finals(transcripts), 'the late decision fires')
    assert robot.finals(transcripts) == ['the last word']
    robot.wait(lambda: encoded and encoded[-1].flags & EncodedChunk.END_OF_STREAM, 'the end')
    assert len(encoded) == 5  # 0.8 s of audio and 1.2 s of silence
    assert encoder._ears.stats.chunks == 2 and encoder._ears.silent_s == 0.0
    robot._stamp_ns += 26 * NS
    if ending == 'mute':
        assert robot.call(SetBool, 'encoder_node/set_listening', data=True).success
    elif ending == 'deactivate':
        robot.wait(lambda: encoder._outlet.fifo.stats(0.0).consumed == 5, 'all of it was taken')
        encoder.trigger_activate()
    later_ns = robot._stamp_ns
    pressed(robot, microphone, encoder)
    robot.wait(lambda: len(encoded) > 5, 'it is heard again')
    stamps = [one.header.stamp.sec * NS + one.header.stamp.nanosec for one in encoded]
    assert (stamps[0], stamps[5]) == (began_ns, later_ns)


class FakeWhisper:
    def __init__(self):
        self.began, self.go_on = threading.Event(), threading.Event()

    def transcribe(self, samples, languages=()):
        self.began.set()
        assert self.go_on.wait(60)
        return Recognition(text=f'{len(samples)} samples', language='en')


def test_what_was_heard_before_the_end_is_read_and_then_forgotten(robot, monkeypatch):
    whisper, transcripts = FakeWhisper(), robot.watch(Transcript, 'transcript', qos.EVENTS)
    settings = {'transcript.second_pass': 'whisper'}
    robot.decoder(settings, runtime=robot.scripted(script={0: {3: 'draft'}}))
    encoder = robot.encoder(settings, transcriber=lambda _settings: whisper)
    microphone = robot.microphone()
    pressed(robot, microphone, encoder)
    robot.wait(lambda: encoder._input.received == 8, 'all of it arrived')
    assert robot.call(SetBool, 'encoder_node/set_listening', data=False).success
    forget_at = encoder._forget_at
    encoder.trigger_deactivate()
    assert encoder._forget_at == forget_at
    robot.wait(whisper.began.is_set, 'it is being read')
    monkeypatch.setattr(encoder, '_forget_at', 0.0)  # the time is over
    reader = encoder._second_pass._reader
    robot.wait(lambda: not reader._history.between(0, 2 ** 62), 'it is forgotten')
    whisper.go_on.set()
    robot.wait(lambda: robot.finals(transcripts), 'it becomes final')
    assert robot.finals(transcripts)[0].endswith(' samples') and not reader._readings


class FakeEars:
    """Counters to look at."""

    def __init__(self, robot):
        made = ears(robot)
        self.stats, self.restarts, self.lost_in_faults = made.stats, 0, 0
        self.level_dbfs = self.loudest_dbfs = -30.0
        self.silent_s = 0.0


def checked(report_of, level=None):
    report = StatusReport()
    report_of.check(report)
    assert level is None or report.level == level, report.messages
    return '; '.join(report.messages)


WORDS = {'gaps': (2, '2 gaps'), 'clipped_samples': (4800, r'clipping: 3.0%'),
         'nonfinite_samples': (7, '7 samples'), 'backwards_stamps': (1, 'jumped back'),
         'forward_stamps': (1, 'jumped forward'), 'format_changes': (3, 'changed 3 times')}


@pytest.mark.parametrize('name', WORDS)
def test_what_was_counted_lately_is_told_and_then_no_more(robot, name):
    found, now = FakeEars(robot), [100.0]
    report = InputReport(ears=found, silence_warning_s=10.0, clock=lambda: now[0])
    assert checked(report, OK) == ''
    count, words = WORDS[name]
    found.stats.samples, found.stats.lost_samples = 160_000, 1600
    setattr(found.stats, name, count)
    for _ in range(10):
        assert words in checked(report, WARN)
        now[0] += 1.0
    now[0] += 1.0
    assert checked(report, OK) == ''


def test_a_fault_that_lasts_is_told_while_it_lasts(robot):
    found, now = FakeEars(robot), [0.0]
    report = InputReport(ears=found, silence_warning_s=10.0, clock=lambda: now[0])
    found.stats.dc_offset = 0.2
    assert '+20% of full scale' in checked(report, WARN)
    found.stats.dc_offset = 0.0
    for _ in range(62):
        now[0] += 1.0
        found.stats.chunks += 2
        found.level_dbfs = found.loudest_dbfs = -85.0
        words = checked(report)
    assert 'nothing above -75 dBFS for 62 s: raise the gain' in words
    found.loudest_dbfs, found.silent_s = -30.0, 12.0
    assert 'digital silence for 12 s' in checked(report, WARN)


def test_growth_is_counted_over_the_window_only():
    recent = RecentGrowth(window_s=10.0)
    assert recent.growth(0.0, {'a': 5}) == {'a': 5}
    assert recent.growth(9.0, {'a': 6}) == {'a': 6}
    assert recent.growth(11.0, {'a': 6}) == {'a': 1}
    assert recent.growth(50.0, {'a': 8}) == {'a': 2}
