"""Sounds on their topics: at once, with scores and thresholds, as alerts, and in diagnostics."""

import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.parameter import Parameter

from audio_interaction_msgs.msg import Alert, Decision, EncodedChunk, SoundEvent, SoundScores
from audio_interaction_ros.errors import AudioFormatError
from audio_interaction_ros.nodes.io.chunk_messages import chunk_from_message, chunk_message
from audio_interaction_ros.nodes.io.stamps import stamp_ns
from audio_interaction_ros.nodes.lifecycle import qos
from audio_interaction_ros.nodes.lifecycle.parameters import read
from audio_interaction_ros.protocol import CHUNK_NS
from audio_interaction_ros.stream import chunk as chunks

pytestmark = pytest.mark.ros

START = 1_000_000_000_000
RULES = """
defaults: {detect: {hits: 2}}
default_profile: home
profiles: {home: {smoke_alarm: 0.6, bark: 0.75}, shed: {bark: 0.25}}
labels:
  smoke: {category: ALARM, severity: CRITICAL, en: [smoke alarm], sounds: [smoke_alarm],
          say: {en: A smoke alarm is sounding., zh: 烟雾报警器在响。}}
  dog: {category: ANIMAL, severity: INFO, en: [dog], sounds: [bark], detect: {hits: 1},
        say: {en: A dog is barking., zh: 有狗在叫。}}
"""


class Ears:
    """Stands in for an encoder: publishes chunks with scores."""

    def __init__(self, robot, decoder):
        self._publisher = robot.watcher.create_publisher(
            EncodedChunk, decoder.resolve_topic_name('encoded'), qos.encoded_profile(32))
        robot.wait(lambda: decoder.ready and self._publisher.get_subscription_count() > 0,
                   'the decoder listens')
        self._seq = 0

    def hear(self, *rows, **more):
        """Publish a chunk for each mapping from sounds to scores."""
        for scores in rows:
            sounds = chunks.SoundScores(names=tuple(scores),
                                        scores=np.array(list(scores.values()), np.float32))
            self._publisher.publish(chunk_message(chunks.EncodedChunk(
                features=np.zeros((2, 4), np.float32), stamp_ns=START + self._seq * CHUNK_NS,
                epoch=1, seq=self._seq, model_id='scripted', rms_dbfs=-30.0, sounds=sounds,
                **more), frame_id='mic'))
            self._seq += 1


@pytest.fixture
def rules(tmp_path):
    path = tmp_path / 'rules.yaml'
    path.write_text(RULES, encoding='utf-8')
    return str(path)


def start(robot, rules, settings=None, **more):
    decoder = robot.decoder({'alerts.rules': rules, **(settings or {})}, **more)
    return decoder, Ears(robot, decoder)


def values(messages, task='sounds'):
    for array in reversed(messages):
        for item in array.status:
            if item.name == f'decoder_node: {task}':
                return {'message': item.message,
                        **{value.key: value.value for value in item.values}}
    return {}


def test_a_sound_is_an_event_and_an_alert_that_say_score_and_threshold(robot, rules):
    events = robot.watch(SoundEvent, 'sounds', qos.EVENTS)
    alerts = robot.watch(Alert, 'alerts', qos.EVENTS)
    _, ears = start(robot, rules)
    ears.hear(*[{'smoke_alarm': 0.5, 'bark': 0.1}] * 2, *[{'smoke_alarm': 0.875, 'bark': 0.1}] * 2,
              *[{'smoke_alarm': 0.0, 'bark': 0.1}] * 3)
    robot.wait(lambda: len(events) == 2 and alerts, 'it began and ended')
    began, ended = events
    assert (began.state, ended.state) == (SoundEvent.STARTED, SoundEvent.ENDED)
    assert (began.sound, began.score, began.threshold) == ('smoke_alarm', 0.875,
                                                           pytest.approx(0.6))
    assert (began.epoch, began.seq, began.header.frame_id) == (1, 3, 'mic')
    onset, offset = START + 2 * CHUNK_NS, START + 4 * CHUNK_NS
    assert stamp_ns(began.header.stamp) == stamp_ns(began.onset) == stamp_ns(began.offset) == onset
    assert (stamp_ns(ended.onset), stamp_ns(ended.offset)) == (onset, offset)
    (alert,) = alerts
    assert (alert.label, alert.evidence, alert.sound) == ('smoke', 'sound', 'smoke_alarm')
    assert (alert.score, alert.threshold, alert.confidence) == (0.875, pytest.approx(0.6), 0.875)
    assert alert.message == 'A smoke alarm is sounding.'
    assert stamp_ns(alert.header.stamp) == onset and alert.header.frame_id == 'mic'


