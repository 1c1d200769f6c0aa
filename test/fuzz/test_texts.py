"""Any YAML and any words: a value that is right, or a sentence that says what was expected."""

import json
import string

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from audio_interaction_ros.alerts.alert import Alert, AlertState, Category, Severity
from audio_interaction_ros.alerts.journal import JournalContents, JournalError, dump, parse
from audio_interaction_ros.alerts.phrase_index import is_chinese, words_of
from audio_interaction_ros.alerts.phrases import PhraseMatcher
from audio_interaction_ros.alerts.rules import AlertRules, load_rules, parse_rules
from audio_interaction_ros.config import AssistantConfig, fields_with_help
from audio_interaction_ros.errors import ConfigurationError
from audio_interaction_ros.parameter_file import check_arguments, load_configuration
from audio_interaction_ros.resources import shipped_path
from audio_interaction_ros.strict_yaml import build, dump_yaml, parse_yaml

pytestmark = pytest.mark.unit

SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=12),
    st.sampled_from(['', '~', 'NaN', '.inf', '1e400', '0x10', 'on', '2020-01-01', '\0', '\ud800']))
WORDS = st.sampled_from([
    'fire', 'smoke', 'alarm', 'no', 'not', 'but', 'is', "don't", '火', '没有', '警报', '但', ',',
    '.', '\u0307', 'ﬁre', 'ALARM'])
SENTENCES = st.lists(st.one_of(WORDS, st.text(max_size=6)), max_size=12).map(' '.join)
RULES = shipped_path('config/alerts.yaml').read_text(encoding='utf-8')
SHIPPED = load_rules(shipped_path('config/alerts.yaml'))
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


@pytest.mark.share(1)
@given(edits=EDITS)
def test_rules_that_somebody_mistyped_are_read_or_named(edits):
    try:
        assert isinstance(parse_rules(edited(RULES, edits), source='r.yaml'), AlertRules)
    except ConfigurationError as error:
        assert 'r.yaml' in str(error) and len(str(error).splitlines()) == 1


@pytest.mark.share(3)
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


@pytest.mark.share(2)
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
    except ConfigurationError:
        return
    assert isinstance(config, AssistantConfig)


PARAMETERS = ('/**:\n  ros__parameters:\n    lanes: [a, b]\n    lane:\n      a: {kind: reply}\n'
              '      b.alerts: true\n    fifo.capacity: 8\n    model: {path: edge}\n'
              'robot:\n  decoder_node:\n    ros__parameters: {fifo: {drain: C}, path: x}\n')
PLACES = st.sampled_from([
    'ros__parameters', '/**', '*', 'decoder_node', '/robot/encoder_node', 'other_node', 'lane',
    'lanes', 'lane.a', 'a', 'audio', 'fifo.capacity', 'fifo', 'capacity', 'model', 'path', '.',
    'a.b.', 'kind', 'name'])


@pytest.fixture(scope='module')
def path(tmp_path_factory):
    return tmp_path_factory.mktemp('parameters') / 'p.yaml'


@pytest.mark.share(2)
@given(text=st.one_of(
    st.lists(st.tuples(st.integers(0, len(PARAMETERS)), st.integers(0, 8), st.one_of(
        st.text(max_size=4), st.sampled_from(list('-:[]{}&*!|>#%.`\'"\n ')))),
        max_size=4).map(lambda edits: edited(PARAMETERS, edits)),
    trees(PLACES).map(lambda tree: dump_yaml({'/**': {'ros__parameters': tree}})),
    trees(PLACES).map(dump_yaml)))
def test_any_parameter_file_is_taken_or_named_alike_by_a_node_and_without_ros(path, text):
    path.write_bytes(text.encode('utf-8', 'surrogatepass'))
    arguments = ['--ros-args', '--params-file', str(path)]
    try:
        config = load_configuration(path)
    except ConfigurationError as error:
        assert str(path) in str(error)
        with pytest.raises(ConfigurationError):
            check_arguments(arguments)
    else:
        assert isinstance(config, AssistantConfig)
        check_arguments(arguments)


@pytest.mark.share(3)
@given(flags=st.lists(st.one_of(
    st.sampled_from(['--ros-args', '-p', '--param', '-r', '--params-file']), st.text(max_size=8),
    st.tuples(PLACES, st.text(max_size=12)).map(':='.join)), max_size=8).filter(
        lambda flags: '--params-file' not in flags[:-1]))
def test_any_overrides_are_taken_or_named(flags):
    try:
        check_arguments(flags)
    except ConfigurationError as error:
        assert str(error)


ALERT = Alert(
    id='fire-1-1', label='fire', category=Category.ALARM, severity=Severity.CRITICAL,
    state=AlertState.ACTIVE, message='Fire! 火', confidence=0.75, count=3, stamp_ns=1,
    last_seen_ns=2, ttl_ns=3, requires_ack=True)
JOURNAL = dump(JournalContents(alerts=(ALERT,), frame_id='mic', saved_s=1.5)).decode()
FIELDS = st.sampled_from([*vars(ALERT), 'format', 'version', 'saved_s', 'frame_id', 'alerts'])
RECORDS = st.dictionaries(FIELDS, st.one_of(SCALARS, st.lists(SCALARS, max_size=2)), max_size=3)


def journal(top, inner):
    document = json.loads(JOURNAL)
    document['alerts'][0].update(inner)
    return json.dumps({**document, **top}).encode()


@pytest.mark.share(6)
@given(data=st.one_of(
    st.binary(max_size=80), st.builds(journal, RECORDS, RECORDS),
    st.lists(st.tuples(st.integers(0, len(JOURNAL)), st.integers(0, 8), st.text(max_size=4)),
             max_size=3).map(lambda edits: edited(JOURNAL, edits).encode('utf-8', 'replace'))))
def test_any_journal_holds_sound_alerts_or_is_refused(data):
    try:
        kept = parse(data, source='alerts.json')
    except JournalError as error:
        assert 'alerts.json' in str(error)
        return
    assert parse(dump(kept), source='again') == kept
    for alert in kept.alerts:
        assert alert.state.open and alert.requires_ack and 0 <= alert.confidence <= 1
        (alert.message + alert.id + alert.label).encode()
