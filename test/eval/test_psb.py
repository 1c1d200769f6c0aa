"""ProactiveSound-Bench: the published table of labels gives the published baselines."""

import argparse
import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from audio_interaction_ros.errors import ConfigurationError
from audio_interaction_ros.runtimes.scripted import ScriptedEncoder
from eval import psb, psb_rows, psb_scores
from eval.hearing.record import HeardReply, Hearing
from eval.psb_quality import ANSWERS, judge_replies, read_standard_answers
from eval.suites.judge import Judge
from held_out.clips import MaterialError

pytestmark = pytest.mark.unit

TABLE = {
    'Daily Living Sounds': {'Daily Affairs': (29, 97), 'Housekeeping': (11, 25),
                            'Personal Care': (5, 14)},
    'Equipment': {'House Equipment States': (37, 60),
                  'Industrial Tools & Instruments': (29, 14)},
    'Human Sound Signals': {'Body Movements': (9, 20), 'Collective Ambience': (2, 17),
                            'Emotion Expression': (31, 9), 'Physiological states': (31, 37)},
    'Music': {'Artistic': (7, 8)},
    'Nature & Environment': {'Ecological & Biological Context': (9, 8),
                             'Environment background': (22, 36),
                             'Geological Events & Hazards': (11, 0),
                             'Meteorological Dynamics': (12, 5)},
    'Traffic': {'Large Traffic': (4, 3), 'Traffic': (11, 4), 'Vehicle': (7, 20)}}
"""RESPOND and IGNORE per sub-category, as published."""


def lines(table=None):
    number = 0
    for domain, parts in (table or TABLE).items():
        for category, counts in parts.items():
            for decision, count in zip(psb_rows.DECISIONS, counts, strict=True):
                for _ in range(count):
                    name = f'{number:08x}'
                    number += 1
                    yield {'id': name, 'description': 'x', 'decision': decision, 'path':
                           f'./proactive-sound-effect/{domain}/{category}/{decision}/{name}.wav'}


@pytest.fixture
def rows(tmp_path):
    path = tmp_path / psb_rows.MANIFEST
    path.write_text(''.join(json.dumps(line) + '\n' for line in lines()))
    return psb_rows.read_benchmark(tmp_path)


def test_always_ignore_scores_as_published(rows):
    found = psb_scores.score_policies(rows)['always IGNORE']
    assert len(rows) == 644 and round(100 * found['accuracy'].value, 2) == 58.54
    assert {domain: round(100 * share.value, 1) for domain, share in found['domains'].items()} == {
        'Human Sound Signals': 53.2, 'Daily Living Sounds': 75.1, 'Equipment': 52.9,
        'Traffic': 55.1, 'Nature & Environment': 47.6, 'Music': 53.3}
    assert found['balanced_accuracy'].value == 0.5 and found['recall'].value == 0.0


def test_always_respond_scores_as_published(rows):
    found = psb_scores.score_policies(rows)['always RESPOND']
    assert round(100 * found['accuracy'].value, 2) == 41.46
    assert [round(100 * share.value, 1) for share in found['domains'].values()] == [
        24.9, 47.1, 46.8, 46.7, 52.4, 44.9]
    assert (found['recall'].value, found['specificity'].value) == (1.0, 0.0)


def test_what_is_missing_or_illegal_is_wrong_and_lowers_the_coverage(rows):
    right = {row.id: row.respond for row in rows}
    found = psb_scores.score(rows, right)
    assert found['accuracy'].value == found['f1'] == 1.0
    few = {row.id: row.respond for row in rows[:161]}
    few[rows[1].id] = None
    found = psb_scores.score(rows, few)
    assert found['accuracy'].value == found['coverage'] == 160 / 644


@pytest.mark.parametrize(('values', 'expected'), [
    ({'response': '<decision> respond </DECISION><Reply>Help!</Reply>'}, 'Help!'),
    ({'_raw_reply': '<Decision>RESPOND</Decision>'}, '…'), ({'decision': 'RESPOND'}, '…'),
    ({'response': '<Decision>IGNORE</Decision>'}, ''), ({'response': 'I would respond'}, None),
    ({'response': 'Error: no audio'}, None), ({'decision': 'ignore'}, ''),
    ({'reply': '< Decision >(RESPOND)</ decision ><Reply>Out!</Reply>'}, 'Out!'),
    ({'_raw_reply': 'Error: <Decision>RESPOND</Decision>'}, None),
    ({'_raw_reply': 'I would help', 'decision': 'RESPOND'}, None),
    ({'_raw_reply': '<Decision>IGNORE</Decision>', 'reply': '<Decision>RESPOND</Decision>'}, ''),
    ({'decision': 'maybe'}, None), ({}, None)])
