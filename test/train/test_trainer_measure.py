"""Real steps of every stage, in miniature: what they take is measured and stands by the plan."""

import math
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip('torch')
pytest.importorskip('accelerate')

pytestmark = pytest.mark.torch

ROOT = Path(__file__).parents[2]


def test_every_stage_takes_a_real_step_with_its_memory_beside_the_plan():
    # A process of its own: accelerate keeps the precision of the first training in a process.
    done = subprocess.run(
        [sys.executable, '-m', 'train', 'measure', '--cpu', '--steps', '1',
         '--set', 'model.shape=model_tiny.yaml', '--set', 'run.batch=2',
         '--set', 'data.max_chunks=6', '--set', 'run.accumulation=1'],
        cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert [line.partition(':')[0] for line in lines] == ['stage1', 'stage2', 'stage3', 'stage4']
    for line in lines:
        assert 'memory' in line and 'planned' in line
        assert math.isfinite(float(line.rpartition('loss ')[2]))
