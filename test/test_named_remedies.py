"""What a message tells a person to type exists: options, parameters, commands and files."""

import argparse
import ast
import functools
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from audio_interaction_ros.cli.main import _COMMANDS, _make_parser
from audio_interaction_ros.config import LaneConfig

pytestmark = pytest.mark.unit

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / 'audio_interaction_ros'
OPTION = re.compile(r'(?<![\w-])--[a-z][a-z0-9-]*(?![\w_])')
PROGRAM = re.compile(r'audio-interaction ([a-z]+)|python -m ([a-z_]+)|make (assistant)'
                     r'|([a-z]+_node)')
HEARD_BY = {  # who says what these modules raise, beside the commands of their own name
    'audio/bag.py': ('sounds', 'teach', 'calibrate', 'replay', 'report'),
    'cli/day_picture.py': ('report',), 'cli/sound_picture.py': ('sounds',),
    'cli/replay_sources.py': ('replay',), 'replay/corpus.py': ('replay',),
    'replay/recorded.py': ('replay', 'report'), 'replay/report.py': ('replay',),
    'graphs/manifest.py': ('export', 'model'), 'runtimes/engine_step.py': ('export',),
    'nodes/assistant.py': ('assistant',)}
OF_OTHERS = {'--ros-args', '--params-file', '--help'}
"""Options of ROS, and of every command."""


def texts_of(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the strings of a module with their lines, without docstrings; {} is a value."""
    tree = ast.parse(path.read_text(encoding='utf-8'))
    inside = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr)
              for part in node.values}
    inside |= {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            yield node.lineno, ''.join(part.value if isinstance(part, ast.Constant) else '{}'
                                       for part in node.values)
        elif (isinstance(node, ast.Constant) and isinstance(node.value, str)
              and id(node) not in inside):
            yield node.lineno, node.value


@functools.cache
def messages() -> list[tuple[str, str]]:
    """Return where each string of the package stands, and the string."""
    return [(f'{path.relative_to(PACKAGE)}:{line}', text) for path in sorted(PACKAGE.rglob('*.py'))
            for line, text in texts_of(path)]


def options_of(parser: argparse.ArgumentParser) -> set[str]:
    """Return the options of a command and of what is below it."""
    below = [inner for action in parser._actions if isinstance(action, argparse._SubParsersAction)
             for inner in action.choices.values()]
    return set(parser._option_string_actions).union(*map(options_of, below))


def written_in(*paths: Path) -> set[str]:
    """Return the options that modules write down, each as a string of its own."""
    return {text for path in paths for _, text in texts_of(path) if OPTION.fullmatch(text)}


@pytest.fixture(scope='module')
def programs() -> dict[str, set[str]]:
    """Return the options of each program."""
    nodes = {path.stem: written_in(path) for path in (PACKAGE / 'nodes').glob('*.py')}
    return {**nodes, 'export': written_in(*(ROOT / 'export').glob('*.py'),
                                          PACKAGE / 'cli/model_export.py'),
            **{name: options_of(_make_parser([name])) for name in _COMMANDS}}


def find_unknown(where: str, text: str, programs: dict[str, set[str]]) -> set[str]:
    """Return the options of a text that who says it, or whom it names, does not have."""
    named = [next(filter(None, names)) for names in PROGRAM.findall(text)]
    file = where.partition(':')[0]
    command = Path(file).stem if file.startswith('cli/') else ''
    sayers = HEARD_BY.get(file) or ((command,) if command in programs else ())
    wanted = set(OPTION.findall(text)) - OF_OTHERS
    of_sayers = set.intersection(*map(programs.get, sayers)) if sayers else set()
    return wanted - of_sayers - set().union(*(programs.get(name, set()) for name in named))


def test_an_option_that_a_message_names_is_one_of_whoever_says_it_or_is_named(programs):
    wrong = {f'{where} {sorted(unknown)}: {text}' for where, text in messages()
             if not OPTION.fullmatch(text.strip())
             and (unknown := find_unknown(where, text, programs))}
    assert not {line for line in wrong if 'ct2-transformers-converter' not in line}
    assert find_unknown('audio/bag.py:1', 'name one in --raw', programs) == {'--raw'}
    assert find_unknown('audio/mono.py:1', 'give --topic', programs) == {'--topic'}
    assert not find_unknown('audio/mono.py:1', 'audio-interaction stream --raw', programs)


def test_a_parameter_that_a_message_names_is_declared():
    pytest.importorskip('rclpy')
    from audio_interaction_ros.nodes.lifecycle.parameters import GROUPS, list_declarations
    known = {item.name for item in list_declarations(
        list(GROUPS), [LaneConfig(name=name) for name in ('assistant', 'transcript')])}
    # a name that goes on, as of a field of a message, or of a tensor or a file, is none
    name = re.compile(rf'(?<![\w./~-])(?:{"|".join(GROUPS)}|lane\.(?:assistant|transcript))'
                      r'\.[a-z_0-9]+(?![\w.{])')
    found = [(where, word) for where, text in messages() if ' ' in text
             if ';' not in text[:20]  # a program in a string
             for word in name.findall(text)
             if not word.endswith(('.wav', '.bin', '.safetensors'))]
    assert len(found) > 50
    assert not [one for one in found if one[1] not in known]


def test_a_command_and_a_file_that_a_message_names_exist():
    targets = set(re.findall(r'^([a-z-]+):', (ROOT / 'Makefile').read_text(), re.MULTILINE))
    count = 0
    for where, text in messages():
        for command in re.findall(r'audio-interaction ([a-z]+)', text):
            assert command in _COMMANDS, (where, text)
            count += 1
        for target in re.findall(r'make ([a-z-]+) [A-Z]+=', text):
            assert target in targets, (where, text)
        for name in re.findall(r'(?:requirements|docs)/[\w/]+\.(?:txt|md)', text):
            assert (ROOT / name).is_file(), (where, text)
            count += 1
    assert count > 10


@pytest.mark.parametrize('page', sorted([ROOT / 'README.md', *(ROOT / 'docs').rglob('*.md')]),
                         ids=lambda page: page.name)
def test_an_option_that_a_page_gives_a_command_exists(page, programs):
    text = page.read_text(encoding='utf-8').replace('\\\n', ' ')
    for command, words in re.findall(r'audio-interaction ([a-z]+)([^`\n|#;&]*)', text):
        assert not set(OPTION.findall(words)) - programs.get(command, set()) - OF_OTHERS, words
