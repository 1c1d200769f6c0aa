"""The commands sounds, calibrate and teach, with runtimes that hear what a script says."""

import json
import os
import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile
from rosbags import rosbag2
from rosbags.typesys import Stores, get_typestore

from audio_interaction_ros.alerts.thresholds import read_thresholds
from audio_interaction_ros.cli import calibrate, embeddings, sound_picture, sounds, teach
from audio_interaction_ros.cli.main import main
from audio_interaction_ros.cli.sound_timeline import follow_sounds
from audio_interaction_ros.runtimes.base import EncoderSpec, Encoding
from audio_interaction_ros.runtimes.scripted import ScriptedEncoder
from audio_interaction_ros.stream.chunk import EncodedChunk, SoundScores
from audio_interaction_ros.stream.sound_events import SoundRule
from audio_interaction_ros.taught.fit import whiten
from audio_interaction_ros.taught.recordings import Bed, hear_recording

pytestmark = pytest.mark.unit

LOUD = {chunk: {'smoke_alarm': 0.9, 'doorbell': 0.3} for chunk in range(10, 15)}
LONE = {20: {'bell': 0.8}}


@pytest.fixture
def recording(tmp_path):
    """Return 16 s of noise."""
    path = tmp_path / 'home.wav'
    soundfile.write(path, np.random.default_rng(0).standard_normal(16 * 16_000) * 0.1, 16_000)
    return str(path)


RULES = {'smoke_alarm': SoundRule(threshold=0.5), 'doorbell': SoundRule(threshold=0.5),
         'dog_bark': SoundRule(threshold=0.5), 'bell': SoundRule(threshold=0.5, hits=2)}


@pytest.fixture
def scripted(monkeypatch):
    """Let both commands hear a script, by rules that do not change with the shipped ones."""
    def choose(script):
        for module in (sounds, calibrate):
            monkeypatch.setattr(module, 'read_sound_rules', lambda *_: RULES)
        monkeypatch.setattr(calibrate, '_read_curves', lambda _: {
            'smoke_alarm': [[0.5, 0.98], [1.0, 0.5]], 'dog_bark': [[0.5, 0.9], [1.0, 0.8]]})
        encoder = ScriptedEncoder(sounds=script)
        for module in (sounds, calibrate):
            monkeypatch.setattr(module, 'load_model', lambda *_, **__: SimpleNamespace(
                encoder=encoder, sounds=encoder.head))
    return choose


def test_sounds_shows_what_was_heard_and_what_stopped_the_rest(scripted, recording, capsys):
    scripted({**LOUD, **LONE})
    assert main(['sounds', recording]) == 0
    said = capsys.readouterr().out
    assert 'smoke_alarm          0.90 (threshold' in said
    assert 'doorbell             0.30 at 4.0 s: stayed below its threshold' in said
    assert 'bell                 0.80 at 8.0 s: reached its threshold' in said
    assert 'in 1 of 3 chunks, 2 are asked for' in said


def test_sounds_says_which_threshold_the_background_had_raised(
        scripted, recording, monkeypatch, capsys):
    scripted({chunk: {'doorbell': 0.3 if chunk < 20 else 0.8} for chunk in range(23)})
    monkeypatch.setattr(sounds, 'read_sound_rules', lambda *_: {
        'doorbell': SoundRule(threshold=0.5, background=0.5)})
    assert main(['sounds', recording]) == 0
    said = ' '.join(capsys.readouterr().out.split())
    assert 'doorbell 0.80 at 8.0 s: stayed below its threshold, which the background before it ' \
        'had raised from 0.50 to 0.929' in said


@pytest.mark.parametrize('set_s', [-3600, 1_700_000_000])
def test_a_clock_that_was_set_leaves_no_second_out(set_s):
    """Of a bag: a robot without a battery for its clock sets it by decades after the start."""
    timeline = follow_sounds((EncodedChunk(
        features=np.zeros((0, 0), np.float32), epoch=0, seq=seq, model_id='m', rms_dbfs=-20.0,
        stamp_ns=round((seq * 0.5 + (set_s if seq >= 4 else 0)) * 1e9), sounds=SoundScores(
            names=('bell',), scores=np.full(1, seq / 10, np.float32))) for seq in range(8)), {})
    assert [(one.start_s, one.guesses[0][1]) for one in timeline.seconds()] == [
        (0.0, pytest.approx(0.1)), (1.0, pytest.approx(0.3)),
        (set_s + 2.0, pytest.approx(0.5)), (set_s + 3.0, pytest.approx(0.7))]


