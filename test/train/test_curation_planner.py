from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from train.curation import planner
from train.curation.plan import ScenarioPlanError, find_problems
from train.curation.planner import GrammarPlanner, draw_bag
from train.records import Clip

pytestmark = pytest.mark.unit


def clip(label, number=0):
    return Clip(id=f'{label}-{number}', path=f'{label}-{number}.flac', seconds=2.0, label=label)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.floats(4.0, 600.0))
def test_every_drawn_plan_is_without_contradiction(seed, seconds):
    plan = GrammarPlanner().plan((), seconds=seconds, seed=seed)
    assert find_problems(plan) == []
    assert plan == GrammarPlanner().plan((), seconds=seconds, seed=seed)


def test_plans_differ_by_seed():
    scenarios = {GrammarPlanner().plan((), seconds=40.0, seed=s).scenario for s in range(30)}
    assert len(scenarios) == 30


def test_the_bag_steers_the_plan():
    bag = tuple(clip(label) for label in ('wolf_howl', 'frog', 'goose', 'background_jungle'))

    def share(annotations):
        plans = [GrammarPlanner().plan(annotations, seconds=40.0, seed=s) for s in range(60)]
        heard = {event.name for plan in plans for event in plan.sub_events}
        return sum('wolf_howl' in {e.name for e in p.sub_events} for p in plans), heard

    assert share(bag)[0] > 2 * share(())[0]
    assert 'smoke_alarm' in share(())[1]


@pytest.mark.parametrize('seconds', [0.0, 3.9, 1e9, float('nan')])
def test_a_stream_of_impossible_length_is_refused(seconds):
    with pytest.raises(ScenarioPlanError, match='expected a stream'):
        GrammarPlanner().plan((), seconds=seconds, seed=1)


def test_the_grammar_can_say_what_it_plans():
    grammar = yaml.safe_load(Path(planner.__file__).with_name('grammar.yaml').read_text())
    places = grammar['places'].values()
    labels = {label for place in places for role in ('background', 'foreground')
              for label in place[role]}
    assert labels <= set(grammar['sounds'])
    assert {label for chain in grammar['sequences'] for label in chain} <= labels
    for label, sound in grammar['sounds'].items():
        low, high = sound.get('seconds', (1, 2))
        assert 0.2 <= low < high, label


def test_a_bag_has_each_label_once_and_repeats_by_seed():
    clips = [clip(label, number) for label in ('a', 'b', 'c') for number in range(5)]
    bag = draw_bag(clips, count=2, seed=1)
    assert len({c.label for c in bag}) == 2
    assert bag == draw_bag(list(reversed(clips)), count=2, seed=1)
    assert len(draw_bag(clips, count=9, seed=1)) == 3
