"""The comparison with programs that people know: with stand-ins, and where one is missing."""

import json
import math
import sys
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

from audio_interaction_ros.errors import MissingDependencyError
from bench import compare, programs

pytestmark = pytest.mark.unit

FOUND = {'load_s': 1.0, 'seconds': 4.0, 'cpu_s': 3.0, 'audio_s': 36.0, 'peak_mib': 200.0,
         'came': '3 words'}


def test_processor_seconds_are_of_an_hour_of_audio():
    processor, memory = compare.figures('YAMNet', FOUND)
    assert (processor.value, processor.unit, memory.value) == (300.0, 's/h', 200.0)
    assert processor.note.endswith('3 words, 4.0 s for 36 s')


def test_a_program_that_is_missing_is_left_out_and_the_others_are_measured(monkeypatch, tmp_path):
    monkeypatch.setattr(compare, '_hear', lambda name, *_: FOUND if name == 'YAMNet' else {
        'missing': 'this comparison needs faster-whisper'})
    found = compare.run(file=tmp_path, seconds=1.0, threads=1)
    assert len(found) == len(programs.PROGRAMS) + 1
    assert math.isnan(found[0].value) and found[0].note.startswith('left out: this comparison')
    assert found[-1].what == 'YAMNet: memory'


@pytest.fixture
def whisper(monkeypatch):
    """Put a stand-in where faster-whisper is imported; return what it was asked to read."""
    read = []

    class Model:
        def __init__(self, path, **options):
            assert options['compute_type'] == 'int8'

        def transcribe(self, samples, **options):
            read.append((len(samples), options['beam_size']))
            return [SimpleNamespace(text=' two words')], None

    package, activity = ModuleType('faster_whisper'), ModuleType('faster_whisper.vad')
    package.WhisperModel = Model
    activity.VadOptions = dict
    activity.get_speech_timestamps = lambda samples, options: [{'start': 0, 'end': 40_000}]
    monkeypatch.setitem(sys.modules, 'faster_whisper', package)
    monkeypatch.setitem(sys.modules, 'faster_whisper.vad', activity)
    monkeypatch.setattr('measure.whisper.ensure_converted', lambda: 'folder')
    return read


def test_an_utterance_is_read_at_its_end_or_every_second(whisper):
    samples = np.zeros(48_000, np.float32)
    made, _ = programs.PROGRAMS['faster-whisper base int8, beam 5']
    assert made(1)(samples) == '2 words in 1 passes' and whisper == [(40_000, 5)]
    whisper.clear()
    made, _ = programs.PROGRAMS['faster-whisper base int8, beam 1, every second']
    assert made(1)(samples) == '2 words in 3 passes'
    assert whisper == [(16_000, 1), (32_000, 1), (40_000, 1)]


def test_without_the_package_the_line_says_what_to_install(monkeypatch, tmp_path, capsys):
    monkeypatch.setitem(sys.modules, 'faster_whisper', None)
    made, _ = programs.PROGRAMS['faster-whisper base int8, beam 1']
    with pytest.raises(MissingDependencyError, match=r'requirements/compare\.txt'):
        made(1)
    assert programs.main(['faster-whisper base int8, beam 1', str(tmp_path / 'none.wav')]) == 0
    assert 'needs faster-whisper' in json.loads(capsys.readouterr().out)['missing']


def test_the_tagger_hears_a_patch_every_48_hundredths_of_a_second(monkeypatch):
    heard = []
    monkeypatch.setattr(programs, 'load_tagger', lambda threads: heard.append)
    made, _ = programs.PROGRAMS['YAMNet']
    assert made(1)(np.zeros(32_000, np.float32)) == '3 patches'
    assert [patch.shape for patch in heard] == [(64, 96)] * 3
