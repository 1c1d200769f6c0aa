"""Clips that two precisions hear: the table, what is compared, and the command on both."""

import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

sys.path.append(str(Path(__file__).parents[1] / 'runtimes'))

from audio_interaction_ros.audio.read_blocks import read_blocks  # noqa: E402
from audio_interaction_ros.resources import shipped_path  # noqa: E402
from eval.hearing.record import HeardReply, Hearing  # noqa: E402
from export.__main__ import main as export  # noqa: E402
from export.bars import BARS  # noqa: E402
from export.clips import Clip, from_folder  # noqa: E402
from export.paired import Pair, compare_clips, lines  # noqa: E402
from held_out.clips import MaterialError  # noqa: E402

RATE = 16_000
SCENE = ((0.8, 4.5, 'Please bring me a glass of water from the kitchen.', 'none'),
         (10.5, 18.5, '', 'smoke_alarm fire_alarm'))


@pytest.fixture
def folder(tmp_path):
    """Cut the sample scene into two clips with their table."""
    scene = np.concatenate([block.samples for block in read_blocks(shipped_path(
        'samples/scene.flac'))]).reshape(-1)
    rows = []
    for number, (first, last, text, alert) in enumerate(SCENE):
        soundfile.write(tmp_path / f'{number}.wav', scene[int(first * RATE):int(last * RATE)],
                        RATE)
        rows.append(f'{number}.wav,{text},{alert}\n')
    (tmp_path / 'clips.csv').write_text('file,text,alert\n' + ''.join(rows))
    return tmp_path


def test_a_table_says_what_is_said_and_which_alert_is_due(folder):
    first, second = from_folder(folder)
    assert first.text.startswith('Please') and first.alerts == frozenset()
    assert second.text == '' and second.alerts == {'smoke_alarm', 'fire_alarm'}
    assert len(second.make()) == (8.0 + 0.6 + 2.4) * RATE and second.make().dtype == np.float32


def test_a_speaker_of_several_clips_is_a_group(folder):
    table = folder / 'clips.csv'
    table.write_text('file,text,alert,group\n0.wav,hello,,anna\n1.wav,again,,\n')
    assert [(clip.group, clip.alerts) for clip in from_folder(folder)] == [
        ('anna', None), ('1.wav', None)]


@pytest.mark.parametrize(('table', 'message'), [
    ('file,text\n', 'found no alert; correct the first line'),
    ('file,text,alert\n', 'expected a line for each recording'),
    ('file,text,alert\n9.wav,a,\n', 'csv:2: expected a recording, found no '),
    ('file,text,alert\n0.wav,,dragon\n', 'labels of config/alerts.yaml or none, found dragon')])
def test_a_fault_in_the_table_is_said_with_its_line(folder, table, message):
    (folder / 'clips.csv').write_text(table)
    with pytest.raises(MaterialError, match=message):
        from_folder(folder)


def test_a_folder_without_a_table_is_refused(tmp_path):
    with pytest.raises(MaterialError, match=r'expected a folder with clips\.csv'):
        from_folder(tmp_path)


def hearing(text='', alerts=(), p=(0.1, 0.2)):
    replies = [HeardReply(lane='transcript', at=1.0, p_respond=0.9, text=text)] if text else []
    return Hearing(key='', name='', seconds=1.0, p={'assistant': list(p)}, replies=replies,
                   alerts=[(1.0, label) for label in alerts])


def pair(full, other, *, text='', due=None):
    return Pair(Clip(name='a', group='a', make=lambda: np.zeros(0), text=text,
                     alerts=None if due is None else frozenset(due)), full, other)


def failing(*pairs, precision='int8'):
    return [verdict.name.partition(',')[0] for verdict in compare_clips(pairs, BARS[precision])
            if not verdict.passed]


def test_the_same_hearing_passes_every_bar():
    said = hearing('one two three', ['siren'])
    same = pair(said, said, text='one two three', due=['siren'])
    assert failing(same) == failing(same, precision='fp32') == []


def test_words_alerts_and_probabilities_have_bars_of_their_own():
    said = hearing('one two three', ['siren'])
    assert failing(pair(said, hearing('one two four', ['siren']), text='one two three')) == [
        'rise of word errors']
    assert failing(pair(said, hearing('one two three', []), due=['siren'])) == [
        'alert sets that differ', 'fall of alerts due']
    assert failing(pair(said, hearing('one two three', ['siren'], p=(0.1, 0.3)))) == [
        'mean change of p']
    assert failing(pair(hearing('one two four'), hearing('one two three'),
                        text='one two three')) == []  # better than float32 is no fault


def test_quiet_chunks_which_nobody_read_hide_no_change():
    # One change of 0.1 in two chunks misses the bar; so it does beside a hundred quiet ones.
    full, other = (hearing(p=(*p, *[0.0] * 100)) for p in ((0.1, 0.2), (0.1, 0.3)))
    assert failing(pair(full, other)) == ['mean change of p']


def test_a_person_reads_rates_with_intervals_and_what_differs():
    told = '\n'.join(lines([
        pair(hearing('one two', ['siren']), hearing('one'), text='one two', due=['siren']),
        pair(hearing(), hearing(alerts=['cough']), due=[])], ('float32', 'int8')))
    assert 'word error rate of 1 clips: float32 0.00 [0.00, 0.00], int8 0.50' in told
    assert 'alert sets that differ: 2 of 2 clips' in told
    assert 'a: float32 siren; int8 none (due: siren)' in told
    assert 'a: float32 none; int8 cough (due: none)' in told
    assert 'without an alert, as is due, of 1 clips: float32 1.00' in told


@pytest.mark.torch
def test_graphs_of_float32_hear_clips_as_torch_does(folder, tmp_path, monkeypatch, capsys):
    from small_model import random_model, save_model
    monkeypatch.setenv('AUDIO_INTERACTION_CACHE', str(tmp_path / 'cache'))
    model = str(save_model(random_model(), tmp_path / 'small'))
    export(['onnx', model, '--out', str(tmp_path / 'out')])
    command = ['verify', str(tmp_path / 'out'), '--model', model, '--scene', '', '--clips',
               str(folder), '--out', str(tmp_path / 'kept')]
    assert export(command) == 0
    told = capsys.readouterr().out
    assert 'alert sets that differ: 0 of 2 clips' in told and 'fall of alerts due' in told
    assert len((tmp_path / 'kept' / 'hearings.jsonl').read_text().splitlines()) == 4
    assert export(command) == 0  # from what was kept
