"""The whole assistant on a scripted model: the same events however the audio comes."""

import dataclasses
import json
import math
import os
import subprocess
import sys
import types

import numpy as np
import pytest
import soundfile
import whisper_stand_in
import yaml

from audio_interaction_ros import offline
from audio_interaction_ros.assembly import build_pipeline
from audio_interaction_ros.audio.block import AudioBlock
from audio_interaction_ros.cli import main as cli
from audio_interaction_ros.cli.printer import JsonPrinter, TextPrinter
from audio_interaction_ros.config import (
    AddressConfig,
    AlertsConfig,
    AssistantConfig,
    LaneConfig,
    TranscriptConfig,
    TranslationConfig,
)
from audio_interaction_ros.offline import Assistant
from audio_interaction_ros.protocol import Emotion
from audio_interaction_ros.resources import shipped_path
from audio_interaction_ros.runtimes.base import Recognition
from audio_interaction_ros.runtimes.scripted import (
    ScriptedDecoder,
    ScriptedEncoder,
    ScriptedTokenizer,
)
from audio_interaction_ros.stream.events import (
    FinalReply,
    FinalTranscript,
    FinalTranslation,
    PartialTranscript,
    ReplyFinished,
    ReplyText,
    Silence,
    SoundStarted,
)
from audio_interaction_ros.taught.folder import add_sound
from audio_interaction_ros.taught.head import TaughtSound

pytestmark = pytest.mark.unit

SCRIPT = {0: {4: (Emotion.NORMAL, 'good morning')}, 1: {6: (Emotion.URGENT, 'Glass breaking.')}}
LANES = (LaneConfig(name='transcript', kind='transcript'),
         LaneConfig(name='assistant', alerts=True))
BOTH = (LANES[0], LaneConfig(name='translation', kind='translation'))


class Reader:
    """A second pass that tells how much it was given."""

    def transcribe(self, samples, languages=()):
        """Return the number of samples."""
        return Recognition(text=f'{len(samples)} samples', language='en')


def assistant(second_pass=None):
    config = AssistantConfig(lanes=LANES, transcript=TranscriptConfig(
        second_pass='whisper' if second_pass else 'none'))
    return Assistant(config=config, encoder=ScriptedEncoder(),
                     decoder=ScriptedDecoder(script=SCRIPT), tokenizer=ScriptedTokenizer(),
                     second_pass=second_pass)


def noise(seconds=4.0, rate=16_000):
    rng = np.random.default_rng(1)
    return (0.1 * rng.standard_normal(round(seconds * rate))).astype(np.float32)


def blocks(samples, size, rate=16_000):
    for start in range(0, len(samples), size):
        yield AudioBlock(samples=samples[start:start + size], sample_rate_hz=rate, stamp_ns=None)


@pytest.mark.parametrize('size', [1, 333, 6_400, 64_000])
def test_slicing_changes_no_event(size):
    """One sample at a time gives what the whole file at once gives."""
    samples = noise()
    whole = list(assistant().listen(blocks(samples, len(samples))))
    assert list(assistant().listen(blocks(samples, size))) == whole
    # 4 s, then 1.2 s of silence for late decisions: 13 chunks, in each lane one decision each.
    decided = [e for e in whole if isinstance(e, Silence)]
    assert len(decided) == 2 * 13 - 2


def test_replies_become_alerts_and_final_transcripts():
    """The second pass reads the span that the reply answered."""
    one = assistant(Reader())
    events = list(one.listen(blocks(noise(), 1_600)))
    final, = (event for event in events if isinstance(event, FinalTranscript))
    assert (final.text, final.streamed_text, final.language) == (
        '32000 samples', 'good morning', 'en')
    alert, = (event.alert for event in events if hasattr(event, 'alert'))
    assert alert.label == 'glass_break'
    assert (one.stats.replies, one.stats.alerts) == (2, 1)
    assert one.stats.audio_s == pytest.approx(4.0)


