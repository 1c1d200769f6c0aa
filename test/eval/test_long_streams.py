"""Long streams: what is found first and lost last, heard by a model that replies to all loud."""

import argparse
import json

import pytest

from eval import long_streams
from eval.alert_figures.outcome import StreamOutcome
from eval.matching import ExpectedEvent, GivenReply

pytestmark = pytest.mark.unit


def test_a_long_stream_is_compared_with_its_own_beginning(parts, tmp_path):
    folder, out = parts.small_folder(tmp_path / 'data'), tmp_path / 'out'
    parser = argparse.ArgumentParser()
    long_streams.add_arguments(parser)
    options = parser.parse_args([
        '--data', str(folder), '--out', str(out), '--evidence', 'model', '--minutes', '1',
        '--compare', '0.4', '--every', '8', '--count', '1', '--snr', '30'])
    assert long_streams.run(options, parts.loud_runtime()) == 0
    found = json.loads((out / 'long.json').read_text())['figures']
    assert found['pairs'] > 0 and found['recall_first']['value'] > 0
    assert (out / 'long.png').stat().st_size > 5_000


def test_what_is_lost_in_the_last_part_is_counted():
    events = tuple(ExpectedEvent(label='x', start=s, end=s + 1) for s in (10.0, 40.0, 70.0, 100.0))
    one = StreamOutcome(name='x', kind='event', seconds=120.0, events=events, replies=tuple(
        GivenReply(at=at, urgent=True) for at in (10.4, 40.4, 70.4, 60.0)))
    found = long_streams.figures([one], minutes=2.0, compare_min=1.0)
    assert (found['recall_first'].value, found['recall_last'].value) == (1.0, 0.5)
    assert found['last_over_first'].value == 0.5
    assert (found['found_first_lost_last'], found['found_last_only']) == (1, 0)
    assert found['false_alarms_per_hour'].value == 30.0