def test_an_alert_of_a_sound_does_not_wait_for_a_pass_of_the_model(robot, rules):
    alerts = robot.watch(Alert, 'alerts', qos.EVENTS)
    decisions = robot.watch(Decision, 'decisions', qos.DECISIONS)
    made = robot.scripted(script={})()
    decoder, ears = start(robot, rules, runtime=lambda _: made)
    import threading
    robot.wait(lambda: decoder.idle, 'the prompts are read')
    free, step = threading.Event(), made.decoder.step
    made.decoder.step = lambda requests: free.wait(30) and step(requests)
    try:
        ears.hear({'bark': 0.875})
        robot.wait(lambda: alerts, 'an alert while the pass hangs')
        assert not decisions and alerts[0].label == 'dog'
    finally:
        free.set()
    robot.wait(lambda: decoder.idle, 'decided')


def test_the_likeliest_sounds_of_each_chunk_are_told(robot, rules):
    scores = robot.watch(SoundScores, 'sounds/scores', qos.DECISIONS)
    decoder, ears = start(robot, rules, {'sounds.top': 2})
    robot.wait(lambda: robot.watcher.count_publishers(f'{robot.namespace}/sounds/scores'), 'there')
    ears.hear(*[{'bark': 0.125, 'speech': 0.75, 'rain': 0.5}] * 3)
    robot.wait(lambda: scores and len(decoder.boards.sounds._newest) == 3, 'scores')
    newest = scores[-1]
    assert (newest.sounds, list(newest.scores)) == (['speech', 'rain'], [0.75, 0.5])
    assert list(newest.thresholds) == [2, 2] and newest.rms_dbfs == -30
    assert stamp_ns(newest.header.stamp) == START + newest.seq * CHUNK_NS
    assert decoder.set_parameters([Parameter('sounds.top', value=3)])[0].successful
    ears.hear({'bark': 0.125, 'speech': 0.75, 'rain': 0.0})
    robot.wait(lambda: len(scores[-1].sounds) == 3, 'three')
    assert (scores[-1].sounds, list(scores[-1].thresholds)) == (['speech', 'bark', 'rain'],
                                                                [2, 0.75, 2])


def test_a_threshold_that_the_place_has_raised_is_told_beside_the_score_that_was_heard(
        robot, rules, tmp_path):
    rising = tmp_path / 'rising.yaml'
    rising.write_text(RULES.replace('{hits: 1}', '{hits: 1, background: 0.5, background_s: 0.4}'),
                      encoding='utf-8')
    scores = robot.watch(SoundScores, 'sounds/scores', qos.DECISIONS)
    diagnostics = robot.watch(DiagnosticArray, 'diagnostics', qos.DIAGNOSTICS)
    _, ears = start(robot, str(rising))
    robot.wait(lambda: robot.watcher.count_publishers(f'{robot.namespace}/sounds/scores'), 'there')
    ears.hear({'bark': 0.5}, {'bark': 0.9375})
    robot.wait(lambda: scores and scores[-1].seq == 1, 'scores')
    assert list(scores[-1].scores) == [0.9375]
    assert list(scores[-1].thresholds) == [pytest.approx(0.983675, abs=1e-6)]  # 3 e^(6 / 2) to 1
    robot.wait(lambda: values(diagnostics).get('nearest') == 'bark 0.94 of 0.98',
               'diagnostics of both chunks')
    assert values(diagnostics)['events'] == '0'


def test_diagnostics_say_what_it_thinks_it_hears_and_what_was_too_unsure(robot, rules):
    diagnostics = robot.watch(DiagnosticArray, 'diagnostics', qos.DIAGNOSTICS)
    _, ears = start(robot, rules)
    ears.hear({'bark': 0.25, 'speech': 0.9, 'smoke_alarm': 0.3},
              {'bark': 0.5, 'speech': 0.8, 'smoke_alarm': 0.1})
    robot.wait(lambda: values(diagnostics).get('nearest') == 'bark 0.50 of 0.75',
               'diagnostics of both chunks')
    said = values(diagnostics)
    assert (said['top_1'], said['top_2']) == ('speech 0.90', 'bark 0.50')
    assert said['rms_dbfs'] == '-30'
    assert (said['classes'], said['listened_for'], said['events']) == ('3', '2', '0')
    ears.hear({'bark': 0.9, 'smoke_alarm': 0.1, 'speech': 0.0})
    robot.wait(lambda: values(diagnostics)['events'] == '1', 'it began')
    said = values(diagnostics)
    assert (said['heard'], said['on'], said['nearest']) == ('bark 1', 'bark',
                                                            'smoke_alarm 0.30 of 0.60')
    assert said['message'] == 'ok'
    ears.hear({'bark': 0.1})  # no smoke alarm among what this model tells apart
    robot.wait(lambda: 'does not tell apart: smoke_alarm' in values(diagnostics)['message'],
               'a warning')


