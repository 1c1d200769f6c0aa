"""Scenes: which clips may be in them, on which side, what they are said to be and when."""

import json
import random

import numpy as np
import pytest
import soundfile

from audio_interaction_ros.errors import AudioFormatError
from held_out.splits import is_validation, recording_of
from train.edge import compose as subject
from train.edge.compose import compose
from train.edge.label import Label
from train.edge.library import Library, MissingMaterialError, load

pytestmark = pytest.mark.unit

RATE = 16_000
HELD = next(f's{n}' for n in range(99) if is_validation(f's{n}'))
SEEN = next(f's{n}' for n in range(99) if not is_validation(f's{n}'))


def hiss(seconds, seed=0):
    noise = np.random.default_rng(seed).standard_normal(int(seconds * RATE))
    return (0.1 * noise).astype(np.float32)


def row(path, label, **more):
    return {'path': path, 'label': label, 'licence_group': 'free', 'seconds': 2.0,
            'source_id': SEEN, **more}


ROWS = (
    row('cough.wav', 'cough'), row('cough_other.wav', 'cough', licence_group='share_alike'),
    row('cough_held.wav', 'cough', source_id=HELD), row('rain.wav', 'rain'),
    row('rain_held.wav', 'rain', source_id=HELD), row('bell.wav', 'bell'),
    row('told.wav', 'speech_command', text='go home'),
    row('labelled.wav', 'speech_command', text='wrong words'),
    row('doubted.wav', 'speech_command', text='perhaps'),
    row('file.wav', 'speech_command', text='all_of_them.wav'),
    row('foreign.wav', 'speech_command', text='bonjour', lang='fr'))


def label(path, text, doubtful=False):
    return Label(path=path, text=text, origin='whisper-base', doubtful=doubtful, why='',
                 confidence=1.0, heard=text)


@pytest.fixture
def folders(tmp_path):
    data, speech = tmp_path / 'data', tmp_path / 'speech'
    data.mkdir()
    speech.mkdir()
    for number, one in enumerate(ROWS):
        soundfile.write(data / one['path'], hiss(2.0, number), RATE)
    (data / 'manifest.jsonl').write_text('\n'.join(map(json.dumps, ROWS)))
    lines = []
    for split in ('train', 'validation'):
        soundfile.write(speech / f'{split}.wav', hiss(1.5), RATE)
        lines.append({'path': f'{split}.wav', 'text': f'Of {split}.', 'split': split})
    (speech / 'utterances.jsonl').write_text('\n'.join(map(json.dumps, lines)))
    return data, [speech]


def library(folders, split='train'):
    return Library(*folders, split, {'labelled.wav': label('labelled.wav', 'Right words.'),
                                     'doubted.wav': label('doubted.wav', '', doubtful=True)})


def paths(found):
    return {path.name for group in found.values() for path in group}


def test_only_free_clips_are_taken_and_a_recording_is_on_one_side(folders):
    train, held = library(folders), library(folders, 'validation')
    assert paths(train.sounds) == {'cough.wav'} and paths(held.sounds) == {'cough_held.wav'}
    assert paths(train.harmless) == {'rain.wav'} and paths(held.harmless) == {'rain_held.wav'}
    assert [text for text, _ in train.utterances] == ['Of train.']
    assert [text for text, _ in held.utterances] == ['Of validation.']


def test_labels_go_before_texts_and_what_is_doubtful_is_left_out(folders):
    texts = {text for group in library(folders).real.values() for text, _ in group}
    assert texts == {'Go home.', 'Right words.'}


def test_speech_without_speaker_and_source_is_on_the_side_of_its_words():
    phrase = {'path': 'a/1.ogg', 'label': 'speech_phrase', 'text': 'Hey computer '}
    assert recording_of(phrase) == recording_of({**phrase, 'path': 'b/2.ogg',
                                                 'text': 'hey Computer'})
    assert recording_of({**phrase, 'speaker': 'x'}) == 'x'
    assert recording_of({'path': 'c.wav', 'label': 'cough', 'text': 'cough'}) == 'c.wav'


