"""The loop: learning, exact continuation, what is refused, and the real runtime at the end."""

import dataclasses
import errno
import json
import os
import random

import numpy as np
import pytest

pytest.importorskip('torch')
pytest.importorskip('accelerate')
pytest.importorskip('tensorboard')

import torch
from safetensors.torch import load_file
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from audio_interaction_ros.errors import CheckpointError, ConfigurationError
from audio_interaction_ros.model.tokenizer import Tokenizer
from train.__main__ import main
from train.records import Stream, read_records
from train.trainer import saving
from train.trainer.command_fit import read_samples
from train.trainer.data import Samples
from train.trainer.evaluate import Counts, decide, generate_reply
from train.trainer.listen import listen
from train.trainer.loop import Trainer
from train.trainer.recipe import load_recipe
from train.trainer.starting_model import prepare
from train.trainer.tone_streams import write_streams

pytestmark = pytest.mark.torch

SMALL = ('run.steps=6', 'run.batch=2', 'run.save_every=2', 'run.evaluate_every=3',
         'data.evaluation_share=0.0', 'data.max_chunks=6')


@pytest.fixture(scope='module')
def records(tmp_path_factory):
    return write_streams(tmp_path_factory.mktemp('streams'), 8, chunks=12)


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def trainer_of(records, out, *changes):
    recipe, path = load_recipe('tiny', changes)
    recipe = dataclasses.replace(recipe, data=dataclasses.replace(
        recipe.data, streams=(str(records),), evaluation=(str(records),)))
    start = prepare(recipe, path)
    samples, held_out = read_samples(recipe, start, path.parent)
    return Trainer(recipe, start, samples, held_out, out, cpu=True, quiet=True)


@pytest.fixture(scope='module')
def learnt(records, tmp_path_factory):
    """A tiny model that has learnt eight streams by heart."""
    torch.set_num_threads(1)
    out = tmp_path_factory.mktemp('run')
    trainer = trainer_of(records, out, 'run.steps=160', 'run.batch=4', 'optimizer.lr=2e-3',
                         'run.evaluate_every=160', 'run.save_every=160')
    return trainer, trainer.run(), out


def test_a_tiny_model_learns_eight_streams_by_heart(learnt):
    _, report, _ = learnt
    assert report.measures['control_accuracy'] > 0.99
    assert report.measures['balanced_accuracy'] > 0.99
    assert report.measures['text_accuracy'] > 0.99


def test_the_runtime_decides_as_in_training(learnt, records):
    trainer, report, _ = learnt
    streams = list(read_records(records, Stream))
    for number in (0, 3):
        stream = streams[number]
        heard = listen(stream, records.parent, str(report.model), dtype='float32',
                       threads=1)['assistant']
        forced = decide(trainer.trainee, trainer._collate([trainer.samples[number]])).numpy()
        np.testing.assert_allclose(heard.p_respond, forced, atol=2e-4)
        assert heard.decided == (forced >= 0.5).tolist()
        due = [(reply.chunk, reply.text) for reply in stream.lanes['assistant'].replies]
        assert due and [(said.chunk, said.text) for said in heard.replies] == due


def test_a_sample_reply_is_generated(learnt):
    trainer, _, out = learnt
    tokenizer = Tokenizer(out / 'tokenizer.json')
    said = generate_reply(trainer.trainee, trainer.samples[0], tokenizer)
    assert said.given == said.expected and said.given in ('Low tone.', 'High tone.')


def test_evaluations_are_logged_with_replies(learnt):
    _, report, out = learnt
    log = EventAccumulator(str(out / 'log'))
    log.Reload()
    assert {'train/loss', 'train/lr', 'evaluation/precision', 'evaluation/recall',
            'evaluation/balanced_accuracy'} <= set(log.Tags()['scalars'])
    assert log.Scalars('evaluation/control_accuracy')[-1].value == pytest.approx(
        report.measures['control_accuracy'])
    text = log.Tensors('generation 1/text_summary')[-1].tensor_proto.string_val[0].decode()
    assert 'expected: ' in text and 'given: ' in text


def test_recipe_and_git_hash_lie_beside_what_is_written(learnt):
    trainer, _, out = learnt
    checkpoint = saving.find_newest(out / 'checkpoints')
    for folder in (checkpoint, out):
        assert load_recipe(folder / 'recipe.yaml')[0] == trainer.recipe
    state = json.loads((checkpoint / 'state.json').read_text())
    assert state['step'] == 160
    assert set(state['provenance']) == {'git', 'changed', 'torch', 'python'}
    assert json.loads((out / 'provenance.json').read_text()).keys() == state['provenance'].keys()


