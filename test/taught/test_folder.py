"""Taught sounds as files: kept, listed, moved to another robot, refused where they do not fit."""

import numpy as np
import pytest

from audio_interaction_ros.errors import ConfigurationError, ForeignModelError
from audio_interaction_ros.taught import folder as sounds
from audio_interaction_ros.taught.head import TaughtSound, make_name, read_taught

pytestmark = pytest.mark.unit


def make_sound(title='our doorbell', model_id='m1', width=6):
    basis = np.eye(3, width, dtype=np.float32)
    return TaughtSound(
        name=make_name(title), title=title, model_id=model_id, basis=basis,
        offset=np.zeros(3, np.float32), direction=np.array([1, 0, 0], np.float32), middle=0.5,
        slope=10.0, made={'clips': 5})


def test_a_sound_is_the_same_after_it_was_kept(tmp_path):
    path = sounds.add_sound(tmp_path / 'new', make_sound())
    found = read_taught(path)
    assert (found.name, found.title, found.made) == ('our_doorbell', 'our doorbell', {'clips': 5})
    near, far = np.eye(6, dtype=np.float32)[:2]
    assert found.score(near) == pytest.approx(1 / (1 + np.exp(-5)))
    assert found.score(far) < 0.01 < found.score(near)
    assert [item.name for item in path.parent.iterdir()] == ['our_doorbell.safetensors']


def test_what_a_killed_teach_left_is_no_sound_and_goes_with_the_next_one(tmp_path):
    (tmp_path / '.our_doorbell.safetensors.abc.unfinished').write_bytes(b'half')
    assert sounds.list_sounds(tmp_path) == []
    path = sounds.add_sound(tmp_path, make_sound())
    assert list(tmp_path.iterdir()) == [path]


def test_what_is_no_number_is_not_heard():
    assert make_sound().score(np.full(6, np.nan, np.float32)) < 0.01


def test_another_robot_takes_a_file_of_the_same_model_only(tmp_path):
    sounds.add_sound(tmp_path / 'a', make_sound())
    file = sounds.export_sound(tmp_path / 'a', 'Our Doorbell', tmp_path / 'bell')
    taken = sounds.import_sound(tmp_path / 'b', file, model_id='m1', width=6)
    assert taken.title == 'our doorbell'
    for wrong in ({'model_id': 'm2', 'width': 6}, {'model_id': 'm1', 'width': 7}):
        with pytest.raises(ForeignModelError, match='teach it again'):
            sounds.import_sound(tmp_path / 'c', file, **wrong)
    assert not (tmp_path / 'c').exists()


def test_a_sound_is_removed_by_what_it_is_called(tmp_path):
    sounds.add_sound(tmp_path, make_sound())
    with pytest.raises(ConfigurationError, match='there are: our_doorbell'):
        sounds.remove_sound(tmp_path, 'kettle')
    sounds.remove_sound(tmp_path, 'our doorbell')
    assert sounds.list_sounds(tmp_path) == []


def test_a_file_that_is_none_is_listed_with_what_is_wrong(tmp_path):
    (tmp_path / 'bad.safetensors').write_bytes(b'no')
    ((_, said),) = sounds.list_sounds(tmp_path)
    assert 'expected a taught sound' in said


@pytest.mark.parametrize(('title', 'name'), [
    ('our doorbell', 'our_doorbell'), ('Kettle #2', 'kettle_2'), ('门铃', '门铃')])
def test_a_name_is_made_of_what_it_is_called(title, name):
    assert make_name(title) == name


@pytest.mark.parametrize('title', ['', '!', '2 bells', 'x' * 61])
def test_what_makes_no_name_is_refused(title):
    with pytest.raises(ConfigurationError, match='such as "our doorbell"'):
        make_name(title)


def test_the_folder_is_where_the_user_says(monkeypatch, tmp_path):
    monkeypatch.setenv('AUDIO_INTERACTION_SOUNDS', str(tmp_path))
    assert sounds.sounds_folder() == tmp_path
