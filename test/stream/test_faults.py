"""What fails in a lane costs that lane its context and nothing else."""

from dataclasses import replace

import numpy as np
import pytest

from audio_interaction_ros.config import LaneConfig
from audio_interaction_ros.errors import AudioFormatError, ModelFaultError
from audio_interaction_ros.protocol import Emotion
from audio_interaction_ros.runtimes.base import StepResult
from audio_interaction_ros.runtimes.scripted import ScriptedDecoder, ScriptedTokenizer
from audio_interaction_ros.stream.chunk import EncodedChunk
from audio_interaction_ros.stream.confidence import Confidence
from audio_interaction_ros.stream.decision import DecisionGate, respond_probability
from audio_interaction_ros.stream.events import (
    FinalTranslation,
    ReplyFinished,
    ReplyStarted,
    ReplyWithheld,
    Silence,
    StreamReset,
)
from audio_interaction_ros.stream.session import Session
from audio_interaction_ros.stream.text_lane import RecognisedSpeech

pytestmark = pytest.mark.unit

LANES = (LaneConfig(name='transcript', kind='transcript'),
         LaneConfig(name='translation', kind='translation'),
         LaneConfig(name='assistant', alerts=True))
NAN = float('nan')


def chunk(seq, **changes):
    return replace(EncodedChunk(
        features=np.zeros((2, 4), np.float32), stamp_ns=seq * 400_000_000, epoch=1, seq=seq,
        model_id='scripted'), **changes)


class Breaking(ScriptedDecoder):
    """Fails, or gives what is no number, where it is told to: {lane: {chunk of the lane}}."""

    def __init__(self, *, raises=None, lies=None, **options):
        super().__init__(**options)
        self.raises, self.lies = raises or {}, lies or {}
        self.passes, self.forgotten = [], []

    def forget(self, lane):
        self.forgotten.append(lane)

    def step(self, requests):
        self.passes.append([request.lane for request in requests])
        for request in requests:
            if self._due(self.raises, request):
                if len(requests) == 1:
                    self._heard[request.lane] += 1
                raise RuntimeError('out of memory')
        lies = [self._due(self.lies, request) for request in requests]
        return [self._lie(result) if lie else result
                for lie, result in zip(lies, super().step(requests), strict=True)]

    def _due(self, what, request):
        wanted = what.get(request.lane, ())
        return wanted == 'always' or (len(request.feature_index) > 0
                                      and self._heard[request.lane] in wanted)

    @staticmethod
    def _lie(result):
        return StepResult(
            control_logits=np.full_like(result.control_logits, NAN), token=result.token,
            log_prob=None if result.token is None else NAN)


def session(lanes=LANES, script=None, **options):
    text = options.pop('translate_text', False)
    decoder = Breaking(script=script or {}, **options)
    return Session(decoder=decoder, tokenizer=ScriptedTokenizer(), lanes=lanes,
                   translate_text=text), decoder


def tell(one, count, first=0):
    events = []
    for seq in range(first, first + count):
        one.push(chunk(seq))
        events += one.drain()
    return events


def decided(events, lane):
    return [event.seq for event in events
            if event.lane == lane and isinstance(event, (Silence, ReplyStarted))]


@pytest.mark.parametrize('what', ['raises', 'lies'])
def test_a_fault_costs_one_lane_its_context_and_no_other_anything(what):
    one, decoder = session(script={2: {9: (Emotion.URGENT, 'Fire!')}}, **{what: {1: {4}}})
    events = tell(one, 12)
    resets = [event for event in events if isinstance(event, StreamReset)]
    assert [event.lane for event in resets] == ['translation']
    assert ('out of memory' if what == 'raises' else 'not finite') in resets[0].fault
    assert decided(events, 'transcript') == decided(events, 'assistant') == list(range(12))
    assert decided(events, 'translation') == [seq for seq in range(12) if seq != 4]
    assert [event.text for event in events if isinstance(event, ReplyFinished)] == ['Fire!']
    assert (one.stats.faults, one.stats.unheard, one.stats.resets) == (1, 1, 0)
    assert decoder.forgotten == [1]
    assert (one.fifo.stats.consumed, len(one.fifo)) == (12, 0)


def test_what_was_said_before_the_fault_is_not_lost():
    one, decoder = session(script={2: {0: (Emotion.NORMAL, 'a long answer')}})
    one.push(chunk(0))
    for _ in range(6):
        one.step()
    decoder.lies = {2: 'always'}
    events = one.step()
    (reply,) = [event for event in events if isinstance(event, ReplyFinished)]
    assert reply.text and 'a long answer'.startswith(reply.text) and reply.reason == 'cancel'
    assert any(isinstance(event, StreamReset) and event.fault for event in events)


def test_a_lane_that_always_fails_holds_up_nobody():
    one, _ = session(raises={1: 'always'})
    events = tell(one, 20)
    assert decided(events, 'transcript') == decided(events, 'assistant') == list(range(20))
    assert not decided(events, 'translation')
    assert one.fifo.stats.consumed >= 19 and one.stats.faults >= 20
    assert one.stats.unheard + one.queue_depth('translation') == 20


