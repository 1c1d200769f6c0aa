"""How a process gets its memory: settings of the C library."""

import ctypes
import os
import platform
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from audio_interaction_ros import process_memory
from bench.measure import resident_mib

pytestmark = pytest.mark.unit

GLIBC = platform.libc_ver()[0] == 'glibc'
THREADS_ALLOCATE = """
import ctypes, sys, threading
from audio_interaction_ros.process_memory import keep_memory_small
if sys.argv[1:] == ['small']:
    keep_memory_small()
libc = ctypes.CDLL('libc.so.6')
libc.malloc.restype = ctypes.c_void_p
together = threading.Barrier(4)
def allocate():
    together.wait()  # or one could take over what another has left
    libc.malloc(100_000)
    together.wait()
threads = [threading.Thread(target=allocate) for _ in range(4)]
for thread in threads: thread.start()
for thread in threads: thread.join()
libc.malloc_stats()
"""


class Libc:
    def __init__(self):
        self.options = {}

    def mallopt(self, option, value):
        self.options[option] = value


@pytest.fixture
def libc(monkeypatch):
    made = Libc()
    monkeypatch.setattr(ctypes, 'CDLL', lambda _: made)
    monkeypatch.setattr(platform, 'libc_ver', lambda: ('glibc', '2.36'))
    for name in process_memory._CHOSEN_BY:
        monkeypatch.delenv(name, raising=False)
    return made


def test_what_the_environment_chose_is_left_alone(libc, monkeypatch):
    monkeypatch.setenv('MALLOC_ARENA_MAX', '4')
    process_memory.keep_memory_small()
    assert libc.options == {}
    monkeypatch.delenv('MALLOC_ARENA_MAX')
    process_memory.keep_memory_small()
    assert len(libc.options) == 3


def test_another_c_library_is_left_alone(libc, monkeypatch):
    monkeypatch.setattr(platform, 'libc_ver', lambda: ('musl', '1.2'))
    process_memory.keep_memory_small()
    assert libc.options == {}


@pytest.mark.skipif(not GLIBC, reason='the C library is not glibc')
def test_threads_share_one_heap():
    def count_heaps(*arguments):
        said = subprocess.run(
            [sys.executable, '-c', THREADS_ALLOCATE, *arguments], check=True, text=True,
            capture_output=True, cwd=Path(__file__).parents[1],
            env={key: value for key, value in os.environ.items()
                 if key not in process_memory._CHOSEN_BY}).stderr
        return said.count('Arena')
    assert count_heaps('small') == 1
    assert count_heaps() > 1


@pytest.mark.skipif(sys.platform != 'linux', reason='only Linux tells what is mapped')
def test_pages_of_a_mapped_file_are_given_back_and_come_again(tmp_path):
    path = tmp_path / 'weights file'
    path.write_bytes(bytes(range(256)) * 4096 * 32)  # 32 MiB
    mapped = np.memmap(path, np.uint8, mode='c')
    total = int(mapped.sum(dtype=np.int64))
    before = resident_mib()
    process_memory.give_back_pages(path)
    assert before - resident_mib() > 24
    assert int(mapped.sum(dtype=np.int64)) == total
