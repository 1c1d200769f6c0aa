"""What an input device hears, as blocks; a stand-in plays PortAudio."""

import itertools
from types import SimpleNamespace

import numpy as np
import pytest

from audio_interaction_ros.audio import devices
from audio_interaction_ros.errors import AudioFormatError

pytestmark = pytest.mark.unit


class FakeLibrary:
    """Has one device, which says a few blocks as soon as it is opened."""

    def __init__(self, blocks=3):
        self.blocks, self.closed = blocks, False

    def query_devices(self, device=None, kind=None):
        one = {'name': 'desk', 'max_input_channels': 1, 'default_samplerate': 8000.0}
        return one if kind else [one]

    def InputStream(self, *, callback, blocksize, **options):  # noqa: N802 - its own name
        def start():
            for index in range(self.blocks):
                callback(np.full((blocksize, 1), index, np.int16), blocksize, None, None)

        def close():
            self.closed = True
        return SimpleNamespace(start=start, close=close)


def test_blocks_follow_one_another_and_the_device_is_closed():
    library = FakeLibrary()
    heard = devices.hear_device(library)
    blocks = list(itertools.islice(heard, 3))
    assert [block.stamp_ns for block in blocks] == [0, 10 ** 8, 2 * 10 ** 8]
    assert [int(block.samples[0]) for block in blocks] == [0, 1, 2]
    heard.close()
    assert library.closed


def test_a_device_that_says_nothing_is_named(monkeypatch):
    monkeypatch.setattr(devices, '_SILENT_DEVICE_S', 0.01)
    with pytest.raises(AudioFormatError, match='it said nothing'):
        next(devices.hear_device(FakeLibrary(blocks=0)))


def test_a_device_that_is_not_there_is_named_with_those_that_are():
    with pytest.raises(AudioFormatError, match='desk'):
        next(devices.hear_device(FakeLibrary(), 'kitchen'))
