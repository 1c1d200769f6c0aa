"""`audio-interaction intent`: what a text would mean, by the shipped file and one's own."""

import pytest

from audio_interaction_ros.cli.main import main

pytestmark = pytest.mark.unit

OWN = """
slots:
  tool: {kind: values, values: {wrench: [wrench, spanner]}}
intents:
  - name: hand_over
    answer: {en: 'Here is the {tool}.'}
    en: ['(hand|give) me (the|a|my) {tool}']
"""


def test_a_file_of_ones_own_is_asked_and_the_shipped_one_after_it(tmp_path, capsys):
    (tmp_path / 'my.yaml').write_text(OWN)
    assert main(['intent', 'Hand me the spanner, please.', 'Go to the kitchen.', '--intents',
                 str(tmp_path / 'my.yaml')]) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert 'hand_over' in first and '[tool: wrench] "Here is the spanner."' in first
    assert ': go ' in second and 'place: kitchen' in second


def test_what_means_nothing_says_so(capsys):
    assert main(['intent', 'The sky over the harbour was grey.']) == 1
    assert capsys.readouterr().out.endswith(': none\n')


@pytest.mark.parametrize(('old', 'new', 'key'), [
    ('{tool}.', '{spoon}.', 'hand_over.answer.en'),
    ('(the|a|my)', '(the|a|my', 'hand_over.en: phrase'),
    ('me (the|a|my) {tool}', 'me {tool} to {whom}', 'hand_over.en: expected slots out of')])
def test_a_bad_file_is_one_clear_line_with_file_and_key(old, new, key, tmp_path, capsys):
    (tmp_path / 'my.yaml').write_text(OWN.replace(old, new))
    assert main(['intent', 'hello', '--intents', str(tmp_path / 'my.yaml')]) == 2
    said = capsys.readouterr().err
    assert 'my.yaml' in said and key in said and said.count('\n') == 1
