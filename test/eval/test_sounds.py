"""Alerts that sounds decide: from scores of chunks to thresholds, figures and misses."""

import json
from types import SimpleNamespace
from unittest import mock

import numpy as np
import pytest
from safetensors.numpy import save_file

from audio_interaction_ros.errors import ConfigurationError
from audio_interaction_ros.model.sound_head import SoundHead
from audio_interaction_ros.stream.sound_events import SoundRule
from audio_interaction_ros.stream.sound_scores import SoundScorer
from eval.alert_figures.outcome import StreamOutcome
from eval.matching import ExpectedEvent, GivenReply
from eval.scenes import Scene
from eval.sounds.beside import HEAD, _split
from eval.sounds.confusion import confusions, misses
from eval.sounds.detection import ScoredStream, raise_alerts
from eval.sounds.embeddings import HeardScene
from eval.sounds.false_alarms import list_false_alarms
from eval.sounds.figures import (
    PRESENT,
    UNKNOWN,
    calibration_by_class,
    goals,
    point_of,
    truth_of,
)
from eval.sounds.figures import (
    test_figures as figures_of_test,
)
from eval.sounds.run import measure, parse_rates
from eval.sounds.scorers import (
    BRANCH,
    BranchScorer,
    HeadScorer,
    SumScorer,
    TaggerScorer,
    logits_of,
    probabilities_of,
)
from eval.sounds.settings import Setting, choose_setting, join_model, trade_off
from eval.sounds.subset import public_subset
from eval.sounds.thresholds import SideError, background_levels, choose_shift, move_thresholds
from held_out.classes import robot_rules

pytestmark = pytest.mark.unit

KNOWN = robot_rules()
RULES = {'smoke_alarm': SoundRule(threshold=0.5), 'gunshot': SoundRule(threshold=0.5),
         'cough': SoundRule(threshold=0.5)}
NAMES = tuple(RULES)
SMOKE = ExpectedEvent(label='smoke_alarm', start=2.0, end=4.0,
                      accepts=frozenset({'smoke_alarm', 'fire_alarm'}))
SHOT = ExpectedEvent(label='gunshot', start=2.0, end=4.0, accepts=frozenset({'gunshot'}))


def stream(scores, *, events=(), side='test', kind='', condition='dry', name='x', label=''):
    """Return a stream with scores {class: [chunks]}; classes without are at 0.01."""
    count = len(next(iter(scores.values())))
    table = np.full((count, len(NAMES)), 0.01, np.float32)
    for sound, values in scores.items():
        table[:, NAMES.index(sound)] = values
    kind = kind or ('event' if events else 'ambience')
    scene = Scene(name=name, kind=kind, samples=np.empty(0, np.float32), events=events,
                  group=name, side=side, condition=condition if events else '', label=label)
    return ScoredStream(HeardScene(scene, count * 0.4, path=None), NAMES, table)


def burst(at, score=0.9, chunks=20):
    """Return scores that are high in one chunk."""
    values = np.full(chunks, 0.01, np.float32)
    values[at] = score
    return values


