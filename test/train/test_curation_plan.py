import dataclasses
import json
import math

import pytest

from train.curation.plan import (
    Constraint,
    ScenarioPlan,
    ScenarioPlanError,
    SubEvent,
    check,
    find_problems,
    plan_schema,
    read_plan,
)
from train.records import to_dict

pytestmark = pytest.mark.unit


def event(name='bark', role='foreground', seconds=2.0, **changes):
    return SubEvent(**{
        'name': name, 'role': role, 'rough_duration_s': seconds,
        'brief_description': 'a dog barks', 'query': 'a large dog barks twice',
        'caption': 'A large dog barks loudly. It stands on gravel.', 'accept_tags': ('dog_bark',),
        **changes})


GOOD = ScenarioPlan(scenario='A dog at a garden gate.', seconds=20.0, sub_events=(
    event('garden', 'ambient', 20.0, place='outdoors'), event('bark'),
    event('bell', seconds=1.0), event('mower', 'background', 8.0)))


def with_events(*events):
    return dataclasses.replace(GOOD, sub_events=events)


def test_a_good_plan_passes_and_survives_json():
    assert check(GOOD) is GOOD
    assert read_plan(json.loads(json.dumps(to_dict(GOOD)))) == GOOD


AMBIENT = GOOD.sub_events[0]


@pytest.mark.parametrize(('plan', 'said'), [
    (with_events(), '3 to 15 sub-events, got 0'),
    (with_events(AMBIENT, *(event(f'e{i}', seconds=0.2) for i in range(39))),
     '3 to 15 sub-events, got 40'),
    (with_events(AMBIENT, event(), event('mower', 'background', 21.0)), "'mower': expected a dur"),
    (with_events(event(), event('b'), event('c', 'ambient', 10.0)), 'no ambient sub-event spans'),
    (with_events(event(), event('b'), event('c')), 'no ambient sub-event spans'),
    (with_events(AMBIENT, event(), event()), "2 sub-events are called 'bark'"),
    (with_events(AMBIENT, event('a', seconds=11.0), event('b', seconds=11.0)), 'do not fit'),
    (with_events(AMBIENT, event(), event('kitchen', 'ambient', 20.0, place='indoors')),
     'ambient sub-events contradict'),
    (with_events(AMBIENT, event(), event('b', role='solo')), 'expected a role'),
    (with_events(AMBIENT, event(), event('b', seconds=0.0)), 'expected a duration'),
    (with_events(AMBIENT, event(), event('b', seconds=-3.0)), 'expected a duration'),
    (with_events(AMBIENT, event(), event('b', seconds=math.nan)), 'expected a duration'),
    (with_events(AMBIENT, event(), event('b', query='dog')), '4 to 12 words, got 1'),
    (with_events(AMBIENT, event(), event('b', query='dog ' * 13)), '4 to 12 words, got 13'),
    (with_events(AMBIENT, event(), event('b', caption='One. Two. Three.')), '1 or 2 sentences'),
    (with_events(AMBIENT, event(), event('b', accept_tags=())), 'accept_tags'),
    (with_events(AMBIENT, event(), event('b', accept_tags=('Dog Bark',))), 'accept_tags'),
    (with_events(AMBIENT, event(), event('b', place='moon')), 'expected a place'),
    (dataclasses.replace(GOOD, scenario='  '), 'scenario is empty'),
    (dataclasses.replace(GOOD, seconds=math.inf), 'expected a stream'),
])
def test_a_plan_that_cannot_be_is_refused(plan, said):
    assert any(said in text for text in find_problems(plan)), find_problems(plan)
    with pytest.raises(ScenarioPlanError, match='must make another'):
        check(plan)


@pytest.mark.parametrize(('rules', 'said'), [
    ([('before', 'bell', 'bark')], 'contradicts the order of the foregrounds'),
    ([('before', 'garden', 'bark')], 'longer than the stream'),
    ([('not_together', 'garden', 'mower')], 'longer than the stream'),
    ([('before', 'mower', 'bark'), ('before', 'bark', 'mower')], 'contradicts its opposite'),
    ([('before', 'bark', 'bark')], 'against itself'),
    ([('before', 'bark', 'horse')], "names no sub-event: ['horse']"),
    ([('beside', 'bark', 'bell')], 'expected a constraint'),
])
def test_contradicting_constraints_are_refused(rules, said):
    plan = dataclasses.replace(GOOD, constraints=tuple(
        Constraint(kind=kind, first=first, second=second) for kind, first, second in rules))
    assert any(said in text for text in find_problems(plan)), find_problems(plan)


def test_constraints_that_can_hold_pass():
    check(dataclasses.replace(GOOD, constraints=(
        Constraint(kind='before', first='bark', second='bell'),
        Constraint(kind='not_together', first='bark', second='mower'))))


@pytest.mark.parametrize('caption', [
    'A dog', 'A bark of 0.5 s at 2.5 m!', 'A dog barks... It is near?', '一只狗在叫。很近。'])
def test_sentences_are_counted_as_people_do(caption):
    check(with_events(AMBIENT, event(), event('b', caption=caption)))


@pytest.mark.parametrize('values', [
    None, [], 'plan', {}, {'scenario': 1}, {**to_dict(GOOD), 'colour': 1},
    {**to_dict(GOOD), 'sub_events': [{'name': 'x'}]}])
def test_what_is_no_plan_is_refused(values):
    with pytest.raises(ScenarioPlanError):
        read_plan(values)


def test_the_schema_names_what_a_plan_has():
    schema = plan_schema()
    fields = {name for part in ('scenario', 'queries') for name in
              schema[part]['properties']['sub_events']['items']['properties']}
    assert fields == {field.name for field in dataclasses.fields(SubEvent)}
    assert schema['scenario']['additionalProperties'] is False
