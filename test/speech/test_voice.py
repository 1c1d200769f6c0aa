"""Texts in parts and languages, engines that are there and that are not, sound cards."""

import shutil
import sys
import types
from dataclasses import replace

import numpy as np
import pytest

from audio_interaction_ros.config import SpeechConfig
from audio_interaction_ros.errors import (
    AudioFormatError,
    ConfigurationError,
    MissingDependencyError,
)
from audio_interaction_ros.speech import engines
from audio_interaction_ros.speech.engine import (
    SpeechError,
    Spoken,
    guess_language,
    split_text,
)
from audio_interaction_ros.speech.loudspeaker import SoundCard
from audio_interaction_ros.speech.playback import Playback
from audio_interaction_ros.speech.voice import Voice, load_voice

pytestmark = pytest.mark.unit


class Engine:
    """Says a second of the level it was made with, at 8 kHz, and notes what it was asked."""

    def __init__(self, name, languages, level=0.1, *, refuses=False):
        self.name, self.languages = name, languages
        self.level, self.refuses, self.asked = level, refuses, []

    def speak(self, text, language):
        self.asked.append((text, language))
        if self.refuses:
            raise SpeechError(f'{self.name} refuses')
        return Spoken(samples=np.full(8000, self.level, np.float32), rate_hz=8000)


@pytest.mark.parametrize(('text', 'tag', 'language'), [
    ('Stop right there.', '', 'en'), ('烟雾报警器在响。', '', 'zh'), ('Say 你好', '', 'zh'),
    ('hello', 'en-GB', 'en'), ('hello', 'zh-Hans', 'zh'), ('hallo', 'de', 'de')])
def test_the_language_is_that_of_the_letters_or_what_is_said_of_it(text, tag, language):
    assert guess_language(text, tag) == language


def test_a_text_is_split_at_its_sentences_and_nothing_of_it_is_lost():
    text = 'A smoke alarm is sounding! It is 3.5 m away. 烟雾报警器在响。请离开 "now"'
    assert split_text(text) == ['A smoke alarm is sounding!', 'It is 3.5 m away.',
                                '烟雾报警器在响。', '请离开 "now"']
    assert split_text(' ... \n?! ') == []
    long = 'word ' * 100
    parts = split_text(long)
    assert all(len(part) <= 240 for part in parts) and ' '.join(parts) == long.strip()
    assert ''.join(split_text('好' * 500)) == '好' * 500


def test_the_first_engine_that_speaks_the_language_says_it():
    english, both = Engine('english', ('en',)), Engine('both', ('en', 'zh'))
    voice = Voice([english, both], volume_db=-20.0)
    parts = list(voice.speak('One. Two more.', rate_hz=16000))
    assert [text for text, _ in english.asked] == ['One.', 'Two more.']
    assert [len(samples) for samples, _ in parts] == [16000, 16000]
    assert sum(share for _, share in parts) == pytest.approx(1.0)
    assert parts[0][0][8000] == pytest.approx(0.01, rel=0.05)
    list(voice.speak('你好', rate_hz=8000))
    assert both.asked == [('你好', 'zh')]


def test_an_engine_that_refuses_is_followed_by_the_next_one():
    spare = Engine('spare', ('en',))
    assert len(list(Voice([Engine('first', ('en',), refuses=True), spare]).speak(
        'Hello.', rate_hz=8000))) == 1
    with pytest.raises(SpeechError, match='first refuses'):
        list(Voice([Engine('first', ('en',), refuses=True)]).speak('Hello.', rate_hz=8000))
    with pytest.raises(SpeechError, match="speaks 'de', found spare"):
        list(Voice([spare]).speak('Hallo', 'de', rate_hz=8000))
    with pytest.raises(SpeechError, match='expected words'):
        list(Voice([spare]).speak('…', rate_hz=8000))


def test_what_is_not_installed_is_said_with_what_to_do(monkeypatch):
    monkeypatch.setattr(shutil, 'which', lambda name: None)
    for module in ('hibari', 'piper', 'kokoro_onnx'):
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingDependencyError) as refused:
        load_voice(SpeechConfig())
    assert 'pip install "hibari-tts' in str(refused.value)
    assert 'apt install espeak-ng' in str(refused.value)
    voice = load_voice(SpeechConfig(engines='hibari, tones'))
    assert voice.names == ['tones'] and 'hibari-tts' in voice.missing[0]


def test_what_is_not_named_is_said_with_the_parameter(tmp_path):
    for settings, expected in (
            ({'engines': 'piper'}, 'speech.piper_en or speech.piper_zh'),
            ({'engines': 'kokoro'}, 'speech.kokoro_model: expected'),
            ({'engines': 'kokoro', 'kokoro_model': str(tmp_path / 'k.onnx')}, 'no file at')):
        with pytest.raises(ConfigurationError, match=expected):
            load_voice(SpeechConfig(**settings))
    for wrong in ({'engines': 'festival'}, {'engines': ''}, {'says': 'jokes'},
                  {'barge_in': 'maybe'}, {'rate_hz': 10}, {'speed': 9.0}):
        with pytest.raises(ConfigurationError, match='speech'):
            SpeechConfig(**wrong)