def test_a_decision_is_legal_in_its_tag_or_its_field(values, expected):
    assert psb_rows.reply_of(values) == expected


@pytest.mark.parametrize('line', [
    'no json', '{"id": "1", "path": "x.wav", "decision": "RESPOND"}',
    '{"id": "1", "path": "./p/D/S/RESPOND/1.wav", "decision": "SOMETIMES"}'])
def test_a_wrong_row_is_named(tmp_path, line):
    path = tmp_path / psb_rows.MANIFEST
    path.write_text(line + '\n')
    with pytest.raises(MaterialError, match=f'{psb_rows.MANIFEST}:1'):
        psb_rows.read_benchmark(path)


def test_a_row_that_comes_twice_is_refused(tmp_path):
    path = tmp_path / psb_rows.MANIFEST
    line = json.dumps(next(lines())) + '\n'
    path.write_text(line * 2)
    with pytest.raises(MaterialError, match='twice'):
        psb_rows.read_benchmark(path)


def test_streams_of_several_events_follow_from_the_seed_and_stay_in_a_category(rows):
    streams = psb.make_triples(rows, seed=1)
    assert streams == psb.make_triples(list(reversed(rows)), seed=1) != psb.make_triples(rows,
                                                                                         seed=2)
    assert sorted(stream[0].id for stream in streams) == sorted(row.id for row in rows)
    assert all(len({(row.domain, row.category) for row in stream}) == 1
               and len({row.id for row in stream}) == len(stream) == 3 for stream in streams)


def test_windows_begin_at_the_onset_and_end_two_chunks_after_the_next():
    assert psb.answer_windows([2.0, 3.0]) == [(0.0, 2.8), (2.0, 5.8)]


def test_a_short_event_that_is_answered_at_once_is_answered(rows, tmp_path, monkeypatch):
    stream = tuple(row for row in rows if row.respond)[:3]
    monkeypatch.setattr(psb, '_load_samples', lambda folder, row: np.zeros(psb.RATE, np.float32))
    replies = [HeardReply(lane=psb.LANE, at=at, p_respond=1.0, text='x') for at in (2.4,)]
    ears = SimpleNamespace(hear=lambda name, samples: Hearing(
        key='', name=name, seconds=3.0, replies=replies))
    decided = psb.listen_multiple(ears, tmp_path, [stream])
    assert [one.responds for one in decided] == [False, True, True]  # 0.4 s after the third began


def test_a_clip_in_several_streams_counts_each_time_and_is_drawn_once(rows):
    due, quiet = next(row for row in rows if row.respond), next(
        row for row in rows if not row.respond)
    found = psb_scores.score_decided([
        psb_scores.Decided(due, True, 0), psb_scores.Decided(due, False, 1),
        psb_scores.Decided(due, None, 2), psb_scores.Decided(quiet, False, 0)])
    assert found['rows'] == 4 and found['coverage'] == 0.75
    assert (found['recall'].value, found['recall'].n) == (1 / 3, 1)
    assert found['balanced_accuracy'].value == (1 / 3 + 1) / 2
    assert {place: share.value for place, share in found['by_place'].items()} == {
        1: 1.0, 2: 0.0, 3: 0.0}
    assert found['recall_by_place'][1].value == 1.0 and found['recall_by_place'][3].value == 0.0
    assert found['recall_by_domain'][due.domain].value == 1 / 3
    assert found['specificity_by_domain'][quiet.domain].value == 1.0
    assert psb_scores.ignore_all([psb_scores.Decided(due, True)])['accuracy'].value == 0.0


def run(folder, out, runtime, *words):
    parser = argparse.ArgumentParser()
    psb.add_arguments(parser)
    assert psb.run(parser.parse_args(['--data', str(folder), '--out', str(out), *words]),
                   runtime) == 0
    return json.loads((out / 'psb.json').read_text())['figures']


