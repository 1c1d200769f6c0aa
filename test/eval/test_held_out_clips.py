"""Who is held out, and how scenes are put together."""

import json
from itertools import islice

import numpy as np
import pytest

from eval.scenes import background_plans, event_plans, event_scene, long_scene
from held_out.classes import accepted_labels, kind_of, robot_rules
from held_out.clips import (
    HeldOutClip,
    MaterialError,
    find_sounding,
    go_round,
    load,
    loop_samples,
    mix_over,
    read_held_out,
    root_mean_square,
    side_of,
)
from held_out.splits import is_validation, recording_of

pytestmark = pytest.mark.unit

RATE = 16_000


def test_trained_clips_and_those_of_their_recordings_are_left_out(parts, tmp_path):
    assert is_validation(parts.HELD_OUT) and not is_validation(parts.SEEN)
    folder = parts.write_folder(tmp_path, [
        (name, parts.tone(0.1), {'label': 'cough', 'licence_group': group, 'source_id': source})
        for name, group, source in [
            ('trained.wav', 'free', parts.SEEN), ('aside.wav', 'free', parts.HELD_OUT),
            ('copy.wav', 'share_alike', parts.SEEN), ('other.wav', 'unstated', 'x')]])
    found = {item.path.name: item.origin for item in read_held_out(folder)}
    assert found == {'aside.wav': 'held out', 'other.wav': 'never trained'}


def test_a_session_is_on_one_side(parts):
    rows = [{'path': 'a', 'label': 'cough', 'source_id': source, 'session': 'room'}
            for source in (parts.SEEN, parts.HELD_OUT)]
    assert {recording_of(row) for row in rows} == {'room'}
    assert recording_of({**rows[0], 'speaker': 'Ann'}) == 'Ann'


def test_sides_share_no_recording(parts, tmp_path):
    folder = parts.write_folder(tmp_path, [
        ('a.wav', parts.tone(1.0), {'label': 'siren', 'source_id': parts.HELD_OUT,
                                    'licence_group': 'free'}),
        ('b.wav', parts.tone(1.0), {'label': 'siren'}),
        *((f's{i}.wav', parts.tone(1.0), {'label': 'speech_word', 'speaker': parts.HELD_OUT,
                                          'licence_group': 'free'}) for i in range(4))])
    sides = {item.path.name: side_of(item) for item in read_held_out(folder)}
    assert (sides['a.wav'], sides['b.wav']) == ('validation', 'test')
    assert len({sides[f's{i}.wav'] for i in range(4)}) == 1


def test_what_training_took_by_source_or_by_session_is_never_held_out(parts, tmp_path):
    """None of the 25 clips of ProtoSound whose side their session changes is measured on."""
    aside, seen = 'protosound:new', 'protosound:bedroom'
    assert is_validation(aside) and not is_validation(seen)
    folder = parts.write_folder(tmp_path, [
        (name, parts.tone(0.1), {'label': 'cough', 'licence_group': 'free', 'source_id': source,
                                 'session': session})
        for name, source, session in [
            ('source trained.wav', parts.SEEN, aside), ('neither.wav', 'speaker 4', aside),
            ('session trained.wav', parts.HELD_OUT, seen)]])
    assert is_validation('speaker 4')
    assert [item.path.name for item in read_held_out(folder)] == []
    (folder / 'manifest.jsonl').write_text(
        (folder / 'manifest.jsonl').read_text().splitlines(keepends=True)[1])
    assert [item.path.name for item in read_held_out(folder)] == ['neither.wav']


def test_speech_without_a_name_is_held_out_only_by_its_file_and_by_its_words(parts, tmp_path):
    files = {aside: next(f'{i}.wav' for i in range(99) if is_validation(f'{i}.wav') == aside)
             for aside in (True, False)}
    words = {True: parts.HELD_OUT, False: parts.SEEN}
    rows = [{'path': files[by_file], 'label': 'speech_phrase', 'text': words[by_words].upper(),
             'licence_group': 'free'} for by_file in files for by_words in words]
    (tmp_path / 'manifest.jsonl').write_text(''.join(json.dumps(row) + '\n' for row in rows))
    assert [(item.path.name, item.group) for item in read_held_out(tmp_path)] == [
        (files[True], parts.HELD_OUT)]


@pytest.mark.parametrize('line', ['no json', '{"path": "x"}', '[]'])
def test_a_wrong_manifest_names_its_line(tmp_path, line):
    (tmp_path / 'manifest.jsonl').write_text(
        json.dumps({'path': 'a', 'label': 'b'}) + '\n' + line + '\n')
    with pytest.raises(MaterialError, match='manifest.jsonl:2'):
        read_held_out(tmp_path)


def test_no_manifest_is_said(tmp_path):
    with pytest.raises(MaterialError, match='expected a folder with manifest'):
        read_held_out(tmp_path)


def test_files_of_other_rates_and_channels_are_read(tmp_path):
    import soundfile
    soundfile.write(tmp_path / 'x.wav', np.zeros((4_800, 2)), 48_000)
    assert load(tmp_path / 'x.wav').shape == (1_600,)