@pytest.mark.parametrize('what', ['raises', 'lies'])
def test_steps_that_all_fail_end_in_an_error(what):
    one, _ = session(**{what: {0: range(99), 1: range(99), 2: range(99)}})
    with pytest.raises(ModelFaultError, match='5 steps in a row'):
        tell(one, 20)
    assert one.stats.faults == 15


def test_a_good_step_between_failures_forgives_them():
    every_other = set(range(0, 40, 2))
    one, _ = session(lies={0: every_other, 1: every_other, 2: every_other})
    events = tell(one, 30)
    assert len(decided(events, 'assistant')) == 15


@pytest.mark.parametrize('what', ['raises', 'lies'])
def test_a_text_that_cannot_be_translated_keeps_what_was_streamed(what):
    one, decoder = session(script={1: {0: (Emotion.NORMAL, 'gestreamt')}}, translate_text=True,
                           translations={'hello': '你好'})
    (reply,) = [event for event in tell(one, 1) if isinstance(event, ReplyFinished)]
    setattr(decoder, what, {3: 'always'})
    one.translate(reply, RecognisedSpeech(text='hello', language='en'))
    (final,) = [event for event in one.step() if isinstance(event, FinalTranslation)]
    assert (final.text, final.language) == ('gestreamt', '')
    setattr(decoder, what, {})
    one.translate(reply, RecognisedSpeech(text='hello', language='en'))
    (final,) = [event for event in one.drain() if isinstance(event, FinalTranslation)]
    assert final.text == '你好' and (one.stats.kept, one.stats.translated) == (1, 1)


def test_a_translation_that_waits_survives_the_reset_of_its_lane():
    one, _ = session(script={1: {0: (Emotion.NORMAL, 'gestreamt')}}, lies={1: {1}},
                     translate_text=True, translations={'hello': '你好'})
    (reply,) = [event for event in tell(one, 1) if isinstance(event, ReplyFinished)]
    one.translate(reply, RecognisedSpeech(text='hello', language='en'))
    one.push(chunk(1))
    events = one.drain()
    assert any(isinstance(event, StreamReset) and event.fault for event in events)
    assert [event.text for event in events if isinstance(event, FinalTranslation)] == ['你好']


def test_a_text_that_cannot_be_encoded_keeps_the_streamed_one():
    one, _ = session(translate_text=True)
    one.translate(ReplyFinished(
        lane='translation', stamp_ns=0, epoch=1, seq=0, reply_id='1-0-translation', text='你好',
        emotion=Emotion.NORMAL, reason='end', start_ns=0, end_ns=0, p_respond=0.9),
        RecognisedSpeech(text='\udc80', language='en'))
    one.push(chunk(0))
    events = one.drain()
    assert [event.text for event in events if isinstance(event, FinalTranslation)] == ['你好']
    assert one.stats.faults == 1 and decided(events, 'translation') == [0]


@pytest.mark.parametrize('features', [
    np.zeros((3, 4), np.float32), np.zeros((2, 5), np.float32), np.zeros((2, 4), np.int32),
    np.full((2, 4), NAN, np.float32), np.full((2, 4), np.inf, np.float32)])
def test_a_chunk_that_is_no_chunk_of_this_model_is_refused_at_the_door(features):
    one, _ = session()
    one.push(chunk(0))
    with pytest.raises(AudioFormatError, match='expected features'):
        one.push(chunk(1, features=features))
    one.push(chunk(2))
    events = one.drain()
    assert (one.stats.refused, one.stats.missing, one.stats.faults) == (1, 0, 0)
    assert [event for event in events if isinstance(event, Silence)]


def test_what_is_no_number_is_silence():
    for bad in (NAN, np.inf, -np.inf):
        logits = np.array([[0.0, bad], [bad, 0.0], [bad, bad], [-3.0, 3.0]], np.float32)
        p_respond = respond_probability(logits)
        assert p_respond[:3].tolist() == [0, 0, 0] and p_respond[3] > 0.99
    gate = DecisionGate(threshold=0.5, release=0.4, refractory_ns=0)
    assert not gate.decide(NAN, 0)
    assert gate.decide(0.9, 1)
    assert not gate.decide(NAN, 2) and not gate.decide(0.9, 3)  # NaN is no release either


def test_a_reply_of_unknown_confidence_is_withheld(monkeypatch):
    monkeypatch.setattr(Confidence, 'value', property(lambda _self: NAN))
    one, _ = session((replace(LANES[0], min_confidence=0.1),),
                     script={0: {0: (Emotion.NORMAL, 'hm')}})
    events = tell(one, 1)
    assert [type(event) for event in events if hasattr(event, 'text')] == [ReplyWithheld]


def test_a_chunk_with_a_result_does_not_count_as_unheard_in_a_later_fault(monkeypatch):
    one, _ = session(LANES[:1])
    tell(one, 1)
    one.push(chunk(1))
    with monkeypatch.context() as broken:
        broken.setattr(one.fifo, 'take', lambda lane, most: 1 / 0)
        assert any(isinstance(event, StreamReset) for event in one.step())
    assert decided(one.drain(), LANES[0].name) == [1]
    assert (one.stats.faults, one.stats.unheard) == (1, 0)
