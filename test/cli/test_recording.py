"""What commands read and write is looked at before a model is loaded; a folder may hold more."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from audio_interaction_ros.cli.main import main
from audio_interaction_ros.cli.recording import (
    expect_writable,
    list_recordings,
    open_recording,
    open_recordings,
)
from audio_interaction_ros.errors import AudioFormatError, ConfigurationError

pytestmark = pytest.mark.unit


@pytest.fixture
def folder(tmp_path):
    """Return a folder as people have them: two recordings, a text, a hidden file, a folder."""
    for name in ('a.wav', 'c.wav'):
        soundfile.write(tmp_path / name, np.zeros(1600), 16_000)
    (tmp_path / 'a.expect.yaml').write_text('format: x\n')
    (tmp_path / '.DS_Store').write_bytes(b'')
    (tmp_path / 'rest').mkdir()
    return tmp_path


def test_what_lies_beside_recordings_is_none(folder):
    assert [path.name for path in list_recordings(folder)] == ['a.wav', 'c.wav']


def test_a_recording_that_cannot_be_read_is_told_and_the_others_are_read(folder, capsys):
    (folder / 'b.wav').write_bytes(b'no sound at all')
    opened = [(path.name, sum(len(block.samples) for block in blocks))
              for path, blocks in open_recordings(folder)]
    assert opened == [('a.wav', 1600), ('c.wav', 1600)]
    said = capsys.readouterr().err
    assert 'left out: ' in said and 'b.wav' in said and said.count('\n') == 1


def test_a_folder_of_which_nothing_can_be_read_is_refused(folder):
    for name in ('a.wav', 'c.wav'):
        (folder / name).write_bytes(b'')
    with pytest.raises(ConfigurationError, match='none of 2 files can be read'):
        list(open_recordings(folder))


def test_a_single_recording_that_cannot_be_read_is_refused_at_once(tmp_path):
    with pytest.raises(AudioFormatError, match='found none'):
        open_recordings(tmp_path / 'nothere.wav')


def test_a_folder_of_recordings_is_no_recording(folder):
    with pytest.raises(AudioFormatError, match='found a folder .*; name one of those in it'):
        open_recording(folder)


def test_a_home_that_nobody_has_is_a_file_that_is_not_there():
    with pytest.raises(AudioFormatError, match='~nobody_here/x.wav, found none'):
        open_recording('~nobody_here/x.wav')


@pytest.mark.parametrize(('words', 'said'), [
    (['sounds', 'REC', '--png', 'nowhere/x.png'], '--png'),
    (['calibrate', '--from', 'REC', '--out', 'nowhere/x.yaml'], '--out'),
    (['calibrate', '--from', 'REC', '--out', '.'], 'it is a folder'),
    (['report', 'REC', '--no-picture', '--out', 'REC/x'], '--out'),
    (['replay', 'REC', '--record', 'nowhere/x.yaml'], '--record'),
    (['replay', '.', '--record', 'x.yaml'], 'found a folder'),
    (['calibrate', '--from', 'nothere.wav'], 'nothere.wav'),
    (['sounds', '.'], 'found a folder')])
def test_a_wrong_path_is_named_before_a_model_is_loaded(words, said, folder, monkeypatch, capsys):
    monkeypatch.chdir(folder)
    if '--png' in words:
        pytest.importorskip('matplotlib')
    assert main([word.replace('REC', 'a.wav') for word in words]) == 2
    found = capsys.readouterr().err
    assert said in found and 'loading the model' not in found


@pytest.mark.parametrize('words', [
    ['calibrate', '--rate', 'inf'], ['calibrate', '--minutes', 'inf'],
    ['calibrate', '--keep-recall', 'nan'], ['sounds', 'a.wav', '--top', '-1'],
    ['teach', 'x', '--rate', '0'], ['replay', 'a.wav', '--speed', 'fast']])
def test_a_number_that_makes_no_sense_is_named_with_its_option(words, capsys):
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert ended.value.code == 2
    assert f'argument {words[-2]}: expected a' in capsys.readouterr().err


def test_what_can_be_written_is_not_refused(folder):
    expect_writable(folder / 'new.yaml', '--out')
    expect_writable(Path('new.yaml'), '--out')
