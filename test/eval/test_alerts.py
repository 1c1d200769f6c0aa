"""Alerts from recordings to figures, with a model that replies to what is loud."""

import argparse
import json
from dataclasses import replace

import pytest

from eval import alerts, long_streams
from eval.alert_figures import (
    StreamOutcome,
    apply_constant,
    balanced_accuracy,
    calibrations,
    choose_pair,
    figures,
    list_pairs,
    pick_threshold,
    trade_off,
)
from eval.alert_figures import _collect_cases as cases_of
from eval.listening import Listener
from eval.matching import ExpectedEvent, GivenReply
from eval.tagger import ask_tagger, read_scores
from held_out.clips import MaterialError, read_held_out, side_of

pytestmark = pytest.mark.unit

ALARM = ExpectedEvent(label='smoke_alarm', start=2.0, end=3.0, accepts=frozenset({'smoke_alarm'}))
DOG = ExpectedEvent(label='dog_bark', start=2.0, end=3.0, accepts=frozenset({'dog_bark'}))


def heard(**values):
    return StreamOutcome(**{'name': 'x', 'kind': 'event', 'seconds': 8.0, 'group': 'g', **values})


def options_of(module, folder, out, *words):
    parser = argparse.ArgumentParser()
    module.add_arguments(parser)
    return parser.parse_args(['--data', str(folder), '--out', str(out), '--evidence', 'model',
                              *words])


def test_recall_counts_each_recording_once_and_classes_alike():
    hit = (GivenReply(at=3.2, labels=frozenset({'smoke_alarm'})),)
    streams = [heard(events=(ALARM,), replies=hit, group='a'),
               heard(events=(ALARM,), group='a'), heard(events=(ALARM,), replies=hit, group='b'),
               heard(events=(DOG,), replies=hit, group='c')]
    found = figures(streams)
    assert found['recall']['any'].value == pytest.approx((0.5 + 1 + 1) / 3)
    assert found['recall']['named'].value == pytest.approx(0.5)
    assert found['recall']['any_mean_of_classes'].value == pytest.approx((2 / 3 + 1) / 2)
    assert found['classes']['dog_bark']['named'].value == 0.0
    assert found['delay']['decision_from_end_s']['p50'] == pytest.approx(0.2)
    assert found['delay']['decision_from_onset_s']['p50'] == pytest.approx(1.2)


def test_false_alarms_are_counted_on_backgrounds_only_and_chatter_apart():
    streams = [
        heard(events=(ALARM,), replies=(GivenReply(at=1.0, urgent=True),)),
        heard(kind='ambience', seconds=1800.0, raised=1, replies=(
            GivenReply(at=5.0, urgent=True), GivenReply(at=6.0, urgent=True),
            GivenReply(at=100.0))),
        heard(kind='ambience', seconds=0.0, replies=(
            GivenReply(at=5.0, urgent=True, labels=frozenset({'siren', 'horn'})),))]
    found = figures(streams)
    assert found['false_before_events'] == 1
    assert found['background']['by_label'] == {'': 2, 'horn+siren': 1}
    found = figures(streams[:-1])
    assert found['background']['false_alarms_per_hour'].value == 2.0
    assert found['background']['alerts_raised_per_hour'].value == 2.0
    assert found['background']['chatter_per_hour'].value == 2.0
    assert found['background']['silent_pieces'].value == pytest.approx(178 / 180)


def test_the_policies_without_a_model():
    streams = [heard(events=(ALARM,)), heard(kind='speech', seconds=3600.0)]
    silent, loud = (figures(apply_constant(streams, respond)) for respond in (False, True))
    assert silent['recall']['any'].value == 0.0 and loud['recall']['any'].value == 1.0
    assert silent['background']['false_replies_per_hour'].value == 0.0
    assert loud['background']['false_replies_per_hour'].value == 9000.0
    assert loud['background']['false_alarms_per_hour'].value == 360.0
    for policy in (silent, loud):
        assert policy['balanced_accuracy'].value == 0.5


