"""Sounds in the rules file: labels, sentences, profiles, and thresholds that lie over them."""

from pathlib import Path

import numpy as np
import pytest

from audio_interaction_ros import assembly
from audio_interaction_ros.alerts.alert import Severity
from audio_interaction_ros.alerts.rules import load_rules, parse_rules
from audio_interaction_ros.alerts.thresholds import (
    ChosenThresholds,
    read_thresholds,
    write_thresholds,
)
from audio_interaction_ros.assembly import build_detector, build_policy
from audio_interaction_ros.config import AlertsConfig
from audio_interaction_ros.errors import ConfigurationError
from audio_interaction_ros.stream.events import SoundStarted
from audio_interaction_ros.stream.sound_events import SoundRule
from audio_interaction_ros.taught.folder import add_sound
from audio_interaction_ros.taught.head import TaughtSound

pytestmark = pytest.mark.unit

SHIPPED = Path(__file__).parents[2] / 'config' / 'alerts.yaml'

RULES = """
defaults: {detect: {hits: 3, of: 4}}
default_profile: home
profiles:
  home: {bell: 0.6, bark: 1}
  shed: {bark: 0.9}
labels:
  doorbell: {category: ALARM, severity: INFO, sounds: [bell, chime],
             say: {en: The bell rings., zh: 门铃在响。}, detect: {of: 5, release: 0.8}}
  dog: {category: ANIMAL, severity: INFO, en: [dog], sounds: [bark],
        say: {en: A dog barks., zh: 狗在叫。}}
"""


def rules(text=RULES):
    return parse_rules(text, source='some.yaml')


def test_a_label_has_sounds_and_sentences_and_needs_no_phrase():
    doorbell = rules().of_sound['chime']
    assert doorbell.label == 'doorbell' and doorbell.sounds == ('bell', 'chime')
    assert doorbell.say.choose('en') == 'The bell rings.'
    assert doorbell.say.choose('zh') == '门铃在响。'


def test_a_profile_names_the_sounds_that_count_and_their_thresholds():
    assert rules().rules_of_sounds() == rules().rules_of_sounds('home') == {
        'bell': SoundRule(threshold=0.6, hits=3, of=5, release=0.8),
        'bark': SoundRule(threshold=1.0, hits=3, of=4)}
    assert list(rules().rules_of_sounds('shed')) == ['bark']
    with pytest.raises(ConfigurationError, match=r'alerts.profile: .* home, shed, .* \'attic\''):
        rules().rules_of_sounds('attic')


def test_a_threshold_rises_in_a_place_that_sounds_like_it_where_the_rules_say_so():
    changed = rules(RULES.replace('{hits: 3, of: 4}', '{hits: 3, of: 4, background: 0.5}').replace(
        'release: 0.8', 'background: 0, background_s: 20'))
    found = changed.with_taught({'our_kettle': 'our kettle'}, {'our_kettle': 0.3}
                                ).rules_of_sounds()
    assert {name: (rule.background, rule.background_s) for name, rule in found.items()} == {
        'bell': (0.0, 20.0), 'bark': (0.5, 10.0),
        'our_kettle': (0.0, 10.0)}  # its threshold was found without


def test_chosen_thresholds_lie_over_the_profile_and_may_add_to_it():
    found = rules().rules_of_sounds('shed', {'bell': 0.7, 'our_kettle': 0.4})
    assert {name: rule.threshold for name, rule in found.items()} == {
        'bark': 0.9, 'bell': 0.7, 'our_kettle': 0.4}
    assert (found['our_kettle'].hits, found['our_kettle'].of) == (3, 4)


