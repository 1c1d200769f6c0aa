"""Second pass: how a text is read, whatever computes the nets; loops are noticed."""

import math
import types

import numpy as np
import pytest

from audio_interaction_ros.errors import ConfigurationError
from audio_interaction_ros.model.voice_activity import HOP
from audio_interaction_ros.protocol import SAMPLE_RATE_HZ
from audio_interaction_ros.runtimes.second_pass import (
    END,
    NO_TIMESTAMPS,
    START,
    START_OF_PREVIOUS,
    STYLE,
    TASKS,
    WhisperSecondPass,
    compression_ratio,
    is_repeating,
    pick_likeliest,
    style_ids,
)

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(('ids', 'loops'), [
    ([5, 5, 5, 5], True), ([9, 1, 2, 1, 2, 1, 2, 1, 2], True), ([5, 5, 5], False),
    ([1, 2, 3, 1, 2, 3, 1, 2, 3], False), ([], False)])
def test_a_loop_is_four_times_the_same(ids, loops):
    assert is_repeating(ids) is loops


def test_a_language_is_one_of_those_that_it_can_be():
    scores = np.array([0.0, 9.0, 2.0, 5.0, 1.0])
    assert pick_likeliest(scores, [1, 2, 3, 4]) == 1
    assert pick_likeliest(scores, [2, 3]) == 3


def test_chinese_is_shown_how_it_is_written():
    assert style_ids('zh', lambda text: [len(text)]) == [START_OF_PREVIOUS, len(STYLE['zh'])]
    assert style_ids('en', lambda text: [len(text)]) == []


LANGUAGES = {50_259: 'en', 50_260: 'zh', 50_266: 'ja'}


class Says:
    """A net that hears one language and writes a list of ids for each task."""

    def __init__(self, language, **said):
        self.language, self.starts, self.windows_s = language, [], []
        self.sure = 20.0  # how far above all others the score of what it writes is
        self.said = {TASKS[task]: ids for task, ids in said.items()}

    def encode(self, mel):
        self.windows_s.append(mel.shape[1] / 100)
        return mel[:1]

    def attend(self, encoded):
        return encoded

    def begin(self, frames):
        left = []

        def append(ids):
            scores = np.zeros(51_865, np.float32)
            if ids == [START]:
                scores[self.language] = 1.0
                return scores
            if ids[-1] == NO_TIMESTAMPS:
                self.starts.append(ids)
                left[:] = [*self.said[ids[-2]], END]
            scores[left.pop(0)] = self.sure
            return scores
        return append


class Numbers:
    """A tokenizer that writes ids as numbers."""

    def decode(self, ids):
        return ' '.join(map(str, ids))

    def encode(self, text, add_special_tokens):
        return types.SimpleNamespace(ids=[9])

    def id_to_token(self, code):
        return f'<|{LANGUAGES.get(code, code)}|>'

    def get_vocab(self, with_added_tokens):
        return {}

    def get_vocab_size(self, with_added_tokens):
        return START + 1


def second_pass(language, *, voice=None, **said):
    """Return a second pass without weights."""
    return WhisperSecondPass(Says(language, **said), Numbers(), find_speech=voice)


@pytest.mark.parametrize('wrong', [{'language': 'xx'}, {'task': 'sing'}])
def test_a_wrong_name_is_refused(wrong):
    with pytest.raises(ConfigurationError, match=next(iter(wrong))):
        WhisperSecondPass(Says(50_259), Numbers(), **wrong)


def sound():
    return np.full(SAMPLE_RATE_HZ, 0.1, np.float32)


@pytest.mark.parametrize(('speech_s', 'window_s'), [(0.3, 5), (1.0, 5), (1.1, 6), (25.9, 30),
                                                    (27.0, 30), (40.0, 30)])
def test_no_more_is_heard_than_the_speech_and_four_seconds(speech_s, window_s):
    one = second_pass(50_259, transcribe=[1, 2])
    one.transcribe(np.full(round(speech_s * SAMPLE_RATE_HZ), 0.1, np.float32))
    assert one._net.windows_s == [window_s]


@pytest.mark.parametrize('fault', ['unsure', 'loop'])
def test_a_text_that_cannot_be_trusted_is_read_again_in_half_a_minute(fault):
    one = second_pass(50_259, transcribe=[7] * 60 if fault == 'loop' else [1, 2])
    one._net.sure = 1.0 if fault == 'unsure' else 20.0
    one.transcribe(sound())
    assert one._net.windows_s == [5, 30]


