"""From streams to samples: what is heard, what is learned, in which order."""

import dataclasses
import itertools
from collections import Counter

import numpy as np
import pytest

pytest.importorskip('torch')
pytest.importorskip('soundfile')

import soundfile
import torch

from audio_interaction_ros.assembly import build_pipeline
from audio_interaction_ros.audio.block import AudioBlock
from audio_interaction_ros.audio.read_blocks import read_blocks
from audio_interaction_ros.checkpoints.config import load_config
from audio_interaction_ros.checkpoints.load import LoadedModel
from audio_interaction_ros.config import AssistantConfig
from audio_interaction_ros.errors import ConfigurationError
from audio_interaction_ros.model.audio_tower import AudioTower
from audio_interaction_ros.runtimes.torch import TorchEncoder
from train.records import Lane, RecordError, Reply, Stream, read_records, write_records
from train.trainer.batch import collate
from train.trainer.data import Samples, is_held_out, kind_of
from train.trainer.draws import draw_batches, draw_order
from train.trainer.features import encode, offline_windows, online_windows, read_chunks
from train.trainer.loss import IGNORE, RESPOND
from train.trainer.recipe import RECIPES, Data
from train.trainer.tone_streams import write_streams

pytestmark = pytest.mark.torch

CONFIG = load_config(RECIPES / 'model_tiny.yaml')
IDS = CONFIG.token_ids


def spell(text):
    return list(text.encode())


@pytest.fixture(scope='module')
def records(tmp_path_factory):
    return write_streams(tmp_path_factory.mktemp('streams'), 5, chunks=8)


def samples_of(records, keep=lambda _: True, **data):
    return Samples.read([records], CONFIG, spell, Data(**data), keep)


def rewritten(records, name, **changes):
    """The first stream with changes, in a file of its own beside its audio."""
    stream = dataclasses.replace(next(read_records(records, Stream)), **changes)
    path = records.with_name(name)
    write_records(path, [stream])
    return path


@pytest.mark.parametrize('window, look', [(40, False), (120, True)])
def test_training_hears_what_the_runtime_hears(records, window, look):
    torch.manual_seed(4)
    shape = dataclasses.replace(CONFIG.audio_tower, window_frames=window, second_look=look)
    config = dataclasses.replace(CONFIG, audio_tower=shape)
    tower = AudioTower(shape).eval()
    stream = next(read_records(records, Stream))
    path = records.parent / stream.path
    mel = online_windows(read_chunks(path, 0, stream.chunks), shape, config.mel)
    with torch.no_grad():
        trained = tower.project(encode(tower, torch.from_numpy(mel))).numpy()
    encoder = TorchEncoder(LoadedModel(config=config, tower=tower, decoder=None, tokenizer=None,
                                       model_id='tiny'))
    pipeline = build_pipeline(AssistantConfig(), encoder)
    chunks = [chunk for block in read_blocks(str(path)) for chunk in pipeline.push(block)]
    chunks += pipeline.push(AudioBlock(samples=np.zeros(6400, np.float32), sample_rate_hz=16000,
                                       stamp_ns=None))
    served = np.stack([chunk.features for chunk in chunks[:stream.chunks]])
    np.testing.assert_allclose(trained, served, atol=2e-5)


def test_a_sample_answers_where_the_stream_says(records):
    stream = next(read_records(records, Stream))
    samples = samples_of(records)
    sample = samples[0].sample
    decided = sample.control[sample.control != IGNORE]
    due = [reply.chunk for reply in stream.lanes['assistant'].replies]
    assert len(decided) == stream.chunks and due
    assert np.flatnonzero(decided == RESPOND).tolist() == due
    said = bytes(int(i) for i in sample.text if 0 <= i < 256).decode()
    assert said == ''.join(reply.text for reply in stream.lanes['assistant'].replies)


def test_a_long_stream_becomes_several_samples(records):
    stream = next(read_records(records, Stream))
    samples = samples_of(records, keep=lambda one: one.id == stream.id, max_chunks=3)
    assert [(item.first, item.chunks) for item in samples.items] == [(0, 3), (3, 3), (6, 2)]
    assert [len(samples[i].mel[0]) for i in range(3)] == [3, 3, 2]
    due = [item.first + np.flatnonzero(
        samples[i].sample.control[samples[i].sample.control != IGNORE] == RESPOND)
        for i, item in enumerate(samples.items)]
    assert np.concatenate(due).tolist() == [r.chunk for r in stream.lanes['assistant'].replies]


def said(*replies):
    return {'lanes': {'assistant': Lane(prompt='', replies=replies)}}


