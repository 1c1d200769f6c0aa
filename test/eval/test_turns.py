"""Ends of utterances: streams with known ends, and what counts as cut, joined and late."""

import numpy as np
import pytest

from audio_interaction_ros.runtimes.base import Recognition
from eval.live_stream import HeardFinal, HeardStream
from eval.turn_streams import PlacedClip, TurnStream, join_clips, make_quiet, pick_clips
from eval.turns import figures, mark_cuts, match
from held_out.clips import HeldOutClip

pytestmark = pytest.mark.unit


def placed(start, end):
    return PlacedClip(name='a', kind='read', start=start, end=end, samples=np.zeros(10))


def final(start, end, at, text='yes', spent=0.25):
    return HeardFinal(at=at, spent=spent, text=text, start=start, end=end, ended_by='silence')


STREAM = TurnStream(samples=np.zeros(10), clips=(placed(1, 3), placed(5, 7), placed(9, 12)))


def ends(*finals):
    turns, strange = match(STREAM, HeardStream(finals=list(finals)))
    return turns, strange, figures(turns)


def test_utterances_that_end_once_are_neither_cut_nor_joined_and_the_delay_is_told():
    turns, strange, row = ends(final(0.6, 3.3, 3.5), final(4.6, 7.3, 8.0), final(8.6, 12.3, 12.5))
    assert not strange and [turn.delay_s for turn in turns] == [0.75, 1.25, 0.75]
    assert (row['cut'].value, row['joined'].value) == (0, 0) and row['delay_s']['p50'] == 0.75
    assert row['ended_by'] == {'silence': 3}


def test_one_final_of_two_utterances_joins_them_and_has_no_delay():
    turns, _, row = ends(final(0.6, 7.3, 8.0), final(8.6, 12.3, 12.5))
    assert [turn.joined for turn in turns] == [True, False, False]
    assert np.isnan(turns[0].delay_s) and row['joined'].value == 0.5


def test_two_finals_of_one_utterance_cut_it_and_empty_ones_are_none():
    turns, strange, row = ends(final(0.6, 2, 2.4), final(2, 3.3, 3.6), final(3.6, 4.5, 4.8),
                               final(5, 7, 7.3, text=''))
    assert [len(turn.finals) for turn in turns] == [2, 0, 0] and len(strange) == 1
    assert (row['cut'].value, row['without a final']) == (1.0, 2)


@pytest.mark.parametrize(('text', 'within'), [
    ('Yes. No more.', False), ('Yes, it is no more.', True), ('"Yes." No.', False)])
def test_a_cut_where_a_sentence_ends_is_told_from_one_within(text, within):
    class Reader:
        def transcribe(self, samples):
            return Recognition(text=text, language='en')

    turns, *_ = ends(final(0.6, 2, 2.4), final(2, 3.3, 3.6))
    mark_cuts(turns[0], Reader())
    assert turns[0].in_sentences == [within]


@pytest.fixture
def recordings(tmp_path):
    """Write clips: speech that sounds for a second in two, a background and music."""
    soundfile = pytest.importorskip('soundfile')
    rng, items = np.random.default_rng(0), []
    for name, label in (('a', 'speech_command'), ('b', 'speech_read'), ('bed', 'background_cafe'),
                        ('song', 'music'), ('laugh', 'laughter')):
        samples = rng.normal(0, 0.1, 32_000).astype(np.float32)
        if label.startswith('speech'):
            samples[:8_000] = samples[24_000:] = 0
        path = tmp_path / f'{name}.wav'
        soundfile.write(path, samples, 16_000)
        items.append(HeldOutClip(path=path, label=label, group=name, seconds=2.0))
    return items


def test_clips_stand_in_a_stream_where_it_says_and_pauses_are_as_long_as_asked(recordings):
    clips = pick_clips(recordings, 5)
    stream = join_clips(clips, (1.0, 2.0))
    one, other = stream.clips
    assert {clip.kind for clip in stream.clips} == {'command', 'read'}
    assert abs(one.end - one.start - 1.0) < 0.1 and 0.9 <= other.start - one.end <= 2.1
    loud = np.abs(stream.samples[round(one.start * 16_000):round(one.end * 16_000)]).mean()
    assert loud > 20 * np.abs(stream.samples[:8_000]).mean()
    assert np.array_equal(stream.samples, join_clips(clips, (1.0, 2.0)).samples)


def test_places_without_speech_are_as_long_as_asked_and_have_no_voices(recordings):
    parts = list(make_quiet(recordings, 240.0))
    assert sum(len(samples) for _, samples in parts) == 240 * 16_000
    assert all('bed' in name for name, _ in parts)
    assert not np.array_equal(parts[0][1], parts[1][1])
