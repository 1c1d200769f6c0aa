"""
Which labels of clips are events, which are too close to one, and which answer is right.

Owns the bridge between labels of clips and labels of the alert rules. The events are those that
the recipe trains; sounds that it leaves out because they are too close are neither event nor
background here either. Knows no audio.
"""

from audio_interaction_ros.alerts.rules import AlertRules, load_rules
from audio_interaction_ros.resources import shipped_path
from eval.held_out_clips import HeldOutClip
from train.edge.library import ALERTS, NEITHER

__all__ = ['EVENTS', 'accepted_labels', 'kind_of', 'robot_rules']

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
