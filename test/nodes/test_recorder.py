"""Recordings: in the named place, no longer than the retention, never at the cost of hearing."""

import os
import time

import numpy as np
import pytest

from audio_interaction_ros.audio.block import AudioChunk
from audio_interaction_ros.config import RecordConfig
from audio_interaction_ros.errors import ConfigurationError
from audio_interaction_ros.nodes.recorder import Recorder

pytestmark = pytest.mark.unit
soundfile = pytest.importorskip('soundfile', reason='soundfile is not installed')


def chunk(number):
    samples = np.full(6400, number / 1000, np.float32)
    return AudioChunk(samples=samples, stamp_ns=number * 400_000_000, lost_samples_before=0)


def recorder(folder, retention_s=3600.0):
    return Recorder(settings=RecordConfig(directory=str(folder), retention_s=retention_s))


def age(path, seconds):
    then = time.time() - seconds
    os.utime(path, (then, then))


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_recording_holds_what_was_heard(tmp_path):
    one = recorder(tmp_path / 'deep' / 'kept')
    for number in range(1, 4):
        one.write(chunk(number))
    one.close()
    one.close()
    samples, rate = soundfile.read(tmp_path / 'deep' / 'kept' / 'audio-400000000.wav')
    assert rate == 16000 and len(samples) == 3 * 6400
    np.testing.assert_allclose(samples[[0, 6400, 12800]], [0.001, 0.002, 0.003], atol=1e-4)


@pytest.mark.parametrize(('retention_s', 'chunks'), [(3600.0, 150), (8.0, 5), (1.0, 1)])
def test_files_are_a_minute_long_or_a_quarter_of_the_retention(tmp_path, retention_s, chunks):
    one = recorder(tmp_path, retention_s)
    for number in range(chunks + 1):
        one.write(chunk(number))
    one.close()
    assert names(tmp_path) == sorted(['audio-0.wav', f'audio-{chunks * 400_000_000}.wav'])


def test_what_is_too_old_goes_and_what_is_not_ours_stays(tmp_path):
    for name in ('audio-1.wav', 'audio-2.wav', 'audio-notes.wav', 'audio-3.wav.txt', 'b.wav'):
        (tmp_path / name).write_bytes(b'x')
        age(tmp_path / name, 100)
    age(tmp_path / 'audio-2.wav', 1)
    recorder(tmp_path, 60.0)
    assert names(tmp_path) == ['audio-2.wav', 'audio-3.wav.txt', 'audio-notes.wav', 'b.wav']


def test_an_open_recording_that_grew_too_old_goes_and_a_new_one_begins(tmp_path):
    one = recorder(tmp_path, 60.0)
    one.write(chunk(1))
    age(tmp_path / 'audio-400000000.wav', 100)
    one.delete_old()
    assert names(tmp_path) == []
    one.write(chunk(2))
    one.close()
    assert names(tmp_path) == ['audio-800000000.wav']


def test_a_folder_that_goes_away_ends_the_recording_with_words(tmp_path):
    folder = tmp_path / 'stick'
    one = recorder(folder)
    folder.rmdir()
    one.write(chunk(1))
    assert 'nothing is recorded' in one.failure and str(folder) in one.failure
    one.delete_old()
    assert 'cannot be deleted' in one.failure


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / 'file').write_text('in the way')
    with pytest.raises(ConfigurationError, match='record.directory'):
        recorder(tmp_path / 'file')