def test_the_whole_command_with_audio(parts, tmp_path):
    import soundfile
    entries = list(lines({'Music': {'Artistic': (2, 2)}}))
    for number, entry in enumerate(entries):
        path = tmp_path / entry['path']
        path.parent.mkdir(parents=True, exist_ok=True)
        loud = entry['decision'] == 'RESPOND'
        if number < 3:
            soundfile.write(path, parts.tone(1.2) if loud else parts.hiss(1.2), parts.RATE)
    (tmp_path / psb_rows.MANIFEST).write_text(''.join(json.dumps(e) + '\n' for e in entries))
    found = run(tmp_path, tmp_path / 'out', parts.loud_runtime())
    single = found['model, Single']
    assert single['coverage'] == single['accuracy']['value'] == 0.75
    assert found['model, Multiple']['rows'] == 12
    told = psb_rows.read_predictions(tmp_path / 'out' / 'predictions.jsonl')
    assert [bool(told[entry['id']]) for entry in entries[:3]] == [True, True, False]
    assert entries[3]['id'] not in told  # it was not heard
    again = run(tmp_path, tmp_path / 'again', None, '--predictions',
                str(tmp_path / 'out' / 'predictions.jsonl'))
    assert again['predictions, Single'] == single


def test_with_sounds_as_evidence_what_begins_is_a_response(parts, tmp_path):
    import soundfile
    entries = list(lines({'Traffic': {'Traffic': (1, 1)}}))
    for entry in entries:
        path = tmp_path / entry['path']
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, parts.hiss(2.0, 0.1), parts.RATE)
    (tmp_path / psb_rows.MANIFEST).write_text(''.join(json.dumps(e) + '\n' for e in entries))
    # Eight chunks of a clip and of the silence behind it; the first clip is due a response. Then
    # both streams of Multiple, 13 chunks long, with the due clip first and second.
    heard = [2, 16 + 2, 16 + 13 + 5 + 3]
    encoder = ScriptedEncoder(sounds={at + more: {'siren': 1.0} for at in heard
                                      for more in range(2)})
    runtime = replace(parts.loud_runtime(), encoder=encoder, sounds=encoder.head)
    found = run(tmp_path, tmp_path / 'out', runtime, '--evidence', 'sounds')
    assert found['sounds, Single']['accuracy']['value'] == 1.0
    assert found['sounds, Multiple']['rows'] == 4
    assert found['sounds, Multiple']['accuracy']['value'] == 1.0
    with pytest.raises(ConfigurationError, match='sound head'):
        run(tmp_path, tmp_path / 'out', parts.loud_runtime(), '--evidence', 'sounds')


def test_without_audio_predictions_are_scored_or_it_is_said(parts, rows, tmp_path, capsys):
    assert set(run(tmp_path, tmp_path / 'out', None)) == {'always IGNORE', 'always RESPOND'}
    assert 'NOT MEASURED' in capsys.readouterr().out
    given = tmp_path / 'given.jsonl'
    given.write_text(''.join(json.dumps(
        {'id': row.id, 'response': f'<Decision>{psb_rows.DECISIONS[not row.respond]}</Decision>'})
        + '\n' for row in rows))
    found = run(tmp_path, tmp_path / 'out', None, '--predictions', str(given))
    assert found['predictions, Single']['accuracy']['value'] == 1.0


def test_replies_are_judged_against_the_standard_answers(rows, tmp_path):
    due = [row for row in rows if row.respond][:3]
    (tmp_path / ANSWERS).write_text(''.join(json.dumps(
        {'id': row.id, 'standard_answers': ['Call for help.', 'Get out.']}) + '\n' for row in due))
    answers = read_standard_answers(tmp_path)
    asked = []

    def complete(prompt, sample):
        asked.append(prompt)
        return 'yes' if 'Given answer: Get help' in prompt else 'no'
    replies = {row.id: '' for row in rows} | {
        due[0].id: 'Get help', due[1].id: 'Nice music', due[2].id: ''}
    found = judge_replies(rows, replies, answers, Judge(complete, 'it', tmp_path / 'v.jsonl'))
    assert found['replies that mean a standard answer'].value == 0.5  # silence is no reply
    assert found['accuracy, where a reply must mean one'].value == (377 + 1) / 644
    assert 'Call for help. / Get out.' in asked[0]
    with pytest.raises(MaterialError, match='standard answers'):
        read_standard_answers(tmp_path / 'elsewhere')
