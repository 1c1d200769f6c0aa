"""Recordings of every kind: played alike from a path and from a pipe, or named in a sentence."""

import io
import re
import struct
import sys
import types

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies

from audio_interaction_ros.audio.read_blocks import read_blocks
from audio_interaction_ros.errors import AudioFormatError

soundfile = pytest.importorskip('soundfile', reason='soundfile is not installed')
pytestmark = pytest.mark.unit

RATE = 16_000
TONE = 0.4 * np.sin(np.arange(8_000) / 10)
WORDS = (TONE * 32_768).astype(np.int16)


class Pipe(io.BytesIO):
    """Bytes that cannot be read twice."""

    def seekable(self):
        return False


@pytest.fixture(params=['path', 'pipe'])
def play(request, tmp_path, monkeypatch):
    """Return a function that plays bytes: mono float samples, and what was told."""
    def run(data, **options):
        told = []
        if request.param == 'path':
            path = tmp_path / 'recording'
            path.write_bytes(data)
        else:
            monkeypatch.setattr(sys, 'stdin', types.SimpleNamespace(buffer=Pipe(data)))
            path = '-'
        blocks = [block.samples for block in read_blocks(path, warn=told.append, **options)]
        samples = np.concatenate(blocks)[:, 0] if blocks else np.zeros(0)
        if samples.dtype.kind in 'iu':
            info = np.iinfo(samples.dtype)
            zero = 128 if samples.dtype == np.uint8 else 0
            samples = (samples.astype(float) - zero) / (info.max + 1 - zero)
        return samples, told
    return run


def written(kind, subtype, samples=TONE, **options):
    buffer = io.BytesIO()
    soundfile.write(buffer, samples, RATE, format=kind, subtype=subtype, **options)
    return buffer.getvalue()


def chunk(name, body):
    return name + struct.pack('<I', len(body)) + body + b'\0' * (len(body) % 2)


def wave(form, data, *, size=None, head=b'RIFF', before=b''):
    size = len(data) if size is None else size
    return (head + b'\xff\xff\xff\xffWAVE' + before + chunk(b'fmt ', form)
            + b'data' + struct.pack('<I', size) + data)


def plain(bits, *, tag=1, channels=1, align=None):
    align = channels * bits // 8 if align is None else align
    return struct.pack('<HHIIHH', tag, channels, RATE, RATE * align, align, bits)


def test_an_mp3_in_blocks_is_the_mp3_as_a_whole_and_its_decoder_says_nothing(play, capfd):
    noise = np.random.default_rng(0).normal(0, 0.1, 60 * RATE)
    data = written('MP3', 'MPEG_LAYER_III', noise)
    samples, told = play(data)
    whole, _ = soundfile.read(io.BytesIO(data), dtype='float32')
    np.testing.assert_allclose(samples, whole, atol=1e-6)
    assert not told and capfd.readouterr().err == ''


@pytest.mark.parametrize(('kind', 'subtype', 'error'), [
    ('WAV', 'PCM_U8', 1e-2), ('WAV', 'PCM_16', 1e-4), ('WAV', 'PCM_24', 1e-6),
    ('WAV', 'PCM_32', 1e-6), ('WAV', 'FLOAT', 1e-6), ('WAV', 'DOUBLE', 1e-6),
    ('WAV', 'ALAW', 1e-2), ('WAV', 'ULAW', 1e-2), ('WAV', 'IMA_ADPCM', 0.2),
    ('WAV', 'MS_ADPCM', 5e-2), ('WAVEX', 'PCM_16', 1e-4), ('WAVEX', 'PCM_24', 1e-6),
    ('WAVEX', 'FLOAT', 1e-6), ('RF64', 'PCM_16', 1e-4), ('W64', 'PCM_24', 1e-6),
    ('FLAC', 'PCM_16', 1e-4), ('FLAC', 'PCM_24', 1e-6), ('AIFF', 'PCM_16', 1e-4),
    ('AIFF', 'FLOAT', 1e-6), ('AU', 'PCM_16', 1e-4), ('AU', 'ULAW', 1e-2),
    ('CAF', 'PCM_16', 1e-4), ('CAF', 'ALAC_16', 1e-4)])
def test_what_libsndfile_writes_is_played_and_nothing_is_told(play, kind, subtype, error):
    samples, told = play(written(kind, subtype))
    assert told == []
    assert np.abs(samples[:len(TONE)] - TONE).max() < error


