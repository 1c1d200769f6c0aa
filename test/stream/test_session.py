"""Lanes over one stream: decisions, replies, backlog, epochs, cancel, refusal, endurance."""

from dataclasses import replace

import numpy as np
import pytest

from audio_interaction_ros.config import FifoConfig, LaneConfig
from audio_interaction_ros.errors import AudioFormatError, ConfigurationError, ForeignModelError
from audio_interaction_ros.protocol import Emotion
from audio_interaction_ros.runtimes.scripted import (
    SCRIPTED_TOKEN_IDS,
    ScriptedDecoder,
    ScriptedTokenizer,
)
from audio_interaction_ros.stream.chunk import EncodedChunk, SoundScores
from audio_interaction_ros.stream.events import (
    ContextRolled,
    ReplyFinished,
    ReplyStarted,
    ReplyText,
    Silence,
    SoundEnded,
    SoundStarted,
    StreamReset,
)
from audio_interaction_ros.stream.session import Session
from audio_interaction_ros.stream.sound_events import SoundDetector, SoundRule

pytestmark = pytest.mark.unit

LANES = (LaneConfig(name='transcript', kind='transcript'),
         LaneConfig(name='assistant', alerts=True))


def chunk(number, **changes):
    return replace(EncodedChunk(
        features=np.zeros((2, 4), np.float32), stamp_ns=number * 400_000_000, epoch=1, seq=number,
        model_id='scripted'), **changes)


def session(script, lanes=LANES, **fifo):
    decoder = ScriptedDecoder(script=script)
    return Session(decoder=decoder, tokenizer=ScriptedTokenizer(), lanes=lanes,
                   fifo=FifoConfig(**fifo)), decoder


def finished(events):
    return [event for event in events if isinstance(event, ReplyFinished)]


def test_each_lane_replies_on_its_own_chunk():
    """Text, emotion and stamps belong to the chunk that was answered."""
    one, _ = session({0: {2: (Emotion.NORMAL, 'hello 你好')}, 1: {1: (Emotion.URGENT, 'Fire!')}})
    events = []
    for seq in range(4):
        one.push(chunk(seq))
        events += one.drain()
    fire, hello = finished(events)
    assert (fire.lane, fire.text, fire.emotion, fire.stamp_ns) == (
        'assistant', 'Fire!', Emotion.URGENT, 800_000_000)
    assert (hello.lane, hello.text, hello.reason, hello.end_ns) == (
        'transcript', 'hello 你好', 'end', 1_200_000_000)
    deltas = [e.delta for e in events if isinstance(e, ReplyText) and e.lane == 'transcript']
    assert ''.join(deltas) == 'hello 你好' and '\ufffd' not in ''.join(deltas)


def test_prompts_that_are_read_beforehand_are_the_same_passes(monkeypatch):
    fed = []
    for early in (True, False):
        one, decoder = session({0: {1: (Emotion.NORMAL, 'hello')}})
        passes, step = [], decoder.step
        monkeypatch.setattr(decoder, 'step', lambda requests, passes=passes, step=step: (
            passes.append([(request.lane, *request.ids) for request in requests])
            or step(requests)))
        if early:
            one.read_prompts()
            assert len(passes) == 1 and not one.busy
        for seq in range(3):
            one.push(chunk(seq))
            one.drain()
        fed.append(passes)
    assert fed[0] == fed[1]


def test_a_speaking_lane_blocks_no_other_and_leaves_its_queue_alone():
    """While one lane speaks, the other takes every chunk at once."""
    one, _ = session({0: {0: (Emotion.NORMAL, 'a long reply')}})
    one.push(chunk(0))
    one.step(), one.step()
    for seq in range(1, 4):
        one.push(chunk(seq))
        decided = [e for e in one.step() if isinstance(e, Silence)]
        assert [(e.lane, e.seq) for e in decided] == [('assistant', seq)]
    assert one.queue_depth('transcript') == 3
    assert one.queue_depth('assistant') == 0
    assert one.consumed_seq == 0


@pytest.mark.parametrize(('drain', 'passes', 'replies'), [
    ('A_prime', 1, ['short']), ('A', 1, []), ('B', 1, []), ('C', 4, ['short'])])
def test_drain_layouts(drain, passes, replies):
    """An event in the middle of a backlog is caught by A' and C; A, A' and B need one pass."""
    one, decoder = session({0: {1: (Emotion.NORMAL, 'short')}}, LANES[:1], drain=drain)
    one.step()
    for seq in range(4):
        one.push(chunk(seq))
    steps = one.stats.steps
    reads = []
    events = []
    while one.busy:
        events += one.step()
        reads += [request for request in decoder.requests if len(request.feature_index)]
    assert len(reads) == passes
    assert [reply.text for reply in finished(events)] == replies
    silences = np.count_nonzero(np.concatenate([r.ids for r in reads])
                                == SCRIPTED_TOKEN_IDS.silence)
    assert silences == {'A_prime': 3, 'A': 3, 'B': 0, 'C': 2}[drain]
    assert one.stats.steps > steps