def test_text_and_english_come_from_one_encoder_pass():
    one = second_pass(50_260, transcribe=[1, 2], translate=[3, 4])
    read = one.transcribe(sound(), ('en', 'zh'))
    assert (read.text, read.language) == ('1 2', 'zh')
    assert len(one._net.starts) == 1, 'English is written when it is asked for'
    assert (read.write_english(), len(one._net.windows_s)) == ('3 4', 1)
    assert one._net.starts == [
        [START_OF_PREVIOUS, 9, START, 50_260, TASKS['transcribe'], NO_TIMESTAMPS],
        [START, 50_260, TASKS['translate'], NO_TIMESTAMPS]]


def test_the_english_of_english_is_its_text():
    one = second_pass(50_259, transcribe=[1, 2])
    read = one.transcribe(sound())
    assert (read.text, read.language, read.write_english()) == ('1 2', 'en', '1 2')
    assert len(one._net.starts) == 1


def test_english_that_runs_in_circles_is_none():
    one = second_pass(50_266, transcribe=[1], translate=[5] * 9)
    assert one.transcribe(sound()).write_english() == ''


class Halves(Numbers):
    """A tokenizer that writes half a character for 7, and the other half for 8."""

    def decode(self, ids):
        return super().decode(ids).replace('7 8', '好').replace('7', '\ufffd')


@pytest.mark.parametrize(('ids', 'text', 'broken'), [
    ([1, 7, 8], '1 好', False), ([1, 7], '1', True), ([7, 1], '1', True),
    ([*range(10, 229), 7], None, False)])
def test_half_a_character_says_nothing_and_is_told_but_where_a_text_is_too_long(ids, text, broken):
    read = WhisperSecondPass(Says(50_259, transcribe=ids), Halves()).transcribe(sound())
    assert read.broken is broken and '\ufffd' not in read.text
    assert text is None or read.text == text


@pytest.mark.parametrize(('ids', 'loops'), [([5, 6] * 4, True), ([5, 6] * 3, False)])
def test_a_text_that_was_stopped_in_circles_is_told(ids, loops):
    assert second_pass(50_259, transcribe=ids).transcribe(sound()).loops is loops


def test_silence_says_nothing_in_any_language():
    one = second_pass(50_260)
    read = one.transcribe(np.zeros(SAMPLE_RATE_HZ, np.float32))
    assert (read.text, read.language, read.no_speech, one._net.windows_s) == ('', '', 1.0, [])


class Voice:
    """Hears speech from one second to another, at whatever level; remembers the loudest sample."""

    def __init__(self, start, end):
        self.start, self.end, self.loudest = start, end, []

    def __call__(self, samples):
        self.loudest.append(float(np.abs(samples).max()))
        heard = np.zeros(-(-len(samples) // HOP), np.float32)
        heard[round(self.start * SAMPLE_RATE_HZ / HOP):round(self.end * SAMPLE_RATE_HZ / HOP)] = 1
        return heard


@pytest.mark.parametrize('level', [1e-4, 0.9])
def test_only_where_somebody_speaks_is_read_whatever_the_level(level):
    one = second_pass(50_259, transcribe=[1, 2])
    one._voice = Voice(3.0, 4.0)
    read = one.transcribe(np.full(8 * SAMPLE_RATE_HZ, level, np.float32))
    assert read.span_s == pytest.approx((2.6, 4.4), abs=0.05)
    assert one._voice.loudest == [pytest.approx(0.5)]
    long = one.transcribe(np.full(40 * SAMPLE_RATE_HZ, level, np.float32))
    assert long.span_s == pytest.approx((12.6, 14.4), abs=0.05), 'the last 30 s are read'


def test_where_nobody_speaks_whisper_is_not_asked():
    one = second_pass(50_259, transcribe=[1, 2])
    one._voice = Voice(3.0, 3.0)
    read = one.transcribe(sound())
    assert (read.text, read.no_speech, read.span_s, one._net.windows_s) == ('', 1.0, None, [])


def test_a_reading_tells_how_far_to_trust_it():
    one = second_pass(50_259, transcribe=[1, 2])
    one._net.sure = 1.0
    read = one.transcribe(sound())
    # One token of 1 among words of 0 and the end; every id from START on is banned.
    likely = -math.log((START - 1) / math.e + 1)
    assert read.mean_log_prob == pytest.approx(likely, abs=1e-3)
    assert read.confidence == pytest.approx(math.exp(read.mean_log_prob))
    assert read.no_speech == pytest.approx(1 / (51_864 + math.e), rel=1e-3)


@pytest.mark.parametrize(('text', 'circles'), [
    ('Turn on the light in the kitchen, please.', False), ('', False), ('ha ha ' * 40, True)])
def test_a_text_that_runs_in_circles_compresses_well(text, circles):
    assert (compression_ratio(text) > 2.4) is circles
