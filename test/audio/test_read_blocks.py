"""Files and standard input as blocks."""

import io
import struct
import sys

import numpy as np
import pytest

from audio_interaction_ros.audio.source import read_blocks
from audio_interaction_ros.errors import AudioFormatError, MissingDependencyError

pytestmark = pytest.mark.unit

RATE = 16000
SAMPLES = (np.sin(np.arange(5000) / 10) * 12_000).astype(np.int16)


def from_stdin(monkeypatch, data: bytes, block_ms: float = 100) -> list:
    """Return the blocks of bytes on standard input."""
    monkeypatch.setattr(sys, 'stdin', io.TextIOWrapper(io.BytesIO(data)))
    return list(read_blocks('-', block_ms))


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


def test_raw_input_is_16_bit_at_16_khz_and_half_a_sample_is_left_out(monkeypatch):
    blocks = from_stdin(monkeypatch, SAMPLES.tobytes() + b'\x01')
    np.testing.assert_array_equal(joined(blocks)[:, 0], SAMPLES)
    assert [len(block.samples) for block in blocks] == [1600, 1600, 1600, 200]
    assert blocks[1].stamp_ns == 100_000_000
    assert blocks[0].sample_rate_hz == RATE


@pytest.mark.parametrize(('dtype', 'tag'), [
    ('u1', 1), ('<i2', 1), ('<i4', 1), ('<f4', 3), ('<f8', 3)])
def test_wave_input_of_each_type(monkeypatch, dtype, tag):
    samples = np.arange(200).astype(dtype).reshape(100, 2)
    blocks = from_stdin(monkeypatch, wave(samples, tag=tag, rate=44_100))
    np.testing.assert_array_equal(joined(blocks), samples)
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
    blocks = from_stdin(monkeypatch, SAMPLES[:100].tobytes(), block_ms)
    np.testing.assert_array_equal(joined(blocks)[:, 0], SAMPLES[:100])


def test_no_input_gives_no_block(monkeypatch):
    assert from_stdin(monkeypatch, b'') == []


@pytest.mark.parametrize('data', [
    b'fLaC' + bytes(100), b'OggS' + bytes(100), b'ID3\x04' + bytes(100),
    b'RIFF\0\0\0\0AVI ' + bytes(100), b'RIFF\0\0\0\0WAVE',
    b'RIFF\0\0\0\0WAVEdata\x04\0\0\0\0\0\0\0', b'RIFF\0\0\0\0WAVEfmt \x02\0\0\0\0\0',
    wave(SAMPLES, tag=7)])
def test_input_that_is_no_wave_is_refused(monkeypatch, data):
    with pytest.raises(AudioFormatError, match='Expected'):
        from_stdin(monkeypatch, data)


def test_a_file_that_is_missing_or_no_audio_is_refused(tmp_path):
    pytest.importorskip('soundfile')
    with pytest.raises(AudioFormatError, match='found none'):
        list(read_blocks(tmp_path / 'none.wav'))
    text = tmp_path / 'text.wav'
    text.write_text('not audio')
    with pytest.raises(AudioFormatError, match='convert the file'):
        list(read_blocks(text))


def test_without_the_library_the_message_names_the_command(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, 'soundfile', None)
    with pytest.raises(MissingDependencyError, match='pip install soundfile'):
        list(read_blocks(tmp_path / 'sound.wav'))


def test_a_block_of_no_length_is_refused():
    with pytest.raises(AudioFormatError, match='longer than 0 ms'):
        read_blocks('-', block_ms=0)