def test_balanced_accuracy_of_a_perfect_model():
    streams = [heard(events=(ALARM,), replies=(GivenReply(at=2.4, urgent=True),)),
               heard(seconds=100.0)]
    cases, _ = cases_of(streams[:1])
    assert balanced_accuracy(cases, cases_of(streams[1:])[1]).value == 1.0


def test_trade_off_and_calibration_come_from_p_alone():
    streams = [heard(events=(ALARM,), p=(0, 0, 0, 0, 0, 0.7, *[0.0] * 14)),
               heard(seconds=20.0, p=(0.6, *[0.1] * 49))]
    low, middle, high = trade_off(streams, (0.5, 0.65, 0.8))
    assert (low['recall'].value, low['false_per_hour'].value) == (1.0, pytest.approx(180))
    assert (middle['recall'].value, middle['false_per_hour'].value) == (1.0, 0.0)
    assert high['recall'].value == 0.0
    found = calibrations([*streams, heard(kind='speech', p=(0.9,) * 20)])
    assert found['per chunk']['n'] == 70 and found['per event or 10 s']['n'] == 3


def test_trade_off_tells_alarms_from_chatter_by_what_would_have_been_said():
    alarm, talk = (GivenReply(at=2.4, labels=frozenset({'smoke_alarm'})),
                   GivenReply(at=2.8, text='Hello.'))
    streams = [heard(events=(ALARM,), p=(0, 0, 0, 0, 0, 0.7, 0.9),
                     asides=((5, alarm, 0.9), (6, talk, 0.9))),
               heard(seconds=3600.0, p=(0.6, 0.8), asides=((0, alarm, 0.9), (1, talk, 0.9)))]
    low, high = trade_off(streams, (0.5, 0.75))
    assert (low['recall'].value, low['named'].value) == (1.0, 1.0)
    assert (low['false_per_hour'].value, low['chatter_per_hour'].value) == (1.0, 1.0)
    assert (high['recall'].value, high['false_per_hour'].value) == (0.0, 0.0)
    assert high['chatter_per_hour'].value == 1.0


def test_a_threshold_is_picked_where_backgrounds_allow_it():
    quiet = heard(seconds=3600.0, p=(0.2, *[0.0] * 50, 0.6, *[0.0] * 50, 0.85))
    assert pick_threshold([quiet], 2.0) == pytest.approx(0.21)
    assert pick_threshold([quiet], 1.0) == pytest.approx(0.61)
    assert pick_threshold([quiet], 0.0) == pytest.approx(0.86)
    assert pick_threshold([heard(seconds=3600.0, p=(1.0,))], 0.5) is None


UNSURE = [
    heard(events=(ALARM,), p=(*[0.0] * 5, 0.6), asides=(
        (5, GivenReply(at=2.4, labels=frozenset({'smoke_alarm'})), 0.8),)),
    heard(seconds=3600.0, p=(0.7, *[0.0] * 50, 0.65), asides=(
        (0, GivenReply(at=0.4, urgent=True), 0.4), (51, GivenReply(at=20.8, text='Hello.'), 0.6)))]


def test_a_pair_is_told_by_what_it_lets_pass():
    point, = trade_off(UNSURE, [0.5], 0.5)
    assert (point['threshold'], point['min_confidence']) == (0.5, 0.5)
    assert (point['recall'].value, point['false_per_hour'].value) == (1.0, 0.0)
    assert point['chatter_per_hour'].value == 1.0
    assert trade_off(UNSURE, [0.5], 0.9)[0]['recall'].value == 0.0
    assert pick_threshold(UNSURE, 0.5) == pytest.approx(0.71)
    assert pick_threshold(UNSURE, 0.5, 0.5) == pytest.approx(0.1)


def test_the_pair_chosen_finds_most_and_then_chatters_least():
    points = list_pairs(UNSURE, 0.5, (0.0, 0.5, 0.7, 0.75, 0.9))
    assert [point['recall'].value for point in points] == [0.0, 1.0, 1.0, 1.0, 0.0]
    best = choose_pair(points)
    assert (best['min_confidence'], best['threshold']) == (0.7, 0.1)
    assert choose_pair(points[:1])['threshold'] == pytest.approx(0.71)
    assert choose_pair([]) is None and list_pairs([heard(seconds=3600.0, p=(1.0,))], 0.5) == []
    assert choose_pair(list_pairs(UNSURE[1:],
                                  0.5))['chatter_per_hour'].value == 0.0  # recall of no event


