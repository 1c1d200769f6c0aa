"""Words while they are spoken, in the nodes: one name up to the final, nothing told twice."""

import copy
from types import SimpleNamespace

import numpy as np
import pytest
from whisper_stand_in import ClosingWhisper, Whisper

from audio_interaction_msgs.msg import Transcript
from audio_interaction_ros.audio.block import AudioBlock, AudioChunk
from audio_interaction_ros.audio.frontend import FrontEnd
from audio_interaction_ros.config import AssistantConfig, LaneConfig, TranscriptConfig
from audio_interaction_ros.nodes.decoding.chunk_origin import ChunkOrigin
from audio_interaction_ros.nodes.decoding.outlets import Outlets
from audio_interaction_ros.nodes.decoding.reply_board import ReplyBoard
from audio_interaction_ros.nodes.decoding.word_board import WordBoard
from audio_interaction_ros.nodes.encoding.live_words_link import LiveWordsLink
from audio_interaction_ros.nodes.io.stamps import stamp_ns, time_message
from audio_interaction_ros.offline import Assistant
from audio_interaction_ros.protocol import CHUNK_NS, CHUNK_SAMPLES, Emotion
from audio_interaction_ros.runtimes.scripted import (
    ScriptedDecoder,
    ScriptedEncoder,
    ScriptedTokenizer,
)
from audio_interaction_ros.stream.events import (
    FinalTranscript,
    PartialTranscript,
    ReplyFinished,
    ReplyStarted,
    ReplyText,
)
from audio_interaction_ros.stream.final_text import Draft
from audio_interaction_ros.stream.final_words import read_settled
from audio_interaction_ros.stream.span_reader import SpanReader

pytestmark = pytest.mark.ros

S = 1_000_000_000


def message(text, *, name='a', start=1, end=3, source='partial', **fields):
    return Transcript(text=text, utterance_id=name, start=time_message(start * S),
                      end=time_message(end * S), source=source, **fields)


@pytest.fixture
def board():
    """Return a board, what it published, and how messages reach it."""
    said, heard = [], []
    looks, encoders = [], ['elsewhere/partial']
    node = SimpleNamespace(
        managed_subscription=lambda kind, topic, callback, *_, **__: heard.append(callback),
        managed_timer=lambda period_s, look, **_: looks.append(look),
        resolve_topic_name=lambda topic: topic.replace('transcript', 'elsewhere'),
        count_publishers=encoders.count)
    one = WordBoard(node=node, group=None, publish=lambda it: said.append(
        (it.utterance_id, it.revision, it.text, it.is_final)))
    return SimpleNamespace(board=one, said=said, hear=heard[0], look=looks[0],
                           encoders=encoders)


def test_a_final_of_a_lane_ends_the_words_in_its_span_under_their_name(board):
    board.hear(message('Turn', revision=4))
    final = message('Turn on.', name='7-3-transcript', source='second_pass', start=1, end=4)
    board.board.take_over(final)
    assert (final.utterance_id, final.revision) == ('a', 5)
    board.hear(message('Turn on', revision=5))
    assert board.said == [('a', 4, 'Turn', False)], 'nothing comes after the final'


def test_a_final_elsewhere_keeps_its_own_name(board):
    board.hear(message('Turn', start=5, end=6))
    final = message('Before.', name='7-3-transcript', start=1, end=4)
    board.board.take_over(final)
    assert final.utterance_id == '7-3-transcript' and board.board.covers(5 * S, 6 * S)


def test_what_silence_ended_is_final_and_a_late_streamed_text_of_it_is_none(board):
    board.hear(message('Turn', revision=2))
    board.hear(message('Turn on.', is_final=True, source='second_pass'))
    assert board.said[-1] == ('a', 3, 'Turn on.', True)
    late = message('Burn on.', name='7-3-transcript', source='streamed', start=1, end=4)
    assert board.board.take_over(late), 'it is final already'
    assert late.text == '' and board.board.covers(1 * S, 4 * S)
    other = message('Something else.', name='7-9-transcript', source='streamed', start=8, end=9)
    assert not board.board.take_over(other) and not board.board.covers(8 * S, 9 * S)
    assert other.text == 'Something else.'


def test_what_the_encoder_says_is_final_already_ends_no_words_that_are_open(board):
    board.hear(message('Turn', revision=2))
    assert board.board.take_over(message('', name='7-3-transcript', ended_by='push_to_talk'))
    board.hear(message('Turn on', revision=3))
    assert board.said[-1] == ('a', 3, 'Turn on', False)


def test_words_that_nobody_ends_become_final_when_all_is_given_up(board):
    board.hear(message('Turn', revision=2))
    board.board.give_up()
    board.board.give_up()
    assert board.said[-1] == ('a', 3, 'Turn', True) and len(board.said) == 2


