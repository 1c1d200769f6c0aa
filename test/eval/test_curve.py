"""Quality over delay: counted by hand, and the whole command on three items of our own."""

import argparse
import json

import numpy as np
import pytest

from audio_interaction_ros.config import TranscriptConfig
from audio_interaction_ros.errors import ConfigurationError
from audio_interaction_ros.parameter_file import load_configuration
from audio_interaction_ros.resources import shipped_path
from audio_interaction_ros.runtimes.base import ReadWord, Recognition, WindowReading
from eval import curve
from eval.live_stream import HeardStream, Shown
from eval.shown_words import ShownClip, count_wrong, place_words
from eval.suites import streamed
from eval.suites.curves import (
    DELAYS_S,
    follow_replies,
    follow_words,
    score_translated,
    wer_over_delay,
)
from eval.suites.items import Answered, Said, SuiteItem

pytest.importorskip('jiwer')
pytest.importorskip('transformers')
pytestmark = pytest.mark.torch


def clip(*shown, group='g'):
    return ShownClip(group=group, reference='turn on the light', ends=[1.0, 2.0, 3.0, 4.0],
                     whole='', seconds=5.0, shown=list(shown))


STEPS = ((2.2, 0.0, 'turn in', 'turn'), (4.4, 0.0, 'turn on the light', 'turn on'),
         (6.4, 0.0, 'turn on the light', 'turn on the light'))


@pytest.mark.parametrize(('after_s', 'wrong', 'wrong_stable'), [
    (0.5, 3, 4), (1.0, 3, 4), (1.5, 1, 3), (2.0, 1, 3), (3.0, 0, 1)])
def test_a_word_is_right_when_it_is_there_so_long_after(after_s, wrong, wrong_stable):
    one = clip(*STEPS)
    assert count_wrong(one, after_s=after_s) == (wrong, 4)
    assert count_wrong(one, after_s=after_s, stable=True) == (wrong_stable, 4)


def test_a_curve_falls_with_the_delay_and_is_drawn_by_speaker():
    drawn = wer_over_delay([clip(*STEPS), clip(group='h')], computing=False)
    assert list(drawn) == list(DELAYS_S)
    assert [drawn[delay].value for delay in (1.0, 3.0)] == [(3 + 4) / 8, (0 + 4) / 8]
    assert drawn[1.0].n == 2


def test_words_that_nobody_read_are_spread_over_the_clip():
    assert place_words(['a', 'b'], [], 3.0) == [1.5, 3.0]
    assert place_words(['a', 'b', 'c'], [('x', 1.0), ('y', 2.0)], 9.0) == [1.0, 1.5, 2.0]


def heard(at, text, stable):
    return Shown(at=at, spent=0.0, text=text, stable=stable)


ITEM = SuiteItem(id='1', audio='x', references=('我们回家吧',), groups={'direction': 'en_zh'})


def test_a_word_is_told_when_no_later_text_changes_it():
    stream = HeardStream(translated=[
        ('a', heard(1.2, '我们', '')), ('a', heard(2.0, '我们回去', '我们')),
        ('a', heard(2.8, '我们回家', '我们回家')), ('b', heard(4.0, '吧', '吧'))])
    told = follow_words(stream, Answered(item=ITEM, text='', seconds=3.0), by_letter=True)
    assert told.text == '我们回家吧' and told.delays == (2.0, 2.0, 2.8, 2.8, 4.0)
    score = score_translated([told], by_letter=True)
    assert score['BLEU'].value == pytest.approx(100)
    # Behind an ideal of a word each 0.6 s: 2.0, 1.4, 1.6, 1.0, and the last, told after the end.
    assert score['LAAL, s'].value == pytest.approx((2.0 + 1.4 + 1.6 + 1.0 + 1.6) / 5)


def test_the_words_of_a_lane_are_told_with_its_replies():
    answered = Answered(item=ITEM, text='', seconds=3.0, said=(Said(1.2, '我'), Said(2.4, '回家')))
    told = follow_replies(answered, by_letter=True)
    assert (told.text, told.delays) == ('我回家', (1.2, 2.4, 2.4))
    silent = follow_replies(Answered(item=ITEM, text='', seconds=3.0), by_letter=True)
    row = score_translated([silent, told], by_letter=True)
    assert row['silent'] == 1 and row['LAAL, s'].n == 1


def test_each_value_of_a_parameter_is_a_setting_beside_what_is_shipped():
    base = TranscriptConfig(second_pass='whisper')
    settings = streamed.vary(base, ['partial_ms=400,800', 'end=smart'])
    assert [name for name, _ in settings] == ['as shipped', 'partial_ms 400', 'end smart']
    assert settings[1].transcript.partial_ms == 400.0 and settings[2].transcript.end == 'smart'
    for wrong in ('partials=1', 'partial_ms'):
        with pytest.raises(ConfigurationError, match='expected PARAMETER=V1,V2'):
            streamed.vary(base, [wrong])


def test_what_is_gone_through_unless_asked_otherwise_may_be_set():
    shipped = load_configuration(shipped_path('config/edge.yaml')).transcript
    assert [name for name, _ in streamed.vary(shipped, curve.VARIED)] == [
        'as shipped', 'partial_ms 400', 'partial_ms 1600', 'end_silence_ms 500',
        'end_silence_ms 1500']


class Reader:
    """Hears speech in what is louder than 0.01 and reads a word for each half second."""

    step_s = 0.04

    def open_voice(self):
        return self

    def reset(self):
        pass

    def push(self, samples):
        return (np.abs(samples).reshape(-1, 640).max(axis=1) > 0.01).astype(np.float32)

    def _read(self, samples):
        return [ReadWord(text=f' w{n}', start_s=n / 2, end_s=(n + 1) / 2)
                for n in range(len(samples) // 8_000)]

    def transcribe(self, samples):
        words = self._read(samples)
        return Recognition(text=''.join(word.text for word in words), language='en',
                           words=tuple(words))

    def read_closed(self, samples, *, before=(), language=''):
        return self.read_window(samples)

    def read_window(self, samples, *, agreed=(), before=(), language=''):
        return WindowReading(words=(*agreed, *self._read(samples)[len(agreed):]), language='en')


def test_the_whole_command_on_items_of_our_own(tmp_path, monkeypatch, parts, capsys):
    monkeypatch.setattr(streamed, 'load_turn_judge', lambda **_: lambda samples: 1.0)
    parser = argparse.ArgumentParser()
    curve.add_arguments(parser)
    options = parser.parse_args(['librispeech-clean', '--out', str(tmp_path), '--limit', '2',
                                 '--vary', 'partial_ms=1600'])
    assert curve.run(options, parts.loud_runtime(text='please'), Reader()) == 0
    found = json.loads((tmp_path / 'curve.json').read_text())['figures']
    assert list(found['curves']) == [
        'lane of the model', 'as shipped', 'as shipped, stable', 'partial_ms 1600',
        'partial_ms 1600, stable']
    assert all(list(row) == [str(delay) for delay in DELAYS_S]
               for row in found['curves'].values())
    assert 'sample scene' in found['note'] and (tmp_path / 'librispeech-clean.png').is_file()
    assert 'wrong words so long after' in capsys.readouterr().out
