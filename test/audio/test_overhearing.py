"""Others under the robot's own voice: a filter that spares them, and when they are read."""

import numpy as np
import pytest

from audio_interaction_ros.audio.linear_echo import LinearEcho
from audio_interaction_ros.audio.overhearing import EchoFrame, Overhearing

pytestmark = pytest.mark.unit

RATE, FRAME, FRAME_NS = 16_000, 160, 10_000_000


def noise(count, seed, level=0.1):
    return np.random.default_rng(seed).normal(0, level, count).astype(np.float32)


def decibels(before, after):
    return 10 * np.log10(np.mean(before ** 2) / np.mean(after ** 2))


def echo_of(played):
    """Return what a small room makes of it: 40 ms late, and ringing for 50 ms."""
    way = noise(800, 7) * np.exp(-np.arange(800) / 160)
    return np.convolve(np.pad(played, (640, 0)), way)[:len(played)].astype(np.float32)


def cancel(heard, played):
    canceller = LinearEcho()
    return np.concatenate([canceller.process(heard[at:at + FRAME], played[at:at + FRAME])
                           for at in range(0, len(heard), FRAME)])


def test_a_linear_filter_learns_the_room_and_spares_who_speaks_meanwhile():
    played, other = noise(4 * RATE, 0), np.zeros(4 * RATE, np.float32)
    other[3 * RATE:] = noise(RATE, 1, level=0.05)
    echo = echo_of(played)
    left = cancel(echo + other, played)
    assert left.dtype == np.float32 and left.shape == played.shape
    assert decibels(echo[2 * RATE:3 * RATE], left[2 * RATE:3 * RATE]) > 20
    rest = (left - other)[3 * RATE:]
    assert decibels(other[3 * RATE:], rest) > 8, 'what is left is mostly the other'


def frames(seconds, *, left, begin_ns=0):
    for number in range(round(seconds * 100)):
        heard = noise(FRAME, number)
        yield EchoFrame(begin_ns + number * FRAME_NS, heard, heard, left * heard)


def listen(ears, seconds, **more):
    """Return after how many frames each reading was due; it is made at once."""
    due = []
    for number, frame in enumerate(frames(seconds, **more), start=1):
        ears.take(frame)
        if ears.due:
            ears.cut_out()
            due.append(number)
    return due


def test_only_what_the_canceller_left_is_read_and_once_more_after_it():
    ears = Overhearing()
    assert listen(ears, 1.0, left=0.01) == [], 'the robot alone'
    heard = listen(ears, 1.0, left=0.5, begin_ns=1_000_000_000)
    assert 2 <= len(heard) <= 3 and np.diff(heard).min() >= 40
    after = listen(ears, 2.0, left=0.01, begin_ns=2_000_000_000)
    assert after and after[-1] < 110, 'the last word may have been cut, and then it is over'


def test_two_seconds_are_kept_and_nothing_from_before_a_pause():
    ears = Overhearing()
    assert len(ears.cut_out()) == 0
    listen(ears, 3.0, left=0.5)
    assert len(ears.cut_out()) == 2 * RATE
    ears.forget()
    assert len(ears.cut_out()) == 0 and not ears.due
    listen(ears, 0.5, left=0.01, begin_ns=60_000_000_000)
    assert len(ears.cut_out()) == RATE // 2 and not ears.due