@pytest.fixture(autouse=True)
def _profile(tmp_path, monkeypatch):
    """Give the shipped rules thresholds and hits that no training moves."""
    rules = yaml.safe_load(shipped_path('config/alerts.yaml').read_text(encoding='utf-8'))
    rules |= {'default_profile': 'test', 'profiles': {'test': {
        'doorbell': 0.875, 'glass_break': 0.875}}}
    rules['labels']['doorbell']['detect'] = {'hits': 1}
    (tmp_path / 'rules.yaml').write_text(yaml.safe_dump(rules, allow_unicode=True),
                                         encoding='utf-8')
    monkeypatch.setattr(f'{__name__}.RULES', str(tmp_path / 'rules.yaml'))


RULES = ''


def hearing(scores, **alerts):
    """Return an assistant whose chunks sound like this: name -> score of each chunk."""
    chunks = max((len(row) for row in scores.values()), default=0)
    encoder = ScriptedEncoder(sounds={
        number: {name: row[number] if number < len(row) else 0.0 for name, row in scores.items()}
        for number in range(chunks)})
    alerting = AlertsConfig(rules=RULES, **alerts)
    return Assistant(config=AssistantConfig(lanes=LANES, alerts=alerting),
                     encoder=encoder, decoder=ScriptedDecoder(script=SCRIPT),
                     tokenizer=ScriptedTokenizer(), sounds=encoder.head)


BELL = {'doorbell': [0, 0, 0.96875, 0.75], 'glass_break': []}


@pytest.mark.parametrize('size', [1, 333, 6_400, 64_000])
def test_slicing_changes_no_sound_and_no_alert(size):
    samples = noise()
    whole = list(hearing(BELL).listen(blocks(samples, len(samples))))
    assert list(hearing(BELL).listen(blocks(samples, size))) == whole
    assert [type(event).__name__ for event in whole
            if hasattr(event, 'alert') or hasattr(event, 'sound')] == [
        'SoundStarted', 'AlertChange', 'SoundEnded']


def test_a_sound_is_told_before_what_the_model_says_of_its_chunk():
    """Its alert comes right behind it; words of the same label raise none beside the ears."""
    events = list(hearing(BELL).listen(blocks(noise(), 1_600)))
    place = next(i for i, event in enumerate(events) if isinstance(event, SoundStarted))
    start, change = events[place:place + 2]
    assert (start.sound, start.onset_ns, start.stamp_ns) == ('doorbell', 800_000_000,
                                                             1_200_000_000)
    assert (change.alert.label, change.alert.evidence, change.alert.message) == (
        'doorbell', 'sound', 'The doorbell is ringing.')
    assert not any(getattr(event, 'seq', -1) == start.seq for event in events[:place])
    assert sum(hasattr(event, 'alert') for event in events) == 1, 'breaking glass is not heard'


@pytest.mark.parametrize(('evidence', 'labels'), [
    ('sounds', ['doorbell']), ('model', ['glass_break']), ('both', ['doorbell', 'glass_break'])])
def test_evidence_chooses_what_raises_alerts(evidence, labels):
    scores = {'doorbell': BELL['doorbell']}  # a model that does not tell glass apart
    events = list(hearing(scores, evidence=evidence).listen(blocks(noise(), 1_600)))
    assert [event.alert.label for event in events if hasattr(event, 'alert')] == labels


def test_a_taught_sound_is_heard_beside_the_others_and_one_of_another_model_is_named(
        tmp_path, monkeypatch, caplog):
    tmp_path /= 'sounds'
    monkeypatch.setenv('AUDIO_INTERACTION_SOUNDS', str(tmp_path))
    # Of the script's scores, doorbell and glass_break: heard where the first is above 0.7.
    ours = TaughtSound(
        name='our_bell', title='our bell', model_id='scripted',
        basis=np.diag(np.array([1, 0.1], np.float32)), offset=np.array([-0.7, 0], np.float32),
        direction=np.array([1, 0], np.float32), middle=0.5, slope=20.0)
    for sound in (ours, dataclasses.replace(ours, name='other', title='Other', model_id='m'),
                  dataclasses.replace(ours, name='glass_break', title='Glass')):
        add_sound(tmp_path, sound)
    events = list(hearing(BELL).listen(blocks(noise(), 1_600)))
    assert {event.alert.label for event in events if hasattr(event, 'alert')} == {
        'doorbell', 'our_bell'}
    said = [record.getMessage() for record in caplog.records]
    assert len(said) == 2 and 'glass_break' in said[0] and "'Other'" in said[1]


