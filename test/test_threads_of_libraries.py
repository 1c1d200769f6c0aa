"""What the package asks of the libraries that compute for it."""

import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.unit


def test_the_package_keeps_threads_of_libraries_from_spinning():
    """Importing any part sets what numpy and torch read when they load."""
    code = ('import os; import audio_interaction_ros; '
            'print(os.environ["OMP_WAIT_POLICY"], os.environ["OPENBLAS_NUM_THREADS"])')
    environment = {key: value for key, value in os.environ.items()
                   if not key.startswith(('OMP', 'KMP', 'GOMP', 'OPENBLAS'))}
    done = subprocess.run([sys.executable, '-c', code], env=environment, capture_output=True,
                          text=True, check=True)
    assert done.stdout.split() == ['PASSIVE', '1']
