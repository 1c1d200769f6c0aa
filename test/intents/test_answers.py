"""What is answered: from words where there are any, as the lane wrote it where there are none."""

import math

import pytest

from audio_interaction_ros.assembly import build_answers
from audio_interaction_ros.config import (
    AddressConfig,
    AlertsConfig,
    AssistantConfig,
    IntentsConfig,
    LaneConfig,
    ReplyConfig,
)
from audio_interaction_ros.errors import ConfigurationError
from audio_interaction_ros.intents.answers import NOT_UNDERSTOOD, PATIENCE_NS
from audio_interaction_ros.protocol import Emotion
from audio_interaction_ros.stream.events import AnswerWanted, FinalTranscript, ReplyFinished

pytestmark = pytest.mark.unit

S = 1_000_000_000


def make(reads=True, **settings):
    return build_answers(AssistantConfig(
        assistant=AddressConfig(**{key: value for key, value in settings.items()
                                   if key in ('address', 'names', 'window_s', 'barge_in')}),
        reply=ReplyConfig(source=settings.get('source', 'words')),
        intents=IntentsConfig(file=settings.get('file', ''))), reads=reads)


def reply(text='I hear you.', start=1.0, end=3.0, **more):
    return ReplyFinished(**{
        'lane': 'assistant', 'stamp_ns': round(end * S), 'epoch': 1, 'seq': round(end / 0.4),
        'reply_id': f'1-{round(end / 0.4)}-assistant', 'text': text, 'emotion': Emotion.NORMAL,
        'reason': 'end', 'start_ns': round(start * S), 'end_ns': round(end * S),
        'p_respond': 0.9, **more})


def heard(text, start=1.0, end=3.0, **more):
    return FinalTranscript(**{
        'lane': 'transcript', 'stamp_ns': round(end * S), 'epoch': 1, 'seq': round(end / 0.4),
        'reply_id': f'1-{round(end / 0.4)}-transcript', 'text': text, 'language': 'en',
        'streamed_text': '', 'source': 'second_pass', 'confidence': 0.9,
        'start_ns': round(start * S), 'end_ns': round(end * S), **more})


def test_an_alert_that_waits_for_an_intent_that_nothing_can_be_is_refused(tmp_path):
    path = tmp_path / 'alerts.yaml'
    path.write_text("""
labels:
  help_call: {category: HUMAN_DISTRESS, severity: CRITICAL, intents: [halp],
              say: {en: Help., zh: 救命}}
""", encoding='utf-8')
    for reads in (True, False):
        with pytest.raises(ConfigurationError, match=r"labels.help_call.intents: .* 'halp'"):
            build_answers(AssistantConfig(alerts=AlertsConfig(rules=str(path))), reads=reads)
    own = tmp_path / 'intents.yaml'
    own.write_text('intents: [{name: halp, en: [halp]}]', encoding='utf-8')
    assert build_answers(AssistantConfig(
        alerts=AlertsConfig(rules=str(path)), intents=IntentsConfig(file=str(own))), reads=True)


def test_answers_to_words_that_silence_ended_have_ids_of_their_own():
    answers = make()
    ids = [answers.on_words(heard('Turn left.', start, start + 2, epoch=0, seq=0,
                                  utterance_id=f'7-{number}-words'))[0].reply_id
           for number, start in enumerate((1.0, 30.0))]
    assert ids == ['7-0-words-assistant', '7-1-words-assistant']


def test_the_answer_follows_from_the_words_and_takes_the_place_of_the_reply():
    answers = make()
    assert answers.on_reply(reply('Turning right.')) == []
    answer, = answers.on_words(heard('Turn left.'))
    assert (answer.text, answer.intent, answer.slots) == (
        'Turning left.', 'turn', {'direction': 'left'})
    assert (answer.reply_id, answer.streamed_text) == ('1-8-assistant', 'Turning right.')
    assert (answer.source, answer.source_text) == ('words', 'Turn left.')
    assert answer.transcript_id == '1-8-transcript'
    assert 0.9 < answer.intent_confidence < 1.0
    assert answers.give_up() == []


