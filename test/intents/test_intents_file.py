"""The file of intents: strict reading, and the user's rules before the shipped ones."""

import pytest

from audio_interaction_ros.errors import ConfigurationError
from audio_interaction_ros.intents.intents_file import join_files, read_intents
from audio_interaction_ros.intents.matching import IntentMatcher

pytestmark = pytest.mark.unit

MINIMAL = """
slots:
  place: {kind: noun, values: {home: [home]}}
intents:
  - name: go
    answer: {en: 'Going to {place}.'}
    en: ['go to {place}']
    zh: ['去{place}']
"""


def read(tmp_path, text):
    path = tmp_path / 'some.yaml'
    path.write_text(text, encoding='utf-8')
    return read_intents(path)


@pytest.mark.parametrize(('before', 'after', 'named'), [
    ('kind: noun', 'kind: nouns', 'slots.place: kind'),
    ('kind: noun', 'kind: number', 'slots.place: values'),
    ('kind: noun, values: {home: [home]}', 'kind: values', 'slots.place: values'),
    ('[home]', "['!']", 'slots.place: values.home'),
    ('name: go', 'nome: go', "intents[0]: unknown key 'nome'"),
    ('name: go', "name: ' '", 'intents[0]: name'),
    ('name: go', 'name: go\n    kind: wish', 'intents[0]: kind'),
    ("    en: ['go to {place}']\n    zh: ['去{place}']", '', 'go: expected phrases in en or zh'),
    ("zh: ['去{place}']", "zh: ['go']", 'go.zh'),
    ("en: ['go to {place}']", "en: ['去']", 'go.en'),
    ("en: ['go to {place}']", "en: ['go to {place']", 'closing brace'),
    ("en: ['go to {place}']", "en: ['go [to {place}]']", 'go.answer.en: expected slots'),
    ("{en: 'Going to {place}.'}", "{en: 'Going to {place.'}", 'go.answer.en'),
    ("{en: 'Going to {place}.'}", "{de: 'Ja.'}", 'go.answer'),
    ('name: go', 'name: go\n    without_name: maybe', 'without_name'),
])
def test_a_fault_is_refused_naming_file_and_key(tmp_path, before, after, named):
    assert before in MINIMAL
    with pytest.raises(ConfigurationError) as caught:
        read(tmp_path, MINIMAL.replace(before, after))
    assert 'some.yaml' in str(caught.value)
    assert named in str(caught.value)


def test_a_slot_that_nobody_describes_is_refused(tmp_path):
    rules = read(tmp_path, MINIMAL.replace('place: {kind', 'thing: {kind'))
    with pytest.raises(ConfigurationError, match=r'intents.go.en: expected slots out of thing'):
        IntentMatcher(rules)


def test_rules_of_ones_own_replace_those_of_their_name(tmp_path):
    shipped = read(tmp_path, MINIMAL + '  - {name: stop, en: [stop]}\n')
    own = read(tmp_path, 'intents: [{name: stop, en: [whoa]}, {name: dance, en: [dance]}]')
    matcher = IntentMatcher(join_files(shipped, own))
    found = [matcher.match(text) for text in ('whoa', 'stop', 'dance', 'go to the sea')]
    assert [intent and intent.name for intent in found] == ['stop', None, 'dance', 'go']
