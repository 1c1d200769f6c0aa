"""Numbers, times and prices stay as the reader writes them, from its tokens to a slot."""

from dataclasses import replace

import pytest

from audio_interaction_ros.runtimes.base import WindowReading
from audio_interaction_ros.runtimes.word_making import make_words
from audio_interaction_ros.stream.open_utterance import OpenUtterance

pytestmark = pytest.mark.unit

S = 1_000_000_000
READ = [
    ((' Turn', ' 45', ' degrees', '.'), 'Turn 45 degrees.'),
    ((' Turn', ' 45', '°', '.'), 'Turn 45°.'),
    ((' Wake', ' me', ' at', ' 5', ':', '30', '.'), 'Wake me at 5:30.'),
    ((' It', ' costs', ' $', '20', '.', '50', '.'), 'It costs $20.50.'),
    ((' It', ' is', ' 1', ',', '000', ' metres', ' and', ' 2', '.', '5', '%', '.'),
     'It is 1,000 metres and 2.5%.'),
    (('下', '午', '5', '点', '半', '，', '付', '20', '.', '5', '元', '。'),
     '下午5点半，付20.5元。')]


def read_on(pieces, agreed, until):
    """Return the reading of so many tokens of a text, which begins with words agreed on."""
    forced = sum(len(word.ids) + len(word.mark_ids) for word in agreed)
    ids = range(forced, max(forced, until))
    words = make_words(ids, [0.0] * len(ids), lambda some: ''.join(pieces[code] for code in some),
                       agreed=agreed)
    return WindowReading(words=tuple(
        replace(word, start_s=0.1 * place, end_s=0.1 * place + 0.1)
        for place, word in enumerate(words)), language='en')


@pytest.mark.parametrize(('pieces', 'text'), READ)
def test_a_text_grows_to_what_was_read_and_becomes_final_so(pieces, text):
    now = OpenUtterance(name='u', start_ns=0, window_ns=0, speech_ns=2 * S, spoken_ns=2 * S)
    stable = ''
    for until in [count for count in range(1, len(pieces) + 1) for _ in range(2)]:
        agreed = now.agreement.stable
        now.take(read_on(pieces, agreed, until), agreed=len(agreed))
        assert text.startswith(now.agreement.text)
        assert now.agreement.stable_text.startswith(stable), 'nothing is taken back'
        stable = now.agreement.stable_text
    assert now.agreement.text == text and len(stable) >= len(text) - 1
    now.begin_reading(3 * S, closed=True)
    now.take(read_on(pieces, (), len(pieces)), agreed=0, fresh=True, closed=True)
    assert now.reading.as_final(2 * S).text == text == now.agreement.text