@pytest.mark.parametrize('change, reason', [
    ({'path': 'gone.flac'}, 'missing'), ({'path': 'streams.jsonl'}, 'unreadable'),
    ({'path': 'fast.wav'}, 'not 16000 Hz'), ({'chunks': 99}, 'shorter'),
    (said(Reply(chunk=1, text='a'), Reply(chunk=1, text='b')), 'two replies'),
    (said(Reply(chunk=8, text='a')), 'beyond the end'),
    (said(Reply(chunk=0, text='a', emotion='cross')), 'unknown tone')])
def test_a_stream_that_cannot_be_used_is_left_out_with_a_reason(records, change, reason):
    soundfile.write(records.with_name('fast.wav'), np.zeros(200_000), 44_100)
    path = rewritten(records, 'odd.jsonl', **change)
    samples = samples_of(path)
    assert len(samples) == 0 and sum(samples.skipped.values()) == 1
    assert reason in next(iter(samples.skipped))
    with pytest.raises(ConfigurationError, match=reason):
        next(draw_batches(samples, seed=0, batch=1, world=1, rank=0, first=0))


def test_audio_that_vanishes_later_is_an_error_that_names_it(records):
    path = rewritten(records, 'vanishing.jsonl', path='vanishing.flac')
    audio = records.with_name('vanishing.flac')
    audio.write_bytes(records.with_name('tones-000.flac').read_bytes())
    samples = samples_of(path)
    audio.unlink()
    with pytest.raises(RecordError, match=r'vanishing\.flac'):
        samples[0]


def test_a_missing_file_of_records_is_named(tmp_path):
    with pytest.raises(RecordError, match=r'none\.jsonl'):
        samples_of(tmp_path / 'none.jsonl')


def test_a_sample_with_too_many_positions_is_left_out(records):
    samples = samples_of(records, max_positions=50)
    assert len(samples) == 0 and list(samples.skipped.values()) == [5]


def test_every_epoch_brings_each_sample_once_in_another_order(records):
    samples = samples_of(records)
    data = Data()
    first, again, second = (draw_order(samples.items, data, 7, epoch) for epoch in (0, 0, 1))
    assert first.tolist() == again.tolist() != second.tolist()
    assert sorted(first) == sorted(second) == list(range(5))


def test_batches_go_on_where_they_stood_whatever_the_number_of_processes(records):
    samples = samples_of(records)

    def drawn(count, **options):
        source = draw_batches(samples,
                              **({'seed': 3, 'world': 1, 'rank': 0, 'first': 0} | options))
        return [next(source) for _ in range(count)]

    whole = drawn(6, batch=4)
    assert drawn(4, batch=4, first=2) == whole[2:]
    halves = [drawn(6, batch=2, world=2, rank=rank) for rank in (0, 1)]
    assert [left + right for left, right in zip(*halves, strict=True)] == whole


@pytest.mark.parametrize('lanes, found', [((), 'ab'), (('b',), 'b'), (('c',), '')])
def test_lanes_that_are_not_named_are_no_samples(records, lanes, found):
    path = rewritten(records, 'lanes.jsonl', lanes={name: Lane(prompt='') for name in 'ab'})
    assert [item.lane for item in samples_of(path, lanes=lanes).items] == list(found)


def test_batches_of_like_lengths_bring_the_same_samples_and_go_on_the_same(records):
    samples = samples_of(records, group=3)
    samples.lengths = [30, 10, 50, 20, 40]

    def drawn(count, **options):
        source = draw_batches(samples,
                              **({'seed': 3, 'world': 1, 'rank': 0, 'first': 0} | options))
        return [next(source) for _ in range(count)]

    whole = drawn(15, batch=2)
    assert Counter(itertools.chain.from_iterable(whole)) == dict.fromkeys(range(5), 6)
    for group in (whole[:3], whole[3:6]):
        ranges = sorted(sorted(samples.lengths[number] for number in run) for run in group)
        assert all(left[-1] <= right[0] for left, right in itertools.pairwise(ranges))
    assert drawn(11, batch=2, first=4) == whole[4:]
    halves = [drawn(15, batch=1, world=2, rank=rank) for rank in (0, 1)]
    assert [left + right for left, right in zip(*halves, strict=True)] == whole


KINDS = {'history_review': Lane(prompt='', replies=(
            Reply(chunk=1, text='a'), Reply(chunk=6, text='b', review_of=0))),
         'silent_verification': Lane(prompt=''),
         'proactive': Lane(prompt='', replies=(Reply(chunk=2, text='c'),))}


