"""The assistant without ROS beside a text model: what it answers, what follows the words."""

import dataclasses

import numpy as np
import pytest
from scripted_text import scripted

from audio_interaction_ros.audio.block import AudioBlock
from audio_interaction_ros.config import (
    AssistantConfig,
    LaneConfig,
    ReplyConfig,
    TranscriptConfig,
    TranslationConfig,
)
from audio_interaction_ros.dialogue.interpreter import Interpreter
from audio_interaction_ros.dialogue.text_writer import TextWriter
from audio_interaction_ros.dialogue.word_interpreter import WordInterpreter
from audio_interaction_ros.errors import ConfigurationError
from audio_interaction_ros.offline import Assistant
from audio_interaction_ros.protocol import Emotion
from audio_interaction_ros.runtimes.base import Recognition
from audio_interaction_ros.runtimes.scripted import (
    ScriptedDecoder,
    ScriptedEncoder,
    ScriptedTokenizer,
)
from audio_interaction_ros.stream.events import AnswerText, FinalReply, FinalTranslation

pytestmark = pytest.mark.unit

LANES = (LaneConfig(name='transcript', kind='transcript', threshold=0.5),
         LaneConfig(name='assistant', threshold=0.5))
CONFIG = AssistantConfig(
    lanes=LANES, reply=ReplyConfig(model='some'),
    transcript=TranscriptConfig(second_pass='whisper', partial_ms=0.0),
    translation=TranslationConfig(source='reply_model'))


class Reader:
    def __init__(self, text):
        self._text = text

    def transcribe(self, samples, languages=()):
        return Recognition(text=self._text, language='en', mean_log_prob=-0.1)


def listen(text, answer, config=CONFIG):
    script = {0: {4: (Emotion.NORMAL, 'a draft')}, 1: {5: (Emotion.NORMAL, 'Cheese.')}}
    assistant = Assistant(
        config=config, encoder=ScriptedEncoder(), tokenizer=ScriptedTokenizer(),
        decoder=ScriptedDecoder(script=script), second_pass=Reader(text),
        text_model=scripted(answer)[0],
        interpreter=WordInterpreter(Interpreter(TextWriter(scripted(answer)[0]))))
    noise = np.random.default_rng(0).normal(0, 3000, 16_000 * 4).astype(np.int16)
    return list(assistant.listen([
        AudioBlock(samples=noise, sample_rate_hz=16_000, stamp_ns=None)]))


def test_words_are_answered_and_translated():
    events = listen('Who made the moon?', lambda turns: (
        'Nobody.' if turns[0][1] == CONFIG.reply.prompt else turns[-1][1].upper()))
    final, = (event for event in events if isinstance(event, FinalReply))
    assert (final.text, final.source, final.streamed_text) == (
        'Nobody.', 'text_model', 'Cheese.')
    grown = [event.text for event in events if isinstance(event, AnswerText)]
    assert grown[-1] == 'Nobody.' and len(grown) == len('Nobody.')
    translated, = (event for event in events if isinstance(event, FinalTranslation))
    assert (translated.text, translated.language) == ('WHO MADE THE MOON?', 'zh')


def test_an_intent_is_answered_without_it_and_remembered():
    asked = []

    def answer(turns):
        asked.append(turns)
        return 'ok'
    events = listen('Go to the kitchen.', answer)
    final, = (event for event in events if isinstance(event, FinalReply))
    assert (final.intent, final.source) == ('go', 'words')
    assert not any(turns[0][1] == CONFIG.reply.prompt for turns in asked if turns)


class Mandarin:
    """Reads Chinese of everything, and writes its English where it is asked."""

    def __init__(self, english):
        self.english, self.asked = english, []

    def transcribe(self, samples, languages=()):
        self.asked.append(tuple(languages))
        return Recognition(text='早上好。', language='zh', mean_log_prob=-0.1,
                           write_english=self._write)

    def _write(self):
        if isinstance(self.english, Exception):
            raise self.english
        return self.english


@pytest.mark.parametrize(('settings', 'english', 'text'), [
    ({}, 'Hello!', '早上好。'), ({'second_pass': 'whisper'}, 'Hello!', 'Hello!'),
    ({'second_pass': 'whisper'}, '', '早上好。'),
    ({'second_pass': 'whisper'}, RuntimeError('no'), '早上好。'),
    ({'second_pass': 'whisper', 'to_english': 'model'}, 'Hello!', '早上好。')])
def test_the_english_of_mandarin_is_written_by_who_reads(settings, english, text):
    """Without it the model, which gives all back as it is, translates the words."""
    reader = Mandarin(english)
    config = dataclasses.replace(CONFIG, translation=TranslationConfig(
        source='words', **settings))
    script = {0: {4: (Emotion.NORMAL, 'a draft')}, 1: {}}
    assistant = Assistant(
        config=config, encoder=ScriptedEncoder(), tokenizer=ScriptedTokenizer(),
        decoder=ScriptedDecoder(script=script), second_pass=reader,
        translation_second_pass=reader if 'translation' in config.second_passes else None,
        interpreter=WordInterpreter(Interpreter(TextWriter(
            scripted(lambda turns: turns[-1][1])[0]))))
    noise = np.random.default_rng(0).normal(0, 3000, 16_000 * 4).astype(np.int16)
    events = list(assistant.listen([
        AudioBlock(samples=noise, sample_rate_hz=16_000, stamp_ns=None)]))
    final, = (event for event in events if isinstance(event, FinalTranslation))
    assert (final.text, final.language, final.source_text) == (text, 'en', '早上好。')
    assert len(assistant.session.lanes) == 2  # and none for text
    assert reader.asked == [()]  # its English needs no second reading


def test_without_a_second_pass_words_are_left_to_lanes():
    without = CONFIG.with_second_pass('none')
    without.check_translation()
    assert (without.translation.source, without.drafted) == ('lane', frozenset())
    with_it = CONFIG.with_second_pass('whisper')
    assert with_it.translation.source == 'reply_model' and with_it.writes_english
    assert with_it.drafted == {'transcript'}


def test_who_only_listens_never_reads_the_text_model():
    """Its size costs memory, not time: it works for an answer, and for its first words once."""
    model, nets = scripted(lambda turns: 'Nobody.')
    assistant = Assistant(
        config=dataclasses.replace(CONFIG, translation=TranslationConfig()),
        encoder=ScriptedEncoder(), tokenizer=ScriptedTokenizer(),
        decoder=ScriptedDecoder(script={0: {10: (Emotion.NORMAL, 'a draft')},
                                        1: {11: (Emotion.NORMAL, 'Cheese.')}}),
        second_pass=Reader('Who made the moon?'), text_model=model)
    before = sum(len(net.fed) for net in nets)
    noise = np.random.default_rng(0).normal(0, 3000, 16_000).astype(np.int16)

    def hear(seconds):
        blocks = [AudioBlock(samples=noise, sample_rate_hz=16_000, stamp_ns=None)] * seconds
        list(assistant.listen(blocks))
        return sum(len(net.fed) for net in nets)
    assert hear(1) == before
    assert hear(8) > before  # the words of the second utterance are answered


@pytest.mark.parametrize('key, wrong', [
    ('reply', ReplyConfig()), ('transcript', TranscriptConfig()),
    ('lanes', (*LANES, LaneConfig(name='translation', kind='translation', threshold=0.5)))])
def test_words_are_translated_only_where_that_can_be(key, wrong):
    with pytest.raises(ConfigurationError, match=f'{key}.*translation.source is reply_model'):
        listen('x', lambda turns: 'x', dataclasses.replace(CONFIG, **{key: wrong}))
