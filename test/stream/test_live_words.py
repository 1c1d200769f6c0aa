"""Words while they are spoken: when an utterance begins, is read and ends, once."""

from dataclasses import replace

import numpy as np
import pytest

from audio_interaction_ros.audio.block import AudioChunk
from audio_interaction_ros.protocol import CHUNK_NS, CHUNK_SAMPLES
from audio_interaction_ros.runtimes.base import ReadWord, Recognition, WindowReading
from audio_interaction_ros.stream.closed_reading import ClosedReading
from audio_interaction_ros.stream.final_text import Draft
from audio_interaction_ros.stream.final_words import finish_span, settle_draft
from audio_interaction_ros.stream.live_words import LONGEST_NS, LiveWords
from audio_interaction_ros.stream.open_utterance import OpenUtterance
from audio_interaction_ros.stream.pause_judge import PauseJudge
from audio_interaction_ros.stream.span_reader import SpanReader
from audio_interaction_ros.stream.turn_end import TurnEnd
from audio_interaction_ros.stream.unfinished import is_unfinished, leads_on

pytestmark = pytest.mark.unit

S = 1_000_000_000
WORDS = ('alpha', 'bravo', 'charlie', 'delta', 'echo', 'foxtrot', 'golf', 'hotel')
END = TurnEnd(silence_ns=1_200_000_000, sure_ns=300_000_000, unfinished_ns=2_400_000_000)


class Voice:
    """Hears speech where samples are above 0."""

    step_s = 0.04

    def push(self, samples):
        return (samples.reshape(-1, 640).max(axis=1) > 0).astype(np.float32)

    def reset(self):
        pass


