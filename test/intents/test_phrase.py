"""The grammar of phrases."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audio_interaction_ros.errors import ConfigurationError
from audio_interaction_ros.intents.phrase import MOST_FORMS, Gap, write_out

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(('phrase', 'forms'), [
    ('go home', [('go', 'home')]),
    ('stop [it]', [('stop', 'it'), ('stop',)]),
    ('(turn|go) left', [('turn', 'left'), ('go', 'left')]),
    ('go to {place}', [('go', 'to', Gap('place'))]),
    ('a [b|c (d|e)]', [('a', 'b'), ('a', 'c', 'd'), ('a', 'c', 'e'), ('a',)]),
    ('停[下]', [('停', '下'), ('停',)]),
    ("don't move", [('do', 'not', 'move')]),
])
def test_a_phrase_is_written_out(phrase, forms):
    assert write_out(phrase) == forms


@pytest.mark.parametrize(('phrase', 'expected'), [
    ('go (home', 'closing bracket'), ('go home)', 'opening bracket'), ('a [b)', 'closing bracket'),
    ('go {place', 'closing brace'), ('{Two words}', 'name of a slot'), ('[maybe]', 'always said'),
    ('', 'always said'), ('[a] ' * 12 + 'b', f'{MOST_FORMS} forms')])
def test_a_wrong_phrase_is_refused_with_what_was_expected(phrase, expected):
    with pytest.raises(ConfigurationError, match='change it') as caught:
        write_out(phrase)
    assert expected in str(caught.value)


@given(st.text(alphabet='ab [](){}|', max_size=12))
def test_any_text_is_written_out_or_refused(phrase):
    try:
        forms = write_out(phrase)
    except ConfigurationError:
        return
    assert forms and all(forms) and len(set(forms)) == len(forms)
