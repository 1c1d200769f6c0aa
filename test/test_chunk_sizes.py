"""The chunk is one value of a model: sizes, exact boundaries, and what is refused."""

import dataclasses

import numpy as np
import pytest

from audio_interaction_ros.assembly import build_pipeline
from audio_interaction_ros.audio.block import AudioBlock, AudioChunk
from audio_interaction_ros.audio.mel import StreamingMel, whole_file_mel
from audio_interaction_ros.checkpoints.config import load_config
from audio_interaction_ros.config import AssistantConfig, FifoConfig, LaneConfig
from audio_interaction_ros.errors import ConfigurationError
from audio_interaction_ros.model.shapes import AudioTowerConfig
from audio_interaction_ros.protocol import CHUNK_NS, CHUNK_SAMPLES, ChunkSize, Emotion
from audio_interaction_ros.resources import shipped_path
from audio_interaction_ros.runtimes.scripted import (
    ScriptedDecoder,
    ScriptedEncoder,
    ScriptedTokenizer,
)
from audio_interaction_ros.stream.audio_history import AudioHistory
from audio_interaction_ros.stream.chunk import EncodedChunk
from audio_interaction_ros.stream.events import ReplyStarted, Silence
from audio_interaction_ros.stream.outbound import OutboundFifo
from audio_interaction_ros.stream.quiet import QuietRoom
from audio_interaction_ros.stream.session import Session

pytestmark = pytest.mark.unit

SIZES = [ChunkSize.of_seconds(seconds) for seconds in (0.2, 0.4, 0.6, 0.8)]
TOWER = AudioTowerConfig(mel_bins=8, width=16, layers=1, heads=2, mlp_width=32, output_width=16)


def test_a_chunk_is_the_released_one_unless_another_is_asked_for():
    size = ChunkSize()
    assert (size.samples, size.ns, size.s, size.per_s) == (CHUNK_SAMPLES, CHUNK_NS, 0.4, 2.5)
    assert TOWER.chunk_size == ChunkSize.of_seconds(0.4) == size
    assert [one.samples for one in SIZES] == [3_200, 6_400, 9_600, 12_800]


@pytest.mark.parametrize('seconds', [0.0, -0.4, 0.25, 0.05, 2.1, float('nan'), float('inf'), 1e9])
def test_odd_chunks_are_refused(seconds):
    with pytest.raises(ConfigurationError, match='expected 0.1 to 2 s in whole tenths'):
        ChunkSize.of_seconds(seconds)


@pytest.mark.parametrize('size', SIZES, ids=lambda size: f'{size.s:g}s')
def test_the_stream_is_cut_and_decided_at_exact_boundaries(size):
    encoder = ScriptedEncoder(chunk_size=size)
    pipeline = build_pipeline(AssistantConfig(), encoder)
    session = Session(tokenizer=ScriptedTokenizer(), lanes=[LaneConfig(name='a', threshold=0.5)],
                      decoder=ScriptedDecoder(script={0: {2: (Emotion.NORMAL, 'Hi.')}},
                                              chunk_size=size))
    rng = np.random.default_rng(0)
    samples = rng.normal(0, 0.1, 5 * size.samples).astype(np.float32)
    cuts = np.sort(rng.integers(1, len(samples), 9))
    chunks, at = [], 0
    for piece in np.split(samples, cuts):
        chunks += pipeline.push(AudioBlock(samples=piece, sample_rate_hz=16_000,
                                           stamp_ns=at * 62_500))
        at += len(piece)
    chunks += pipeline.flush()
    assert [chunk.stamp_ns for chunk in chunks] == [place * size.ns for place in range(5)]
    assert [chunk.end_ns for chunk in chunks] == [place * size.ns for place in range(1, 6)]
    assert [chunk.end_of_stream for chunk in chunks] == [False] * 4 + [True]
    decided = []
    for chunk in chunks:
        session.push(chunk)
        decided += [event for event in session.drain()
                    if isinstance(event, Silence | ReplyStarted)]
    assert [event.stamp_ns for event in decided] == [chunk.end_ns for chunk in chunks]
    assert [isinstance(event, ReplyStarted) for event in decided] == [False, False, True, False,
                                                                      False]


@pytest.mark.parametrize('size', SIZES, ids=lambda size: f'{size.s:g}s')
def test_the_mel_is_that_of_the_whole_file_whatever_the_chunk(size):
    samples = np.random.default_rng(1).normal(0, 0.1, 48_000).astype(np.float32)
    whole = whole_file_mel(samples, 80)
    stream = StreamingMel(bins=80, maximum=4 * float(whole.max()) - 4, chunk_size=size)
    found = np.concatenate([*stream.push(samples), *stream.flush()], axis=1)
    assert found.shape[1] % size.frames == 0
    np.testing.assert_allclose(found[:, :298], whole[:, :298], atol=1e-5)


def test_a_tower_for_other_chunks_keeps_its_past_and_makes_whole_features():
    assert [TOWER.with_chunk(size).window_frames for size in SIZES] == [20, 40, 60, 80]
    windowed = dataclasses.replace(TOWER, window_frames=200, stack=4, second_look=True)
    assert [(other.window_frames, other.stack, other.features_per_chunk) for other in map(
        windowed.with_chunk, SIZES)] == [(200, 2, 5), (200, 4, 5), (240, 3, 10), (240, 4, 10)]
    with pytest.raises(ConfigurationError, match=r'chunks of 0.2 s make no whole features'):
        dataclasses.replace(TOWER, pool=4).with_chunk(SIZES[0])
    with pytest.raises(ConfigurationError, match='multiple of 40, the frames of a chunk'):
        dataclasses.replace(TOWER, window_frames=60)


def test_the_edge_model_hears_the_chunks_that_it_was_trained_on():
    config = load_config(shipped_path('models/edge/config.yaml'))
    assert config.audio_tower.chunk_size == ChunkSize()
    with pytest.raises(ConfigurationError, match=r'expected 20 \(chunks of 0.4 s\) of a model '
                                                 r'with a sound branch.*found 10 \(0.2 s\)'):
        dataclasses.replace(config, audio_tower=config.audio_tower.with_chunk(SIZES[0]))


@pytest.mark.parametrize('size', SIZES, ids=lambda size: f'{size.s:g}s')
def test_what_is_remembered_is_counted_in_seconds(size):
    history = AudioHistory(seconds=4.8)
    room, quiet = QuietRoom(below_dbfs=-40, chunk_size=size), []
    for place in range(40):
        history.push(AudioChunk(samples=np.zeros(size.samples, np.float32), lost_samples_before=0,
                                stamp_ns=place * size.ns))
        quiet.append(room.hear(np.zeros((80, size.frames), np.float32), -60.0))
    assert len(history.between(0, 10 ** 12)) == round(4.8 / size.s)
    assert quiet.index(True) == 2 * round(2 / size.s)  # two seconds to know the room, two of rest


def test_a_chunk_that_is_dropped_is_missed_in_samples_of_its_own_size():
    fifo = OutboundFifo(settings=FifoConfig(capacity=1))
    for place in range(2):
        fifo.offer(EncodedChunk(features=np.zeros((2, 4), np.float32), stamp_ns=0, epoch=1,
                                seq=place, model_id='m', duration_ns=SIZES[3].ns), now=0.0)
    fifo.on_credit(1, -1, 0.0)
    assert [chunk.lost_samples_before for chunk in fifo.take_publishable(0.0)] == [12_800]
