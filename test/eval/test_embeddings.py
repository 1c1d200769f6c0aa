"""Streams are heard once: what is kept, and when it is heard anew."""

import numpy as np
import pytest

from eval.matching import ExpectedEvent
from eval.scenes import Scene, ScenePlan, single_plans
from eval.sounds.embeddings import EmbeddingCache
from held_out.classes import robot_rules
from held_out.clips import read_held_out

pytestmark = pytest.mark.unit

EVENT = ExpectedEvent(label='fire_alarm', start=0.5, end=1.0)


class CountingEars:
    """Embed each chunk as its mean, and count the streams."""

    def __init__(self, name='counting'):
        self.name, self.count = name, 0

    def hear(self, samples):
        self.count += 1
        padded = np.pad(samples, (0, -len(samples) % 6400)).reshape(-1, 6400)
        return padded.mean(1, keepdims=True).astype(np.float16)


def plan(name='one', level=0.5, seconds=1.0):
    samples = np.full(round(seconds * 16_000), level, np.float32)
    return ScenePlan(name, lambda: Scene(
        name=name, kind='event', samples=samples, events=(EVENT,), group='g', side='test',
        condition='dry', unique_s=1.0, label='x'))


def cache_of(folder, ears, items=()):
    return EmbeddingCache(folder, ears, items, robot_rules())


def test_a_stream_is_heard_once_and_told_with_all_that_happens_in_it(tmp_path):
    ears = CountingEars()
    for fresh in (1, 0):
        cache = cache_of(tmp_path, ears)
        (heard,) = cache.hear([plan()])
        assert (ears.count, cache.fresh) == (1, fresh)
        assert heard.read().ravel().tolist() == [0.5, 0.5, 0.25]
        assert heard.seconds == pytest.approx(1.2) and heard.scene.condition == 'dry'
        (event,) = heard.scene.events
        assert (event.label, event.start, event.end) == ('fire_alarm', 0.5, 1.0)
        assert {'fire_alarm', 'smoke_alarm'} <= event.accepts
    assert {path.suffix for path in tmp_path.iterdir()} == {'.npy', '.json'}


def test_other_ears_and_other_samples_are_heard_anew_a_new_split_is_not(tmp_path, parts):
    items = read_held_out(parts.small_folder(tmp_path / 'data'))
    ears = CountingEars()
    cache_of(tmp_path, ears, items).hear([plan()])
    cache_of(tmp_path, ears, items[1:]).hear([plan()])
    assert ears.count == 1
    cache_of(tmp_path, ears, items[2:]).hear([plan(level=0.1)])
    assert ears.count == 2
    others = CountingEars('others')
    cache_of(tmp_path, others, items[3:]).hear([plan()])
    assert others.count == 1


def test_one_clip_of_each_harmless_recording_stands_alone(tmp_path, parts):
    items = read_held_out(parts.write_folder(tmp_path / 'data', [
        ('sounds/a.wav', parts.tone(1.0), {'label': 'footsteps', 'source_id': 'one'}),
        ('sounds/b.wav', parts.tone(0.5), {'label': 'footsteps', 'source_id': 'one'}),
        ('sounds/c.wav', parts.tone(0.8), {'label': 'music', 'source_id': 'other'}),
        ('sounds/d.wav', parts.tone(0.8), {'label': 'cough', 'source_id': 'third'})]))
    scenes = [made.make() for made in single_plans(items)]
    assert sorted(scene.label for scene in scenes) == ['footsteps', 'music']
    assert all(scene.kind == 'single' and not scene.events for scene in scenes)
    assert len(single_plans(items, limit=1)) == 1
