"""What is accepted for a lane never overflows its context; what is not says what to change."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audio_interaction_ros.config import DRAIN_LAYOUTS, FifoConfig, LaneConfig
from audio_interaction_ros.errors import ConfigurationError
from audio_interaction_ros.protocol import Emotion
from audio_interaction_ros.runtimes.scripted import ScriptedDecoder, ScriptedTokenizer
from audio_interaction_ros.stream.chunk import EncodedChunk
from audio_interaction_ros.stream.events import ReplyFinished, StreamReset
from audio_interaction_ros.stream.session import Session

pytestmark = pytest.mark.unit

LANE = LaneConfig(name='assistant')
NEVER_ENDING = ''.join(chr(ord('a') + (7 * i * i + i // 5) % 26) for i in range(600))


class Talkative(ScriptedDecoder):
    """Replies to every chunk until its budget is used up; any fixed chunk will do."""

    def _decide(self, request, at):
        self._cued[request.lane] = (Emotion.NORMAL, NEVER_ENDING)
        return -5.0, 5.0


def session(lane, *, slots=256, drain='A_prime', decoder=None):
    return Session(decoder=decoder or ScriptedDecoder(script={}, max_positions=1024),
                   tokenizer=ScriptedTokenizer(),
                   lanes=(lane,), slots=slots, fifo=FifoConfig(drain=drain))


def chunk(seq):
    return EncodedChunk(features=np.zeros((2, 4), np.float32), stamp_ns=seq * 400_000_000,
                        epoch=1, seq=seq, model_id='scripted')


@settings(max_examples=60, deadline=None)
@given(slots=st.integers(128, 320), prompt=st.integers(0, 160), budget=st.integers(1, 330),
       drain=st.sampled_from(DRAIN_LAYOUTS), backlogs=st.lists(st.integers(1, 32), min_size=1,
                                                               max_size=12),
       cancels=st.sets(st.integers(0, 11)))
def test_what_is_accepted_never_overflows(slots, prompt, budget, drain, backlogs, cancels):
    """Replies of full budget and backlogs of any length, many times around the ring."""
    lane = replace(LANE, prompt='p' * prompt, max_reply_tokens=budget)
    try:
        one = session(lane, slots=slots, drain=drain,
                      decoder=Talkative(script={}, max_positions=1024))
    except ConfigurationError:
        return
    seq, events = 0, []
    for turn in range(2 * len(backlogs)):
        for _ in range(backlogs[turn % len(backlogs)]):
            one.push(chunk(seq))
            seq += 1
        if turn in cancels:
            for _ in range(5):
                events += one.step()
            one.cancel()
        events += one.drain()
    assert one.stats.faults == 0 and not any(isinstance(e, StreamReset) for e in events)
    replies = [event for event in events if isinstance(event, ReplyFinished)]
    assert replies and {reply.reason for reply in replies} <= {'budget', 'cancel', 'loop'}
    assert one.fifo.stats.consumed + one.fifo.stats.dropped == seq


@given(slots=st.integers(128, 512), prompt=st.integers(0, 300), budget=st.integers(1, 600))
@settings(max_examples=100, deadline=None)
def test_the_limits_that_a_refusal_names_are_the_limits(slots, prompt, budget):
    lane = replace(LANE, prompt='p' * prompt, max_reply_tokens=budget)
    try:
        session(lane, slots=slots)
        return
    except ConfigurationError as error:
        words = str(error)
    if 'a prompt of at most' in words:
        longest = int(words.split('a prompt of at most ')[1].split()[0])
        assert longest < prompt
        session(replace(lane, prompt='p' * longest), slots=slots)
        with pytest.raises(ConfigurationError):
            session(replace(lane, prompt='p' * (longest + 1)), slots=slots)
    if 'max_reply_tokens to' in words:
        reply = int(words.split('max_reply_tokens to ')[1].split()[0].rstrip(';'))
        session(replace(lane, max_reply_tokens=reply), slots=slots)
        with pytest.raises(ConfigurationError):
            session(replace(lane, max_reply_tokens=reply + 1), slots=slots)


@pytest.mark.parametrize(('changes', 'slots', 'words'), [
    ({'prompt': 'p' * 200}, 256, 'raise model.slots'),
    ({'prompt': 'p' * 70, 'slots': 128}, 256, r'raise lane.assistant.slots \(up to 256\)'),
    ({'max_reply_tokens': 300}, 256, 'lower lane.assistant.max_reply_tokens to 245'),
    ({'max_reply_tokens': 200, 'slots': 128}, 256, 'raise lane.assistant.slots'),
    ({'max_reply_tokens': 1020}, 1024, 'lower lane.assistant.max_reply_tokens to 1013'),
])
def test_a_lane_that_does_not_fit_is_refused_with_what_to_change(changes, slots, words):
    with pytest.raises(ConfigurationError, match=words):
        session(replace(LANE, **changes), slots=slots)


def test_a_prompt_that_does_not_fit_changes_nothing():
    one = session(replace(LANE, prompt='kept', slots=128))
    one.push(chunk(0))
    one.drain()
    used = one.lanes[0].context.used_slots
    with pytest.raises(ConfigurationError, match='at most 21 tokens'):
        one.set_prompt('assistant', 'p' * 22)
    assert not one.busy and one.lanes[0].context.used_slots == used
    one.set_prompt('assistant', 'p' * 21)
    assert [type(event) for event in one.drain()] == [StreamReset]
    for seq in range(1, 60):
        one.push(chunk(seq))
        one.drain()
    assert one.stats.faults == 0
