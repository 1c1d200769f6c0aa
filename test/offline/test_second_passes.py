"""What second passes read and translate: which text becomes final, and in which order."""

import math
import types

import pytest
from assistants import BOTH, Whisper, blocks, heard, noise, translating

from audio_interaction_ros import offline
from audio_interaction_ros.assembly import build_pipeline
from audio_interaction_ros.config import AssistantConfig, TranscriptConfig, TranslationConfig
from audio_interaction_ros.offline import Assistant
from audio_interaction_ros.protocol import Emotion
from audio_interaction_ros.runtimes.scripted import (
    ScriptedDecoder,
    ScriptedEncoder,
    ScriptedTokenizer,
)
from audio_interaction_ros.stream.events import FinalTranscript, FinalTranslation, ReplyFinished

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(('to_english', 'source', 'target', 'asked'), [
    ('whisper', ('早上好', 'zh'), ('Morning!', 'en'), ['English']),
    ('whisper', ('Good morning.', 'en'), ('早上好。', 'zh'), []),
    ('model', ('早上好', 'zh'), ('Good morning.', 'en'), []),
    ('model', ('Good morning.', 'en'), ('早上好。', 'zh'), [])])
def test_a_translation_becomes_final_with_what_was_said(to_english, source, target, asked):
    """Whisper writes the English where it shall, the model what else there is to translate."""
    whisper = Whisper(*source)
    one = translating(whisper, {1: {4: (Emotion.NORMAL, '(Chinese)')}}, to_english=to_english)
    streamed, final = heard(one, (ReplyFinished, FinalTranslation))
    assert (final.text, final.language) == target
    assert (final.source_text, final.source_language) == source
    assert final.streamed_text == streamed.text == '(Chinese)'
    assert (final.start_ns, final.end_ns) == (streamed.start_ns, streamed.end_ns)
    assert whisper.asked == [(32_000, ('en', 'zh')), *asked]
    assert (one.session.stats.translated, one.session.stats.kept) == (1, 0)


def test_finals_of_whisper_and_of_the_model_come_in_the_order_of_their_replies():
    whisper = Whisper()
    one = translating(whisper, {1: {3: (Emotion.NORMAL, 'a'), 6: (Emotion.NORMAL, 'b'),
                                    9: (Emotion.NORMAL, 'c')}})
    texts = []
    for final in one.listen(blocks(noise(), 1_600)):
        if isinstance(final, FinalTranslation):
            texts.append((final.streamed_text, final.text))
            chinese = whisper.language == 'zh'
            whisper.text, whisper.language = (
                ('Good morning.', 'en') if chinese else ('早上好', 'zh'))
    assert texts == [('a', 'Morning!'), ('b', '早上好。'), ('c', 'Morning!')]


@pytest.mark.parametrize('to_english', ['whisper', 'model'])
@pytest.mark.parametrize('whisper', [
    Whisper(RuntimeError('no')),
    Whisper('Guten Morgen', 'de'), Whisper('晚上', english=' '),
    Whisper('晚上', english=RuntimeError('no'))],
    ids=['broken', 'German', 'no English', 'broken English'])
def test_a_translation_that_fails_keeps_its_streamed_text(whisper, to_english):
    one = translating(whisper, {1: {4: (Emotion.NORMAL, '(Chinese)')}}, to_english=to_english)
    final, = heard(one, FinalTranslation)
    assert (final.text, final.language) == ('(Chinese)', '')
    assert one.session.stats.kept == 1


@pytest.mark.parametrize('language', ['en', 'zh', ''])
def test_where_nobody_spoke_there_is_no_text(language):
    """Neither what a second pass makes up nor a remark in brackets is one."""
    one = translating(Whisper('', language), {0: {4: (Emotion.NORMAL, '(noise)')},
                                              1: {4: (Emotion.NORMAL, '(Chinese)')}},
                      transcripts=True)
    for final in heard(one, (FinalTranscript, FinalTranslation)):
        assert (final.text, final.language, final.source) == ('', '', 'second_pass')
        assert math.isnan(final.confidence) and final.streamed_text


def test_a_text_that_is_sure_stands_against_a_second_pass_that_hears_nothing():
    one = translating(Whisper('', 'en'), {0: {4: (Emotion.NORMAL, 'hello')},
                                          1: {4: (Emotion.NORMAL, '你好')}}, transcripts=True)
    finals = heard(one, (FinalTranscript, FinalTranslation))
    assert [final.text for final in finals] == ['hello', '你好']
    assert all(final.source == 'streamed' and final.confidence > 0.9 for final in finals)


def test_audio_that_is_gone_leaves_the_streamed_translation():
    """A pipeline that tells the history nothing leaves nothing to read."""
    whisper = Whisper()
    one = translating(whisper, {1: {1: (Emotion.NORMAL, '(Chinese)')}})
    one._pipeline = build_pipeline(AssistantConfig(), ScriptedEncoder())
    final, = heard(one, FinalTranslation)
    assert (final.text, whisper.asked) == ('(Chinese)', [])


def test_transcript_and_translation_share_a_reading():
    whisper = Whisper('Good morning.', 'en')
    one = translating(whisper, {0: {4: (Emotion.NORMAL, 'good morn')},
                                1: {4: (Emotion.NORMAL, 'a longer streamed text')}},
                      transcripts=True)
    transcript, translation = heard(one, (FinalTranscript, FinalTranslation))
    assert (transcript.text, translation.source_text) == ('Good morning.', 'Good morning.')
    assert translation.text == '早上好。'
    assert len(whisper.asked) == 1


def test_a_transcript_and_its_english_share_a_reading():
    """Only the translation asks for English, and after the transcript is out."""
    whisper = Whisper()
    one = translating(whisper, {0: {4: (Emotion.NORMAL, 'zao')},
                                1: {4: (Emotion.NORMAL, '(Chinese)')}}, transcripts=True)
    transcript, translation = heard(one, (FinalTranscript, FinalTranslation))
    assert (transcript.text, translation.text) == ('早上好', 'Morning!')
    assert whisper.asked == [(32_000, ()), 'English']


def test_a_transcript_that_fails_keeps_its_streamed_text():
    one = translating(Whisper(RuntimeError('no')), {0: {4: (Emotion.NORMAL, 'good morn')}},
                      transcripts=True)
    final, = heard(one, FinalTranscript)
    assert (final.text, final.streamed_text, final.language) == ('good morn', 'good morn', '')


@pytest.mark.parametrize(('transcript', 'translation', 'loaded'), [
    ('none', 'none', 0), ('whisper', 'none', 1), ('none', 'whisper', 1),
    ('whisper', 'whisper', 1)])
def test_one_model_serves_both_second_passes(transcript, translation, loaded, monkeypatch):
    made = []
    monkeypatch.setattr(offline.assistant, 'load_reader',
                        lambda *_, **__: made.append(Whisper()) or made[-1])
    monkeypatch.setattr(offline.assistant, 'load_model', lambda _: types.SimpleNamespace(
        encoder=ScriptedEncoder(), decoder=ScriptedDecoder(script={}),
        tokenizer=ScriptedTokenizer(), sounds=None,
        config=types.SimpleNamespace(lanes={})))
    one = Assistant.load(AssistantConfig(
        lanes=BOTH, transcript=TranscriptConfig(second_pass=transcript),
        translation=TranslationConfig(second_pass=translation)))
    assert len(made) == loaded
    assert (one._words.second_pass is None, one._words.translation_second_pass is None) == (
        transcript == 'none', translation == 'none')