class Reader:
    """Reads one word for each whole second of the window that is not silent."""

    def __init__(self, mark=''):
        self.windows, self.closed, self.doubt, self.mark = [], [], '', mark

    def read_closed(self, samples, *, before=(), language=''):
        self.closed.append(len(samples) / 16_000)
        return self._read(samples, (), before, self.mark)

    def read_window(self, samples, *, agreed=(), before=(), language=''):
        self.windows.append(len(samples) / 16_000)
        return self._read(samples, agreed, before, '')

    def _read(self, samples, agreed, before, mark):
        first = len(before)
        # A number at the end of a text would mean that more is to come.
        name = WORDS.__getitem__ if self.mark else 'w{}'.format
        words = [ReadWord(text=f' {name(first + place)}', start_s=float(place), end_s=place + 0.8,
                          ids=(place,), mark=mark)
                 for place in range(int(len(samples) // 16_000))]
        return WindowReading(words=(*agreed, *words[len(agreed):]), language='en',
                             doubt=self.doubt)


class Ears:
    """Hears each sample once: one word for each whole second that it was given."""

    def __init__(self, over_after=99):
        self.opened, self.over_after = [], over_after

    def open_voice(self):
        return Voice()

    def open_stream(self):
        self.opened.append(OneUtterance(self.over_after))
        return self.opened[-1]


class OneUtterance:
    over = False

    def __init__(self, over_after):
        self.heard, self.over_after = 0, over_after

    def push(self, samples):
        self.heard += len(samples)
        self.over = self.heard >= self.over_after * 16_000

    def read(self, agreed=()):
        words = [ReadWord(text=f' w{place}', start_s=float(place), end_s=place + 0.8)
                 for place in range(self.heard // 16_000)]
        return WindowReading(words=(*agreed, *words[len(agreed):]), language='en', growing=1)


class Stream:
    """Chunks one after the other; '#' is one of speech, '.' one of silence."""

    def __init__(self, reader=None, *, mark='', judge=None, parts=1, **options):
        self.parts = parts
        self.reader = reader or Reader(mark)
        self.told = []
        self.live = LiveWords(self.reader, Voice(), period_s=0.8, end=PauseJudge(
            END, judge, tell=self.told.append), **options)
        self.at_ns, self.over, self.shown = 0, [], []

    def play(self, pattern):
        for sign in pattern:
            samples = np.full(CHUNK_SAMPLES, 0.1 if sign == '#' else 0.0, np.float32)
            for part in np.split(samples, self.parts):
                self.hear(part)
        return self

    def hear(self, samples):
        part = AudioChunk(samples=samples, stamp_ns=self.at_ns, lost_samples_before=0)
        self.live.remember(part)
        self.at_ns = part.end_ns
        self.over += self.live.hear()
        if self.live.due:
            shown = self.live.read()
            self.shown += [shown] if shown else []
        self.over += self.live.end()


def test_speech_is_read_while_it_goes_on_and_over_after_silence():
    stream = Stream().play('..' + '#' * 10 + '......')
    assert [shown.text for shown in stream.shown][:3] == ['w0', 'w0', 'w0 w1']
    assert [shown.stable_length for shown in stream.shown][:2] == [0, 2]
    assert stream.shown[-1].stable_length > 0
    span, = stream.over
    assert span.start_ns <= 2 * CHUNK_NS and abs(span.end_ns - 12 * CHUNK_NS) <= 300_000_000


def test_nothing_is_read_where_nobody_speaks():
    stream = Stream().play('.' * 20)
    assert (stream.reader.windows, stream.over, stream.shown) == ([], [], [])


def test_an_unfinished_sentence_waits_twice_as_long():
    stream = Stream().play('#' * 6 + '...')
    assert stream.over == [], 'words without a full stop'
    assert stream.play('...').over


def test_stable_text_is_never_taken_back_in_long_speech_and_windows_stay_short():
    stream = Stream().play('#' * 60)
    before = ''
    for shown in stream.shown:
        if shown.utterance_id == stream.shown[0].utterance_id:
            assert shown.text.startswith(before)
            before = shown.text[:shown.stable_length]
    assert max(stream.reader.windows) < 11
    assert before.split() == [f'w{place}' for place in range(len(before.split()))]


def test_long_speech_is_cut_and_the_parts_meet():
    stream = Stream().play('#' * 150)
    stream.over += stream.live.finish()
    assert len(stream.over) >= 2
    for one, other in zip(stream.over, stream.over[1:], strict=False):
        assert one.end_ns == other.start_ns
    assert all(span.end_ns - span.start_ns <= LONGEST_NS for span in stream.over)
    assert (stream.over[0].start_ns, stream.over[-1].end_ns) == (0, 150 * CHUNK_NS)


def test_what_a_lane_answered_is_over_and_what_follows_is_another_utterance():
    stream = Stream().play('#' * 10)
    first = stream.shown[-1].utterance_id
    assert stream.live.settle(6 * CHUNK_NS) == first
    stream.play('#' * 6)
    assert stream.shown[-1].utterance_id != first
    assert stream.shown[-1].start_ns == 6 * CHUNK_NS


def test_a_late_answer_to_what_is_final_has_nothing_left():
    stream = Stream().play('#' * 10 + '.' * 8)
    assert len(stream.over) == 1
    assert stream.live.rest_of(0, stream.at_ns) is None
    stream.play('#' * 5)
    assert stream.live.rest_of(0, stream.at_ns) == (stream.over[0].end_ns, stream.at_ns)
    assert Stream().live.rest_of(0, S) == (0, S)


def test_a_gap_ends_an_utterance():
    stream = Stream().play('#' * 5)
    stream.at_ns += 3 * S
    assert len(stream.play('.').over) == 1


def test_what_was_shown_of_forgotten_audio_is_taken_back_once_and_what_was_not_is_not():
    stream = Stream().play('#' * 5)
    stream.live.forget()
    taken, = stream.play('....').over
    assert taken.utterance_id == stream.shown[-1].utterance_id
    assert taken.ended_by == 'reset' and (taken.reading, taken.shown) == (None, None)
    quiet = Stream().play('#')
    quiet.live.forget()
    assert not quiet.shown and not quiet.play('....').over


def test_an_end_is_found_in_the_part_in_which_it_is():
    ends = []
    for parts in (1, 2, 5):
        stream = Stream(mark='.', judge=lambda _: 0.9, parts=parts).play('#' * 6)
        spoken_ns = stream.at_ns
        while not stream.over:
            stream.hear(np.zeros(CHUNK_SAMPLES // parts, np.float32))
        ends.append((stream.at_ns - spoken_ns) / CHUNK_NS)
    assert ends == [1, 1, 0.8], '0.3 s of silence are over after so many chunks'


@pytest.mark.parametrize('parts', [1, 2, 5])
def test_speech_begins_where_it_began_and_however_it_is_cut(parts):
    """A tenth of a second in two parts is as much as in one."""
    stream = Stream(parts=parts).play('..')
    sound = np.zeros(CHUNK_SAMPLES, np.float32)
    sound[2560:4480] = 0.1  # three pieces of 0.04 s, around the middle
    for part in np.split(sound, parts):
        stream.hear(part)
    assert stream.live._open.start_ns == 2 * CHUNK_NS + 160_000_000 - 400_000_000
    assert stream.live._open.spoken_ns == 120_000_000


def test_a_reading_in_doubt_is_not_shown():
    stream = Stream()
    stream.reader.doubt = 'in circles'
    assert stream.play('#' * 10).shown == []


@pytest.mark.parametrize(('text', 'unfinished'), [
    ('', False), ('Turn on the light.', False), ('Turn on the', True), ('My number is 5.', True),
    ('It is seven.', True), ('你好。', False), ('我有三', True), ('Really?', False)])
def test_a_sentence_without_an_end_and_a_number_are_unfinished(text, unfinished):
    assert is_unfinished(text) is unfinished


def test_where_long_speech_is_cut_is_heard_by_no_part_twice_and_by_one_at_least():
    stream = Stream().play('#' * 66)
    span, = stream.over
    assert stream.live._open.start_ns == span.end_ns
    assert stream.live._heard.oldest_ns <= span.end_ns


def test_a_text_that_leads_on_is_told_from_one_that_only_lacks_its_mark():
    assert all(map(leads_on, ['Go to the', 'Bring me tea and', 'First,', 'I think...', '我要和']))
    assert not any(map(leads_on, ['View glass', 'Go to the kitchen.', 'Stop', '']))


@pytest.mark.parametrize(('text', 'over', 'wait'), [
    ('Go home.', None, 1.2), ('Go to the', None, 2.4), ('Go home.', 0.9, 0.3),
    ('Go home', 0.9, 0.3), ('Go home.', 0.1, 1.2), ('Go to the', 0.9, 2.4),
    ('Call 555', 0.7, 2.4), ('Call 555', 0.95, 1.2), ('', 0.9, 1.2), ('I S L A', 0.7, 2.4),
    ('A-R-Y-A', 0.7, 2.4), ('So do I.', 0.7, 0.3), ('A golden red drive', 0.7, 2.4),
    ('Chapter of the end', 0.95, 1.2), ('He said "yes."', 0.7, 0.3)])
def test_how_long_silence_lasts_until_it_is_over_follows_from_words_and_voice(text, over, wait):
    assert END.wait_ns(text, over) == round(wait * S)


def test_who_has_spoken_for_long_may_pause_between_two_sentences():
    assert [END.wait_ns('And so it was.', 0.9, spoken * S) for spoken in (3, 5)] == [
        round(0.3 * S), round(0.75 * S)]
    assert END.wait_ns('And so it was.', 0.1, 5 * S) == round(1.2 * S), 'as before'


def test_the_reading_of_a_pause_is_the_final_text_and_nobody_reads_again():
    stream = Stream(mark='.').play('#' * 6 + '....')
    span, = stream.over
    assert len(stream.reader.closed) == 1 and span.ended_by == 'silence'
    final = span.reading.as_final(span.end_ns)
    assert final.text == 'alpha. bravo.' and final.end_ns == span.end_ns
    assert final.words[1].start_ns == span.start_ns + S


def test_a_pause_in_which_speech_goes_on_is_read_but_not_final():
    stream = Stream().play('####.####....')
    assert len(stream.reader.closed) == 2 and not stream.over
    stream.play('...')
    assert stream.over[0].reading.text == 'w0 w1 w2 w3'


def test_what_was_read_before_a_long_pause_stays_and_is_not_read_again():
    stream = Stream(mark=',', judge=lambda _: 0.0)
    stream.play('######...')
    read = stream.reader.closed[-1]
    stream.play('######')
    assert max(stream.reader.windows[-2:]) < read + 1.2, 'the window begins in the pause'
    newest = stream.shown[-1]
    assert newest.text[:newest.stable_length] == 'alpha bravo, charlie', 'all of it is stable'
    short = Stream(mark=',', judge=lambda _: 0.0).play('######.######')
    assert short.reader.windows[-1] > 4.0, 'a short pause ends no sentence'


class Hasty(Reader):
    """Misreads every word of speech that goes on, surely and each time alike."""

    def read_window(self, samples, **options):
        read = super().read_window(samples, **options)
        return replace(read, words=tuple(replace(word, text=word.text.replace('w', 'v'))
                                         for word in read.words))


def test_no_word_that_left_the_window_in_mid_speech_becomes_final():
    stream = Stream(Hasty()).play('#' * 40 + '.......')
    shown, final = stream.shown[-1], stream.over[0].reading.as_final(16 * S)
    assert stream.reader.windows[-1] < 9.0 < stream.reader.closed[-1], 'all of it is read again'
    assert final.text == ' '.join(f'w{place}' for place in range(len(final.words)))
    assert len(final.words) == round(16 - 0.4) and final.words[-1].start_ns >= 14 * S
    assert shown.text[:shown.stable_length].startswith('v0 v1'), 'which nothing takes back'


def test_what_was_read_anew_when_the_window_was_cut_is_not_read_again():
    stream = Stream().play('#' * 40 + '.......')
    final = stream.over[0].reading.as_final(16 * S)
    assert max(stream.reader.windows) < 9.0 and stream.reader.closed[-1] < 9.0
    assert final.text == ' '.join(f'w{place}' for place in range(16))
    starts = [word.start_ns for word in final.words]
    assert starts == sorted(starts) and starts[-1] >= 14 * S


class CutThrough(Reader):
    """Reads one number of long words; what begins behind a cut begins with a word's end."""

    def _read(self, samples, agreed, before, mark):
        read = super()._read(samples, agreed, before, mark)
        words = [replace(word, text=word.text.replace('w', 'word')) for word in read.words]
        if before and not agreed:
            rest = before[-1].text.strip().replace('wo', '')
            words.insert(0, ReadWord(text=f' {rest}', start_s=0.0, end_s=0.1, ids=(99,)))
        return replace(read, words=tuple(words))


def test_the_end_of_a_word_through_which_a_window_was_cut_is_not_said_again():
    stream = Stream(CutThrough()).play('#' * 40 + '.......')
    final = stream.over[0].reading.as_final(16 * S)
    assert max(stream.reader.closed) > 8.0 > stream.reader.closed[-1], 'a part was kept'
    assert final.text == ' '.join(f'word{place}' for place in range(16))
    assert not any(word.startswith('rd') for shown in stream.shown for word in shown.text.split())


@pytest.mark.parametrize(('mark', 'text'), [('.', 'everyone. One day'), ('', 'everyone day')])
def test_a_sentence_may_begin_with_the_end_of_the_last_word_before_it(mark, text):
    now = OpenUtterance(name='a', start_ns=0, window_ns=0, speech_ns=2 * S, read_at_ns=0,
                        spoken_ns=2 * S)

    def read(*words):
        now.begin_reading(now.speech_ns, closed=True)
        now.take(WindowReading(language='en', words=tuple(
            ReadWord(text=f' {word}', start_s=0.0, end_s=0.5, mark=mark * (word == 'everyone'),
                     ids=(place,)) for place, word in enumerate(words))),
            agreed=0, fresh=True, closed=True)
    read('everyone')
    now.speak(3 * S, 4 * S, S)
    read('One', 'day')
    assert now.text == text


def test_what_is_read_of_a_pause_goes_on_behind_what_left_the_window():
    stream = Stream().play('#' * 40 + '.')
    words = stream.shown[-1].text.split()
    assert words == [f'w{place}' for place in range(len(words))] and len(words) == 16


def test_a_sure_reading_of_a_long_pause_is_final_whatever_was_shown():
    stream = Stream(Hasty()).play('#' * 25 + '....' + '#' * 10)
    assert max(stream.reader.closed) > 10.0
    span, = stream.play('.......').over
    assert stream.reader.closed[-1] < 6.0, 'what was read surely is not read again'
    text = span.reading.text.split()
    assert text == [f'w{place}' for place in range(len(text))] and len(text) > 12


@pytest.mark.parametrize(('confidence', 'text'), [(0.9, 'w0 w1'), (0.3, '')])
def test_what_was_shown_surely_does_not_vanish_where_the_second_reading_is_in_doubt(
        confidence, text):
    class Unsure(Reader):
        def read_closed(self, samples, **options):
            return replace(super().read_closed(samples, **options), doubt='guessed')

        def read_window(self, samples, **options):
            read = super().read_window(samples, **options)
            return replace(read, words=tuple(replace(word, confidence=confidence)
                                             for word in read.words))

        def transcribe(self, samples, languages=()):
            return Recognition(text='Thank you.', language='en', no_speech=0.9,
                               mean_log_prob=-1.0)

    stream, history = Stream(Unsure()), SpanReader(seconds=30.0)
    for place in range(12):
        history.remember(AudioChunk(samples=np.full(CHUNK_SAMPLES, 0.1, np.float32),
                                    stamp_ns=place * CHUNK_NS, lost_samples_before=0))
    span, = stream.play('######......').over
    final = finish_span(span, history, stream.reader)
    assert (final.text, final.source) == (text, 'second_pass')


def test_a_reading_that_is_unsure_of_its_words_is_not_final():
    words = (ReadWord(text=' maybe', start_s=0.0, end_s=0.5, confidence=0.3),)
    assert ClosedReading(words=words, language='en', start_ns=0).as_final(S) is None


def test_a_voice_that_sounds_through_ends_an_utterance_soon():
    asked = []
    soon = Stream(judge=lambda samples: asked.append(len(samples)) or 0.9, mark='.')
    soon.play('######.')
    assert [span.ended_by for span in soon.over] == ['silence'] and len(asked) == 1
    late = Stream(judge=lambda _: 0.1, mark='.').play('######..')
    assert not late.over and late.play('.').over


def test_a_voice_is_asked_twice_in_a_pause_and_only_where_that_may_end_it():
    asked = []

    def ask(pattern, **options):
        asked.clear()
        Stream(judge=lambda samples: asked.append(len(samples)) or 0.0, **options).play(pattern)
        return len(asked)

    assert ask('######.', mark='.') == 1 and ask('######....', mark='.') == 2
    assert ask('####.###.###', mark='.') == 2, 'each pause is another question'
    assert ask('######......', mark=' and') == 0, 'more is to come, however it sounds'
    assert ask('######...') == 1 and ask('######......') == 2, 'a number waits for longer anyhow'


@pytest.mark.parametrize('answer', [float('nan'), 1.5, None, 'raises'])
def test_where_the_judge_fails_silence_ends_utterances_and_that_is_told_once(answer):
    def judge(samples):
        if answer == 'raises':
            raise RuntimeError('no graph')
        return answer

    stream = Stream(judge=judge, mark='.').play('######.')
    assert not stream.over and 'silence alone' in stream.told[0]
    assert len(stream.play('..######...').over) == 2
    assert stream.told == [stream.live.judge_failure]


def test_all_is_one_utterance_while_a_button_is_held_and_over_when_it_is_let_go():
    stream = Stream(judge=lambda _: 1.0).play('.')
    stream.live.hold(True)
    stream.play('##' + '.' * 10 + '##')
    assert not stream.over
    assert stream.live.rest_of(0, stream.at_ns) is None, 'nothing is left for a lane'
    assert stream.live.settle(stream.at_ns) is None
    stream.live.hold(False)
    span, = stream.play('#').over
    assert (span.ended_by, span.start_ns) == ('push_to_talk', CHUNK_NS)
    assert span.end_ns == stream.at_ns
    assert stream.play('....').over == [span]


def test_a_button_over_silence_says_nothing_and_the_end_of_a_stream_lets_go():
    stream = Stream()
    stream.live.hold(True)
    stream.play('...')
    stream.live.hold(False)
    assert not stream.play('.').over
    stream.live.hold(True)
    stream.play('##')
    assert [span.ended_by for span in stream.live.finish()] == ['push_to_talk']


def test_a_cut_in_long_speech_does_not_take_the_words_behind_it():
    stream = Stream()
    stream.live.hold(True)
    stream.play('#' * 55 + '.' * 11)
    span, = stream.over
    assert span.ended_by == 'pause' and span.reading is not None
    stream = Stream()
    stream.live.hold(True)
    stream.play('#' * 58 + '.' + '#' * 4 + '..')
    span, = stream.over
    assert span.ended_by == 'pause' and span.reading is None, 'it was cut before its last words'


def test_what_ended_an_utterance_is_known_to_a_late_answer():
    stream = Stream().play('#' * 10 + '.' * 8)
    draft = Draft(text='late', confidence=0.9, start_ns=0, end_ns=stream.at_ns)
    settled = settle_draft(stream.live, draft)
    assert (settled.was_final, settled.final.text) == ('silence', '')
    fresh = Stream().play('#' * 6 + '.')
    settled = settle_draft(fresh.live, replace(draft, end_ns=fresh.at_ns))
    assert (settled.was_final, settled.final.text) == ('', 'w0 w1')
    assert settled.utterance_id == fresh.shown[0].utterance_id


def test_a_reader_that_hears_once_gets_every_sample_once_and_silence_too():
    ears = Ears()
    stream = Stream(ears).play('..' + '#' * 10 + '......')
    one, = ears.opened
    span, = stream.over
    assert one.heard == (stream.at_ns - span.start_ns) * 16_000 // S - 6_400
    assert [text.text for text in stream.shown] == [
        ' '.join(f'w{place}' for place in range(count + 1)) for count in range(len(stream.shown))]
    assert all(text.stable_length < len(text.text) for text in stream.shown)
    assert stream.shown[-1].stable_length > 0


@pytest.mark.parametrize(('listened_to', 'ended'), [(True, 1), (False, 0)])
def test_a_reader_may_end_an_utterance_where_that_is_wanted(listened_to, ended):
    stream = Stream(Ears(over_after=2), reader_ends=listened_to).play('#' * 7)
    assert len(stream.over) == ended


def test_each_utterance_is_another_stream():
    ears = Ears()
    stream = Stream(ears).play('#' * 5 + '.' * 8 + '#' * 5)
    assert len(ears.opened) == 2 and len({shown.utterance_id for shown in stream.shown}) == 2
