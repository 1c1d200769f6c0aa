"""The benchmark's own arithmetic, and the long run: sizes and counts, never times."""

import json
import math
from pathlib import Path

import pytest

from audio_interaction_ros.alerts.rules import load_rules
from bench import hour, nodes, report, robot
from bench.measure import Figure, spread
from measure import machine

pytestmark = pytest.mark.unit

RULES = Path(__file__).parents[1] / 'config' / 'alerts.yaml'


def test_a_long_stream_keeps_nothing():
    rules = load_rules(RULES)
    short = hour.run_stream(chunks=300, rules=rules)
    long = hour.run_stream(chunks=900, rules=rules)
    assert long.positions > 3 * 256  # the ring went round several times
    assert short.used_slots <= 256 and long.used_slots <= 256
    assert short.queued == long.queued == 0
    assert len(long.chunk_ms) == 900
    assert long.replies > 2 * short.replies > 0
    assert long.alerts > short.alerts > 0


def test_a_spread_has_its_percentiles_and_refuses_nothing_measured():
    figure = spread('x', range(1, 102))
    assert (figure.value, figure.p95, figure.p99, figure.samples) == (51, 96, 100, 101)
    with pytest.raises(ValueError, match='x: expected at least one'):
        spread('x', [])


@pytest.mark.parametrize(('value', 'p95', 'goal', 'met'), [
    (1, None, None, None), (1, None, 1, True), (2, None, 1, False), (1, 3, 2, False)])
def test_a_goal_is_of_the_95th_percentile_where_there_is_one(value, p95, goal, met):
    assert Figure(what='x', unit='ms', value=value, p95=p95, goal=goal).met is met


def test_the_table_says_what_was_missed_and_the_json_reads_back(tmp_path):
    sections = {'part': [Figure(what='wait', unit='ms', value=300.0, goal=250),
                         Figure(what='memory', unit='MiB', value=math.nan)]}
    told = machine.describe()
    text = report.format_table(told, sections)
    assert '<= 250 MISSED' in text and told['processor'] in text
    path = report.write_json(tmp_path / 'out' / 'x.json', command='part', machine=told,
                             options={}, sections=sections, failures={'nodes': 'no ROS'})
    read = json.loads(path.read_text())
    assert read['results']['part'][0]['met'] is False
    assert read['results']['part'][1]['value'] is None
    assert read['failures'] == {'nodes': 'no ROS'}


def decision(lane, respond, latency_s, depth=0, age_s=0.2, **more):
    return json.dumps({'kind': 'decision', 'lane': lane, 'respond': respond, 'age_s': age_s,
                       'decision_latency_s': latency_s, 'queue_depth': depth, **more})


def test_stalls_are_late_decisions_of_listening_lanes_only():
    observed = nodes.Observations()
    for line in ('{"kind": "ready"}', decision('a', False, 0.1), decision('a', True, 0.2),
                 decision('b', False, 0.5, 3),  # a stall
                 decision('a', False, 0.9),  # follows a reply of the lane: resuming
                 decision('a', False, 0.1, age_s=1e9)):
        observed.take(line)
    for name, factor in (('encoder: model', '0.1'), ('decoder: model', '0.3'),
                         ('decoder: model', '0.0')):
        observed.take(json.dumps({'kind': 'diagnostics', 'name': name, 'message': '',
                                  'level': 0, 'values': {'real_time_factor': factor}}))
    found = {figure.what: figure for figure in nodes.sum_up(observed)}
    assert found['stalls'].value == 1 and not found['stalls'].met
    assert found['decision latency, listening'].samples == 4
    assert found['decision latency, resuming after a reply'].value == pytest.approx(900)
    assert found['deepest queue'].value == 3
    assert found['real-time factor, sum of medians'].value == pytest.approx(0.4)
    assert found['end to end, listening'].samples == 3  # one stamp is of another clock


def test_the_silence_behind_the_end_of_a_recording_makes_no_stall():
    observed = nodes.Observations()
    for line in (decision('a', False, 0.1, seq=14), decision('a', False, 1.3, seq=15)):
        observed.take(line)
    observed.leave_out_the_end(6.0)
    assert [one['seq'] for one in observed.decisions] == [14]


def told(**values):
    """Return a line of diagnostics of the queue, as the stimulus writes it."""
    values = {'offered': 0, 'consumed': 0, 'dropped_overflow': 0, 'lost_in_flight': 0,
              'pending': 0, 'in_flight': 0, **values}
    return json.dumps({'kind': 'diagnostics', 'name': '/soak/encoder_node: fifo', 'level': 1,
                       'message': '3 chunks dropped so far',
                       'values': {key: str(value) for key, value in values.items()}})


def test_a_soak_notices_one_chunk_that_nobody_counted():
    seen = robot.Sightings()
    seen.take(told(offered=9, consumed=4, dropped_overflow=2, lost_in_flight=1, pending=1,
                   in_flight=1))
    assert seen.unbalanced == [] and seen.words == {
        'encoder_node: fifo: chunks dropped so far': 1}
    seen.take(told(offered=9, consumed=4, dropped_overflow=2, pending=2))
    assert len(seen.unbalanced) == 1 and robot.count_unaccounted(seen.unbalanced[0]) == 1


def test_a_soak_notices_a_chunk_that_is_missing_on_the_wire():
    seen = robot.Sightings()
    for epoch, seq in ((7, 0), (7, 1), (7, 3), (8, 0), (7, 2)):
        seen.take(json.dumps({'kind': 'encoded', 'epoch': epoch, 'seq': seq}))
    assert seen.skipped == 1 and seen.published == {7: 4, 8: 1}
    for epoch, consumed in ((7, 2), (7, 4), (7, 3), (8, 1)):
        seen.take(json.dumps({'kind': 'credit', 'epoch': epoch, 'consumed': consumed,
                              'consumer': 'a'}))
    assert seen.progress == 5


def test_a_soak_adds_up_what_one_decoder_after_another_misses():
    seen = robot.Sightings()
    for missing in (0, 2, 2, 0, 3):  # the fourth is a decoder that was started again
        seen.take(json.dumps({'kind': 'diagnostics', 'name': '/soak/decoder_node: decode',
                              'level': 0, 'message': '', 'values': {'missing': str(missing)}}))
    assert seen.missing == 5