def test_piper_and_kokoro_are_called_as_their_packages_want(tmp_path, monkeypatch):
    class Piper:
        @staticmethod
        def load(path):
            return Piper()

        def synthesize(self, text, config):
            assert config.length_scale == 0.5
            return [types.SimpleNamespace(audio_float_array=np.ones(3), sample_rate=22050)] * 2

    class Kokoro:
        def __init__(self, model, voices):
            pass

        def get_voices(self):
            return ['af_heart', 'zf_xiaoxiao']

        def create(self, text, *, voice, speed, lang='', is_phonemes=False):
            assert (text, voice, lang, is_phonemes) == ('hi', 'af_heart', 'en-us', False)
            return np.ones(5), 24000
    monkeypatch.setitem(sys.modules, 'piper', types.SimpleNamespace(
        PiperVoice=Piper, SynthesisConfig=lambda length_scale: types.SimpleNamespace(
            length_scale=length_scale)))
    monkeypatch.setitem(sys.modules, 'kokoro_onnx', types.SimpleNamespace(Kokoro=Kokoro))
    for module in ('misaki', 'misaki.zh'):
        monkeypatch.setitem(sys.modules, module, None)
    path = tmp_path / 'file'
    path.touch()
    piper = engines.Piper(english=str(path), speed=2.0)
    assert piper.languages == ('en',) and len(piper.speak('hi', 'en').samples) == 6
    kokoro = engines.Kokoro(model=str(path), voices=str(path))
    assert kokoro.languages == ('en',), 'no Chinese without its phonemes'
    assert kokoro.speak('hi', 'en').rate_hz == 24000


@pytest.mark.skipif(shutil.which('espeak-ng') is None,
                    reason='espeak-ng is not installed: apt install espeak-ng')
def test_espeak_ng_says_english_and_chinese():
    espeak = engines.EspeakNg()
    slow, fast = espeak.speak('-A smoke alarm is sounding.', 'en'), engines.EspeakNg(
        speed=1.8).speak('-A smoke alarm is sounding.', 'en')
    assert slow.rate_hz == 22050 and 0.5 < len(fast.samples) / len(slow.samples) * 1.5 < 1.2
    assert 0.02 < float(np.abs(espeak.speak('烟雾报警器在响。', 'zh').samples).max()) <= 1.0
    with pytest.raises(SpeechError, match='speech.voice_en'):
        engines.EspeakNg(voice_en='nobody').speak('hello', 'en')


def test_hibari_says_the_same_each_time():
    pytest.importorskip('hibari', reason='hibari-tts is not installed: pip install hibari-tts')
    engine = engines.Hibari()
    first, second = engine.speak('Hello.', 'en'), engine.speak('Hello.', 'en')
    assert np.array_equal(first.samples, second.samples) and len(first.samples) > 5000


class Library:
    """Stands in for sounddevice."""

    def __init__(self):
        self.stream = None

    def query_devices(self, device=None, kind=None):
        devices = [{'name': 'mic', 'max_output_channels': 0, 'max_input_channels': 1,
                    'default_samplerate': 16000.0},
                   {'name': 'USB speaker', 'max_output_channels': 2, 'max_input_channels': 0,
                    'default_samplerate': 48000.0}]
        return devices if kind is None else devices[1 if device is None else device]

    def OutputStream(self, **options):  # noqa: N802 - its name
        self.options = options
        self.stream = types.SimpleNamespace(active=True, start=lambda: None, close=lambda: None)
        return self.stream


def test_a_sound_card_is_given_blocks_and_says_when_they_are_heard():
    library, heard = Library(), []
    card = SoundCard('speaker', library=library)
    playback = Playback(rate_hz=card.rate_hz)
    card.start(playback, lambda block, delay_s: heard.append((block.number, delay_s)))
    assert library.options['device'] == 1 and library.options['samplerate'] == 48000
    out, times = np.ones((960, 1), np.float32), types.SimpleNamespace(
        outputBufferDacTime=10.03, currentTime=10.0)
    library.options['callback'](out, 960, times, None)
    assert not out.any() and heard == [], 'silence between texts is not told'
    playback.begin(3)
    playback.put(3, np.full(480, 0.5, np.float32), 1.0)
    library.options['callback'](out, 960, times, None)
    assert out.sum() == 240.0 and heard == [(3, pytest.approx(0.03))]
    assert card.is_alive
    library.stream.active = False
    assert not card.is_alive
    card.close()
    with pytest.raises(AudioFormatError, match='one output device') as refused:
        SoundCard('nothing', library=library)
    assert 'USB speaker' in str(refused.value) and 'mic' not in str(refused.value)
    assert replace(SpeechConfig(), device='none').device == 'none'
