"""A text model beside the decoder node: answers that grow, translations that follow the words."""

import math
import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[1] / 'dialogue'))
from scripted_text import scripted
from stand_ins import Whisper

from audio_interaction_msgs.msg import Reply, Transcript, Translation
from audio_interaction_ros.errors import CheckpointError
from audio_interaction_ros.nodes.decoding import english_board
from audio_interaction_ros.nodes.lifecycle import qos
from audio_interaction_ros.nodes.lifecycle.diagnostics import StatusReport

pytestmark = pytest.mark.ros

SETTINGS = {'transcript.second_pass': 'whisper', 'reply.model': 'a-model'}
FOLLOWS = {**SETTINGS, 'translation.source': 'reply_model', 'lanes': ['transcript', 'assistant']}


@pytest.fixture
def ask(robot):
    """Return a function that lets a robot with a text model hear what reads as a text."""
    def hear(text, answer, settings=SETTINGS, before=lambda decoder: None):
        replies = robot.watch(Reply, 'reply', qos.EVENTS)
        transcripts = robot.watch(Transcript, 'transcript', qos.EVENTS)
        lanes = {0: {3: 'a draft'}, len(settings.get('lanes', 'abc')) - 1: {3: 'Dancing now.'}}

        def load(config):
            assert config.reply.model == 'a-model'
            if isinstance(answer, Exception):
                raise answer
            return scripted(answer)[0]
        decoder = robot.decoder(settings, runtime=robot.scripted(script=lanes), text_model=load)
        encoder = robot.encoder(settings, transcriber=lambda _name: Whisper(text))
        microphone = robot.microphone()
        robot.listen(encoder, microphone)
        robot.wait(lambda: decoder.boards.replies.has_reader('transcript'), 'drafts are wanted')
        texts = decoder.boards.texts
        robot.wait(lambda: texts.ready or texts.failure, 'it is loaded or not')
        before(decoder)
        for _ in range(7):
            robot.tell(microphone, encoder, 1, settle=False)
            robot.wait(lambda: encoder.idle, 'decided')
        robot.wait(lambda: robot.finals(transcripts), 'a final transcript')
        robot.wait(lambda: decoder.idle, 'nothing waits')
        return replies, transcripts, decoder
    return hear


def test_an_answer_grows_under_one_id(robot, ask):
    replies, transcripts, _ = ask('Robot, who made the moon?', lambda turns: 'No 人.')
    robot.wait(lambda: robot.finals(replies), 'an answer')
    assert [reply.text for reply in replies] == ['N', 'No', 'No ', 'No 人', 'No 人.', 'No 人.']
    assert ''.join(reply.delta for reply in replies) == 'No 人.'
    assert [reply.revision for reply in replies] == [0, 1, 2, 3, 4, 5]
    assert len({reply.reply_id for reply in replies}) == 1
    last = replies[-1]
    assert (last.is_final, last.finish_reason, last.intent) == (True, 'end', '')
    assert last.source_text == 'Robot, who made the moon?'
    assert last.transcript_utterance_id == transcripts[-1].utterance_id
    assert last.header.frame_id == 'mic' and last.first_text_latency_s > 0


def test_intents_come_first(robot, ask):
    replies, *_ = ask('Robot, go to the kitchen.', lambda turns: 'Never.')
    robot.wait(lambda: replies, 'an answer')
    assert [(reply.text, reply.intent) for reply in replies] == [('Going to the kitchen.', 'go')]


def test_a_call_ends_what_is_being_written(robot, ask):
    made = []

    def answer(turns):
        made.append(turns)
        if len(made) == 3:
            decoder_of[0].boards.answers.hear_partial('Stop!')
        return 'one two three four'
    decoder_of = []
    replies, *_ = ask('Robot, count for me.', answer, before=decoder_of.append)
    robot.wait(lambda: robot.finals(replies), 'an answer')
    assert (replies[-1].finish_reason, len(replies[-1].text) < 5) == ('cancel', True)


def test_without_the_model_what_no_intent_explains_was_not_caught(robot, ask):
    replies, _, decoder = ask('Robot, who made the moon?', CheckpointError('no such file'))
    robot.wait(lambda: replies, 'an answer')
    assert [(reply.text, reply.is_final) for reply in replies] == [
        ('Sorry, I did not catch that.', True)]
    assert math.isnan(replies[0].first_text_latency_s)
    assert 'no such file' in decoder.boards.texts.failure and decoder.active


def test_words_are_translated_when_they_are_final(robot, ask):
    translations = robot.watch(Translation, 'translation', qos.EVENTS)
    _, transcripts, _ = ask('One two.', lambda turns: turns[-1][1].upper(), settings=FOLLOWS)
    robot.wait(lambda: translations, 'a translation')
    final, = translations
    assert (final.text, final.is_final, final.source) == ('ONE TWO.', True, 'second_pass')
    assert (final.language, final.source_language, final.source_text) == ('zh', 'en', 'One two.')
    assert final.utterance_id == transcripts[-1].utterance_id == final.transcript_utterance_id
    assert final.stable_length == len(final.text) and final.header.frame_id == 'mic'