def test_an_event_stands_above_its_background_by_the_ratio_asked_for(parts):
    bed, event = parts.hiss(3, 0.01), parts.tone(1.0, level=0.5)
    mixed = mix_over(event, RATE, bed, 10.0)
    added = mixed[RATE:2 * RATE] - bed[RATE:2 * RATE]
    assert 20 * np.log10(
        root_mean_square(added) / root_mean_square(bed[RATE:2 * RATE])) == pytest.approx(10,
                                                                                         abs=0.1)
    assert (mixed[:RATE] == bed[:RATE]).all()


def test_a_dry_event_has_a_quiet_floor(parts):
    mixed = mix_over(parts.tone(1.0), RATE, parts.hiss(3, 0.5), None)
    assert 20 * np.log10(root_mean_square(mixed[:RATE])) == pytest.approx(-70, abs=0.5)
    assert 20 * np.log10(root_mean_square(mixed[RATE:2 * RATE])) == pytest.approx(-20, abs=0.5)


def test_what_sounds_is_found(parts):
    silent = np.zeros(RATE, np.float32)
    assert find_sounding(np.concatenate([silent, parts.tone(1.0), silent])) == (RATE, 2 * RATE)


@pytest.mark.parametrize('seconds', [0.3, 1.0, 2.5])
def test_a_loop_has_the_length_asked_for_and_is_the_same_again(parts, seconds):
    samples = parts.hiss(1.0)
    found = loop_samples(samples, round(seconds * RATE), 'name')
    assert len(found) == round(seconds * RATE)
    assert (found == loop_samples(samples, round(seconds * RATE), 'name')).all()


def test_rounds_go_on_for_ever_and_end_at_once_without_items():
    items = [HeldOutClip(path=None, label=str(i), group='', seconds=1.0) for i in range(2)]
    assert [(n, item.label) for n, item in islice(go_round(items), 5)] == [
        (0, '0'), (0, '1'), (1, '0'), (1, '1'), (2, '0')]
    assert list(go_round([])) == []


@pytest.mark.parametrize(('label', 'expected'), [
    ('smoke_alarm', 'event'), ('speech_phrase', 'speech'), ('background_rain', 'ambience'),
    ('background_campfire', ''), ('fireworks', ''), ('keyboard_typing', 'harmless')])
def test_kinds_of_clips(label, expected):
    assert kind_of(HeldOutClip(path=None, label=label, group='', seconds=1.0)) == expected


def test_every_event_can_be_named():
    from held_out.classes import EVENTS
    known = robot_rules()
    assert [label for label in EVENTS if not accepted_labels(label, known)] == []
    assert 'fire_alarm' in accepted_labels('smoke_alarm', known)


def test_an_event_scene_is_the_same_again_and_its_event_is_where_it_says(parts, tmp_path):
    items = read_held_out(parts.small_folder(tmp_path))
    alarm = next(item for item in items if item.label == 'smoke_alarm')
    beds = [item for item in items if kind_of(item) == 'ambience']
    scene, again = (event_scene(alarm, beds, robot_rules(), None) for _ in range(2))
    assert (scene.samples == again.samples).all()
    first, last = find_sounding(scene.samples, -20.0)
    assert (first / RATE, last / RATE) == pytest.approx(
        (scene.events[0].start, scene.events[0].end), abs=0.03)
    assert 1.0 <= scene.events[0].start <= 9.0


def test_plans_of_events_obey_their_limits(parts, tmp_path):
    items = read_held_out(parts.small_folder(tmp_path))
    assert len(event_plans(items, robot_rules(), snrs=[None, 10.0], per_class=9)) == 6
    assert len(event_plans(items, robot_rules(), snrs=[None], per_class=1)) == 2
    assert len(event_plans(items, robot_rules(), snrs=[None], per_class=9, limit=1)) == 1


def test_backgrounds_last_as_long_as_asked_and_say_what_was_new(parts, tmp_path):
    items = read_held_out(parts.small_folder(tmp_path))
    plans = background_plans(items, hours=200 / 3600)
    scenes = [plan.make() for plan in plans]
    assert sum(len(scene.samples) for scene in scenes) / RATE >= 200
    assert sum(scene.unique_s for scene in scenes) == pytest.approx(35)
    assert all(not scene.events for scene in scenes)
    for plan, scene in zip(plans, scenes, strict=True):
        begins = [begin for begin, _ in plan.recordings]
        assert begins[0] == 0.0 and begins == sorted(begins)
        assert begins[-1] < len(scene.samples) / RATE


def test_a_long_stream_ends_as_it_began(parts, tmp_path):
    items = read_held_out(parts.small_folder(tmp_path))
    scene = long_scene(items, robot_rules(), number=0, minutes=1.5, every_s=10, same_s=30,
                       snr_db=10)
    assert len(scene.samples) == 90 * RATE
    assert (scene.samples[:30 * RATE] == scene.samples[60 * RATE:]).all()
    early = [event.start for event in scene.events if event.start < 30]
    late = [event.start - 60 for event in scene.events if event.start >= 60]
    assert early and late == pytest.approx(early)
    with pytest.raises(MaterialError, match='at least twice'):
        long_scene(items, robot_rules(), number=0, minutes=0.9, every_s=10, same_s=30, snr_db=10)
