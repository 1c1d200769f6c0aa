"""Whoever opens a session takes denormal numbers as zero, whichever thread that is."""

import platform
import threading

import numpy as np
import pytest

pytest.importorskip('onnxruntime')

from audio_interaction_ros.graphs.builder import GraphBuilder  # noqa: E402
from audio_interaction_ros.runtimes.onnx_session import open_session  # noqa: E402


@pytest.mark.unit
@pytest.mark.skipif(platform.machine() != 'x86_64' or platform.libc_ver()[0] != 'glibc',
                    reason='needs glibc on x86_64')
def test_a_thread_that_was_there_before_the_first_session_multiplies_fast_too(tmp_path):
    builder = GraphBuilder('same')
    value = builder.input('x', np.float32, (1,))
    builder.output(builder.rename(value, 'y'), np.float32, (1,))
    builder.save(tmp_path / 'same.onnx')
    opened, products = threading.Event(), []

    def work():
        opened.wait()
        tiny = np.float32(1e-39)
        open_session(tmp_path / 'same.onnx', threads=1)
        products.append(tiny * np.float32(2) == 0)
    early = threading.Thread(target=work)
    early.start()
    another = threading.Thread(target=open_session, args=(tmp_path / 'same.onnx',))
    another.start()
    another.join()
    opened.set()
    early.join()
    assert products == [True]
