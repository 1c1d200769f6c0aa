"""Files and standard input as blocks."""

import io
import os
import struct
import sys
import types

import numpy as np
import pytest

from audio_interaction_ros.audio.pcm import PcmFormat
from audio_interaction_ros.audio.read_blocks import read_blocks
from audio_interaction_ros.errors import AudioFormatError, MissingDependencyError

pytestmark = pytest.mark.unit

RATE = 16000
SAMPLES = (np.sin(np.arange(5000) / 10) * 12_000).astype(np.int16)


RAW = PcmFormat.parse('s16le')


class Pipe(io.BytesIO):
    """Bytes that cannot be read twice, as from another program."""

    def seekable(self):
        return False

    def seek(self, *_):
        raise AssertionError('nobody may seek in a pipe')


def from_stdin(monkeypatch, data: bytes, block_ms: float = 100, **options) -> list:
    """Return the blocks of bytes on standard input."""
    monkeypatch.setattr(sys, 'stdin', types.SimpleNamespace(buffer=Pipe(data)))
    return list(read_blocks('-', block_ms, **options))


def joined(blocks: list) -> np.ndarray:
    """Return the samples of blocks one after another [frames, channels]."""
    return np.concatenate([block.samples for block in blocks])


def wave(samples: np.ndarray, *, tag: int = 1, size: int | None = None, rate: int = RATE,
         tail: bytes = b'') -> bytes:
    """Return a WAV with an unknown chunk of odd length before the format."""
    channels = 1 if samples.ndim == 1 else samples.shape[1]
    width = samples.dtype.itemsize
    data = samples.tobytes()
    form = struct.pack(
        '<HHIIHH', tag, channels, rate, rate * channels * width, channels * width, width * 8)
    return (b'RIFF\xff\xff\xff\xffWAVE' + b'LIST\x03\x00\x00\x00abc\x00'
            + b'fmt ' + struct.pack('<I', len(form)) + form
            + b'data' + struct.pack('<I', len(data) if size is None else size) + data + tail)


@pytest.mark.parametrize('kind', ['wav', 'flac'])
def test_a_lossless_file_comes_back_exactly(tmp_path, kind):
    soundfile = pytest.importorskip('soundfile')
    path = tmp_path / f'sound.{kind}'
    stereo = np.stack([SAMPLES, SAMPLES[::-1]], axis=1)
    soundfile.write(path, stereo, 48_000, subtype='PCM_16')
    blocks = list(read_blocks(path, block_ms=20))
    np.testing.assert_array_equal(joined(blocks), stereo)
    assert blocks[0].samples.dtype == np.int16
    assert {block.sample_rate_hz for block in blocks} == {48_000}
    assert [block.stamp_ns for block in blocks[:3]] == [0, 20_000_000, 40_000_000]
    assert [len(block.samples) for block in blocks] == [960] * 5 + [200]


@pytest.mark.parametrize(('kind', 'subtype'), [('ogg', 'VORBIS'), ('opus', 'OPUS')])
def test_a_lossy_file_comes_back_nearly(tmp_path, kind, subtype):
    soundfile = pytest.importorskip('soundfile')
    path = tmp_path / f'sound.{kind}'
    soundfile.write(path, SAMPLES, RATE, format='OGG', subtype=subtype)
    samples = joined(list(read_blocks(str(path))))[:5000, 0]
    assert samples.dtype == np.float32
    expected = SAMPLES[:len(samples)] / 32768
    assert np.corrcoef(samples[500:4500], expected[500:4500])[0, 1] > 0.9


def test_raw_input_is_read_when_asked_for_and_half_a_sample_is_left_out(monkeypatch):
    blocks = from_stdin(monkeypatch, SAMPLES.tobytes() + b'\x01', raw=RAW)
    np.testing.assert_array_equal(joined(blocks)[:, 0], SAMPLES)
    assert [len(block.samples) for block in blocks] == [1600, 1600, 1600, 200]
    assert blocks[1].stamp_ns == 100_000_000
    assert blocks[0].sample_rate_hz == RATE


@pytest.mark.parametrize(('dtype', 'tag'), [
    ('u1', 1), ('<i2', 1), ('<i4', 1), ('<f4', 3), ('<f8', 3)])
def test_wave_input_of_each_type(monkeypatch, dtype, tag):
    samples = np.arange(200).astype(dtype).reshape(100, 2)
    blocks = from_stdin(monkeypatch, wave(samples, tag=tag, rate=44_100))
    expected = (samples.astype(np.int16) - 128) * 256 if dtype == 'u1' else samples
    np.testing.assert_array_equal(joined(blocks), expected)
    assert blocks[0].sample_rate_hz == 44_100


@pytest.mark.parametrize('size', [0, 0xFFFF_FFFF, 0x7FFF_F000])
def test_wave_input_of_unknown_length_is_read_to_its_end(monkeypatch, size):
    blocks = from_stdin(monkeypatch, wave(SAMPLES, size=size))
    np.testing.assert_array_equal(joined(blocks)[:, 0], SAMPLES)


