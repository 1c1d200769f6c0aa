"""
Which labels of clips are events, which are too close to one, and which answer is right.

Owns the bridge between labels of clips and labels of the alert rules. The events are those that
the recipe trains; sounds that it leaves out because they are too close are neither event nor
background here either. Knows no audio.
"""

from audio_interaction_ros.alerts.rules import AlertRules, load_rules
from audio_interaction_ros.protocol import Emotion
from audio_interaction_ros.resources import shipped_path
from held_out.clips import HeldOutClip

__all__ = ['ALERTS', 'EVENTS', 'NEITHER', 'accepted_labels', 'kind_of', 'robot_rules']

_U, _N = Emotion.URGENT, Emotion.NORMAL
ALERTS: dict[str, tuple[str, Emotion]] = {
    'smoke_alarm': ('A smoke alarm is sounding.', _U),
    'fire_alarm': ('A fire alarm is sounding.', _U),
    'fire_crackling': ('I hear fire crackling.', _U),
    'siren': ('I hear a siren.', _U),
    'car_alarm': ('A car alarm is sounding.', _U),
    'car_horn': ('A car horn is honking.', _U),
    'glass_break': ('I hear breaking glass.', _U),
    'dish_break': ('I hear breaking glass.', _U),
    'gunshot': ('I hear a gunshot.', _U),
    'explosion': ('I hear an explosion.', _U),
    'scream': ('Someone is screaming.', _U),
    'baby_cry': ('A baby is crying.', _U),
    'impact_hard': ('I heard a loud thud.', _U),
    'door_bang': ('I heard a loud thud.', _U),
    'cough': ('Someone is coughing.', _N),
    'dog_bark': ('A dog is barking.', _N),
    'door_knock': ('Someone is knocking on the door.', _N),
    'doorbell': ('The doorbell is ringing.', _N),
    'water_flow': ('Water is running.', _N),
    'water_pouring': ('Water is running.', _N),
}
"""What the assistant lane says of each sound, and in which tone."""

# Too close to an alert, or too much like speech, to be told from it by their label alone.
NEITHER = {'alarm', 'alarm_clock', 'dog_growl', 'wolf_howl', 'air_horn', 'buzzer', 'bicycle_horn',
           'train_horn', 'train_whistle', 'fire_ignite', 'bell', 'fireworks', 'glass_impact',
           'pain_vocal', 'radio_chatter', 'church_bell', 'other_weapon', 'phone_tone', 'singing',
           'speech_nonverbal', 'impact_wood', 'impact_plastic', 'impact_metal',
           'water_bubbling', 'toilet_flush'}

EVENTS = tuple(ALERTS)
NEAR_BACKGROUNDS = {'background_campfire', 'background_fireworks', 'background_wolf'}
"""Backgrounds in which an event sounds all the time."""
ALSO = {'smoke_alarm': {'fire_alarm', 'alarm'}, 'fire_alarm': {'smoke_alarm', 'alarm'},
        'glass_break': {'dish_break'}, 'dish_break': {'glass_break'}, 'baby_cry': {'cry'},
        'car_alarm': {'alarm'}, 'impact_hard': {'fall'}, 'door_bang': {'fall'}}
"""Other answers that are right too."""


def robot_rules() -> AlertRules:
    """Return the alert rules that the robot uses."""
    return load_rules(shipped_path('config/alerts.yaml'))


def accepted_labels(label: str, known: AlertRules) -> frozenset[str]:
    """Return the alert labels that name a clip of this label."""
    said = {rule.label for rule in known.match(ALERTS[label][0])} if label in ALERTS else set()
    return frozenset((said | {label} | ALSO.get(label, set())) & set(known.labels))


def kind_of(item: HeldOutClip) -> str:
    """Return what a clip is here: event, speech, ambience, harmless, or '' for neither."""
    label = item.label
    if label in EVENTS:
        # A tagger did not hear it either, in classes whose collections are known to be impure.
        doubtful = label in ('dog_bark', 'baby_cry') and \
            item.extra.get('label_check') == 'not_confirmed'
        return '' if doubtful else 'event'
    if label.startswith('speech_') and label != 'speech_nonverbal':
        return 'speech'
    if label in NEITHER or label in NEAR_BACKGROUNDS:
        return ''
    return 'ambience' if label.startswith('background_') else 'harmless'
