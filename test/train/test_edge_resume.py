"""A stopped training goes on: its clock, the optimizer's state, and only from its own start."""


import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from train.edge import stage_b
from train.edge.feature_folder import read_sounds
from train.edge.resume import (
    OtherStartError,
    TrainingClock,
    hash_files,
    resume_progress,
    save_progress,
)

pytestmark = pytest.mark.torch

START = {'projector': 'aa', 'sound_branch': 'bb'}


class Tiny(nn.Module):
    """Anything that is trained: one matrix."""

    sounds = ('siren',)

    def __init__(self):
        super().__init__()
        self.rows = nn.Parameter(torch.zeros(2, 3))

    def trained_tensors(self):
        return {'rows': self.rows.data}

    def load_trained(self, tensors):
        self.rows.data.copy_(tensors['rows'].float())


def learning(steps=0):
    model = Tiny()
    optimizer = torch.optim.AdamW([{'params': [model.rows], 'scale': 0.25}], lr=0.25)
    for _ in range(steps):
        model.rows.grad = torch.ones(2, 3)
        optimizer.step()
    return model, optimizer


def test_weights_state_and_minutes_are_taken_up(tmp_path):
    model, optimizer = learning(steps=3)
    save_progress(model, optimizer, tmp_path / 'trained.safetensors', 12.5, START)
    again, fresh = learning()
    assert resume_progress(again, fresh, tmp_path / 'trained.safetensors', START) == 12.5
    torch.testing.assert_close(again.rows, model.rows, atol=1e-3, rtol=1e-3)
    torch.testing.assert_close(fresh.state[again.rows]['exp_avg'],
                               optimizer.state[model.rows]['exp_avg'])
    assert read_sounds(tmp_path / 'trained.safetensors') == ('siren',)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        'trained.safetensors', 'trained.state']


def test_weights_begun_from_others_are_refused(tmp_path):
    save_progress(*learning(), tmp_path / 'trained.safetensors', 1.0, START)
    with pytest.raises(OtherStartError, match='begun from projector aa, got cc.*another --out'):
        resume_progress(*learning(), tmp_path / 'trained.safetensors',
                        {**START, 'projector': 'cc'})


def test_state_of_another_moment_is_left_out(tmp_path):
    path = tmp_path / 'trained.safetensors'
    save_progress(*learning(steps=1), path, 1.0, START)
    old = path.with_suffix('.state').read_bytes()
    save_progress(*learning(steps=2), path, 2.0, START)
    path.with_suffix('.state').write_bytes(old)
    model, optimizer = learning()
    assert resume_progress(model, optimizer, path, START) == 2.0 and not optimizer.state
    path.with_suffix('.state').unlink()
    assert resume_progress(model, optimizer, path, START) == 2.0 and not optimizer.state


def test_weights_of_before_the_clock_was_kept_start_it_anew(tmp_path):
    save_file({'rows': torch.ones(2, 3)}, tmp_path / 'a.safetensors', metadata={'sounds': '[]'})
    model, optimizer = learning()
    assert resume_progress(model, optimizer, tmp_path / 'a.safetensors', START) == 0.0
    assert (model.rows == 1).all()


def test_the_clock_goes_on_where_it_stopped():
    assert 0.75 <= TrainingClock(40.0, spent=30.0).spent_share() < 0.8
    assert TrainingClock(40.0, spent=40.0).spent_share() >= 1.0


def test_starts_are_told_apart_by_their_content(tmp_path):
    for name, content in (('a', b'1'), ('b', b'1'), ('c', b'2')):
        (tmp_path / name).write_bytes(content)
    a, b, c = (hash_files({'projector': tmp_path / name})['projector'] for name in 'abc')
    assert a == b != c


def test_the_rate_follows_the_clock_and_the_end_is_saved(tmp_path, monkeypatch):
    model, optimizer = learning()
    rates, told = [], []

    def step(model, optimizer, items, pairs):
        told.append(pairs)
        rates.append(optimizer.param_groups[0]['lr'])
        if len(rates) == 40:
            clock.minutes = 1e-9  # the time is over
        return 0.0, 0.0
    monkeypatch.setattr(stage_b, 'step', step)
    clock = TrainingClock(1e6, spent=5e5)
    pairs = iter(range(1, 99))
    stage_b.train(model, optimizer, iter([[None]] * 99), pairs, clock, lambda: save_progress(
        model, optimizer, tmp_path / 'trained.safetensors', clock.spent_minutes(), START))
    assert len(rates) == 40 and rates[-1] == pytest.approx(0.25 * 0.5, rel=1e-3)
    # Sentence pairs come among the sessions, not instead of them.
    assert told[:8] == [(), (), (), 1, (), (), (), 2]
    assert load_file(tmp_path / 'trained.safetensors')['rows'].dtype == torch.float16
