"""Speech of minutes: what counts as lost and as said twice at a cut, and how it is joined."""

from pathlib import Path

import numpy as np
import pytest

from eval.live_stream import HeardFinal, HeardStream
from eval.unbroken import LONGEST_PAUSE_S, count_seams, figures, join_speech, pick_reading, squeeze
from held_out.clips import RATE, HeldOutClip, MaterialError

pytest.importorskip('jiwer')
pytest.importorskip('transformers')
pytestmark = pytest.mark.torch

SAID = 'we sat by the river and the old man told his story until the moon was up'


@pytest.mark.parametrize(('finals', 'lost', 'doubled', 'misread', 'wrong'), [
    (['we sat by the river and the old man told', 'his story until the moon was up'], 0, 0, 0, 0),
    (['we sat by the river and the old man', 'his story until the moon was up'], 1, 0, 0, 1),
    (['we sat by the river and the old man told', 'told his story until the moon was up'],
     0, 1, 0, 1),
    (['we sat by the river and the old man tolled', 'his story until the moon was up'],
     0, 0, 1, 1),
    (['we sat the river and the old man told', 'his story until the moon was'], 0, 0, 0, 2)])
def test_what_differs_next_to_a_cut_is_told_from_what_differs_elsewhere(
        finals, lost, doubled, misread, wrong):
    seams = count_seams(SAID, finals)
    assert (seams.lost, seams.doubled, seams.misread, seams.wrong) == (
        lost, doubled, misread, wrong)
    assert seams.words == len(SAID.split())


def test_figures_say_how_long_finals_are_and_what_ended_them():
    finals = [HeardFinal(at=27.0, spent=0.1, text='We sat by the river and the old man told',
                         start=1.0, end=26.5, ended_by='pause'),
              HeardFinal(at=30.0, spent=0.1, text='', start=26.5, end=29.0, ended_by='silence'),
              HeardFinal(at=36.0, spent=0.1, text='his story until the moon was up.',
                         start=29.0, end=35.0, ended_by='silence')]
    row = figures(SAID, 'we sat by the river', HeardStream(finals=finals))
    assert (row['finals'], row['longest_final_s'], row['wrong']) == (2, 25.5, 0)
    assert row['ended_by'] == {'pause': 1, 'silence': 1}
    assert row['wrong_clip_by_clip'] == len(SAID.split()) - 5


def _clip(name, speaker, seconds, label='speech_read'):
    return HeldOutClip(path=Path(name), label=label, group=speaker, seconds=seconds,
                       extra={'speaker': speaker})


def test_one_speaker_reads_where_one_read_long_enough_and_else_all_do():
    items = [_clip('b', 'ann', 40.0), _clip('c', 'bob', 50.0), _clip('a', 'ann', 40.0),
             _clip('d', 'bob', 90.0, label='speech_command')]
    assert [item.name for item in pick_reading(items, 60.0)] == ['a', 'b']
    assert [item.name for item in pick_reading(items, 30.0)] == ['a']
    assert [item.name for item in pick_reading(items, 120.0)] == ['b', 'a', 'c']
    with pytest.raises(MaterialError, match='speech_read'):
        pick_reading(items[3:], 30.0)


def test_speech_without_pauses_has_none_that_is_longer_and_loses_no_speech():
    voice = np.full(RATE, 0.1, np.float32)
    pause = np.zeros(RATE // 2, np.float32)
    spoken = squeeze(np.concatenate([voice, pause, voice]))
    assert len(spoken) / RATE == pytest.approx(2 + LONGEST_PAUSE_S, abs=0.02)
    assert np.count_nonzero(spoken) == 2 * RATE
    joined = join_speech([spoken, spoken], ['a', 'b'], (0.3, 0.7))
    assert 0.6 <= (len(joined) - 2 * len(spoken)) / RATE - 1 <= 1.4