def test_words_are_answered_where_the_lane_kept_silent():
    answer, = make().on_words(heard('Turn left.'))
    assert (answer.lane, answer.reply_id, answer.text) == (
        'assistant', '1-8-assistant', 'Turning left.')


def test_a_reply_that_comes_after_the_answer_to_its_words_is_dropped():
    answers = make()
    assert answers.on_words(heard('Turn left.'))
    assert answers.on_reply(reply()) == []
    assert answers.give_up() == []


@pytest.mark.parametrize('first', ['reply', 'words'])
def test_what_was_for_the_robot_and_not_understood_is_said_so(first):
    answers, told = make(), []
    for part in (first, {'reply': 'words', 'words': 'reply'}[first]):
        told += (answers.on_reply(reply('The moon is made of cheese.')) if part == 'reply'
                 else answers.on_words(heard('Who made the moon?')))
    assert [(one.text, one.intent) for one in told] == [(NOT_UNDERSTOOD['en'], '')]


def test_who_holds_the_button_speaks_to_the_robot():
    answers = make(address='name')
    assert answers.on_words(heard('Turn left.')) == []
    assert answers.on_words(heard('Turn left.', ended_by='push_to_talk'))[0].intent == 'turn'


def test_speech_that_nobody_says_is_for_the_robot_is_not_answered():
    assert make().on_words(heard('Who made the moon?')) == []
    answer, = make().on_words(heard('机器人，月亮是谁做的？', language='zh'))
    assert answer.text == NOT_UNDERSTOOD['zh']


@pytest.mark.parametrize('more', [
    {'text': ''}, {'text': 'Turn left.', 'source': 'streamed'}, {'text': '...'}])
def test_a_reply_stays_where_no_words_were_read(more):
    answers = make()
    answers.on_reply(reply('Somebody hums.'))
    final, = answers.on_words(heard(**more))
    assert (final.text, final.source, final.source_text) == ('Somebody hums.', 'model', '')


@pytest.mark.parametrize('sound', [
    reply('I hear glass breaking.'), reply('Careful.', emotion=Emotion.URGENT)])
def test_a_reply_about_a_sound_waits_for_no_words(sound):
    answers = make()
    final, = answers.on_reply(sound)
    assert (final.text, final.source, final.reply_id) == (sound.text, 'model', sound.reply_id)
    answer, = answers.on_words(heard('Turn left.'))
    assert answer.intent == 'turn'


@pytest.mark.parametrize('hidden', [{'robot_speaking': True}, {'reason': 'cancel'},
                                    {'reason': 'reset'}])
def test_what_is_said_to_its_own_voice_or_cut_off_is_not_told(hidden):
    answers = make()
    assert answers.on_reply(reply(**hidden)) == []
    assert answers.give_up() == []


def test_a_reply_waits_for_a_transcript_that_is_being_read_and_else_not_for_long():
    answers = make()
    answers.on_reply(reply('Somebody hums.'))
    assert answers.tick(3 * S + PATIENCE_NS) == []
    draft = reply(reply_id='1-8-transcript', lane='transcript')
    answers.note_reading(draft.reply_id, draft.start_ns, draft.end_ns)
    assert answers.tick(60 * S) == []
    answer, = answers.on_words(heard('Turn left.'))
    assert answer.intent == 'turn'
    answers.on_reply(reply('Somebody sings.', start=70.0, end=71.0))
    final, = answers.tick(71 * S + PATIENCE_NS + 1)
    assert final.text == 'Somebody sings.'


def test_no_reply_waits_for_ever_for_words_whose_final_was_lost():
    answers = make()
    answers.on_reply(reply('Somebody hums.'))
    answers.note_reading('run-1-words', S, 2 * S)
    answers.note_reading('run-1-words', S, 10 * S)  # the speech went on
    assert answers.tick(70 * S) == []
    final, = answers.tick(71 * S)
    assert final.text == 'Somebody hums.' and not answers.waiting


