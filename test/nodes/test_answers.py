"""Answers from words over DDS: the encoder reads, the decoder node understands and answers."""

import pytest
from stand_ins import Whisper
from std_msgs.msg import Empty, String

from audio_interaction_msgs.msg import Alert, Reply, Transcript
from audio_interaction_ros.nodes.lifecycle import qos

pytestmark = pytest.mark.ros

READS = {'transcript.second_pass': 'whisper'}
SCRIPT = {0: {3: 'a draft'}, 2: {3: 'Dancing now.'}}


@pytest.fixture
def ask(robot):
    """Return a function that lets a robot hear what reads as a text; it returns its topics."""
    def hear(text, settings=None, script=SCRIPT, before=lambda decoder: None):
        seen = [robot.watch(kind, topic, profile) for kind, topic, profile in (
            (Reply, 'reply', qos.EVENTS), (String, 'reply/text', qos.FINAL_TEXT),
            (Transcript, 'transcript', qos.EVENTS))]
        settings = {**READS, **(settings or {})}
        decoder = robot.decoder(settings, runtime=robot.scripted(script=script))
        encoder = robot.encoder(settings, transcriber=lambda _name: Whisper(text))
        microphone = robot.microphone()
        robot.listen(encoder, microphone)
        robot.wait(lambda: decoder.boards.replies.has_reader('transcript'), 'drafts are wanted')
        before(decoder)
        for _ in range(7):
            robot.tell(microphone, encoder, 1, settle=False)
            robot.wait(lambda: encoder.idle, 'decided')
        robot.wait(lambda: robot.finals(seen[2]), 'a final transcript')
        return (*seen, decoder)
    return hear


def test_the_reply_says_what_is_wanted_and_by_which_words(robot, ask):
    replies, texts, transcripts, decoder = ask('Robot, go to the kitchen.')
    robot.wait(lambda: replies and texts, 'an answer')
    robot.wait(lambda: decoder.idle, 'nothing waits')
    reply, = replies
    assert (reply.text, reply.is_final, reply.finish_reason) == (
        'Going to the kitchen.', True, 'end')
    assert (reply.intent, reply.slot_names, reply.slot_values) == ('go', ['place'], ['kitchen'])
    assert 0.9 < reply.intent_confidence < 1.0
    assert reply.source_text == 'Robot, go to the kitchen.'
    assert reply.transcript_utterance_id == transcripts[-1].utterance_id
    assert reply.header.frame_id and reply.reply_id.endswith('-assistant')
    assert [text.data for text in texts] == ['Going to the kitchen.']


def test_what_was_not_understood_is_said_so(robot, ask):
    replies, *_ = ask('Robot, sing like a bird in the morning.')
    robot.wait(lambda: replies, 'an answer')
    assert [(one.text, one.intent) for one in replies] == [('Sorry, I did not catch that.', '')]


def test_where_nobody_spoke_the_reply_stays_as_it_is(robot, ask):
    replies, *_ = ask('', script={0: {3: '(noise)'}, 2: {3: 'Somebody hums.'}})
    robot.wait(lambda: replies, 'the reply')
    assert [(one.text, one.intent, one.source_text) for one in replies] == [
        ('Somebody hums.', '', '')]


def test_the_model_answers_where_that_is_chosen(robot, ask):
    replies, *_ = ask('Robot, go to the kitchen.', {'reply.source': 'model'})
    robot.wait(lambda: robot.finals(replies), 'the reply')
    assert robot.finals(replies) == ['Dancing now.']


def test_the_television_is_not_answered_and_what_woke_the_robot_is(robot, ask):
    named = {'assistant.address': 'name', 'assistant.names': 'Rosie'}
    replies, _, _, decoder = ask('Go to the kitchen.', named)
    robot.wait(lambda: decoder.idle, 'nothing waits')
    assert replies == []
    assert decoder.boards.answers._answers.stats.not_meant == 1


def test_what_wakes_the_robot_is_listened_for_where_it_matters(robot, ask):
    woken = []

    def wake(decoder):
        publisher = robot.watcher.create_publisher(Empty, 'wake', qos.EVENTS)
        decoder.boards.answers._answers.wake = woken.append
        robot.wait(lambda: publisher.get_subscription_count() > 0, 'wake is listened for')
        publisher.publish(Empty())
        robot.wait(lambda: decoder.boards.answers._woken_at, 'woken, of no audio yet')
    replies, _, _, decoder = ask('Go to the kitchen.', {'assistant.address': 'after_wake'},
                                 before=wake)
    robot.wait(lambda: decoder.idle, 'nothing waits')
    assert replies == []  # the test kept the robot from waking
    assert len(woken) == 1, 'the first audio says what time it was'


def test_a_call_for_help_is_an_alert_of_words_for_whoever_listens_to_alerts(robot, ask):
    alerts = robot.watch(Alert, 'alerts', qos.EVENTS)
    muted = {'assistant.address': 'name', 'assistant.names': 'Rosie'}
    replies, *_ = ask('Help! Somebody help me!', muted)
    robot.wait(lambda: alerts and replies, 'an alert and an answer')
    assert [(alert.label, alert.evidence, alert.severity, alert.message, alert.requires_ack)
            for alert in alerts] == [('help_call', 'words', Alert.CRITICAL,
                                      'Someone is calling for help.', True)]
    assert alerts[0].header.frame_id == replies[0].header.frame_id != ''


def test_a_wrong_file_of_intents_leaves_the_node_unconfigured_and_says_why(robot, tmp_path):
    path = tmp_path / 'own.yaml'
    path.write_text('intents: [{name: dance}]', encoding='utf-8')
    decoder = robot.decoder({'intents.file': str(path)}, runtime=robot.scripted(script={}))
    robot.wait(lambda: decoder.failure, 'it failed')
    assert 'own.yaml' in decoder.failure and decoder.state == 'unconfigured'


def test_a_call_in_partial_words_ends_the_replies_of_that_lane_only(robot, ask):
    _, _, _, decoder = ask('Robot, go to the kitchen.')
    ended = []
    decoder.boards.answers._cancel = lambda: ended.append('all')
    assert not decoder.boards.answers.hear_partial('stop at the')
    assert decoder.boards.answers.hear_partial('Stop!')
    assert ended == ['all']
