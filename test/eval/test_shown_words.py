"""Words while they are spoken: what counts as right a second after it was said."""

from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

from audio_interaction_ros.config import TranscriptConfig
from audio_interaction_ros.protocol import ChunkSize
from audio_interaction_ros.runtimes.base import ReadWord, Recognition, WindowReading
from eval.live_stream import play
from eval.shown_words import ShownClip, count_wrong, describe, figures, make_clip, note_words
from eval.word_pictures import draw_words
from held_out.clips import HeldOutClip

pytest.importorskip('jiwer')
pytest.importorskip('transformers')
pytestmark = pytest.mark.torch


def clip(*shown, finals=()):
    return ShownClip(group='g', reference='turn on the light', ends=[1.0, 2.0, 3.0, 4.0],
                     whole='turn on the light', seconds=5.0, finals=list(finals),
                     shown=[(at, spent, text, '') for at, spent, text in shown])


@pytest.mark.parametrize(('shown', 'wrong'), [
    ([], 4),
    ([(0.5, 0.1, 'Turn on the light.')], 0),
    ([(1.8, 0.1, 'turn'), (2.8, 0.3, 'turn on'), (4.8, 0.1, 'turn on the light')], 2),
    ([(0.5, 0.1, 'turn on a light')], 1),
    ([(0.5, 0.1, 'turn on the light now')], 1)])
def test_a_word_must_be_right_a_second_after_it_was_said_computing_counted(shown, wrong):
    assert count_wrong(clip(*shown)) == (wrong, 4)


def test_figures_say_when_the_first_word_and_the_final_came():
    row = figures([clip((1.6, 0.2, 'turn'), (5.0, 0.3, 'turn on the light'),
                        finals=[(5.0, 0.3, 'turn on the light')])])
    assert (row['first_word_s']['p50'], row['first_word_with_computing_s']['p50']) == (0.6, 0.8)
    assert (row['final_s']['p50'], row['final_with_computing_s']['p50']) == (1.0, 1.3)
    assert (row['wer_final'].value, row['wer_whole'].value) == (0.0, 0.0)


def test_finals_stand_beside_what_was_read_of_the_whole_clip():
    """One word is wrong in both, another in the final only."""
    spoken = clip(finals=[(3.0, 0.1, 'turn of'), (5.0, 0.1, 'the night')])
    spoken.whole = 'Turn of the light.'
    row, said = figures([spoken]), describe(spoken)
    assert (row['wrong_final'], row['wrong_whole'], row['final_over_whole'].value) == (2, 1, 2.0)
    assert (said['wrong_final'], said['final_differs_from_whole']) == (2, 1)
    assert said['finals'] == ['turn of', 'the night'] and said['said'] == spoken.reference


def test_what_is_read_of_a_clip_without_a_text_is_its_reference_to_the_word():
    """Normalised word by word, "twenty one" would be other digits than in a text."""
    words = tuple(ReadWord(text=text, start_s=float(place), end_s=place + 0.5)
                  for place, text in enumerate((' Twenty', ' one', ' oranges')))

    class Reader:
        def transcribe(self, samples):
            return Recognition(text='Twenty one oranges', language='en', words=words)

    item = HeldOutClip(path=Path('a/b/c.wav'), label='speech_read', group='g', seconds=3.0)
    spoken = make_clip(Reader(), item, np.zeros(48_000))
    assert spoken.reference == '2 1 oranges' and not spoken.has_text
    assert figures([spoken])['wrong_whole'] == 0
    assert describe(spoken)['said'] is None
    assert len(spoken.ends) == 3 and spoken.ends[-1] == 2.5


class Whisper:
    """Hears speech in what is louder than 0 and reads a word for each second."""

    step_s = 0.04

    def __init__(self, takes_s=0.0):
        self.takes_s, self.seconds = takes_s, 0.0

    def clock(self):
        """Return the seconds that were spent on reading."""
        return self.seconds

    def open_voice(self):
        return self

    def reset(self):
        pass

    def push(self, samples):
        return (samples.reshape(-1, 640).max(axis=1) > 0).astype(np.float32)

    def read_closed(self, samples, *, before=(), language=''):
        return self.read_window(samples, before=before)

    def read_window(self, samples, *, agreed=(), before=(), language=''):
        self.seconds += self.takes_s
        words = [ReadWord(text=f' w{n}', start_s=float(n), end_s=n + 0.5)
                 for n in range(len(samples) // 16_000)]
        return WindowReading(words=(*agreed, *words[len(agreed):]), language='en')


def test_a_clip_is_shown_while_it_plays_and_final_after_it():
    whisper = Whisper(takes_s=0.05)
    played = play(whisper, np.full(48_000, 0.1, np.float32),
                  TranscriptConfig(second_pass='whisper'), clock=whisper.clock)
    heard = note_words(clip(), played)
    assert [text for *_, text in heard.finals] == ['w0 w1 w2'] and heard.taken_back == 0
    assert next(text for _, _, text, _ in heard.shown) == 'w0'
    assert heard.shown[-1][2:] == ('w0 w1 w2', 'w0 w1 w2')
    assert played.finals[0].ended_by == 'silence' and played.finals[0].spent == 0


def test_what_takes_long_makes_all_that_follows_late_and_partials_rare():
    sound, settings = np.full(160_000, 0.1, np.float32), TranscriptConfig(second_pass='whisper')
    fast, slow = (play(whisper, sound, settings, clock=whisper.clock)
                  for whisper in (Whisper(takes_s=0.1), Whisper(takes_s=1.5)))
    assert len(slow.readings) < len(fast.readings) / 2
    assert slow.shown[0][1].spent == pytest.approx(1.5)
    assert slow.finals[0].spent >= fast.finals[0].spent


def test_pictures_show_words_and_latencies(tmp_path):
    pytest.importorskip('matplotlib')
    spoken = clip((0.8, 0.1, 'turn'), (5.0, 0.3, 'turn on the light'),
                  finals=[(5.0, 0.3, 'turn on the light')])
    paths = draw_words(tmp_path, {'drawn': [asdict(spoken)],
                                  'kinds': {'speech_command': figures([spoken])}})
    assert [path.name for path in paths] == ['words.png', 'latency.png']
    assert all(path.stat().st_size > 1_000 for path in paths)


@pytest.mark.parametrize(('seconds', 'after_s'), [(0.4, 1.2), (0.2, 1.0)])
def test_who_looks_more_often_finds_the_end_sooner(seconds, after_s):
    """A second of silence is over 1.0 s after a voice that stopped at the end of a chunk."""
    whisper = Whisper()
    played = play(whisper, np.full(32_000, 0.1, np.float32),
                  TranscriptConfig(second_pass='whisper', end_unfinished_ms=1000.0),
                  clock=whisper.clock, part=ChunkSize.of_seconds(seconds))
    final, = played.finals
    assert final.at - 2.0 == pytest.approx(after_s)