def test_budget_cancel_and_set_prompt_end_a_reply():
    """Each way to end a reply says so and the lane listens again."""
    one, _ = session({0: {0: (Emotion.NORMAL, 'much too long'), 1: (Emotion.NORMAL, 'again')}},
                     (replace(LANES[0], max_reply_tokens=4),))
    one.push(chunk(0))
    assert [reply.reason for reply in finished(one.drain())] == ['budget']
    one.push(chunk(1))
    one.step()
    assert one.cancel('transcript')
    assert [reply.reason for reply in finished(one.drain())] == ['cancel']
    assert not one.cancel('transcript')
    one.set_prompt('transcript', 'another')
    assert any(isinstance(event, StreamReset) for event in one.step())
    with pytest.raises(ConfigurationError, match='nobody'):
        one.set_prompt('nobody', '')


def test_a_new_epoch_starts_every_lane_anew():
    """The running reply ends as reset would end it and the chunks count from 0 again."""
    one, _ = session({})
    one.push(chunk(0))
    one.drain()
    one.push(chunk(0, epoch=2))
    events = one.drain()
    assert sum(isinstance(event, StreamReset) for event in events) == 2
    assert all(event.epoch == 2 for event in events if isinstance(event, Silence))


def test_foreign_stale_and_missing_chunks_are_counted():
    """A foreign model is refused by name; the stream goes on."""
    one, _ = session({})
    one.push(chunk(0))
    with pytest.raises(ForeignModelError, match='other-model'):
        one.push(chunk(1, model_id='other-model'))
    one.push(chunk(0))
    one.push(chunk(4))
    assert (one.stats.refused, one.stats.stale, one.stats.missing) == (1, 1, 3)
    assert len([e for e in one.drain() if isinstance(e, Silence)]) == 2


def test_the_robots_own_voice_gets_no_reply():
    """A flagged chunk is heard but not answered."""
    one, _ = session({0: {0: (Emotion.NORMAL, 'echo')}}, LANES[:1])
    one.push(chunk(0, robot_speaking=True))
    assert [type(event) for event in one.drain()] == [Silence]


def test_a_lane_for_alerts_hears_an_alarm_while_the_robot_speaks():
    """Its reply is marked, and comes in one piece: nobody may say it."""
    for sure in (0.0, 0.5):
        one, _ = session({0: {0: (Emotion.URGENT, 'A smoke alarm'), 1: (Emotion.NORMAL, 'Hi')}},
                         (replace(LANES[1], min_confidence=sure),))
        one.push(chunk(0, robot_speaking=True))
        started, end = one.drain()
        assert isinstance(started, ReplyStarted) and started.robot_speaking
        assert isinstance(end, ReplyFinished) and end.robot_speaking
        assert (end.text, end.emotion) == ('A smoke alarm', Emotion.URGENT)
        one.push(chunk(1))
        answer = one.drain()
        assert not answer[0].robot_speaking and not answer[-1].robot_speaking
        assert any(isinstance(event, ReplyText) for event in answer)


def test_refractory_time_and_hysteresis():
    """After a reply the lane stays silent, then needs one quiet chunk."""
    every = {0: {i: (Emotion.NORMAL, 'x') for i in range(9) if i != 6}}
    one, _ = session(every, (replace(LANES[0], refractory_s=1.2, release=0.5),))
    started = []
    for seq in range(9):
        one.push(chunk(seq))
        started += [e.seq for e in one.drain() if isinstance(e, ReplyStarted)]
    assert started == [0, 7]


def test_an_hour_in_constant_context():
    """9,000 chunks: the ring rolls, nothing grows, every chunk is consumed."""
    one, decoder = session({0: dict.fromkeys(range(50, 9000, 50), (Emotion.NORMAL, 'tick'))})
    largest, rolled, replies = 0, 0, 0
    for seq in range(9_000):
        one.push(chunk(seq))
        events = one.drain()
        largest = max(largest, *(len(request.ids) for request in decoder.requests))
        rolled += sum(isinstance(event, ContextRolled) for event in events)
        replies += len(finished(events))
    assert (one.fifo.stats.pushed, one.fifo.stats.consumed, len(one.fifo)) == (9_000, 9_000, 0)
    assert all(lane.context.used_slots <= 256 for lane in one.lanes)
    assert largest <= 8
    assert rolled > 1_000 and replies == 179


