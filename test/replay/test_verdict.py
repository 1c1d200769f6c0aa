"""What was heard against what was expected: what fits, what is missing, what is too much."""

import itertools

import pytest

from audio_interaction_ros.alerts.alert import Severity
from audio_interaction_ros.errors import ConfigurationError
from audio_interaction_ros.replay.expectation import (
    FORMAT,
    Expectation,
    Expected,
    read_expectation,
    write_expectation,
)
from audio_interaction_ros.replay.heard import KINDS, Heard, in_order
from audio_interaction_ros.replay.record import record_expectation
from audio_interaction_ros.replay.report import describe, to_json, write_junit
from audio_interaction_ros.replay.verdict import hold_against

pytestmark = pytest.mark.unit

SAID = Heard(kind='transcript', start_s=1.0, end_s=3.5, text='Bring me a glass, please.',
             language='en')
ALARM = Heard(kind='alert', start_s=11.2, end_s=16.0, label='smoke_alarm',
              severity=Severity.CRITICAL, text='A smoke alarm is sounding.')
BEEP = Heard(kind='sound', start_s=11.2, end_s=16.4, label='smoke_alarm')
ANSWER = Heard(kind='reply', start_s=4.4, end_s=4.4, text='Bringing a glass.', intent='bring',
               slots={'object': 'glass'})


def file(*expect, **more):
    return Expectation(format=FORMAT, expect=expect, **more)


def judge(heard, *expect, **more):
    return hold_against('scene', heard, file(*expect, **more))


@pytest.mark.parametrize(('expected', 'heard'), [
    ({'kind': 'transcript'}, SAID),
    ({'kind': 'transcript', 'text': 'bring ME a glass please', 'at': 2.0}, SAID),
    ({'kind': 'transcript', 'text': 'bring me the glass please', 'wer': 0.2}, SAID),
    ({'kind': 'transcript', 'pattern': 'GLASS|cup', 'language': 'en'}, SAID),
    ({'kind': 'transcript', 'at': 4.4}, SAID),
    ({'kind': 'transcript', 'at': 0.0, 'until': 1.0}, SAID),
    ({'kind': 'alert', 'label': 'smoke_alarm', 'severity': Severity.CRITICAL, 'at': 12.0}, ALARM),
    ({'kind': 'sound', 'label': 'smoke_alarm', 'at': 14.0, 'within_s': 0.0}, BEEP),
    ({'kind': 'reply', 'intent': 'bring', 'slots': {'object': 'glass'}}, ANSWER)])
def test_what_fits(expected, heard):
    assert judge([heard], Expected(**expected)).passed


@pytest.mark.parametrize(('expected', 'heard', 'fault'), [
    ({'kind': 'transcript', 'text': 'bring me the glass please'}, SAID, 'WER 0.20, 0.00 allowed'),
    ({'kind': 'transcript', 'pattern': 'cup'}, SAID, 'without /cup/'),
    ({'kind': 'transcript', 'language': 'zh'}, SAID, 'language en, not zh'),
    ({'kind': 'transcript', 'at': 6.0}, SAID, '2.5 s too early, 1.0 s allowed'),
    ({'kind': 'alert', 'at': 9.0}, ALARM, '2.2 s too late, 1.0 s allowed'),
    ({'kind': 'alert', 'at': 15.0}, ALARM, '3.8 s too early'),  # its onset counts
    ({'kind': 'alert', 'label': 'glass_break'}, ALARM, 'label smoke_alarm, not glass_break'),
    ({'kind': 'alert', 'severity': Severity.WARN}, ALARM, 'severity CRITICAL, not WARN'),
    ({'kind': 'reply', 'intent': 'stop'}, ANSWER, 'intent bring, not stop'),
    ({'kind': 'reply', 'slots': {'object': 'cup'}}, ANSWER, 'object glass, not cup')])
def test_what_does_not_fit_says_what_came_nearest_and_why_not(expected, heard, fault):
    verdict = judge([heard], Expected(**expected))
    item, = verdict.missing
    assert item.nearest == heard and len(item.faults) == 1 and fault in item.faults[0]
    told = '\n'.join(describe(verdict))
    assert 'FAILED' in told and f'nearest: {heard.describe()}' in told and fault in told


def test_without_anything_of_its_kind_there_is_no_nearest():
    verdict = judge([BEEP], Expected(kind='alert'))
    assert verdict.missing[0].nearest is None
    assert 'no alert came' in '\n'.join(describe(verdict))


def test_nothing_else_counts_for_the_kinds_that_it_names():
    assert judge([SAID, BEEP], Expected(kind='transcript'), nothing_else=('alert',)).passed
    verdict = judge([SAID, BEEP], Expected(kind='transcript'), nothing_else=KINDS)
    assert [item.heard for item in verdict.extra] == [BEEP]
    assert 'TOO MUCH 11.2 s sound smoke_alarm' in '\n'.join(describe(verdict))


def test_a_surplus_names_the_expectation_that_it_nearly_was():
    verdict = judge([ALARM], Expected(kind='alert', label='fire_alarm'), nothing_else=('alert',))
    assert verdict.extra[0].nearest == Expected(kind='alert', label='fire_alarm')
    assert 'nearest that is missing: alert fire_alarm' in '\n'.join(describe(verdict))


