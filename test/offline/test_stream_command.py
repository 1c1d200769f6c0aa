"""The command that listens: what it prints for people and programs, and says of mistakes."""

import json
import types

import pytest
import soundfile
from assistants import LANES, Whisper, assistant, blocks, heard, noise, translating

from audio_interaction_ros import offline
from audio_interaction_ros.cli import main as cli
from audio_interaction_ros.cli.printer import JsonPrinter, TextPrinter
from audio_interaction_ros.config import AssistantConfig
from audio_interaction_ros.offline import Assistant
from audio_interaction_ros.protocol import Emotion
from audio_interaction_ros.runtimes.scripted import (
    ScriptedDecoder,
    ScriptedEncoder,
    ScriptedTokenizer,
)
from audio_interaction_ros.stream.events import FinalTranscript

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(('whisper', 'line'), [
    (Whisper(), 'Morning!  ← 早上好  [second pass]'),
    (Whisper('Good morning.', 'en'), '早上好。  ← Good morning.  [second pass]'),
    (Whisper('', ''), '(nobody spoke)  [second pass]'),
    (Whisper(RuntimeError('no')), '(Chinese)  [as streamed]')])
def test_the_command_prints_the_final_translation(whisper, line, tmp_path, capsys, monkeypatch):
    """One option switches both second passes on."""
    configured = []
    monkeypatch.setattr(offline.Assistant, 'load', classmethod(
        lambda cls, config, tell=None: configured.append(config) or translating(
            whisper, {1: {4: (Emotion.NORMAL, '(Chinese)')}})))
    path = tmp_path / 'sound.wav'
    soundfile.write(path, noise(), 16_000)
    assert cli.main(['stream', str(path), '--second-pass', 'whisper']) == 0
    out = capsys.readouterr().out
    assert line in out
    assert out.count(' s  translation') == 1, 'the draft is not printed beside the final'
    assert {configured[0].transcript.second_pass, configured[0].translation.second_pass} == {
        'whisper'}


@pytest.fixture
def scripted_cli(monkeypatch):
    """Let the command line run the scripted model."""
    monkeypatch.setattr(offline.Assistant, 'load', classmethod(
        lambda cls, config, tell=None: assistant()))


def test_json_lines_are_the_same_in_real_time(tmp_path, scripted_cli, capsys, monkeypatch):
    """With --json each line is an object with t, lane and event; pacing changes nothing."""
    path = tmp_path / 'sound.wav'
    soundfile.write(path, noise(), 16_000)
    assert cli.main(['stream', str(path), '--json']) == 0
    at_once = capsys.readouterr().out
    slept = []
    monkeypatch.setattr('audio_interaction_ros.cli.stream._realtime.__defaults__',
                        (lambda: 0.0, slept.append))
    assert cli.main(['stream', str(path), '--json', '--realtime']) == 0
    assert capsys.readouterr().out == at_once
    assert max(slept) == pytest.approx(4.0)
    records = [json.loads(line) for line in at_once.splitlines()]
    assert all({'t', 'lane', 'event'} <= set(record) for record in records)
    finished = [r for r in records if r['event'] == 'ReplyFinished']
    assert [(r['t'], r['lane'], r['text']) for r in finished] == [
        (2.0, 'transcript', 'good morning'), (2.8, 'assistant', 'Glass breaking.')]


def test_people_read_lines(tmp_path, scripted_cli, capsys):
    """The text output shows replies, alerts and a summary."""
    path = tmp_path / 'sound.flac'
    soundfile.write(path, noise(), 16_000)
    assert cli.main(['stream', str(path)]) == 0
    out = capsys.readouterr().out
    assert 'good morning' in out and 'ALERT' in out and 's of audio, worked off in ' in out
    assert 'computing' not in out, 'beside other programs that is not what wall time is'
    assert out.count('Glass breaking.') == 1, 'an alert does not repeat the reply before it'


def test_an_output_that_is_closed_is_no_mistake(tmp_path, scripted_cli, monkeypatch):
    path = tmp_path / 'sound.flac'
    soundfile.write(path, noise(), 16_000)
    monkeypatch.setattr('sys.stdout', None)  # what Python makes of >&-
    assert cli.main(['stream', str(path)]) == 0


def test_a_terminal_shows_the_draft_until_the_final_comes(monkeypatch, capsys):
    monkeypatch.setattr('sys.stdout.isatty', lambda: True)
    one = translating(Whisper(), {1: {4: (Emotion.NORMAL, '(Chinese)')}})
    printer = TextPrinter(one)
    for event in one.listen(blocks(noise(), 1_600)):
        printer.show(event)
    draft, final = capsys.readouterr().out.split('\r\033[K')[-2:]
    assert draft.endswith('(Chinese) (draft)') and 'Morning!' in final


def test_who_waits_is_told_what_is_loaded(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(offline.assistant, 'build_word_interpreter', lambda *_, **__: None)
    monkeypatch.setattr(offline.assistant, 'load_reader', lambda *_, **__: Whisper())
    monkeypatch.setattr(offline.assistant, 'load_model', lambda _: types.SimpleNamespace(
        encoder=ScriptedEncoder(), decoder=ScriptedDecoder(script={}),
        tokenizer=ScriptedTokenizer(), sounds=None,
        config=types.SimpleNamespace(lanes={})))
    path = tmp_path / 'sound.wav'
    soundfile.write(path, noise(), 16_000)
    assert cli.main(['stream', str(path)]) == 0
    first, second, ready = capsys.readouterr().err.splitlines()
    assert 'loading the model edge' in first and 'second pass' in second and 'listening' in ready


def test_a_recording_of_which_nothing_is_heard_ends_with_a_word(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(offline.Assistant, 'load', classmethod(
        lambda cls, config, tell=None: Assistant(
            config=AssistantConfig(lanes=LANES), encoder=ScriptedEncoder(),
            decoder=ScriptedDecoder(script={}), tokenizer=ScriptedTokenizer())))
    path = tmp_path / 'sound.wav'
    soundfile.write(path, noise(0.1), 16_000)
    assert cli.main(['stream', str(path)]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0].startswith('nothing heard in 0.1 s of audio; p_respond: transcript 0.')
    assert cli.main(['stream', str(path), '--json']) == 0
    assert capsys.readouterr().out == ''


@pytest.mark.parametrize(('arguments', 'message'), [
    (['missing.wav'], 'missing.wav'),
    (['-', '--lanes', 'nobody'], "no lane is called 'nobody'"),
    (['-', '--lanes', ''], "no lane is called ''; expected some of transcript, assistant")])
def test_mistakes_are_one_line_on_stderr(arguments, message, capsys, monkeypatch):
    """A wrong file or lane ends with status 2 and says what is wrong."""
    monkeypatch.setattr('audio_interaction_ros.cli.stream.read_blocks', lambda f, **_: iter(())) \
        if arguments[0] == '-' else None
    assert cli.main(['stream', *arguments]) == 2
    error = capsys.readouterr().err
    assert message in error and error.count('\n') == 1


def test_json_tells_whose_text_it_is_and_has_no_nan(capsys):
    one = translating(Whisper('', 'en'), {0: {2: (Emotion.NORMAL, 'hello'),
                                              6: (Emotion.NORMAL, '(noise)')}}, transcripts=True)
    printer = JsonPrinter()
    for event in heard(one, FinalTranscript):
        printer.show(event)
    kept, none = map(json.loads, capsys.readouterr().out.splitlines())
    assert (kept['text'], kept['source']) == ('hello', 'streamed') and kept['confidence'] > 0.9
    assert (none['text'], none['source'], none['confidence']) == ('', 'second_pass', None)
