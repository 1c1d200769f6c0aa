"""A sound is learnt from made-up embeddings: heard where it is, refused where it is not."""

from dataclasses import replace

import numpy as np
import pytest

from audio_interaction_ros.alerts.rules import load_rules
from audio_interaction_ros.errors import ConfigurationError
from audio_interaction_ros.resources import shipped_path
from audio_interaction_ros.taught.fit import (
    HITS,
    OF,
    Recording,
    count_events,
    count_unknown,
    learn,
    sustain,
    whiten,
)

pytestmark = pytest.mark.unit

WIDTH = 40


def make_background(chunks=1500, seed=0):
    return np.random.default_rng(seed).standard_normal((chunks, WIDTH)).astype(np.float32)


def make_recording(seed, strength):
    rng = np.random.default_rng(seed + 100)
    sounding = rng.standard_normal((6, WIDTH))
    sounding[:, 0] += strength
    quiet = rng.standard_normal((3, WIDTH))
    return Recording(sounding=sounding, streams=[np.concatenate((quiet, sounding, quiet))] * 2)


def test_a_sound_that_stands_out_is_heard_and_the_background_is_quiet():
    room = whiten(make_background())
    lesson = learn([make_recording(seed, 12.0) for seed in range(5)], room, rate=1.0)
    assert (lesson.recall, lesson.false_alarms, lesson.trials) == (1.0, 0, 10)
    later = sustain(room.place(make_background(seed=1)) @ lesson.direction)
    assert count_events(later, lesson.middle) <= 1
    assert lesson.hours == pytest.approx(1500 * 0.4 / 3600)


def test_what_is_like_the_background_is_not_heard():
    room = whiten(make_background())
    lesson = learn([make_recording(seed, 0.0) for seed in range(5)], room, rate=1.0)
    assert lesson.recall <= 0.2


def test_what_is_heard_only_when_it_is_made_louder_is_told():
    room, background = whiten(make_background()), make_background(seed=7)
    for strength, told in ((12.0, 1.0), (0.0, 0.0)):
        recordings = [replace(make_recording(seed, 12.0), as_recorded=background[:12] + np.eye(
            WIDTH, dtype=np.float32)[0] * strength) for seed in range(5)]
        lesson = learn(recordings, room, rate=1.0)
        assert (lesson.recall, lesson.as_recorded) == (1.0, told)


def test_a_background_that_is_known_is_quiet_and_one_that_is_not_is_told():
    """The second half sounds like the lesson now and then; what both halves taught knows that."""
    recordings = [make_recording(seed, 12.0) for seed in range(5)]
    still = whiten(make_background())
    assert learn(recordings, still, rate=1.0).unknown is None, 'whoever asks counts it'
    assert count_unknown(recordings, still, rate=1.0) <= 3
    troubled = make_background()
    for start in range(800, 1500, 100):
        troubled[start:start + 5, 0] += 12.0
    room = whiten(troubled)
    assert learn(recordings, room, rate=1.0).false_alarms == 0
    assert count_unknown(recordings, room, rate=1.0) >= 7
    assert count_unknown(recordings, whiten(make_background(290)), rate=1.0) is None


def test_half_of_the_false_alarms_are_spent():
    room = whiten(make_background(9000))
    lesson = learn([make_recording(seed, 3.0) for seed in range(5)], room, rate=20.0)
    assert 1 <= lesson.false_alarms <= 10


def test_a_short_background_is_refused():
    with pytest.raises(ConfigurationError, match='a minute or more of background, found 40 s'):
        whiten(make_background(100))


def test_two_of_three_chunks_make_a_sound():
    scores = np.array([0, 9, 0, 8, 0, 0, 0, 0, 7, 7, 7, 0.0])
    assert np.flatnonzero(sustain(scores) >= 5).tolist() == [3, 9, 10, 11]
    assert count_events(sustain(scores), 5) == 2


def test_the_rules_hear_a_taught_sound_as_its_threshold_was_found():
    rules = load_rules(shipped_path('config/alerts.yaml')).with_taught(
        {'bell': 'bell'}, {'bell': 0.5})
    rule = rules.rules_of_sounds()['bell']
    assert (rule.hits, rule.of) == (HITS, OF)
