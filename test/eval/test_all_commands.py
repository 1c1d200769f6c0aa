"""All commands of a model card one after the other."""

import argparse
import importlib
import itertools
import re

import pytest

from audio_interaction_ros.resources import shipped_path
from eval import all_commands
from eval.__main__ import COMMANDS

pytestmark = pytest.mark.unit


def options_of(name, arguments):
    parser = argparse.ArgumentParser()
    importlib.import_module(COMMANDS[name][0]).add_arguments(parser)
    return parser.parse_args([str(part) for part in arguments])


def asked(tmp_path, *more):
    return options_of('all', ['--data', tmp_path / 'data', '--speech', tmp_path / 'speech',
                              '--out', tmp_path / 'out', '--limit', 3, *more])


def test_every_command_understands_what_it_is_given(tmp_path):
    options = asked(tmp_path, '--translated', tmp_path / 'a', tmp_path / 'b', '--pairs',
                    tmp_path / 'p.tsv', '--tagger', tmp_path / 't')
    found = all_commands.list_commands(options, options.out)
    assert list(found) == list(all_commands.CARD)
    for name, arguments in found.items():
        parsed = options_of(name, arguments)
        assert parsed.limit == 3 and parsed.out == tmp_path / 'out' / name
        # A model card's figures are taken at what the model itself names.
        assert not {'--threshold', '--min-confidence'} & set(arguments)
    assert options_of('translation', found['translation']).speech == [
        tmp_path / 'a', tmp_path / 'b']
    assert options_of('dialogue', found['dialogue']).speech == tmp_path / 'speech'
    assert options_of('alerts', found['alerts']).tagger == tmp_path / 't'


@pytest.mark.parametrize('name', list(all_commands.CARD))
def test_the_model_card_names_the_options_that_its_figures_are_taken_with(name):
    card = ' '.join(shipped_path('models/edge/README.md').read_text(encoding='utf-8').split())
    said = re.search(rf'python -m eval {name} ([^`]*)`', card)
    assert said is not None
    for option, value in itertools.pairwise(all_commands.CARD[name]):
        if option.startswith('--'):
            assert f'{option} {value}' in said[1]


def test_one_that_fails_costs_no_other_and_is_said(tmp_path, monkeypatch, capsys):
    begun = []

    def call(words):
        begun.append(words[3])
        return 2 if words[3] == 'asr' else 0
    monkeypatch.setattr(all_commands.subprocess, 'call', call)
    assert all_commands.run(asked(tmp_path)) == 2
    assert begun == ['alerts', 'asr', 'dialogue', 'long']
    said = capsys.readouterr().out
    assert 'asr: ended with 2' in said and 'translation: left out' in said
    assert all_commands.run(asked(tmp_path, '--only', 'long')) == 0 and begun[4:] == ['long']
