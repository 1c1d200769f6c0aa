"""Any YAML and any words: a value that is right, or a sentence that says what was expected."""

import string

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from audio_interaction_ros.alerts.phrases import PhraseMatcher, is_chinese, words_of
from audio_interaction_ros.alerts.rules import AlertRules, load_rules, parse_rules
from audio_interaction_ros.config import AssistantConfig, check_ranges, fields_with_help
from audio_interaction_ros.errors import ConfigurationError
from audio_interaction_ros.resources import shipped
from audio_interaction_ros.strict import build, dump_yaml, parse_yaml

pytestmark = pytest.mark.unit

SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=12),
    st.sampled_from(['', '~', 'NaN', '.inf', '1e400', '0x10', 'on', '2020-01-01', '\0', '\ud800']))
WORDS = st.sampled_from([
    'fire', 'smoke', 'alarm', 'no', 'not', 'but', 'is', "don't", '火', '没有', '警报', '但', ',',
    '.', '\u0307', 'ﬁre', 'ALARM'])
SENTENCES = st.lists(st.one_of(WORDS, st.text(max_size=6)), max_size=12).map(' '.join)
RULES = shipped('config/alerts.yaml').read_text(encoding='utf-8')
SHIPPED = load_rules(shipped('config/alerts.yaml'))
KEYS = st.sampled_from([
    'labels', 'timing', 'negation', 'phrases', 'severity', 'category', 'default', 'unknown',
    'smoke_alarm', 'en', 'zh', 'ttl_s', 'latch', 'before', 'after', 'x', '1'])
GROUPS = st.sampled_from(['audio', 'fifo', 'model', 'lanes', 'transcript', 'translation', 'alerts',
                          'record', 'x'])
INNER = st.sampled_from([help_.name for group in ('audio', 'fifo', 'model') for help_ in
                         fields_with_help(type(getattr(AssistantConfig(), group)))] + ['x'])


def trees(keys):
    return st.recursive(SCALARS, lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(keys, inner, max_size=4)), max_leaves=12)


EDITS = st.lists(st.tuples(st.integers(0, len(RULES)), st.integers(0, 12), st.one_of(
    st.text(max_size=4), st.sampled_from(list('-:[]{}&*!|>#%@`\'"\n \t')))), max_size=4)


def edited(text, edits):
    for at, gone, more in edits:
        text = text[:at] + more + text[at + gone:]
    return text


@pytest.mark.share(2)
@given(edits=EDITS)
def test_rules_that_somebody_mistyped_are_read_or_named(edits):
    try:
        assert isinstance(parse_rules(edited(RULES, edits), source='r.yaml'), AlertRules)
    except ConfigurationError as error:
        assert 'r.yaml' in str(error) and len(str(error).splitlines()) == 1


@pytest.mark.share(5)
@given(tree=trees(KEYS))
def test_rules_of_any_shape_are_read_or_named(tree):
    try:
        text = yaml.safe_dump(tree, allow_unicode=True)
    except (yaml.YAMLError, UnicodeError):
        return
    try:
        parse_rules(text, source='r.yaml')
    except ConfigurationError as error:
        assert 'r.yaml' in str(error)


@pytest.mark.share(12)
@given(text=SENTENCES)
def test_any_sentence_is_searched_for_alerts(text):
    assert {rule.label for rule in SHIPPED.match(text)} <= set(SHIPPED.labels)


@pytest.mark.share(5)
@given(phrases=st.dictionaries(
    SENTENCES.filter(lambda text: words_of(text) or is_chinese(text)),  # as rules.py holds
    st.text(string.ascii_letters, min_size=1, max_size=3), max_size=5), text=SENTENCES)
def test_any_phrases_are_found_or_not_in_any_sentence(phrases, text):
    found = PhraseMatcher(phrases=phrases).find(text)
    assert set(found) <= set(phrases.values()) and len(set(found)) == len(found)


@pytest.mark.share(6)
@given(text=st.one_of(st.text(max_size=80),
                      st.text('-:[]{}&*!|>#%@`\'",\n \tab01.~', max_size=60)))
def test_any_text_is_yaml_or_named(text):
    try:
        value = parse_yaml(text, 'a.yaml')
    except ConfigurationError as error:
        assert 'a.yaml' in str(error)
        return
    if value == value:  # noqa: PLR0124 - not a number equals nothing
        assert repr(parse_yaml(dump_yaml(value), 'b.yaml')) == repr(value)


@pytest.mark.share(6)
@given(values=st.dictionaries(GROUPS, st.one_of(SCALARS, st.dictionaries(
    INNER, st.one_of(SCALARS, st.lists(SCALARS, max_size=2)), max_size=4)), max_size=4))
def test_any_configuration_is_taken_or_named(values):
    try:
        config = build(AssistantConfig, values, 'c.yaml')
        check_ranges(config, 'c.yaml')
    except ConfigurationError:
        return
    assert isinstance(config, AssistantConfig)
