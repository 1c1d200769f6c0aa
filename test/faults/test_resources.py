"""No memory, no room on the disk."""

import errno
import threading

import pytest

from audio_interaction_ros.errors import ResourceError

pytestmark = pytest.mark.ros


@pytest.mark.parametrize('error', [
    MemoryError('a cache of 3 GB'), RuntimeError('CUDA out of memory: a cache of 3 GB'),
    ResourceError('model.slots: no memory for a cache of 3 GB')])
def test_no_memory_for_a_cache_is_named_and_tried_again(witness, error):
    made = witness.robot.scripted(script={})()
    really, tries = made.decoder.open, []

    def open_later(**sizes):
        tries.append(sizes)
        if len(tries) == 1:
            raise error
        really(**sizes)
    made.decoder.open = open_later
    decoder = witness.robot.decoder(runtime=lambda _model: made)
    witness.robot.wait(lambda: witness.says('decoder_node: model', 'a cache of 3 GB'), 'named')
    witness.robot.wait(lambda: decoder.ready, 'it tried again by itself')
    assert len(tries) == 2


def test_a_full_disk_ends_the_recording_only(witness, tmp_path, monkeypatch):
    import soundfile

    def full(*_arguments):
        raise OSError(errno.ENOSPC, 'No space left on device')
    monkeypatch.setattr(soundfile.SoundFile, 'write', full)
    witness.start({'record.directory': str(tmp_path)})
    witness.speak(5)
    witness.robot.wait(lambda: witness.says('encoder_node: audio input', 'No space left'), 'named')
    assert witness.everything_accounted().dropped == 0


def test_a_disk_that_hangs_holds_up_no_hearing(witness, tmp_path, monkeypatch):
    import soundfile
    go_on = threading.Event()
    monkeypatch.setattr('audio_interaction_ros.audio.recorder._SLOW_S', 0.2)
    monkeypatch.setattr(soundfile.SoundFile, 'write', lambda *_arguments: go_on.wait(120))
    try:
        witness.start({'record.directory': str(tmp_path), 'record.retention_s': 2.0})
        witness.speak(8)  # longer than it takes until old recordings are looked for
        witness.robot.wait(lambda: witness.says(
            'encoder_node: audio input', 'has not answered for'), 'named')
        witness.speak(3)
        assert witness.everything_accounted().dropped == 0
    finally:
        go_on.set()
