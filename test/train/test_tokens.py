"""Token layouts against written-out ids, labels, rows of the release, and the runtime's feed."""

import json
from dataclasses import asdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audio_interaction_ros.config import FifoConfig, LaneConfig
from audio_interaction_ros.protocol import RELEASED_TOKEN_IDS, Emotion
from audio_interaction_ros.runtimes.scripted import (
    SCRIPTED_TOKEN_IDS,
    ScriptedDecoder,
    ScriptedTokenizer,
)
from audio_interaction_ros.stream.chunk import EncodedChunk
from audio_interaction_ros.stream.session import Session
from train.records import Lane, Reply, Stream
from train.tokens import (
    IGNORE,
    RESPOND,
    SILENCE,
    Layout,
    TokensError,
    a_t,
    a_t_t,
    lay_out_online,
    t_t,
)
from train.tokens.command import replies_of_lane, rows_of
from train.tokens.files import TokenRow, of_row, read_rows, to_row, write_rows

pytestmark = pytest.mark.unit

RELEASED = Layout(RELEASED_TOKEN_IDS, 10)
SCRIPTED = Layout(SCRIPTED_TOKEN_IDS, 2)
PAD = [151608] * 10
SLOTS = [151646] * 3


def learned(labels):
    return {int(at): int(labels[at]) for at in np.flatnonzero(labels != IGNORE)}


def test_three_chunks_and_a_reply_online():
    sample = lay_out_online(RELEASED, [40, 41], [None, (Emotion.URGENT, [50, 51]), None])
    assert sample.ids.tolist() == [
        151609, 151611, 151644, 151644, 40, 41, 151643,
        151647, *PAD, 151602,
        151605, 151647, *PAD, 151602, 151644, 151619, 50, 51,
        151643, 151647, *PAD, 151602]
    assert sample.feature_at.tolist() == [*range(8, 18), *range(21, 31), *range(38, 48)]
    assert learned(sample.control) == {18: SILENCE, 31: RESPOND, 48: SILENCE}
    assert learned(sample.text) == {32: 151619, 33: 50, 34: 51, 35: 151643}


def test_three_chunks_and_a_reply_as_the_release_stores_them():
    row = to_row(lay_out_online(RELEASED, [40, 41], [None, (Emotion.URGENT, [50, 51]), None]),
                 RELEASED,
                 idx=7, pt_path_dir='features/7')
    masked = [-100] * 12
    assert asdict(row) == {
        'tasks': 'online', 'idx': 7, 'pt_path_dir': 'features/7',
        'input_ids': [
            151609, 151611, 151644, 151644, 40, 41, 151643,
            151647, *PAD, 151602, 151605,
            151647, *PAD, 151602, 151644, 151619, 50, 51, 151643,
            151647, *PAD, 151602, 151605],
        'labels': [
            *[-100] * 7,
            *masked, 151605,
            *masked, 151644, 151619, 50, 51, 151643,
            *masked, 151605],
        'audio_pos': [[8, 18], [21, 31], [38, 48]]}


@pytest.mark.parametrize(('sample', 'ids', 'slots', 'assistant'), [
    (a_t_t(RELEASED, [40], 3, [60, 61], [50, 51]),
     [151610, 151611, 151644, 151644, 40, 151643, 151647, *SLOTS, 151648,
      151601, 151644, 60, 61, 151643, 151602, 151644, 50, 51, 151643], [7, 10], 16),
    (a_t(RELEASED, [40], 3, [50, 51]),
     [151610, 151611, 151644, 151644, 40, 151643, 151647, *SLOTS, 151648,
      151602, 151644, 50, 51, 151643], [7, 10], 11),
    (t_t(RELEASED, [40], [60, 61], [50, 51]),
     [151610, 151611, 151644, 151644, 40, 151643,
      151601, 151644, 60, 61, 151643, 151602, 151644, 50, 51, 151643], None, 11)],
    ids=['A_T_T', 'A_T', 'T_T'])
def test_offline_tasks_learn_the_reply_block_with_its_assistant(sample, ids, slots, assistant):
    row = to_row(sample, RELEASED, idx=1)
    assert row.tasks == 'offline' and row.input_ids == ids and row.audio_pos == slots
    assert row.labels == [-100] * assistant + ids[assistant:]
    assert sample.ids.tolist() == ids[:-1]
    assert learned(sample.control) == {assistant: RESPOND}
    assert learned(sample.text) == {assistant - 1: 151602, assistant + 1: 50,
                                    assistant + 2: 51, assistant + 3: 151643}
    assert 151619 not in ids, 'no emotion offline'


