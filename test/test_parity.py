import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from audio_interaction_ros.errors import ConfigurationError
from audio_interaction_ros import parity

pytestmark = pytest.mark.torch

PREFIX = Path(__file__).parent / 'data' / 'tiny_reference'


def test_equals_the_released_code(capsys):
    assert parity.main(str(PREFIX)) == 0
    assert capsys.readouterr().out.count(' ok') == 4


def test_reports_what_is_past_tolerance(tmp_path, capsys):
    shutil.copy(f'{PREFIX}.json', tmp_path / 'other.json')
    with np.load(f'{PREFIX}.npz') as file:
        arrays = dict(file)
    arrays['features'][3, 2, 1] += 0.01
    np.savez(tmp_path / 'other.npz', **arrays)
    assert parity.main(str(tmp_path / 'other')) == 1
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines if 'PAST' in line] == ['features']


def test_names_a_missing_reference(tmp_path):
    with pytest.raises(ConfigurationError, match='nowhere'):
        parity.check(str(tmp_path / 'nowhere'))


def test_weights_come_from_their_own_names():
    shapes = json.loads(Path(f'{PREFIX}.json').read_text())['lm_tensors']
    key = 'transformer.h.0.norm_1.weight'
    assert parity.reference_tensor(key, shapes[key]).mean().item() == pytest.approx(1.0, abs=0.05)