def test_what_must_never_come_is_told_even_where_it_is_expected():
    never = Expected(kind='alert', label='smoke_alarm', at=11.0)
    assert judge([ALARM], never=(Expected(kind='alert', label='glass_break'),)).passed
    verdict = judge([ALARM], Expected(kind='alert'), never=(never,))
    assert not verdict.passed and not verdict.missing
    assert verdict.extra[0].why == 'never: 11.0 s alert smoke_alarm'


def test_what_is_optional_is_never_missing_and_never_too_much():
    perhaps = Expected(kind='alert', label='smoke_alarm', optional=True)
    assert judge([], perhaps, nothing_else=('alert',)).passed
    assert judge([ALARM], perhaps, nothing_else=('alert',)).passed


@pytest.mark.parametrize('order', list(itertools.permutations(range(3))))
def test_as_many_fit_as_can_in_any_order(order):
    """What fits only one takes that one, though another that fits both comes first."""
    heard = [Heard(kind='sound', start_s=at, end_s=at, label='bell') for at in (1.0, 1.8, 2.6)]
    wanted = [Expected(kind='sound', at=1.4), Expected(kind='sound', at=0.5),
              Expected(kind='sound', at=3.4, label='bell')]
    verdict = judge(heard, *(wanted[i] for i in order), nothing_else=KINDS)
    assert verdict.passed and len({id(one) for _, one in verdict.matched}) == 3


def test_what_must_come_takes_before_what_may():
    may, must = Expected(kind='alert', optional=True), Expected(kind='alert', at=11.0)
    assert judge([ALARM], may, must).passed


def test_a_recording_that_is_recorded_is_as_expected(tmp_path):
    heard = in_order([ALARM, BEEP, SAID, ANSWER])
    path = tmp_path / 'new.expect.yaml'
    write_expectation(path, record_expectation(heard))
    written = read_expectation(path)
    assert written == record_expectation(heard)
    assert hold_against('scene', heard, written).passed
    assert len(hold_against('scene', [], written).missing) == 4
    assert len(hold_against('scene', [*heard, SAID], written).extra) == 1


WRONG = {
    'an unknown key': ('expect: [{kind: alert, lable: bell}]', 'lable'),
    'an unknown kind': ('expect: [{kind: song}]', 'kind'),
    'no kind': ('expect: [{label: bell}]', 'kind'),
    'a text of a sound': ('expect: [{kind: sound, text: ring}]', 'text'),
    'an intent of an alert': ('expect: [{kind: alert, intent: stop}]', 'intent'),
    'a severity that there is not': ('expect: [{kind: alert, severity: BAD}]', 'severity'),
    'an end without a beginning': ('expect: [{kind: sound, until: 3.0}]', 'until'),
    'an end before its beginning': ('expect: [{kind: sound, at: 4, until: 3.0}]', 'until'),
    'no regular expression': ("expect: [{kind: reply, pattern: '('}]", 'pattern'),
    'errors in no text': ('expect: [{kind: reply, wer: 0.2}]', 'wer'),
    'a negative tolerance': ('expect: [{kind: reply, within_s: -1.0}]', 'within_s'),
    'nothing at all': ('note: empty', 'expect'),
    'another kind of nothing': ('nothing_else: [songs]', 'nothing_else'),
    'an option in never': ('never: [{kind: alert, optional: true}]', 'never')}


@pytest.mark.parametrize(('text', 'key'), WRONG.values(), ids=WRONG)
def test_a_wrong_file_is_refused_by_name_and_key(tmp_path, text, key):
    path = tmp_path / 'wrong.expect.yaml'
    path.write_text(f'format: {FORMAT}\n{text}\n', encoding='utf-8')
    with pytest.raises(ConfigurationError, match=key) as caught:
        read_expectation(path)
    assert str(path) in str(caught.value)


def test_a_file_of_another_format_is_refused(tmp_path):
    path = tmp_path / 'old.expect.yaml'
    path.write_text('format: audio-interaction-expectation/9\nnothing_else: [alert]\n')
    with pytest.raises(ConfigurationError, match=FORMAT):
        read_expectation(path)


def test_junit_has_a_case_for_each_and_a_failure_for_what_differs(tmp_path):
    junitparser = pytest.importorskip('junitparser', reason='junitparser is not installed')
    good = judge([SAID], Expected(kind='transcript'))
    bad = hold_against('kitchen', [ALARM], file(
        Expected(kind='transcript'), nothing_else=('alert',)))
    write_junit([good, bad], tmp_path / 'report.xml')
    suites = list(junitparser.JUnitXml.fromfile(str(tmp_path / 'report.xml')))
    assert [(suite.tests, suite.failures) for suite in suites] == [(2, 0), (2, 2)]


def test_json_of_a_verdict_says_what_the_text_says():
    told = to_json(judge([ALARM], Expected(kind='alert', label='bell'), nothing_else=('alert',)))
    assert told['passed'] is False
    assert told['missing'][0]['nearest']['severity'] == 'CRITICAL'
    assert told['too_much'][0]['heard']['label'] == 'smoke_alarm'
