"""A model that fails in any way at any time: lanes lose their context, and no chunk uncounted."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from audio_interaction_ros.config import DRAIN_LAYOUTS, FifoConfig, LaneConfig
from audio_interaction_ros.errors import ModelFaultError
from audio_interaction_ros.protocol import Emotion
from audio_interaction_ros.runtimes.scripted import ScriptedDecoder, ScriptedTokenizer
from audio_interaction_ros.stream.chunk import EncodedChunk
from audio_interaction_ros.stream.events import ReplyFinished, ReplyStarted, ReplyWithheld
from audio_interaction_ros.stream.session import Session

pytestmark = pytest.mark.unit

LANES = (LaneConfig(name='transcript', kind='transcript', max_reply_tokens=4),
         LaneConfig(name='assistant', alerts=True, min_confidence=0.1))
SCRIPT = {0: {1: (Emotion.NORMAL, 'well'), 3: (Emotion.SAD, '')}, 1: {2: (Emotion.URGENT, 'hm')}}
WAYS = ('right', 'raises', 'nan', 'too few', 'none', 'no scores', 'no token', 'strange token',
        'cannot forget')


class Failing(ScriptedDecoder):
    """Answers each pass in the next of ``ways``, then rightly; keeps what each lane heard."""

    def __init__(self, ways):
        super().__init__(script=SCRIPT)
        self.ways = list(ways)
        self.heard = [[] for _ in LANES]
        self.way = 'right'

    def step(self, requests):
        self.way = self.ways.pop(0) if self.ways else 'right'
        if self.way in ('raises', 'cannot forget'):
            raise MemoryError
        results = super().step(requests)
        if self.way in ('too few', 'none'):
            return results[1:] if self.way == 'too few' else None
        results = [spoilt(self.way, result) for result in results]
        if self.way in ('right', 'no token', 'strange token'):  # what decides is right
            for request in requests:
                self.heard[request.lane] += request.features[::2, 0].astype(int).tolist()
        return results

    def _speak(self, request):
        self._says[request.lane] = self._says[request.lane] or [self.spec.token_ids.text_end]
        return super()._speak(request)

    def forget(self, lane):
        if self.way == 'cannot forget':
            raise RuntimeError('the device is gone')


def spoilt(way, result):
    if way == 'nan':
        return replace(result, control_logits=np.full_like(result.control_logits, np.nan),
                       log_prob=None if result.token is None else np.nan)
    if way == 'no scores':
        return replace(result, control_logits=result.control_logits[:0])
    if way == 'no token':
        return replace(result, token=None, log_prob=None)
    if way == 'strange token' and result.token is not None:
        return replace(result, token=-1)
    return result


def chunk(number, epoch):
    return EncodedChunk(features=np.full((2, 4), number, np.float32), epoch=epoch, seq=number,
                        stamp_ns=number * 400_000_000, model_id='scripted')


ACTIONS = st.lists(st.one_of(
    st.sampled_from(['push', 'push', 'step', 'reset', 'cancel']), st.integers(1, 3)), max_size=30)


@pytest.mark.share(2)
@given(ways=st.lists(st.sampled_from(WAYS), max_size=30), actions=ACTIONS,
       drain=st.sampled_from(DRAIN_LAYOUTS))
@example(ways=['cannot forget'] * 3, actions=['push', 'step'],
         drain='A_prime')
@example(ways=['right'] * 3 + ['no text'] * 30, actions=['push', 'push'], drain='A_prime')
def test_a_model_that_fails_at_random_costs_nothing_uncounted(ways, actions, drain):
    decoder = Failing(ways)
    session = Session(decoder=decoder, tokenizer=ScriptedTokenizer(), lanes=LANES,
                      fifo=FifoConfig(capacity=64, drain=drain))
    left, number, epoch, events = 0, 0, 1, []
    try:
        for action in [*actions, 'step']:
            if action == 'push':
                session.push(chunk(number, epoch))
                number += 1
            elif action == 'step':
                events += session.step()
            elif action == 'cancel':
                session.cancel()
            else:  # the service, or a new epoch after some chunks that were lost
                left += sum(session.fifo.count_waiting(lane) for lane in range(len(LANES)))
                session.reset()
                number += action if isinstance(action, int) else 0
            balanced(session, decoder, left)
        for _ in range(400):
            events += session.step()
        assert not session.busy, 'it never comes to rest'
        assert replies(events, ReplyStarted) == replies(events, ReplyFinished, ReplyWithheld)
    except ModelFaultError:
        pass
    balanced(session, decoder, left)


def replies(events, *kinds):
    return sorted((event.lane, event.reply_id) for event in events if isinstance(event, kinds))


def balanced(session, decoder, left):
    """Hold that every lane heard, lost or still awaits each chunk, in its order."""
    pushed, waiting = session.fifo.stats.pushed, 0
    for lane, heard in enumerate(decoder.heard):
        assert heard == sorted(set(heard))
        waiting += session.fifo.count_waiting(lane)
    assert len(LANES) * pushed == (sum(map(len, decoder.heard)) + session.stats.unheard + waiting
                                   + left)
