"""The measurement of taught sounds, on made-up sounds whose embedding is their spectrum."""

import argparse
import json
from types import SimpleNamespace
from unittest import mock

import numpy as np
import pytest
import soundfile

from audio_interaction_ros.taught.fit import Recording
from eval import teach
from eval.taught_figures import (
    CASES,
    NEIGHBOUR,
    SHIPPED,
    SILENT,
    Judge,
    Negatives,
    Session,
    Trial,
    is_for_choosing,
    learners,
    summarise,
)

pytest.importorskip('scipy')
pytest.importorskip('rich')
pytestmark = pytest.mark.unit


def spectrum(samples):
    """Return embeddings [chunks, 40]: the shape of the spectrum of each chunk."""
    whole = np.pad(samples, (0, -len(samples) % 6400)).reshape(-1, 6400)
    bands = np.log(np.abs(np.fft.rfft(whole * np.hanning(6400)))[:, :3200].reshape(
        len(whole), 40, 80).mean(axis=2) + 1e-6)
    return (bands - bands.mean(axis=1, keepdims=True)).astype(np.float32)


def test_a_tone_is_told_from_noise_and_the_run_goes_on_from_what_it_kept(
        tmp_path, capsys):
    rng, rows = np.random.default_rng(0), []

    def add(name, samples, **fields):
        soundfile.write(tmp_path / name, samples, 16_000)
        rows.append({'path': name, 'seconds': len(samples) / 16_000, 'licence_group': 'unstated',
                     'source_id': fields.pop('source_id', name), **fields})
    for index in range(5):
        tone = 0.3 * np.sin(np.arange(16_000) * 1.0) + rng.standard_normal(16_000) * 1e-3
        add(f'bell{index}.wav', tone, label='doorbell', source_id='home/bell',
            session='protosound:home')
    for index in range(6):
        add(f'room{index}.wav', rng.standard_normal(16_000 * 40) * 0.05, label='background_room')
    add('talk.wav', rng.standard_normal(16_000 * 20) * 0.05, label='speech_read')
    for index in range(3):
        add(f'tap{index}.wav', np.pad(rng.standard_normal(3200) * 0.3, 800),
            label='keyboard_typing')
    (tmp_path / 'manifest.jsonl').write_text('\n'.join(map(json.dumps, rows)))
    parser = argparse.ArgumentParser()
    teach.add_arguments(parser)
    options = parser.parse_args(['--data', str(tmp_path), '--out', str(tmp_path / 'out')])
    assert teach.run(options, SimpleNamespace(hear=spectrum)) == 0
    figures = json.loads((tmp_path / 'out' / 'teach.json').read_text())['figures']
    side = 'choosing' if is_for_choosing('home/bell') else 'reported'
    shipped = figures[side][SHIPPED]
    assert shipped['recall']['20 dB']['value'] >= 0.8 and shipped['heads'] == 5
    assert list(shipped['by_session']) == ['home/bell']
    assert shipped['close']['n'] > 0, 'close single sounds are among the negatives'
    assert figures[side][SILENT]['recall']['all']['value'] == 0
    kept = sorted(path.name for path in (tmp_path / 'out').iterdir())
    assert kept == sorted([f'{name}.{ending}' for name in ('bg', 'close', 'pos', 'speech')
                           for ending in ('json', 'npy')] + ['teach.json'])
    assert teach.run(options, SimpleNamespace(hear=None)) == 0
    assert 'By session' in capsys.readouterr().out


def negatives(count):
    return Negatives(known=np.zeros((0, 4), np.float32),
                     later={'speech': np.zeros((count, 4), np.float32)})


def test_the_interval_of_a_rate_knows_that_all_heads_hear_the_same_hour():
    hour = negatives(9000)
    trials = [Trial(str(place), {case: [True] for case in CASES.values()}, {'speech': [1] * 5},
                    [], [1.0] * 5) for place in range(20)]
    rate = summarise(trials, hour)['false_alarms']['all']
    assert rate.value == pytest.approx(1.0)
    assert rate.low < 0.03 and rate.high > 5.5  # Garwood for one event in one hour, not in 100
    trials[0].alarms['speech'] = [200] * 5
    assert summarise(trials, hour)['false_alarms']['all'].high > 20, 'sounds differ'


def test_a_variant_is_chosen_on_other_sessions_than_those_that_are_reported():
    names = [f'user{place}' for place in range(40)]
    assert 10 < sum(map(is_for_choosing, names)) < 30
    good = Judge(lambda heard: heard[:, 0], 0.5)
    deaf = Judge(lambda heard: heard[:, 0], 9.0)
    loud = Judge(lambda heard: heard[:, 0] + 1, 0.5)
    session = [Session(name, 'bell', [None] * 4, [
        {case: np.ones((5, 4), np.float32) for case in CASES}] * 4) for name in names]
    ways = {SHIPPED: lambda _: deaf, '64 dimensions': lambda _: good,
            '256 dimensions': lambda _: loud, SILENT: lambda _: deaf}
    with mock.patch.object(teach, 'learners', lambda *_: ways):
        found = teach.measure_teaching(session, negatives(9000), rate=0.5)
    assert found['chosen'] == '64 dimensions'
    told = set(found['reported'][SHIPPED]['by_session'])
    assert told == {name for name in names if not is_for_choosing(name)}
    assert told.isdisjoint(found['choosing'][SHIPPED]['by_session'])


def test_the_nearest_neighbour_listens_to_yamnet_only_and_keeps_the_background_quiet():
    rng = np.random.default_rng(0)
    known, sound = rng.standard_normal((2, 4000, 1030)).astype(np.float32)
    judge = learners(known, 1.0)[NEIGHBOUR]([Recording(sounding=sound[:5], streams=[])])
    assert judge.count(known) <= 1
    other = sound.copy()
    other[:, :6] = 100.0
    assert judge.count(other[:5]) == 1