def test_a_taught_sound_has_a_mild_label_of_its_own_unless_one_lists_it():
    taught = rules().with_taught({'our_kettle': 'our kettle', 'bell': 'my bell', 'dog': 'Rex'},
                                 {'our_kettle': 0.3, 'bell': 0.2, 'dog': 0.1})
    assert set(taught.labels) == {'doorbell', 'dog', 'our_kettle'}
    kettle = taught.of_sound['our_kettle']
    assert kettle.severity is Severity.INFO and not kettle.requires_ack
    assert 'our kettle' in kettle.say.en and 'our kettle' in kettle.say.zh
    assert taught.of_sound['bell'].label == 'doorbell'
    for profile, bell in (('home', 0.6), ('shed', 0.2)):
        found = taught.rules_of_sounds(profile)
        assert (found['our_kettle'].threshold, found['bell'].threshold) == (0.3, bell)
    assert taught.rules_of_sounds('shed', {'our_kettle': 0.5})['our_kettle'].threshold == 0.5


@pytest.mark.parametrize(('old', 'new', 'named'), [
    ('[bark]', '[bell]', 'labels.dog.sounds: expected sounds listed once, but labels.doorbell'),
    ('[bark]', '[""]', 'labels.dog: sounds'),
    ('[bark]', 'bark', 'labels.dog.sounds: expected a list'),
    ('[bark]', '[]', 'labels.dog: say'),
    ('say: {en: A dog barks., zh: 狗在叫。}', '', 'labels.dog: say'),
    ('zh: 狗在叫。', 'zh: woof', 'labels.dog.say: zh: expected a Chinese sentence'),
    ('en: A dog barks.', 'en: ""', 'labels.dog.say: en: expected an English sentence'),
    (', zh: 狗在叫。', '', "labels.dog.say: expected the key 'zh'"),
    ('of: 5', 'of: 2', 'labels.doorbell.detect: hits: expected 1 to 2, which is of, found 3'),
    ('of: 5', 'many: 5', "labels.doorbell.detect: unknown key 'many'"),
    ('of: 4', 'of: 1', 'hits: expected 1 to 1'),
    ('release: 0.8', 'release: 2', 'release: expected above 0'),
    ('release: 0.8', 'background: 2', 'background: expected 0 to 1'),
    ('sounds: [bell, chime],\n             say: {en: The bell rings., zh: 门铃在响。}',
     'en: [bell]', 'labels.doorbell: detect'),
    ('en: [dog]', 'en: [dog], intents: [""]', 'labels.dog: intents: expected names of intents'),
    ('sounds: [bell, chime],\n             say: {en: The bell rings., zh: 门铃在响。}',
     'intents: [ring]', 'labels.doorbell: say: expected sentences where there are sounds or '
     'intents'),
    ('sounds: [bell, chime]', 'sounds: [bell, chime], intents: [ring, ring]',
     'labels.doorbell.intents: expected intents listed once'),
    ('bark: 0.9', 'bark: 0', 'profiles.shed.bark: expected a threshold above 0, up to 1'),
    ('bark: 0.9', 'bark: .nan', 'profiles.shed.bark: expected a number'),
    ('bark: 0.9', 'bark: 0.9, moo: 0.5',
     "profiles.shed: expected sounds that a label lists, found 'moo'"),
    ('shed:', 'the shed:', 'profiles.the shed'),
    ('default_profile: home', '', 'default_profile: expected one of the profiles (home, shed)'),
    ('default_profile: home', 'default_profile: attic', 'default_profile'),
])
def test_a_fault_is_refused_naming_file_and_key(old, new, named):
    assert old in RULES
    with pytest.raises(ConfigurationError) as caught:
        rules(RULES.replace(old, new))
    assert 'some.yaml' in str(caught.value) and named in str(caught.value)


def test_every_profile_of_the_shipped_file_names_sounds_of_its_labels():
    shipped = load_rules(SHIPPED)
    assert shipped.default_profile == 'alarms'
    assert set(shipped.profiles) == {'alarms', 'quiet_home', 'home', 'workshop'}
    assert set(shipped.rules_of_sounds()) == {'smoke_alarm', 'co_alarm', 'fire_alarm'}
    for name in set(shipped.profiles) - {'alarms'}:
        found = shipped.rules_of_sounds(name)
        critical = {sound for sound, rule in shipped.of_sound.items()
                    if rule.severity is Severity.CRITICAL}
        assert critical <= set(found) <= set(shipped.of_sound), name


