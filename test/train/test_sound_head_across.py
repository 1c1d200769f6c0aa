"""Nets that never learned of a collection: which it is, and what they do not learn from."""

from types import SimpleNamespace

import pytest

torch = pytest.importorskip('torch')

from train.sound_head.across import group_of, weigh_without  # noqa: E402
from train.sound_head.dataset import Stream  # noqa: E402
from train.sound_head.scenes import SceneEvent  # noqa: E402

pytestmark = pytest.mark.torch


def test_two_editions_of_one_data_set_are_one_group_and_the_unknown_are_the_last():
    assert group_of('ESC-50 (copy in caitlinnguyen0/ESC-50)') == group_of('karolpiczak/ESC-10')
    assert len({group_of(source) for source in (
        'karolpiczak/ESC-10', 'Fris0uman/CDDA-Soundpacks', 'makeabilitylab/ProtoSound',
        'minetest/minetest_game', 'freedoom/freedoom')}) == 5
    assert group_of('') == group_of('somebody/something')


@pytest.mark.parametrize('given', [None, torch.full((20,), 5.0)])
def test_chunks_with_a_recording_of_the_group_and_those_soon_after_teach_nothing(given):
    events = (SceneEvent('dog_bark', 0.8, 1.2, 'dog.flac', 0.0),
              SceneEvent('cough', 2.0, 2.4, 'cough.flac', 0.0))
    stream = Stream('scene', 1, 'train', 4, 16, events)
    training = SimpleNamespace(weights=given, dataset=SimpleNamespace(
        streams=(stream,), targets=torch.zeros(20, 3)))
    full = 1.0 if given is None else 5.0
    weights = weigh_without(training, 2, {'dog.flac': 2, 'cough.flac': 0})
    assert weights.tolist() == [full] * 6 + [0.0] * 7 + [full] * 7
    assert given is None or given.min() == 5.0
