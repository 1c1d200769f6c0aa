"""Replies of unsure words: held back until they are over, then told whole or withheld."""

from dataclasses import replace

import numpy as np
import pytest

from audio_interaction_ros.config import LaneConfig, LaneDefaults, resolve_lanes
from audio_interaction_ros.errors import ConfigurationError
from audio_interaction_ros.protocol import Emotion
from audio_interaction_ros.runtimes.scripted import ScriptedDecoder, ScriptedTokenizer
from audio_interaction_ros.stream.chunk import EncodedChunk
from audio_interaction_ros.stream.confidence import Confidence
from audio_interaction_ros.stream.events import (
    ReplyEmotion,
    ReplyFinished,
    ReplyStarted,
    ReplyText,
    ReplyWithheld,
    Silence,
)
from audio_interaction_ros.stream.session import Session

pytestmark = pytest.mark.unit

SCRIPT = {0: {1: (Emotion.URGENT, 'A gunshot?'), 3: (Emotion.NORMAL, 'It is noon.')}}
LANE = LaneConfig(name='assistant', alerts=True)
PROBABILITY = {'sure': 0.9885, 'unsure': 0.0280}
"""Of each token that the script chooses, among the 256 bytes and the end."""


class Unsure(ScriptedDecoder):
    """Knows what to say and doubts every word of its first reply."""

    def _speak(self, request):
        logits = super()._speak(request)
        return logits * 0.2 if self._cued[request.lane][1] == 'A gunshot?' else logits


def chunk(seq):
    return EncodedChunk(features=np.zeros((2, 4), np.float32), stamp_ns=seq * 400_000_000,
                        epoch=1, seq=seq, model_id='scripted')


def session(min_confidence, decoder=Unsure):
    return Session(decoder=decoder(script=SCRIPT), tokenizer=ScriptedTokenizer(),
                   lanes=(replace(LANE, min_confidence=min_confidence),))


def heard(one, chunks=6):
    events = []
    for seq in range(chunks):
        one.push(chunk(seq))
        events += one.drain()
    return events


def of(kind, events):
    return [event for event in events if isinstance(event, kind)]


def test_confidence_is_the_geometric_mean():
    sure = Confidence()
    assert sure.value == 1.0
    sure.add(np.log(0.6))
    sure.add(np.log(0.5))
    assert sure.value == pytest.approx((0.6 * 0.5) ** 0.5)


def test_without_the_gate_words_are_shown_as_they_come():
    """0 (nothing resolved) and -1 (switched off) are the same events, unsure or not."""
    events = heard(session(0.0))
    assert heard(session(-1.0)) == events
    assert [event.text for event in of(ReplyFinished, events)] == ['A gunshot?', 'It is noon.']
    assert len(of(ReplyText, events)) == len('A gunshot?It is noon.')
    assert not of(ReplyWithheld, events)
    assert [event.confidence for event in of(ReplyFinished, events)] == pytest.approx(
        [PROBABILITY['unsure'], PROBABILITY['sure']], rel=0.02)


def test_an_unsure_reply_is_withheld_and_says_so():
    events = heard(session(0.5))
    withheld, = of(ReplyWithheld, events)
    assert (withheld.text, withheld.emotion) == ('A gunshot?', Emotion.URGENT)
    assert withheld.confidence == pytest.approx(PROBABILITY['unsure'], rel=0.02)
    assert (withheld.stamp_ns, withheld.end_ns) == (800_000_000, 800_000_000)
    assert withheld.p_respond > 0.5
    assert withheld.reply_id == of(ReplyStarted, events)[0].reply_id
    assert [event.text for event in of(ReplyFinished, events)] == ['It is noon.']
    assert all(event.reply_id != withheld.reply_id
               for event in of((ReplyText, ReplyEmotion), events))


def test_a_sure_reply_comes_whole_once_it_is_over():
    one, begun = session(0.9, ScriptedDecoder), 0
    for seq in range(2):
        one.push(chunk(seq))
    while one.busy:
        events = one.step()
        begun += len(of(ReplyStarted, events))
        if one.lanes[0].speaking:
            assert not of((ReplyText, ReplyEmotion, ReplyFinished), events)
    assert begun == 1
    emotion, text, finished = events
    assert (emotion.emotion, text.delta, text.text) == (Emotion.URGENT, 'A gunshot?', 'A gunshot?')
    plain = heard(session(0.0, ScriptedDecoder))
    assert finished == of(ReplyFinished, plain)[0]
    assert finished.text == 'A gunshot?' and emotion == of(ReplyEmotion, plain)[0]


def test_the_bar_is_the_mean_of_the_tokens():
    for bar, told in ((PROBABILITY['sure'] + 0.005, 0), (PROBABILITY['sure'] - 0.005, 2)):
        assert len(of(ReplyFinished, heard(session(bar, ScriptedDecoder)))) == told


def test_the_lane_remembers_what_it_withheld():
    """Context and decisions are those of a lane that told everybody."""
    gated, plain = session(0.5), session(0.0)
    decisions = [[(type(event), event.seq, event.p_respond)
                  for event in of((Silence, ReplyStarted), heard(one))]
                 for one in (gated, plain)]
    assert decisions[0] == decisions[1]
    assert gated.lanes[0].context.used_slots == plain.lanes[0].context.used_slots


def test_a_held_back_reply_that_is_cancelled_is_judged_by_what_there_is():
    for words, kind in ((0, ReplyFinished), (4, ReplyWithheld)):
        one = session(0.5)
        one.push(chunk(0))
        one.push(chunk(1))
        while not one.lanes[0].speaking:
            one.step()
        for _ in range(words):
            one.step()
        assert one.cancel()
        ended, = of((ReplyText, ReplyFinished, ReplyWithheld), one.drain())
        assert type(ended) is kind and ended.text == 'A gunshot?'[:max(0, words - 1)]


def test_zero_is_the_models_own_and_minus_one_switches_it_off():
    lanes = [replace(LANE, min_confidence=value) for value in (0.0, -1.0, 0.3)]
    resolved = resolve_lanes(lanes, {'assistant': LaneDefaults(min_confidence=0.8)})
    assert [lane.min_confidence for lane in resolved] == [0.8, -1.0, 0.3]
    assert resolve_lanes(lanes[:1], {})[0].min_confidence == 0.0
    for wrong in (-0.5, 1.1):
        with pytest.raises(ConfigurationError, match='min_confidence'):
            replace(LANE, min_confidence=wrong)


def test_slots_are_the_lanes_own_or_the_models():
    lanes = [replace(LANE, slots=0), replace(LANE, slots=512)]
    resolved = resolve_lanes(lanes, {'assistant': LaneDefaults(slots=256)})
    assert [lane.slots for lane in resolved] == [256, 512]
