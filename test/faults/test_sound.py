"""Sound that no microphone should bring, and clocks that no robot should have."""

import numpy as np
import pytest

pytestmark = pytest.mark.ros

HOUR_NS = 3600 * 10 ** 9
BLOCK_NS = 400_000_000
INPUT = 'encoder_node: audio input'


def stats(witness):
    return witness.encoder._model.pipeline.frontend.stats


def tell_blocks(witness, samples, *, times=4, rate=16000, stamps=None):
    """Publish blocks of 0.4 s and wait until all that can be complete is consumed."""
    before = witness.books().offered
    for index in range(times):
        witness.publish(samples, rate=rate, seq=index,
                        stamp_ns=stamps[index] if stamps else 10 ** 12 + index * BLOCK_NS)
    witness.robot.wait(lambda: witness.books().offered >= before + times - 1, 'it is encoded')


def test_six_channels_at_48_khz_are_heard(witness):
    witness.start()
    noise = np.random.default_rng(0).normal(0, 0.1, (19_200, 6)).astype(np.float32)
    tell_blocks(witness, noise, rate=48_000, times=5)
    assert witness.everything_accounted().dropped == 0
    assert witness.encoder._input._format == (48_000, 6)


@pytest.mark.parametrize(('name', 'samples', 'words'), [
    ('silence', np.zeros(6400, np.int16), 'right microphone'),
    ('full-scale noise', np.random.default_rng(0).choice(
        np.array([-32_768, 32_767], np.int16), 6400), 'clipping'),
    ('an offset', np.full(6400, 20_000, np.int16), 'constant offset'),
    ('not a number', np.full(6400, np.nan, np.float32), 'not finite')])
def test_sound_of_no_use_loses_nothing_and_is_counted(witness, name, samples, words):
    witness.start({'audio.silence_warning_s': 0.4})
    tell_blocks(witness, samples, times=5)
    sent = witness.everything_accounted()
    assert sent.offered >= 4 and sent.dropped == 0
    witness.robot.wait(lambda: witness.says(INPUT, words), f'{name} is named')
    key = {'full-scale noise': 'clipped_samples', 'an offset': 'dc_offset',
           'not a number': 'nonfinite_samples', 'silence': 'silent_chunks'}[name]
    witness.robot.wait(lambda: abs(float(witness.value(INPUT, key) or 0)) > 0.1, f'{key} counts')
    witness.hears_on()


@pytest.mark.parametrize('jump_ns', [HOUR_NS, -HOUR_NS])
def test_a_clock_that_jumps_an_hour_costs_no_audio(witness, jump_ns):
    witness.start()
    noise = np.random.default_rng(0).normal(0, 3000, 6400).astype(np.int16)
    stamps = [10 ** 13 + i * BLOCK_NS + (jump_ns if i >= 4 else 0) for i in range(16)]
    tell_blocks(witness, noise, times=16, stamps=stamps)
    sent = witness.everything_accounted()
    assert sent.offered <= 20 and sent.dropped == 0
    counts = stats(witness)
    assert (counts.forward_stamps, counts.backwards_stamps) == (jump_ns > 0, jump_ns < 0)
    assert counts.lost_samples == 0
    witness.robot.wait(lambda: witness.says(INPUT, 'stamps jumped'), 'named')
    witness.hears_on()


def test_blocks_that_are_too_long_are_named_and_what_they_cost_is_counted(witness):
    witness.start()
    noise = np.random.default_rng(0).normal(0, 3000, 320_000).astype(np.int16)  # 50 chunks
    witness.publish(noise)
    witness.robot.wait(lambda: witness.books().offered >= 49, 'it is encoded')
    witness.robot.wait(lambda: witness.says(INPUT, 'blocks of 20.0 s'), 'named')
    assert witness.everything_accounted().dropped > 0
    witness.hears_on()
    witness.robot.wait(lambda: not witness.says(INPUT, 'blocks of'), 'over')
