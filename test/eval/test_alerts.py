"""The command of alerts, with a model that replies to what is loud."""

import argparse
import json

import pytest

from eval import alerts

pytestmark = pytest.mark.unit


def options_of(folder, out, *words):
    parser = argparse.ArgumentParser()
    alerts.add_arguments(parser)
    return parser.parse_args(['--data', str(folder), '--out', str(out), '--evidence', 'model',
                              *words])


def test_a_gate_withholds_what_the_model_doubts(parts, tmp_path, capsys):
    folder = parts.small_folder(tmp_path / 'data')
    found = {}
    for bar in ('-1', '0.999'):
        options = options_of(folder, tmp_path / bar, '--hours', '0.01', '--snr', 'dry',
                             '--min-confidence', bar)
        assert alerts.run(options, parts.loud_runtime()) == 0
        found[bar] = json.loads((tmp_path / bar / 'alerts.json').read_text())['figures']
    assert 'confidence 1.00' in capsys.readouterr().out
    assert [found[bar]['min_confidence'] for bar in found] == [0.0, 0.999]
    assert [found[bar]['model']['recall']['any']['value'] for bar in found] == [1.0, 0.0]
    assert found['0.999']['trade_off']['test'][0]['recall']['value'] == 0.0


def test_the_whole_command_and_again_from_the_cache(parts, tmp_path, capsys):
    folder, out = parts.small_folder(tmp_path / 'data'), tmp_path / 'out'
    options = options_of(folder, out, '--hours', '0.01', '--snr', 'dry', '--pick', '1')
    assert alerts.run(options, parts.loud_runtime()) == 0
    assert '7 hearings now' in capsys.readouterr().out  # a background, three events twice
    found = json.loads((out / 'alerts.json').read_text())['figures']
    recall = found['model']['recall']
    assert recall['any']['value'] == 1.0 and recall['named']['value'] == pytest.approx(2 / 3)
    assert found['model']['background']['false_alarms'] == 0
    assert found['always_silent']['recall']['any']['value'] == 0.0
    assert 'siren' in found['classes_without_recordings']
    assert found['sides']['test']['recall']['events'] == 3
    assert found['picked']['threshold'] is None  # nothing is held out of a trained group
    assert [point['recall']['value'] for point in found['trade_off']['test']][:2] == [1.0, 1.0]
    for name in ('reliability', 'tradeoff', 'recall'):
        assert (out / f'{name}.png').stat().st_size > 5_000
    assert alerts.run(options, parts.loud_runtime()) == 0
    assert '\nwritten' in (said := capsys.readouterr().out) and '(0 hearings now' in said
    options.threshold, options.beside = 0.99, tmp_path / 'earlier.json'
    options.beside.write_text((out / 'alerts.json').read_text())
    assert alerts.run(options, parts.loud_runtime()) == 0
    said = capsys.readouterr().out
    assert '(0 hearings now' in said and said.count('beside: scripted') == 2  # p never is so high
    found = json.loads((out / 'alerts.json').read_text())['figures']
    assert found['model']['recall']['any']['value'] == 0.0