def test_the_next_stage_starts_from_the_model_with_low_rank_differences(learnt, records,
                                                                        tmp_path):
    _, report, _ = learnt
    after = trainer_of(records, tmp_path, f'model.weights={report.model}', 'model.tokenizer=',
                       'lora.rank=4', 'train=[adapter, lm]', 'optimizer.lr=1e-5', *SMALL[:4])
    last = after.run()
    assert last.measures['control_accuracy'] > 0.99
    heard = listen(next(read_records(records, Stream)), records.parent, str(last.model),
                   threads=1)
    assert any(heard['assistant'].decided)


def contents(checkpoint):
    optimizer = torch.load(checkpoint / 'optimizer.bin', weights_only=False)
    states = torch.load(checkpoint / 'random_states_0.pkl', weights_only=False)
    state = json.loads((checkpoint / 'state.json').read_text())
    del state['provenance']  # whoever works on the repository may commit between two runs
    return load_file(checkpoint / 'model.safetensors'), optimizer, states, state


def assert_same(left, right):
    if isinstance(left, torch.Tensor):
        assert torch.equal(left, right)
    elif isinstance(left, np.ndarray):
        assert np.array_equal(left, right)
    elif isinstance(left, dict):
        assert left.keys() == right.keys()
        for key in left:
            assert_same(left[key], right[key])
    elif isinstance(left, list | tuple):
        assert len(left) == len(right)
        for one, other in zip(left, right, strict=True):
            assert_same(one, other)
    else:
        assert left == right or (left != left and right != right)


@pytest.mark.parametrize('extra', [(), ('run.accumulation=3', 'run.gradient_checkpointing=true',
                                        'lora.rank=2', 'train=[adapter, lm, head]')])
def test_a_run_that_was_cut_off_gives_the_same_bits(records, tmp_path, extra):
    trainer_of(records, tmp_path / 'whole', *SMALL, *extra).run()
    for stop in (2, 5, None):
        trainer = trainer_of(records, tmp_path / 'parts', *SMALL, *extra)
        if trainer.step:  # whatever happened to be drawn before, the saved states come back
            torch.manual_seed(123), np.random.seed(123), random.seed(123)
            trainer._resume()
        trainer.run(stop)
    whole, parts = (saving.find_newest(tmp_path / name / 'checkpoints') for name
                    in ('whole', 'parts'))
    assert whole.name == parts.name == 'step-0000006'
    assert_same(contents(whole), contents(parts))
    for name in ('decoder.safetensors', 'audio_tower.safetensors'):
        assert ((tmp_path / 'whole/model' / name).read_bytes()
                == (tmp_path / 'parts/model' / name).read_bytes())


def test_a_checkpoint_that_was_not_finished_is_not_used(records, tmp_path):
    trainer_of(records, tmp_path, *SMALL).run(2)
    (tmp_path / 'checkpoints/step-0000003.part').mkdir()
    trainer = trainer_of(records, tmp_path, *SMALL)
    assert trainer.step == 2
    trainer.run(4)
    assert not list(tmp_path.glob('checkpoints/*.part'))


def test_only_the_newest_checkpoints_are_kept(records, tmp_path):
    trainer_of(records, tmp_path, *SMALL, 'run.keep=2').run()
    assert sorted(path.name for path in (tmp_path / 'checkpoints').iterdir()) == [
        'step-0000004', 'step-0000006']


def test_accumulated_batches_are_one_large_batch(records, tmp_path):
    results = []
    for name, batch, accumulation in (('one', 4, 1), ('four', 1, 4)):
        trainer = trainer_of(records, tmp_path / name, *SMALL, f'run.batch={batch}',
                             f'run.accumulation={accumulation}', 'run.steps=2')
        report = trainer.run()
        results.append((report.loss, trainer.trainee.tensors()))
    assert results[0][0] == pytest.approx(results[1][0], rel=1e-5)
    torch.testing.assert_close(results[0][1], results[1][1], atol=2e-4, rtol=1e-3)


@pytest.mark.parametrize('change, named', [
    ('train=[adapter]', r'another model: found tower\.conv1\.weight \[64, 40, 3\]'),
    ('optimizer.lr=1e-3', r'optimizer\.lr was 0\.003, is 0\.001'),
    ('run.seed=5', r'run\.seed was 0, is 5'),
    ('data.max_chunks=5', r'data\.max_chunks was 6, is 5')])
def test_a_checkpoint_of_another_run_is_refused_by_name(records, tmp_path, change, named):
    trainer_of(records, tmp_path, *SMALL).run(2)
    with pytest.raises(CheckpointError, match=named):
        trainer_of(records, tmp_path, *SMALL, change)


