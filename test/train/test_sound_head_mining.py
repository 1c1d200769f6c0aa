"""What is mined: chunks without an alert that a first head takes for one."""

import numpy as np
import pytest
import torch

from train.sound_head import mining
from train.sound_head.classes import SoundClass, SoundClasses
from train.sound_head.dataset import Dataset, Stream
from train.sound_head.heads import Training, plan_first
from train.sound_head.mining import MINED_WEIGHT, mine
from train.sound_head.net import HeadShape

pytestmark = pytest.mark.torch

CLASSES = SoundClasses(alerts={'siren': SoundClass(('siren',), ())},
                       others={'rain': SoundClass(('rain',), ())})


def test_mistakes_in_what_is_no_alert_weigh_more_and_nothing_else(monkeypatch, tmp_path):
    kinds = ('train', 'hours', 'dry', 'harmless')
    streams = tuple(Stream(kind, 1, kind, 3 * place, 3, ()) for place, kind in enumerate(kinds))
    targets = torch.zeros(12, 2, dtype=torch.int8)
    targets[7, 0], targets[10, 0] = 1, -1  # a siren in the dry stream; unknown in the harmless
    logits = {'hours': [[9, 0], [-9, 9], [-9, -9]], 'dry': [[9, 0], [9, 0], [-9, 0]],
              'harmless': [[-9, -9], [9, -9], [9, -9]]}
    monkeypatch.setattr(mining, 'score_held_out', lambda training, first, chosen: [
        np.array(logits[stream.name], float) for stream in chosen])
    dataset = Dataset(torch.zeros(12, 1), targets, streams)
    weights = mine(Training(dataset, CLASSES, None, None, tmp_path), {})
    assert weights.tolist() == [1, 1, 1, MINED_WEIGHT, 1, 1, 1, 1, 1, 1, 1, MINED_WEIGHT]


def test_heads_of_the_first_round_do_not_hear_the_hours():
    first = plan_first(HeadShape(), 3)
    assert all(not head.hears(Stream('s', 4, 'hours', 0, 1, ())) for head in first)
    assert {head.hears(Stream('s', 4, 'train', 0, 1, ())) for head in first} == {True, False}
