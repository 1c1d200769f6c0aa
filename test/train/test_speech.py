"""Speech: voices, adapters against stand-ins of their interfaces, the check by a recogniser."""

import http.server
import sys
import threading
import types
import urllib.parse
from pathlib import Path

import numpy as np
import pytest
import soundfile

pytest.importorskip('num2words')
pytest.importorskip('jiwer')

from audio_interaction_ros.errors import ConfigurationError, MissingDependencyError
from audio_interaction_ros.runtimes.base import Recognition
from train.compose.script import Script, Step
from train.speech import command, local, neural
from train.speech.check import Dropped, error_rate, speak_checked
from train.speech.cosyvoice import CosyVoice
from train.speech.engines import EngineSettings, find_present, make_engines
from train.speech.make import Line, choose_voices, clip_of, list_lines
from train.speech.neural import Kokoro, Piper
from train.speech.protocol import SpeechError, Voice, resample, trim_quiet

pytestmark = pytest.mark.unit

RATE = 16_000


def tone(seconds: float, rate: int = RATE) -> np.ndarray:
    return (0.4 * np.sin(np.arange(int(seconds * rate)) * 0.3)).astype(np.float32)


class Beeper:
    """An engine whose speech is as long as the text; it fails at the texts it is told to."""

    name, licence, licence_group = 'beeper', 'CC0-1.0', 'free'

    def voices(self, language):
        return ('low', 'high') if language == 'en' else ()

    def speak(self, text, voice, *, language, rng):
        if 'unspeakable' in text:
            raise SpeechError('no')
        return tone(0.05 * len(text) * rng.uniform(0.9, 1.1), 24_000), 24_000


class Listener:
    """A recogniser that hears what it is told to hear, one take after the other."""

    def __init__(self, *heard: str) -> None:
        self.heard = list(heard)

    def transcribe(self, samples):
        assert samples.dtype == np.float32
        return Recognition(text=self.heard.pop(0), language='en')


@pytest.mark.parametrize('text, heard, rate', [
    ('Hello there.', 'hello there', 0.0), ('I ate 3 eggs', 'I ate three eggs.', 0.0),
    ('It is 5%', 'it is five percent', 0.0), ('one two three four', 'one two tree four', 0.25),
    ('In order, seven, two, five.', 'in order 725', 0.0), ('At 7:05.', 'At 705.', 0.0),
    ('ok', 'okay', 0.0), ('earthquake now', 'earth quake now', 0.0), ('hello', '', 1.0)])
def test_error_rate_compares_what_is_said(text, heard, rate):
    assert error_rate(text, heard) == pytest.approx(rate)


def test_error_rate_of_chinese_counts_characters():
    assert error_rate('今天天气好。', '今天天汽好', 'zh') == pytest.approx(1 / 5)


def test_a_misheard_take_is_tried_twice_again():
    seen = []

    def say(attempt):
        seen.append(attempt)
        return tone(1)
    take = speak_checked('turn left', 'en', say, Listener('burn', 'turn lift', 'turn left'))
    assert (seen, take.takes, take.wer) == ([0, 1, 2], 3, 0.0)
    with pytest.raises(Dropped, match=r'WER 0\.50'):
        speak_checked('turn left', 'en', say,
                      Listener('burn', 'turn lift', 'fern left', 'turn left'))


def test_a_refused_take_costs_an_attempt_and_no_recogniser_means_no_check():
    def refuse(attempt):
        if attempt == 0:
            raise SpeechError('no')
        return tone(1)
    take = speak_checked('turn left', 'en', refuse, None)
    assert take.takes == 2 and take.wer == -1.0


def test_wer_of_exactly_a_tenth_passes():
    text = 'one two three four five six seven eight nine ten'
    assert speak_checked(text, 'en', lambda _: tone(1),
                         Listener(text.replace('two', 'to'))).takes == 1


def test_voices_are_read_and_written():
    assert Voice.parse('hibari:heart@0.9') == Voice(engine='hibari', name='heart', shift=0.9)
    assert str(Voice.parse('flite:slt')) == 'flite:slt'
    for wrong in ('heart', 'hibari:', 'hibari:heart@3', 'hibari:heart@x'):
        with pytest.raises(ConfigurationError, match='engine:name'):
            Voice.parse(wrong)


def test_a_shift_changes_pitch_and_length():
    high = resample(tone(1.0), RATE, 1.25)
    assert len(high) == pytest.approx(RATE / 1.25, abs=2)
    cut = trim_quiet(np.concatenate([np.zeros(8000, np.float32), tone(0.5),
                                     np.zeros(8000, np.float32)]))
    assert len(cut) == pytest.approx(8000 + 640, abs=500)


