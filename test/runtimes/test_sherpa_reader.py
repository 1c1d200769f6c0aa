"""sherpa-onnx as a reader: words of a real recogniser of its, on a zipformer made small."""

import sys

import numpy as np
import pytest
import small_zipformer
from small_zipformer import make_folder, tones

from audio_interaction_ros.assembly import build_live_words
from audio_interaction_ros.audio.block import AudioChunk
from audio_interaction_ros.config import AssistantConfig, TranscriptConfig
from audio_interaction_ros.errors import (
    CheckpointError,
    ConfigurationError,
    MissingDependencyError,
)
from audio_interaction_ros.runtimes import registry, sherpa_model
from audio_interaction_ros.runtimes.sherpa_reader import SherpaReader, make_stream_words
from audio_interaction_ros.stream.final_words import finish_span
from audio_interaction_ros.stream.span_reader import SpanReader

pytestmark = pytest.mark.unit
needs_sherpa = pytest.mark.skipif(
    not sherpa_model.is_installed(), reason='needs sherpa-onnx (requirements/readers.txt)')


def texts(words):
    return [word.text.strip() for word in words]


@pytest.mark.parametrize(('tokens', 'expected'), [
    ([' go', ' sto', 'p'], [' go', ' stop']), (['▁go', '▁sto', 'p'], [' go', ' stop']),
    (['你', '好', ' go', '吗'], ['你', '好', ' go', '吗']),
    (['hel@@', 'lo', 'wor@@', 'ld'], ['hello', ' world']),
    (['<unk>', ' go', '<EOU>'], [' go']), ([], [])])
def test_tokens_become_words(tokens, expected):
    assert [word.text for word in make_stream_words(tokens, range(len(tokens)), [])] == expected


def test_a_word_is_where_its_tokens_are_and_as_sure():
    first, second = make_stream_words([' go', ' sto', 'p'], [0.4, 0.5, 0.9],
                                      [0.0, np.log(0.25), 0.0])
    assert (first.start_s, first.end_s, first.confidence) == (0.4, 0.5, 1.0)
    assert (second.start_s, round(second.end_s, 2), second.confidence) == (0.5, 1.14, 0.5)


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    return str(make_folder(tmp_path_factory.mktemp('sherpa') / 'zipformer'))


@pytest.fixture(scope='module')
def recogniser(folder):
    pytest.importorskip('sherpa_onnx', reason='needs requirements/readers.txt')
    return sherpa_model.open_recogniser(sherpa_model.read_folder(folder), threads=1)


def test_words_are_shown_as_they_are_heard(recogniser):
    stream, seen = SherpaReader(recogniser, language='en').open_stream(), []
    for place, samples in enumerate(np.array_split(tones(400, 0, 900, 1_700, 0), 5)):
        stream.push(samples)
        read = stream.read()
        assert read.language == 'en' and read.growing == 1, place
        seen.append(texts(read.words))
    assert seen[0] == [] or seen[0] == ['go']
    assert [*seen[-1]] == ['go', 'stop'] and ['go', 'sto'] in seen


def test_what_was_agreed_stays_whatever_is_read_later(recogniser):
    stream = SherpaReader(recogniser).open_stream()
    stream.push(tones(400, 0, 900, 0))
    first, *_ = stream.read().words
    other = sherpa_model_word('went')
    assert texts(stream.read([other]).words) == ['went', 'sto']
    assert stream.read([first]).words[0] is first


def sherpa_model_word(text):
    return make_stream_words([text], [0.0], [])[0]


def test_silence_as_the_recogniser_counts_it_is_an_end(recogniser):
    stream = SherpaReader(recogniser).open_stream()
    stream.push(tones(400))
    assert not stream.over
    stream.push(np.zeros(32_000, np.float32))
    assert stream.over and stream.read().growing == 0


def test_finished_speech_is_read_as_a_whole_with_places(recogniser):
    read = SherpaReader(recogniser, language='en').transcribe(tones(0, 400, 0, 3_000))
    assert (read.text, read.language, texts(read.words)) == ('go left', 'en', ['go', 'left'])
    go, left = read.words
    assert 0.3 < go.start_s < 0.9 and 1.3 < left.start_s < 1.9
    assert SherpaReader(recogniser).transcribe(np.zeros(1_600, np.float32)).no_speech == 1.0


