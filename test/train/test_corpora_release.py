"""The release's online and offline rows and the dataset card: read, written, and as streams."""

import json

import pytest

from train.corpora.release import (
    OnlineRow,
    OnlineTurn,
    card_dict,
    card_row,
    offline_dict,
    offline_row,
    online_dict,
    online_row,
    read_release,
    write_release,
)
from train.corpora.release_streams import card_of, online_of, stream_of
from train.records import Clip, Event, Lane, RecordError, Reply, Stream
from train.stages import Rejected

pytestmark = pytest.mark.unit


def event(name, start, end, role='foreground', **clip):
    return Event(clip=Clip(id=name, path=f'{name}.flac', seconds=end - start, **clip), role=role,
                 start_s=start, end_s=end)


EVENTS = (event('alarm', 1.0, 2.0, label='smoke_alarm'), event('rain', 0.0, 8.0, role='ambient'),
          event('cat', 3.0, 3.37), event('hi', 4.1, 5.2, text='Hello?'))


def stream(*replies, events=EVENTS):
    return Stream(id='s1', ability='proactive', task='safety_signal', seed=1, path='s1.flac',
                  chunks=20, events=events, lanes={'assistant': Lane(prompt='', replies=replies)})


REPLIES = (Reply(chunk=5, text='Fire!', emotion='urgent', event=0),
           Reply(chunk=13, text='Hello.', event=3))


def test_a_conversation_is_read():
    row = online_row({'conversation': [
        {'audio_path': 'a.wav', 'assistant': 'Hi.', 'emotion': 'happy'},
        {'audio_path': 'b.wav', 'assistant': '<No need to response>'},
        {'audio_path': 'c.wav', 'assistant': ' no need to response '}], 'more': 1})
    assert [(turn.assistant, turn.emotion) for turn in row.turns] == [
        ('Hi.', 'happy'), ('', 'normal'), ('', 'normal')]


def test_a_single_turn_is_read():
    assert online_row({'merge_path': 'a.wav', 'assistant': 'Hi.'}) == OnlineRow(
        turns=(OnlineTurn(audio_path='a.wav', assistant='Hi.'),))


@pytest.mark.parametrize('values', [
    {}, {'assistant': 'x'}, {'audio_path': 'a.wav'}, {'audio_path': 'a.wav', 'assistant': ' '},
    {'audio_path': 'a.wav', 'assistant': 'x', 'emotion': 'bored'}, {'conversation': []},
    {'audio_path': 3, 'assistant': 'x'}, {'conversation': 'x'},
    {'audio_path': 'a', 'assistant': 'x', 'audio_frames': '12'}])
def test_a_wrong_online_row_is_refused(values):
    with pytest.raises(ValueError):
        online_row(values)


def test_online_rows_survive_a_file_with_the_fields_of_the_builder(tmp_path):
    rows = [online_of(stream(*REPLIES), 'assistant'),
            OnlineRow(turns=(OnlineTurn(audio_path='x', assistant=''),), idx=1,
                      tail_noise_start_s=1.5, pt_path_dir='f')]
    assert write_release(tmp_path / 'o.jsonl', map(online_dict, rows)) == 2
    assert list(read_release(tmp_path / 'o.jsonl', online_row)) == rows
    last = json.loads((tmp_path / 'o.jsonl').read_text().splitlines()[1])
    assert last == {'idx': 1, 'tail_noise_start_s': 1.5, 'pt_path_dir': 'f', 'turns': 1,
                    'conversation': [{'audio_path': 'x', 'emotion': 'normal',
                                      'assistant': '<no need to response>'}]}


def test_a_stream_in_online_form_comes_back_with_its_replies_on_the_same_chunks():
    row = online_of(stream(*REPLIES), 'assistant')
    assert [turn.audio_path for turn in row.turns] == ['alarm.flac', 'cat.flac', 'hi.flac']
    again = stream_of(row, name='s1', ability='proactive', task='safety_signal', prompt='',
                      lane='assistant')
    assert again.chunks == 20
    assert [(r.chunk, r.text, r.emotion) for r in again.lanes['assistant'].replies] == [
        (5, 'Fire!', 'urgent'), (13, 'Hello.', 'normal')]
    for reply in again.lanes['assistant'].replies:
        end = again.events[reply.event].end_s
        assert reply.chunk * 0.4 <= end < (reply.chunk + 1) * 0.4  # first chunk that ends after
    total = sum(t.leading_silence_frames + t.audio_frames for t in row.turns)
    assert total + row.tail_silence_frames_actual == 200