def test_what_of_an_own_rules_file_comes_to_no_alert_is_said(robot, rules, tmp_path):
    mistyped = tmp_path / 'mistyped.yaml'
    mistyped.write_text(RULES.replace('sounds: [bark]', 'sounds: [bark, barc]'), encoding='utf-8')
    diagnostics = robot.watch(DiagnosticArray, 'diagnostics', qos.DIAGNOSTICS)
    _, ears = start(robot, str(mistyped))
    ears.hear({'bark': 0.1, 'smoke_alarm': 0.1})
    robot.wait(lambda: 'labels.dog.sounds: the model does not tell barc apart, did you mean bark'
               in values(diagnostics, 'alerts').get('message', ''), 'the nearest is named')


def test_where_only_sounds_count_a_model_without_them_is_warned_of(robot, rules):
    diagnostics = robot.watch(DiagnosticArray, 'diagnostics', qos.DIAGNOSTICS)
    decoder, ears = start(robot, rules, {'alerts.evidence': 'sounds'})
    ears.hear({})
    robot.wait(lambda: 'no alert can be raised' in values(diagnostics).get('message', ''), 'told')
    assert decoder.set_parameters([Parameter('alerts.evidence', value='both')])[0].successful
    robot.wait(lambda: values(diagnostics)['message'] == 'ok', 'both works')


def test_replies_count_only_where_the_model_tells_no_such_sound_apart(robot, rules):
    alerts = robot.watch(Alert, 'alerts', qos.EVENTS)
    decoder, ears = start(robot, rules, runtime=robot.scripted(
        script={2: {0: 'A dog barks', 1: 'A dog and a smoke alarm'}}))
    ears.hear({'bark': 0.0})
    stats = decoder.boards.alerts._policy.stats
    robot.wait(lambda: stats.left_to_sounds == 1, 'left to the sounds')
    robot.wait(lambda: decoder.idle, 'decided')
    ears.hear({'bark': 0.0})
    robot.wait(lambda: alerts, 'an alert')
    assert [(alert.label, alert.evidence, alert.sound) for alert in alerts] == [
        ('smoke', 'model', '')]


def test_profile_language_and_thresholds_take_effect_while_it_listens(robot, rules, tmp_path):
    alerts = robot.watch(Alert, 'alerts', qos.EVENTS)
    decoder, ears = start(robot, rules)

    def change(name, value):
        return decoder.set_parameters([Parameter(f'alerts.{name}', value=value)])[0]
    assert change('language', 'zh').successful and change('profile', 'shed').successful
    ears.hear({'bark': 0.5})
    robot.wait(lambda: alerts, 'above the threshold of the shed')
    assert (alerts[0].message, alerts[0].threshold) == ('有狗在叫。', 0.25)
    assert 'expected one of home, shed' in change('profile', 'attic').reason
    assert 'alerts.thresholds' in change('thresholds', str(tmp_path / 'nowhere')).reason
    assert decoder.config.alerts.profile == 'shed' and decoder.boards.alerts.rules.profiles
    (tmp_path / 'here.yaml').write_text('format: audio-interaction-thresholds/1\nchosen: {}\n'
                                        'thresholds: {smoke_alarm: 0.125}\n')
    assert change('thresholds', str(tmp_path / 'here.yaml')).successful
    ears.hear(*[{'smoke_alarm': 0.25}] * 2)
    robot.wait(lambda: len(alerts) == 2, 'the file counts')
    assert alerts[1].threshold == 0.125
    assert decoder.boards.sounds._rules['smoke_alarm'].threshold == 0.125
    (tmp_path / 'here.yaml').write_text('format: audio-interaction-thresholds/1\nchosen: {}\n'
                                        'thresholds: {smoke_alarm: 0.0625}\n')
    assert change('thresholds', str(tmp_path / 'here.yaml')).successful
    scores = robot.watch(SoundScores, 'sounds/scores', qos.DECISIONS)

    def is_read_anew():
        ears.hear({'smoke_alarm': 0.0})
        return scores and scores[-1].thresholds[0] == 0.0625
    robot.wait(is_read_anew, 'the file of the same name is read anew')


def test_a_profile_that_the_rules_do_not_have_stops_the_configuration(robot, rules):
    decoder = robot.decoder({'alerts.rules': rules, 'alerts.profile': 'attic'})
    assert decoder.state == 'unconfigured' and 'alerts.profile: expected one of' in decoder.failure
    assert read(decoder).alerts.profile == 'attic'


