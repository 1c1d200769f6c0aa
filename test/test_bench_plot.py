"""Cost of the parts and of late chunks, and the pictures of what was measured."""

import json
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from audio_interaction_ros.config import AssistantConfig, LaneConfig
from audio_interaction_ros.errors import ConfigurationError
from audio_interaction_ros.protocol import CHUNK_SAMPLES, Emotion
from audio_interaction_ros.runtimes.base import Runtime
from audio_interaction_ros.runtimes.scripted import (
    ScriptedDecoder,
    ScriptedEncoder,
    ScriptedTokenizer,
)
from bench import constant, hour, parts, plot, report
from bench.__main__ import main as bench
from bench.measure import Figure, spread

pytestmark = pytest.mark.unit

MACHINE = {'processor': 'any', 'cores': '2'}


def runtime():
    ears = ScriptedEncoder(sounds={2: {'bell': 0.5}})
    return Runtime(encoder=ears, sounds=ears.head, tokenizer=ScriptedTokenizer(),
                   config=SimpleNamespace(lanes={}),
                   decoder=ScriptedDecoder(script={0: {3: (Emotion.NORMAL, 'Good morning.')}},
                                           max_positions=256))


def test_parts_are_told_apart_and_a_reply_is_of_its_chunk():
    config = AssistantConfig(lanes=(LaneConfig(name='assistant', prompt='a', threshold=0.5),))
    seen = parts.watch(runtime(), config, np.zeros(7 * CHUNK_SAMPLES, np.float32), None)
    assert len(seen.chunks) == 6 and [number for number, mine in enumerate(seen.chunks)
                                     if 'reply passes' in mine] == [3]
    assert all(mine['listening passes'] > 0 for mine in seen.chunks)
    figures = {figure.what: figure for figure in parts.figures(seen, 'silence')}
    assert set(figures) <= {'all parts', *parts.PARTS}
    assert figures['sound head'].samples == 6
    assert figures['all parts'].series[1][0] == pytest.approx(0.8)
    whole = sum(value for _, value in figures['all parts'].series)
    assert whole == pytest.approx(sum(value for name, figure in figures.items()
                                      if name != 'all parts' for _, value in figure.series))


@pytest.mark.parametrize('chunk', [1, 10, 31, 32, 10_000])
def test_a_late_chunk_sees_a_ring_that_is_full_but_for_its_own_places(chunk):
    spec = ScriptedDecoder(script={}).spec
    step = constant.listening_at(spec, 0, 256, chunk)
    count = len(step.ids)
    room = (256 - 40) // count
    assert step.positions[0] == 40 + (chunk - 1) * count
    assert step.slots.min() >= 40 and step.slots.max() < 256
    assert not step.visible[step.slots].any()
    assert step.visible.sum() == 40 + min(chunk - 1, room - (chunk > room)) * count


def test_the_cost_of_a_late_chunk_is_held_against_that_of_an_early_one():
    figures = constant.run(runtime(), repeat=4, slots=256)
    assert [figure.what for figure in figures][-1] == 'chunk 10000 / chunk 10'
    assert figures[-1].goal == 1.05 and figures[-1].value > 0


def written(path, sections):
    return report.write_json(path, command='x', machine=MACHINE, options={'runtime': 'onnx'},
                             sections=sections, failures={})


def over_time(what, unit='ms'):
    values = [float(10 + number % 7) for number in range(60)]
    return spread(what, values, unit=unit, series=[
        (0.4 * number, value) for number, value in enumerate(values)])


def test_pictures_are_made_of_the_json_alone(tmp_path, capsys):
    pytest.importorskip('matplotlib')
    sections = {'nodes': [over_time('decision latency, all')],
                'hour': [over_time('cost of a chunk')],
                'parts': [over_time(part) for part in ('all parts', *parts.PARTS[1:4])]}
    file = written(tmp_path / 'x.json', sections)
    assert plot.main([str(file), '--out', str(tmp_path / 'png')]) == 0
    told = capsys.readouterr().out.split()
    assert sorted(Path(name).name for name in told) == [
        'bench_hour.png', 'bench_nodes.png', 'bench_parts.png']
    assert all(Path(name).read_bytes().startswith(b'\x89PNG') for name in told)


@pytest.mark.parametrize('text', ['no json', '{}', '{"machine": {}, "results": []}'])
def test_a_file_of_another_kind_is_refused(tmp_path, text):
    (tmp_path / 'x.json').write_text(text)
    with pytest.raises(ConfigurationError, match='expected what python -m bench wrote'):
        plot.draw(tmp_path / 'x.json', tmp_path)


def test_figures_of_before_there_were_values_over_time_are_refused(tmp_path, monkeypatch, capsys):
    file = written(tmp_path / 'x.json', {'nodes': [Figure(what='stalls', unit='', value=0)]})
    monkeypatch.setattr(sys, 'argv', ['bench', 'plot', str(file)])
    assert bench() == 2
    assert 'expected values over time, found none' in capsys.readouterr().err


def test_the_hour_keeps_the_cost_of_its_chunks():
    rules = Path(__file__).parents[1] / 'config' / 'alerts.yaml'
    figures = {figure.what: figure for figure in hour.run(rules_path=str(rules), chunks=200)}
    assert [at for at, _ in figures['cost of a chunk'].series] == [0.0, 20.0, 40.0, 60.0]
    assert json.loads(json.dumps(figures['cost of a chunk'].as_json()))['series'][1][0] == 20.0
