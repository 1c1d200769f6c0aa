"""Order, bounds and repeats of what is to be said; what the loudspeaker is given of it."""

import numpy as np
import pytest

from audio_interaction_ros.speech.playback import Playback
from audio_interaction_ros.speech.queue import Priority, SpeechQueue, Utterance

pytestmark = pytest.mark.unit


def text(number, priority=Priority.NORMAL, **more):
    return Utterance(number=number, text=f'text {number}', priority=priority, **more)


def drain(queue):
    taken = []
    while (item := queue.take()) is not None:
        taken.append(item.number)
    return taken


def test_the_most_urgent_comes_first_and_those_alike_in_their_order():
    queue = SpeechQueue(capacity=8, repeat_s=60)
    for number, priority in enumerate((1, 3, 0, 1, 3, 2), start=1):
        assert queue.offer(text(number, Priority(priority)), 0.0) == []
    assert drain(queue) == [2, 5, 6, 1, 4, 3]


def test_what_is_least_urgent_goes_and_is_named():
    queue = SpeechQueue(capacity=2, repeat_s=60)
    queue.offer(text(1), 0.0)
    queue.offer(text(2), 0.0)
    (lost,) = queue.offer(text(3), 0.0)
    assert lost.utterance.number == 3 and '2 texts wait already' in lost.reason
    (lost,) = queue.offer(text(4, Priority.CRITICAL), 0.0)
    assert lost.utterance.number == 2
    assert drain(queue) == [4, 1] and queue.dropped == 2


def test_the_same_alert_is_told_once_unless_it_gets_worse_or_time_passes():
    queue = SpeechQueue(capacity=8, repeat_s=60)
    smoke = {'alert': 'smoke_alarm', 'origin': 'alert'}
    assert queue.offer(text(1, severity=2, **smoke), 0.0) == []
    (lost,) = queue.offer(text(2, severity=2, **smoke), 59.0)
    assert 'told already' in lost.reason
    assert queue.offer(text(3, severity=3, **smoke), 59.0) == []
    assert queue.offer(text(4, severity=2, **smoke), 120.0) == []
    assert queue.offer(text(5, alert='dog', origin='alert'), 120.0) == []


def test_a_reply_in_the_words_of_an_alert_is_a_repeat_and_what_was_asked_for_never_is():
    queue = SpeechQueue(capacity=8, repeat_s=60)
    words = 'A smoke alarm is sounding.'
    queue.offer(Utterance(number=1, text=words, alert='smoke_alarm', origin='alert'), 0.0)
    again = {'text': words.upper()}
    assert queue.offer(Utterance(number=2, origin='reply', **again), 1.0)
    assert not queue.offer(Utterance(number=3, origin='action', **again), 1.0)
    assert not queue.offer(Utterance(number=4, origin='reply', text='Yes.'), 1.0)
    assert not queue.offer(Utterance(number=5, origin='reply', text='Yes.'), 1.0)


def test_texts_can_be_withdrawn_and_cleared():
    queue = SpeechQueue(capacity=8, repeat_s=0)
    for number, priority in enumerate((1, 3, 0), start=1):
        queue.offer(text(number, Priority(priority)), 0.0)
    assert queue.withdraw(3) and not queue.withdraw(3)
    assert [item.utterance.number for item in queue.clear('why', below=Priority.HIGH)] == [1]
    assert drain(queue) == [2]


def ones(count):
    return np.ones(count, np.float32)


def test_blocks_hold_exactly_what_was_put_with_a_pause_between_parts():
    playback = Playback(rate_hz=1000)
    assert not playback.take(20).samples.any()
    playback.begin(1)
    assert playback.put(1, ones(30), 0.5) and playback.put(1, ones(30), 0.5)
    playback.finish(1)
    blocks = []
    while not blocks or not blocks[-1].over:
        blocks.append(playback.take(20))
    heard = np.concatenate([block.samples for block in blocks])
    assert heard.sum() == 60 and heard[:30].all() and not heard[30:230].any()
    assert heard[230:260].all()
    assert blocks[-1].spoken == 1.0 and playback.number == 0
    shares = [block.spoken for block in blocks]
    assert shares == sorted(shares) and 0.3 < shares[0] < 0.4
    assert {block.number for block in blocks} == {1}


def test_speech_that_is_stopped_fades_out_within_ten_milliseconds_and_is_over():
    playback = Playback(rate_hz=16000)
    playback.begin(7)
    playback.put(7, ones(16000), 1.0)
    playback.take(1600)
    assert playback.stop() == 7
    assert not playback.put(7, ones(10), 0.0)
    last = playback.take(1600)
    assert last.over and last.number == 7 and last.speaking
    assert 0.05 < last.spoken < 0.2
    assert np.all(np.diff(last.samples[:160]) <= 0) and not last.samples[160:].any()
    assert playback.number == 0 and not playback.take(160).samples.any()
    assert playback.stop() == 0


def test_speech_that_is_not_made_yet_is_waited_for():
    playback = Playback(rate_hz=1000)
    playback.begin(1)
    quiet = playback.take(20)
    assert not quiet.over and not quiet.speaking and quiet.number == 1
    playback.put(1, ones(5), 1.0)
    playback.finish(1)
    assert playback.take(20).over
    assert not playback.put(1, ones(5), 1.0), 'it is over'
    playback.finish(1)
    playback.begin(2)
    assert not playback.take(20).over


def test_softened_speech_gets_softer_and_loud_again_without_a_step():
    playback = Playback(rate_hz=1000)
    playback.begin(1)
    playback.put(1, ones(1000), 1.0)
    playback.take(100)
    playback.soften(0.25, 0.4)
    heard = np.concatenate([playback.take(70).samples for _ in range(10)])
    assert np.abs(np.diff(heard)).max() <= 1 / 100 + 1e-6, 'from one to none in 0.1 s'
    assert heard[75:400] == pytest.approx(0.25) and heard[400] > 0.25
    assert np.all(heard[475:] == 1.0)


def test_another_sign_of_somebody_keeps_it_soft_and_the_next_text_is_loud():
    playback = Playback(rate_hz=1000)
    playback.begin(1)
    playback.put(1, ones(1000), 1.0)
    for _ in range(5):
        playback.soften(0.5, 0.1)
        last = playback.take(90).samples
    assert last == pytest.approx(0.5)
    playback.stop()
    assert playback.take(20).over
    playback.begin(2)
    playback.put(2, ones(100), 1.0)
    assert np.all(playback.take(50).samples == 1.0)
