"""The text lane: a finished utterance is translated from its text while others listen."""

from dataclasses import replace

import numpy as np
import pytest

from audio_interaction_ros.config import LaneConfig
from audio_interaction_ros.protocol import Emotion
from audio_interaction_ros.runtimes.scripted import (
    SCRIPTED_TOKEN_IDS,
    ScriptedDecoder,
    ScriptedTokenizer,
)
from audio_interaction_ros.stream.chunk import EncodedChunk
from audio_interaction_ros.stream.events import FinalTranslation, ReplyFinished, Silence
from audio_interaction_ros.stream.session import Session
from audio_interaction_ros.stream.text_lane import RecognisedSpeech
from train.tokens import Layout, t_t

pytestmark = pytest.mark.unit

PROMPT = 'Translate.'
LANES = (LaneConfig(name='translation', kind='translation', prompt=PROMPT),
         LaneConfig(name='assistant', alerts=True))
KNOWN = {'Good morning.': '早上好。', '早上好': 'Good morning.', 'again': 'x' * 300,
         'loop': 'ab' * 40}


def chunk(seq):
    return EncodedChunk(features=np.zeros((2, 4), np.float32), stamp_ns=seq * 400_000_000,
                        epoch=1, seq=seq, model_id='scripted')


def session(lanes=LANES, translate_text=True, **script):
    decoder = ScriptedDecoder(script=script.get('script', {}), translations=KNOWN)
    one = Session(decoder=decoder, tokenizer=ScriptedTokenizer(), lanes=lanes,
                  translate_text=translate_text)
    one.step()
    return one, decoder


def reply(number=0, text='(Chinese)', lane='translation'):
    return ReplyFinished(
        lane=lane, stamp_ns=5, epoch=1, seq=3, reply_id=f'1-{number}', text=text,
        emotion=Emotion.NORMAL, reason='end', start_ns=1, end_ns=4, p_respond=0.9)


def translated(one):
    return [event for event in one.drain() if isinstance(event, FinalTranslation)]


@pytest.mark.parametrize(('text', 'language', 'said', 'target'), [
    ('Good morning.', 'en', '早上好。', 'zh'), ('早上好', 'zh', 'Good morning.', 'en')])
def test_a_text_is_translated_to_the_other_language(text, language, said, target):
    one, _ = session()
    one.translate(reply(), RecognisedSpeech(text=text, language=language))
    final, = translated(one)
    assert (final.text, final.language) == (said, target)
    assert (final.source_text, final.source_language) == (text, language)
    assert (final.streamed_text, final.reply_id) == ('(Chinese)', '1-0')
    assert (final.start_ns, final.end_ns, final.stamp_ns) == (1, 4, 5)
    assert (one.stats.translated, one.stats.kept) == (1, 0)


@pytest.mark.parametrize(('english', 'said', 'language'), [
    ('Morning!', 'Morning!', 'en'), ('', '(Chinese)', '')])
def test_what_is_written_already_is_final_as_it_is(english, said, language):
    """Nothing goes through the decoder; without words the streamed text stays."""
    one, decoder = session()
    decoder.requests = []
    one.translate(reply(), RecognisedSpeech(text='早上好', language='zh', english=english))
    final, = translated(one)
    assert (final.text, final.language, final.source_text) == (said, language, '早上好')
    assert (final.streamed_text, final.reply_id) == ('(Chinese)', '1-0')
    assert decoder.requests == []
    assert (one.stats.translated, one.stats.kept) == (bool(english), not english)


def test_what_is_fed_is_what_was_trained():
    """Every id, in its order and at its position, is that of the offline text task."""
    one, decoder = session()
    one.translate(reply(), RecognisedSpeech(text='Good morning.', language='en'))
    fed = []
    while one.busy:
        one.step()
        fed += [request for request in decoder.requests if request.lane == len(LANES)]
    wanted = t_t(Layout(SCRIPTED_TOKEN_IDS, 2), *(
        ScriptedTokenizer().encode(text) for text in (PROMPT, 'Good morning.', '早上好。')))
    assert np.concatenate([request.ids for request in fed]).tolist() == wanted.ids.tolist()
    positions = np.concatenate([request.positions for request in fed])
    assert positions.tolist() == list(range(len(wanted.ids)))
    for request in fed:
        assert np.flatnonzero(request.visible).tolist() == list(range(request.positions[0]))


