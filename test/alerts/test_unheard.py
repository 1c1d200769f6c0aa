"""What of a rules file can come to no alert is said, and nothing else is."""

import pytest

from audio_interaction_ros.alerts.rules import load_rules, parse_rules
from audio_interaction_ros.alerts.unheard import list_unheard
from audio_interaction_ros.resources import shipped_path

pytestmark = pytest.mark.unit

RULES = """
default_profile: home
profiles: {home: {siren: 0.5}, loud: {doorbell: 0.5}}
labels:
  siren: {category: VEHICLE, severity: WARN, sounds: [siren, sirene],
          say: {en: A siren., zh: 警笛。}}
  bell: {category: UNKNOWN, severity: INFO, sounds: [doorbell], say: {en: A bell., zh: 门铃。}}
  kettle: {category: UNKNOWN, severity: INFO, sounds: [ketle], say: {en: Tea., zh: 水开了。}}
  horn: {category: VEHICLE, severity: INFO, sounds: [car_horn], say: {en: A horn., zh: 喇叭。},
         en: [horn]}
"""
CLASSES = ['siren', 'doorbell', 'kettle', 'car_horn']


def test_mistyped_sounds_and_labels_that_nothing_raises_are_named():
    rules = parse_rules(RULES, source='test')
    assert list_unheard(rules, rules.rules_of_sounds(), CLASSES) == [
        'labels.siren.sounds: the model does not tell sirene apart, did you mean siren',
        'labels.kettle.sounds: the model does not tell ketle apart, did you mean kettle',
        'labels.kettle: nothing raises it: it has no phrases, no intents, and no profile has a '
        'threshold for ketle']


def test_a_threshold_of_this_place_is_one_too():
    rules = parse_rules(RULES, source='test')
    assert len(list_unheard(rules, {'ketle'}, [*CLASSES, 'ketle', 'sirene'])) == 0


@pytest.mark.parametrize('profile', ['alarms', 'home', 'workshop'])
def test_a_copy_of_the_shipped_file_says_nothing(profile):
    rules = load_rules(shipped_path('config/alerts.yaml'))
    assert not list_unheard(rules, rules.rules_of_sounds(profile), set(rules.of_sound))
