"""The rules file: strict reading, phrase matching, and the file that we ship."""

from pathlib import Path

import pytest

from audio_interaction_ros.alerts.alert import Category, Severity
from audio_interaction_ros.alerts.rules import load_rules, parse_rules
from audio_interaction_ros.errors import ConfigurationError

pytestmark = pytest.mark.unit

SHIPPED = Path(__file__).parents[2] / 'config' / 'alerts.yaml'

MINIMAL = """
labels:
  fire: {category: ALARM, severity: CRITICAL, en: [fire], zh: [着火]}
"""


@pytest.fixture(scope='module')
def shipped():
    return load_rules(SHIPPED)


def labels(rules, text):
    return [rule.label for rule in rules.match(text)]


@pytest.mark.parametrize(('text', 'named'), [
    ('labels: {}', 'labels'),
    ('[]', 'some.yaml: expected a mapping'),
    ('colour: red\n' + MINIMAL, 'colour'),
    (MINIMAL.replace('severity', 'severty'), "labels.fire: unknown key 'severty'"),
    (MINIMAL.replace('CRITICAL', 'BAD'), 'labels.fire.severity'),
    (MINIMAL.replace('ALARM', 'alarm'), 'labels.fire.category'),
    (MINIMAL.replace('[fire]', '[no]'), 'some.yaml:3: '),
    (MINIMAL.replace('[fire]', 'fire'), 'labels.fire.en'),
    (MINIMAL.replace('[着火]', '[fire]'), 'labels.fire: zh'),
    (MINIMAL.replace('[fire]', '["!"]'), 'labels.fire: en'),
    (MINIMAL.replace('en: [fire], zh: [着火]', ''), 'labels.fire'),
    ('defaults: {ttl: 3}\n' + MINIMAL, "defaults: unknown key 'ttl'"),
    ('defaults: {ttl_s: 0}\n' + MINIMAL, 'defaults: ttl_s'),
    (MINIMAL.replace('CRITICAL', 'CRITICAL, cooldown_s: 1e9'), 'labels.fire: cooldown_s'),
    ('defaults: {ttl_s: .nan}\n' + MINIMAL, 'defaults.ttl_s'),
    ('defaults: {min_repeats: 1.5}\n' + MINIMAL, 'defaults.min_repeats'),
    ('negation: {window_words: yes}\n' + MINIMAL, "found 'yes'"),
    ('negation: {before: [not]}\n' + MINIMAL, 'negation.before'),
    ('urgent: {label: fire, category: UNKNOWN, severity: WARN}\n' + MINIMAL, 'urgent.label'),
    ('ignore: {en: [Fire]}\n' + MINIMAL, 'ignore'),
    (MINIMAL + '  fire: {category: ALARM, severity: INFO, en: [flames]}\n', "'fire' given twice"),
    ('labels: [', 'valid YAML'),
    ('defaults: {min_repeats: 12, min_interval_s: 1}\n' + MINIMAL, 'labels.fire.min_repeats'),
    ('urgent: {min_repeats: 2, repeat_window_s: 1, min_interval_s: 2}\n' + MINIMAL,
     'urgent.min_repeats: expected so many as fit into repeat_window_s (1)'),
])
def test_a_fault_is_refused_naming_file_and_key(text, named):
    with pytest.raises(ConfigurationError) as caught:
        parse_rules(text, source='some.yaml')
    assert 'some.yaml' in str(caught.value)
    assert named in str(caught.value)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ConfigurationError, match='nowhere.yaml'):
        load_rules(tmp_path / 'nowhere.yaml')


def test_defaults_are_inherited_and_overridden():
    rules = parse_rules('defaults: {ttl_s: 7, requires_ack_from: WARN}\n' + MINIMAL.replace(
        'CRITICAL', 'WARN, cooldown_s: 2, requires_ack: false'), source='x')
    fire = rules.labels['fire']
    assert (fire.timing.ttl_s, fire.timing.cooldown_s) == (7, 2)
    assert not fire.requires_ack
    assert rules.urgent.requires_ack


