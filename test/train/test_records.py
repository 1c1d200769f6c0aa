import pytest

from train.records import (
    Clip,
    Event,
    Lane,
    RecordError,
    Reply,
    Stream,
    from_dict,
    read_records,
    to_dict,
    write_records,
)

pytestmark = pytest.mark.unit

CLIP = Clip(id='bark-1', path='bark.flac', seconds=1.5, label='dog_bark', tags=('dog',),
            licence='CC0-1.0', licence_group='free')
STREAM = Stream(
    id='s1', ability='proactive', task='single_alert', seed=3, path='s1.flac', chunks=9,
    events=(Event(clip=CLIP, role='foreground', start_s=1.0, end_s=2.5, gain_db=-6.0),),
    lanes={'assistant': Lane(prompt='Warn.', replies=(Reply(chunk=6, text='A dog.', event=0),))})


def test_what_is_written_is_read_again(tmp_path):
    path = tmp_path / 'streams.jsonl'
    assert write_records(path, [STREAM, STREAM]) == 2
    assert list(read_records(path, Stream)) == [STREAM, STREAM]


@pytest.mark.parametrize(('change', 'named'), [
    ({'colour': 1}, 'colour'), ({'chunks': '9'}, 'chunks'), ({'events': [{'role': 1}]}, 'role'),
    ({'lanes': {'assistant': {}}}, 'prompt')])
def test_a_wrong_field_is_named(change, named):
    with pytest.raises(RecordError, match=named):
        from_dict(Stream, {**to_dict(STREAM), **change})


def test_a_line_that_is_not_json_is_named(tmp_path):
    (tmp_path / 'c.jsonl').write_text('{"id": \n')
    with pytest.raises(RecordError, match=r'c\.jsonl:1'):
        list(read_records(tmp_path / 'c.jsonl', Clip))
