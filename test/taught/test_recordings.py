"""Recordings in their surroundings: which chunks are the sound, and that chance is fixed."""

import numpy as np
import pytest

from audio_interaction_ros.errors import AudioFormatError
from audio_interaction_ros.taught import recordings

pytestmark = pytest.mark.unit


def tone(seconds, level=0.3):
    return (level * np.sin(np.arange(int(16_000 * seconds)) * 0.3)).astype(np.float32)


def loudness(samples):
    """Return an embedding of one number: the power of each chunk."""
    return np.square(samples.reshape(-1, 6400)).mean(axis=1, keepdims=True)


def test_silence_around_a_sound_is_left_out():
    quiet = np.zeros(16_000, np.float32)
    found = recordings.find_sounding(np.concatenate((quiet, tone(1.0), quiet)))
    assert len(found) == pytest.approx(16_000, abs=640)
    with pytest.raises(AudioFormatError, match='found silence'):
        recordings.find_sounding(quiet)


@pytest.mark.parametrize('snr_db', [None, 20.0, 0.0])
def test_a_sound_stands_out_of_its_background_by_so_much(snr_db):
    sound, room = tone(1.2), np.random.default_rng(0).standard_normal(160_000)
    stream, at = recordings.mix(sound, room, snr_db, (1, 2))
    assert len(stream) % 6400 == 0 and at + len(sound) <= len(stream)
    before = np.square(stream[:at]).mean()
    during = np.square(stream[at:at + len(sound)]).mean() - before
    expected = 10 ** (snr_db / 10) if snr_db is not None else 10 ** 4
    assert during / before > expected * 0.8 and (snr_db is None or
                                                 during / before < expected * 1.25)


def test_of_a_day_pieces_from_all_of_it_are_kept_and_of_less_everything():
    hours = [np.full(6400, chunk, np.float32) for chunk in range(1000)]
    bed = recordings.Bed(most_chunks=200)
    assert sum(1 for _ in bed.keep(iter(hours[:199]))) == 199
    assert np.array_equal(bed.samples, np.concatenate(hours[:199]))
    assert [chunk[0] for chunk in bed.keep(iter(hours[199:]))] == list(range(199, 1000))
    kept = bed.samples[::6400]
    assert len(kept) == 200 and kept.min() < 500 < kept.max()
    assert all(np.diff(piece).tolist() == [1] * 49 for piece in kept.reshape(-1, 50))


def test_the_chunks_of_a_sound_are_those_in_which_it_is_heard():
    room = np.random.default_rng(0).standard_normal(160_000).astype(np.float32)
    heard = recordings.hear_recording(tone(1.2), room, loudness, seed=3)
    again = recordings.hear_recording(tone(1.2), room, loudness, seed=3)
    assert np.array_equal(heard.sounding, again.sounding)
    assert len(heard.streams) == len(recordings.SURROUNDINGS_DB)
    loudest = max(float(stream.max()) for stream in heard.streams)
    assert heard.sounding.min() > loudest / 100 and len(heard.sounding) >= 8
