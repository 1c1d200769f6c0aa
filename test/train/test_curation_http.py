"""Planners and generators against a server of our own; no test leaves this machine."""
import base64
import io
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
import soundfile

from train.curation.language_planner import LanguagePlanner
from train.curation.plan import check
from train.curation.planner import PlannerError
from train.records import Clip
from train.sounds.audiox import AudioX
from train.sounds.elevenlabs import ElevenLabs
from train.sounds.generator import ChainGenerator, GenerationError, Request, SignalGenerator
from train.web import WebError, post_json

pytestmark = pytest.mark.unit

BARK = Request(caption='A dog barks twice on gravel.', labels=('dog_bark',), seconds=2.0, seed=4)
BAG = (Clip(id='1', path='1.flac', seconds=1.0, label='dog_bark', caption='A dog barks.'),)


class Stub:
    """Answers from a list of (status, bytes or function); keeps what was asked."""

    def __init__(self):
        self.answers, self.asked = [], []
        stub = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):  # noqa: N802
                body = json.loads(self.rfile.read(int(self.headers['Content-Length'])))
                stub.asked.append((self.path, dict(self.headers), body))
                status, data = stub.answers.pop(0)
                data = data(self) if callable(data) else data
                if data is None:
                    return
                self.send_response(status)
                if status in (301, 302, 307):
                    self.send_header('Location', data.decode())
                    data = b''
                self.send_header('Content-Length', str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_POST  # noqa: N815

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(('127.0.0.1', 0), Handler)
        self.server.daemon_threads = True
        self.url = f'http://127.0.0.1:{self.server.server_port}'
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()


@pytest.fixture
def stub(monkeypatch):
    for name in ('OPENAI_API_KEY', 'ELEVENLABS_API_KEY', 'AUDIOX_API_KEY'):
        monkeypatch.delenv(name, raising=False)
    stub = Stub()
    yield stub
    stub.server.shutdown()
    stub.server.server_close()


def late(_handler):
    time.sleep(1.0)


def hangs_up(handler):
    handler.close_connection = True


def drips(handler):
    """Send a byte now and then: each in time, all of them never."""
    handler.send_response(200)
    handler.send_header('Content-Length', '1000')
    handler.end_headers()
    try:
        for _ in range(40):
            handler.wfile.write(b' ')
            handler.wfile.flush()
            time.sleep(0.05)
    except OSError:
        pass


def chat(content):
    text = content if isinstance(content, str) else json.dumps(content)
    return 200, json.dumps({'choices': [{'message': {'content': text}}]}).encode()


def scene(*, background_s=5.0):
    events = [('garden', 'ambient', 20.0), ('bark', 'foreground', 2.0),
              ('mower', 'background', background_s)]
    return {'scenario': 'A dog in a garden.', 'constraints': [], 'sub_events': [
        {'name': name, 'role': role, 'rough_duration_s': seconds, 'place': 'any',
         'brief_description': f'{name} is heard'} for name, role, seconds in events]}


def queries(*names):
    return {'sub_events': [
        {'name': name, 'query': f'the sound of {name}', 'caption': f'One hears the {name}.',
         'accept_tags': [name]} for name in names or ('garden', 'bark', 'mower')]}


def planner(stub, **changes):
    return LanguagePlanner(**{'url': f'{stub.url}/v1', 'model': 'tiny', 'pause_s': 0.0,
                              'timeout_s': 5.0, **changes})


def test_a_scene_is_planned_in_two_questions(stub, monkeypatch):
    monkeypatch.setenv('OPENAI_API_KEY', 'secret')
    stub.answers = [chat(scene()), chat(queries())]
    plan = planner(stub).plan(BAG, seconds=20.0, seed=9)
    assert check(plan).sub_events[1].accept_tags == ('bark',)
    assert (plan.seed, plan.seconds, plan.planner) == (9, 20.0, 'language:tiny')
    (path, headers, first), (_, _, second) = stub.asked
    assert path == '/v1/chat/completions'
    assert headers['Authorization'] == 'Bearer secret'
    assert first['temperature'] == 0.7
    assert first['response_format']['json_schema']['name'] == 'scenario'
    assert 'A dog barks.' in first['messages'][1]['content']
    assert second['response_format']['json_schema']['name'] == 'queries'


@pytest.mark.parametrize('bad', [
    chat('no JSON at all'), chat('[]'), chat({'sub_events': 7}), (200, b'{}'), (200, b'\xff'),
    (500, b'busy'), (429, b'slow down'), (200, hangs_up), chat({'sub_events': ['bark']}),
    chat(scene(background_s=21.0)), chat({**scene(), 'colour': 'red'}),
    chat({**scene(), 'sub_events': []})])
def test_what_cannot_be_used_is_asked_for_again(stub, bad):
    stub.answers = [bad, chat(scene()), chat(queries())]
    assert planner(stub).plan(BAG, seconds=20.0, seed=9).scenario == 'A dog in a garden.'
    assert len(stub.asked) == 3


def test_the_model_is_told_what_contradicts(stub):
    stub.answers = [chat(scene(background_s=21.0)), chat(scene()), chat(queries())]
    planner(stub).plan(BAG, seconds=20.0, seed=9)
    assert "'mower': expected a duration" in stub.asked[1][2]['messages'][-1]['content']


def test_the_model_does_not_choose_length_and_seed(stub):
    stub.answers = [chat({**scene(), 'seconds': 999.0, 'seed': 1, 'id': '../x'}), chat(queries())]
    plan = planner(stub).plan(BAG, seconds=20.0, seed=9)
    assert (plan.seconds, plan.seed, plan.id) == (20.0, 9, 'language-9')


def test_fenced_json_is_read(stub):
    stub.answers = [chat(f'```json\n{json.dumps(scene())}\n```'), chat(queries())]
    planner(stub, structured='json_object').plan(BAG, seconds=20.0, seed=9)
    assert stub.asked[0][2]['response_format'] == {'type': 'json_object'}


@pytest.mark.parametrize(('second', 'said'), [
    (queries('garden', 'bark'), "no query for the sub_events ['mower']"),
    ({'sub_events': [{**q, 'query': 'short'} for q in queries()['sub_events']]}, '4 to 12 words')])
def test_queries_are_checked_too(stub, second, said):
    stub.answers = [chat(scene()), chat(second), chat(second), chat(second)]
    with pytest.raises(PlannerError) as caught:
        planner(stub).plan(BAG, seconds=20.0, seed=9)
    assert said in str(caught.value)
    assert 'in 3 tries' in str(caught.value)


def test_tags_that_nobody_knows_are_refused(stub):
    stub.answers = [chat(scene()), *[chat(queries())] * 3]
    with pytest.raises(PlannerError, match='is known'):
        planner(stub, known_tags=frozenset({'garden', 'bark'})).plan(BAG, seconds=20.0, seed=9)


def test_a_planner_that_never_answers_is_given_up(stub):
    stub.answers = [(200, late), (200, late)]
    with pytest.raises(PlannerError, match='within 0.2 s'):
        planner(stub, timeout_s=0.2, attempts=2).plan(BAG, seconds=20.0, seed=9)


def test_a_wrong_key_is_not_tried_again(stub, monkeypatch):
    monkeypatch.setenv('OPENAI_API_KEY', 'secret')
    stub.answers = [(401, b'no such key: secret')]
    with pytest.raises(PlannerError, match='401') as caught:
        planner(stub).plan(BAG, seconds=20.0, seed=9)
    assert 'secret' not in str(caught.value)
    assert len(stub.asked) == 1


def test_an_answer_that_drips_ends_at_the_deadline(stub):
    stub.answers = [(200, drips)]
    with pytest.raises(WebError, match='within 0.3 s'):
        post_json(stub.url, {}, timeout_s=0.3)


def test_a_redirect_is_not_followed(stub):
    stub.answers = [(302, f'{stub.url}/elsewhere'.encode())]
    with pytest.raises(WebError, match='302'):
        post_json(stub.url, {}, headers={'xi-api-key': 'secret'})
    assert len(stub.asked) == 1


@pytest.mark.parametrize('url', ['file:///etc/passwd', 'localhost:80', ''])
def test_only_http_is_spoken(url):
    with pytest.raises(WebError, match='http'):
        post_json(url, {})


def audio(form, seconds=2.0, rate=44_100, channels=2):
    tone = 0.3 * np.sin(2 * np.pi * 440 * np.arange(int(seconds * rate)) / rate)
    file = io.BytesIO()
    soundfile.write(file, np.repeat(tone[:, None], channels, axis=1), rate, format=form)
    return file.getvalue()


def test_elevenlabs_is_asked_as_documented(stub, monkeypatch):
    monkeypatch.setenv('ELEVENLABS_API_KEY', 'secret')
    stub.answers = [(200, audio('MP3'))]
    sound = ElevenLabs(url=stub.url).generate(BARK)
    path, headers, body = stub.asked[0]
    assert path == '/v1/sound-generation?output_format=mp3_44100_128'
    assert {key.lower(): value for key, value in headers.items()}['xi-api-key'] == 'secret'
    assert body == {'text': BARK.caption, 'duration_seconds': 2.0, 'prompt_influence': 0.5,
                    'model_id': 'eleven_text_to_sound_v2'}
    assert sound.samples.dtype == np.float32
    assert len(sound.samples) == pytest.approx(32_000, rel=0.05)
    assert (sound.label, sound.licence_group) == ('dog_bark', 'unstated')


def test_audiox_is_asked_as_documented(stub):
    answer = {'choices': [{'message': {'audio': {
        'data': base64.b64encode(audio('WAV', seconds=10.0)).decode()}}}]}
    stub.answers = [(200, json.dumps(answer).encode())]
    sound = AudioX(url=stub.url).generate(BARK)
    path, _, body = stub.asked[0]
    assert path == '/v1/chat/completions'
    assert body['messages'][0]['content'] == [{'type': 'text', 'text': BARK.caption}]
    assert body['extra_args'] == {'audiox_task': 't2a', 'seconds_start': 0.0,
                                  'seconds_total': 2.0}
    assert body['seed'] == 4
    assert len(sound.samples) == 32_000  # the model fills 10 s, 2 s were asked for
    assert sound.licence_group == 'non_commercial'


@pytest.mark.parametrize('answer', [
    (200, b'not audio'), (200, b''), (200, b'{}'), (200, b'{"choices": []}'), (503, b'busy'),
    (200, json.dumps({'choices': [{'message': {'audio': {'data': '%%%'}}}]}).encode()),
    (200, json.dumps({'choices': [{'message': {'audio': {'data': 'AAAA'}}}]}).encode()),
    (200, hangs_up), (200, late)])
@pytest.mark.parametrize('kind', [ElevenLabs, AudioX])
def test_a_service_that_fails_is_a_generation_error(stub, monkeypatch, answer, kind):
    monkeypatch.setenv('ELEVENLABS_API_KEY', 'secret')
    stub.answers = [answer]
    with pytest.raises(GenerationError, match=kind.__name__.lower()) as caught:
        kind(url=stub.url, timeout_s=0.3).generate(BARK)
    assert 'secret' not in str(caught.value)


def test_without_a_key_nothing_is_sent(stub):
    with pytest.raises(GenerationError, match='ELEVENLABS_API_KEY'):
        ElevenLabs(url=stub.url).generate(BARK)
    assert not stub.asked


def test_a_chain_goes_on_to_the_next(stub, monkeypatch):
    monkeypatch.setenv('ELEVENLABS_API_KEY', 'secret')
    stub.answers = [(500, b''), (200, audio('WAV')), (500, b'')]
    chain = ChainGenerator([SignalGenerator(), ElevenLabs(url=stub.url)])
    siren = Request(caption='A siren.', labels=('siren',), seconds=2.0)
    assert chain.generate(siren).source.startswith('train.sounds.signals:siren')
    with pytest.raises(GenerationError, match=r'signals: .* \| elevenlabs: .*500'):
        chain.generate(BARK)
    assert chain.generate(BARK).source == 'elevenlabs:eleven_text_to_sound_v2'
