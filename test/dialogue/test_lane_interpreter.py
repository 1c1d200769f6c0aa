"""The model that listens translates words beside its lanes as its text lane does."""

import pytest

pytest.importorskip('torch', reason='a small model is made with torch')

from small_model import random_model, save_model

from audio_interaction_ros.assembly import build_word_interpreter
from audio_interaction_ros.checkpoints.config import lanes_by_setting
from audio_interaction_ros.config import AssistantConfig, LaneConfig, TranslationConfig
from audio_interaction_ros.dialogue.lane_interpreter import SLOTS, LaneInterpreter
from audio_interaction_ros.errors import ConfigurationError
from audio_interaction_ros.protocol import Emotion
from audio_interaction_ros.runtimes.registry import load_runtime
from audio_interaction_ros.runtimes.scripted import ScriptedDecoder, ScriptedTokenizer
from audio_interaction_ros.stream.events import FinalTranslation, ReplyFinished
from audio_interaction_ros.stream.session import Session
from audio_interaction_ros.stream.text_lane import RecognisedSpeech

pytestmark = pytest.mark.torch

PROMPT = 'Translate.'


@pytest.fixture
def runtime(tmp_path, monkeypatch):
    monkeypatch.setenv('AUDIO_INTERACTION_CACHE', str(tmp_path / 'cache'))
    return load_runtime(save_model(random_model(), tmp_path / 'small'), dtype='float32',
                        halves=('decoder',))


def translate_in_session(runtime, text):
    session = Session(
        decoder=runtime.decoder, tokenizer=runtime.tokenizer, translate_text=True,
        lanes=(LaneConfig(name='translation', kind='translation', prompt=PROMPT, threshold=0.5,
                          max_reply_tokens=SLOTS // 2),))
    session.translate(
        ReplyFinished(lane='translation', stamp_ns=0, epoch=0, seq=0, reply_id='r', text='',
                      emotion=Emotion.NORMAL, reason='end', start_ns=0, end_ns=1, p_respond=1.0),
        RecognisedSpeech(text=text, language='en', confidence=1.0))
    final, = (event for event in session.drain() if isinstance(event, FinalTranslation))
    return final.text


def test_it_writes_what_the_text_lane_writes_and_goes_on_from_a_beginning(runtime):
    decoder = runtime.decoder
    interpreter = LaneInterpreter(decoder.open_text_net(SLOTS), runtime.tokenizer,
                                  ids=decoder.spec.token_ids, prompt=PROMPT)
    for text in ('one two', 'a cat'):
        *_, whole = interpreter.translate(text, 'en')
        if whole.reason != 'loop':  # of which a session keeps nothing
            assert whole.text.strip() == translate_in_session(runtime, text)
        *_, again = interpreter.translate(text, 'en', begin=whole.ids[:2])
        assert again.ids == whole.ids
    assert not set(whole.ids) & decoder.spec.token_ids.structural
    with pytest.raises(ValueError, match="found 'de'"):
        list(interpreter.translate('x', 'de'))


def test_who_cannot_translate_words_is_refused(runtime):
    config = AssistantConfig(translation=TranslationConfig(source='words'))
    lanes = lanes_by_setting(prompts={'translation': PROMPT})
    for decoder, known in ((ScriptedDecoder(script={}), lanes), (runtime.decoder, {})):
        with pytest.raises(ConfigurationError, match='set it to lane'):
            build_word_interpreter(config, None, decoder=decoder, tokenizer=ScriptedTokenizer(),
                                   lanes=known)
    assert build_word_interpreter(config, None, decoder=runtime.decoder,
                                  tokenizer=runtime.tokenizer, lanes=lanes) is not None
    assert build_word_interpreter(AssistantConfig(), None, decoder=None,
                                  tokenizer=ScriptedTokenizer(), lanes={}) is None