@needs_sherpa
def test_the_registry_brings_it_up_with_hot_words(folder):
    reader = registry.load_transcriber(f'sherpa-onnx:{folder}', find_speech=False,
                                       hot_words=['stop'])
    assert reader.transcribe(tones(900, 1_700)).text == 'stop'


@needs_sherpa
def test_a_folder_that_would_end_the_process_is_refused(tmp_path):
    wrong = make_folder(tmp_path / 'wrong', facts={'model_type': 'zipformer2'})
    with pytest.raises(CheckpointError, match='encoder_dims'):
        registry.load_transcriber(f'sherpa-onnx:{wrong}')


def test_hot_words_need_a_vocabulary(tmp_path, folder):
    found = sherpa_model.read_folder(str(make_folder(tmp_path / 'bare', vocabulary=False)))
    pytest.importorskip('sherpa_onnx', reason='needs requirements/readers.txt')
    with pytest.raises(ConfigurationError, match=r'bpe\.vocab'):
        sherpa_model.open_recogniser(found, threads=1, hot_words=True)


def test_a_folder_says_what_it_lacks(tmp_path):
    with pytest.raises(CheckpointError, match='found none'):
        sherpa_model.read_folder(str(tmp_path / 'nowhere'))
    with pytest.raises(CheckpointError, match=r'tokens\.txt'):
        sherpa_model.read_folder(str(tmp_path))
    made = make_folder(tmp_path / 'made')
    next(made.glob('joiner*')).unlink()
    assert sherpa_model.read_folder(str(made)).kind == 'paraformer'
    next(made.glob('decoder*')).unlink()
    with pytest.raises(CheckpointError, match='joiner'):
        sherpa_model.read_folder(str(made))


def test_one_graph_is_told_by_its_metadata(tmp_path):
    (tmp_path / 'tokens.txt').write_text('A 0\nB 1\n')
    small_zipformer.make_encoder(tmp_path / 'model.int8.onnx')
    found = sherpa_model.read_folder(str(tmp_path))
    assert (found.kind, found.capitals) == ('zipformer2_ctc', True)
    small_zipformer.make_encoder(tmp_path / 'model.int8.onnx', {'model_type': 'other'})
    with pytest.raises(CheckpointError, match="found 'other'"):
        sherpa_model.read_folder(str(tmp_path))


def test_without_the_package_it_is_said_how_to_get_it(monkeypatch, folder):
    monkeypatch.setitem(sys.modules, 'sherpa_onnx', None)
    with pytest.raises(MissingDependencyError, match=r'requirements/readers\.txt'):
        registry.load_transcriber(f'sherpa-onnx:{folder}')


class Loud:
    """Hears somebody speak wherever it is not silent; also in a stream."""

    step_s = 0.032

    def __call__(self, samples):
        pieces = np.pad(samples, (0, -len(samples) % 512)).reshape(-1, 512)
        return (np.abs(pieces).max(axis=1) > 0.01).astype(np.float32)

    def stream(self):
        return self

    def push(self, samples):
        return self(samples[:len(samples) // 512 * 512])

    def reset(self):
        pass


def test_words_are_shown_chunk_by_chunk_and_end_as_a_final(recogniser):
    config = AssistantConfig(transcript=TranscriptConfig(second_pass='whisper', language='en'))
    reader = SherpaReader(recogniser, voice=Loud(), language='en')
    live, history = build_live_words(config, reader), SpanReader(seconds=30.0)
    samples = np.concatenate([tones(400, 900, 1_700, 3_000, seconds=0.8),
                              np.zeros(64_000, np.float32)])
    shown, finals, stable = [], [], ''
    for place in range(len(samples) // 6_400):
        chunk = AudioChunk(samples=samples[place * 6_400:(place + 1) * 6_400],
                           stamp_ns=place * 400_000_000, lost_samples_before=0)
        history.remember(chunk)
        live.remember(chunk)
        over = live.hear()
        words = live.read() if live.due else None
        if words is not None:
            assert words.text.startswith(stable), 'what is stable is never taken back'
            stable = words.text[:words.stable_length]
            shown.append(words.text)
        finals += [finish_span(span, history, reader).text for span in [*over, *live.end()]]
    assert shown[0] == 'go' and shown[-1] == 'go stop left' and stable.startswith('go stop')
    assert finals == ['go stop left']