def test_a_lane_may_keep_less_than_the_others():
    """Its ring rolls earlier; more than there is it cannot keep."""
    lanes = (LANES[0], replace(LANES[1], slots=128), LaneConfig(name='greedy', slots=9_999))
    one, _ = session({}, lanes=lanes)
    rolled = []
    for seq in range(60):
        one.push(chunk(seq))
        rolled += [event.lane for event in one.drain() if isinstance(event, ContextRolled)]
    full, short, greedy = (lane.context.used_slots for lane in one.lanes)
    assert short <= 128 < full <= 256 and greedy <= 256
    assert rolled.index('assistant') < rolled.index('transcript')
    with pytest.raises(ConfigurationError, match='lane.assistant.slots'):
        replace(LANES[1], slots=64)


def test_no_two_replies_of_a_stream_are_called_the_same():
    """Neither those of two lanes, nor those of a decoder that was started again in the middle."""
    names = []
    for seqs in (range(2), range(2, 5)):
        one, _ = session({lane: {1: (Emotion.NORMAL, 'hi')} for lane in (0, 1)})
        for seq in seqs:
            one.push(chunk(seq))
            names += [event.reply_id for event in finished(one.drain())]
    assert sorted(names) == ['1-1-assistant', '1-1-transcript', '1-3-assistant', '1-3-transcript']


def sounding(number, score, **changes):
    return chunk(number, sounds=SoundScores(names=('bell',), scores=np.array([score], np.float32)),
                 **changes)


def session_that_hears(script=None):
    detector = SoundDetector({'bell': SoundRule(threshold=0.5, hits=2, of=2)})
    return Session(decoder=ScriptedDecoder(script=script or {}), tokenizer=ScriptedTokenizer(),
                   lanes=LANES, sounds=detector)


def test_sounds_are_told_by_push_before_any_pass():
    one = session_that_hears({1: {0: (Emotion.NORMAL, 'a reply that takes many passes')}})
    assert one.push(sounding(0, 0.9)) == []
    (start,) = one.push(sounding(1, 0.9))
    assert isinstance(start, SoundStarted) and start.sound == 'bell' and one.stats.steps == 0
    one.step(), one.step()  # the lane speaks
    assert one.push(sounding(2, 0.0)) == []
    (end,) = one.push(sounding(3, 0.0))
    assert isinstance(end, SoundEnded) and end.offset_ns == 800_000_000
    assert one.push(sounding(3, 0.9)) == []  # it came before
    assert not any(isinstance(event, (SoundStarted, SoundEnded)) for event in one.drain())


def test_a_new_epoch_a_gap_and_a_refused_chunk_end_what_sounds():
    for change in ({'epoch': 2, 'seq': 0}, {'seq': 4}):
        one = session_that_hears()
        one.push(sounding(0, 0.9)), one.push(sounding(1, 0.9))
        (end,) = one.push(sounding(2, 0.9, **change))
        assert isinstance(end, SoundEnded) and (end.epoch, end.seq) == (1, 1)
    one = session_that_hears()
    one.push(sounding(0, 0.9)), one.push(sounding(1, 0.9))
    with pytest.raises(AudioFormatError):
        one.push(sounding(2, 0.9, features=np.full((2, 4), np.nan, np.float32)))
    assert isinstance(one.push(sounding(3, 0.9))[0], SoundEnded)


def test_a_reset_and_other_rules_end_sounds_with_the_next_step():
    one = session_that_hears()
    for end_it in (lambda: one.reset(),
                   lambda: one.adjust_sounds({'bell': SoundRule(threshold=0.8)})):
        seq = one._next_seq
        one.push(sounding(seq, 0.9)), one.push(sounding(seq + 1, 0.9))
        one.drain()
        end_it()
        assert one.busy and sum(isinstance(event, SoundEnded) for event in one.drain()) == 1
    assert isinstance(one.push(sounding(one._next_seq, 0.9))[0], SoundStarted)


def test_a_lane_that_only_says_when_is_over_at_once_and_costs_no_pass():
    one, decoder = session({0: {1: (Emotion.NORMAL, 'unread'), 3: (Emotion.NORMAL, 'written')}},
                           LANES[:1])
    one.let_write('transcript', False)
    one.push(chunk(0))
    one.drain()
    one.push(chunk(1))
    started, over = one.step()
    assert (type(started), type(over)) == (ReplyStarted, ReplyFinished)
    assert (over.reply_id, over.text, over.reason) == (started.reply_id, '', 'end')
    assert not one.busy
    one.push(chunk(2))
    one.step()
    fed = decoder.requests[0].ids.tolist()
    assert fed[:2] == [SCRIPTED_TOKEN_IDS.respond, SCRIPTED_TOKEN_IDS.text_end], 'it knows'
    one.let_write('transcript', True)
    one.push(chunk(3))
    assert [reply.text for reply in finished(one.drain())] == ['written']
