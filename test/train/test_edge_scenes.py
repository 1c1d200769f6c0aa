"""Scenes as streams: which clips may be in them, on which side, what lanes say, and when."""

import json
import math
import random
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from audio_interaction_ros.errors import AudioFormatError
from held_out.classes import ALERTS
from held_out.pairs import Pair
from held_out.phrasebook import Phrasebook
from held_out.splits import is_validation, recording_of
from train.compose.audio import read_clip
from train.compose.command import compose_all
from train.edge.label import Label
from train.edge.layout import CHINESE
from train.edge.library import MissingMaterialError, Shelf, load, make_clips, read_clips
from train.edge.recipe import read_edge_recipe, scale_recipe
from train.edge.scenes import plan_lanes, plan_scene, plan_scenes
from train.records import Clip

pytestmark = pytest.mark.unit

RATE = 16_000
HELD = next(f's{n}' for n in range(99) if is_validation(f's{n}'))
SEEN = next(f's{n}' for n in range(99) if not is_validation(f's{n}'))
NO_BOOK = Phrasebook([])
RECIPE = scale_recipe(read_edge_recipe(), 0.001)


def hiss(seconds, seed=0):
    noise = np.random.default_rng(seed).standard_normal(int(seconds * RATE))
    return (0.1 * noise).astype(np.float32)


def row(path, label, **more):
    return {'path': path, 'label': label, 'licence_group': 'free', 'seconds': 2.0,
            'licence': 'CC0-1.0', 'source_id': SEEN, **more}


ROWS = (
    row('cough.wav', 'cough'), row('cough_other.wav', 'cough', licence_group='share_alike'),
    row('cough_held.wav', 'cough', source_id=HELD), row('rain.wav', 'rain'),
    row('rain_held.wav', 'rain', source_id=HELD), row('bell.wav', 'bell'),
    row('told.wav', 'speech_command', text='go home'),
    row('labelled.wav', 'speech_command', text='wrong words'),
    row('doubted.wav', 'speech_command', text='perhaps'),
    row('file.wav', 'speech_command', text='all_of_them.wav'),
    row('foreign.wav', 'speech_command', text='bonjour', lang='fr'))
LABELS = {path: Label(path=path, text=text, origin='whisper-base', doubtful=not text, why='',
                      confidence=1.0, heard=text)
          for path, text in (('labelled.wav', 'Right words.'), ('doubted.wav', ''))}


@pytest.fixture
def folders(tmp_path):
    return make_folders(tmp_path)


def make_folders(place):
    data, speech = place / 'data', place / 'speech'
    data.mkdir()
    speech.mkdir()
    for number, one in enumerate(ROWS):
        soundfile.write(data / one['path'], hiss(2.0, number), RATE)
    (data / 'manifest.jsonl').write_text('\n'.join(map(json.dumps, ROWS)))
    lines = []
    for split in ('train', 'validation'):
        soundfile.write(speech / f'{split}.wav', hiss(1.5), RATE)
        lines.append({'path': f'{split}.wav', 'text': f'Of {split}.', 'split': split,
                      'seconds': 1.5})
    (speech / 'utterances.jsonl').write_text('\n'.join(map(json.dumps, lines)))
    return data, [speech]


def clips_of(folders, split='train'):
    return list(read_clips(*folders, split, LABELS))


@pytest.fixture(scope='module')
def shelf(tmp_path_factory):
    place = tmp_path_factory.mktemp('shelf')
    return Shelf(make_clips(clips_of(make_folders(place)), place / 'train', signals=1,
                            split='train', workers=0), 'train')


def test_only_free_clips_are_taken_and_a_recording_is_on_one_side(folders):
    train, held = ({clip.id for clip in clips_of(folders, split) if not clip.text}
                   for split in ('train', 'validation'))
    assert train == {'cough.wav', 'rain.wav'}  # a bell is too close to an alert
    assert held == {'cough_held.wav', 'rain_held.wav'}


def test_labels_go_before_texts_and_what_is_doubtful_is_left_out(folders):
    said = {clip.text: clip.generated for clip in clips_of(folders) if clip.text}
    assert said == {'Go home.': False, 'Right words.': False, 'Of train.': True}
    assert [clip.text for clip in clips_of(folders, 'validation') if clip.text] == [
        'Of validation.']


