"""A tiny model of each size of chunk: built, trained a few steps, loaded and heard with."""

import json

import pytest

from audio_interaction_ros.errors import ConfigurationError
from audio_interaction_ros.protocol import ChunkSize
from train.__main__ import main
from train.compose.command import mix_for
from train.records import Stream, read_records
from train.responses import asr_replies, reply_chunk, reply_delay_s
from train.trainer.listen import listen
from train.trainer.tone_streams import write_streams

pytestmark = pytest.mark.torch

FEW = [f'--set={change}' for change in (
    'run.steps=2', 'run.batch=2', 'run.save_every=2', 'run.evaluate_every=2', 'data.max_chunks=8',
    'data.evaluation_share=0.0', 'expect={}')]


def fit(records, out, chunk):
    return main(['fit', 'tiny', '--streams', str(records), '--evaluation', str(records), '--out',
                 str(out), '--cpu', '--chunk', f'{chunk}', *FEW])


@pytest.mark.parametrize('seconds', [0.2, 0.4, 0.6, 0.8])
def test_a_tiny_model_learns_and_hears_in_chunks_of_any_size(seconds, tmp_path):
    records = write_streams(tmp_path / 'streams', 2, chunks=8,
                            chunk_size=ChunkSize.of_seconds(seconds))
    stream = next(read_records(records, Stream))
    assert (stream.chunk_s, stream.seconds) == (seconds, pytest.approx(8 * seconds))
    assert fit(records, tmp_path / 'run', seconds) == 0
    heard = listen(stream, records.parent, str(tmp_path / 'run' / 'model'), threads=1)
    assert len(heard['assistant'].p_respond) == stream.chunks


def test_streams_in_chunks_that_the_model_does_not_hear_are_refused(tmp_path, capsys):
    records = write_streams(tmp_path / 'streams', 1, chunks=4)
    assert fit(records, tmp_path / 'run', 0.2) != 0
    assert 'expected streams in chunks of 0.2 s, as the model hears' in capsys.readouterr().err


def test_streams_from_before_have_chunks_of_0_4_s(tmp_path):
    records = write_streams(tmp_path, 1, chunks=4)
    values = json.loads(records.read_text())
    del values['chunk_s']
    records.write_text(json.dumps(values) + '\n')
    assert next(read_records(records, Stream)).chunk_size == ChunkSize()


@pytest.mark.parametrize(('seconds', 'chunk'), [(0.2, 5), (0.4, 2), (0.6, 1), (0.8, 1)])
def test_a_reply_stands_on_the_first_chunk_that_ends_later(seconds, chunk):
    size = ChunkSize.of_seconds(seconds)
    assert reply_chunk(1.0, size=size) == chunk
    assert reply_delay_s(1.0, chunk, size=size) == pytest.approx((chunk + 1) * seconds - 1.0)
    assert [reply.chunk for reply in asr_replies([('a', 0.1), ('b', 1.0)], size=size)] == [
        0, chunk]
    assert mix_for(seconds).rules.chunk_size == size


def test_streams_of_odd_chunks_are_not_composed():
    with pytest.raises(ConfigurationError, match='whole tenths of a second'):
        mix_for(0.25)