def test_what_an_encoder_showed_that_is_gone_is_taken_back_once(board):
    board.hear(message('Turn', revision=2))
    board.look()
    board.encoders.clear()
    board.look()
    board.look()
    board.hear(message('Turn on', revision=3))
    assert board.said == [('a', 2, 'Turn', False), ('a', 3, '', True)]


def test_two_utterances_may_be_open_and_what_was_left_behind_is_taken_back(board):
    board.hear(message('Turn', revision=2, start=1, end=3))
    board.hear(message('Go', name='b', start=4, end=5))
    answered = message('Turn on.', name='7-3-transcript', source='second_pass', start=1, end=4)
    board.board.take_over(answered)
    assert (answered.utterance_id, answered.revision) == ('a', 3), 'late, and yet its own'
    board.hear(message('Stop', name='c', start=6, end=7))
    board.hear(message('Stop.', name='c', start=6, end=7, is_final=True, source='second_pass'))
    assert board.said[-2:] == [('b', 1, '', True), ('c', 1, 'Stop.', True)]
    board.board.give_up()
    assert len(board.said) == 5


class Topic:
    """A publisher that keeps what it published, and how many listen."""

    def __init__(self):
        self.sent, self.listeners = [], 1

    def publish(self, message):
        self.sent.append(copy.deepcopy(message))

    def get_subscription_count(self):
        return self.listeners


@pytest.fixture
def replies():
    """Return a board of replies with a lane of transcripts, its topics and who writes."""
    topics, heard, told = {}, {}, []
    node = SimpleNamespace(
        managed_publisher=lambda kind, topic, *_, **__: topics.setdefault(topic, Topic()),
        managed_subscription=lambda kind, topic, callback, *_, **__:
            heard.__setitem__(topic, callback),
        managed_timer=lambda *_, **__: None)
    board = ReplyBoard(
        node=node, lanes=[LaneConfig(name='words', kind='transcript')], draft=['transcript'],
        group=None, translate=lambda *_: False,
        outlets=Outlets(
            node=node, gate=SimpleNamespace(lets_pass=lambda _: True),
            directions=SimpleNamespace(find_bearing=lambda *_: float('nan'))),
        let_write=lambda *what: told.append(what))

    def place(number):
        return {'lane': 'words', 'stamp_ns': number * S, 'epoch': 1, 'seq': number,
                'reply_id': f'1-{number}-words'}

    def start(number, text=''):
        """Let the lane begin to answer what was heard up to a second."""
        board.publish_event(ReplyStarted(**place(number), p_respond=0.9, start_ns=S),
                            ChunkOrigin())
        if text:
            board.publish_event(ReplyText(**place(number), delta=text, text=text), ChunkOrigin())

    def finish(number, text=''):
        board.publish_event(ReplyFinished(
            **place(number), text=text, emotion=Emotion.NORMAL, reason='end', start_ns=S,
            end_ns=number * S, p_respond=0.9), ChunkOrigin())

    def answer(number, text=''):
        start(number)
        finish(number, text)
    return SimpleNamespace(board=board, topics=topics, heard=heard, told=told, answer=answer,
                           start=start, finish=finish)


def test_a_lane_writes_nothing_while_words_are_read_and_writes_again_where_they_are_not(replies):
    shown, drafts = replies.topics['transcript'], replies.topics['transcript/draft']
    replies.heard['transcript/partial'](message('Turn'))
    assert replies.told == [('words', False)]
    replies.answer(3)
    draft, = drafts.sent
    draft.text, draft.source = 'Turn on.', 'second_pass'
    replies.heard['transcript/read'](draft)
    assert [(it.text, it.utterance_id, it.is_final) for it in shown.sent] == [
        ('Turn', 'a', False), ('Turn on.', 'a', True)]
    replies.heard['transcript/partial'](message('Turn it', name='b', start=4, end=6))
    replies.answer(6)
    replies.heard['transcript/read'](drafts.sent[-1])  # as it was: the reader has failed
    assert (shown.sent[-1].text, shown.sent[-1].is_final) == ('Turn it', True), 'what was shown'
    assert replies.told[1:] == [('words', True)]


@pytest.mark.parametrize('readers', [1, 0])
def test_what_a_lane_showed_ends_though_its_words_are_final_under_another_name(replies, readers):
    """The lane wrote before the first reading came, as it does beside other programs."""
    shown, drafts = replies.topics['transcript'], replies.topics['transcript/draft']
    replies.start(3, 'Burn')
    replies.heard['transcript/partial'](message('Turn'))
    drafts.listeners = readers
    replies.finish(3, 'Burn on.')
    for draft in drafts.sent:
        draft.text, draft.source = 'Turn on.', 'second_pass'
        replies.heard['transcript/read'](draft)
    assert [(it.revision, it.text, it.is_final, it.ended_by) for it in shown.sent
            if it.utterance_id == '1-3-words'] == [
        (0, 'Burn', False, ''), (1, '', True, 'reset')]
    assert [(it.revision, it.text, it.stable_length) for it in shown.sent
            if it.utterance_id == 'a'] == [(0, 'Turn', 0), (1, 'Turn on.', 8)][:1 + readers]


