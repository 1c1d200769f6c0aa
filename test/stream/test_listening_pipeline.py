"""Blocks to encoded chunks with an encoder that hands the mel through."""

import itertools
from dataclasses import replace

import numpy as np
import pytest

from audio_interaction_ros.audio.block import AudioBlock
from audio_interaction_ros.audio.frontend import FrontEnd
from audio_interaction_ros.audio.mel import StreamingMel, whole_file_mel
from audio_interaction_ros.errors import AudioFormatError, ConfigurationError
from audio_interaction_ros.runtimes.base import EncoderSpec, Encoding
from audio_interaction_ros.runtimes.scripted import ScriptedEncoder
from audio_interaction_ros.stream.listening import ListeningPipeline
from audio_interaction_ros.stream.quiet import QuietRoom
from audio_interaction_ros.stream.sound_scores import SoundScorer

pytestmark = pytest.mark.unit

BINS = 80
NS = 1_000_000_000


class MelEncoder:
    """An encoder whose features are the mel frames themselves; counts its resets."""

    spec = EncoderSpec(model_id='mel', mel_bins=BINS, features_per_chunk=40, feature_width=BINS)

    def __init__(self):
        """Begin without resets."""
        self.resets = self.encoded = 0

    def encode(self, mel):
        """Return the mel as features [40, bins], their mean as embedding."""
        assert mel.shape == (BINS, 40) and mel.dtype == np.float32
        self.encoded += 1
        return Encoding(features=mel.T.copy(), embedding=mel.mean(1)[:1])

    def skip(self, mel):
        """Do nothing: there is no left context."""

    def reset(self):
        """Count."""
        self.resets += 1


def pipeline(**options) -> ListeningPipeline:
    """Return a pipeline with the maximum fixed, so that any window can be compared."""
    return ListeningPipeline(
        frontend=FrontEnd(), mel=StreamingMel(bins=BINS, maximum=1.0), encoder=MelEncoder(),
        **options)


def noise(frames: int, seed: int = 0) -> np.ndarray:
    """Return quiet noise [frames] float32."""
    return np.random.default_rng(seed).uniform(-0.3, 0.3, frames).astype(np.float32)


def block(samples, start=0.0, rate=16000) -> AudioBlock:
    """Return a block that starts at a time in seconds."""
    return AudioBlock(samples=samples, sample_rate_hz=rate, stamp_ns=round(start * NS))


def run(listening, samples, size, rate=16000):
    """Push samples in blocks of a size, flush, and return the encoded chunks."""
    encoded = []
    for start in range(0, len(samples), size):
        encoded += listening.push(block(samples[start:start + size], start / rate, rate))
    return encoded + listening.flush()


def mel_of(encoded) -> np.ndarray:
    """Return the frames of encoded chunks [bins, T]."""
    return np.concatenate([chunk.features for chunk in encoded]).T


@pytest.mark.parametrize('size', [1, 33, 1600, 6400, 6440, 19_200])
def test_features_are_those_of_the_whole_file_for_any_slicing(size):
    samples = noise(19_200)
    encoded = run(pipeline(), samples, size)
    np.testing.assert_allclose(
        mel_of(encoded), whole_file_mel(samples, BINS, maximum=1.0), atol=1e-5, rtol=0)
    assert [chunk.seq for chunk in encoded] == [0, 1, 2]
    assert [chunk.stamp_ns for chunk in encoded] == [0, 400_000_000, 800_000_000]
    assert [chunk.end_of_stream for chunk in encoded] == [False, False, True]


