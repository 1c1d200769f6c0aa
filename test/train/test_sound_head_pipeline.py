"""A whole run on a small folder: parts that survive a stop, the files at its end, the command."""

import json

import numpy as np
import pytest
import soundfile
import torch
from safetensors import safe_open

from audio_interaction_ros.model.sound_head import SoundHead
from audio_interaction_ros.stream.sound_scores import SoundScorer
from train.__main__ import main
from train.sound_head import aside, pipeline
from train.sound_head.baselines import Branch
from train.sound_head.classes import read_classes
from train.sound_head.clips import HELD_OUT
from train.sound_head.embeddings import ASIDE, Amounts, Part, Workshop, plan_parts
from train.sound_head.hours import HOURS
from train.sound_head.net import HeadShape
from train.sound_head.pipeline import RunPlan, make_head
from train.sound_head.sharing import WAYS
from train.sound_head.tagger import TaggerClasses

pytestmark = pytest.mark.torch

RATE, WIDTH = 16_000, 12
LABELS = ('dog_bark', 'cough', 'rain', 'speech_word', 'background_indoor', 'door')


def encode(samples):
    """Return what stands in for an embedding: the spectrum of each chunk in a few bands."""
    chunks = samples[:len(samples) // 6400 * 6400].reshape(-1, 6400)
    spectrum = np.abs(np.fft.rfft(chunks, axis=1))[:, :3198].reshape(len(chunks), 6, -1)
    bands = np.log(spectrum.mean(2) + 1e-3)
    return np.concatenate([bands, -bands], axis=1).astype(np.float16)


@pytest.fixture
def data(tmp_path):
    folder, rows = tmp_path / 'data', []
    folder.mkdir()
    for pitch, label in enumerate(LABELS):
        for number in range(10):
            path = f'{label}-{number}.flac'
            times = np.arange(RATE) / RATE
            soundfile.write(folder / path, 0.3 * np.sin(
                2 * np.pi * (300 + 1000 * pitch + 10 * number) * times), RATE)
            rows.append({'path': path, 'label': label, 'licence_group': 'free',
                         'source_id': path, 'seconds': 1.0})
    (folder / 'manifest.jsonl').write_text('\n'.join(map(json.dumps, rows)) + '\n')
    return folder


def write_some(data, folder, amounts):
    workshop = Workshop(data, encode)
    # A few computed signals are enough here.
    workshop.checks = [check for check in workshop.checks if not check.signal]
    folder.mkdir(parents=True, exist_ok=True)
    parts = plan_parts(amounts, len(workshop.checks))
    for part in parts:
        workshop.write(part, amounts, folder)
    return parts


def test_parts_mix_scenes_and_checks_and_have_names_of_their_own():
    parts = plan_parts(Amounts(scenes=32), 16)
    assert len(parts) == 6 and len({part.file_name for part in parts}) == 6
    assert {part.kind for part in parts[:2]} == {'train', 'check'}


def test_a_part_that_was_lost_is_made_again_byte_by_byte_and_the_others_stay(data, tmp_path):
    parts = write_some(data, tmp_path / 'parts', Amounts(scenes=12))
    before = {path.name: path.read_bytes() for path in (tmp_path / 'parts').iterdir()}
    lost = tmp_path / 'parts' / parts[0].file_name
    lost.unlink()
    write_some(data, tmp_path / 'parts', Amounts(scenes=12))
    assert {path.name: path.read_bytes() for path in (tmp_path / 'parts').iterdir()} == before


def test_a_longer_run_takes_up_the_parts_of_a_shorter_one(data, tmp_path):
    write_some(data, tmp_path / 'parts', Amounts(scenes=8))
    part = tmp_path / 'parts' / Part('train', 0).file_name
    before = part.read_bytes()
    write_some(data, tmp_path / 'parts', Amounts(scenes=16))
    assert part.read_bytes() == before
    assert (tmp_path / 'parts' / Part('train', 1).file_name).is_file()


def test_a_run_writes_a_head_its_curves_and_the_ablations_and_the_same_again(
        data, tmp_path, monkeypatch, capsys):
    chance = np.random.default_rng(0)
    tagger = TaggerClasses(chance.standard_normal((521, 4)).astype(np.float32),
                           np.zeros(521, np.float32))
    monkeypatch.setattr(pipeline, 'fetch_tagger_classes', lambda folder: tagger)
    monkeypatch.setattr(pipeline, 'write_parts', lambda data, folder, amounts, workers, report:
                        write_some(data, folder, amounts))
    shape = HeadShape(width=WIDTH, tagger_width=4, own=8, context=2, mixed=80)
    plan = RunPlan(data=data, out=tmp_path / 'run', scenes=16, shaped=4, hours=0.06, seeds=2,
                   epochs=2, shape=shape)
    lines = []
    branch = Branch(('dog_bark', 'cough'), *(
        torch.from_numpy(chance.standard_normal(shape).astype(np.float32))
        for shape in ((3, WIDTH), 3, (2, 3), 2)))
    monkeypatch.setattr(pipeline.Branch, 'read', lambda folder: branch)
    make_head(plan, 'model', True, lines.append, across=True)
    with safe_open(plan.out / 'sounds.safetensors', 'np') as file:
        assert json.loads(file.metadata()['classes']) == list(read_classes().names)
    curves = json.loads((plan.out / 'curves.json').read_text())
    assert set(curves['classes']) == set(read_classes().names)
    assert curves['classes']['dog_bark']['events']['dry']['recorded'] == 10
    assert set(json.loads((plan.out / 'ablations.json').read_text())) == {
        'head', 'seed-0', 'lacks-yamnet', 'lacks-whisper', 'lacks-context', 'yamnet', 'branch',
        'branch + yamnet'}
    contexts = {}
    for name in ('seed-0', 'lacks-yamnet', 'lacks-whisper', 'lacks-context'):
        with safe_open(plan.out / f'{name}.safetensors', 'np') as file:
            contexts[name] = file.metadata()['context']
    assert contexts == {'seed-0': '2', 'lacks-yamnet': '2', 'lacks-whisper': '2',
                        'lacks-context': '1'}
    across = json.loads((plan.out / 'across.json').read_text())
    assert {'head 1.0, YAMNet 0.0', 'head 0.5, YAMNet 0.5', 'yamnet'} < set(across['parts'])
    assert {'head 1.0, YAMNet 0.0', 'head 0.5, YAMNet 0.5; background 0.5'} < set(across['rates'])
    assert any('mean average precision of alerts: seed-0' in line for line in lines)
    assert set(json.loads((plan.out / 'sharings.json').read_text())) == set(WAYS)
    first = {name: (plan.out / name).read_bytes() for name in (
        'sounds.safetensors', 'curves.json', 'ablations.json', 'across.json')}
    make_head(plan, 'model', True, lambda line: None, across=True)
    assert {name: (plan.out / name).read_bytes() for name in first} == first
    compare_the_head(data, plan.out, tagger, monkeypatch, capsys)
    assert main(['sounds', '--out', str(plan.out), '--choose', '0.5']) == 0
    assert 'dog_bark: 0.' in capsys.readouterr().out
    assert main(['sounds', '--out', str(plan.out), '--table', 'home']) == 0
    told = capsys.readouterr().out
    assert '| `dog_bark` | 10 |  | 0.' in told and 'Hours that were heard: ambience ' in told
    assert main(['sounds', '--out', str(plan.out), '--table', 'nowhere']) == 2
    assert 'alerts.profile' in capsys.readouterr().err


def compare_the_head(data, out, tagger, monkeypatch, capsys):
    """Compare forms of detection by a finished head, on what is put aside."""
    def write(data, folder, amounts, workers, report):
        workshop = Workshop(data, encode)
        workshop.checks = [check for check in workshop.checks if not check.signal]
        scenes = [make() for make in workshop.aside(amounts)]
        assert {scene.fold for scene in scenes} == {HELD_OUT}
        assert [scene.kind for scene in scenes[-2:]] == [HOURS, HOURS]
        parts = [Part(ASIDE, number) for number in range(-(-len(scenes) // 8))]
        for one in parts:
            workshop.write(one, amounts, folder)
        return parts
    monkeypatch.setattr(aside, 'write_aside', write)
    monkeypatch.setattr(aside, 'fetch_tagger_classes', lambda folder: tagger)
    capsys.readouterr()
    head = str(out / 'sounds.safetensors')
    assert main(['sounds', '--data', str(data), '--out', str(out), '--hours', '0.1',
                 '--compare', head, head]) == 0
    assert '| two chunks of three | ' in capsys.readouterr().out
    table = json.loads((out / 'forms.json').read_text())
    assert set(table) == {'head', 'half head, half YAMNet', 'YAMNet', 'lasting'}
    assert table['head']['as the rules file']['0.125'][2:] == [0.0, 0.0, 0.0]
    assert table['head'][head] == table['head']['as the rules file']


def test_a_stream_scored_at_once_is_scored_as_on_the_robot():
    chance = np.random.default_rng(1)
    tensors = {name: chance.standard_normal(shape).astype(np.float32) for name, shape in {
        'hidden.weight': (3, 5), 'hidden.bias': 3, 'context.weight': (4, 6), 'context.bias': 4,
        'classes.weight': (2, 4), 'classes.bias': 2}.items()}
    head = SoundHead(('a', 'b'), 2, tensors)
    heard, scorer = chance.standard_normal((7, 5)).astype(np.float32), SoundScorer(head)
    np.testing.assert_allclose(aside.score_windows(head, heard),
                               [scorer.push(one).scores for one in heard], rtol=1e-5)


def test_without_data_there_is_nothing_to_train_on(tmp_path, capsys):
    assert main(['sounds', '--out', str(tmp_path)]) == 2
    assert '--data' in capsys.readouterr().err