@pytest.mark.parametrize('end_frames', [9, 10, 19, 20])
def test_the_reply_is_on_the_first_chunk_that_ends_strictly_after_the_clip(end_frames):
    row = OnlineRow(concat_wav_path='c.wav', tail_silence_frames_actual=40 - end_frames, turns=(
        OnlineTurn(audio_path='a', assistant='x', leading_silence_frames=2,
                   audio_frames=end_frames - 2),))
    made = stream_of(row, name='s', ability='asr', task='t', prompt='p', lane='l')
    assert made.lanes['l'].replies[0].chunk == end_frames // 10
    assert made.chunks == 4


def test_rows_without_the_fields_or_the_time_are_no_streams():
    known = {'name': 's', 'ability': 'asr', 'task': 't', 'prompt': '', 'lane': 'l'}
    bare = OnlineRow(turns=(OnlineTurn(audio_path='a', assistant='x'),), concat_wav_path='c')
    with pytest.raises(RecordError, match='run the builder'):
        stream_of(bare, **known)
    short = OnlineRow(concat_wav_path='c', turns=(OnlineTurn(
        audio_path='a', assistant='x', leading_silence_frames=0, audio_frames=10),))
    with pytest.raises(RecordError, match='longer tail'):
        stream_of(short, **known)


def test_a_lane_that_speaks_without_an_event_does_not_fit():
    words = stream(Reply(chunk=3, text='a', event=0), Reply(chunk=4, text='b', event=0))
    for form in (online_of, card_of):
        assert isinstance(form(words, 'assistant'), Rejected)
    assert online_of(stream(events=()), 'assistant') == Rejected(
        'no turn or events behind the end', 's1')


@pytest.mark.parametrize(('values', 'layout'), [
    ({'user': 'u', 'assistant': 'a', 'audio_path': 'x.wav'}, 'A_T_T'),
    ({'assistant': 'a', 'merge_path': 'x.wav'}, 'A_T'), ({'user': 'u', 'assistant': 'a'}, 'T_T'),
    ({'conversation': [{'user': 'u', 'assistant': 'a'}, {'user': 'never', 'assistant': 'b'}]},
     'T_T')])
def test_offline_rows(tmp_path, values, layout):
    row = offline_row(values)
    assert (row.layout, row.assistant) == (layout, 'a')
    write_release(tmp_path / 'f.jsonl', [offline_dict(row)])
    assert list(read_release(tmp_path / 'f.jsonl', offline_row)) == [row]


@pytest.mark.parametrize('values', [{'user': 'u'}, {'assistant': 'a'}, {'conversation': []},
                                    {'conversation': ['x']}])
def test_wrong_offline_rows(values):
    with pytest.raises(ValueError):
        offline_row(values)


def test_the_card_is_written_and_read(tmp_path):
    row = card_of(stream(*REPLIES), 'assistant')
    written = card_dict(row)
    assert written['num_turns'] == 3
    assert written['turns'][0] == {
        'user': 'smoke_alarm', 'assistant': 'Fire!', 'emotion': 'urgent',
        'scene_type': 'safety_signal', 'audio_path': 'alarm.flac'}
    assert written['turns'][2]['user'] == 'Hello?'
    write_release(tmp_path / 'c.jsonl', [written])
    assert list(read_release(tmp_path / 'c.jsonl', card_row)) == [row]
    with pytest.raises(ValueError, match='num_turns'):
        card_row({**written, 'num_turns': 2})


@pytest.mark.parametrize('line', ['{', '[]', '{"turns": 3}', '{"turns": ["x"]}'])
def test_a_wrong_line_is_named(tmp_path, line):
    (tmp_path / 'c.jsonl').write_text(line + '\n')
    with pytest.raises(RecordError, match=r'c.jsonl:1: .*correct the row'):
        list(read_release(tmp_path / 'c.jsonl', card_row))
