"""Held-out clips in the form of a benchmark are read by the command of the benchmark."""

import argparse
from types import SimpleNamespace

import pytest

from eval import stand_in
from eval.psb_rows import read_benchmark
from eval.suites.forms import read_librispeech
from eval.suites.sample import NOTE
from held_out.clips import MaterialError

pytestmark = pytest.mark.unit


def make(name, data, out, *words):
    parser = argparse.ArgumentParser()
    stand_in.add_arguments(parser)
    return stand_in.run(parser.parse_args(
        [name, '--data', str(data), '--out', str(out), *words]))


@pytest.fixture
def data(tmp_path, parts):
    said = {'label': 'speech_names', 'text': 'Ada', 'lang': 'en'}
    return parts.write_folder(tmp_path / 'data', [
        ('a.wav', parts.tone(1.0), {'label': 'smoke_alarm'}),
        ('b.wav', parts.hiss(1.0), {'label': 'rain'}),
        ('c.wav', parts.hiss(1.0), {'label': 'background_room'}),
        ('d.wav', parts.tone(1.0, 300), {**said, 'speaker': 'one'}),
        ('e.wav', parts.tone(1.1, 200), {**said, 'speaker': 'two', 'text': 'Grace'}),
        ('f.wav', parts.tone(1.0, 250), {**said, 'speaker': 'two', 'lang': 'zh'})])


def test_events_are_due_an_answer_and_harmless_sounds_are_not(data, tmp_path, capsys):
    assert make('psb', data, tmp_path / 'out') == 0
    rows = {row.description: row for row in read_benchmark(tmp_path / 'out')}
    assert {name: row.respond for name, row in rows.items()} == {'smoke_alarm': True,
                                                                'rain': False}
    assert (rows['rain'].domain, rows['rain'].category) == ('Nature & Environment',
                                                            'Meteorological Dynamics')
    assert all((tmp_path / 'out' / row.path).is_file() for row in rows.values())
    assert 'no figures of the benchmark' in capsys.readouterr().out


def test_clips_with_english_words_are_speakers_of_librispeech(data, tmp_path):
    pytest.importorskip('lhotse', reason='comes with requirements/train.txt')
    assert make('librispeech', data, tmp_path / 'out') == 0
    items = read_librispeech(tmp_path / 'out')
    assert sorted(item.references[0] for item in items) == ['ADA', 'GRACE']
    assert (tmp_path / 'out' / NOTE).is_file()  # no published figure stands beside it
    assert len({item.groups['speaker'] for item in items}) == 2


def test_words_that_nobody_wrote_down_are_read_and_that_is_said(data, tmp_path, parts,
                                                               monkeypatch):
    pytest.importorskip('lhotse', reason='comes with requirements/train.txt')
    monkeypatch.setattr(stand_in.registry, 'load_transcriber', lambda **_: SimpleNamespace(
        transcribe=lambda samples: SimpleNamespace(text='It was late.')))
    data = parts.write_folder(tmp_path / 'books', [
        ('a.wav', parts.tone(1.0), {'label': 'speech_read', 'speaker': 'one'}),
        ('b.wav', parts.tone(1.0, 300), {'label': 'speech_names', 'text': 'Ada', 'lang': 'en'})])
    read = ('--read-by', 'whisper', '--label', 'speech_read')
    assert make('librispeech', data, tmp_path / 'out', *read) == 0
    assert [item.references for item in read_librispeech(tmp_path / 'out')] == [('IT WAS LATE.',)]
    assert 'Whisper base reads' in (tmp_path / 'out' / NOTE).read_text()


def test_a_folder_without_such_clips_is_refused(tmp_path, parts):
    data = parts.write_folder(tmp_path / 'data', [
        ('a.wav', parts.hiss(1.0), {'label': 'background_room'})])
    with pytest.raises(MaterialError, match='held-out clips for psb'):
        make('psb', data, tmp_path / 'out')
