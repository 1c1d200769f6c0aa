"""The head that tells sounds apart: held against torch, and what its file may not be."""

import json

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file
from torch.nn import functional as F

from audio_interaction_ros.errors import CheckpointError, ConfigurationError
from audio_interaction_ros.model.sound_head import SOUNDS_FORMAT, SoundHead, sigmoid
from audio_interaction_ros.stream.sound_scores import SoundScorer

pytestmark = pytest.mark.unit

CLASSES = ['bell', 'dog']
METADATA = {'format': SOUNDS_FORMAT, 'classes': json.dumps(CLASSES), 'context': '3'}


def make_tensors(width=7, hidden=4, mixed=5, context=3, classes=2):
    draw = np.random.default_rng(0).standard_normal
    shapes = {'hidden.weight': (hidden, width), 'hidden.bias': (hidden,),
              'context.weight': (mixed, context * hidden), 'context.bias': (mixed,),
              'classes.weight': (classes, mixed), 'classes.bias': (classes,)}
    return {name: draw(shape).astype(np.float16) for name, shape in shapes.items()}


def written(folder, metadata=METADATA, **changes):
    save_file({**make_tensors(), **changes}, folder / 'sounds.safetensors', metadata=metadata)
    return folder / 'sounds.safetensors'


def test_a_stream_is_scored_as_torch_does(tmp_path):
    head = SoundHead.read(written(tmp_path), embedding_width=7)
    assert (head.classes, head.context, head.hidden_width) == (('bell', 'dog'), 3, 4)
    layers = {name: torch.from_numpy(value).float() for name, value in make_tensors().items()}
    stream = np.random.default_rng(1).standard_normal((6, 7)).astype(np.float32)
    kept = F.gelu(F.linear(torch.from_numpy(stream), layers['hidden.weight'],
                           layers['hidden.bias']))
    padded = torch.cat((torch.zeros(2, 4), kept))
    windows = torch.stack([padded[place:place + 3].reshape(-1) for place in range(6)])
    mixed = F.gelu(F.linear(windows, layers['context.weight'], layers['context.bias']))
    expected = torch.sigmoid(F.linear(mixed, layers['classes.weight'], layers['classes.bias']))
    scorer = SoundScorer(head)
    for _ in range(2):  # after a reset nothing of before is left
        found = [scorer.push(embedding) for embedding in stream]
        assert {scores.names for scores in found} == {('bell', 'dog')}
        np.testing.assert_allclose([scores.scores for scores in found], expected, atol=1e-6)
        scorer.reset()


def test_an_embedding_that_is_no_number_scores_0_and_spoils_no_later_chunk(tmp_path):
    class Taught:
        name = 'ours'

        def score(self, embedding):
            return float(embedding[0])

    scorer = SoundScorer(SoundHead.read(written(tmp_path)), [Taught()])
    stream = np.random.default_rng(1).random((5, 7)).astype(np.float32)
    expected = [scorer.push(embedding).scores for embedding in stream]
    scorer.reset()
    stream[1, 3] = np.nan
    found = [scorer.push(embedding).scores for embedding in stream]
    assert found[1].tolist() == [0, 0, 0] and np.isfinite(found).all()
    np.testing.assert_array_equal(found[4], expected[4])


def test_two_sounds_of_one_name_are_refused(tmp_path):
    class Taught:
        name = 'bell'

    with pytest.raises(ConfigurationError, match='several called bell'):
        SoundScorer(SoundHead.read(written(tmp_path)), [Taught()])


def test_a_taught_sound_comes_after_those_of_the_model(tmp_path):
    class Taught:
        name = 'our doorbell'

        def score(self, embedding):
            return float(embedding[0])

    embedding = np.full(7, 0.25, np.float32)
    both = SoundScorer(SoundHead.read(written(tmp_path)), [Taught()]).push(embedding)
    alone = SoundScorer(None, [Taught()]).push(embedding)
    assert both.names == ('bell', 'dog', 'our doorbell') and alone.names == ('our doorbell',)
    assert both.scores[2] == alone.scores[0] == 0.25 and both.scores.dtype == np.float32


@pytest.mark.parametrize(('metadata', 'changes', 'words'), [
    (METADATA | {'format': 'other/2'}, {}, "expected format 'audio-interaction-sounds/1'"),
    ({}, {}, 'found None'),
    (METADATA | {'classes': '["bell", "bell"]'}, {}, 'all different'),
    (METADATA | {'classes': '"bell"'}, {}, 'list of names'),
    (METADATA | {'context': '2'}, {}, 'context.weight: expected shape'),
    (METADATA | {'classes': '["bell"]'}, {}, 'classes.weight: expected shape'),
    (METADATA, {'hidden.bias': np.full(4, np.nan, np.float32)}, 'finite'),
])
def test_a_file_that_is_no_head_is_refused(tmp_path, metadata, changes, words):
    with pytest.raises(CheckpointError, match=r'sounds\.safetensors: .*' + words):
        SoundHead.read(written(tmp_path, metadata, **changes))


def test_a_head_of_another_model_and_no_file_are_refused(tmp_path):
    with pytest.raises(CheckpointError, match='5632 numbers, found one for 7'):
        SoundHead.read(written(tmp_path), embedding_width=5632)
    with pytest.raises(CheckpointError, match='expected a head'):
        SoundHead.read(tmp_path / 'none.safetensors')


def test_a_probability_is_one_for_any_score():
    scores = sigmoid(np.array([-1e30, -90.0, 0.0, 90.0, 1e30], np.float32))
    assert scores[0] == 0 and scores[2] == 0.5 and scores[4] == 1 and np.isfinite(scores).all()