def quiet(level=0.01, chunks=9000):
    """Return an hour of validation background, with one chunk in 9000 above its level."""
    values = np.full(chunks, level, np.float32)
    values[chunks // 2] = 0.6
    return values


def test_a_score_that_reaches_its_threshold_is_an_alert_at_the_end_of_its_chunk():
    outcome = raise_alerts(stream({'gunshot': burst(5)}, events=(SHOT,)), RULES, KNOWN)
    assert [(said.at, said.labels) for said in outcome.replies] == [
        (pytest.approx(2.4), frozenset({'gunshot'}))]
    assert outcome.raised == 1 and outcome.events == (SHOT,)
    assert max(outcome.p) == pytest.approx(0.9)


def test_below_its_threshold_there_is_none_and_a_class_without_a_rule_raises_nothing():
    below = stream({'gunshot': burst(5, 0.4)})
    other = raise_alerts(stream({'cough': burst(5)}), {'gunshot': RULES['gunshot']}, KNOWN)
    assert raise_alerts(below, RULES, KNOWN).replies == () == other.replies


def test_alerts_of_one_chunk_are_one_reply():
    both = stream({'gunshot': burst(5), 'cough': burst(5)})
    assert [said.labels for said in raise_alerts(both, RULES, KNOWN).replies] == [
        frozenset({'gunshot', 'cough'})]


def test_log_odds_and_scores_turn_into_each_other():
    scores = np.array([0.0, 1e-6, 0.3, 0.5, 1.0])
    assert probabilities_of(logits_of(scores))[1:4] == pytest.approx(scores[1:4], rel=1e-5)
    assert logits_of(scores)[[0, 3, 4]].tolist() == [-30.0, 0.0, 30.0]


def test_yamnet_scores_a_class_by_the_largest_of_its_own():
    weight, bias = np.zeros((521, 1024), np.float32), np.full(521, -4.0, np.float32)
    weight[394, 0], weight[421, 1] = 2.0, 5.0
    embeddings = np.zeros((2, 1100), np.float16)
    embeddings[0, -1024], embeddings[1, -1023] = 3.0, 1.0
    scorer = TaggerScorer(weight, bias)
    found = dict(zip(scorer.classes, scorer.score(embeddings).T, strict=True))
    assert logits_of(found['fire_alarm']) == pytest.approx([2.0, -4.0], abs=1e-4)
    assert logits_of(found['gunshot']) == pytest.approx([-4.0, 1.0], abs=1e-4)


def write_head(path, classes=('gunshot', 'cough'), context=3, width=6, hidden=4, middle=5):
    """Write a head of random weights in the form of docs/sounds.md."""
    rng = np.random.default_rng(0)
    shapes = {'hidden': (hidden, width), 'context': (middle, context * hidden),
              'classes': (len(classes), middle)}
    tensors = {f'{name}.{part}': rng.standard_normal(shape if part == 'weight' else shape[:1]
                                                     ).astype(np.float16)
               for name, shape in shapes.items() for part in ('weight', 'bias')}
    save_file(tensors, path, metadata={'format': 'audio-interaction-sounds/1',
                                       'classes': json.dumps(classes),
                                       'context': json.dumps(context)})
    return path


def test_a_head_scores_a_stream_as_the_robot_scores_chunk_by_chunk(tmp_path):
    path = write_head(tmp_path / 'sounds.safetensors')
    scorer, robot = HeadScorer(path), SoundScorer(SoundHead.read(path))
    embeddings = np.random.default_rng(1).standard_normal((7, 6)).astype(np.float16)
    found = scorer.score(embeddings)
    one_by_one = [robot.push(chunk.astype(np.float32)).scores for chunk in embeddings]
    assert scorer.classes == ('gunshot', 'cough')
    np.testing.assert_allclose(found, one_by_one, atol=1e-5)


def test_the_branch_scores_a_class_by_the_largest_of_its_sounds(tmp_path):
    path = tmp_path / 'trained.safetensors'
    save_file({'sound.hidden.weight': np.eye(2, 3, dtype=np.float16),
               'sound.hidden.bias': np.full(2, 20.0, np.float16),
               'sound.classes.weight': np.array([[0.1, 0], [0, 0.1], [0, 0]], np.float16),
               'sound.classes.bias': np.array([-2, -2, 1], np.float16)}, path)
    scorer = BranchScorer(path, ('glass_break', 'dish_break', 'cough'))
    assert scorer.classes == tuple(name for name in BRANCH if name in ('glass_break', 'cough'))
    found = logits_of(scorer.score(np.array([[10, 0, 0], [0, 30, 0]], np.float16)))
    glass = found[:, scorer.classes.index('glass_break')]
    assert glass == pytest.approx([1.0, 3.0], abs=0.01)


def test_the_sum_has_the_classes_of_both_and_the_mean_of_their_log_odds():
    def scorer(classes, scores):
        return SimpleNamespace(classes=classes, score=lambda _: np.array([scores], np.float32))
    both = SumScorer(scorer(('a', 'b'), [0.9, 0.5]), scorer(('b', 'c'), [0.8, 0.1]))
    assert both.classes == ('b',)
    assert logits_of(both.score(np.empty((1, 1))))[0, 0] == pytest.approx(np.log(4) / 2, abs=1e-5)


def test_thresholds_are_never_chosen_on_what_they_are_reported_on():
    with pytest.raises(SideError, match='validation'):
        background_levels([stream({'cough': burst(3)}, side='test')], RULES)
    with pytest.raises(SideError, match='validation'):
        background_levels([stream({'cough': burst(3)}, side='validation', events=(SMOKE,))], RULES)
    with pytest.raises(SideError, match='none'):
        background_levels([], RULES)


def test_the_lowest_shift_within_the_rates_is_chosen():
    streams = [stream({'gunshot': quiet()}, side='validation')]
    rates = {'ambience': 0.5, 'speech': 0.5, 'harmless': 5.0}
    shift = choose_shift(streams, RULES, KNOWN, rates)
    assert background_levels(streams, RULES)['gunshot'] == pytest.approx(
        float(logits_of(np.float32(0.6))))
    assert shift == 0.5  # at 0 the loudest chunk still reaches it
    # there the others, all of whose chunks are alike, begin as well
    looser = choose_shift(streams, RULES, KNOWN, rates | {'ambience': 2.0})
    assert looser < shift and choose_shift(streams, RULES, KNOWN, rates | {'ambience': -1}) is None


def test_a_level_is_of_as_many_chunks_as_the_rule_asks_for():
    streams = [stream({'gunshot': [0.1, 0.9, 0.1, 0.7, 0.1]}, side='validation')]
    for hits, expected in ((1, 0.9), (2, 0.7), (3, 0.1)):
        found = background_levels(streams, {'gunshot': SoundRule(threshold=0.5, hits=hits, of=3)})
        assert found['gunshot'] == pytest.approx(float(logits_of(np.float32(expected))), abs=1e-4)


def test_each_class_is_put_on_its_own_scale():
    moved = move_thresholds(RULES, {'gunshot': -4.0, 'cough': -1.0}, 2.0)
    assert set(moved) == {'gunshot', 'cough'}
    assert logits_of(np.array([moved['gunshot'].threshold, moved['cough'].threshold])
                     ) == pytest.approx([-2.0, 1.0], abs=1e-5)


def test_chosen_settings_take_thresholds_of_validation_and_curves_tell_of_test():
    streams = [stream({'gunshot': quiet()}, side='validation', name='v'),
               stream({'gunshot': burst(6, 0.9)}, events=(SHOT,)),
               stream({'gunshot': burst(6, 0.3)}, kind='single', name='single')]
    setting = choose_setting('some', streams, RULES, KNOWN)
    assert 0.6 < setting.rules['gunshot'].threshold < 0.8
    assert [len(outcome.replies) for outcome in setting.outcomes] == [0, 1, 0]
    assert choose_setting('some', streams[1:], RULES, KNOWN) is None
    assert trade_off(streams[1:], RULES, KNOWN) == []
    points = trade_off(streams, RULES, KNOWN)
    found = {name: [point[name].value for point in points] for name in ('named', 'singles')}
    assert max(found['named']) == 1.0 and found['named'][-1] == 0.0
    assert found['singles'][0] == 1.0 and found['singles'][-1] == 0.0


def test_truth_leaves_out_edges_and_what_passes_for_a_class():
    event = ExpectedEvent(label='smoke_alarm', start=0.5, end=1.3)
    assert truth_of([event], 'smoke_alarm', 7).tolist() == [
        0, 1, 1, UNKNOWN, UNKNOWN, UNKNOWN, 0]
    assert truth_of([event], 'fire_alarm', 3).tolist() == [0, UNKNOWN, UNKNOWN]
    assert truth_of([event], 'gunshot', 3).tolist() == [0, 0, 0]
    assert truth_of([event], 'smoke_alarm', 2)[1] == PRESENT


def test_calibration_is_told_of_classes_that_sound():
    scores = np.full(20, 0.0, np.float32)
    scores[5:10] = 0.8
    found = calibration_by_class([stream({'smoke_alarm': scores}, events=(SMOKE,))], NAMES)
    assert set(found) == {'smoke_alarm'}
    row = found['smoke_alarm']
    assert row['present'] == 5 and row['ece_sure'] == pytest.approx(0.2, abs=1e-6)
    assert row['ece'] == pytest.approx(0.2 * 5 / row['n'], abs=1e-6)


def outcome(name, replies=(), events=(), **values):
    return StreamOutcome(**{'name': name, 'kind': 'event' if events else 'ambience',
                            'seconds': 3600.0, 'group': name, 'side': 'test', 'replies': tuple(
                                GivenReply(at=at, labels=frozenset(labels))
                                for at, labels in replies),
                            'events': tuple(events), 'condition': 'dry' if events else '',
                            **values})


def test_only_the_test_side_is_reported_and_single_sounds_are_no_background():
    found = figures_of_test([
        outcome('hit', [(3.2, {'smoke_alarm'})], [SMOKE]),
        outcome('late', [(2.4, {'cough'}), (3.2, {'smoke_alarm'})], [SMOKE]),
        outcome('other side', [], [SMOKE], side='validation'),
        outcome('background'), outcome('one', [(1.0, {'cough'})], kind='single'),
        outcome('two', kind='single')])
    assert found['by_condition']['dry']['recall']['named'].value == 0.5
    assert found['by_condition']['dry']['named_later'].value == 1.0
    assert found['background']['false_alarms'] == 0
    assert found['singles']['recordings'] == 2 and found['singles']['share'].value == 0.5
    assert point_of([outcome('background')])['singles'].n == 0


def test_goals_say_what_was_found_and_whether_that_is_enough():
    found = figures_of_test([outcome('hit', [(2.4, {'smoke_alarm'})], [SMOKE]),
                             outcome('background', [(9.0, {'cough'})])])
    met = {row['name']: row['met'] for row in goals(found, {'cough': {'ece': 0.2}})}
    assert met['recall rightly named, mean of classes, dry'] and met['smoke_alarm, dry']
    assert not met['false alarms per hour, ambience']
    assert met['from onset to alert, p50, s']
    assert met['calibration error, worst class (cough)'] is False


def test_confusions_and_misses_name_what_came_instead():
    streams = [stream({'gunshot': burst(6, 0.3)}, events=(SHOT,), name='a.flac dry')]
    outcomes = [raise_alerts(streams[0], RULES, KNOWN)]
    assert confusions([*outcomes, outcome('b', [(3.0, {'cough'})], [SHOT])]) == {
        'gunshot': {'nothing': 1, 'cough': 1}}
    (missed,) = misses(streams, outcomes, RULES)
    assert missed['named'] == [] and missed['own'] == {
        'class': 'gunshot', 'score': 0.3, 'threshold': 0.5}
    assert missed['top'][0]['class'] == 'gunshot'


def test_a_false_alarm_is_told_with_the_recording_that_it_was_raised_in():
    heard = [outcome('street', [(1.0, {'horn'}), (30.4, {'siren'})], kind='ambience'),
             outcome('hit', [(9.0, {'horn'})], [SMOKE]), outcome('one', [(1.0, {'horn'})],
                                                                 kind='single')]
    rows = list_false_alarms(heard, {'street': ((0.0, 'busy.ogg'), (20.0, 'quiet.ogg'))})
    assert [(row['alerts'], row['recording']) for row in rows] == [
        (['horn'], 'busy.ogg'), (['siren'], 'quiet.ogg')]
    assert list_false_alarms(heard, {})[0]['recording'] == ''


def test_always_silent_is_right_as_often_as_in_the_benchmark():
    heard = [outcome('shot', [], [SHOT]), outcome('music', kind='single', label='music'),
             outcome('odd', kind='single', label='no such label')]
    found = public_subset(heard)
    assert found['rows'] == 2
    assert found['at_their_share'].value == pytest.approx(0.5854)
    assert found['balanced_accuracy'].value == 0.5


def test_replies_count_beside_sounds_for_what_no_sound_is_heard_of():
    streams = [stream({'gunshot': burst(6)}, events=(SHOT,))] * 2
    sounds = Setting.decide('sounds', streams, RULES, KNOWN)
    said = outcome('x', [(3.0, {'cough'}), (3.5, {'machine_fault', 'cough'})], [SHOT])
    both, model = join_model(sounds, {1: said}, KNOWN)
    assert [said.labels for said in both.outcomes[1].replies] == [{'gunshot'}, {'machine_fault'}]
    assert both.outcomes[1].raised == 2
    assert model.outcomes[1] == said
    for setting in (both, model):
        assert setting.outcomes[0].replies == () and setting.unheard == {0}


def test_both_ways_of_the_model_are_measured_beside_sounds_on_the_test_side_only():
    heard = [stream({'gunshot': burst(6)}, events=(SHOT,), side=side)
             for side in ('validation', 'test')]
    scorer = SimpleNamespace(name=HEAD, classes=heard[0].names,
                             score=lambda embeddings: embeddings)
    scenes = [HeardScene(item.heard.scene, item.heard.seconds, None) for item in heard]
    with mock.patch.object(HeardScene, 'read', lambda _: heard[0].scores):
        found = measure(scenes, [scorer], RULES, KNOWN, said={
            1: outcome('x', [(2.4, {'machine_fault'})], [SHOT])})['settings']
    assert list(found)[1:] == ['both: sounds, and replies', 'replies of the model']
    named = [row['recall']['named_mean_of_classes'].value for row in found.values()]
    assert named == [1.0, 0.0, 0.0]  # the wrong reply comes before the sound is sure
    assert [row['validation'] is None for row in found.values()] == [False, True, True]


@pytest.mark.parametrize('text', ['ambience=1', 'ambience=x,speech=1,harmless=1', ''])
def test_rates_that_lack_a_kind_are_refused(text):
    with pytest.raises(ConfigurationError, match='--rates'):
        parse_rates(text)


def test_other_heads_are_named():
    assert _split('without YAMNet=a.safetensors') == ('without YAMNet', 'a.safetensors')
    with pytest.raises(ConfigurationError, match='NAME=FILE'):
        _split('a.safetensors')