def test_what_is_kept_of_a_day_is_no_features(scripted, recording, monkeypatch):
    """216,000 chunks: 14 kB each with what only a decoder reads, 0.7 without."""
    scripted(LOUD)
    kept = []
    monkeypatch.setattr(calibrate, 'choose_thresholds', lambda chunks, *_, **__: (
        kept.extend(chunks) or []))
    assert main(['calibrate', '--from', recording]) == 0
    assert len(kept) == 40 and not any(chunk.features.nbytes for chunk in kept)


def test_a_picture_is_drawn_though_the_reader_of_the_table_left(
        scripted, recording, monkeypatch, tmp_path):
    scripted(LOUD)
    read, write = os.pipe()
    os.close(read)
    monkeypatch.setattr(sounds, 'load_pyplot', lambda: None)
    monkeypatch.setattr(sounds, 'draw_sounds', lambda _, path, name: path.write_text(name))
    with open(write, 'w') as left:
        monkeypatch.setattr('sys.stdout', left)
        assert main(['sounds', recording, '--png', str(tmp_path / 'a.png')]) == 0
    assert (tmp_path / 'a.png').exists()


def test_sounds_as_json_has_the_same(scripted, recording, capsys):
    scripted(LOUD)
    assert main(['sounds', recording, '--json', '--top', '1']) == 0
    found = json.loads(capsys.readouterr().out)
    (heard,) = found['heard']
    assert (heard['sound'], heard['onset_s']) == ('smoke_alarm', 4.0)
    assert found['seconds'][4]['guesses'] == [['smoke_alarm', pytest.approx(0.9)]]
    assert found['stopped'][0]['sound'] == 'doorbell'


def test_sounds_draws_a_picture(scripted, recording, tmp_path):
    pytest.importorskip('matplotlib')
    scripted(LOUD)
    assert main(['sounds', recording, '--png', str(tmp_path / 'a.png')]) == 0
    assert (tmp_path / 'a.png').read_bytes().startswith(b'\x89PNG')


def test_a_picture_without_its_package_is_refused_before_anything_is_heard(
        scripted, recording, monkeypatch, capsys):
    monkeypatch.setitem(__import__('sys').modules, 'matplotlib', None)
    assert main(['sounds', recording, '--png', 'a.png']) == 2
    assert 'pip install matplotlib' in capsys.readouterr().err
    assert sound_picture.__doc__


def test_a_model_that_tells_no_sounds_apart_says_so(scripted, recording, capsys):
    scripted(None)
    assert main(['sounds', recording]) == 2
    assert 'expected a model that tells sounds apart' in capsys.readouterr().err


def test_calibrate_writes_what_keeps_this_home_quiet(scripted, recording, tmp_path, capsys):
    scripted({chunk: {'dog_bark': 0.8} for chunk in range(10, 15)})
    out = tmp_path / 'thresholds.yaml'
    assert main(['calibrate', '--from', recording, '--out', str(out)]) == 0
    found = read_thresholds(out)
    assert list(found.thresholds) == ['dog_bark'] and 0.8 < found.thresholds['dog_bark'] < 0.9
    assert found.chosen['false_alarms_left'] == 0 and found.chosen['heard'] == 'home.wav'
    said = capsys.readouterr().out
    assert 'false alarms 1 -> 0' in said and 'To show 0.5 per hour it takes 6.0 hours' in said


def test_calibrate_hears_all_recordings_of_a_folder_each_from_its_beginning(
        scripted, recording, tmp_path, capsys):
    # The sound lasts over the end of the first recording: it is heard twice, not once.
    scripted({chunk: {'dog_bark': 0.8} for chunk in range(38, 45)})
    folder = tmp_path / 'home'
    folder.mkdir()
    for name in ('b.wav', 'a.wav'):
        shutil.copyfile(recording, folder / name)
    assert main(['calibrate', '--from', str(folder), '--out', str(tmp_path / 'out.yaml')]) == 0
    said = capsys.readouterr().out
    assert 'false alarms 2 -> 0' in said and 'heard 0.5 minutes' in said
    (tmp_path / 'empty').mkdir()
    assert main(['calibrate', '--from', str(tmp_path / 'empty')]) == 2
    assert 'expected recordings in the folder' in capsys.readouterr().err


def write_bag(path, recording):
    """Write a recording as a bag of a robot's microphone, a tenth of a second a message."""
    store, kind = get_typestore(Stores.ROS2_HUMBLE), 'std_msgs/msg/Int16MultiArray'
    layout = store.types['std_msgs/msg/MultiArrayLayout'](dim=[], data_offset=0)
    samples, _ = soundfile.read(recording, dtype='int16')
    with rosbag2.Writer(path, version=9,
                        storage_plugin=rosbag2.StoragePlugin.MCAP) as writer:
        microphone = writer.add_connection('/mic', kind, typestore=store)
        for number, part in enumerate(samples.reshape(-1, 1600)):
            message = store.types[kind](layout=layout, data=part)
            writer.write(microphone, (number + 1) * 10 ** 8, store.serialize_cdr(message, kind))
    return str(path)


