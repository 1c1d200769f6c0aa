"""A robot that speaks in a simulated room: what a scene holds, and what counts as heard."""

import numpy as np
import pytest

pytest.importorskip('pyroomacoustics', reason='pyroomacoustics is not installed: make workshop')

from audio_interaction_ros.audio.overhearing import EchoFrame
from audio_interaction_ros.intents.barge_in import BargeIn
from audio_interaction_ros.speech.engines import Tones
from eval.echo_figures import LINE_UP, figures
from eval.echo_scenes import BEGINS_S, RATIOS_DB, go_over, make_scene
from eval.echo_signs import SoundsBeside
from eval.echo_speaker import SceneSpeaker
from held_out.clips import RATE, root_mean_square

pytestmark = pytest.mark.unit


def test_a_scene_depends_on_its_name_and_is_as_loud_as_it_says():
    other = np.random.default_rng(0).normal(0, 0.1, RATE).astype(np.float32)
    scene = make_scene('one', Tones(), other, -10.0)
    again, third = (make_scene(name, Tones(), other, -10.0) for name in ('one', 'three'))
    assert np.array_equal(scene.heard, again.heard)
    assert not np.array_equal(scene.echo[:RATE], third.echo[:RATE])
    assert scene.begin == round(BEGINS_S * RATE) and scene.end == scene.begin + RATE
    assert not scene.other[:scene.begin].any()
    loud = root_mean_square(scene.other[scene.begin:scene.end]) / root_mean_square(scene.echo)
    assert 20 * np.log10(loud) == pytest.approx(-10.0, abs=1.0)
    assert len(scene.played) / 24_000 >= len(scene.heard) / RATE, 'it speaks to the end'
    softer = scene.softer(20.0)
    quiet = root_mean_square(scene.echo) / root_mean_square(softer.echo)
    assert 5 < quiet < 20, 'a loudspeaker that bends less at its peaks'
    assert not scene.without_robot().played.any()