def test_an_empty_reply_and_one_without_emotion_still_end():
    sample = lay_out_online(RELEASED, [], [(None, []), (None, [50]), None])
    row = to_row(sample, RELEASED, idx=0)
    assert row.input_ids[16:20] == [151602, 151644, 151643, 151647]
    assert row.labels[16:20] == [-100, 151644, 151643, -100]


said = st.one_of(st.none(), st.tuples(
    st.one_of(st.none(), st.sampled_from(Emotion)),
    st.lists(st.integers(0, 255), max_size=6)))


@given(st.lists(st.integers(0, 255), max_size=9), st.lists(said, min_size=1, max_size=12))
@settings(max_examples=60, deadline=None, derandomize=True)
def test_labels_are_disjoint_and_say_what_comes_next(prompt, replies):
    sample = lay_out_online(SCRIPTED, prompt, replies)
    decides, says = sample.control != IGNORE, sample.text != IGNORE
    assert not (decides & says).any()
    ids = SCRIPTED_TOKEN_IDS
    assert (np.flatnonzero(decides) == np.flatnonzero(sample.ids == ids.assistant)).all()
    assert [int(c) for c in sample.control[decides]] == [int(r is not None) for r in replies]
    assert (sample.text == ids.text_end).sum() == sum(r is not None for r in replies)
    full = to_row(sample, SCRIPTED, idx=0).input_ids
    following = np.array([*full, IGNORE])[1:len(sample.ids) + 1]
    assert (sample.text[says] == following[says]).all()
    assert (sample.ids[sample.feature_at] == ids.pad).all()
    assert len(sample.feature_at) == 2 * len(replies)
    assert says.sum() == sum(1 + len(r[1]) + (r[0] is not None) for r in replies if r)


@given(st.lists(said, min_size=1, max_size=8))
@settings(max_examples=30, deadline=None, derandomize=True)
def test_a_row_gives_its_sample_back(replies):
    for sample in (lay_out_online(SCRIPTED, [1, 2], replies), a_t(SCRIPTED, [1], 5, [3, 4]),
                   a_t_t(SCRIPTED, [], 1, [2], []), t_t(SCRIPTED, [1], [], [3])):
        back = of_row(to_row(sample, SCRIPTED, idx=0), SCRIPTED)
        for name in ('ids', 'feature_at', 'control', 'text'):
            np.testing.assert_array_equal(getattr(back, name), getattr(sample, name))


def chunk(seq):
    return EncodedChunk(features=np.full((2, 4), seq, np.float32), stamp_ns=seq * 400_000_000,
                        epoch=1, seq=seq, model_id='scripted')


def fed_by_the_runtime(prompt, replies):
    """Return the ids that a session feeds, and the positions that features overwrite."""
    script = {0: {at: (reply[0], bytes(reply[1]).decode()) for at, reply in enumerate(replies)
                  if reply is not None}}
    decoder = ScriptedDecoder(script=script, max_positions=4096)
    session = Session(decoder=decoder, tokenizer=ScriptedTokenizer(), fifo=FifoConfig(),
                      lanes=[LaneConfig(name='one', prompt=bytes(prompt).decode())])
    ids, slots = [], []
    for seq in range(len(replies)):
        session.push(chunk(seq))
        while session.busy:
            session.step()
            request = decoder.requests[0]
            assert request.positions.tolist() == list(range(len(ids), len(ids) + len(request.ids)))
            slots += [len(ids) + int(at) for at in request.feature_index]
            ids += request.ids.tolist()
            np.testing.assert_array_equal(request.features, np.full_like(request.features, seq))
    return ids, slots


spoken = st.one_of(st.none(), st.tuples(
    st.sampled_from(Emotion), st.text('abcdefgh ', max_size=12).map(lambda t: list(t.encode()))))


@given(st.text('abc ', max_size=9).map(lambda text: list(text.encode())),
       st.lists(spoken, min_size=1, max_size=9))
@settings(max_examples=60, deadline=None, derandomize=True)
def test_the_runtime_feeds_exactly_what_training_saw(prompt, replies):
    ids, slots = fed_by_the_runtime(prompt, replies)
    sample = lay_out_online(SCRIPTED, prompt, replies)
    assert ids == sample.ids.tolist()
    assert slots == sample.feature_at.tolist()


def test_text_may_not_hold_structural_ids():
    with pytest.raises(TokensError, match='reply after chunk 1.*151605'):
        lay_out_online(RELEASED, [], [None, (None, [1, 151605])])
    with pytest.raises(TokensError, match='prompt.*151643'):
        lay_out_online(RELEASED, [151643], [])
    with pytest.raises(TokensError, match='user text.*151602'):
        t_t(RELEASED, [], [151602], [1])
    with pytest.raises(TokensError, match='at least 1, got 0'):
        a_t(RELEASED, [], 0, [1])