@pytest.mark.parametrize(('text', 'expected'), [
    ('I hear a smoke alarm!', ['smoke_alarm']),
    ('SMOKE-ALARM', ['smoke_alarm']),
    ('The smoke_alarm is on.', ['smoke_alarm']),
    ('The fire alarm went off.', ['fire_alarm']),
    ('Fire! Get out.', ['fire']),
    ('There is a fireplace.', []),
    ('Glass breaking, then a scream.', ['glass_break', 'scream']),
    ('A dog is barking. The dog barks again.', ['dog_bark']),
    ('A gunshot. A gunshot!', ['gunshot']),
    ('Somebody is at the door: a knock.', ['door_knock']),
    ('The carbon monoxide alarm is beeping', ['co_alarm']),
    ('the baby is crying', ['baby_cry']),
    ('A siren is coming closer', ['siren']),
    ('I hear a car horn and thunder', ['horn', 'thunder']),
    ('Here is a fire extinguisher', []),
    ('Good morning, how are you?', []),
    ('', []),
    ('听到烟雾报警器在响', ['smoke_alarm']),
    ('有人摔倒了,快来!', ['fall']),
    ('外面有枪声和尖叫声', ['gunshot', 'scream']),
    ('火车来了', []),
    ('检测到 smoke alarm', ['smoke_alarm']),
    ('检测到smoke alarm在响', ['smoke_alarm']),
])
def test_shipped_phrases_are_found(shipped, text, expected):
    assert labels(shipped, text) == expected


@pytest.mark.parametrize('text', [
    'There is no fire.',
    'No fire or smoke was heard',
    'That was not a gunshot',
    'It isn’t a smoke alarm',
    'I do not hear a fire alarm',
    "I can't hear any smoke alarm",
    'There is no sign of a fire',
    'The fire alarm has stopped.',
    'The baby has stopped crying.',
    '没有火灾',
    '没有听到枪声',
    '那不是火警',
    '警报已解除',
])
def test_what_is_taken_back_does_not_match(shipped, text):
    assert labels(shipped, text) == []


@pytest.mark.parametrize(('text', 'expected'), [
    ('No, that is a fire alarm!', ['fire_alarm']),
    ('Not only the smoke alarm.', ['smoke_alarm']),
    ('Do not ignore the smoke alarm', ['smoke_alarm']),
    ('There is no fire but a gunshot', ['gunshot']),
    ('Do not go near the fire', ['fire']),
    ("The baby hasn't stopped crying", ['cry']),
    ('There is no school today and I can hear a fire alarm', ['fire_alarm']),
    ('The smoke alarm has not stopped', ['smoke_alarm']),
    ('没关系,有人在呼救', ['help_call']),
])
def test_a_negation_elsewhere_takes_nothing_back(shipped, text, expected):
    assert labels(shipped, text) == expected


def test_every_shipped_phrase_finds_its_own_label(shipped):
    for rule in shipped.labels.values():
        for phrase in (*rule.en, *rule.zh):
            assert rule.label in labels(shipped, f'I hear {phrase}'), phrase


def test_shipped_labels_carry_their_own_name(shipped):
    for label in ('smoke_alarm', 'fire_alarm', 'glass_break', 'dog_bark', 'baby_cry', 'gunshot',
                  'scream', 'cough', 'siren', 'thunder', 'doorbell', 'door_knock', 'car_horn'):
        assert labels(shipped, label.replace('_', ' ')), label


def test_shipped_severities_of_what_matters(shipped):
    rule = shipped.labels['smoke_alarm']
    assert (rule.category, rule.severity, rule.requires_ack) == (
        Category.ALARM, Severity.CRITICAL, True)
    assert shipped.labels['doorbell'].severity is Severity.INFO
    assert not shipped.labels['doorbell'].requires_ack