def test_events_lie_in_the_scene_and_are_due_after_they_began(folders):
    train = library(folders)
    for kind in ('speech', 'alert', 'harmless', 'long'):
        for seed in range(6):
            scene = compose(train, seed, kind)
            seconds = len(scene.samples) / RATE
            assert np.abs(scene.samples).max() <= 1 and scene.kind == kind
            assert bool(scene.events) == (kind != 'harmless') or kind == 'long'
            for event in scene.events:
                assert 0 < event.start < event.due
                assert event.due <= seconds or seconds == subject.LONGEST_S
            assert {one.path for one in scene.sounding} <= {
                '', 'cough.wav', 'rain.wav', 'told.wav', 'labelled.wav'}


def test_a_bed_is_told_of_and_the_quiet_one_is_marked(folders):
    beds = [one for seed in range(60) for one in compose(library(folders), seed, 'alert').sounding
            if one.label == 'rain']
    assert {bed.faint for bed in beds} == {True, False}
    assert all(bed.start == 0.0 and bed.length == 2.0 for bed in beds)


def ramp(seconds):
    """Return samples that tell where in the file they are."""
    return np.linspace(0.1, 0.9, int(seconds * RATE), dtype=np.float32)


@pytest.mark.parametrize('seconds', [2.0, 30.0])
def test_what_is_heard_at_a_time_is_where_the_clip_says(tmp_path, seconds):
    (tmp_path / 'manifest.jsonl').write_text(json.dumps(row('rain.wav', 'rain')))
    soundfile.write(tmp_path / 'rain.wav', ramp(seconds), RATE, subtype='FLOAT')
    whole, lone = load(tmp_path / 'rain.wav'), Library(tmp_path, [], 'train')
    clips = [lone.draw_noise(random.Random(seed), 5 * RATE) for seed in range(12)]
    for clip in (clip for clip in clips if clip.label == 'rain'):
        assert len(clip.samples) == 5 * RATE and clip.length == seconds
        for time in (0.0, 0.7, 1.9, 4.9):
            at = (time * clip.pace + clip.offset) % clip.length
            there = whole[min(round(at * RATE), len(whole) - 1)]
            assert abs(clip.samples[int(time * RATE)] - there) < 1e-3 or at < 0.001


def test_an_alert_says_where_in_its_file_it_begins(tmp_path):
    (tmp_path / 'manifest.jsonl').write_text(json.dumps(row('cough.wav', 'cough')))
    sound = np.concatenate((np.zeros(RATE, np.float32), ramp(12.0)))
    soundfile.write(tmp_path / 'cough.wav', sound, RATE, subtype='FLOAT')
    lone, seen = Library(tmp_path, [], 'train'), set()
    for seed in range(80):
        clip = lone.draw_alert(random.Random(seed))
        if clip.path:
            assert abs(clip.samples[0] - sound[round(clip.offset * RATE)]) < 1e-3
            seen.add(clip.offset > 1.5)
    assert seen == {True, False}


def test_speech_of_unknown_kinds_only_leaves_the_synthetic(folders):
    (folders[0] / 'manifest.jsonl').write_text(
        json.dumps(row('told.wav', 'speech_of_another_kind', text='go')))
    only = Library(*folders, 'train')
    assert {only.draw_speech(random.Random(seed)).text for seed in range(20)} == {'Of train.'}


def test_a_side_without_speech_or_beds_is_named(folders):
    (folders[0] / 'manifest.jsonl').write_text('')
    with pytest.raises(MissingMaterialError, match="speech for the side 'train'"):
        Library(folders[0], [], 'train').draw_speech(random.Random(0))
    with pytest.raises(MissingMaterialError, match='harmless sounds'):
        Library(folders[0], [], 'train').draw_noise(random.Random(0), RATE)


@pytest.mark.parametrize(('shape', 'rate'), [((800,), 8_000), ((1_600, 2), 16_000)])
def test_clips_of_another_format_are_refused(tmp_path, shape, rate):
    soundfile.write(tmp_path / 'a.wav', np.zeros(shape), rate)
    with pytest.raises(AudioFormatError, match='a.wav: expected 16000 Hz and one channel'):
        load(tmp_path / 'a.wav')
