import json
import shutil

import numpy as np
import pytest
import soundfile

from train.__main__ import main
from train.curation.plan import ScenarioPlan, SubEvent
from train.curation.result import CurationResult
from train.records import read_records, write_records
from train.stages import read_stage

pytestmark = pytest.mark.unit

RATE = 16_000
HZ = {'rain': 500, 'dog_bark': 1_000, 'cough': 2_000}


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """Return a folder with a few clips of three kinds, and a tagger fitted to them."""
    folder = tmp_path_factory.mktemp('library')
    rng, lines = np.random.default_rng(0), []
    for label, hz in HZ.items():
        for number in range(6):
            seconds = 6.0 if label == 'rain' else 2.0
            times = np.arange(int(seconds * RATE)) / RATE
            tone = 0.2 * np.sin(2 * np.pi * hz * rng.uniform(0.97, 1.03) * times)
            tone *= np.minimum(1, np.minimum(times, times[::-1]) / 0.05)
            path = f'{label}-{number}.flac'
            soundfile.write(folder / path, tone + 1e-4 * rng.standard_normal(len(times)), RATE)
            lines.append({'path': path, 'label': label, 'seconds': seconds, 'source_id': path,
                          'licence': 'CC0-1.0', 'licence_group': 'free'})
    (folder / 'manifest.jsonl').write_text('\n'.join(map(json.dumps, lines)))
    assert main(['curate', 'fit-tagger', str(folder), '--out', str(folder / 'tagger.npz'),
                 '--features', 'log_mel', '--signals', '1', '--fewest', '3']) == 0
    return folder


def test_fitting_says_how_well_it_went(folder):
    report = json.loads((folder / 'tagger.json').read_text())
    assert (report['clips'], report['recordings'], report['labels']) == (18, 18, 3)
    assert report['top1'] > 0.9


def test_plans_are_drawn_and_repeat(folder, tmp_path):
    for name in ('a', 'b'):
        assert main(['curate', 'plan', str(folder), '--out', str(tmp_path / name),
                     '--count', '4', '--seconds', '20']) == 0
    assert (tmp_path / 'a').read_bytes() == (tmp_path / 'b').read_bytes()
    assert len(list(read_records(tmp_path / 'a', ScenarioPlan))) == 4


def event(name, role, seconds):
    return SubEvent(name=name, role=role, rough_duration_s=seconds, brief_description=name,
                    query=f'the sound of {name}', caption=f'One hears {name}.',
                    accept_tags=(name,))


PLAN = ScenarioPlan(id='p1', scenario='A dog in the rain.', seconds=12.0, sub_events=(
    event('rain', 'ambient', 12.0), event('dog_bark', 'foreground', 2.0),
    event('doorbell', 'foreground', 3.0), event('harp', 'foreground', 2.0)))


def test_a_run_places_generates_and_reports(folder, tmp_path, capsys):
    write_records(tmp_path / 'plans.jsonl', [PLAN])
    command = ['curate', 'run', str(folder), '--plans', str(tmp_path / 'plans.jsonl'),
               '--tagger', str(folder / 'tagger.npz'), '--out', str(tmp_path / 'out'),
               '--workers', '0']
    assert main(command) == 0
    result, = read_stage(tmp_path / 'out' / 'curated', CurationResult)
    how = {p.event.name: p.how.partition('+')[0] for p in result.placed}
    assert how == {'rain': 'retrieved', 'dog_bark': 'retrieved', 'doorbell': 'generated'}
    assert result.dropped == ('harp',)
    assert soundfile.info(result.placed[2].clip.path).samplerate == RATE
    report = json.loads((tmp_path / 'out' / 'report.json').read_text())
    assert report['placed'] == 3
    assert report['missing'] == {'harp': 1}
    assert report['refused_by']['missing'] >= 1
    part = tmp_path / 'out' / 'curated' / 'part-00000.jsonl'
    before = part.read_bytes()
    shutil.rmtree(tmp_path / 'out')
    assert main(command) == 0
    assert part.read_bytes() == before


@pytest.mark.parametrize(('words', 'said'), [
    (['run', '{folder}', '--plans', '{folder}/none', '--tagger', '{folder}/manifest.jsonl',
      '--out', '{folder}/o'], 'fit one with'),
    (['fit-tagger', '{folder}', '--out', '{folder}/t', '--rename', 'x'], 'PATTERN=LABEL'),
    (['fit-tagger', '{folder}', '--out', '{folder}/t', '--fewest', '99'], 'two labels'),
    (['plan', '{folder}', '--out', '{folder}/p', '--planner', 'language'], '--model'),
    (['plan', '{folder}', '--out', '{folder}/p', '--seconds', '1'], 'expected a stream'),
    (['plan', '{folder}/none', '--out', '{folder}/p'], 'manifest.jsonl')])
def test_what_a_person_can_correct_is_said_in_a_line(folder, words, said, capsys):
    assert main(['curate', *(word.format(folder=folder) for word in words)]) == 2
    assert said in capsys.readouterr().err
