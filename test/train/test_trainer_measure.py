"""Real steps of every stage, in miniature: what they take is measured and stands by the plan."""

import math

import pytest

pytest.importorskip('torch')
pytest.importorskip('accelerate')

from train.__main__ import main

pytestmark = pytest.mark.torch


def test_every_stage_takes_a_real_step_with_its_memory_beside_the_plan(capsys):
    assert main(['measure', '--cpu', '--steps', '1', '--set', 'model.shape=model_tiny.yaml',
                 '--set', 'run.batch=2', '--set', 'data.max_chunks=6',
                 '--set', 'run.accumulation=1']) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.partition(':')[0] for line in lines] == ['stage1', 'stage2', 'stage3', 'stage4']
    for line in lines:
        assert 'memory' in line and 'planned' in line
        assert math.isfinite(float(line.rpartition('loss ')[2]))
