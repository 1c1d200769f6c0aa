"""What a figure was taken on: a figure without its machine means nothing."""

import importlib.metadata
import os
import platform
import subprocess
import sys
from pathlib import Path

__all__ = ['describe']

LIBRARIES = ('numpy', 'soxr', 'torch', 'onnxruntime', 'ros-rclpy')


def describe() -> dict[str, str]:
    """Return processor, cores, load, system, versions and the state of the sources."""
    told = {
        'processor': _processor(), 'cores': str(len(os.sched_getaffinity(0))
                                                if hasattr(os, 'sched_getaffinity')
                                                else os.cpu_count()),
        'load before': ' '.join(f'{load:.2f}' for load in os.getloadavg()),
        'memory': _memory(), 'system': f'{platform.system()} {platform.release()}',
        'python': sys.version.split()[0], 'commit': _commit()}
    for library in LIBRARIES:
        try:
            told[library] = importlib.metadata.version(library)
        except importlib.metadata.PackageNotFoundError:
            told[library] = 'absent'
    for variable in ('OMP_NUM_THREADS', 'OMP_WAIT_POLICY', 'RMW_IMPLEMENTATION', 'ROS_DISTRO'):
        if variable in os.environ:
            told[variable] = os.environ[variable]
    return told


def _processor() -> str:
    try:
        for line in Path('/proc/cpuinfo').read_text(encoding='utf-8').splitlines():
            if line.startswith('model name'):
                return line.partition(':')[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def _memory() -> str:
    try:
        line = Path('/proc/meminfo').read_text(encoding='ascii').splitlines()[0]
        return f'{int(line.split()[1]) / 2**20:.1f} GiB'
    except (OSError, IndexError, ValueError):
        return 'unknown'


def _commit() -> str:
    try:
        done = subprocess.run(['git', 'describe', '--always', '--dirty', '--abbrev=10'],
                              cwd=Path(__file__).parent, capture_output=True, text=True,
                              check=True, timeout=10)
    except (OSError, subprocess.SubprocessError):
        return 'unknown'
    return done.stdout.strip()