@pytest.fixture
def say(robot):
    """Return a function that says words to a robot that translates them, and what it shows."""
    translations = robot.watch(Translation, 'translation', qos.EVENTS)

    def start(settings=FOLLOWS):
        decoder = robot.decoder(settings, text_model=lambda config: scripted(
            lambda turns: turns[-1][1].upper())[0])
        robot.wait(lambda: decoder.boards.texts.ready, 'it is loaded')
        speaks = robot.watcher.create_publisher(Transcript, 'transcript/partial', qos.EVENTS)
        robot.wait(lambda: speaks.get_subscription_count() > 0, 'somebody listens')

        def speak(text, *, name='u-1-words', language='en', final=False, source=None):
            speaks.publish(Transcript(
                utterance_id=name, text=text, stable_length=len(text), is_final=final,
                language=language, source=source or ('second_pass' if final else 'partial')))
        return decoder, speak, translations
    return start


def test_a_translation_that_goes_on_is_final_when_the_node_stops(robot, say):
    decoder, speak, translations = say()
    speak('a b c')
    robot.wait(lambda: translations, 'a translation')
    decoder.trigger_deactivate()
    robot.wait(lambda: robot.finals(translations), 'its end')
    last = translations[-1]
    assert (last.text, last.revision, last.stable_length) == ('A B C', 1, 5)
    assert len(robot.finals(translations)) == 1


def test_words_that_nobody_read_again_are_not_translated_and_it_says_so(robot, say):
    decoder, speak, translations = say()
    for text in ('a b c', 'a b c d e f'):
        speak(text)
        robot.wait(lambda text=text: translations and len(translations[-1].text) == len(text),
                   'a translation')
    speak('x y', final=True, source='streamed')
    robot.wait(lambda: robot.finals(translations), 'its end')
    assert robot.finals(translations) == ['A B C']  # what was stable
    report = StatusReport()
    decoder.boards.texts.report(report)
    assert any('words are not translated: nobody read them again' in text
               for text in report.messages)
    assert report.values['translations.missing'] == 1


def test_words_that_come_before_the_model_are_counted(robot):
    def load(config):
        raise CheckpointError('no such file')
    decoder = robot.decoder(FOLLOWS, text_model=load)
    robot.wait(lambda: decoder.boards.texts.failure, 'it is not loaded')
    decoder.boards.texts.hear(Transcript(
        utterance_id='u', text='One.', language='en', is_final=True, source='second_pass'))
    report = StatusReport()
    decoder.boards.texts.report(report)
    assert 'words are not translated: the model is not loaded' in report.messages
    assert any('no such file' in text for text in report.messages)
    assert report.values['translations.missing'] == 1


MANDARIN = {**FOLLOWS, 'translation.second_pass': 'whisper'}


@pytest.mark.parametrize(('english', 'text'), [
    ('Good morning.', 'Good morning.'), ('', '早上好'), (None, '早上好')])
def test_whisper_writes_the_english_of_mandarin(robot, say, monkeypatch, english, text):
    """Where it writes none, or nobody answers in time, the words are translated."""
    monkeypatch.setattr(english_board, '_PATIENCE_S', 1.0)
    drafts = robot.watch(Translation, 'translation/draft', qos.EVENTS)
    decoder, speak, translations = say(MANDARIN)
    reads = robot.watcher.create_publisher(Translation, 'translation/read', qos.EVENTS)
    robot.wait(lambda: reads.get_subscription_count() > 0
               and decoder.boards.texts.translations._english._has_reader,
               'they are connected')
    speak('早上好', language='zh', final=True)
    robot.wait(lambda: drafts, 'a draft')
    assert not decoder.idle and not translations
    if english is not None:
        reads.publish(Translation(
            utterance_id=drafts[0].utterance_id, text=english, language='en',
            source='second_pass', source_text='早上好', source_language='zh'))
    robot.wait(lambda: translations, 'a translation')
    last, = translations
    assert (last.text, last.language, last.is_final) == (text, 'en', True)
    assert (last.source_text, last.utterance_id) == ('早上好', 'u-1-words')
    speak('Good day.', name='u-2-words', final=True)
    robot.wait(lambda: len(translations) == 2, 'English asks for nobody')
    assert (translations[-1].text, len(drafts)) == ('GOOD DAY.', 1)


def test_where_nobody_is_left_to_write_english_the_words_are_translated(robot, say, monkeypatch):
    monkeypatch.setattr(english_board, '_PATIENCE_S', 1e6)
    drafts = []
    reader = robot.watcher.create_subscription(
        Translation, 'translation/draft', drafts.append, qos.EVENTS)
    decoder, speak, translations = say(MANDARIN)
    english = decoder.boards.texts.translations._english
    robot.wait(lambda: english._has_reader, 'somebody reads')
    speak('早上好', language='zh', final=True)
    robot.wait(lambda: drafts and english.waiting, 'it is asked')
    robot.watcher.destroy_subscription(reader)
    robot.wait(lambda: translations, 'a translation')
    assert [one.text for one in translations] == ['早上好']


def test_words_are_translated_while_they_are_spoken(robot, say):
    _, speak, translations = say()
    for count, final in ((3, False), (6, False), (7, True)):
        speak(' '.join('abcdefg'[:count]), final=final)
        robot.wait(lambda count=count: any(
            len(one.text) == 2 * count - 1 for one in translations), 'its translation')
    assert [(one.text, one.stable_length, one.is_final) for one in translations] == [
        ('A B C', 0, False), ('A B C D E F', 5, False), ('A B C D E F G', 13, True)]
    assert {one.source for one in translations} == {'second_pass'}
    assert [one.revision for one in translations] == [0, 1, 2]
    assert {one.utterance_id for one in translations} == {'u-1-words'}