def test_pairs_are_picked_on_validation_alone():
    streams = [replace(one, side=side) for one in UNSURE for side in ('validation', 'test')]
    streams[-1] = replace(streams[-1], asides=())  # the test side never allows a threshold
    found = alerts.pick_pairs(streams, 0.5)
    assert (found['threshold'], found['min_confidence']) == (0.1, 0.65)
    assert found['validation']['false_per_hour'].value == 0.0
    assert found['test']['false_per_hour'].value == 2.0
    only, = alerts.pick_pairs(streams, 0.5, [0.5])['pairs']
    assert only['min_confidence'] == 0.5


def test_a_gate_withholds_what_the_model_doubts(parts, tmp_path, capsys):
    folder = parts.small_folder(tmp_path / 'data')
    found = {}
    for bar in ('-1', '0.999'):
        options = options_of(alerts, folder, tmp_path / bar, '--hours', '0.01', '--snr', 'dry',
                             '--min-confidence', bar)
        assert alerts.run(options, parts.loud_runtime()) == 0
        found[bar] = json.loads((tmp_path / bar / 'alerts.json').read_text())['figures']
    assert 'confidence 1.00' in capsys.readouterr().out
    assert [found[bar]['min_confidence'] for bar in found] == [0.0, 0.999]
    assert [found[bar]['model']['recall']['any']['value'] for bar in found] == [1.0, 0.0]
    assert found['0.999']['trade_off']['test'][0]['recall']['value'] == 0.0


def test_the_whole_command_and_again_from_the_cache(parts, tmp_path, capsys):
    folder, out = parts.small_folder(tmp_path / 'data'), tmp_path / 'out'
    options = options_of(alerts, folder, out, '--hours', '0.01', '--snr', 'dry', '--pick', '1')
    assert alerts.run(options, parts.loud_runtime()) == 0
    assert '7 hearings now' in capsys.readouterr().out  # a background, three events twice
    found = json.loads((out / 'alerts.json').read_text())['figures']
    recall = found['model']['recall']
    assert recall['any']['value'] == 1.0 and recall['named']['value'] == pytest.approx(2 / 3)
    assert found['model']['background']['false_alarms'] == 0
    assert found['always_silent']['recall']['any']['value'] == 0.0
    assert 'siren' in found['classes_without_recordings']
    assert found['sides']['test']['recall']['events'] == 3
    assert found['picked']['threshold'] is None  # nothing is held out of a trained group
    assert [point['recall']['value'] for point in found['trade_off']['test']][:2] == [1.0, 1.0]
    for name in ('reliability', 'tradeoff', 'recall'):
        assert (out / f'{name}.png').stat().st_size > 5_000
    assert alerts.run(options, parts.loud_runtime()) == 0
    assert '\nwritten' in (said := capsys.readouterr().out) and '(0 hearings now' in said
    options.threshold, options.beside = 0.99, tmp_path / 'earlier.json'
    options.beside.write_text((out / 'alerts.json').read_text())
    assert alerts.run(options, parts.loud_runtime()) == 0
    said = capsys.readouterr().out
    assert '(0 hearings now' in said and said.count('beside: scripted') == 2  # p never is so high
    found = json.loads((out / 'alerts.json').read_text())['figures']
    assert found['model']['recall']['any']['value'] == 0.0


def test_sides_share_no_recording(parts, tmp_path):
    folder = parts.write_folder(tmp_path, [
        ('a.wav', parts.tone(1.0), {'label': 'siren', 'source_id': parts.HELD_OUT,
                                    'licence_group': 'free'}),
        ('b.wav', parts.tone(1.0), {'label': 'siren'}),
        *((f's{i}.wav', parts.tone(1.0), {'label': 'speech_word', 'speaker': parts.HELD_OUT,
                                          'licence_group': 'free'}) for i in range(4))])
    sides = {item.path.name: side_of(item) for item in read_held_out(folder)}
    assert (sides['a.wav'], sides['b.wav']) == ('validation', 'test')
    assert len({sides[f's{i}.wav'] for i in range(4)}) == 1


