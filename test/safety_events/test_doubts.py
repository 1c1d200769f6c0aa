"""Names that were probably mistyped are told, those of own rules and of the shipped file not."""

import pytest

from audio_interaction_ros.resources import shipped_path
from audio_interaction_ros.safety_events.doubts import list_doubts
from audio_interaction_ros.safety_events.rules_file import (
    FORMAT,
    Output,
    Rule,
    SafetyEventsFile,
    read_safety_events,
)

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(('kind', 'name', 'said'), [
    ('alerts', 'smoke_alram', 'is none that is shipped; did you mean smoke_alarm'),
    ('alerts', 'car_horn', 'is a sound; its alert is horn'),
    ('sounds', 'horn', 'is an alert; its sound is car_horn'),
    ('sounds', 'glas_break', 'is none that is shipped; did you mean glass_break'),
    ('intents', 'stopp', 'is none that is shipped; did you mean stop'),
])
def test_a_name_that_was_probably_mistyped_is_told_with_what_was_meant(kind, name, said):
    rule = Rule(**{kind: ('any', name, 'our_own_oven')}, to=('out',))
    file = SafetyEventsFile(format=FORMAT, rules={'r': rule},
                            outputs={'out': Output(kind='empty', topic='out')})
    assert list_doubts(file) == [f'rules.r.{kind}: {name} {said}']


def test_nothing_in_the_shipped_file_is_doubtful():
    assert not list_doubts(read_safety_events(shipped_path('config/safety_events.yaml')))