def stream(**lanes):
    return Stream(id='s', ability='asr', task='t', seed=1, path='s.flac', chunks=5, lanes=lanes)


def test_a_lane_is_laid_out_in_pieces_of_whole_chunks():
    lane = Lane(prompt='p', replies=(Reply(chunk=1, text='a', emotion='happy'),
                                     Reply(chunk=3, text='b')))
    rows = list(rows_of(stream(x=lane), SCRIPTED, lambda text: list(text.encode()),
                        max_chunks=3))
    assert [row.idx for row in rows] == ['s/x/0', 's/x/3']
    assert [len(row.audio_pos) for row in rows] == [3, 2]
    i = SCRIPTED_TOKEN_IDS
    first, second = ([token for token in row.labels if token != IGNORE] for row in rows)
    assert first == [i.silence, i.respond, i.emotions[1], ord('a'), i.text_end, i.silence]
    assert second == [i.respond, i.emotions[0], ord('b'), i.text_end, i.silence]


def test_two_replies_after_one_chunk_are_refused():
    lane = Lane(prompt='', replies=(Reply(chunk=1, text='a'), Reply(chunk=1, text='b')))
    with pytest.raises(TokensError, match='chunk 1: expected one reply'):
        replies_of_lane(lane, lambda text: list(text.encode()), 0, 5)


def test_rows_travel_through_a_file(tmp_path):
    rows = [to_row(lay_out_online(SCRIPTED, [1], [None, (Emotion.SAD, [2])]), SCRIPTED, idx='a'),
            to_row(t_t(SCRIPTED, [1], [2], [3]), SCRIPTED, idx=2)]
    path = tmp_path / 'rows.jsonl'
    assert write_rows(path, rows) == 2
    assert list(read_rows(path)) == rows


GOOD = {'tasks': 'online', 'idx': 0, 'input_ids': [1, 2], 'labels': [-100, 2], 'audio_pos': []}


@pytest.mark.parametrize(('change', 'message'), [
    ({'tasks': 'both'}, 'tasks: expected online or offline'),
    ({'labels': [0.5, 2]}, 'labels: expected a list of integers'),
    ({'input_ids': 'no'}, 'input_ids: expected a list of integers')])
def test_a_wrong_row_is_named(tmp_path, change, message):
    path = tmp_path / 'rows.jsonl'
    path.write_text(json.dumps(GOOD) + '\n' + json.dumps(GOOD | change) + '\n')
    with pytest.raises(TokensError, match=f'rows.jsonl:2.*{message}'):
        list(read_rows(path))
    path.write_text('{"tasks": "online"}\n')
    with pytest.raises(TokensError, match='rows.jsonl:1: expected the fields'):
        list(read_rows(path))
    path.write_text('{')
    with pytest.raises(TokensError, match='not JSON'):
        list(read_rows(path))


@pytest.mark.parametrize('change', [
    {'labels': [-100]}, {'labels': [-100, 3]}, {'input_ids': []},
    {'audio_pos': [[0, 2]]}, {'audio_pos': [[5, 9]]}, {'audio_pos': [5, 9]}])
def test_a_row_whose_parts_do_not_fit_is_refused(change):
    with pytest.raises(TokensError, match='row 0: expected'):
        of_row(TokenRow(**(GOOD | change)), SCRIPTED)


def test_the_command_lays_out_a_file_of_streams(tmp_path, capsys, monkeypatch):
    from train.__main__ import main
    from train.records import write_records
    from train.tokens import command
    monkeypatch.setattr(command, '_read_model', lambda folder, tokenizer: (
        SCRIPTED, lambda text: list(text.encode())))
    lane = Lane(prompt='p', replies=(Reply(chunk=1, text='hello'),))
    write_records(tmp_path / 'in.jsonl', [stream(x=lane, y=lane)])
    out = tmp_path / 'out.jsonl'
    words = ['tokens', str(tmp_path / 'in.jsonl'), str(out), '--model', str(tmp_path)]
    assert main([*words, '--lane', 'x']) == 0
    assert '1 rows, ' in (said := capsys.readouterr().out)
    assert 'labels: 4 silence, 1 respond, 7 text' in said
    assert main([*words, '--max-chunks', '0']) == 2
    assert main(['tokens', str(tmp_path / 'none'), str(out), '--model', str(tmp_path)]) == 2
    assert 'none' in capsys.readouterr().err
    assert sum(1 for _ in read_rows(out)) == 1, 'what was there stays when a run fails'
