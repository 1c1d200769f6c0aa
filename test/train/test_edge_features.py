"""Features on disk: what a stopped run left is mended, each scene is made and read once."""

import json
from argparse import Namespace

import numpy as np
import pytest

from held_out.lines import read_whole_lines
from train.edge import features
from train.edge.compose import Scene
from train.edge.feature_folder import mend_lines, read_scene_rows

pytestmark = pytest.mark.torch


@pytest.fixture
def made(monkeypatch):
    """Return the numbers of the scenes that were composed; nothing is encoded."""
    numbers = []

    def compose(library, seed, kind):
        numbers.append(seed)
        return Scene(name=f'{kind}-{seed:05d}', kind=kind, samples=np.zeros(6400, np.float32))
    monkeypatch.setattr(features, 'compose', compose)
    monkeypatch.setattr(features, 'encode', lambda tower, mel: (np.zeros((1, 5, 2)),
                                                                 np.zeros((1, 3))))
    return numbers


def write(folder, **more):
    features.write_features(None, None, folder, Namespace(**{
        'kind': 'alert', 'first': 0, 'count': 4, 'shard': 0, 'shards': 1, 'minutes': 1e9, **more}))


def names(folder):
    return [row['name'] for row in read_scene_rows(folder)]


def test_a_stopped_run_goes_on_behind_its_last_whole_line(tmp_path, made):
    write(tmp_path, count=3)
    path = tmp_path / 'scenes-0.jsonl'
    path.write_bytes(path.read_bytes()[:-9])
    assert names(tmp_path) == ['alert-00000', 'alert-00001']
    write(tmp_path)
    assert made == [0, 1, 2, 2, 3]
    assert names(tmp_path) == [f'alert-{number:05d}' for number in range(4)]
    assert len(read_whole_lines(path)) == 4


def test_other_shards_than_before_do_no_scene_twice(tmp_path, made):
    write(tmp_path, shards=2)
    for shard in range(3):
        write(tmp_path, shard=shard, shards=3)
    assert sorted(made) == [0, 1, 2, 3]


def test_a_scene_whose_summary_is_missing_is_made_again_and_read_once(tmp_path, made):
    write(tmp_path)
    (tmp_path / 'alert-00002.sound.npy').unlink()
    assert names(tmp_path) == ['alert-00000', 'alert-00001', 'alert-00003']
    write(tmp_path)
    assert made == [0, 1, 2, 3, 2] and len(names(tmp_path)) == 4


def test_half_a_line_is_cut_off(tmp_path):
    path = tmp_path / 'a.jsonl'
    assert mend_lines(path) == [] and not path.exists()
    path.write_text(json.dumps({'a': 1}) + '\n{"a": ')
    assert mend_lines(path) == [{'a': 1}] and path.read_text() == '{"a": 1}\n'