def test_the_whole_chain_from_48_khz_stereo_does_not_depend_on_slicing():
    samples = (np.random.default_rng(1).uniform(-0.4, 0.4, (40_000, 2)) * 32768).astype(np.int16)
    listening = ListeningPipeline(
        frontend=FrontEnd(), mel=StreamingMel(bins=BINS, decay_per_s=0.5), encoder=MelEncoder())
    whole = run(listening, samples, 40_000, 48_000)
    for size in (1, 479, 4800, 30_001):
        listening.reset(1)
        sliced = run(listening, samples, size, 48_000)
        np.testing.assert_array_equal(mel_of(sliced), mel_of(whole))
        for one, other in zip(sliced, whole, strict=True):
            assert (one.seq, one.stamp_ns, one.rms_dbfs, one.end_of_stream) == (
                other.seq, other.stamp_ns, other.rms_dbfs, other.end_of_stream)


def test_a_chunk_comes_with_forty_samples_more():
    listening = pipeline()
    assert listening.push(block(noise(6439))) == []
    chunk, = listening.push(block(noise(1), 6439 / 16000))
    assert chunk.seq == 0
    assert listening.push(block(noise(6399), 6440 / 16000)) == []
    assert len(listening.push(block(noise(1), 12_839 / 16000))) == 1


def test_a_long_gap_is_a_discontinuity_and_starts_the_mel_anew():
    listening = pipeline()
    first, second = noise(7000), noise(6400, seed=1)
    encoded = listening.push(block(first))
    resets = listening._encoder.resets
    encoded += listening.push(block(second, 10.0))
    assert listening._encoder.resets == resets + 1
    encoded += listening.flush()
    assert [chunk.discontinuity for chunk in encoded] == [False, False, True]
    assert encoded[2].lost_samples_before == 160_000 - 12_800
    assert encoded[2].stamp_ns == 10 * NS
    padded = np.pad(first, (0, 12_800 - 7000))
    for part, audio in ((encoded[:2], padded), (encoded[2:], second)):
        np.testing.assert_allclose(
            mel_of(part), whole_file_mel(audio, BINS, maximum=1.0), atol=1e-5, rtol=0)


def test_a_long_gap_right_after_a_chunk_completes_it():
    listening = pipeline()
    assert listening.push(block(noise(6400))) == []
    encoded = listening.push(block(noise(6400, seed=1), 5.0))
    assert [chunk.seq for chunk in encoded] == [0]
    assert [chunk.seq for chunk in listening.flush()] == [1]


def test_a_jump_back_is_a_discontinuity():
    listening = pipeline()
    encoded = listening.push(block(noise(6400), 50.0))
    encoded += listening.push(block(noise(6400), 2.0)) + listening.flush()
    assert [chunk.discontinuity for chunk in encoded] == [False, True]
    assert encoded[1].stamp_ns == 2 * NS


def test_levels_are_marked():
    listening = pipeline()
    samples = np.concatenate([np.full(6400, 0.1), np.full(6400, 1e-3), np.zeros(6400)])
    encoded = run(listening, samples.astype(np.float32), 1600)
    np.testing.assert_allclose(
        [chunk.rms_dbfs for chunk in encoded], [-20.0, -60.0, -120.0], atol=1e-3)
    assert not any(chunk.quiet for chunk in encoded), 'nobody was asked what quiet is'


def test_a_quiet_room_is_marked_however_it_is_cut():
    room = noise(40 * 6400) * np.float32(1e-3)
    room[30 * 6400:30 * 6400 + 400] *= 20  # a click
    marks = [[chunk.quiet for chunk in run(
        pipeline(quiet=QuietRoom(below_dbfs=-45.0)), room, size)] for size in (1600, 6400, 7000)]
    # Two seconds to learn the room, two more for what the encoder still hears of them.
    expected = [at >= 10 and not 30 <= at < 36 for at in range(40)]
    assert marks == [expected] * 3


def test_each_chunk_of_audio_is_told_before_it_is_encoded():
    heard = []
    listening = pipeline(on_chunk=heard.append)
    samples = noise(12_800)
    listening.push(block(samples))
    np.testing.assert_array_equal(np.concatenate([c.samples for c in heard]), samples)


