"""Who stands beside the translation lane."""

from types import SimpleNamespace

import pytest
import soundfile

from eval import translators
from eval.translators import TRANSLATES, TRANSLATES_BY_LOOKUP, stand_beside
from held_out.pairs import Pair
from held_out.spoken_sentences import Sentence

pytestmark = pytest.mark.unit

TRAIN = [Pair('I see birds.', '我看见鸟。'), Pair('Open the door.', '打开门。'),
         Pair('Open it.', '打开门。')]


@pytest.fixture
def whisper(monkeypatch):
    """Return what a Whisper that writes 'Open the window' was asked for."""
    asked = []

    def reader(cache, threads, choice, **how):
        asked.append((choice, how))
        return SimpleNamespace(name='W', read=lambda name, samples: ('Open the window', 0.1)) \
            if choice != 'none' else None
    monkeypatch.setattr(translators, 'make_reader', reader)
    return asked


def sentence(parts, tmp_path, language, text):
    path = tmp_path / f'{language}.wav'
    soundfile.write(path, parts.tone(0.2), parts.RATE)
    return Sentence(language, path, language, text, ('x',))


def test_to_chinese_the_words_that_whisper_hears_are_looked_up(parts, tmp_path, whisper):
    mine = [sentence(parts, tmp_path, 'en', 'I see a bird.')]
    assert stand_beside(mine, TRAIN, tmp_path / 'cache', threads=1) == 'W'
    assert mine[0].beside == {'copy': 'I see a bird.', 'frequent': '打开门。',
                              'nearest': '我看见鸟。', TRANSLATES_BY_LOOKUP: '打开门。'}
    assert whisper == [('auto', {'language': 'en', 'task': 'transcribe'})]


def test_to_english_whisper_translates_itself(parts, tmp_path, whisper):
    mine = [sentence(parts, tmp_path, 'zh', '我看见一只鸟。')]
    stand_beside(mine, TRAIN, tmp_path / 'cache', threads=1)
    assert mine[0].beside[TRANSLATES] == 'Open the window'
    assert mine[0].beside['nearest'] == 'I see birds.' and TRANSLATES_BY_LOOKUP not in \
        mine[0].beside
    assert whisper == [('auto', {'language': 'zh', 'task': 'translate'})]


def test_without_pairs_and_without_whisper_nobody_says_anything(parts, tmp_path, whisper):
    mine = [sentence(parts, tmp_path, 'zh', '我看见一只鸟。')]
    assert stand_beside(mine, (), tmp_path / 'c', threads=1, choice='none') == 'none'
    assert mine[0].beside == {}
