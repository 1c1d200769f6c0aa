"""What is quiet, and that a lane reads of it what stands right before something is heard."""

import numpy as np
import pytest

from audio_interaction_ros.audio.mel import StreamingMel
from audio_interaction_ros.config import FifoConfig, LaneConfig
from audio_interaction_ros.protocol import CHUNK_SAMPLES, Emotion
from audio_interaction_ros.runtimes.scripted import ScriptedDecoder, ScriptedTokenizer
from audio_interaction_ros.stream.chunk import EncodedChunk
from audio_interaction_ros.stream.events import ReplyFinished, Silence
from audio_interaction_ros.stream.quiet import HeldBack, QuietRoom
from audio_interaction_ros.stream.session import Session

pytestmark = pytest.mark.unit

CHUNKS = 60


def noise(chunks, dbfs, seed=0):
    room = np.random.default_rng(seed).standard_normal(chunks * CHUNK_SAMPLES)
    return (room * 10 ** (dbfs / 20)).astype(np.float32)


def tone(samples, at_chunk, *, dbfs, hz=1000.0, seconds=0.15):
    count = round(seconds * 16_000)
    wave = np.sin(2 * np.pi * hz * np.arange(count) / 16_000) * 10 ** (dbfs / 20) * 2 ** 0.5
    changed = samples.copy()
    changed[at_chunk * CHUNK_SAMPLES:][:count] += wave.astype(np.float32)
    return changed


def hear(samples, below_dbfs=-45.0):
    """Return of each chunk whether it is quiet."""
    mels = StreamingMel(bins=80, maximum_floor=0.0)
    room, quiet = QuietRoom(below_dbfs=below_dbfs), []
    for mel in [*mels.push(samples), *mels.flush()]:
        chunk = samples[len(quiet) * CHUNK_SAMPLES:][:CHUNK_SAMPLES].astype(np.float64)
        level = 10 * np.log10(max(1e-12, float(np.mean(chunk ** 2))))
        quiet.append(room.hear(mel, level))
    return quiet


@pytest.mark.parametrize('dbfs', [-50.0, -60.0, -75.0, -200.0])
def test_a_room_becomes_quiet_after_four_seconds_and_stays_so(dbfs):
    quiet = hear(noise(CHUNKS, dbfs))
    assert not any(quiet[:10])
    assert sum(quiet[10:]) >= len(quiet[10:]) - 6, 'noise alone stands out once in a minute'


def test_a_loud_room_is_never_quiet_nor_is_any_where_it_is_turned_off():
    assert not any(hear(noise(CHUNKS, -40.0)))
    assert not any(hear(noise(CHUNKS, -60.0), below_dbfs=-200.0))


@pytest.mark.parametrize('hz', [150.0, 440.0, 1000.0, 3100.0, 6000.0])
def test_a_beep_as_soft_as_the_room_is_heard_and_so_are_the_two_seconds_after_it(hz):
    quiet = hear(tone(noise(CHUNKS, -60.0, seed=3), 40, dbfs=-60.0, hz=hz))
    assert quiet[39] and not any(quiet[40:46])


def test_a_room_that_becomes_loud_is_heard_at_once():
    quiet = hear(np.concatenate([noise(30, -70.0), noise(30, -55.0, seed=1)]))
    assert quiet[29] and not any(quiet[30:35])


def chunk(seq, quiet=False):
    return EncodedChunk(features=np.zeros((2, 4), np.float32), stamp_ns=seq * 400_000_000,
                        epoch=1, seq=seq, model_id='scripted', quiet=quiet)


def numbers(chunks):
    return [one.seq for one in chunks]


def test_the_last_quiet_chunks_are_read_with_the_next_one_that_matters():
    held = HeldBack(most=2)
    assert numbers(held.sort([chunk(0), chunk(1, True)])) == [0]
    assert numbers(held.sort([chunk(2, True), chunk(3, True)])) == []
    assert numbers(held.sort([chunk(4), chunk(5), chunk(6, True)])) == [2, 3, 4, 5]
    assert numbers(held.sort([chunk(7)])) == [6, 7]


LANE = LaneConfig(name='assistant', alerts=True)


def listen(quiet, script, **fifo):
    """Return events, passes that read chunks and the session after a stream of chunks."""
    decoder = ScriptedDecoder(script=script)
    session = Session(decoder=decoder, tokenizer=ScriptedTokenizer(), lanes=(LANE,),
                      fifo=FifoConfig(**fifo))
    events, reads = session.drain(), []
    for seq, is_quiet in enumerate(quiet):
        session.push(chunk(seq, is_quiet))
        while session.busy:
            steps = session.stats.steps
            events += session.step()
            if session.stats.steps > steps:
                reads += [request for request in decoder.requests if len(request.feature_index)]
    return events, reads, session


def test_quiet_chunks_are_decided_without_a_pass_and_counted():
    events, reads, session = listen([False] + [True] * 9, {})
    assert len(reads) == 1
    silences = [event for event in events if isinstance(event, Silence)]
    assert [event.seq for event in silences] == list(range(10))
    assert all(event.p_respond == 0 for event in silences[1:])
    assert session.stats.unasked == 9 and session.consumed_seq == 9


def test_a_reply_after_quiet_is_to_the_chunk_in_which_something_was_heard():
    # The third chunk that the model reads: two that were held back come before it.
    events, reads, _ = listen([True] * 8 + [False] * 2, {0: {2: (Emotion.URGENT, 'Fire!')}})
    fire, = (event for event in events if isinstance(event, ReplyFinished))
    assert (fire.seq, len(reads[0].read)) == (8, 3)


@pytest.mark.parametrize('drain', ['A_prime', 'A', 'B', 'C'])
def test_every_layout_of_a_backlog_can_hold_back(drain):
    _, reads, session = listen([False, *[True] * 5, False], {}, drain=drain)
    # Layout C takes one chunk a pass, so that none can be read together with another.
    assert [len(request.feature_index) // 2 for request in reads] == [1, 1 if drain == 'C' else 3]
    assert session.consumed_seq == 6


def test_a_lane_that_starts_anew_holds_nothing_back():
    _, _, session = listen([False, True, True], {})
    session.reset()
    session.push(chunk(3))
    session.drain()
    _, _, fresh = listen([False], {})
    assert session.lanes[0].context.used_slots == fresh.lanes[0].context.used_slots