def test_reset_begins_a_new_epoch_at_zero():
    listening = pipeline(epoch=3)
    encoded = listening.push(block(noise(13_000)))
    assert [(chunk.epoch, chunk.seq) for chunk in encoded] == [(3, 0), (3, 1)]
    listening.reset(4)
    again = run(listening, noise(6400), 6400)
    assert [(chunk.epoch, chunk.seq) for chunk in again] == [(4, 0)]
    assert not again[0].discontinuity


def test_a_stream_after_a_flush_goes_on_counting():
    listening = pipeline()
    run(listening, noise(6400), 6400)
    again = run(listening, noise(6400), 6400)
    assert [(chunk.seq, chunk.discontinuity) for chunk in again] == [(1, False)]


def test_flush_of_nothing_is_empty():
    assert pipeline().flush() == []


def test_a_refused_block_leaves_the_stream_as_it_was():
    listening = pipeline()
    samples = noise(6400)
    listening.push(block(samples[:3000]))
    with pytest.raises(AudioFormatError):
        listening.push(block(np.zeros(4, dtype=np.int64), 3000 / 16000))
    encoded = listening.push(block(samples[3000:], 3000 / 16000)) + listening.flush()
    np.testing.assert_allclose(
        mel_of(encoded), whole_file_mel(samples, BINS, maximum=1.0), atol=1e-5, rtol=0)


def test_another_number_of_bins_than_the_encoder_has_is_refused():
    with pytest.raises(ConfigurationError, match='80 rows.*got 128'):
        ListeningPipeline(
            frontend=FrontEnd(), mel=StreamingMel(bins=128), encoder=MelEncoder())


def test_a_mel_without_the_magnitudes_that_the_encoder_wants_is_refused():
    encoder = MelEncoder()
    encoder.spec = replace(MelEncoder.spec, magnitudes=True)
    with pytest.raises(ConfigurationError, match='144 rows.*got 80'):
        ListeningPipeline(frontend=FrontEnd(), mel=StreamingMel(bins=BINS), encoder=encoder)
    with pytest.raises(ConfigurationError, match='80 rows.*got 144'):
        ListeningPipeline(frontend=FrontEnd(), encoder=MelEncoder(),
                          mel=StreamingMel(bins=BINS, magnitudes=True))
    wanted = StreamingMel(bins=BINS, magnitudes=True)
    ListeningPipeline(frontend=FrontEnd(), mel=wanted, encoder=encoder)


def test_nothing_piles_up():
    listening = pipeline()
    for turn in range(200):
        listening.push(block(noise(6400), turn * 0.4))
        assert len(listening._waiting) <= 1
        assert len(listening.frontend.pending) < 6400


@pytest.mark.parametrize('size', [1, 320, 1_600])
def test_small_blocks_across_a_gap_lose_no_chunk(size):
    """Audio after a gap is no look-ahead for the chunk before it, however small the blocks."""
    listening = pipeline()
    samples = noise(16_000)
    encoded = []
    for begin in (0.0, 3.0, 9.0):
        for start in range(0, len(samples), size):
            encoded += listening.push(block(samples[start:start + size], begin + start / 16_000))
    encoded += listening.flush()
    assert [chunk.seq for chunk in encoded] == list(range(9))
    assert [chunk.discontinuity for chunk in encoded] == [i in (3, 6) for i in range(9)]
    for i in range(3):
        assert np.array_equal(encoded[i].features, encoded[i + 3].features)


class Ears:
    """A sound head that counts the chunks that it has heard since it began."""

    classes, context, hidden_width = ('any',), 3, 1

    def hear(self, embedding):
        """Return one for a chunk."""
        return np.ones(1, np.float32)

    def score(self, heard):
        """Return how many of the chunks there were."""
        return heard.sum(axis=0)


