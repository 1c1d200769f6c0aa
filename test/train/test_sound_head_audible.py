"""When a label is heard at the end of a chunk, and what its classes are told of it."""

import numpy as np
import pytest

from audio_interaction_ros.errors import ConfigurationError
from audio_interaction_ros.protocol import CHUNK_SAMPLES
from train.sound_head.audible import PlacedSound, frame_power, label_chunks
from train.sound_head.classes import ABSENT, PRESENT, UNKNOWN, read_classes

pytestmark = pytest.mark.unit

RATE = 16_000


def tone(seconds, level=0.1):
    return (level * np.sin(np.arange(round(seconds * RATE)) * 0.3)).astype(np.float32)


def heard(*placed, chunks=6, labels=('dog_bark', 'rain')):
    mixture = np.zeros(chunks * CHUNK_SAMPLES, np.float32)
    for sound in placed:
        mixture[sound.begin:sound.end] += sound.samples
    return label_chunks(placed, frame_power(mixture), labels)


def test_a_sound_is_present_from_a_fifth_of_a_second_on_until_its_end_is_too_far_back():
    told = heard(PlacedSound('dog_bark', round(0.64 * RATE), tone(0.56)))[:, 0]
    #       0.4: before  0.8: 0.16 s of it  1.2: it ends  1.6: 0.4 s of it are in the last 0.8 s
    assert told.tolist() == [ABSENT, UNKNOWN, PRESENT, PRESENT, ABSENT, ABSENT]


def test_half_of_a_short_sound_is_enough():
    assert heard(PlacedSound('dog_bark', round(0.7 * RATE), tone(0.1)))[1, 0] == PRESENT


def test_what_is_far_below_everything_else_is_unknown():
    told = heard(PlacedSound('dog_bark', 0, tone(2.4, 0.001)), PlacedSound('rain', 0, tone(2.4)))
    assert set(told[:, 0]) == {UNKNOWN} and set(told[:, 1]) == {PRESENT}


def test_the_pause_of_a_rhythm_is_unknown():
    rhythm = np.concatenate([tone(0.4), np.zeros(round(1.6 * RATE), np.float32), tone(0.4)])
    assert heard(PlacedSound('dog_bark', 0, rhythm))[:, 0].tolist() == [
        PRESENT, PRESENT, UNKNOWN, UNKNOWN, UNKNOWN, PRESENT]


def test_a_class_is_unknown_where_a_label_sounds_that_may_be_heard_as_it():
    classes, labels = read_classes(), ('dish_break', 'fire_alarm', 'glass_break', 'rain')
    told = classes.to_classes(np.array([[1, 0, 0, 0], [0, 1, 0, 1], [0, 0, -1, 0]], np.int8),
                              labels)
    column = {name: told[:, number].tolist() for number, name in enumerate(classes.names)}
    assert column['glass_break'] == [PRESENT, ABSENT, UNKNOWN]
    assert column['fire_alarm'] == [ABSENT, PRESENT, ABSENT]
    assert column['smoke_alarm'] == [ABSENT, UNKNOWN, ABSENT]
    assert column['rain'] == [ABSENT, PRESENT, ABSENT]


def test_an_ambiguous_label_of_an_unknown_class_is_refused(tmp_path):
    path = tmp_path / 'classes.yaml'
    path.write_text('alerts: {}\nothers: {}\nambiguous:\n  bell: [doorbell]\n')
    with pytest.raises(ConfigurationError, match='doorbell'):
        read_classes(path)