def test_listening_goes_on_while_text_is_translated():
    """One token of text and one chunk of every lane share a pass."""
    one, decoder = session()
    one.translate(reply(), RecognisedSpeech(text='Good morning.', language='en'))
    one.step()
    for seq in range(4):
        one.push(chunk(seq))
        decided = [event for event in one.step() if isinstance(event, Silence)]
        assert [(event.lane, event.seq) for event in decided] == [
            ('translation', seq), ('assistant', seq)]
        assert [len(request.ids) for request in decoder.requests][-1] == 1
    assert len(translated(one)) == 1


def test_texts_wait_for_each_other():
    one, _ = session()
    for number, (text, language) in enumerate([('早上好', 'zh'), ('Good morning.', 'en')]):
        one.translate(reply(number), RecognisedSpeech(text=text, language=language))
    assert [(final.reply_id, final.text) for final in translated(one)] == [
        ('1-0', 'Good morning.'), ('1-1', '早上好。')]


@pytest.mark.parametrize(('text', 'language'), [
    ('', ''), ('', 'en'), ('Guten Morgen', 'de'), ('早上好', ''), ('a' * 120, 'en'),
    ('nobody knows this', 'en'), ('loop', 'en')])
def test_what_cannot_be_translated_keeps_its_streamed_text(text, language):
    """Nothing read, another language, too long, no answer, an answer that runs in circles."""
    one, _ = session()
    one.translate(reply(text='早'), RecognisedSpeech(text=text, language=language))
    final, = translated(one)
    assert (final.text, final.language, final.source_text) == ('早', '', text)
    assert (one.stats.translated, one.stats.kept) == (0, 1)


def test_a_budget_ends_a_translation():
    one, _ = session((replace(LANES[0], max_reply_tokens=4), LANES[1]))
    one.translate(reply(), RecognisedSpeech(text='Good morning.', language='en'))
    final, = translated(one)
    assert final.text == '早', 'the byte of the next character is left out'


def test_a_backlog_keeps_its_streamed_text():
    one, _ = session()
    for number in range(12):
        one.translate(reply(number), RecognisedSpeech(text='Good morning.', language='en'))
    finals = translated(one)
    assert {final.reply_id for final in finals} == {f'1-{number}' for number in range(12)}
    assert (one.stats.translated, one.stats.kept) == (8, 4)


@pytest.mark.parametrize('end', [Session.reset, Session.cancel])
def test_reset_and_cancel_keep_streamed_texts(end):
    one, _ = session()
    for number in range(2):
        one.translate(reply(number), RecognisedSpeech(text='Good morning.', language='en'))
    one.step()
    end(one)
    assert [final.text for final in translated(one)] == ['(Chinese)'] * 2
    one.translate(reply(2), RecognisedSpeech(text='Good morning.', language='en'))
    assert [final.text for final in translated(one)] == ['早上好。']


def test_another_lane_is_cancelled_alone():
    one, _ = session()
    one.translate(reply(), RecognisedSpeech(text='Good morning.', language='en'))
    assert not one.cancel('assistant')
    assert [final.text for final in translated(one)] == ['早上好。']


def test_a_new_prompt_is_used_for_text_as_well():
    one, decoder = session()
    one.set_prompt('translation', 'Other.')
    one.translate(reply(), RecognisedSpeech(text='早上好', language='zh'))
    one.step()
    asked = next(request for request in decoder.requests if request.lane == len(LANES))
    assert b'Other.' in bytes(token for token in asked.ids.tolist() if token < 256)


def test_without_a_text_lane_streamed_texts_are_final():
    one, decoder = session(translate_text=False)
    one.translate(reply(), RecognisedSpeech(text='Good morning.', language='en'))
    final, = translated(one)
    assert (final.text, final.source_text) == ('(Chinese)', 'Good morning.')
    assert len(decoder._heard) == len(LANES), 'no lane more than those that listen'
