"""The measurement of taught sounds, on made-up sounds whose embedding is their spectrum."""

import argparse
import json
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile

from eval import teach

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
        tmp_path, monkeypatch, capsys):
    rng, rows = np.random.default_rng(0), []

    def add(name, samples, **fields):
        soundfile.write(tmp_path / name, samples, 16_000)
        rows.append({'path': name, 'seconds': len(samples) / 16_000, 'licence_group': 'free',
                     'source_id': fields.pop('source_id', name), **fields})
    for index in range(5):
        tone = 0.3 * np.sin(np.arange(16_000) * 1.0) + rng.standard_normal(16_000) * 1e-3
        add(f'bell{index}.wav', tone, label='doorbell', source_id='home/bell',
            session='protosound:home')
    for index in range(6):
        add(f'room{index}.wav', rng.standard_normal(16_000 * 40) * 0.05, label='background_room')
    add('talk.wav', rng.standard_normal(16_000 * 20) * 0.05, label='speech_read')
    (tmp_path / 'manifest.jsonl').write_text('\n'.join(map(json.dumps, rows)))
    monkeypatch.setattr(teach, 'make_embedder', lambda *_: spectrum)
    monkeypatch.setattr(teach.report, 'load_model', lambda _: SimpleNamespace(
        encoder=SimpleNamespace(spec=SimpleNamespace(model_id='m'))))
    parser = argparse.ArgumentParser()
    teach.add_arguments(parser)
    options = parser.parse_args(['--data', str(tmp_path), '--out', str(tmp_path / 'out')])
    assert teach.run(options) == 0
    figures = json.loads((tmp_path / 'out' / 'teach.json').read_text())['figures']
    assert figures['heard']['20 dB']['recall']['value'] >= 0.8
    assert (figures['heads'], list(figures['sessions'])) == (5, ['home/bell'])
    kept = sorted(path.name for path in (tmp_path / 'out').iterdir())
    assert kept == ['bg.json', 'bg.npy', 'pos.json', 'pos.npy', 'speech.json', 'speech.npy',
                    'teach.json']
    monkeypatch.setattr(teach, 'make_embedder', lambda *_: None)
    assert teach.run(options) == 0
    assert 'by session' in capsys.readouterr().out