def test_the_shipped_file_makes_a_call_for_help_an_alert_of_words():
    assert {intent: (rule.label, rule.severity, rule.say.en)
            for intent, rule in load_rules(SHIPPED).of_intent.items()} == {
        'help': ('help_call', Severity.CRITICAL, 'Someone is calling for help.')}


def test_rules_without_profiles_have_no_sounds():
    old = rules('labels: {fire: {category: ALARM, severity: CRITICAL, en: [fire]}}')
    assert old.rules_of_sounds() == {} and old.of_sound == {}


CHOSEN = ChosenThresholds(
    thresholds={'bell': 0.75, 'our_kettle': 1.0},
    chosen={'from': 'kitchen.mcap', 'minutes': 10.0, 'per_hour': 0.5, 'recall': {'bell': 0.9}})


def test_a_file_of_thresholds_comes_back_as_it_was_written(tmp_path):
    write_thresholds(tmp_path / 'kitchen.yaml', CHOSEN)
    assert read_thresholds(tmp_path / 'kitchen.yaml') == CHOSEN
    assert read_thresholds(str(tmp_path / 'kitchen.yaml')).thresholds['bell'] == 0.75


@pytest.mark.parametrize(('text', 'named'), [
    ('', 'audio-interaction-thresholds/1'), ('[]', 'audio-interaction-thresholds/1'),
    ('thresholds: {a: 0.5}\nchosen: {}', 'audio-interaction-thresholds/1'),
    ('format: audio-interaction-thresholds/2\nchosen: {}\nthresholds: {a: 0.5}', 'format'),
    ('format: audio-interaction-thresholds/1\nthresholds: {a: 0.5}', 'chosen'),
    ('format: audio-interaction-thresholds/1\nchosen: {}', 'thresholds'),
    ('format: audio-interaction-thresholds/1\nchosen: {}\nthresholds: {}', 'thresholds'),
    ('format: audio-interaction-thresholds/1\nchosen: {}\nthresholds: {a: 0}', 'thresholds.a'),
    ('format: audio-interaction-thresholds/1\nchosen: {}\nthresholds: {a: 1.5}', 'thresholds.a'),
    ('format: audio-interaction-thresholds/1\nchosen: {}\nthresholds: {a: half}', 'thresholds.a'),
    ('format: audio-interaction-thresholds/1\nchosen: {}\nthresholds: {a: 0.5}\nb: 1', "'b'"),
    ('format: audio-interaction-thresholds/1\nchosen: {}\nthresholds: {a: 0.5', 'valid YAML'),
])
def test_a_damaged_file_of_thresholds_is_refused(tmp_path, text, named):
    path = tmp_path / 'kitchen.yaml'
    path.write_text(text)
    with pytest.raises(ConfigurationError) as caught:
        read_thresholds(path)
    assert str(path) in str(caught.value) and named in str(caught.value)
    with pytest.raises(ConfigurationError, match='kitchen.yaml'):
        build_detector(AlertsConfig(thresholds=str(path)))


def test_the_configuration_chooses_profile_thresholds_and_evidence(tmp_path):
    (tmp_path / 'rules.yaml').write_text(RULES, encoding='utf-8')
    write_thresholds(tmp_path / 'here.yaml', CHOSEN)
    settings = {'rules': str(tmp_path / 'rules.yaml'), 'thresholds': str(tmp_path / 'here.yaml')}
    detector = build_detector(AlertsConfig(profile='shed', **settings))
    assert {name: rule.threshold for name, rule in detector.rules.items()} == {
        'bark': 0.9, 'bell': 0.75, 'our_kettle': 1.0}
    policy = build_policy(AlertsConfig(profile='shed', evidence='sounds', language='zh',
                                       **settings), ())
    assert policy.settings.sounds == set(detector.rules)
    assert (policy.settings.evidence, policy.settings.language) == ('sounds', 'zh')
    (tmp_path / 'rules.yaml').write_text(
        'labels: {fire: {category: ALARM, severity: CRITICAL, en: [fire]}}')
    with pytest.raises(ConfigurationError, match='alerts.evidence: expected thresholds'):
        build_policy(AlertsConfig(evidence='sounds', rules=settings['rules']), ())
    for wrong in ({'evidence': 'ears'}, {'language': 'fr'}):
        with pytest.raises(ConfigurationError, match=f'alerts.{next(iter(wrong))}'):
            AlertsConfig(**wrong)


