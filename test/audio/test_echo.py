"""The robot's own voice taken out: places, counts, references that are late, lost or none."""

import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audio_interaction_ros.assembly import make_echo_processor
from audio_interaction_ros.audio.block import AudioBlock
from audio_interaction_ros.audio.echo import FRAME, EchoCanceller
from audio_interaction_ros.audio.echo_reference import EchoReference
from audio_interaction_ros.audio.frontend import FrontEnd
from audio_interaction_ros.errors import MissingDependencyError

pytestmark = pytest.mark.unit

BEGIN_NS = 1_000_000_000_000
NS = 62_500  # of a sample


class Subtract:
    """A canceller for an echo as loud as what was played, and as late as ``lead``."""

    delay = 128

    def __init__(self):
        self.late = np.zeros(self.delay, np.float32)
        self.frames = 0

    def process(self, heard, played):
        self.frames += 1
        out = np.concatenate([self.late, heard - played])
        self.late = out[FRAME:]
        return out[:FRAME]


def block(samples, at, *, seq=None, rate=16_000):
    return AudioBlock(samples=samples, sample_rate_hz=rate, stamp_ns=BEGIN_NS + at * NS, seq=seq)


def noise(count, seed=0, level=0.1):
    return np.random.default_rng(seed).normal(0, level, count).astype(np.float32)


def canceller(**options):
    return EchoCanceller(Subtract(), **{'lead_s': 0.0, 'tail_s': 0.0, **options})


def hear(ears, samples, *, cuts=()):
    heard, position = [], 0
    for cut in [*sorted(cuts), len(samples)]:
        piece = samples[position:cut]
        heard.append(ears.push(piece, BEGIN_NS + position * NS))
        position = cut
    return np.concatenate([*heard, ears.flush()])


@settings(max_examples=30, deadline=None)
@given(cuts=st.lists(st.integers(0, 16_000), max_size=12), begin=st.integers(0, 9000),
       length=st.integers(1, 5000), odd=st.integers(0, 200))
def test_as_many_samples_come_out_in_their_places_however_they_are_cut(cuts, begin, length, odd):
    ears, room, voice = canceller(), noise(16_000 + odd), noise(length, 1)
    played = np.zeros(len(room), np.float32)
    played[begin:begin + length] = voice
    ears.reference.push(block(voice, begin))
    ears.reference.finish()
    out = hear(ears, room + played, cuts=cuts)
    assert out.shape == room.shape
    assert np.allclose(out, room, atol=1e-6), 'what was played is gone, all else is there'
    assert ears.pending == 0


def test_without_a_reference_audio_passes_bit_for_bit():
    ears, room = canceller(), noise(8000)
    assert np.array_equal(hear(ears, room, cuts=[100, 5000]), room)
    assert ears._processor.frames == 0 and ears.cancelled == ears.uncovered == 0


def test_audio_waits_for_its_reference_and_no_longer_than_it_must():
    ears, room = canceller(hold_s=0.2), noise(8000)
    ears.speaking = True
    voice = noise(1600, 1)
    assert len(ears.push(room[:1600] + voice, BEGIN_NS)) == 0, 'it may still come'
    ears.reference.push(block(voice, 0, seq=0))
    out = ears.push(room[1600:1760], BEGIN_NS + 1600 * NS)
    assert np.allclose(out, room[:len(out)], atol=1e-6) and len(out) == 1600 - 128
    assert not ears.was_uncovered(BEGIN_NS, BEGIN_NS + 1600 * NS)
    out = ears.push(room[1760:6400], BEGIN_NS + 1760 * NS)
    assert len(out) == 6400 - 3200 + 160 - 128 - 1472, 'but for the newest 0.2 s'
    assert ears.was_uncovered(BEGIN_NS + 1600 * NS, BEGIN_NS + 2000 * NS) and ears.uncovered
    ears.speaking = False
    ears.push(room[6400:], BEGIN_NS + 6400 * NS)
    assert ears.pending <= 128 + FRAME, 'nothing to wait for'


def test_a_block_that_is_lost_is_known_to_be():
    ears = canceller()
    ears.speaking = True
    ears.reference.push(block(noise(1600), 0, seq=4))
    ears.reference.push(block(noise(1600), 3200, seq=6))
    ears.push(noise(4000), BEGIN_NS)
    assert ears.reference.lost == 1
    assert not ears.was_uncovered(BEGIN_NS, BEGIN_NS + 1600 * NS)
    assert ears.was_uncovered(BEGIN_NS + 2000 * NS, BEGIN_NS + 2100 * NS)
    assert not ears.was_uncovered(BEGIN_NS + 3300 * NS, BEGIN_NS + 4000 * NS)


