"""Latency on one clock, against cases worked out by hand; never a time of this machine."""

import dataclasses
import json

import numpy as np
import pytest

from audio_interaction_ros.config import FifoConfig, LaneConfig
from audio_interaction_ros.errors import ConfigurationError
from audio_interaction_ros.protocol import ChunkSize
from bench import latency, simulate
from bench.costs import Device, FixedCosts, MeasuredCosts, Roofline, read_costs, told_costs
from bench.lateness import figures_of, judge, stall_share
from bench.timeline import Pass

pytestmark = pytest.mark.unit

AHEAD = 0.0025
"""The mel of a chunk is there 2.5 ms after it."""
LANES = ('transcript', 'assistant')
SILENT = {lane: [] for lane in LANES}


def timeline(costs, story=SILENT, *, queue=True, chunks=40, seconds=0.4, whole=(),
             **fifo):
    return simulate.simulate(simulate.Story(story, whole), costs, chunks=chunks,
                             size=ChunkSize.of_seconds(seconds), queue=queue,
                             fifo=FifoConfig(**fifo))


def latencies(seen, lane='assistant'):
    """Return seconds from the end of each chunk to the decision of a lane that covers it."""
    return [at - (event.seq + 1) * seen.chunk_s for at, event in seen.events
            if event.lane == lane and hasattr(event, 'p_respond')
            and not hasattr(event, 'reason')]


@pytest.mark.parametrize('queue', [True, False])
@pytest.mark.parametrize('seconds', [0.2, 0.4, 0.8])
def test_where_nothing_waits_a_decision_takes_both_steps(queue, seconds):
    seen = timeline(FixedCosts(chunk=0.05, listen=0.1, token=0.02), queue=queue, seconds=seconds)
    # The first pass of a lane is its prompt's, which costs as a token does.
    assert latencies(seen)[1:] == pytest.approx([0.15 + AHEAD] * 39)
    assert not any(stalled for _, stalled in judge(seen, 40).idle)


def test_without_a_queue_both_steps_must_fit_one_chunk_and_what_is_over_adds_up():
    costs = FixedCosts(chunk=0.2, listen=0.3, token=0.0)
    waits = latencies(timeline(costs, queue=False))
    assert waits == pytest.approx([0.5 + AHEAD + 0.1 * place for place in range(40)])  # D/D/1
    beside = latencies(timeline(costs, queue=True))
    assert beside == pytest.approx([0.5 + AHEAD] * 40)  # each of them fits


def test_a_slow_decoder_reads_what_waits_at_once_so_that_its_queue_stays_short():
    seen = timeline(FixedCosts(chunk=0.0, listen=0.7, token=0.0))
    assert max(latencies(seen)) < 0.7 + 0.7 + AHEAD and seen.dropped == 0
    assert max(work.chunks for work, _ in seen.passes) == 4  # two lanes, two chunks


def test_while_a_reply_is_written_the_encoder_waits_only_without_a_queue():
    costs = FixedCosts(chunk=0.05, listen=0.1, token=0.05)
    story = {'transcript': [], 'assistant': [(5, 40)]}
    alone, beside = (judge(timeline(costs, story, queue=queue), 40) for queue in (False, True))
    # The transcript lane listens all the while; 2 s of writing hold up five chunks and more.
    assert sum(stalled for _, stalled in alone.idle) >= 5
    assert not any(stalled for _, stalled in beside.idle)
    assert stall_share(alone).value > stall_share(beside).value == 0.0
    # The decision, a tone and the first letter follow each other.
    assert alone.first_text == pytest.approx([0.05 + 0.1 + 2 * 0.05 + AHEAD])
    assert len(alone.resuming) == len(beside.resuming) == 1
    assert beside.resuming[0] < alone.resuming[0]


def test_a_simulated_stream_says_what_the_story_says():
    story = {'transcript': [(3, 7), (20, 3)], 'assistant': [(7, 62)]}
    seen = timeline(FixedCosts(chunk=0.01, listen=0.02, token=0.001), story)
    lanes = [LaneConfig(name=name) for name in LANES]
    assert latency.told_story(seen, lanes) == {'replies': story, 'whole': []}


def test_a_reply_that_comes_whole_has_its_first_text_at_its_end():
    costs, story = FixedCosts(chunk=0.05, listen=0.1, token=0.01), {'assistant': [(5, 22)]}
    grows, whole = (judge(timeline(costs, story, whole=lanes), 40) for lanes in ((), LANES))
    assert grows.first_text == pytest.approx([0.15 + 2 * 0.01 + AHEAD])
    assert whole.first_text == pytest.approx([0.15 + 22 * 0.01 + AHEAD])


def test_what_a_small_queue_drops_is_counted_and_has_no_decision():
    story = {'transcript': [], 'assistant': [(2, 82)]}
    seen = timeline(FixedCosts(chunk=0.01, listen=0.02, token=0.05), story, capacity=3)
    late = judge(seen, 40)
    assert seen.dropped > 0 and late.unheard == 0  # a later decision covers what went missing
    told = {figure.what: figure for figure in figures_of(seen)}
    assert told['deepest queue'].value == 3 and f'{seen.dropped} dropped' in told[
        'deepest queue'].note


