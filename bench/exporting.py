"""
An export beside its weights: how long it takes, what it writes, how much memory at its peak.

The export runs in a process of its own, so that nothing else counts. What the process holds
before it reads a weight is taken off; the rest is compared with the bytes of the stored weights.
"""

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from audio_interaction_ros.checkpoints.manifest import weight_files
from audio_interaction_ros.checkpoints.weights import StoredModel, identify
from audio_interaction_ros.errors import CheckpointError
from bench.measure import Figure, peak_memory_mib
from bench.models import scratch_model

__all__ = ['GOAL', 'run', 'stored_bytes']

GOAL = 1.5
"""Peak memory of an export, in the bytes of its weights."""


def run(*, model: str, precision: str) -> list[Figure]:
    """Return time, size and memory of ``python -m export onnx MODEL --precision PRECISION``."""
    with scratch_model(model) as found, tempfile.TemporaryDirectory() as out:
        done = subprocess.run(
            [sys.executable, '-m', 'bench.exporting', found, out, precision], check=False,
            cwd=Path(__file__).parents[1], capture_output=True, text=True)
        if done.returncode:
            raise CheckpointError(f'{model}: the export ended with {done.returncode}: '
                                  f'{done.stderr.strip()[-500:]}')
        told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    taken, weights = told['peak_mib'] - told['before_mib'], told['weights_mib']
    return [
        Figure(what=f'export to {precision}', unit='s', value=told['seconds']),
        Figure(what='stored weights', unit='MiB', value=weights),
        Figure(what='written', unit='MiB', value=told['written_mib']),
        Figure(what='peak memory, less that of the empty process', unit='MiB', value=taken,
               note=f'{told["before_mib"]:.0f} MiB before a weight is read'),
        Figure(what='the same, in the bytes of the weights', unit='x', value=taken / weights,
               goal=GOAL)]


def stored_bytes(stored: StoredModel) -> int:
    """Return the size of all files that a model's weights come from, base weights included."""
    files = weight_files(stored.folder)
    base = stored.config.base
    if base is not None:
        from audio_interaction_ros.checkpoints.base_weights import fetch
        files += [fetch(name) / 'model.safetensors'
                  for name in (base.whisper, base.language_model, base.tagger) if name]
    return sum(path.stat().st_size for path in files)


def _measure(model: str, out: str, precision: str) -> None:
    # The child: its last line says what was measured.
    from audio_interaction_ros.cli.model_export import run as _  # noqa: F401 - its libraries count
    from export.__main__ import main as export
    before, began = peak_memory_mib(), time.monotonic()
    code = export(['onnx', model, '--out', out, '--precision', precision])
    seconds, peak = time.monotonic() - began, peak_memory_mib()
    if code:
        sys.exit(code)
    written = sum(path.stat().st_size for path in Path(out).rglob('*') if path.is_file())
    print(json.dumps({'before_mib': before, 'peak_mib': peak, 'seconds': seconds,
                      'weights_mib': stored_bytes(identify(model)) / 2 ** 20,
                      'written_mib': written / 2 ** 20}))


if __name__ == '__main__':
    _measure(*sys.argv[1:])
