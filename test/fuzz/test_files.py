"""Recordings that somebody cut, damaged or renamed: sound, or one sentence."""

import io
import sys
import types
import warnings

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from audio_interaction_ros.audio.pcm import ENCODINGS, PcmFormat
from audio_interaction_ros.audio.read_blocks import read_blocks
from audio_interaction_ros.errors import AudioFormatError

pytestmark = pytest.mark.unit

soundfile = pytest.importorskip('soundfile', reason='soundfile is not installed: run make setup')

FORMS = {'WAV': ('PCM_16', 'PCM_24', 'PCM_32', 'FLOAT', 'DOUBLE', 'ALAW', 'ULAW', 'PCM_U8',
                 'IMA_ADPCM'),
         'WAVEX': ('PCM_16',), 'RF64': ('PCM_16',), 'W64': ('PCM_16',), 'FLAC': ('PCM_16',),
         'OGG': ('VORBIS', 'OPUS'), 'MP3': ('MPEG_LAYER_III',), 'AIFF': ('PCM_16', 'FLOAT'),
         'AU': ('PCM_16', 'ULAW'), 'CAF': ('PCM_16',)}


def recording(form, subtype):
    file = io.BytesIO()
    noise = np.random.default_rng(0).normal(0, 0.1, (800, 2))
    soundfile.write(file, noise, 16_000, format=form, subtype=subtype)
    return file.getvalue()


WHOLE = [recording(form, subtype) for form, subtypes in FORMS.items() for subtype in subtypes]
EDITS = st.lists(st.tuples(st.one_of(st.integers(0, 80), st.integers(0, 6_000)),
                           st.integers(0, 4), st.binary(max_size=4)), max_size=4)


def damaged(data, edits, length):
    data = bytearray(data)
    for at, gone, more in edits:
        data[at:at + gone] = more
    return bytes(data[:length])


@pytest.fixture(scope='module')
def path(tmp_path_factory):
    return tmp_path_factory.mktemp('recordings') / 'recording'


class Pipe(io.BytesIO):
    """Bytes that cannot be read twice and come in pieces no longer than asked for."""

    def seekable(self):
        return False


RAW = st.one_of(st.none(), st.builds(
    PcmFormat, encoding=st.sampled_from(ENCODINGS), rate_hz=st.integers(1_000, 768_000),
    channels=st.integers(1, 8)))


def read(path, raw):
    """Return the samples as bytes, and what was told; every block is sound, at its own time."""
    told, heard, frames = [], [], 0
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        for block in read_blocks(path, raw=raw, warn=told.append):
            assert len(block.samples) and 1_000 <= block.sample_rate_hz <= 768_000
            assert block.stamp_ns == round(frames * 10 ** 9 / block.sample_rate_hz)
            frames += len(block.samples)
            heard.append(block.samples.tobytes())
    return b''.join(heard), told


def tried(path, raw, name):
    """Return what was read, or that it was refused in a sentence that names the recording."""
    try:
        heard, told = read(path, raw)
    except AudioFormatError as error:
        assert name in str(error)
        return None
    assert all(name in words for words in told)
    return heard


@pytest.mark.share(4)
@given(raw=RAW, data=st.one_of(
    st.builds(damaged, st.sampled_from(WHOLE), EDITS,
              st.one_of(st.none(), st.integers(0, 2_000))), st.binary(max_size=200)))
@example(raw=None, data=damaged(WHOLE[0], [(24, 4, bytes(4))], None))  # of 0 Hz
def test_any_recording_is_sound_or_named_and_alike_from_a_pipe(path, raw, data):
    path.write_bytes(data)
    from_file = tried(path, raw, str(path))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, 'stdin', types.SimpleNamespace(buffer=Pipe(data)))
        assert tried('-', raw, 'standard input') == from_file