def test_revisions_are_counted_without_a_gap_up_to_the_final_of_a_draft(replies):
    replies.start(3, 'Burn')
    replies.finish(3, 'Burn on.')
    draft, = replies.topics['transcript/draft'].sent
    replies.heard['transcript/read'](draft)
    assert [(it.revision, it.text, it.stable_length, it.is_final) for it
            in replies.topics['transcript'].sent] == [(0, 'Burn', 0, False),
                                                      (1, 'Burn on.', 8, True)]


def test_what_nobody_could_read_at_its_end_is_stable_as_it_was_shown(replies):
    replies.heard['transcript/partial'](message('Turn'))
    replies.answer(3)
    draft, = replies.topics['transcript/draft'].sent
    replies.heard['transcript/read'](draft)
    last = replies.topics['transcript'].sent[-1]
    assert (last.text, last.is_final, last.stable_length) == ('Turn', True, 4)


def test_what_only_a_lane_heard_and_nobody_read_is_no_transcript(replies):
    shown = replies.topics['transcript']
    replies.heard['transcript/partial'](message('Turn', is_final=True, source='second_pass'))
    replies.answer(9)
    replies.heard['transcript/read'](Transcript(
        utterance_id='1-9-words', source='second_pass', start=time_message(5 * S),
        end=time_message(9 * S)))
    replies.topics['transcript/draft'].listeners = 0
    replies.answer(12)
    assert [it.text for it in shown.sent] == ['Turn']
    assert replies.told == [('words', False), ('words', True)], 'nobody reads any more'


def test_an_empty_transcript_of_a_lane_that_only_decides_does_not_say_that_nobody_spoke(replies):
    asked, forgotten = [], []
    replies.board._answers = SimpleNamespace(
        note_reading=lambda *_: None, hear_partial=lambda _: False,
        forget_reading=forgotten.append,
        on_words=lambda heard, _frame_id: asked.append(heard.text))
    replies.heard['transcript/partial'](message('Turn'))
    replies.answer(3)
    draft, = replies.topics['transcript/draft'].sent
    draft.source = 'second_pass'
    replies.board._words.take_over = lambda _: False
    replies.heard['transcript/read'](draft)  # empty still: its words come by silence
    assert (asked, set(forgotten)) == ([], {'1-3-words'})


def test_what_a_lane_replied_waits_for_words_that_are_shown_until_they_are_final(replies):
    """On a slow machine they come late; else two replies answered one order."""
    noted, forgotten = {}, []
    replies.board._answers = SimpleNamespace(
        note_reading=lambda name, *span: noted.update({name: span}),
        hear_partial=lambda _: False, forget_reading=forgotten.append,
        on_words=lambda heard, _frame_id: forgotten.append(heard.reply_id))
    replies.heard['transcript/partial'](message('Turn'))
    assert noted == {'a': (S, 3 * S)} and not forgotten
    replies.answer(3)
    draft, = replies.topics['transcript/draft'].sent
    draft.text, draft.source = 'Turn on.', 'second_pass'
    replies.heard['transcript/read'](draft)
    assert forgotten == ['a', '1-3-words']
    replies.heard['transcript/partial'](message('Stop', name='b', start=5, end=6))
    replies.heard['transcript/partial'](message('Stop.', name='b', start=5, end=6, is_final=True))
    assert forgotten[2:] == ['b']


def link(whisper, pattern, **settings):
    """Return a link that heard a pattern of chunks ('#': speech), and what it told."""
    config = AssistantConfig(transcript=TranscriptConfig(second_pass='whisper', **settings))
    reader, logged, told = SpanReader(seconds=30.0), [], []
    one = LiveWordsLink(config=config, reader=reader, log=logged.append)
    one.adopt(whisper)
    heard = SimpleNamespace(link=one, told=told, logged=logged, reader=reader, whisper=whisper)
    for place, sign in enumerate(pattern):
        feed(heard, place, sign)
    return heard


def feed(heard, place, sign):
    """Let a link hear a chunk, as if the machine were fast."""
    chunk = AudioChunk(samples=np.full(CHUNK_SAMPLES, 0.1 * (sign == '#'), np.float32),
                       stamp_ns=S + place * CHUNK_NS, lost_samples_before=0)
    heard.reader.remember(chunk)
    heard.link.remember(chunk)
    heard.link._rest_until = 0.0
    heard.link.work(heard.whisper, heard.told.append, read=True, finish=False)


