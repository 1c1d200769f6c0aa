"""Short trainings go on: clock, rate, weights and state, only from their own start, in step."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import nn

from train.edge import stage_b
from train.edge.recipe import read_edge_recipe
from train.trainer import progress
from train.trainer.clock import Clock
from train.trainer.processes import average, mean_of, the_processes
from train.trainer.progress import (
    OtherStartError,
    hash_files,
    resume_progress,
    save_progress,
    write_weights,
)
from train.trainer.schedule import rate_share, set_rates

pytestmark = pytest.mark.torch

START = {'projector': 'aa', 'sound_branch': 'bb'}


def learning(steps=0):
    rows = nn.Parameter(torch.zeros(2, 3))
    optimizer = torch.optim.AdamW([{'params': [rows]}], lr=0.25)
    for _ in range(steps):
        rows.grad = torch.ones(2, 3)
        optimizer.step()
    return rows, optimizer


def save(path, rows, optimizer, minutes):
    save_progress(path, {'rows': rows.data}, optimizer, {'minutes': minutes, 'step': 3}, START)


def resume(path, rows, optimizer, start=START):
    return resume_progress(path, lambda tensors: rows.data.copy_(tensors['rows']), optimizer,
                           start)


def test_weights_state_and_counts_are_taken_up(tmp_path):
    rows, optimizer = learning(steps=3)
    save(tmp_path / 'trained.safetensors', rows, optimizer, 12.5)
    again, fresh = learning()
    counts = resume(tmp_path / 'trained.safetensors', again, fresh)
    assert counts == {'minutes': 12.5, 'step': 3}
    torch.testing.assert_close(again, rows, atol=1e-3, rtol=1e-3)
    torch.testing.assert_close(fresh.state[again]['exp_avg'], optimizer.state[rows]['exp_avg'])
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        'trained.safetensors', 'trained.state']


def test_without_a_file_a_training_begins(tmp_path):
    rows, optimizer = learning()
    assert resume(tmp_path / 'trained.safetensors', rows, optimizer) == {}


def test_weights_begun_from_others_are_refused(tmp_path):
    save(tmp_path / 'trained.safetensors', *learning(), 1.0)
    with pytest.raises(OtherStartError, match='begun from projector aa, got cc.*another --out'):
        resume(tmp_path / 'trained.safetensors', *learning(), {**START, 'projector': 'cc'})


def test_state_of_another_moment_is_left_out(tmp_path):
    path = tmp_path / 'trained.safetensors'
    save(path, *learning(steps=1), 1.0)
    old = path.with_suffix('.state').read_bytes()
    save(path, *learning(steps=2), 2.0)
    path.with_suffix('.state').write_bytes(old)
    rows, optimizer = learning()
    assert resume(path, rows, optimizer)['minutes'] == 2.0 and not optimizer.state
    path.with_suffix('.state').unlink()
    assert resume(path, rows, optimizer)['minutes'] == 2.0 and not optimizer.state


def test_weights_that_count_nothing_start_the_clock_anew(tmp_path):
    save_file({'rows': torch.ones(2, 3)}, tmp_path / 'a.safetensors', metadata={'sounds': '[]'})
    rows, optimizer = learning()
    assert resume(tmp_path / 'a.safetensors', rows, optimizer) == {} and (rows == 1).all()


def test_weights_are_written_whole_as_they_are_with_what_is_told_of_them(tmp_path):
    path = tmp_path / 'a.safetensors'
    write_weights(path, {'rows': torch.ones(3, 2).T}, {'sounds': '["siren"]'})
    assert load_file(path)['rows'].shape == (2, 3) and load_file(path)['rows'].dtype.itemsize == 4
    with safe_open(path, 'pt') as file:
        assert file.metadata() == {'sounds': '["siren"]'}


def test_a_stop_while_weights_are_written_leaves_those_before(tmp_path, monkeypatch):
    def fill_the_disk(tensors, path, metadata):
        path.write_bytes(b'half')
        raise OSError('no space')
    write_weights(tmp_path / 'a.safetensors', {'rows': torch.ones(2)})
    monkeypatch.setattr(progress, 'save_file', fill_the_disk)
    with pytest.raises(OSError, match='no space'):
        write_weights(tmp_path / 'a.safetensors', {'rows': torch.zeros(2)})
    assert load_file(tmp_path / 'a.safetensors')['rows'].tolist() == [1.0, 1.0]


def test_the_clock_goes_on_where_it_stopped():
    seconds = iter((100.0, 160.0, 220.0, 340.0, 400.0))
    clock = Clock(10.0, spent=3.0, now=lambda: next(seconds))
    assert clock.spent_minutes() == 4.0
    with clock.stopped():  # two minutes that do not count
        pass
    assert clock.spent_share() == pytest.approx(0.6)
    assert Clock(40.0, spent=40.0).spent_share() >= 1.0 and Clock(0.0).spent_share() == 1.0


def test_the_rate_rises_stays_and_falls():
    shares = [rate_share(step, step / 1000, fall=0.25) for step in (0, 19, 700, 875, 1000)]
    assert shares == pytest.approx([0.05, 1.0, 1.0, 0.5, 0.05])
    assert rate_share(500, 0.5) == 0.5 and rate_share(0, 0.5, warm_up=1, least=0.6) == 0.6


def test_each_group_keeps_its_peak_also_after_a_stop():
    _, optimizer = learning()
    set_rates(optimizer, 0.5)
    set_rates(optimizer, 0.1)
    assert optimizer.param_groups[0]['lr'] == pytest.approx(0.025)
    _, fresh = learning()
    fresh.load_state_dict(optimizer.state_dict())
    set_rates(fresh, 1.0)
    assert fresh.param_groups[0]['lr'] == 0.25


def test_alone_a_process_is_the_mean():
    told = torch.tensor([1.0, 2.0])
    average([told])
    assert told.tolist() == [1.0, 2.0] and mean_of(0.25) == 0.25
    assert the_processes().is_main_process


def test_two_processes_have_the_mean_of_both(tmp_path):
    script = tmp_path / 'both.py'
    script.write_text("""