@pytest.mark.parametrize(('kind', 'subtype'), [
    ('OGG', 'VORBIS'), ('OGG', 'OPUS'), ('MP3', 'MPEG_LAYER_III')])
def test_what_libsndfile_writes_with_loss_sounds_alike(play, kind, subtype):
    samples, told = play(written(kind, subtype))
    assert told == []
    assert len(TONE) <= len(samples) < len(TONE) + 3000
    spectrum = np.abs(np.fft.rfft(samples[1000:7000]))
    assert abs(spectrum.argmax() * RATE / 6000 - RATE / (20 * np.pi)) < 10


def test_the_laws_are_those_of_libsndfile(play):
    codes = bytes(range(256))
    for tag in (6, 7):
        data = wave(plain(8, tag=tag), codes)
        expected, _ = soundfile.read(io.BytesIO(data), dtype='float64')
        np.testing.assert_array_equal(play(data)[0], expected)


def test_big_endian_wave_is_played(play):
    samples, _ = play(written('WAV', 'PCM_16', endian='BIG'))
    assert np.abs(samples - TONE).max() < 1e-4


def test_20_bits_in_three_bytes_are_played(play):
    wide = (TONE * 2 ** 23).astype('<i4').view(np.uint8).reshape(-1, 4)[:, :3].tobytes()
    form = struct.pack('<HHIIHH', 1, 1, RATE, RATE * 3, 3, 20)
    assert np.abs(play(wave(form, wide))[0] - TONE).max() < 1e-6


def test_rf64_ends_where_its_long_size_says(play):
    sizes = chunk(b'ds64', struct.pack('<QQQI', 0, WORDS.nbytes, len(WORDS), 0))
    data = wave(plain(16), WORDS.tobytes(), head=b'RF64', size=0xFFFF_FFFF, before=sizes)
    samples, told = play(data + chunk(b'LIST', bytes(3000)))
    assert len(samples) == len(WORDS)
    assert told == []


@pytest.mark.parametrize(('kind', 'subtype'), [
    ('WAV', 'PCM_16'), ('WAV', 'PCM_24'), ('WAV', 'IMA_ADPCM'), ('RF64', 'PCM_16'),
    ('W64', 'PCM_16'), ('FLAC', 'PCM_16'), ('AIFF', 'PCM_16'), ('AU', 'PCM_16'),
    ('MP3', 'MPEG_LAYER_III')])