def test_words_come_during_speech_with_their_places_and_then_the_final():
    heard = link(Whisper(mark=''), '#' * 8 + '.' * 7)
    partial, final = heard.told[2], heard.told[-1]
    assert not partial.is_final and partial.source == 'partial' and partial.text == 'alpha bravo'
    assert list(partial.words) == ['alpha', 'bravo'] and partial.word_starts[1].sec == 2
    assert final.is_final and final.source == 'second_pass' and final.text
    assert len({it.utterance_id for it in heard.told}) == 1


def test_what_the_nodes_read_is_what_is_read_without_ros():
    """The same audio, cut into the same parts; only a live stream may leave readings out."""
    heard, whisper = link(ClosingWhisper(), ''), ClosingWhisper()
    heard.link.hurried = False
    samples = np.repeat([0.1 * (sign == '#') for sign in '#' * 9 + '..#....##....'],
                        CHUNK_SAMPLES).astype(np.float32)
    parts = FrontEnd(on_part=heard.link.remember)
    parts.push(AudioBlock(samples=samples, sample_rate_hz=16_000, stamp_ns=0))
    heard.link.work(whisper, heard.told.append, read=True, finish=False)
    lanes = (LaneConfig(name='transcript', kind='transcript'),)
    config = AssistantConfig(lanes=lanes, transcript=TranscriptConfig(second_pass='whisper'))
    offline = Assistant(config=config, encoder=ScriptedEncoder(), tokenizer=ScriptedTokenizer(),
                        decoder=ScriptedDecoder(script={}), second_pass=whisper)
    events = [event for event in offline.listen([
        AudioBlock(samples=samples, sample_rate_hz=16_000, stamp_ns=0)])
        if isinstance(event, PartialTranscript | FinalTranscript)]
    assert len(heard.told) > 5 and sum(it.is_final for it in heard.told) == 2
    assert [(it.text, it.is_final, it.ended_by, stamp_ns(it.end)) for it in heard.told] == [
        (event.text, isinstance(event, FinalTranscript), getattr(event, 'ended_by', ''),
         event.end_ns) for event in events[:len(heard.told)]]


@pytest.mark.parametrize('drop', ['reset', 'models that failed', 'clean-up'])
def test_what_was_shown_and_comes_to_nothing_is_taken_back(drop):
    heard = link(Whisper(mark=''), '#' * 5)
    shown = heard.told[-1]
    if drop == 'reset':
        heard.link.forget()
        heard.link.work(heard.whisper, heard.told.append, read=True, finish=False)
    else:
        heard.told += heard.link.drop()
    taken = heard.told[-1]
    assert (taken.is_final, taken.text, taken.ended_by) == (True, '', 'reset')
    assert taken.utterance_id == shown.utterance_id
    assert not heard.link.drop(), 'once'


def test_models_that_are_loaded_again_use_no_name_twice():
    heard = link(Whisper(mark=''), '#' * 5)
    heard.link.adopt(heard.whisper)
    for place in range(5, 10):
        feed(heard, place, '#')
    assert heard.told[-1].utterance_id != heard.told[0].utterance_id


def test_a_draft_gets_only_what_is_not_final_yet():
    whisper = Whisper(mark='')
    heard = link(whisper, '#' * 8 + '.' * 7)
    late = Draft(text='late', confidence=0.9, start_ns=S, end_ns=S + 15 * CHUNK_NS)
    settled = heard.link.settle_draft(late)
    assert (settled.final.text, settled.was_final) == ('', 'silence')
    early = link(whisper, '#' * 8)
    settled = early.link.settle_draft(Draft(
        text='x', confidence=0.9, start_ns=S, end_ns=S + 8 * CHUNK_NS))
    assert read_settled(settled, early.reader, whisper).text == '3 s' and not settled.was_final


def test_a_reading_that_fails_is_logged_and_the_final_comes():
    whisper = Whisper(mark='')
    whisper.fails = True
    heard = link(whisper, '#' * 8 + '.' * 7)
    assert 'failed' in heard.logged[0] and [it.is_final for it in heard.told] == [True]


def test_without_time_or_where_turned_off_nothing_is_read():
    whisper = Whisper(mark='')
    assert not link(whisper, '#' * 8, partial_ms=0.0).told
    heard = link(whisper, '#')
    heard.link._rest_until = float('inf')
    before = heard.link.read
    heard.link.work(whisper, heard.told.append, read=True, finish=False)
    assert heard.link.read == before


def test_a_button_makes_one_utterance_of_what_is_said_while_it_is_held():
    heard = link(Whisper(mark=''), '')
    heard.link.hold(True)
    for place, sign in enumerate('##......##'):
        feed(heard, place, sign)
    assert not any(it.is_final for it in heard.told)
    heard.link.hold(False)
    feed(heard, 10, '#')
    assert (heard.told[-1].is_final, heard.told[-1].ended_by) == (True, 'push_to_talk')