def test_what_follows_the_samples_of_a_wave_is_not_audio(monkeypatch):
    blocks = from_stdin(monkeypatch, wave(SAMPLES, tail=b'LIST' + bytes(50)))
    np.testing.assert_array_equal(joined(blocks)[:, 0], SAMPLES)


@pytest.mark.parametrize('block_ms', [0.01, 1, 1000])
def test_blocks_of_any_length(monkeypatch, block_ms):
    blocks = from_stdin(monkeypatch, SAMPLES[:100].tobytes(), block_ms, raw=RAW)
    np.testing.assert_array_equal(joined(blocks)[:, 0], SAMPLES[:100])


def test_a_live_pipe_is_heard_before_it_ends(monkeypatch):
    reading, writing = os.pipe()
    with os.fdopen(reading, 'rb') as pipe, os.fdopen(writing, 'wb', buffering=0) as recorder:
        monkeypatch.setattr(sys, 'stdin', types.SimpleNamespace(buffer=pipe))
        recorder.write(wave(SAMPLES, size=0x7FFF_F000)[:-len(SAMPLES.tobytes())])
        blocks = read_blocks('-')
        for start in (0, 1600):
            recorder.write(SAMPLES[start:start + 1600].tobytes())
            np.testing.assert_array_equal(next(blocks).samples[:, 0], SAMPLES[start:start + 1600])


@pytest.mark.parametrize('riff', [0, 36, 0xFFFF_FFFF])
def test_a_wave_that_was_never_closed_is_read_to_its_end(tmp_path, riff):
    data = bytearray(wave(SAMPLES, size=0))
    data[4:8] = struct.pack('<I', riff)
    (tmp_path / 'open.wav').write_bytes(data)
    np.testing.assert_array_equal(joined(list(read_blocks(tmp_path / 'open.wav')))[:, 0], SAMPLES)


def test_an_empty_wave_is_empty_although_something_follows(tmp_path):
    data = bytearray(wave(SAMPLES[:0], tail=b'LIST' + bytes(50)))
    data[4:8] = struct.pack('<I', len(data) - 8)
    (tmp_path / 'empty.wav').write_bytes(data)
    with pytest.raises(AudioFormatError, match='there is no audio in .*empty.wav'):
        list(read_blocks(tmp_path / 'empty.wav'))


@pytest.mark.parametrize('data', [
    b'', wave(SAMPLES[:0]), wave(SAMPLES[:0], size=0), wave(SAMPLES[:0], size=9600),
    wave(SAMPLES[:0]) + b'x', wave(SAMPLES[:0], size=0xFFFF_FFFF)])
def test_a_recording_without_a_sample_is_named(tmp_path, data):
    (tmp_path / 'header.wav').write_bytes(data)
    with pytest.raises(AudioFormatError, match='there is no audio in .*header.wav'):
        list(read_blocks(tmp_path / 'header.wav'))


def test_a_file_of_another_codec_needs_the_library_and_is_told_how(tmp_path, monkeypatch):
    (tmp_path / 'sound.flac').write_bytes(b'fLaC' + bytes(100))
    monkeypatch.setitem(sys.modules, 'soundfile', None)
    with pytest.raises(MissingDependencyError, match='pip install soundfile'):
        list(read_blocks(tmp_path / 'sound.flac'))


@pytest.mark.parametrize(('text', 'found'), [
    ('s16le', ('s16le', 16_000, 1)), ('f32le:48000', ('f32le', 48_000, 1)),
    ('ulaw:8000:2', ('ulaw', 8_000, 2))])
def test_a_raw_format_is_written_in_a_word(text, found):
    form = PcmFormat.parse(text)
    assert (form.encoding, form.rate_hz, form.channels) == found


@pytest.mark.parametrize('text', ['', 's16', 's16le:', 's16le:x', 's16le:16000:0', 's16le:1:1',
                                  's16le:16000:1:1', 's16le:-1', 's16le:999999999999'])
def test_another_raw_format_is_refused(text):
    with pytest.raises(AudioFormatError, match='Expected'):
        PcmFormat.parse(text)


def test_a_block_of_no_length_is_refused():
    with pytest.raises(AudioFormatError, match='longer than 0 ms'):
        read_blocks('-', block_ms=0)


def test_standard_input_that_is_closed_is_named(monkeypatch):
    monkeypatch.setattr(sys, 'stdin', None)
    with pytest.raises(AudioFormatError, match='standard input, it is closed'):
        next(read_blocks('-'))


def test_nobody_waits_for_a_recording_from_the_keyboard(monkeypatch):
    monkeypatch.setattr(sys, 'stdin', types.SimpleNamespace(
        buffer=types.SimpleNamespace(isatty=lambda: True)))
    with pytest.raises(AudioFormatError, match='it is the keyboard; name a file, or pipe one in'):
        next(read_blocks('-'))