def test_calibrate_hears_a_bag_that_the_robot_recorded(scripted, recording, tmp_path, capsys):
    scripted({chunk: {'dog_bark': 0.8} for chunk in range(10, 15)})
    out, bag = tmp_path / 'thresholds.yaml', write_bag(tmp_path / 'bag', recording)
    assert main(['calibrate', '--from', bag, '--out', str(out)]) == 0
    assert 'false alarms 1 -> 0' in capsys.readouterr().out
    assert 0.8 < read_thresholds(out).thresholds['dog_bark'] < 0.9


def test_a_sound_is_taught_beside_a_bag_of_its_home(lesson, tmp_path, capsys):
    bag = write_bag(tmp_path / 'bag', lesson[-1])
    assert main(['teach', 'our doorbell', *lesson[:-1], bag]) == 0
    assert 'it is the class our_doorbell' in capsys.readouterr().out


def test_how_much_a_critical_class_must_keep_is_the_users_to_say(
        scripted, recording, tmp_path):
    out = tmp_path / 'thresholds.yaml'
    scripted({chunk: {'smoke_alarm': 0.97} for chunk in range(10, 15)})
    assert main(['calibrate', '--from', recording, '--out', str(out), '--keep-recall', '0.5']) == 0
    assert read_thresholds(out).chosen['recall_kept_at_least'] == 0.5


def test_calibrate_refuses_to_deafen_a_critical_class_unless_forced(
        scripted, recording, tmp_path, capsys):
    out = tmp_path / 'thresholds.yaml'
    script = {chunk: {'smoke_alarm': 0.97} for chunk in range(10, 15)}
    scripted(script)
    assert main(['calibrate', '--from', recording, '--out', str(out)]) == 2
    assert 'refused, nothing is written: smoke_alarm' in capsys.readouterr().err
    assert not out.exists()
    scripted(script)
    assert main(['calibrate', '--from', recording, '--out', str(out), '--force']) == 0
    assert read_thresholds(out).chosen['forced'] is True


def test_calibrate_writes_nothing_where_nothing_is_wrong_or_somebody_stops_it(
        scripted, recording, tmp_path, monkeypatch, capsys):
    out = tmp_path / 'thresholds.yaml'
    scripted({0: {'dog_bark': 0.1}})
    assert main(['calibrate', '--from', recording, '--out', str(out)]) == 0
    assert 'the profile fits this home' in capsys.readouterr().err

    def stop(*_):
        raise KeyboardInterrupt
        yield
    monkeypatch.setattr(calibrate, 'hear_blocks', stop)
    assert main(['calibrate', '--from', recording, '--out', str(out)]) == 130
    assert 'nothing is written' in capsys.readouterr().err
    assert not out.exists()


class MelEncoder:
    """Embeds a chunk as the shape of its spectrum, whatever its level."""

    spec = EncoderSpec(model_id='mel', mel_bins=80, features_per_chunk=1, feature_width=1,
                       embedding_width=80)

    def encode(self, mel):
        """Return features and an embedding."""
        bands = mel.mean(axis=1).astype(np.float32)
        return Encoding(features=np.zeros((1, 1), np.float32), embedding=bands - bands.mean())

    def skip(self, mel):
        """Do nothing."""

    def reset(self):
        """Do nothing."""


@pytest.fixture
def lesson(tmp_path, monkeypatch):
    """Return the arguments of a lesson: five tones, and 80 s of noise."""
    monkeypatch.setenv('AUDIO_INTERACTION_SOUNDS', str(tmp_path / 'sounds'))
    monkeypatch.setattr(teach, 'load_model', lambda *_, **__: SimpleNamespace(
        encoder=MelEncoder(), sounds=None))
    rng, clips = np.random.default_rng(1), []
    for index in range(5):
        clips.append(str(tmp_path / f'clip{index}.wav'))
        tone = np.sin(np.arange(24_000) * (1.0 + 0.001 * index)) * 0.3
        soundfile.write(clips[-1], tone + rng.standard_normal(24_000) * 1e-3, 16_000)
    soundfile.write(tmp_path / 'room.wav', rng.standard_normal(80 * 16_000) * 0.05, 16_000)
    return [*clips, '--background', str(tmp_path / 'room.wav')]


