"""Whole assistants side by side: what is shown of a translation when, and what becomes final."""

import json
import math
from pathlib import Path

import pytest

from audio_interaction_ros.stream.events import (
    FinalTranslation,
    PartialTranslation,
    ReplyText,
)
from eval import translation_streams
from eval.live_stream import TimedEvent
from eval.translation_streams import TranslatedStream, figures, measure_profiles, note_events
from held_out.spoken_sentences import Sentence

pytestmark = pytest.mark.unit

PLACE = {'stamp_ns': 0, 'epoch': 1, 'seq': 0}
REFERENCE = '早上好，我亲爱的朋友。'


def sentence(**more):
    return TranslatedStream('x', Path(), 'en', 'Good morning, my dear friend.', (REFERENCE,),
                            **more)


def partial(text, stable, at, spent=0.1, name='u'):
    return TimedEvent(at=at, spent=spent, event=PartialTranslation(
        **PLACE, lane='translation', utterance_id=name, revision=0, text=text,
        stable_length=stable, language='zh', source_text='', source_language='en', start_ns=0,
        end_ns=1))


def final(text, at, spent=0.2):
    return TimedEvent(at=at, spent=spent, event=FinalTranslation(
        **PLACE, lane='translation', reply_id='u', text=text, language='zh',
        source_text='Good morning.', source_language='en', streamed_text='',
        source='second_pass', confidence=0.9, revision=2, start_ns=0, end_ns=1))


def streamed(text, at, lane='translation'):
    return TimedEvent(at=at, spent=0.1, event=ReplyText(
        **PLACE, lane=lane, reply_id='r', delta=text, text=text))


def heard(*events, lanes=()):
    one = sentence(busy_s=2.0, seconds=4.0)
    note_events(one, events, 3.0, lanes)
    return one


def test_seconds_count_from_the_end_of_the_speech():
    one = heard(partial('早', 0, 2.0), partial('早上好', 1, 2.8), final(REFERENCE, 3.6),
                streamed('another lane', 3.0, 'transcript'))
    assert [(round(at, 3), text, stable) for at, _, _, text, stable in one.shown] == [
        (-1.0, '早', ''), (-0.2, '早上好', '早')]
    row = figures([one])
    assert row['final']['BLEU'].value == pytest.approx(100)
    assert row['draft']['BLEU'].value < 50
    assert (row['shown_before_the_end'], row['taken_back'], row['without_any']) == (1, 0, 0)
    assert row['first_shown_s']['p50'] == pytest.approx(-0.9)
    assert row['final_s']['p50'] == pytest.approx(0.6)
    assert row['final_with_computing_s']['p50'] == pytest.approx(0.8)
    assert row['processor_s_per_s'] == 0.5 and one.read == ['Good morning.']


def test_what_a_lane_streams_is_a_draft_of_which_nothing_is_stable():
    one = heard(streamed('(Chinese)', 4.0), final('', 4.4), lanes=['translation'])
    row = figures([one])
    assert one.shown[0][2:] == ('r', '(Chinese)', '')
    assert (row['without_any'], row['shown_before_the_end'], row['taken_back']) == (1, 0, 0)


def test_stable_text_that_changes_is_counted():
    assert figures([heard(partial('早上', 2, 2.0), partial('晚上好', 2, 2.4),
                          final('早上好', 3.0))])['taken_back'] == 2
    assert figures([heard(partial('早上', 2, 2.0), final('早上好', 2.4),
                          partial('我', 1, 2.8, name='v'))])['taken_back'] == 0


def test_finals_of_two_utterances_are_joined_and_none_is_no_time():
    assert figures([heard(final('早上好，', 3.0), final('我亲爱的朋友。', 4.0))])[
        'final']['chrF'].value == pytest.approx(100)
    assert math.isnan(figures([heard()])['final_s'].get('p50', math.nan))


def test_each_file_hears_each_sentence(monkeypatch, tmp_path, capsys):
    asked = []

    class Profile:
        def __init__(self, path, _options):
            self.name = path.stem

        def hear(self, one):
            asked.append((self.name, one.text))
            return heard(final(REFERENCE, 3.5))
    monkeypatch.setattr(translation_streams, '_Profile', Profile)
    options = type('Options', (), {'profiles': [Path('one.yaml'), Path('two.yaml')]})()
    mine = Sentence('x', Path(), 'en', 'Hi.', ('嗨。',))
    assert measure_profiles(options, tmp_path, {'en-zh': [mine]}) == 0
    assert asked == [('one', 'Hi.'), ('two', 'Hi.')]
    assert 'en-zh' in capsys.readouterr().out
    row = json.loads((tmp_path / 'translation_by_profile.json').read_text())['figures'][
        'directions']['en-zh']
    assert row['one']['above_first'] == {}
    assert row['two']['above_first']['BLEU']['value'] == 0.0
    assert len((tmp_path / 'profiles.jsonl').read_text().splitlines()) == 2
    assert (tmp_path / 'translation_by_profile.json').exists()