def test_sounds_are_printed_with_score_and_threshold_and_as_json(capsys):
    one = hearing(BELL)
    for printer in (TextPrinter(one), JsonPrinter()):
        for event in hearing(BELL).listen(blocks(noise(), 1_600)):
            printer.show(event)
    out = capsys.readouterr().out
    threshold = one.session._sounds.rules['doorbell'].threshold
    assert f'0.8 s  sound       doorbell 0.97 (threshold {threshold:.2f})' in out
    records = [json.loads(line) for line in out.splitlines() if line.startswith('{')]
    began, = (record for record in records if record['event'] == 'SoundStarted')
    assert (began['lane'], began['sound'], began['score']) == ('', 'doorbell', 0.96875)
    change, = (record for record in records if record['event'] == 'AlertChange')
    assert (change['evidence'], change['sound'], change['threshold']) == (
        'sound', 'doorbell', threshold)


def told(said):
    """Return what is said, or raise it."""
    if isinstance(said, Exception):
        raise said
    return said


class Whisper:
    """A second pass that says what it is told, or raises it."""

    def __init__(self, text='早上好', language='zh', english=' Morning! '):
        self.text, self.language, self.english, self.asked = text, language, english, []

    def transcribe(self, samples, languages=()):
        self.asked.append((len(samples), tuple(languages)))
        return Recognition(text=told(self.text), language=self.language,
                           write_english=self._translate)

    def _translate(self):
        self.asked.append('English')
        return told(self.english)


def translating(whisper, script, *, transcripts=False, to_english='whisper'):
    return Assistant(
        config=AssistantConfig(lanes=BOTH, translation=TranslationConfig(to_english=to_english)),
        encoder=ScriptedEncoder(), tokenizer=ScriptedTokenizer(),
        decoder=ScriptedDecoder(script=script, translations={
            '早上好': 'Good morning.', 'Good morning.': '早上好。'}),
        second_pass=whisper if transcripts else None, translation_second_pass=whisper)


def heard(one, kind):
    return [event for event in one.listen(blocks(noise(), 1_600)) if isinstance(event, kind)]


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


def test_json_tells_whose_text_it_is_and_has_no_nan(capsys):
    one = translating(Whisper('', 'en'), {0: {2: (Emotion.NORMAL, 'hello'),
                                              6: (Emotion.NORMAL, '(noise)')}}, transcripts=True)
    printer = JsonPrinter()
    for event in heard(one, FinalTranscript):
        printer.show(event)
    kept, none = map(json.loads, capsys.readouterr().out.splitlines())
    assert (kept['text'], kept['source']) == ('hello', 'streamed') and kept['confidence'] > 0.9
    assert (none['text'], none['source'], none['confidence']) == ('', 'second_pass', None)


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


def test_the_package_keeps_threads_of_libraries_from_spinning():
    """Importing any part sets what numpy and torch read when they load."""
    code = ('import os; import audio_interaction_ros; '
            'print(os.environ["OMP_WAIT_POLICY"], os.environ["OPENBLAS_NUM_THREADS"])')
    environment = {key: value for key, value in os.environ.items()
                   if not key.startswith(('OMP', 'KMP', 'GOMP', 'OPENBLAS'))}
    done = subprocess.run([sys.executable, '-c', code], env=environment, capture_output=True,
                          text=True, check=True)
    assert done.stdout.split() == ['PASSIVE', '1']


def test_words_that_are_read_are_final_before_any_lane_writes_and_one_lane_only_says_when():
    """The lane of transcripts ends the utterance; a text of its own costs nothing."""
    config = AssistantConfig(lanes=LANES, transcript=TranscriptConfig(second_pass='whisper'))
    one = Assistant(config=config, encoder=ScriptedEncoder(),
                    decoder=ScriptedDecoder(script={0: SCRIPT[0], 1: {4: SCRIPT[1][6]}}),
                    tokenizer=ScriptedTokenizer(),
                    second_pass=whisper_stand_in.Whisper('Go to the kitchen.'))
    events = list(one.listen(blocks(noise(2.0), 1_600)))
    finals = [event for event in events if isinstance(event, FinalTranscript)]
    assert [(final.text, final.ended_by) for final in finals] == [('Go to the kitchen.', 'model')]
    assert finals[0].utterance_id, 'it ends the words that were shown'
    written = [event for event in events if isinstance(event, ReplyText)]
    assert {event.lane for event in written} == {'assistant'}
    answer = next(event for event in events if isinstance(event, FinalReply))
    assert events.index(finals[0]) < events.index(answer) < events.index(written[0])
    assert answer.intent == 'go'