def test_a_checkpoint_of_another_shape_is_refused_with_key_and_shapes(records, tmp_path):
    trainer_of(records, tmp_path, *SMALL, 'lora.rank=2').run(2)
    with pytest.raises(CheckpointError, match=r'q_proj\.A \[4, 96\], found \[2, 96\]'):
        trainer_of(records, tmp_path, *SMALL, 'lora.rank=4')


def test_a_checkpoint_over_other_streams_is_refused(records, tmp_path):
    trainer_of(records, tmp_path, *SMALL).run(2)
    path = records.with_name('fewer.jsonl')
    path.write_text(''.join(records.read_text().splitlines(keepends=True)[:5]))
    recipe, _ = load_recipe(tmp_path / 'recipe.yaml')
    start = prepare(*load_recipe('tiny'))
    fewer = Samples.read([path], start.config, lambda text: list(text.encode()), recipe.data)
    with pytest.raises(CheckpointError, match='samples was'):
        Trainer(recipe, start, fewer, fewer, tmp_path, cpu=True, quiet=True)


def test_another_number_of_processes_than_the_recipe_counts_on_is_refused(records, tmp_path):
    with pytest.raises(ConfigurationError, match=r'run\.gpus: expected 32 processes, found 1'):
        trainer_of(records, tmp_path, 'run.gpus=32')


def test_the_command_trains_goes_on_and_streams(records, tmp_path, capsys):
    out = tmp_path / 'run'
    words = ['fit', 'tiny', '--streams', str(records), '--evaluation', str(records), '--out',
             str(out), '--cpu', '--set', 'run.steps=3', '--set', 'run.batch=2']
    assert main([*words, '--until', '2']) == 0
    assert 'step 2,' in capsys.readouterr().out
    assert main(words) == 0
    assert f'model: {out / "model"}' in capsys.readouterr().out.replace('\n', '')
    assert main(['listen', str(records), '--model', str(out / 'model'), '--first', '2',
                 '--threads', '1']) == 0
    told = capsys.readouterr().out
    assert 'tones-0-001' in told and '24 decisions: control accuracy' in told
    assert main(['listen', str(records), '--model', str(out / 'model'), '--id', 'none']) == 2
    assert main([*words, '--set', 'run.seed=9']) == 2
    assert 'run.seed was 0, is 9' in capsys.readouterr().err


def test_the_resolved_recipe_can_be_run_again(records, tmp_path):
    trainer_of(records, tmp_path, *SMALL).run(2)
    recipe, path = load_recipe(tmp_path / 'recipe.yaml')
    assert prepare(recipe, path).config.model == 'tiny'


def test_frequency_of_logging_may_change(records, tmp_path):
    trainer_of(records, tmp_path, *SMALL).run(2)
    assert trainer_of(records, tmp_path, *SMALL, 'run.log_every=1', 'run.keep=1').step == 2


def test_a_damaged_checkpoint_is_named(records, tmp_path):
    trainer_of(records, tmp_path, *SMALL).run(2)
    (tmp_path / 'checkpoints/step-0000002/optimizer.bin').write_bytes(b'PK\x03\x04 damaged')
    with pytest.raises(CheckpointError, match='step-0000002'):
        trainer_of(records, tmp_path, *SMALL)


def test_a_full_disk_is_said_and_older_checkpoints_stay(records, tmp_path, monkeypatch):
    trainer = trainer_of(records, tmp_path, *SMALL)
    trainer.run(2)

    def full(folder, **_):
        with open(os.path.join(folder, 'model.safetensors'), 'wb') as file:
            file.write(b'half')
        raise OSError(errno.ENOSPC, 'No space left on device')

    monkeypatch.setattr(trainer.accelerator, 'save_state', full)
    with pytest.raises(CheckpointError, match=r'step-0000004.*No space left.*GiB are free'):
        trainer.run(4)
    assert [path.name for path in (tmp_path / 'checkpoints').iterdir()] == ['step-0000002']
    assert trainer_of(records, tmp_path, *SMALL).step == 2


def test_measures_see_through_always_being_silent():
    silent = Counts(respond_due=10, decisions=130, text=4, text_right=3).measures()
    assert silent['control_accuracy'] == pytest.approx(120 / 130)
    assert (silent['recall'], silent['balanced_accuracy']) == (0.0, 0.5)
    assert np.isnan(silent['precision'])
    some = Counts(respond_due=10, respond_given=8, respond_right=6, decisions=30)
    assert some.measures()['precision'] == 0.75 and some.measures()['recall'] == 0.6
    assert some.measures()['balanced_accuracy'] == pytest.approx((0.6 + 0.9) / 2)
    assert (some + some).measures()['recall'] == 0.6