def test_speech_without_speaker_and_source_is_on_the_side_of_its_words():
    phrase = {'path': 'a/1.ogg', 'label': 'speech_phrase', 'text': 'Hey computer '}
    assert recording_of(phrase) == recording_of({**phrase, 'path': 'b/2.ogg',
                                                 'text': 'hey Computer'})
    assert recording_of({**phrase, 'speaker': 'x'}) == 'x'
    assert recording_of({'path': 'c.wav', 'label': 'cough', 'text': 'cough'}) == 'c.wav'


def test_a_recording_becomes_the_part_that_sounds(tmp_path):
    data = tmp_path / 'data'
    data.mkdir()
    sound = np.concatenate((np.zeros(RATE, np.float32), hiss(1.5), np.zeros(8_000, np.float32)))
    soundfile.write(data / 'cough.wav', sound, RATE)
    soundfile.write(data / 'silent.wav', np.zeros(RATE), RATE)
    (data / 'manifest.jsonl').write_text('\n'.join(map(json.dumps, (
        row('cough.wav', 'cough', seconds=3.0), row('silent.wav', 'rain', seconds=1.0)))))
    cough, *computed = make_clips(read_clips(data, [], 'train', {}), tmp_path / 'out', signals=1,
                                  split='train', workers=0)
    assert abs(cough.offset_s - 1.0) < 0.03 and abs(cough.seconds - 1.5) < 0.05
    assert cough.file_s == 3.0
    assert {clip.generated for clip in computed} == {True}
    assert {'smoke_alarm', 'phone_ring'} <= {clip.label for clip in computed}


def test_a_cut_of_a_long_alert_says_where_in_its_file_it_begins():
    long = Clip(id='cough.wav', path='x', label='cough', seconds=12.0, offset_s=1.0, file_s=13.0)
    cuts = [Shelf([long], 'train').draw_alert(random.Random(seed)) for seed in range(80)]
    assert {cut.offset_s > 1.5 for cut in cuts} == {True, False}
    assert {cut.pace == 1.0 for cut in cuts} == {True, False}
    for cut in cuts:
        assert cut.seconds <= 5.0 and cut.file_s == 13.0
        assert cut.offset_s + cut.seconds * cut.pace <= 13.0 + 1e-6


@pytest.mark.parametrize('kind', ['speech', 'alert', 'harmless', 'long'])
def test_lanes_answer_what_is_in_a_scene_after_it_is_over_or_clear(shelf, tmp_path, kind):
    plans = [plan_scene(shelf, RECIPE, NO_BOOK, kind, number) for number in range(5)]
    streams, _ = compose_all(plans, root=tmp_path, out=tmp_path / 'out', workers=0,
                             mix=RECIPE.mix, clean=False)
    assert [stream.id for stream in streams] == [plan.id for plan in plans]
    for stream in streams:
        happens = [event for event in stream.events if event.role == 'foreground']
        said = [event for event in happens if event.clip.text]
        alerts = [event for event in happens if event.clip.label in ALERTS]
        assert bool(said or alerts) == (kind != 'harmless') or kind == 'long'
        assert [reply.text for reply in stream.lanes['transcript'].replies] == [
            event.clip.text for event in said]
        for reply, event in zip(stream.lanes['transcript'].replies, said, strict=True):
            assert event.end_s + 0.45 <= (reply.chunk + 1) * 0.4 <= event.end_s + 0.45 + 0.4001
        warned = {reply.event: reply for reply in stream.lanes['assistant'].replies
                  if not stream.events[reply.event].clip.text}
        assert [stream.events[index] for index in warned] == alerts
        for index, reply in warned.items():
            event = stream.events[index]
            text, emotion = ALERTS[event.clip.label]
            assert (reply.text, reply.emotion) == (text, emotion.name.lower())
            due = min(event.start_s + 0.8, event.end_s)
            assert due <= (reply.chunk + 1) * 0.4 <= due + 0.4001
        assert ('translation' in stream.lanes) == (not said)


def test_a_bed_is_told_of_with_how_far_below_it_lies(shelf, tmp_path):
    plans = [plan_scene(shelf, RECIPE, NO_BOOK, 'alert', number) for number in range(30)]
    streams, _ = compose_all(plans, root=tmp_path, out=tmp_path / 'out', workers=0,
                             mix=RECIPE.mix, clean=False)
    beds = [event for stream in streams for event in stream.events if event.role == 'ambient']
    assert 10 < len(beds) < 30
    assert {bed.below_db >= 15.0 for bed in beds} == {True, False}
    assert all(bed.start_s == 0.0 and bed.end_s > 1.0 for bed in beds)