def test_a_speaker_is_heard_as_the_scene_says_until_it_is_softer():
    scene = make_scene('one', Tones(), np.zeros(RATE, np.float32) + 0.01, -10.0)
    speaker, blocks, heard = SceneSpeaker(scene), [], []
    for at in range(0, 4 * RATE, 320):
        blocks += speaker.play_until((at + 320) / RATE)
        heard.append(speaker.hear(at, at + 320))
        if at == 2 * RATE:
            speaker.soften(20.0, 10.0)
    heard = np.concatenate(heard)
    assert [block.seq for block in blocks] == list(range(len(blocks)))
    assert heard[:2 * RATE] == pytest.approx(scene.heard[:2 * RATE], abs=1e-4)
    before, after = (root_mean_square(heard[begin:begin + RATE // 2])
                     for begin in (RATE, round(3.4 * RATE)))
    assert before > 3 * after
    played = np.concatenate([block.samples for block in blocks])
    assert played[:48_000] == pytest.approx(scene.played[:48_000])
    assert 1.5 < speaker.softer_s < 2.2


def row(kind, name, which, **more):
    return {'kind': kind, 'name': name, 'hearing': which, 'ratio_db': 0.0, 'begin': 4.0,
            'end': 5.0, 'group': name,
            'alerts': [], 'texts': [], 'levels': [(1.0, 1.0)] * 8, **more}


def test_what_is_told_in_time_and_in_the_right_words_counts():
    rows = [
        row('alarm', 'a', 'webrtc', accepts=['smoke_alarm'], alerts=[(4.8, 'smoke_alarm')]),
        row('alarm', 'b', 'webrtc', accepts=['smoke_alarm'], alerts=[(1.0, 'smoke_alarm')]),
        row('call', 'c', 'webrtc', texts=[(5.2, 'Stop.')]),
        row('call', 'd', 'webrtc', texts=[(5.2, 'I stop at the kitchen.')]),
        row('word', 'e', 'webrtc', word='off', texts=[(5.0, 'Turn it off!')]),
        row('speech', 'f', 'webrtc', text='one two three four', texts=[(4.8, 'one'),
                                                                     (5.9, 'one two for four')]),
        row('silence', 'g', 'webrtc', alerts=[(2.0, 'siren')],
            texts=[(3.0, 'a b'), (4.0, 'a b c')], levels=[(1.0, 0.01)] * 8)]
    measured = figures(rows, BargeIn(['stop']))
    found = measured['webrtc']
    assert [found[name].value for name in ('alarm', 'call', 'word')] == [0.5, 0.5, 1.0]
    assert found['wer'].value == pytest.approx(0.25)
    assert found['false alerts per hour'].value == pytest.approx(720.0)
    assert found['own words read per minute'].value == pytest.approx(36.0)
    assert np.isnan(measured['alone']['alarm'].value), 'nothing was heard so'
    assert measured['scenes'] == 7 and set(LINE_UP) <= set(measured)
    only = figures(rows[-1:], BargeIn(['stop']))
    assert only['erle']['webrtc, second to fourth'].value == pytest.approx(20.0)


def test_a_call_that_was_overheard_counts_and_one_that_nobody_made_is_a_false_stop():
    rows = [
        row('call', 'a', 'webrtc', texts=[], overheard=[(5.2, 'The door, stop')]),
        row('call', 'b', 'webrtc', texts=[], overheard=[(1.0, 'stop'), (5.0, 'do not stop')]),
        row('speech', 'c', 'webrtc', text='a step', overheard=[(4.8, 'The door to stop')]),
        row('speech', 'd', 'webrtc', text='the last stop', overheard=[(4.8, 'the last stop')]),
        row('silence', 'e', 'webrtc', overheard=[(2.0, 'The door')])]
    found = figures(rows, BargeIn(['stop']))['webrtc']
    assert found['call'].value == 0.0 and found['call, overheard too'].value == 0.5
    assert found['false stops per hour'].value == pytest.approx(360.0), 'one in 10 s'


def test_what_is_noticed_beside_its_voice_and_what_it_cost():
    rows = [
        row('alarm', 'a', 'webrtc', accepts=[], beside=[[1.0, 1.5], [2.5, 3.0], [4.2, 4.9]]),
        row('signal', 'b', 'webrtc', accepts=[], beside=[]),
        row('monologue', 'c', 'webrtc', end=10.0, beside=[[6.0, 6.5], [7.0, 7.5]])]
    found = figures(rows, BargeIn(['stop']))['webrtc']
    assert found['noticed beside it'].value == 0.5
    # of the first 1.0 to 3.0 s is over at 3.0, and 2.5 to 4.0: two of two; none; 3 of 8
    assert found['softer without a reason'].value == pytest.approx(5.0 / 12)


def test_what_was_not_listened_for_is_no_miss():
    unasked = row('alarm', 'a', 'webrtc', accepts=['siren'], beside=[[4.2, 4.9]])
    del unasked['alerts'], unasked['texts']
    spoken = {**unasked, 'kind': 'speech', 'name': 'b', 'text': 'a step'}
    found = figures([unasked, spoken], BargeIn(['stop']))['webrtc']
    assert np.isnan([found[name].value for name in ('alarm', 'wer')]).all()
    assert found['noticed beside it'].value == 1.0


def take(sign, number, left):
    heard = np.full(160, 0.1, np.float32)
    sign.take(EchoFrame(number * 10_000_000, heard, heard, left * heard))
    return sign.heard


def test_what_is_left_for_a_while_is_a_sign_and_a_click_is_none():
    sign = SoundsBeside()
    assert not any(take(sign, number, 0.01) for number in range(100)), 'its own voice alone'
    assert not any([take(sign, 100, 0.5), *(take(sign, 101 + n, 0.0) for n in range(30))])
    told = [take(sign, 131 + number, 0.5) for number in range(40)]
    assert told[-1] and 10 < told.index(True) < 25, 'within a quarter of a second'
    assert not take(sign, 10_000, 0.5), 'after a pause it begins anew'


def test_all_ratios_of_loudness_come_alike_often():
    ratios = [ratio for _, ratio in go_over(list('abcdef'))]
    assert sorted(ratios) == sorted(RATIOS_DB * 2)