def test_a_line_becomes_a_clip_with_provenance(tmp_path: Path):
    line = Line(id='s1', text='I ate 3 eggs.', voice='beeper:low@0.9', translation='x')
    clip = clip_of(line, {'beeper': Beeper()}, Listener('I ate three eggs'), tmp_path)
    samples, rate = soundfile.read(tmp_path / clip.path)
    assert rate == RATE and len(samples) / RATE == pytest.approx(clip.seconds)
    assert (clip.text, clip.speaker, clip.generated) == ('I ate 3 eggs.', 'beeper:low@0.9', True)
    assert (clip.licence, clip.licence_group, clip.translation) == ('CC0-1.0', 'free', 'x')
    assert 'wer_0.00' in clip.tags
    again = clip_of(line, {'beeper': Beeper()}, None, tmp_path, folder='again')
    assert np.array_equal(soundfile.read(tmp_path / again.path)[0], samples)


def test_scripts_give_each_line_once_and_a_step_may_have_its_own_voice():
    script = Script(id='a', ability='asr', task='t', seed=1, voice='e:v', steps=(
        Step(say='Hello.'), Step(say='Hello.'), Step(sound='doorbell'),
        Step(say='Hello.', voice='e:w')))
    assert [(line.text, line.voice) for line in list_lines([script, script])] == [
        ('Hello.', 'e:v'), ('Hello.', 'e:w')]


def test_cast_lists_voices_and_refuses_a_language_nobody_speaks():
    assert choose_voices({'beeper': Beeper()}, 'en') == ['beeper:high', 'beeper:low']
    with pytest.raises(ConfigurationError, match='zh'):
        choose_voices({'beeper': Beeper()}, 'zh')


def test_the_stage_drops_what_is_not_understood(tmp_path, monkeypatch):
    monkeypatch.setattr(command, 'make_engines', lambda _: {'beeper': Beeper()})
    todo = [Line(id='s1', text='good', voice='beeper:low'),
            Line(id='s2', text='unspeakable', voice='beeper:low')]
    clips, report = command.speak_all(todo, settings=EngineSettings(), check=False,
                                      out=tmp_path, workers=0)
    assert [clip.id for clip in clips] == ['s1'] and (tmp_path / clips[0].path).exists()
    assert sum(report.rejected.values()) == 1 and 'not understood' in next(iter(report.rejected))


def test_a_missing_program_names_its_install_command(monkeypatch):
    monkeypatch.setattr(local.shutil, 'which', lambda _: None)
    rng = np.random.default_rng(0)
    for engine, package in ((local.EspeakNg(), 'espeak-ng'), (local.Flite(), 'flite')):
        assert engine.voices('en') == ()
        with pytest.raises(MissingDependencyError, match=f'apt install {package}'):
            engine.speak('hello', 'x', language='en', rng=rng)


@pytest.mark.parametrize('name', ['hibari', 'espeak-ng', 'flite'])
def test_voices_of_this_machine_speak(name):
    if name not in find_present():
        pytest.skip(f'{name} is not installed')
    engine = make_engines(EngineSettings(names=(name,)))[name]
    samples, rate = engine.speak('Please open the door.', engine.voices('en')[0], language='en',
                                 rng=np.random.default_rng(0))
    speech = trim_quiet(resample(samples, rate))
    assert 0.7 < len(speech) / RATE < 3.5 and np.abs(speech).max() > 0.05


@pytest.fixture
def server():
    """The interface of CosyVoice's FastAPI runtime: form fields in, 16-bit samples out."""
    asked = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):  # noqa: N802 - the name is http.server's
            body = self.rfile.read(int(self.headers['Content-Length'])).decode()
            form = {key: value[0] for key, value in urllib.parse.parse_qs(body).items()}
            asked.append((self.path, form))
            unknown = form.get('spk_id') == 'nobody'
            self.send_response(500 if unknown else 307 if form.get('spk_id') == 'gone' else 200)
            if form.get('spk_id') == 'gone':
                self.send_header('Location', '/elsewhere')
            if form.get('spk_id') == 'two':
                self.send_header('X-Custom-Header-sampleRate', '24000')
            self.end_headers()
            if not unknown:
                count = 1 if form.get('spk_id') == 'cut' else 24_000
                self.wfile.write((tone(2) * 32767).astype('<i2').tobytes()[:count])

        def log_message(self, *arguments):
            pass
    stub = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Handler)
    threading.Thread(target=stub.serve_forever, daemon=True).start()
    yield f'http://127.0.0.1:{stub.server_port}', asked
    stub.shutdown()
    stub.server_close()