@pytest.fixture
def mixed(records):
    """A file with one stream of each kind and two of none."""
    plain = list(read_records(records, Stream))
    streams = [dataclasses.replace(plain[0], id=kind, lanes={'assistant': lane},
                                   ability='proactive' if kind == 'proactive' else 'voice_chat')
               for kind, lane in KINDS.items()]
    path = records.with_name('mixed.jsonl')
    write_records(path, [*streams, *plain[3:]])
    assert [kind_of(one, one.lanes['assistant']) for one in streams] == list(KINDS)
    return path


def test_shares_draw_kinds_as_often_as_they_say(mixed):
    shares = {'history_review': 0.3, 'silent_verification': 0.4}
    samples = samples_of(mixed, shares=shares)
    drawn = np.concatenate([draw_order(samples.items, samples.data, 0, epoch) for epoch
                            in range(400)])
    share = np.bincount(drawn, minlength=5) / len(drawn)
    assert share == pytest.approx([0.3, 0.4, 0.1, 0.1, 0.1], abs=0.03)


def test_a_share_of_streams_that_are_not_there_is_refused(records):
    samples = samples_of(records, shares={'history_review': 0.3})
    with pytest.raises(ConfigurationError, match='history_review'):
        draw_order(samples.items, samples.data, 0, 0)


@pytest.mark.parametrize('layout', ['a_t_t', 'a_t', 't_t'])
def test_offline_samples_are_the_first_turn(records, layout):
    plain = next(read_records(records, Stream))
    asked = dataclasses.replace(plain.events[0], clip=dataclasses.replace(
        plain.events[0].clip, text='Which tone?'))
    path = rewritten(records, 'asked.jsonl', events=(asked, *plain.events[1:]))
    samples = samples_of(path, layout=layout, system='Help.')
    first = plain.lanes['assistant'].replies[0]
    sample, mel = samples[0].sample, samples[0].mel
    assert len(samples) == 1 and sample.ids[0] == IDS.offline
    audio = 0 if layout == 't_t' else first.chunk + 1
    assert len(sample.feature_at) == 5 * audio == 5 * sum(
        one.shape[0] * one.shape[2] // 40 for one in mel)
    user = {'a_t_t': 'Name each tone.', 'a_t': '', 't_t': 'Which tone?'}[layout]
    given = bytes(int(i) for i in sample.ids[5:] if i < 256).decode()
    system = 'Name each tone.' if layout == 't_t' else 'Help.'
    assert system + user + first.text == bytes(
        int(i) for i in sample.ids if i < 256).decode() and given.endswith(first.text)
    assert collate([samples[0]], IDS.pad).labels == len(first.text) + 3


def test_text_without_a_spoken_question_is_no_text_sample(records):
    assert len(samples_of(records, layout='t_t')) == 0


def test_holding_out_depends_on_the_id_alone():
    held = [name for name in map(str, range(2000)) if is_held_out(name, 0.1)]
    assert 150 < len(held) < 250
    assert set(held) < {name for name in map(str, range(2000)) if is_held_out(name, 0.2)}
    assert not any(is_held_out(name, 0.0) for name in held)


def test_a_batch_is_padded_on_the_right_without_labels(records):
    samples = samples_of(records, max_chunks=5)
    pair = [samples[0], samples[1]]  # five chunks, then three
    batch = collate(pair, IDS.pad)
    short = len(pair[1].sample.ids)
    assert batch.ids.shape[1] == len(pair[0].sample.ids) > short
    assert (batch.ids[1, short:] == IDS.pad).all()
    assert (batch.control[1, short:] == IGNORE).all() and (batch.text[1, short:] == IGNORE).all()
    heard, = batch.heard
    assert len(heard.mel) == 8 and len(heard.rows) == len(heard.columns) == 40
    assert (batch.ids[heard.rows, heard.columns] == IDS.pad).all()
    assert batch.labels == sum(int((one.sample.control != IGNORE).sum()
                                   + (one.sample.text != IGNORE).sum()) for one in pair)


def test_offline_windows_are_those_of_a_tower_made_for_two_seconds():
    rng = np.random.default_rng(5)
    whole, rest = offline_windows(rng.normal(0, 0.1, 7 * 6400).astype(np.float32), CONFIG)
    assert whole.shape == (1, 40, 200) and rest.shape == (1, 40, 80)
    torch.manual_seed(6)
    tower = AudioTower(CONFIG.audio_tower).eval()
    wide = AudioTower(dataclasses.replace(CONFIG.audio_tower, window_frames=200,
                                          keep_frames=100)).eval()
    wide.load_state_dict(tower.state_dict())
    mel = torch.from_numpy(whole)
    with torch.no_grad():
        torch.testing.assert_close(encode(tower, mel), wide.encode(mel))
        assert encode(tower, torch.from_numpy(rest)).shape == (1, 10, 128)
    assert tower.get_buffer('positions').shape == (20, 64)