def test_a_reset_ends_what_sounds(robot, rules):
    from std_srvs.srv import Trigger
    events = robot.watch(SoundEvent, 'sounds', qos.EVENTS)
    _, ears = start(robot, rules)
    ears.hear({'bark': 0.9})
    robot.wait(lambda: len(events) == 1, 'it began')
    assert robot.call(Trigger, 'decoder_node/reset').success
    robot.wait(lambda: len(events) == 2, 'it ended')


@pytest.mark.parametrize('clean_up', [False, True])
def test_what_sounds_and_what_is_open_is_ended_in_words_when_the_node_is_deactivated(
        robot, rules, clean_up):
    """Whoever acts on changes hears of each end; also an alert that waits for nobody lives on."""
    events = robot.watch(SoundEvent, 'sounds', qos.EVENTS)
    alerts = robot.watch(Alert, 'alerts', qos.EVENTS)
    decoder, ears = start(robot, rules)
    ears.hear({'bark': 0.9}, {'bark': 0.9})
    robot.wait(lambda: events and alerts, 'it began')
    robot.wait(lambda: decoder.idle, 'all is heard')
    decoder.trigger_deactivate()
    if clean_up:
        decoder.trigger_cleanup()
        decoder.trigger_configure()
    decoder.trigger_activate()
    robot.wait(lambda: len(events) == 2 and decoder.ready, 'it ended')
    assert (events[1].state, stamp_ns(events[1].onset), stamp_ns(events[1].offset)) == (
        SoundEvent.ENDED, START, START + 2 * CHUNK_NS)
    ears.hear({'bark': 0.9})
    robot.wait(lambda: len(alerts) == 2 and len(events) == 3, 'heard again')
    assert (alerts[1].id, alerts[1].count) == (alerts[0].id, 2)
    assert [event.state for event in events] == [
        SoundEvent.STARTED, SoundEvent.ENDED, SoundEvent.STARTED], 'each end is told once'
    ears.hear(*[{'bark': 0.0}] * 90)
    robot.wait(lambda: alerts[-1].state == Alert.EXPIRED, 'it ends in words')
    assert alerts[-1].id == alerts[0].id


@pytest.mark.parametrize('remap', ['encoded:=encoded', 'encoded:=elsewhere/encoded'])
def test_what_sounds_ends_where_the_encoder_is_gone_and_not_before(robot, rules, remap):
    events = robot.watch(SoundEvent, 'sounds', qos.EVENTS)
    decoder, ears = start(robot, rules, cli_args=['--ros-args', '-r', remap])
    ears.hear({'bark': 0.9}, {'bark': 0.9})
    robot.wait(lambda: events, 'it began')
    decoder.boards._look()
    assert len(decoder.boards.sounds.on) == 1, 'the encoder is there, wherever it publishes'
    robot.watcher.destroy_publisher(ears._publisher)
    robot.wait(lambda: len(events) == 2, 'it ended')
    assert (events[1].state, stamp_ns(events[1].offset)) == (
        SoundEvent.ENDED, START + 2 * CHUNK_NS)


def test_scores_that_do_not_fit_their_names_are_refused():
    sounds = chunks.SoundScores(names=('a', 'b'), scores=np.array([0.5, 0.25], np.float32))
    message = chunk_message(chunks.EncodedChunk(
        features=np.zeros((2, 4), np.float32), stamp_ns=0, epoch=1, seq=0, model_id='m',
        sounds=sounds), frame_id='')
    back = chunk_from_message(message).sounds
    assert back.names == ('a', 'b') and back.scores.dtype == np.float32
    np.testing.assert_array_equal(back.scores, sounds.scores)
    for wrong in (float('nan'), float('inf'), -0.5, 1.5):
        message.sound_scores = [0.5, wrong]
        with pytest.raises(AudioFormatError, match='scores of sounds from 0 to 1'):
            chunk_from_message(message)
    message.sound_scores = [0.5]
    with pytest.raises(Exception, match='a score for each of 2 sounds, got 1'):
        chunk_from_message(message)


def test_what_an_encoder_hears_reaches_the_alerts(robot, rules):
    """Both nodes, from the microphone on."""
    alerts = robot.watch(Alert, 'alerts', qos.EVENTS)
    source = robot.scripted(sounds={2: {'bark': 0.875}, 3: {'bark': 0.9375}})
    decoder = robot.decoder({'alerts.rules': rules}, runtime=source)
    encoder, microphone = robot.encoder(runtime=source), robot.microphone()
    robot.wait(lambda: decoder.ready and microphone.get_subscription_count() > 0, 'listening')
    robot.tell(microphone, encoder, 8)
    robot.wait(lambda: alerts, 'an alert')
    assert (alerts[0].label, alerts[0].evidence, alerts[0].score) == ('dog', 'sound', 0.875)
    assert stamp_ns(alerts[0].header.stamp) == 1_000_000_000_000 + 2 * CHUNK_NS
