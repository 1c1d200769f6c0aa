"""A tagger's scores on the clips, beside a model."""

import json

import pytest

from eval.alert_figures.trade_off import trade_off
from eval.tagger import ask_tagger, read_scores
from held_out.clips import MaterialError, read_held_out

pytestmark = pytest.mark.unit


def test_a_tagger_stands_beside_with_its_scores_on_the_clips(parts, tmp_path):
    folder = parts.small_folder(tmp_path)
    scores = tmp_path / 'scores.jsonl'
    scores.write_text(''.join(json.dumps({'path': path, 'frames': frames}) + '\n'
                              for path, frames in [
        ('sounds/a.wav', [[[393, 0.9], [0, 0.99]], [[0, 0.9]]]), ('sounds/b.wav', [[[0, 0.9]]]),
        ('bed/a.wav', [[]] * 40), ('bed/b.wav', [[[42, 0.6]], *[[]] * 30])]))
    items = read_held_out(folder)
    read = read_scores(scores)
    heard_ = ask_tagger(items, folder, read, [item.name for item in items])
    low, high = trade_off(heard_, (0.5, 0.7))
    assert low['recall'].value == high['recall'].value == 0.5
    assert (low['false_per_hour'].value > 0, high['false_per_hour'].value) == (True, 0.0)
    scores.write_text('{"path": "x"}\n')
    with pytest.raises(MaterialError, match='scores.jsonl:1'):
        read_scores(scores)
