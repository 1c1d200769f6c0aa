"""Which fold a recording is in, what scenes are made of it, and which streams check a head."""

import json
import random

import numpy as np
import pytest
import soundfile

from held_out.clips import MaterialError
from held_out.splits import is_validation
from train.sound_head.checks import compose_check, list_checks
from train.sound_head.classes import read_classes
from train.sound_head.clips import FOLDS, HELD_OUT, read_clips
from train.sound_head.material import Material
from train.sound_head.rooms import pass_through_line, place_somewhere
from train.sound_head.scenes import compose_training_scene, fold_of_scene

pytestmark = pytest.mark.unit

RATE = 16_000
LABELS = ('dog_bark', 'rain', 'speech_word', 'background_indoor', 'door')


def write_folder(folder, rows):
    chance = np.random.default_rng(0)
    for row in rows:
        soundfile.write(folder / row['path'], 0.1 * chance.standard_normal(
            round(RATE * row['seconds'])).astype(np.float32), RATE)
    (folder / 'manifest.jsonl').write_text('\n'.join(map(json.dumps, rows)) + '\n')
    return folder


def row(number, label='dog_bark', **more):
    return {'path': f'{label}-{number}.flac', 'label': label, 'licence_group': 'free',
            'source_id': f'source:{label}:{number}', 'seconds': 0.8, **more}


@pytest.fixture
def data(tmp_path):
    return write_folder(tmp_path, [row(number, label) for label in LABELS
                                   for number in range(12)])


def name_by_side(aside):
    return next(f'source:{n}' for n in range(99) if is_validation(f'source:{n}') == aside)


def test_only_free_clips_are_taken_and_what_is_put_aside_is_fold_0(data):
    rows = [row(0, 'rain', licence_group='share_alike'), row(1, 'rain')]
    write_folder(data, rows)
    assert [clip.path for clip in read_clips(data)] == ['rain-1.flac']
    for clip in read_clips(data):
        assert (clip.fold == HELD_OUT) == is_validation('source:rain:1')


def test_a_session_with_a_recording_that_is_put_aside_is_put_aside_as_a_whole(tmp_path):
    write_folder(tmp_path, [row(0, source_id=name_by_side(True), session='kitchen'),
                            row(1, source_id=name_by_side(False), session='kitchen')])
    assert [clip.fold for clip in read_clips(tmp_path)] == [HELD_OUT, HELD_OUT]


def test_a_session_is_in_one_fold(tmp_path):
    aside = [f'source:{n}' for n in range(99) if not is_validation(f'source:{n}')]
    write_folder(tmp_path, [row(number, source_id=name, session='kitchen')
                            for number, name in enumerate(aside[:8])])
    assert len({clip.fold for clip in read_clips(tmp_path)} - {HELD_OUT}) == 1


def test_impure_labels_need_the_tagger(tmp_path):
    write_folder(tmp_path, [row(0, label_check='not_confirmed'), row(1, label_check='agrees')])
    assert [clip.path for clip in read_clips(tmp_path)] == ['dog_bark-1.flac']


def test_without_a_manifest_the_folder_is_named(tmp_path):
    with pytest.raises(MaterialError, match=r'manifest\.jsonl'):
        read_clips(tmp_path)


def test_a_scene_takes_recordings_of_its_fold_only_and_depends_on_its_number_only(data):
    clips, classes = read_clips(data), read_classes()
    fold_of = {clip.path: clip.fold for clip in clips}
    for number in range(6):
        fold = fold_of_scene(number)
        assert fold != HELD_OUT
        scene, again = (compose_training_scene(Material(data, clips, classes, fold), number)
                        for _ in range(2))
        assert {fold_of[event.path] for event in scene.events if event.path} <= {fold}
        assert np.array_equal(scene.samples, again.samples)
        assert len(scene.samples) % 6400 == 0 and np.isfinite(scene.samples).all()


def test_checks_hold_each_alert_dry_and_above_a_background(data):
    clips, classes = read_clips(data), read_classes()
    checks = list_checks(clips, classes)
    kinds = {kind: [check for check in checks if check.kind == kind and check.clip]
             for kind in ('dry', '10 dB', 'ambience', 'speech', 'harmless')}
    assert len(kinds['dry']) == len(kinds['10 dB']) == 12
    assert {check.clip.label for check in kinds['harmless']} == {'rain', 'door'}
    assert all(check.fold != HELD_OUT for check in kinds['speech'])
    assert any(check.signal == 'smoke_alarm_t3' for check in checks)
    for kind in kinds:
        check = kinds[kind][0]
        scene = compose_check(Material(data, clips, classes, check.fold), check)
        assert len(scene.samples) % 6400 == 0
        assert len(scene.events) == (kind in ('dry', '10 dB'))


def test_the_loudness_of_a_dry_event_is_as_in_a_test(data):
    clips, classes = read_clips(data), read_classes()
    check = next(check for check in list_checks(clips, classes) if check.kind == 'dry')
    scene = compose_check(Material(data, clips, classes, check.fold), check)
    begin, end = (round(at * RATE) for at in (scene.events[0].start, scene.events[0].end))
    level = 20 * np.log10(np.sqrt(np.mean(scene.samples[begin:end] ** 2)))
    assert FOLDS == 5 and -26 < level < -16


@pytest.mark.parametrize('make', [place_somewhere, pass_through_line])
def test_places_and_lines_keep_the_length(make):
    samples = np.sin(np.arange(RATE) * 0.2).astype(np.float32) * 0.3
    for seed in range(12):
        heard = make(samples, random.Random(seed))
        assert heard.shape == samples.shape and np.isfinite(heard).all()