def test_a_cache_is_of_one_model_and_survives_a_line_cut_off(parts, tmp_path):
    cache = tmp_path / 'hearings.jsonl'
    first = Listener(parts.loud_runtime(), alerts.make_lanes()[:1], cache=cache)
    before = first.hear('x', parts.tone(2.0))
    cache.write_text(cache.read_text() + '{"key": "cut')
    same = Listener(parts.loud_runtime(), alerts.make_lanes()[:1], cache=cache)
    assert same.hear('x', parts.tone(2.0)) == before and same.fresh == 0
    for fresh in (1, 0):
        other = Listener(parts.loud_runtime(), alerts.make_lanes(0.99)[:1], cache=cache)
        assert other.hear('x',
                          parts.tone(2.0)).replies_of('assistant') == [] and other.fresh == fresh


def test_a_lane_that_traces_never_replies_and_has_one_p_per_chunk(parts, tmp_path):
    lane, trace = (Listener(parts.loud_runtime(), (one,), cache=tmp_path / 'h').hear(
        'x', parts.tone(2.0)) for one in alerts.make_lanes())
    assert lane.replies_of('assistant')[0].at == pytest.approx(0.4) and not trace.replies
    assert len(trace.p['assistant_trace']) == 8 == len(lane.p['assistant'])
    assert trace.p['assistant_trace'][0] > 0.5 > trace.p['assistant_trace'][1]
    assert [one[:3] for one in trace.muttered] == [(0, True, 'Smoke alarm.')]
    assert 0.98 < trace.muttered[0][3] < 0.99


def test_a_long_stream_is_compared_with_its_own_beginning(parts, tmp_path):
    folder, out = parts.small_folder(tmp_path / 'data'), tmp_path / 'out'
    options = options_of(long_streams, folder, out, '--minutes', '1', '--compare', '0.4',
                         '--every', '8',
                         '--count', '1', '--snr', '30')
    assert long_streams.run(options, parts.loud_runtime()) == 0
    found = json.loads((out / 'long.json').read_text())['figures']
    assert found['pairs'] > 0 and found['recall_first']['value'] > 0
    assert (out / 'long.png').stat().st_size > 5_000


def test_what_is_lost_in_the_last_part_is_counted():
    events = tuple(ExpectedEvent(label='x', start=s, end=s + 1) for s in (10.0, 40.0, 70.0, 100.0))
    one = heard(seconds=120.0, events=events, replies=(
        *(GivenReply(at=at, urgent=True) for at in (10.4, 40.4, 70.4, 60.0)),))
    found = long_streams.figures([one], minutes=2.0, compare_min=1.0)
    assert (found['recall_first'].value, found['recall_last'].value) == (1.0, 0.5)
    assert found['last_over_first'].value == 0.5
    assert (found['found_first_lost_last'], found['found_last_only']) == (1, 0)
    assert found['false_alarms_per_hour'].value == 30.0


def test_a_tagger_stands_beside_with_its_scores_on_the_clips(parts, tmp_path):
    folder = parts.small_folder(tmp_path)
    scores = tmp_path / 'scores.jsonl'
    scores.write_text(''.join(json.dumps({'path': path, 'frames': frames}) + '\n'
                              for path, frames in [
        ('sounds/a.wav', [[[393, 0.9], [0, 0.99]], [[0, 0.9]]]), ('sounds/b.wav', [[[0, 0.9]]]),
        ('bed/a.wav', [[]] * 40), ('bed/b.wav', [[[42, 0.6]], *[[]] * 30])]))
    items = read_held_out(folder)
    read = read_scores(scores)
    heard_ = ask_tagger(items, folder, read, [item.name for item in items])
    low, high = trade_off(heard_, (0.5, 0.7))
    assert low['recall'].value == high['recall'].value == 0.5
    assert (low['false_per_hour'].value > 0, high['false_per_hour'].value) == (True, 0.0)
    scores.write_text('{"path": "x"}\n')
    with pytest.raises(MaterialError, match='scores.jsonl:1'):
        read_scores(scores)