def test_a_sound_is_taught_listed_moved_and_removed(lesson, tmp_path, capsys):
    assert main(['teach', 'our doorbell', *lesson]) == 0
    assert 'it is the class our_doorbell' in capsys.readouterr().out
    assert main(['teach', '--list']) == 0
    assert "'our doorbell', from 5 recordings" in capsys.readouterr().out
    file = str(tmp_path / 'bell')
    assert main(['teach', '--export', 'our doorbell', file]) == 0
    assert main(['teach', '--remove', 'our doorbell']) == 0
    assert main(['teach', '--import', file]) == 0
    assert 'as our_doorbell' in capsys.readouterr().out


def test_of_a_background_only_what_the_lesson_needs_is_kept(lesson, monkeypatch, capsys):
    """The samples of a day are 5.5 GB."""
    kept = []
    monkeypatch.setattr(teach, 'Bed', lambda: Bed(most_chunks=50))
    monkeypatch.setattr(teach, 'whiten', lambda found: kept.append(found) or whiten(found))
    monkeypatch.setattr(teach, 'hear_recording', lambda clip, bed, *others: (
        kept.append(bed) or hear_recording(clip, bed, *others)))
    assert main(['teach', 'our doorbell', *lesson]) == 0
    found, bed = kept[:2]
    assert found.dtype == np.float16 and found.shape == (200, 80)
    assert len(bed) == 50 * 6400
    assert '1 min heard' in capsys.readouterr().err


def test_no_room_for_what_is_heard_of_a_background_is_said(lesson, monkeypatch, capsys):
    full = Path('/dev/full').open('wb', buffering=0)  # noqa: SIM115 - the command closes it
    monkeypatch.setattr(embeddings.tempfile, 'TemporaryFile', lambda **_: full)
    assert main(['teach', 'our doorbell', *lesson]) == 2
    assert 'No space left on device' in (said := capsys.readouterr().err) and 'TMPDIR' in said


def test_what_a_background_that_was_not_known_costs_is_told(lesson, tmp_path, capsys):
    assert main(['teach', 'our doorbell', *lesson]) == 0
    assert 'less than two minutes of background do not tell' in capsys.readouterr().out
    room = np.random.default_rng(5).standard_normal(130 * 16_000) * 0.05
    soundfile.write(tmp_path / 'room.wav', room, 16_000)
    assert main(['teach', 'our doorbell', *lesson]) == 0
    said = capsys.readouterr().out
    assert 'heard with what the other half taught: 2.2 minutes with ' in said


def test_the_same_recording_twice_and_silence_are_refused_by_name(lesson, tmp_path, capsys):
    copy = str(tmp_path / 'copy.wav')
    samples, rate = soundfile.read(lesson[0])
    soundfile.write(copy, np.concatenate((np.zeros(6_400), samples, np.zeros(6_400))), rate)
    assert main(['teach', 'our doorbell', copy, *lesson]) == 2
    said = capsys.readouterr().err
    assert 'found the same in' in said and 'copy.wav' in said and 'clip0.wav' in said
    soundfile.write(copy, np.zeros(16_000), 16_000)
    assert main(['teach', 'our doorbell', copy, *lesson]) == 2
    assert 'copy.wav: expected a recording in which something sounds' in capsys.readouterr().err
    assert not (tmp_path / 'sounds').exists()


def test_what_cannot_be_told_from_the_background_is_not_stored(lesson, tmp_path, capsys):
    room = lesson[-1]
    samples, _ = soundfile.read(room)
    for index, path in enumerate(lesson[:5]):
        soundfile.write(path, samples[index * 16_000:(index + 2) * 16_000], 16_000)
    assert main(['teach', 'hiss', *lesson]) == 2
    assert 'cannot be told from the background' in capsys.readouterr().err
    assert not (tmp_path / 'sounds').exists()


def test_a_sound_that_is_heard_only_when_it_is_louder_is_not_stored_unless_forced(
        lesson, tmp_path, monkeypatch, capsys):
    learn = teach.learn
    monkeypatch.setattr(teach, 'learn', lambda *arguments: replace(
        learn(*arguments), as_recorded=0.4))
    assert main(['teach', 'fan', *lesson]) == 2
    assert 'heard when it is made louder' in capsys.readouterr().err
    assert not (tmp_path / 'sounds').exists()
    assert main(['teach', 'fan', *lesson, '--force']) == 0


@pytest.mark.parametrize(('arguments', 'said'), [
    (['bell', 'a.wav', 'b.wav'], '3 to 10 recordings'),
    (['bell', 'a.wav', 'b.wav', 'c.wav'], 'expected --background'),
    (['--remove', 'bell'], 'there are: none')])
def test_what_lacks_is_said(lesson, arguments, said, capsys):
    assert main(['teach', *arguments]) == 2
    assert said in capsys.readouterr().err
