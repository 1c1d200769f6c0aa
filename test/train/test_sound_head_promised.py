"""Forms of detection beside each other: none is better by being looser or by knowing nothing."""

import json
from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip('torch')

from audio_interaction_ros.stream.sound_events import SoundRule  # noqa: E402
from train.sound_head.classes import SoundClass, SoundClasses  # noqa: E402
from train.sound_head.curves import CheckedStream  # noqa: E402
from train.sound_head.dataset import Stream  # noqa: E402
from train.sound_head.forms import Form  # noqa: E402
from train.sound_head.lasting import follow_lasting, say_lasting  # noqa: E402
from train.sound_head.promised import compare_ways, say_ways  # noqa: E402
from train.sound_head.scenes import SceneEvent  # noqa: E402

pytestmark = pytest.mark.torch

CLASSES = SoundClasses(alerts={'siren': SoundClass(('siren',), ())}, others={})
RULES = {'siren': SoundRule(threshold=0.5)}
FORMS = {'now': Form(), 'rising': Form(share=1.0), 'two': Form(chunks=(2, 3))}


def stream(kind, scores, path=''):
    events = (SceneEvent('siren', 1.6, 2.8, path),) if path else ()
    targets = np.zeros((len(scores), 1), np.int8)
    return CheckedStream(Stream('s', 0, kind, 0, len(scores), events),
                         np.array(scores, float)[:, None], targets)


def both(path, before, during):
    return [stream(kind, [*before] * 4 + [during] * 3 + [0.0] * 4, path)
            for kind in ('dry', '10 dB')]


def compare(*streams):
    return compare_ways({name: (streams, form) for name, form in FORMS.items()}, CLASSES, RULES)


STEADY = [stream('ambience', [*1 / (1 + np.exp(-np.linspace(-7, 2.2, 100))), *[0.9] * 2900])]
"""A place that comes to sound like the event, and stays so."""


def test_a_steady_place_costs_every_form_but_that_which_knows_places():
    table = compare(*STEADY, *both('a.flac', [0.001], 0.8), *both('b.flac', [0.001], 0.8))
    dry, soft, gain, low, high = table['rising']['0.125']
    assert (dry, soft, gain, low, high) == (1.0, 1.0, 1.0, 1.0, 1.0)
    assert table['now']['0.125'][:2] == [0.0, 0.0] and table['two']['0.125'][2] == 0.0
    assert json.loads(json.dumps(table)) == table
    assert '| rising | 1.00, 1.00 | +1.000 [+1.00, +1.00] |' in say_ways(table)


def test_an_event_in_a_place_that_sounds_like_it_is_as_hard_as_on_the_robot():
    """A second and a half of that place stands for the ten that the robot would have heard."""
    table = compare(*STEADY, *both('a.flac', [0.9], 0.95))
    assert table['rising']['0.125'][0] == 0.0


def test_a_sound_that_lasts_is_followed_to_its_end():
    lasts = (SceneEvent('siren', 1.6, 6.4, 'a.flac'),)
    scores = np.array([0.0] * 4 + [0.9, 0.9, 0.9] * 4 + [0.0] * 4)[:, None]
    one = CheckedStream(Stream('s', 0, 'dry', 0, len(scores), lasts), scores, scores * 0)
    short = stream('dry', [0.9] * 11, 'b.flac')
    told = follow_lasting([one, short], CLASSES, {'siren': SoundRule(threshold=0.8)})
    assert {(row.events, row.begun, row.beginnings) for row in told.values()} == {(1, 1, 1.0)}
    assert all(row.on == 1.0 for row in told.values())
    assert '| 120 s, background 0.5 | 1 | 1 | 1.00 | 1.000 |' in say_lasting(told)
    broken = replace(one, scores=np.array([0.0] * 4 + [0.9] * 6 + [0.0] * 10)[:, None])
    told = follow_lasting([broken], CLASSES, {'siren': SoundRule(threshold=0.8)})
    assert told['120 s, background 0'].beginnings > 20 and told['120 s, background 0'].on < 0.7


def test_a_form_that_needs_more_is_no_better_for_having_fewer_false_alarms():
    loud = [stream('harmless', [0.0, 0.0, 0.7, 0.0, 0.0]) for _ in range(40)]
    table = compare(*loud, *both('a.flac', [0.0], 0.9))
    assert [row['0.025'][0] for row in table.values()] == [1.0, 1.0, 1.0]
    table = compare(*loud, *both('a.flac', [0.0], 0.6))  # and better where it is
    assert [row['0.025'][0] for row in table.values()] == [0.0, 0.0, 1.0]