@pytest.mark.parametrize(('said', 'labels'), [
    ('Help! Somebody help me!', ['help_call']),
    ("I've fallen and I can't get up.", ['help_call']), ('救命啊！', ['help_call']),
    ('Can you help me with the dishes?', []), ('I could not help it.', []),
    ('He shouted for help.', []), ('Do not help me.', []), ('你能帮我洗碗吗？', [])])
def test_a_call_for_help_is_an_alert_before_its_answer_and_talk_of_help_is_none(said, labels):
    config = AssistantConfig(lanes=LANES, transcript=TranscriptConfig(second_pass='whisper'),
                             assistant=AddressConfig(address='name', names='Rosie'))
    one = Assistant(config=config, encoder=ScriptedEncoder(),
                    decoder=ScriptedDecoder(script={0: {4: SCRIPT[0][4]}}),
                    tokenizer=ScriptedTokenizer(), second_pass=whisper_stand_in.Whisper(said))
    events = list(one.listen(blocks(noise(2.0), 1_600)))
    alerts = [event.alert for event in events if hasattr(event, 'alert')]
    assert [alert.label for alert in alerts] == labels
    kinds = [type(event).__name__ for event in events
             if hasattr(event, 'alert') or isinstance(event, FinalReply)]
    assert kinds == ['AlertChange', 'FinalReply'] * len(labels)
    assert [(alert.evidence, alert.severity.name) for alert in alerts] == [
        ('words', 'CRITICAL')] * len(labels)


def spoken():
    """Return speech of 1.3 s, 0.9 s of silence and speech again, as the stand-in hears it."""
    samples = noise(6.0)
    samples[20_480:35_200] = 0.0
    samples[60_000:] = 0.0
    return samples


def hear_words(size, samples):
    """Return the words of samples that came in blocks of a size, and all events."""
    config = AssistantConfig(lanes=LANES, transcript=TranscriptConfig(
        second_pass='whisper', end_silence_ms=700.0, end_unfinished_ms=700.0))
    one = Assistant(config=config, encoder=ScriptedEncoder(), tokenizer=ScriptedTokenizer(),
                    decoder=ScriptedDecoder(script={0: {9: SCRIPT[0][4]}}),
                    second_pass=whisper_stand_in.ClosingWhisper())
    events = list(one.listen(blocks(samples, size)))
    return [event for event in events if isinstance(event, PartialTranscript | FinalTranscript)
            ], events


@pytest.mark.parametrize('size', [160, 333, 3_200, 6_400, 7_000])
def test_slicing_changes_no_word_while_it_is_spoken(size):
    """Neither what is read, nor up to where it was heard, nor what a lane makes of it."""
    samples = spoken()
    words, whole = hear_words(len(samples), samples)
    assert hear_words(size, samples)[1] == whole
    finals = [event for event in words if isinstance(event, FinalTranscript)]
    assert [final.ended_by for final in finals] == ['silence', 'model']
    assert finals[0].stamp_ns == 2_000_000_000, 'half a chunk before its chunk is over'
    assert {event.stamp_ns % 400_000_000 for event in words} == {0, 200_000_000}


def test_words_come_with_their_part_and_not_only_with_its_chunk():
    config = AssistantConfig(lanes=LANES, transcript=TranscriptConfig(second_pass='whisper'))
    one = Assistant(config=config, encoder=ScriptedEncoder(), tokenizer=ScriptedTokenizer(),
                    decoder=ScriptedDecoder(script={}), second_pass=whisper_stand_in.Whisper())
    samples, heard = noise(2.0), []
    samples[:3_200] = 0.0

    def listened():
        for block in blocks(samples, 3_200):
            heard.append(block)
            yield block
    first = next(event for event in one.listen(listened()) if isinstance(event, PartialTranscript))
    assert (first.stamp_ns, len(heard)) == (600_000_000, 3), 'its chunk is not whole yet'
