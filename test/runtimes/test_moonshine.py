"""Moonshine as a reader: its cache, its tokens, what was agreed on; a folder made small."""

import numpy as np
import pytest
from small_moonshine import make_folder

from audio_interaction_ros.errors import CheckpointError, ConfigurationError
from audio_interaction_ros.runtimes import registry
from audio_interaction_ros.runtimes.base import ClosingReader, StreamReader
from audio_interaction_ros.runtimes.reader_pair import pair_readers

pytestmark = pytest.mark.unit


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    return make_folder(tmp_path_factory.mktemp('moonshine'))


@pytest.fixture(scope='module')
def reader(folder):
    return registry.load_transcriber(f'moonshine:{folder}', find_speech=False, threads=1)


def sound(level=0.1, seconds=2.0):
    return np.full(round(seconds * 16_000), level, np.float32)


def written(read):
    return [word.written for word in read.words]


def test_a_window_is_read_word_by_word(reader):
    read = reader.read_window(sound())
    assert (written(read), read.language, read.doubt) == (
        [' turn', ' on', ' the', ' lamp.'], 'en', '')
    starts = [word.start_s for word in read.words]
    assert starts == sorted(starts) and read.words[-1].end_s <= 2.0
    assert written(reader.read_window(sound(0.9))) == [' turn', ' off', ' the', ' lamp.']


def test_what_was_agreed_is_fed_and_comes_back(reader):
    agreed = reader.read_window(sound()).words[:2]
    read = reader.read_window(sound(0.9), agreed=agreed)
    assert read.words[:2] == agreed and written(read) == [' turn', ' on', ' the', ' lamp.']


def test_finished_speech_has_a_text_and_is_english(reader):
    read = reader.transcribe(sound())
    assert (read.text, read.language, read.write_english()) == (
        'turn on the lamp.', 'en', 'turn on the lamp.')
    assert read.mean_log_prob < 0 and reader.transcribe(sound(0.0)).no_speech == 1.0


def test_letters_of_several_bytes_are_put_together(reader):
    assert reader._decode([3, 10, 11, 12]) == ' turn€'


def test_a_pair_shows_with_one_and_ends_with_the_other(reader):
    class Finals:
        def transcribe(self, samples, languages=()):
            return 'final'

    pair = pair_readers(Finals(), reader)
    assert pair.transcribe(sound()) == 'final' and written(pair.read_window(sound()))
    assert pair.open_voice() is None and not isinstance(pair, (StreamReader, ClosingReader))


def test_a_pair_mixes_no_tokens_of_two_readers(reader):
    class Careful:
        def transcribe(self, samples, languages=()):
            return 'final'

        def read_closed(self, samples, *, before=(), language=''):
            return 'words in tokens that the other does not know'

    assert not isinstance(pair_readers(Careful(), reader), ClosingReader)


@pytest.mark.parametrize(('options', 'said'), [
    ({'language': 'zh'}, 'English only'), ({'hot_words': ['Rosie']}, 'cannot be told names')])
def test_what_it_cannot_do_is_refused(folder, options, said):
    with pytest.raises(ConfigurationError, match=said):
        registry.load_transcriber(f'moonshine:{folder}', find_speech=False, **options)


def test_a_wrong_folder_says_where_the_files_come_from(tmp_path, folder):
    with pytest.raises(CheckpointError, match='moonshine-js'):
        registry.load_transcriber(f'moonshine:{tmp_path}')
    for name in ('encoder_model.onnx', 'tokenizer.json'):
        (tmp_path / name).write_bytes((folder / name).read_bytes())
    (tmp_path / 'decoder_model_merged.onnx').write_bytes(
        (folder / 'encoder_model.onnx').read_bytes())
    with pytest.raises(CheckpointError, match='merged decoder'):
        registry.load_transcriber(f'moonshine:{tmp_path}')
