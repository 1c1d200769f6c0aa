"""Memory of an export and of a conversion, at their peak, beside the bytes of the weights."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from audio_interaction_ros.parity import write_released
from bench import exporting

pytest.importorskip('onnx')
pytestmark = pytest.mark.torch

ROOT = Path(__file__).parents[2]
REFERENCE = ROOT / 'test' / 'data' / 'tiny_reference.json'
WIDTH = 512


@pytest.mark.parametrize('precision', ['fp32', 'int4'])
def test_an_export_stays_below_its_bar(precision, tmp_path, monkeypatch):
    """The edge model's shape in bfloat16: 330 MiB of weights."""
    monkeypatch.setenv('AUDIO_INTERACTION_CACHE', str(tmp_path))
    found = {figure.what: figure for figure in exporting.run(model='random', precision=precision)}
    assert found['stored weights'].value > 300
    ratio = found['the same, in the bytes of the weights']
    assert ratio.met, ratio


@pytest.fixture
def released(tmp_path):
    """A checkpoint in the released layout, whose vocabulary is of real size: 300 MiB."""
    reference = json.loads(REFERENCE.read_text())
    reference['lm_config'] |= {'n_layer': 1, 'n_embd': WIDTH, 'head_size': 16}
    reference['encoder_config']['output_dim'] = WIDTH
    for tensors in (reference['lm_tensors'], reference['encoder_tensors']):
        for key, shape in list(tensors.items()):
            if key.startswith(('transformer.h.1.', 'transformer.h.2.')):
                del tensors[key]
            elif 'layers.' not in key:  # of the tower: no tensor beside its layers is so wide
                tensors[key] = [WIDTH if size == 64 else size for size in shape]
    reference['lm_tensors']['transformer.h.0.attn.proj.weight'] = [WIDTH, 64]
    folder = tmp_path / 'released'
    folder.mkdir()
    write_released(folder, reference, torch.bfloat16)
    return folder


def test_a_conversion_of_the_released_layout_holds_no_copy(released, tmp_path):
    done = subprocess.run(
        [sys.executable, '-c',
         'import sys\nfrom pathlib import Path\n'
         'from audio_interaction_ros.checkpoints.released import ensure_converted\n'
         'from bench.measure import peak_memory_mib\nbefore = peak_memory_mib()\n'
         'ensure_converted(Path(sys.argv[1]), Path(sys.argv[2]))\n'
         'print(peak_memory_mib() - before)',
         str(released), str(tmp_path / 'cache')],
        cwd=ROOT, capture_output=True, text=True, check=False, env=dict(os.environ))
    assert done.returncode == 0, done.stderr
    size = sum(path.stat().st_size for path in released.rglob('*') if path.is_file()) / 2 ** 20
    assert size > 250
    assert float(done.stdout) < exporting.GOAL * size, (done.stdout, size)