def test_a_reference_of_another_rate_lies_where_its_stamps_say():
    reference = EchoReference()
    tone = np.sin(2 * np.pi * 440 * np.arange(24_000) / 24_000).astype(np.float32)
    for number in range(50):  # jitter of the stamps moves nothing
        jitter = (number % 3 - 1) * 5_000_000 // NS
        reference.push(AudioBlock(samples=tone[number * 480:(number + 1) * 480], seq=number,
                                  sample_rate_hz=24_000,
                                  stamp_ns=BEGIN_NS + number * 20_000_000 + jitter * NS * (
                                      number > 0)))
    reference.finish()
    piece = reference.take(BEGIN_NS + 8000 * NS, 160)
    expected = np.sin(2 * np.pi * 440 * (8000 + np.arange(160)) / 16_000)
    assert piece.heard and piece.whole and np.allclose(piece.samples, expected, atol=0.02)
    assert reference.end_ns == pytest.approx(BEGIN_NS + 1_000_000_000, abs=NS * 2)
    assert not reference.take(BEGIN_NS - 1_000_000_000, 160).heard


def test_a_pause_in_what_is_played_is_silence_and_old_audio_is_forgotten():
    reference = EchoReference()
    reference.push(block(noise(1600), 0, seq=0))
    reference.push(block(noise(1600), 48_000, seq=1))
    assert reference.lost == 0
    middle = reference.take(BEGIN_NS + 20_000 * NS, 160)
    assert middle.whole and not middle.heard
    for number in range(200):
        reference.push(block(noise(1600), 49_600 + number * 1600, seq=2 + number))
    assert not reference.take(BEGIN_NS, 160).heard, 'ten seconds are kept'
    kept = sum(len(part) for run in reference._runs for part in run.samples)
    assert kept <= 11 * 16_000
    newest = reference.take(BEGIN_NS + (49_600 + 199 * 1600) * NS, 1600)
    assert np.array_equal(newest.samples, noise(1600))


@pytest.mark.parametrize('rate', [16_000, 48_000])
def test_the_front_end_gives_the_same_chunks_at_the_same_times(rate):
    def listen(ears, size):
        front = FrontEnd(canceller=ears)
        sound, chunks = noise(rate * 3, level=0.05), []
        for at in range(0, len(sound), size):
            if not rate * 1.2 < at < rate * 2.2:  # a second is missing
                chunks += front.push(AudioBlock(
                    samples=sound[at:at + size], sample_rate_hz=rate,
                    stamp_ns=BEGIN_NS + at * 1_000_000_000 // rate))
        return chunks + front.flush(0.4)
    plain = listen(None, rate // 50)
    for size in (rate // 50, rate // 10):
        ears = canceller()
        ears.reference.push(block(np.zeros(160, np.float32), 0))
        other = listen(ears, size)
        assert [chunk.stamp_ns for chunk in other] == [chunk.stamp_ns for chunk in listen(
            None, size)]
        if size == rate // 50:
            for one, two in zip(plain, other, strict=True):
                assert np.array_equal(one.samples, two.samples)
                assert one.lost_samples_before == two.lost_samples_before


@pytest.mark.parametrize(('name', 'package', 'least_db'), [
    ('webrtc', 'livekit.rtc', 20), ('speex', 'pyaec', 10)])
def test_a_library_takes_an_echo_out_and_leaves_the_rest(name, package, least_db):
    pytest.importorskip(package, reason=f'{package} is not installed')
    length = 48_000
    bursts = np.repeat(np.random.default_rng(0).uniform(0, 1, 30) > 0.4, 1600)  # as syllables
    bursts[34_000:] = False  # a pause, in which somebody else is heard
    played = (noise(length, 1, 0.2) * bursts).astype(np.float32)
    path = np.zeros(900, np.float32)
    path[480], path[500:900] = 0.5, noise(400, 2, 0.02) * np.exp(-np.arange(400) / 100)
    echo = np.convolve(played, path)[:length].astype(np.float32)
    near = np.zeros(length, np.float32)
    near[36_000:42_000] = 0.2 * np.sin(2 * np.pi * 3000 * np.arange(6000) / 16_000)

    def cancel(cuts):
        ears = EchoCanceller(make_echo_processor(name), lead_s=0.02)
        ears.reference.push(block(played, 0))
        ears.reference.finish()
        return hear(ears, echo + near, cuts=cuts)
    out = cancel([5000, 40_000])
    assert np.array_equal(out, cancel(range(700, length, 700))), 'however it is cut'
    quiet = slice(24_000, 34_000)
    assert np.mean(out[quiet] ** 2) < np.mean(echo[quiet] ** 2) / 10 ** (least_db / 10)
    assert np.mean(out[38_000:41_000] ** 2) > 0.25 * np.mean(near[38_000:41_000] ** 2)


@pytest.mark.parametrize('name', ['webrtc', 'speex'])
def test_a_library_that_is_missing_is_named_with_what_to_do(name, monkeypatch):
    for module in ('livekit', 'pyaec'):
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingDependencyError, match='pip install'):
        make_echo_processor(name)
