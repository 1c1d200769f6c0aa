"""YAML text and plain values: what is taken, and what is refused with file, line and key."""

import contextlib
import dataclasses
import enum
from collections.abc import Mapping
from dataclasses import dataclass, field

import hypothesis
import pytest
from hypothesis import strategies

from audio_interaction_ros.config import RANGES, AssistantConfig
from audio_interaction_ros.errors import AudioInteractionError, ConfigurationError
from audio_interaction_ros.strict_yaml import build, dump_yaml, parse_yaml, read_yaml

pytestmark = pytest.mark.unit


class Colour(enum.Enum):
    RED = 1


@dataclass(frozen=True, kw_only=True)
class Inner:
    count: int = 1


@dataclass(frozen=True, kw_only=True)
class Outer:
    name: str
    share: float = 0.5
    inner: Inner = field(default_factory=Inner)
    several: tuple[Inner, ...] = ()
    pair: tuple[int, int] = (0, 0)
    by_name: Mapping[str, float] = field(default_factory=dict)
    perhaps: Inner | None = None
    colour: Colour = Colour.RED
    on: bool = False


@pytest.mark.parametrize(('text', 'value'), [
    ('1e3', 1000.0), ('1e-4', 1e-4), ('.5', 0.5), ('-.inf', float('-inf')), ('0x10', 16),
    ('010', '010'), ('1_000', '1_000'), ('12:30', '12:30'), ('2026-01-01', '2026-01-01'),
    ("'no'", 'no'), ('true', True), ('~', None), ('nobody', 'nobody'), ('', None)])
def test_words_mean_what_yaml_1_2_says(text, value):
    assert parse_yaml(text, 'x') == value


@pytest.mark.parametrize(('text', 'named'), [
    ('a: 1\nb: no', 'x:2: '), ('a: On', 'quotes'), ('a: 1\na: 2', "'a' given twice"),
    ('a: &b 1\nc: *b', 'alias'), ('[', 'valid YAML'), ('a: !!python/name:os.system x', 'x:1'),
    ('? [1, 2]\n: 3', 'x:1'), ('a: 1\n---\nb: 2', 'x:2'), ('\x07', 'valid YAML'),
    ('[' * 3000, 'valid YAML')])
def test_a_fault_names_file_and_line(text, named):
    with pytest.raises(ConfigurationError) as caught:
        parse_yaml(text, 'x')
    assert str(caught.value).startswith('x') and named in str(caught.value)
    assert '\n' not in str(caught.value)


def test_a_file_of_a_program_may_name_a_node_again():
    assert parse_yaml('a: &b [1]\nc: *b', 'x', aliases=True) == {'a': [1], 'c': [1]}


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    (tmp_path / 'latin.yaml').write_bytes(b'a: \xe4')
    for path in (tmp_path / 'latin.yaml', tmp_path / 'none.yaml', tmp_path):
        with pytest.raises(ConfigurationError, match=path.name):
            read_yaml(path)


@hypothesis.given(strategies.text(max_size=40))
def test_any_text_is_read_or_refused(text):
    with contextlib.suppress(ConfigurationError):
        parse_yaml(text, 'x')


@hypothesis.given(strategies.recursive(
    strategies.none() | strategies.booleans() | strategies.integers() | strategies.text(
        strategies.characters(codec='utf-8', exclude_categories=['C'])) | strategies.floats(
            allow_nan=False) | strategies.sampled_from(['no', 'y', '1e3', '~', '0x1', '010']),
    lambda inner: strategies.lists(inner) | strategies.dictionaries(
        strategies.sampled_from(['a', 'no', '1', '1e3']), inner), max_leaves=8))
def test_what_is_dumped_is_read_again(value):
    assert parse_yaml(dump_yaml(value), 'x') == value


def test_values_become_what_the_fields_say():
    made = build(Outer, {
        'name': 'a', 'share': 1, 'inner': {'count': 2}, 'several': [{}, {'count': 3}],
        'pair': [1, 2], 'by_name': {'b': 2}, 'perhaps': None, 'colour': 'RED', 'on': True}, 'x')
    assert made == Outer(name='a', share=1.0, inner=Inner(count=2),
                         several=(Inner(), Inner(count=3)), pair=(1, 2), by_name={'b': 2.0},
                         on=True)
    assert type(made.share) is float


@pytest.mark.parametrize(('change', 'named'), [
    ({'nome': 'b'}, "x: unknown key 'nome', did you mean 'name'; expected one of"),
    ({'qqq': 'b'}, "x: unknown key 'qqq'; expected one of"),
    ({'name': 3}, 'x: name: expected text, found 3'),
    ({'share': 'much'}, 'x: share'), ({'share': True}, 'x: share'),
    ({'share': float('nan')}, 'x: share'), ({'inner': []}, 'x: inner'),
    ({'inner': {'count': 1.0}}, 'x: inner.count: expected a whole number'),
    ({'several': {}}, 'x: several'), ({'several': [{'count': ''}]}, 'x: several[0].count'),
    ({'pair': [1]}, 'x: pair: expected a list of 2'), ({'by_name': {1: 2}}, 'x: by_name'),
    ({'by_name': {'a': 'b'}}, 'x: by_name.a'), ({'perhaps': 3}, 'x: perhaps'),
    ({'colour': 'BLUE'}, 'x: colour: expected one of RED'), ({'on': 1}, 'x: on')])
def test_a_wrong_value_is_named_by_its_place(change, named):
    with pytest.raises(ConfigurationError) as caught:
        build(Outer, {'name': 'a', **change}, 'x')
    assert named in str(caught.value)


def test_a_key_that_must_be_there_is_named_in_the_error_asked_for():
    class OddError(AudioInteractionError):
        pass
    with pytest.raises(OddError, match="'name'"):
        build(Outer, {}, 'x', OddError)


@pytest.mark.parametrize('name', RANGES)
def test_a_number_out_of_its_range_is_refused_whoever_gives_it(name):
    group, _, key = name.partition('.')
    config = AssistantConfig()
    part = config.lanes[0] if group == 'lane' else getattr(config, group)
    for wrong in (RANGES[name][0] - 1, RANGES[name][1] + 1):
        with pytest.raises(ConfigurationError, match=key):
            dataclasses.replace(part, **{key: wrong})


def test_a_file_that_is_not_there_is_named_with_where_it_was_looked_for(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigurationError, match=f'rules.yaml: .* found none in {tmp_path};'):
        read_yaml('rules.yaml')
    with pytest.raises(ConfigurationError, match='found none; correct the path'):
        read_yaml(tmp_path / 'rules.yaml')
    tmp_path.rmdir()
    with pytest.raises(ConfigurationError, match='in a folder that is gone'):
        read_yaml('rules.yaml')
