"""Whisper on speech that goes on: what was agreed is fed, windows are short, doubt is told."""

import numpy as np
import pytest
from test_second_pass import Numbers, Says

from audio_interaction_ros.protocol import SAMPLE_RATE_HZ
from audio_interaction_ros.runtimes.base import ReadWord
from audio_interaction_ros.runtimes.circles import is_said_again, say_once
from audio_interaction_ros.runtimes.second_pass import START_OF_PREVIOUS
from audio_interaction_ros.runtimes.whisper_words import WhisperWords

pytestmark = pytest.mark.unit


class Spoken(Numbers):
    """Writes ids as words."""

    def decode(self, ids):
        return ''.join(f' w{code}' for code in ids)

    def token_to_id(self, name):
        return {'<|en|>': 50_259}[name]


class Fed(Says):
    """Remembers with what each text began; goes on with the ids that were not fed yet."""

    def begin(self, frames):
        left, said = [], self.said[next(iter(self.said))]

        def append(ids):
            scores = np.zeros(51_865, np.float32)
            if len(ids) > 1:
                self.starts.append(list(ids))
                fed = [code for code in ids if code < 50_000 and code in said]
                left[:] = [*said[len(fed):], 50_257]
            if ids == [50_258]:
                scores[self.language] = 1.0
            else:
                scores[left.pop(0)] = self.sure
            return scores
        return append


def words(net):
    return WhisperWords(net, Spoken())


def sound(seconds=2.0):
    return np.full(round(seconds * SAMPLE_RATE_HZ), 0.1, np.float32)


def test_the_window_is_as_long_as_the_speech_and_a_second():
    net = Fed(50_259, transcribe=[1, 2, 3])
    read = words(net).read_window(sound(2.0))
    assert net.windows_s == [3.0]
    assert ([word.text for word in read.words], read.language, read.doubt) == (
        [' w1', ' w2', ' w3'], 'en', '')


def test_what_was_agreed_is_fed_and_comes_back_as_it_was():
    net = Fed(50_259, transcribe=[1, 2, 3])
    agreed = [ReadWord(text=' w1', start_s=0.1, end_s=0.2, ids=(1,), confidence=0.7)]
    before = [ReadWord(text=' w9', start_s=0.0, end_s=0.1, ids=(99,))]
    read = words(net).read_window(sound(), agreed=agreed, before=before, language='en')
    assert list(read.words[:1]) == agreed and [word.ids for word in read.words[1:]] == [(2,), (3,)]
    assert net.starts[0][:2] == [START_OF_PREVIOUS, 99] and net.starts[0][-1] == 1


def test_a_text_in_circles_is_said_once_while_it_goes_on_and_else_read_again():
    net = Fed(50_259, transcribe=[7] * 60)
    read = words(net).read_window(sound(2.0))
    assert ([word.text for word in read.words], read.doubt) == ([' w7'], '')
    assert net.windows_s == [3.0]
    again = words(net).read_closed(sound(2.0))
    assert again.doubt == 'in circles' and net.windows_s == [3.0, 6.0, 30.0]


@pytest.mark.parametrize(('text', 'once'), [
    ('Make me a light rose. Make me a light rose. Make me a', 'Make me a light rose.'),
    ('Make me make me make me', 'Make me'), ('0, 0, 0, 0', '0,'), ('red, red, drive', ''),
    ('no no no', ''), ('bye bye', ''), ('one two three', ''), ('', ''),
    ('go home now go home now go home', ''),

    ('one more cup of tea one more cup of tea cup of tea', 'one more cup of tea'),
    ('Yes. Go to the room. go to the room', 'Yes. Go to '
                                              'the room.')])
def test_words_that_are_only_said_again_are_left_out_and_people_may_repeat_themselves(text, once):
    said = [ReadWord(text=f' {word.rstrip(".,")}', mark=word[len(word.rstrip('.,')):],
                     start_s=0.0, end_s=0.0) for word in text.split()]
    kept = say_once(said)
    assert ' '.join(word.written.strip() for word in kept) == (once or text)
    assert say_once(said, len(said)) == said, 'what was agreed on stays'


def test_a_long_phrase_that_begins_again_is_written_no_further():
    assert is_said_again([*range(12), *range(12)]) and not is_said_again([*range(24)])
    net = Fed(50_259, transcribe=[*range(1, 13)] * 4)
    assert len(words(net).read_window(sound(4.0)).words) == 12


class Halves(Spoken):
    """Writes half a character for 7, and the other half for 8."""

    def decode(self, ids):
        return super().decode(ids).replace(' w7 w8', '好').replace(' w7', '\ufffd')


def test_what_ends_within_a_character_is_read_again_and_in_doubt():
    net = Fed(50_259, transcribe=[1, 7])
    reader = WhisperWords(net, Halves())
    assert [reader.read_window(sound()).doubt, reader.read_closed(sound()).doubt] == ['broken'] * 2
    assert net.windows_s == [3.0, 6.0, 30.0]
    read = WhisperWords(Fed(50_259, transcribe=[1, 7, 8]), Halves()).read_window(sound())
    assert ([word.text for word in read.words], read.doubt) == ([' w1', '好'], '')


def test_a_guess_is_told():
    net = Fed(50_259, transcribe=[1, 2])
    net.sure = 1.0
    assert words(net).read_window(sound()).doubt == 'guessed'


def test_without_a_voice_detector_nobody_hears_when_speech_begins():
    assert words(Fed(50_259, transcribe=[1])).open_voice() is None


def test_what_is_final_is_fed_as_a_sentence_and_does_not_come_back():
    net = Fed(50_259, transcribe=[1, 2, 3])
    final = [ReadWord(text=' w1', start_s=0.1, end_s=0.2, ids=(1,))]
    whisper = words(net)
    whisper.encode = lambda text: {'.': [77]}[text]
    read = whisper.read_after(sound(), after=final, language='en')
    assert net.starts[0][-2:] == [1, 77], 'a text that goes on behind no mark has none itself'
    assert [word.ids for word in read.words] == [(2,), (3,)] and read.doubt == ''
    marked = [ReadWord(text=' w1', start_s=0.1, end_s=0.2, ids=(1,), mark='!', mark_ids=(2,))]
    whisper.read_after(sound(), after=marked, language='en')
    assert net.starts[1][-2:] == [1, 2] and net.windows_s == [6.0, 6.0]
