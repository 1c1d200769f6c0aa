"""What a node keeps of what it hears: nothing, unless a directory is named."""

import os

import pytest
from diagnostic_msgs.msg import DiagnosticArray

from audio_interaction_ros.nodes.lifecycle import qos

pytestmark = pytest.mark.ros


@pytest.mark.parametrize('folder', ['', 'kept'])
def test_nothing_is_written_unless_a_directory_is_named(robot, tmp_path, monkeypatch, folder):
    monkeypatch.chdir(tmp_path)
    robot.decoder()
    encoder = robot.encoder({'record.directory': folder and str(tmp_path / folder)})
    microphone = robot.microphone()
    robot.listen(encoder, microphone)
    robot.tell(microphone, encoder, 4)
    robot.wait(lambda: robot.books(encoder).offered >= 3, 'encoded')
    encoder.trigger_deactivate()
    encoder.trigger_cleanup()
    kept = [path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob('*')
            if path.is_file()]
    assert len(kept) == bool(folder)
    assert all(path.startswith('kept/audio-') and path.endswith('.wav') for path in kept)


def test_recordings_are_deleted_while_running_also_when_inactive(robot, tmp_path):
    encoder = robot.encoder({'record.directory': str(tmp_path), 'record.retention_s': 1.0})
    robot.decoder()
    for number, prepare in enumerate((lambda: None, encoder.trigger_deactivate)):
        prepare()
        old, foreign = tmp_path / f'audio-{number}.wav', tmp_path / 'notes.wav'
        for path in (old, foreign):
            path.write_bytes(b'x')
            os.utime(path, (1, 1))
        robot.wait(lambda old=old: not old.exists(), 'the recording is deleted')
        assert foreign.exists()


def test_a_recording_that_fails_shows_and_the_robot_hears_on(robot, tmp_path):
    diagnostics = robot.watch(DiagnosticArray, 'diagnostics', qos.DIAGNOSTICS)
    robot.decoder()
    stick = tmp_path / 'stick'
    stick.write_text('in the way')  # from the start
    encoder = robot.encoder({'record.directory': str(stick / 'kept')})
    microphone = robot.microphone()
    robot.listen(encoder, microphone)
    robot.tell(microphone, encoder, 4)
    robot.wait(lambda: robot.books(encoder).consumed >= 3, 'it hears')
    robot.wait(lambda: robot.says(diagnostics, 'encoder_node: audio input', 'nothing is recorded'),
               'it shows')
    assert encoder._ears.restarts == 0 and encoder._recorder.lost >= 3
