"""What a configuration may say of readers and languages."""

from pathlib import Path

import pytest

from audio_interaction_ros.config import AssistantConfig, TranscriptConfig
from audio_interaction_ros.errors import ConfigurationError
from audio_interaction_ros.reading import READERS, SPOKEN_LANGUAGES, ReaderChoice, has_no_spaces
from audio_interaction_ros.runtimes import registry

pytestmark = pytest.mark.unit


def test_a_reader_is_written_with_its_folder():
    assert ReaderChoice.parse('whisper', 'k') == ReaderChoice('whisper')
    assert ReaderChoice.parse('sherpa-onnx: /a/b c', 'k') == ReaderChoice('sherpa-onnx', '/a/b c')
    assert ReaderChoice.parse('whisper:~/small', 'k').folder == str(Path.home() / 'small')


@pytest.mark.parametrize(('wrong', 'found'), [
    ('vosk', "'vosk'"), ('', "''"), ('faster-whisper', 'FOLDER'), ('sherpa-onnx:', 'FOLDER')])
@pytest.mark.parametrize('key', ['reader', 'partials_reader'])
def test_a_wrong_reader_is_refused_by_name(wrong, found, key):
    if key == 'partials_reader' and not wrong:
        return
    with pytest.raises(ConfigurationError, match=f'transcript.{key}: expected .*{found}'):
        TranscriptConfig(**{key: wrong})


def test_every_reader_has_a_module():
    assert set(registry.SECOND_PASSES) == set(READERS)


@pytest.mark.parametrize('code', ['auto', *SPOKEN_LANGUAGES])
def test_every_language_of_whisper_is_accepted(code):
    assert TranscriptConfig(language=code).language == code


@pytest.mark.parametrize('code', ['', 'EN', 'xx', 'english', 'en-US', 'cmn'])
def test_another_language_is_refused_with_the_list(code):
    with pytest.raises(ConfigurationError, match=r'auto or one of af, .*, zh, found'):
        TranscriptConfig(language=code)


def test_which_scripts_have_no_spaces():
    assert has_no_spaces('今') and has_no_spaces('かな')
    assert not has_no_spaces('a') and not has_no_spaces('') and not has_no_spaces('今a')


def test_the_default_reads_with_whisper_and_knows_no_names():
    said = AssistantConfig().transcript
    assert (said.reader, said.partials_reader, said.hot_words, said.language) == (
        'whisper', '', '', 'auto')