def test_what_the_user_taught_is_listened_for_and_raises_an_alert(tmp_path, monkeypatch):
    monkeypatch.setenv('AUDIO_INTERACTION_SOUNDS', str(tmp_path / 'sounds'))
    add_sound(tmp_path / 'sounds', TaughtSound(
        name='our_kettle', title='Our kettle', model_id='m', basis=np.eye(3, dtype=np.float32),
        offset=np.zeros(3, np.float32), direction=np.array([1, 0, 0], np.float32), middle=0.5,
        slope=10.0, threshold=0.375))
    (tmp_path / 'sounds' / 'broken.safetensors').write_bytes(b'no weights')
    assert build_detector(AlertsConfig()).rules['our_kettle'].threshold == 0.375
    policy = build_policy(AlertsConfig(), ())
    (change,) = policy.on_sound(SoundStarted(
        lane='', stamp_ns=0, epoch=1, seq=0, sound='our_kettle', score=0.5, threshold=0.375,
        onset_ns=0))
    assert (change.alert.label, change.alert.message) == ('our_kettle', 'I hear this: Our kettle.')


@pytest.mark.parametrize(('covers', 'message'), [
    ('{cat: 5}', 'other labels of this file'), ('{doorbell: 5}', 'other labels of this file'),
    ('{fire: 5}', 'no more severe'), ('{dog: 0}', 'seconds above 0'), ('[dog]', 'covers')])
def test_a_label_covers_only_others_that_are_no_worse(covers, message):
    text = RULES.replace('detect: {of: 5', f'covers: {covers}, detect: {{of: 5') + (
        '  fire: {category: ALARM, severity: CRITICAL, en: [fire]}\n')
    with pytest.raises(ConfigurationError, match=message):
        rules(text)


def test_two_labels_do_not_cover_each_other():
    text = RULES.replace('detect: {of: 5', 'covers: {dog: 5}, detect: {of: 5').replace(
        'en: [dog]', 'covers: {doorbell: 5}, en: [dog]')
    with pytest.raises(ConfigurationError, match='does not cover this one in turn'):
        rules(text)


def test_the_shipped_smoke_alarm_covers_the_fire_alarm():
    assert load_rules(SHIPPED).covering == {'fire_alarm': {'smoke_alarm': 10.0}}


def test_detector_and_policy_read_the_rules_file_once_and_again_when_it_changes(
        monkeypatch, tmp_path):
    reads, path = [], tmp_path / 'rules.yaml'
    text = SHIPPED.read_text(encoding='utf-8')
    path.write_text(text, encoding='utf-8')
    load = assembly.alerts.load_rules
    monkeypatch.setattr(assembly.alerts, 'load_rules',
                        lambda path: reads.append(path) or load(path))
    settings = AlertsConfig(rules=str(path))
    detector = assembly.build_detector(settings)
    policy = assembly.build_policy(settings, ())
    assert reads == [path] and policy.settings.sounds == set(detector.rules)
    path.write_text(f'{text}# another line\n', encoding='utf-8')
    assembly.build_policy(settings, ())
    assert reads == [path, path]
    path.write_text('labels: [', encoding='utf-8')
    with pytest.raises(ConfigurationError, match='rules.yaml'):
        assembly.build_policy(settings, ())
    path.unlink()
    with pytest.raises(ConfigurationError, match='rules.yaml'):
        assembly.build_policy(settings, ())


@pytest.mark.parametrize('profile', ['alarms', 'quiet_home', 'home', 'workshop'])
def test_the_shipped_rules_let_no_place_raise_the_thresholds_of_the_standard_alarms(profile):
    found = load_rules(SHIPPED).rules_of_sounds(profile)
    assert {name for name, rule in found.items() if not rule.background} == {
        'smoke_alarm', 'co_alarm', 'fire_alarm'}
