"""Whisper of any size from a user's folder: in ONNX and by CTranslate2, both read the same."""

import json
import shutil
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from audio_interaction_ros.errors import (
    CheckpointError,
    ConfigurationError,
    MissingDependencyError,
)
from audio_interaction_ros.runtimes import registry
from audio_interaction_ros.runtimes.word_making import ids_of

pytestmark = pytest.mark.torch


@pytest.fixture(scope='module')
def folders(tmp_path_factory):
    """Return the folder of a small Whisper, and the same converted; graphs in a cache beside."""
    pytest.importorskip('torch')
    pytest.importorskip('transformers')
    import small_whisper
    brought = tmp_path_factory.mktemp('whisper')
    small_whisper.make_whisper(brought)
    return SimpleNamespace(hub=brought, cache=tmp_path_factory.mktemp('cache'),
                           noise=small_whisper.noise)


@pytest.fixture
def cache(folders, monkeypatch):
    monkeypatch.setenv('AUDIO_INTERACTION_CACHE', str(folders.cache))


@pytest.fixture(scope='module')
def converted(folders, tmp_path_factory):
    """Return the folder of the same model as faster-whisper has it."""
    pytest.importorskip('ctranslate2', reason='needs requirements/readers.txt')
    from ctranslate2.converters import TransformersConverter
    target = tmp_path_factory.mktemp('converted')
    TransformersConverter(str(folders.hub)).convert(str(target), force=True)
    shutil.copy(folders.hub / 'tokenizer.json', target)
    settings = json.loads((target / 'config.json').read_text())
    settings['lang_ids'] = [*range(50_259, 50_358)]  # as of the converted models of the hub
    (target / 'config.json').write_text(json.dumps(settings))
    return target


def load_onnx(folder, **options):
    return registry.load_transcriber(f'whisper:{folder}', find_speech=False, precision='fp32',
                                     threads=1, **{'language': 'en'} | options)


def load_other(folder, **options):
    """Return the reader by CTranslate2 without the rounding of its eight bits."""
    import ctranslate2
    from tokenizers import Tokenizer

    from audio_interaction_ros.runtimes.faster_whisper_reader import FasterWhisperReader
    return FasterWhisperReader(
        ctranslate2.models.Whisper(str(folder), compute_type='float32', intra_threads=1),
        Tokenizer.from_file(str(folder / 'tokenizer.json')), **{'language': 'en'} | options)


def begin_alike(one, other):
    """Compare the first ids: in a net by chance small differences of rounding grow."""
    return len(one) > 3 and ids_of(one)[:8] == ids_of(other)[:8]


def read_all(reader, samples, agreed=()):
    """Return a reading with what is only said again: a net by chance runs in circles."""
    return reader._read_padded(samples, agreed, (), '', 4.0)


def test_a_user_s_size_reads_the_same_in_both(folders, converted, cache):
    ours, other = load_onnx(folders.hub), load_other(converted)
    for seed in (1, 2):
        samples = folders.noise(seed=seed)
        one, two = read_all(ours, samples), read_all(other, samples)
        assert begin_alike(one.words, two.words)
        fed = read_all(ours, samples, one.words[:2])
        assert fed.words[:2] == (*one.words[:1], fed.words[1])
        again = read_all(other, samples, two.words[:2])
        assert begin_alike(again.words, fed.words)


def test_finished_speech_too_with_words_in_their_order(folders, converted, cache):
    samples = folders.noise(seed=4)
    one = load_onnx(folders.hub).transcribe(samples)
    two = load_other(converted).transcribe(samples)
    assert one.text[:60] == two.text[:60] != '' and one.language == two.language == 'en'
    starts = [word.start_s for word in two.words]
    assert starts == sorted(starts) and all(0 <= start <= 1.52 for start in starts)
    assert one.no_speech == pytest.approx(two.no_speech, abs=1e-3)
    assert one.write_english() == one.text and two.write_english() == two.text


def test_the_language_is_heard_anew_for_each_utterance(folders, converted, cache):
    ours = load_onnx(folders.hub, language='')
    assert ours.transcribe(folders.noise(), ('zh', 'de')).language in ('zh', 'de')
    # CTranslate2 takes so small a model for one of English, so here its answer is made up.
    other = load_other(converted, language='')
    other._model = SimpleNamespace(is_multilingual=True, detect_language=lambda heard: [
        [('<|fr|>', 0.7), ('<|zh|>', 0.2), ('<|de|>', 0.1)]])
    names = {name: code for code, name in other._languages.items()}
    assert other._language_id(None, ()) == names['fr']
    assert other._language_id(None, ('de', 'zh')) == names['zh']
    assert other._language_id(None, ('de',)) == names['de']


def test_a_converted_folder_serves_ours_as_well(folders, converted, cache):
    samples = folders.noise(seed=5)
    assert ids_of(load_onnx(converted).read_window(samples).words) == ids_of(
        load_onnx(folders.hub).read_window(samples).words)


def test_the_registry_brings_up_eight_bits(folders, converted, cache):
    reader = registry.load_transcriber(f'faster-whisper:{converted}', find_speech=False,
                                       threads=1, language='zh', hot_words=['Rosie'])
    assert reader.transcribe(folders.noise()).language == 'zh'
    assert reader.open_voice() is None
    assert reader.transcribe(np.zeros(1_600, np.float32)).no_speech == 1.0


def test_wrong_folders_say_what_is_missing(folders, converted, tmp_path, cache):
    for kind in ('whisper', 'faster-whisper'):
        with pytest.raises(CheckpointError, match=r'tokenizer\.json'):
            registry.load_transcriber(f'{kind}:{tmp_path}')
    shutil.copytree(converted, tmp_path / 'damaged')
    (tmp_path / 'damaged' / 'model.bin').write_bytes(b'no model')
    with pytest.raises(CheckpointError, match='CTranslate2 cannot read it'):
        registry.load_transcriber(f'faster-whisper:{tmp_path / "damaged"}')
    with pytest.raises(CheckpointError, match=r'model\.bin'):
        registry.load_transcriber(f'whisper:{tmp_path / "damaged"}')


def test_other_tokens_are_refused_with_who_can_read_them(folders, tmp_path, cache):
    import small_whisper
    shutil.copy(folders.hub / 'model.safetensors', tmp_path)
    small_whisper.make_tokenizer(tmp_path, [*small_whisper.LANGUAGES, 'yue'])
    with pytest.raises(CheckpointError, match='faster-whisper:FOLDER'):
        registry.load_transcriber(f'whisper:{tmp_path}')


def test_a_language_that_this_model_lacks_is_refused_with_its_list(converted):
    with pytest.raises(ConfigurationError, match=r'en.*zh.*found .yue.'):
        load_other(converted, language='yue')


def test_without_ctranslate2_it_is_said_how_to_get_it(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, 'ctranslate2', None)
    monkeypatch.delitem(sys.modules, 'audio_interaction_ros.runtimes.faster_whisper_reader',
                        raising=False)
    with pytest.raises(MissingDependencyError, match=r'requirements/readers\.txt'):
        registry.load_transcriber(f'faster-whisper:{tmp_path}')
