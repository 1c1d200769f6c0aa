"""docs/sounds.md names every class of the head and the classes of AudioSet that it begins with."""

import re
from pathlib import Path

import pytest

from train.sound_head.classes import read_classes

pytestmark = pytest.mark.unit

PAGE = Path(__file__).parents[2] / 'docs' / 'sounds.md'


def test_the_page_lists_every_class_with_its_audioset_names():
    rows = dict(re.findall(r'^\| `(\w+)` \| ([^|]+) \|', PAGE.read_text(
        encoding='utf-8').partition('## How')[0], re.M))
    classes = read_classes()
    assert set(rows) == set(classes.names)
    for name, sound in classes.all.items():
        assert rows[name] == '; '.join(f'{one.name} ({one.index}, `{one.mid}`)'
                                       for one in sound.audioset), name
