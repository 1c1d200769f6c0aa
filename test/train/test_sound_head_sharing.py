"""Ways to share false alarms out: each is tried on folds that chose none of its thresholds."""

import numpy as np
import pytest

pytest.importorskip('torch')

from audio_interaction_ros.stream.sound_events import SoundRule  # noqa: E402
from train.sound_head.choose import price_thresholds, share_evenly  # noqa: E402
from train.sound_head.classes import SoundClass, SoundClasses  # noqa: E402
from train.sound_head.clips import FOLDS  # noqa: E402
from train.sound_head.curves import THRESHOLDS, CheckedStream, draw_curves  # noqa: E402
from train.sound_head.dataset import Stream  # noqa: E402
from train.sound_head.scenes import SceneEvent  # noqa: E402
from train.sound_head.sharing import WAYS, compare_sharings, say_sharings  # noqa: E402

pytestmark = pytest.mark.torch

NAMES = ('siren', 'cough')
CLASSES = SoundClasses(alerts={name: SoundClass((name,), ()) for name in NAMES}, others={})
RULES = {name: SoundRule(threshold=1.0) for name in NAMES}
CHUNKS = {'siren': '2 of 3', 'cough': '2 of 3'}


def stream(kind, fold, siren, cough=0.0, label=''):
    """Return a stream of twelve chunks in which both score alike in the middle."""
    scores = np.zeros((12, 2))
    scores[4:9] = siren, cough
    targets = np.zeros((12, 2), np.int8)
    events = (SceneEvent(label, 1.6, 3.6, f'{label}-{fold}.flac'),) if label else ()
    if label:
        targets[4:9, NAMES.index(label)] = 1
    return CheckedStream(Stream(f'{kind} {fold} {label}', fold, kind, 0, 12, events), scores,
                         targets)


def make_streams(loudest):
    """Return events that score 0.9, and backgrounds in which a siren scores so much."""
    return [*(stream(kind, fold, 0.9 * (label == 'siren'), 0.9 * (label == 'cough'), label)
              for kind in ('dry', '10 dB') for fold in range(FOLDS) for label in NAMES),
            *(stream('harmless', fold, loudest) for fold in range(FOLDS))]


@pytest.mark.parametrize(('loudest', 'heard'), [(0.3, 1.0), (0.95, 0.5)])
def test_what_is_heard_and_what_it_costs_is_told_of_the_other_folds(loudest, heard):
    table = compare_sharings(make_streams(loudest), CLASSES, RULES)
    assert set(table) == set(WAYS)
    for row in table.values():
        assert row['recall dry'] == row['recall 10 dB'] == heard  # of sirens none, or all
        assert row['false alarms/h, harmless'] == 0.0
    assert '| the same for each | ' in say_sharings(table)


def test_one_price_moves_the_class_that_hears_more_for_it():
    table = draw_curves(make_streams(0.95), CLASSES, RULES, CHUNKS)
    assert price_thresholds(table, 2.5, CHUNKS)['cough'].recall == 1.0
    assert price_thresholds(table, 2.5, CHUNKS)['siren'].recall == 0.0
    assert price_thresholds(table, 1e6, CHUNKS)['siren'].recall == 1.0


def test_an_even_share_is_for_each_class_alone():
    chosen = share_evenly(draw_curves(make_streams(0.95), CLASSES, RULES, CHUNKS), 2.5, CHUNKS)
    assert chosen['cough'].threshold == min(value for value in THRESHOLDS if value >= 0.1)
    assert chosen['siren'].threshold > 0.95
