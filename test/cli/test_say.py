"""`audio-interaction say`: a text into a file; what is missing is named."""

import numpy as np
import pytest
import soundfile

from audio_interaction_ros.cli.main import main
from audio_interaction_ros.speech import loudspeaker
from audio_interaction_ros.speech.engines import play_tone

pytestmark = pytest.mark.unit


def test_a_text_is_written_as_it_would_be_played(tmp_path):
    out = tmp_path / 'speech.wav'
    assert main(['say', 'Hello. You there.', '--engine', 'tones', '--out', str(out)]) == 0
    samples, rate = soundfile.read(out, dtype='float32')
    first = play_tone('Hello.')
    assert rate == 24_000 and np.allclose(samples[:len(first)], first, atol=1e-4)
    second = samples[len(first) + 4800:]
    assert not samples[len(first):len(first) + 4800].any() and second[100:200].any()


@pytest.mark.parametrize(('words', 'expected'), [
    (['--engine', 'festival'], 'speech.engines'), (['--engine', 'piper'], 'speech.piper_en'),
    (['--engine', 'tones', '--language', 'fr'], "speaks 'fr'"),
    (['--engine', 'tones', '--out', 'no/such/folder/speech.wav'], '--out')])
def test_what_is_wrong_is_named(words, expected, capsys):
    words = words if '--out' in words else [*words, '--out', 'speech.wav']
    assert main(['say', 'Hello', *words]) == 2
    assert expected in capsys.readouterr().err


def test_a_text_is_played_by_a_device(monkeypatch):
    played = []

    class Speaker(loudspeaker.PacedLoudspeaker):
        def start(self, playback, on_block):
            def note(block, delay_s):
                played.append(block.samples)
                on_block(block, delay_s)
            super().start(playback, note)
    monkeypatch.setattr('audio_interaction_ros.cli.say.open_loudspeaker', lambda device: Speaker())
    assert main(['say', 'Hi', '--engine', 'tones']) == 0
    assert np.concatenate(played)[:2880].any()