def test_words_that_were_hardly_read_are_not_understood():
    answers = make()
    answers.on_reply(reply())
    answer, = answers.on_words(heard('Turn left.', confidence=0.2))
    assert answer.text == NOT_UNDERSTOOD['en']
    assert make().on_words(heard('Turn left.', confidence=math.nan))


def test_a_robot_that_answers_to_its_name_lets_the_television_talk():
    answers = make(address='name', names='Rosie, robot', window_s=8.0)
    answers.on_reply(reply())
    assert answers.on_words(heard('Turn left.')) == []
    assert answers.give_up() == []
    assert answers.on_words(heard('Rosie, turn left.', 11, 12))[0].intent == 'turn'
    assert answers.on_words(heard('Turn right.', 19, 20))[0].intent == 'turn'
    assert answers.on_words(heard('Turn right.', 29, 30)) == []
    assert answers.stats.not_meant == 2


def test_stop_needs_no_name():
    answer, = make(address='name').on_words(heard('Stop!'))
    assert answer.intent == 'stop'


def test_what_woke_the_robot_opens_its_ears():
    answers = make(address='after_wake')
    assert answers.on_words(heard('Robot, turn left.')) == []
    answers.wake(10 * S)
    assert answers.on_words(heard('Turn left.', 11, 12))[0].intent == 'turn'
    answers.reset()
    assert answers.on_words(heard('Turn left.', 13, 14)) == []


def test_a_call_ends_what_waits():
    answers = make()
    answers.on_reply(reply())
    assert not answers.is_cut_short('Do not stop.')
    assert answers.is_cut_short('Stop!')
    assert answers.give_up() == []
    assert not make(barge_in='').is_cut_short('Stop!')


def test_answers_come_from_the_model_where_that_is_chosen_or_nobody_reads():
    assert make(source='model') is None
    assert make(reads=False) is None
    assert build_answers(AssistantConfig(lanes=(LaneConfig(name='t', kind='transcript'),)),
                         reads=True) is None


def test_answers_ask_for_no_taught_sounds_for_those_have_no_words(monkeypatch):
    def refuse(_folder):
        raise AssertionError('the folder of taught sounds was read')
    monkeypatch.setattr('audio_interaction_ros.assembly.alerts.list_sounds', refuse)
    assert make() is not None


def test_a_file_of_ones_own_is_asked_first_and_refused_where_it_is_wrong(tmp_path):
    own = tmp_path / 'own.yaml'
    own.write_text('intents: [{name: dance, en: [dance], answer: {en: Dancing.}}]',
                   encoding='utf-8')
    answer, = make(file=str(own)).on_words(heard('Dance!'))
    assert (answer.text, answer.intent) == ('Dancing.', 'dance')
    own.write_text('intents: [{name: dance}]', encoding='utf-8')
    with pytest.raises(ConfigurationError, match='own.yaml'):
        make(reads=False, file=str(own))


def test_what_no_intent_explains_is_asked_of_a_text_model_where_there_is_one():
    answers = build_answers(AssistantConfig(reply=ReplyConfig(model='some')), reads=True)
    assert answers.on_reply(reply('Cheese.')) == []
    wanted, = answers.on_words(heard('Who made the moon?'))
    assert isinstance(wanted, AnswerWanted)
    assert (wanted.text, wanted.reply_id, wanted.streamed_text, wanted.transcript_id) == (
        'Who made the moon?', '1-8-assistant', 'Cheese.', '1-8-transcript')
    assert (answers.stats.asked, answers.stats.not_understood) == (1, 0)
    first, = answers.on_words(heard('Turn left.', start=5.0, end=6.0))
    assert first.intent == 'turn'  # intents come first
    answers.on_reply(reply(start=8.0, end=9.0))
    sorry, = answers.on_words(heard('Who made the moon?', start=8.0, end=9.0, confidence=0.2))
    assert sorry.text == NOT_UNDERSTOOD['en']
    assert answers.on_words(heard('He went home.', start=12.0, end=13.0)) == []
    late, = answers.on_reply(reply(start=12.0, end=13.0))
    assert isinstance(late, AnswerWanted) and late.text == 'He went home.'