def test_cosyvoice_posts_a_form_and_reads_samples(server):
    url, asked = server
    engine, rng = CosyVoice(url, ['one', 'two']), np.random.default_rng(0)
    samples, rate = engine.speak('Guten Tag & so', 'one', language='en', rng=rng)
    assert asked == [('/inference_sft', {'tts_text': 'Guten Tag & so', 'spk_id': 'one'})]
    assert rate == 22_050 and len(samples) == 12_000
    assert np.allclose(samples, tone(2)[:12_000], atol=1e-3)
    assert engine.speak('x', 'two', language='en', rng=rng)[1] == 24_000


def test_cosyvoice_says_what_is_wrong(server):
    rng = np.random.default_rng(0)
    for voice, says in (('nobody', 'did not speak'), ('cut', 'expected 16-bit')):
        with pytest.raises(SpeechError, match=says):
            CosyVoice(server[0]).speak('x', voice, language='en', rng=rng)
    with pytest.raises(SpeechError, match='got 307'):
        CosyVoice(server[0]).speak('x', 'gone', language='en', rng=rng)
    assert [path for path, _ in server[1]] == ['/inference_sft'] * 3  # nobody was sent elsewhere
    with pytest.raises(SpeechError, match='did not speak'):
        CosyVoice('http://127.0.0.1:9', timeout_s=2).speak('x', 'y', language='en', rng=rng)
    with pytest.raises(ConfigurationError, match='http'):
        CosyVoice('localhost:50000')


def test_kokoro_uses_the_interface_of_its_package(tmp_path, monkeypatch):
    calls = []

    class Package:
        def __init__(self, model, voices):
            calls.append((model, voices))

        def get_voices(self):
            return ['af_heart', 'bm_lewis', 'zf_xiaoni', 'jf_alpha']

        def create(self, text, voice, speed, lang='', is_phonemes=False):
            calls.append((text, voice, lang, is_phonemes))
            if voice == 'gone':
                raise AssertionError('voice not found')
            return tone(1, 24_000), 24_000
    monkeypatch.setitem(sys.modules, 'kokoro_onnx', types.SimpleNamespace(Kokoro=Package))
    for name in ('m.onnx', 'v.bin'):
        (tmp_path / name).touch()
    engine, rng = Kokoro(tmp_path / 'm.onnx', tmp_path / 'v.bin'), np.random.default_rng(0)
    assert engine.voices('en') == ('af_heart', 'bm_lewis') and engine.voices('zh') == (
        'zf_xiaoni',)
    assert engine.speak('Hi', 'bm_lewis', language='en', rng=rng)[1] == 24_000
    assert calls[-1] == ('Hi', 'bm_lewis', 'en-gb', False)
    monkeypatch.setattr(neural, 'ipa_of_chinese', lambda text: f'<{text}>')
    engine.speak('好', 'zf_xiaoni', language='zh', rng=rng)
    assert calls[-1] == ('<好>', 'zf_xiaoni', '', True)
    with pytest.raises(SpeechError, match='refused'):
        engine.speak('Hi', 'gone', language='en', rng=rng)


def test_piper_uses_the_interface_of_its_package(tmp_path, monkeypatch):
    class Loaded:
        def synthesize(self, text, config):
            assert 0.9 <= config.length_scale <= 1.1
            part = types.SimpleNamespace(audio_float_array=tone(0.5, 22_050), sample_rate=22_050)
            return iter([part] * len(text.split('.')[:-1]))
    package = types.SimpleNamespace(
        PiperVoice=types.SimpleNamespace(load=lambda path: Loaded()),
        SynthesisConfig=lambda length_scale: types.SimpleNamespace(length_scale=length_scale))
    monkeypatch.setitem(sys.modules, 'piper', package)
    (tmp_path / 'en_US-joe-medium.onnx').touch()
    engine = Piper([tmp_path / 'en_US-joe-medium.onnx'], licence='CC0', licence_group='free')
    rng = np.random.default_rng(0)
    assert engine.voices('en') == ('en_US-joe-medium',) and engine.voices('zh') == ()
    samples, rate = engine.speak('One. Two.', 'en_US-joe-medium', language='en', rng=rng)
    assert (len(samples), rate) == (2 * 11_025, 22_050)
    with pytest.raises(SpeechError, match='nothing'):
        engine.speak('', 'en_US-joe-medium', language='en', rng=rng)


def test_missing_model_files_and_unknown_engines_are_named(tmp_path):
    with pytest.raises(ConfigurationError, match='kokoro'):
        Kokoro(tmp_path / 'm.onnx', tmp_path / 'v.bin')
    with pytest.raises(ConfigurationError, match='piper'):
        Piper([tmp_path / 'x.onnx'])
    with pytest.raises(ConfigurationError, match='expected one of'):
        make_engines(EngineSettings(names=('parrot',)))
