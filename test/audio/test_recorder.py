"""Recordings: in the named place, no longer than the retention, never at the cost of hearing."""

import os
import threading
import time

import numpy as np
import pytest

from audio_interaction_ros.audio import recordings
from audio_interaction_ros.audio.block import AudioChunk
from audio_interaction_ros.audio.recorder import _QUEUE_CHUNKS, Recorder
from audio_interaction_ros.audio.recordings import Recordings
from audio_interaction_ros.config import RecordConfig

pytestmark = pytest.mark.unit
soundfile = pytest.importorskip('soundfile', reason='soundfile is not installed')


def chunk(number):
    samples = np.full(6400, number / 1000, np.float32)
    return AudioChunk(samples=samples, stamp_ns=number * 400_000_000, lost_samples_before=0)


def recorder(folder, retention_s=3600.0):
    return Recordings(settings=RecordConfig(directory=str(folder), retention_s=retention_s))


def age(path, seconds):
    then = time.time() - seconds
    os.utime(path, (then, then))


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_recording_holds_what_was_heard(tmp_path):
    one = recorder(tmp_path / 'deep' / 'kept')
    for number in range(1, 4):
        one.write(chunk(number))
    one.finish()
    one.finish()
    samples, rate = soundfile.read(tmp_path / 'deep' / 'kept' / 'audio-400000000.wav')
    assert rate == 16000 and len(samples) == 3 * 6400
    np.testing.assert_allclose(samples[[0, 6400, 12800]], [0.001, 0.002, 0.003], atol=1e-4)


@pytest.mark.parametrize(('retention_s', 'chunks'), [(3600.0, 150), (8.0, 5), (1.0, 1)])
def test_files_are_a_minute_long_or_a_quarter_of_the_retention(tmp_path, retention_s, chunks):
    one = recorder(tmp_path, retention_s)
    for number in range(chunks + 1):
        one.write(chunk(number))
    one.finish()
    assert names(tmp_path) == sorted(['audio-0.wav', f'audio-{chunks * 400_000_000}.wav'])


def test_what_is_too_old_goes_and_what_is_not_ours_stays(tmp_path):
    for name in ('audio-1.wav', 'audio-2.wav', 'audio-notes.wav', 'audio-3.wav.txt', 'b.wav'):
        (tmp_path / name).write_bytes(b'x')
        age(tmp_path / name, 100)
    age(tmp_path / 'audio-2.wav', 1)
    recorder(tmp_path, 60.0).delete_old()
    assert names(tmp_path) == ['audio-2.wav', 'audio-3.wav.txt', 'audio-notes.wav', 'b.wav']


def test_an_open_recording_that_grew_too_old_goes_and_a_new_one_begins(tmp_path):
    one = recorder(tmp_path, 60.0)
    one.write(chunk(1))
    age(tmp_path / 'audio-400000000.wav', 100)
    one.delete_old()
    assert names(tmp_path) == []
    one.write(chunk(2))
    one.finish()
    assert names(tmp_path) == ['audio-800000000.wav']


def test_a_folder_that_is_not_there_is_said_and_used_once_it_is(tmp_path, monkeypatch):
    monkeypatch.setattr(recordings, '_RETRY_S', 0.0)
    stick = tmp_path / 'stick'
    stick.write_text('in the way')
    one = recorder(stick / 'kept')
    one.delete_old()
    assert 'nothing is recorded' in one.failure and str(stick) in one.failure
    assert not one.write(chunk(1))
    assert 'nothing is recorded: cannot write' in one.failure
    stick.unlink()
    assert one.write(chunk(2))
    one.finish()
    one.delete_old()
    assert names(stick / 'kept') == ['audio-800000000.wav'] and one.failure == ''


def until(condition):
    limit = time.monotonic() + 30.0
    while not condition():
        assert time.monotonic() < limit
        time.sleep(0.01)


@pytest.fixture
def hung_disk(monkeypatch):
    """Return two events: a write has begun, and writes may end."""
    began, go_on = threading.Event(), threading.Event()
    write = soundfile.SoundFile.write

    def hangs(self, samples):
        began.set()
        assert go_on.wait(60.0)
        write(self, samples)
    monkeypatch.setattr(soundfile.SoundFile, 'write', hangs)
    yield began, go_on
    go_on.set()


def test_a_disk_that_hangs_holds_up_nobody_and_what_is_lost_is_counted(
        tmp_path, monkeypatch, hung_disk):
    began, go_on = hung_disk
    monkeypatch.setattr('audio_interaction_ros.audio.recorder._SLOW_S', 0.05)
    one = Recorder(settings=RecordConfig(directory=str(tmp_path)))
    one.write(chunk(0))
    assert began.wait(30.0)
    for number in range(1, _QUEUE_CHUNKS + 8):
        one.write(chunk(number))
    one.finish()
    assert one.lost == 7
    until(lambda: 'has not answered for' in one.failure)
    go_on.set()
    until(lambda: not one._queue)
    one.write(chunk(1000))
    one.close()
    one.close()
    assert one.lost == 7 and one.failure == ''
    assert sum(soundfile.info(path).frames for path in tmp_path.iterdir()) == 6400 * (
        _QUEUE_CHUNKS + 2)


def test_a_disk_that_hangs_does_not_hold_up_the_end(tmp_path, monkeypatch, hung_disk):
    monkeypatch.setattr('audio_interaction_ros.audio.recorder._PATIENCE_S', 0.05)
    one = Recorder(settings=RecordConfig(directory=str(tmp_path)))
    for number in range(5):
        one.write(chunk(number))
    assert hung_disk[0].wait(30.0)
    one.close()
    assert one.lost == 4 and one._thread.is_alive()


def test_a_recorder_deletes_by_itself(tmp_path):
    one = Recorder(settings=RecordConfig(directory=str(tmp_path), retention_s=1.0))
    old = tmp_path / 'audio-1.wav'
    old.write_bytes(b'x')
    age(old, 100)
    until(lambda: not old.exists())
    one.close()