def test_each_chunk_is_scored_and_a_gap_or_the_end_lets_the_scores_begin_anew():
    listening = pipeline(scorer=SoundScorer(Ears()))
    encoded = run(listening, noise(4 * 6400), 1600)
    encoded += listening.push(block(noise(6440), 10.0)) + listening.push(block(noise(6400), 60.0))
    encoded += listening.flush()
    assert [chunk.sounds.names for chunk in encoded] == [('any',)] * len(encoded)
    assert [chunk.sounds.scores.tolist() for chunk in encoded] == [
        [1], [2], [3], [3], [1], [2], [1]]


def test_without_a_head_no_chunk_has_scores():
    for chunk in run(pipeline(), noise(2 * 6400), 1600):
        assert chunk.sounds.names == () and chunk.sounds.scores.size == 0


def test_of_a_quiet_room_one_chunk_in_ten_is_read():
    room = 0.001 * np.random.default_rng(0).standard_normal(60 * 6400).astype(np.float32)
    room[40 * 6400:41 * 6400] += noise(6400)
    listening = pipeline(quiet=QuietRoom(below_dbfs=-45.0), scorer=SoundScorer(Ears()))
    chunks = run(listening, room, 6400)
    quiet = [chunk.quiet for chunk in chunks]
    same = [one.features is other.features for one, other in itertools.pairwise(chunks)]
    assert 20 < sum(quiet) and not quiet[40]
    assert listening._encoder.encoded == 60 - sum(same)
    runs = [list(group) for is_quiet, group in itertools.groupby(range(60), quiet.__getitem__)
            if is_quiet]
    assert [place for group in runs for place in group[:2] + group[2::10]] == [
        place for place in range(1, 60) if quiet[place] and not same[place - 1]]
    assert all(chunk.sounds.scores.tolist() == [3] for chunk in chunks[2:])


def test_which_chunks_rest_does_not_depend_on_how_audio_is_cut():
    room = 0.001 * np.random.default_rng(0).standard_normal(40 * 6400).astype(np.float32)
    heard = []
    for size in (160, 6400, 7001, len(room)):
        listening = pipeline(quiet=QuietRoom(below_dbfs=-45.0), scorer=SoundScorer(Ears()))
        chunks = run(listening, room, size)
        heard.append((mel_of(chunks), [chunk.sounds.scores.tolist() for chunk in chunks]))
        assert listening._encoder.encoded < 20
    for features, scores in heard[1:]:
        np.testing.assert_array_equal(features, heard[0][0])
        assert scores == heard[0][1]


def test_after_a_gap_in_a_quiet_room_nothing_of_before_is_carried():
    room = 0.001 * np.random.default_rng(0).standard_normal(15 * 6400).astype(np.float32)
    listening = pipeline(quiet=QuietRoom(below_dbfs=-45.0))
    listening.push(block(room))
    first, second, third = listening.push(block(room[:3 * 6400 + 40], 60.0))[-3:]
    assert first.quiet and first.discontinuity
    np.testing.assert_allclose(mel_of([first, second, third]), whole_file_mel(
        room[:3 * 6400 + 40], BINS, maximum=1.0)[:, :120], atol=1e-5, rtol=0)


def test_a_room_that_is_not_to_be_quiet_is_read_whole():
    room = 0.001 * np.random.default_rng(0).standard_normal(60 * 6400).astype(np.float32)
    listening = pipeline(quiet=QuietRoom(below_dbfs=-200.0))
    run(listening, room, 6400)
    assert listening._encoder.encoded == 60


def test_a_script_of_sounds_reaches_the_chunks():
    encoder = ScriptedEncoder(sounds={1: {'bell': 0.75}, 2: {'dog': 0.5}})
    listening = ListeningPipeline(frontend=FrontEnd(), mel=StreamingMel(bins=80), encoder=encoder,
                                  scorer=SoundScorer(encoder.head))
    chunks = run(listening, noise(3 * 6400), 6400)
    assert chunks[0].sounds.names == ('bell', 'dog')
    assert [chunk.sounds.scores.tolist() for chunk in chunks] == [[0, 0], [0.75, 0], [0, 0.5]]