@pytest.mark.parametrize(('drain', 'chunks'), [('A_prime', 4), ('C', 1)])
def test_the_layout_of_a_backlog_says_how_much_is_read_at_once(drain, chunks):
    story = {'assistant': [(2, 32)]}
    seen = timeline(FixedCosts(chunk=0.01, listen=0.02, token=0.05), story, drain=drain)
    assert max(work.chunks for work, _ in seen.passes) == chunks


def test_costs_are_drawn_from_passes_of_the_kind_or_from_the_line_through_all():
    passes = [(Pass(3, 0), 0.1)] * 9 + [(Pass(0, 1), 0.02)] * 9 + [(Pass(6, 0), 0.19)]
    costs = MeasuredCosts([0.03] * 4, passes)
    assert (costs.encode(), costs.decode(Pass(3, 0)), costs.decode(Pass(0, 1))) == (
        0.03, 0.1, 0.02)
    assert costs.decode(Pass(9, 0)) == pytest.approx(0.28, rel=0.05)
    with pytest.raises(ConfigurationError, match='expected seconds of chunks and passes'):
        MeasuredCosts([], passes)


def test_told_costs_are_read_back_and_can_be_slower(tmp_path):
    told = json.loads(json.dumps(told_costs(timeline(
        FixedCosts(chunk=0.01, listen=0.02, token=0.005)))))
    costs = read_costs(told, tmp_path, slower=3.0)
    assert costs.encode() == pytest.approx(0.03) and costs.decode(Pass(2, 0)) == pytest.approx(
        0.06)
    for wrong in ({}, {**told, 'passes': [[1]]}, []):
        with pytest.raises(ConfigurationError, match='expected costs that python -m bench'):
            read_costs(wrong, tmp_path)


def test_a_roofline_reads_the_weights_once_and_the_head_only_to_write():
    device = Device(name='d', gb_per_s=100, tflops=1e6, pass_ms=0, memory_gb=8)
    costs = Roofline(device=device, config=simulate.shape_of('3b'), weight_bits=4, slots=0,
                     reach=(1.0, 1.0))
    listening, writing = costs.decode(Pass(3, 0)), costs.decode(Pass(0, 1))
    assert listening == pytest.approx(0.0139, rel=0.01)  # 2.77 G weights of half a byte
    assert writing - listening == pytest.approx(2 * 151_936 * 2_048 / 100e9)
    assert dataclasses.replace(costs, weight_bits=16).memory_gb > 6 > costs.memory_gb
    slow = dataclasses.replace(costs, device=dataclasses.replace(device, tflops=1.0))
    assert slow.decode(Pass(6, 0)) == pytest.approx(2 * slow.decode(Pass(3, 0)))


def test_what_does_not_fit_a_device_is_said_and_not_simulated():
    rows = simulate.table_of_devices(simulate.Story(SILENT), chunks=4, fifo=FifoConfig(),
                                     devices=simulate.DEVICES[:1])
    assert [row[1:4] for row in rows][2][:2] == ('3B, 16 bit', '') and 'needs' in rows[2][3]
    assert [len(row) for row in rows] == [len(simulate.HEADS)] * 5


def test_a_run_is_measured_written_drawn_and_simulated(tmp_path, capsys):
    file, picture = tmp_path / 'run.json', tmp_path / 'pictures' / 'run.png'
    assert latency.main(['--model', 'scripted', '--seconds', '8', '--chunk', '0.8', '--output',
                         str(file), '--png', str(picture)]) == 0
    assert picture.stat().st_size > 1000
    told = json.loads(file.read_text())
    assert list(told['results']) == list(latency.QUEUES)
    assert told['costs']['chunk_s'] == 0.8 and told['costs']['chunks'] == 9
    assert simulate.main([str(file), '--slower', '2']) == 0
    assert '| without the queue | stalls | 0 |' in capsys.readouterr().out
    file.write_text('{}')
    with pytest.raises(ConfigurationError, match='expected what python -m bench latency wrote'):
        simulate.main([str(file)])


def test_a_model_is_not_asked_for_other_chunks_than_it_learnt():
    with pytest.raises(ConfigurationError, match=r'edge was trained on chunks of 0.4 s and hears '
                                                 r'no other, got 0.2 s'):
        latency.check_chunk('edge', ChunkSize(), ChunkSize.of_seconds(0.2))


def test_intervals_are_over_pieces_of_the_stream():
    seen = timeline(FixedCosts(chunk=0.2, listen=0.3, token=0.0), queue=False, chunks=100)
    share = stall_share(judge(seen, 100))
    assert share.n == 5 and share.value == 1.0  # four pieces of ten seconds and the end of one
    assert np.isfinite(share.low)
