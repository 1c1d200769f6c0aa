"""What a model makes of a stream is kept, with both passes of a translation, whoever hears it."""

import importlib
from pathlib import Path

import pytest

from audio_interaction_ros.config import LaneConfig
from eval.hearing.listener import Listener
from eval.replies.listener import make_lanes
from eval.worker_pool import WorkerPool

pytestmark = pytest.mark.unit

LANES = (LaneConfig(name='translation', kind='translation', prompt='Translate.', threshold=0.5,
                    max_reply_tokens=24),)


@pytest.fixture
def models(monkeypatch):
    """Return models_for_crew by the name under which other processes find it."""
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    return importlib.import_module('models_for_pool')


def streams(parts):
    return [(f's{i}', parts.hiss(1.0 + 1.3 * i, level=0.02 * (1 + i), seed=i)) for i in range(4)]


def decided(heard):
    return {place: [(reply.at, reply.text, reply.final, reply.read, reply.kept)
                    for reply in one.replies] for place, one in heard}


def test_a_cache_is_of_one_model_and_survives_a_line_cut_off(parts, tmp_path):
    cache = tmp_path / 'hearings.jsonl'
    first = Listener(parts.loud_runtime(), make_lanes()[:1], cache=cache)
    before = first.hear('x', parts.tone(2.0))
    cache.write_text(cache.read_text() + '{"key": "cut')
    same = Listener(parts.loud_runtime(), make_lanes()[:1], cache=cache)
    assert same.hear('x', parts.tone(2.0)) == before and same.fresh == 0
    for fresh in (1, 0):
        other = Listener(parts.loud_runtime(), make_lanes(0.99)[:1], cache=cache)
        assert other.hear('x',
                          parts.tone(2.0)).replies_of('assistant') == [] and other.fresh == fresh


def test_a_lane_that_traces_never_replies_and_has_one_p_per_chunk(parts, tmp_path):
    lane, trace = (Listener(parts.loud_runtime(), (one,), cache=tmp_path / 'h').hear(
        'x', parts.tone(2.0)) for one in make_lanes())
    assert lane.replies_of('assistant')[0].at == pytest.approx(0.4) and not trace.replies
    assert len(trace.p['assistant_trace']) == 8 == len(lane.p['assistant'])
    assert trace.p['assistant_trace'][0] > 0.5 > trace.p['assistant_trace'][1]
    assert [one[:3] for one in trace.muttered] == [(0, True, 'Smoke alarm.')]
    assert 0.98 < trace.muttered[0][3] < 0.99


@pytest.mark.parametrize(('to_english', 'end'), [('whisper', 'of Whisper'), ('model', 'samples')])
def test_two_processes_make_finals_as_one_does(parts, models, tmp_path, to_english, end):
    options = {'translator': models.Reader, 'to_english': to_english}
    alone = Listener(models.translating(), LANES, cache=tmp_path / 'a', **options)
    expected = decided(alone.hear_all(streams(parts)))
    replies = [reply for one in expected.values() for reply in one]
    again = [reply for reply in replies if reply[3]]  # others are to the padding of the end
    assert len(again) > 2
    assert all(final == f'{read} {end}' and not kept for _, _, final, read, kept in again)
    assert all(final == text and kept for _, text, final, read, kept in replies if not read)
    crew = WorkerPool(make=models.translating, processes=2, streams=2)
    listener = Listener(models.translating(), LANES, cache=tmp_path / 'b', crew=crew, **options)
    assert decided(listener.hear_all(streams(parts))) == expected
    again = Listener(models.translating(), LANES, cache=tmp_path / 'b', crew=crew, **options)
    assert decided(again.hear_all(streams(parts))) == expected and again.fresh == 0


def test_the_second_pass_is_part_of_the_key_and_changes_nothing_that_is_streamed(
        parts, models, tmp_path):
    name, samples = streams(parts)[3]
    one, other = (Listener(models.translating(), LANES, cache=tmp_path / 'c',
                           translator=translator) for translator in (None, models.Reader))
    first, second = one.hear(name, samples), other.hear(name, samples)
    assert other.fresh == 1 and first.key != second.key
    assert [reply.text for reply in first.replies] == [reply.text for reply in second.replies]
    assert first.replies and {reply.final for reply in first.replies} == {None}


def test_who_writes_the_english_is_part_of_the_key(parts, models, tmp_path):
    """Whisper does where nothing else is said, as on the robot."""
    name, samples = streams(parts)[3]
    keys = {to_english: Listener(
        models.translating(), LANES, cache=tmp_path / 'd', translator=models.Reader,
        **({'to_english': to_english} if to_english else {})).hear(name, samples).key
        for to_english in ('model', 'whisper', '')}
    assert keys['model'] != keys['whisper'] == keys['']
