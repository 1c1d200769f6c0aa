"""Hours without any alert: what is in them, whose recordings, rooms of walls, and mining."""

import json
import random

import numpy as np
import pytest
import soundfile

pytest.importorskip('pyroomacoustics')

from train.sound_head.classes import read_classes
from train.sound_head.clips import FOLDS, read_clips
from train.sound_head.hours import HOUR_SECONDS, compose_hours, is_quiet
from train.sound_head.material import Material
from train.sound_head.scenes import SHAPED, compose_training_scene, fold_of_scene
from train.sound_head.shapes import draw_response, place_in_shape

pytestmark = pytest.mark.unit

RATE = 16_000
LABELS = ('dog_bark', 'rain', 'speech_word', 'background_indoor', 'door', 'engine',
          'crowd_cheering', 'crowd')


@pytest.fixture
def data(tmp_path):
    chance, rows = np.random.default_rng(0), []
    for label in LABELS:
        for number in range(15):
            path = f'{label}-{number}.flac'
            soundfile.write(tmp_path / path, 0.1 * chance.standard_normal(RATE).astype(
                np.float32), RATE)
            rows.append({'path': path, 'label': label, 'licence_group': 'free',
                         'source_id': path, 'seconds': 1.0})
    (tmp_path / 'manifest.jsonl').write_text('\n'.join(map(json.dumps, rows)) + '\n')
    return tmp_path


def test_hours_hold_no_alert_nor_what_may_be_taken_for_one_and_only_sounds_of_their_fold(
        data, monkeypatch):
    clips, classes, taken = read_clips(data), read_classes(), []
    from train.sound_head import hours
    monkeypatch.setattr(hours, 'load', lambda path: taken.append(path.name) or
                        soundfile.read(path, dtype='float32')[0])
    for number in range(FOLDS):
        taken.clear()
        material = Material(data, clips, classes, number % FOLDS)
        scene = compose_hours(material, number)
        assert scene.fold == number % FOLDS and scene.kind == 'hours' and not scene.events
        assert len(scene.samples) == HOUR_SECONDS * RATE and np.isfinite(scene.samples).all()
        labels = {sound.label for sound in scene.sounds}
        assert not labels & {'dog_bark', 'crowd_cheering'}
        assert {clip.fold for clip in clips if clip.path in taken} <= {scene.fold}
    again = compose_hours(material, number)
    assert np.array_equal(scene.samples, again.samples)


def test_what_may_be_heard_as_an_alert_is_not_quiet(data):
    clips, classes = read_clips(data), read_classes()
    material = Material(data, clips, classes, 1)
    quiet = {clip.label for clip in clips if is_quiet(clip, material)}
    assert quiet == {'rain', 'speech', 'background_indoor', 'door', 'engine', 'crowd'}


def test_a_fold_without_recordings_has_noise(tmp_path):
    material = Material(tmp_path, [], read_classes(), 1)
    assert compose_hours(material, 1).samples.any()


def test_walls_keep_length_and_power_and_ring(data):
    click = np.zeros(RATE, np.float32)
    click[100] = 1.0
    for seed in range(3):
        heard = place_in_shape(click, random.Random(seed))
        assert heard.shape == click.shape
        assert np.mean(heard ** 2) == pytest.approx(np.mean(click ** 2), rel=1e-3)
        assert np.count_nonzero(np.abs(heard) > 1e-4) > 100
        assert int(np.argmax(np.abs(draw_response(random.Random(seed))) > 0)) < 10


def test_shaped_scenes_are_others_than_those_of_the_same_number(data):
    clips, classes = read_clips(data), read_classes()
    material = Material(data, clips, classes, fold_of_scene(3))
    shaped, plain = (compose_training_scene(material, 3, kind) for kind in (SHAPED, 'train'))
    assert shaped.kind == SHAPED and shaped.name != plain.name
    assert not np.array_equal(shaped.samples, plain.samples)