def utterance(text, language='en', translation=''):
    return Clip(id=text, path='x', seconds=1.0, text=text, language=language,
                translation=translation)


def answers(lanes, name):
    return [(answer.event, answer.text) for answer in lanes[name].answers]


def test_each_lane_answers_its_language():
    lanes = plan_lanes([utterance('What is your name?'), utterance('你好。', 'zh', 'Hello.')],
                       Phrasebook([Pair('What is your name?', '你叫什么？')]))
    assert answers(lanes, 'transcript') == [(0, 'What is your name?')]
    assert [event for event, _ in answers(lanes, 'assistant')] == [0]
    assert answers(lanes, 'translation') == [(0, '你叫什么？'), (1, CHINESE)]


def test_a_scene_is_translated_as_a_whole_or_not_at_all():
    book = Phrasebook([Pair('Stop.', '停。')])
    assert 'translation' not in plan_lanes([utterance('Stop.'), utterance('Go.')], book)
    sound = Clip(id='c', path='x', seconds=1.0, label='cough')
    assert answers(plan_lanes([sound], book), 'translation') == []


def test_a_scene_hangs_on_its_side_kind_and_number_only(shelf):
    plans = {plan.id: plan for plan in plan_scenes(shelf, RECIPE, NO_BOOK)}
    assert len(plans) == len(list(plan_scenes(shelf, RECIPE, NO_BOOK))) >= 8
    assert not any('mandarin' in name for name in plans)  # nobody speaks it
    more = scale_recipe(read_edge_recipe(), 0.002)
    again = {plan.id: plan for plan in plan_scenes(shelf, more, NO_BOOK)}
    assert plans == {name: again[name] for name in plans} and len(again) > len(plans)


def test_a_build_that_goes_on_leaves_the_same_bytes(shelf, tmp_path):
    plans = [plan_scene(shelf, RECIPE, NO_BOOK, kind, number)
             for number in range(9) for kind in ('speech', 'alert')]

    def build(out):
        return compose_all(plans, root=tmp_path, out=tmp_path / out, workers=0, mix=RECIPE.mix,
                           clean=False)[1]
    whole = build('whole')
    build('cut')
    (tmp_path / 'cut/streams/report.json').unlink()  # as if killed in the second part
    for path in (tmp_path / 'cut/streams').glob('part-00001*'):
        path.unlink()
    resumed = build('cut')
    assert (resumed.resumed_shards, resumed.sha256) == (1, whole.sha256)
    for path in (tmp_path / 'whole/audio').iterdir():
        assert (tmp_path / 'cut/audio' / path.name).read_bytes() == path.read_bytes()
    assert (tmp_path / 'cut/streams.jsonl').read_bytes() == (
        tmp_path / 'whole/streams.jsonl').read_bytes()


def test_speech_of_unknown_kinds_only_leaves_the_synthetic(folders):
    (folders[0] / 'manifest.jsonl').write_text(
        json.dumps(row('told.wav', 'speech_of_another_kind', text='go')))
    only = Shelf(clips_of(folders), 'train')
    assert {only.draw_speech(random.Random(seed)).text for seed in range(20)} == {'Of train.'}


def test_a_side_without_speech_or_sounds_is_named():
    empty = Shelf([], 'train')
    for draw, what in ((empty.draw_speech, 'speech'), (empty.draw_alert, 'alert sounds'),
                       (empty.draw_lasting, 'harmless sounds'),
                       (empty.draw_single, 'harmless sounds')):
        with pytest.raises(MissingMaterialError, match=f"{what} for the side 'train'"):
            draw(random.Random(0))


def test_a_piece_is_read_as_it_was_cut(shelf):
    piece = replace(shelf.draw_single(random.Random(3)), pace=1.1)
    assert math.isclose(len(read_clip(piece, Path('/'))) / RATE, min(
        piece.seconds, (piece.file_s - piece.offset_s) / 1.1), abs_tol=0.01)


@pytest.mark.parametrize(('shape', 'rate'), [((800,), 8_000), ((1_600, 2), 16_000)])
def test_clips_of_another_format_are_refused(tmp_path, shape, rate):
    soundfile.write(tmp_path / 'a.wav', np.zeros(shape), rate)
    with pytest.raises(AudioFormatError, match='a.wav: expected 16000 Hz and one channel'):
        load(tmp_path / 'a.wav')