def test_a_recording_that_was_cut_is_played_as_far_as_it_goes_and_said_to_be(play, kind, subtype):
    noise = np.random.default_rng(0).normal(0, 0.1, 40_000)
    data = written(kind, subtype, noise)
    samples, told = play(data[:len(data) * 6 // 10 + 1])
    assert 15_000 < len(samples) < 30_000
    assert len(told) == 1 and 'copy the file again' in told[0]
    if subtype.startswith('PCM'):
        assert np.abs(samples - noise[:len(samples)]).max() < 1e-4


@pytest.mark.parametrize(('data', 'seems'), [
    (b'', 'it is empty'),
    (b'dear diary, today I heard nothing\n' * 9, 'text'),
    ('我听到了'.encode() * 900, 'text'),
    (b'\0\0\0\x20ftypM4A \0\0\0\0' + bytes(900), 'M4A or MP4'),
    (b'\x1aE\xdf\xa3' + bytes(900), 'WebM'),
    (b'\xff\xf1\x50\x80' + bytes(900), 'AAC'),
    (b'\x89MCAP0\r\n' + bytes(900), 'bag'),
    (b'RIFF\0\0\0\0AVI ' + bytes(100), 'AVI'),
    (WORDS.tobytes(), 'samples without a header'),
    (b'RIFF', 'ends before the samples'), (b'RIFF\0\0\0\0WAVE', 'ends before the samples'),
    (wave(plain(16), b'')[:40], 'ends before the samples'),
    (b'RIFF\0\0\0\0WAVEdata\x04\0\0\0\0\0\0\0', 'found none'),
    (b'RIFF\0\0\0\0WAVE' + chunk(b'fmt ', b'ab'), 'ends before the samples'),
    (b'RIFF\0\0\0\0WAVE' + chunk(b'fmt ', b'ab') + chunk(b'data', b''), '16 or more bytes'),
    (wave(plain(16, channels=0), bytes(100)), '0 channels'),
    (wave(plain(16, align=4), bytes(100)), 'frames of 2 bytes'),
    (wave(plain(8, tag=0x161), bytes(100)), 'WMA'),
    (written('WAV', 'GSM610'), 'GSM 6.10'),
    (written('FLAC', 'PCM_16')[:60], 'FLAC'), (written('OGG', 'OPUS')[:60], 'Ogg'),
    (written('CAF', 'PCM_16')[:9000], 'CAF'), (b'ID3\x04' + bytes(100), 'MP3')],
    ids=lambda value: value if isinstance(value, str) else 'data')  # Ogg has bytes of chance
def test_anything_else_is_named_in_a_sentence(play, data, seems):
    with pytest.raises(AudioFormatError, match=re.escape(seems)) as caught:
        play(data)
    assert '\n' not in str(caught.value) and str(caught.value).startswith('Expected')


@pytest.mark.parametrize('seed', range(20))
def test_loud_noise_without_a_header_never_passes_for_a_recording(play, seed):
    noise = np.random.default_rng(seed).bytes(20_000)
    for start in (b'', b'\xff\xfb\x90\x64', b'\xff\xf3\x88\xc4', b'\xff\xfb'):
        with pytest.raises(AudioFormatError, match='it seems to be'):
            play(start + noise)


def test_a_name_does_not_make_a_recording(tmp_path):
    for name in ('a.gsm', 'a.vox', 'a.au', 'a.raw', 'a.mp3', 'a.wav'):
        (tmp_path / name).write_bytes(b'not audio' * 90)
        with pytest.raises(AudioFormatError, match='it seems to be text'):
            list(read_blocks(tmp_path / name))


def test_a_path_that_is_no_file_is_named(tmp_path):
    with pytest.raises(AudioFormatError, match='found none'):
        list(read_blocks(tmp_path / 'none.wav'))
    with pytest.raises(AudioFormatError, match='found a folder'):
        list(read_blocks(tmp_path))
    with pytest.raises(AudioFormatError, match='Expected a readable'):
        list(read_blocks('a\0b'))


def test_a_home_in_a_path_is_found(tmp_path, monkeypatch):
    monkeypatch.setenv('HOME', str(tmp_path))
    (tmp_path / 'a.wav').write_bytes(written('WAV', 'PCM_16'))
    assert list(read_blocks('~/a.wav'))


def test_a_compressed_pipe_without_end_is_refused(monkeypatch):
    monkeypatch.setattr('audio_interaction_ros.audio.rewindable._SPOOL_BYTES', 10_000)
    monkeypatch.setattr(sys, 'stdin', types.SimpleNamespace(
        buffer=Pipe(written('FLAC', 'PCM_16', np.random.default_rng(0).normal(0, 0.1, 20_000)))))
    with pytest.raises(AudioFormatError, match='got more'):
        list(read_blocks('-'))


SEEDS = [written(kind, subtype, TONE[:2000]) for kind, subtype in (
    ('WAV', 'PCM_16'), ('WAVEX', 'PCM_24'), ('WAV', 'IMA_ADPCM'), ('RF64', 'FLOAT'),
    ('W64', 'PCM_16'), ('AIFF', 'PCM_16'), ('AU', 'ULAW'), ('CAF', 'PCM_16'), ('FLAC', 'PCM_16'),
    ('OGG', 'VORBIS'))]


@hypothesis.settings(deadline=None, max_examples=150,
                     suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture])
@hypothesis.given(
    seed=strategies.sampled_from([b'', *SEEDS]), cut=strategies.floats(0.01, 1),
    changes=strategies.lists(strategies.tuples(
        strategies.integers(0, 120), strategies.binary(min_size=1, max_size=4)), max_size=6),
    tail=strategies.binary(max_size=60))
def test_no_bytes_do_anything_but_play_or_be_refused(monkeypatch, seed, cut, changes, tail):
    data = bytearray(seed[:int(len(seed) * cut)] + tail)
    for place, replaced in changes:
        data[place:place + len(replaced)] = replaced
    monkeypatch.setattr(sys, 'stdin', types.SimpleNamespace(buffer=Pipe(bytes(data))))
    try:
        for block in read_blocks('-', warn=lambda _: None):
            assert block.samples.ndim == 2 and len(block.samples)
    except AudioFormatError as error:
        assert '\n' not in str(error)


@pytest.mark.parametrize('channels', [0, 300])
def test_a_format_that_nobody_hears_is_named_with_its_file(tmp_path, channels):
    path = tmp_path / 'odd.wav'
    path.write_bytes(wave(plain(16, channels=channels, align=0), bytes(1200)))
    with pytest.raises(AudioFormatError, match=rf'{channels} channels.*odd\.wav'):
        list(read_blocks(path))