import torch
from pathlib import Path
from train.trainer.processes import average, mean_of, the_processes
rank = the_processes().process_index
parts = [torch.full((2, 2), float(rank)), torch.tensor([10.0 * rank])]
average(parts)
assert the_processes().num_processes == 2
Path(__file__).with_name(f'{rank}.txt').write_text(
    f'{parts[0].tolist()} {parts[1].tolist()} {mean_of(0.5 + rank)}')
""")
    done = subprocess.run(
        [sys.executable, '-m', 'torch.distributed.run', '--standalone', '--nproc-per-node', '2',
         str(script)], cwd=Path(__file__).parents[2], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert {(tmp_path / f'{rank}.txt').read_text() for rank in (0, 1)} == {
        '[[0.5, 0.5], [0.5, 0.5]] [5.0] 1.0'}


def test_starts_are_told_apart_by_their_content(tmp_path):
    for name, content in (('a', b'1'), ('b', b'1'), ('c', b'2')):
        (tmp_path / name).write_bytes(content)
    a, b, c = (hash_files({'projector': tmp_path / name})['projector'] for name in 'abc')
    assert a == b != c


def test_the_rate_follows_the_clock_and_the_end_is_saved(tmp_path, monkeypatch):
    rows, optimizer = learning()
    rates, told = [], []

    def step(model, optimizer, items, asked, pairs):
        told.append(pairs)
        rates.append(optimizer.param_groups[0]['lr'])
        if len(rates) == 40:
            clock.minutes = 1e-9  # the time is over
        return 0.0, 0.0
    monkeypatch.setattr(stage_b, 'step', step)
    clock = Clock(1e6, spent=5e5)
    replies = read_edge_recipe().replies
    pairs = iter(range(1, 99))
    stage_b.train(rows, optimizer, iter([[None]] * 99), pairs, replies, clock, lambda: save(
        tmp_path / 'trained.safetensors', rows, optimizer, clock.spent_minutes()))
    assert len(rates) == 40 and rates[-1] == pytest.approx(0.25 * 0.5, rel=1e-3)
    # Sentence pairs come among the sessions, not instead of them.
    assert told[:8] == [(), (), (), 1, (), (), (), 2]
    assert load_file(tmp_path / 'trained.safetensors')['rows'].dtype == torch.float16
