import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from audio_interaction_ros import parity
from audio_interaction_ros.audio.mel import mel_filters, mel_rounding, whole_file_mel
from audio_interaction_ros.errors import ConfigurationError

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


def sounds():
    """Yield sounds [48000] that are hard on a float32 spectrum: quiet bands beside loud ones."""
    noise = np.random.default_rng(0).standard_normal(48_000)
    tone = 0.9 * np.sin(2 * np.pi * 440 * np.arange(48_000) / 16_000)
    yield from (tone, tone + 1e-3 * noise, tone + 1e-5 * noise, 0.2 * noise, 1e-4 * noise)


def in_float32(samples, bins):
    """Return the mel as the released code computes it, with torch in float32."""
    spectrum = torch.stft(torch.from_numpy(samples.astype(np.float32)), 400, 160,
                          window=torch.hann_window(400), return_complex=True)
    power = torch.from_numpy(mel_filters(bins).astype(np.float32)) @ spectrum[:, :-1].abs() ** 2
    log_power = power.clamp(min=1e-10).log10()
    return (log_power.maximum(log_power.max() - 8.0) + 4.0).numpy() / 4.0


@pytest.mark.parametrize('bins', [80, 128])
def test_a_mel_of_the_released_code_is_within_what_is_allowed_on_every_cpu(bins):
    for samples in sounds():
        difference = np.abs(in_float32(samples, bins) - whole_file_mel(samples, bins)).max()
        assert difference <= max(parity.TOLERANCES['mel'], mel_rounding(samples, bins))


def test_what_is_allowed_hides_no_wrong_mel():
    for samples in sounds():
        allowed = max(parity.TOLERANCES['mel'], mel_rounding(samples, 128))
        late = np.abs(whole_file_mel(np.roll(samples, 1), 128) - whole_file_mel(samples, 128))
        assert late.max() > 10 * allowed


MEL_OF_NOISE = """
import sys, numpy
from audio_interaction_ros.audio.mel import whole_file_mel
noise = numpy.random.default_rng(0).normal(0, 0.1, 16_000)
sys.stdout.buffer.write(whole_file_mel(noise, 128).tobytes())
"""


def test_our_mel_does_not_depend_on_the_instructions_of_the_cpu():
    def mel(**environment):
        written = subprocess.run([sys.executable, '-c', MEL_OF_NOISE], check=True, timeout=120,
                                 env={**os.environ, **environment}, capture_output=True).stdout
        return np.frombuffer(written, np.float32)
    older = mel(OPENBLAS_CORETYPE='Haswell',
                NPY_DISABLE_CPU_FEATURES='AVX512F AVX512CD AVX512_SKX AVX512_ICL')
    np.testing.assert_allclose(older, mel(), atol=2e-7, rtol=0)
