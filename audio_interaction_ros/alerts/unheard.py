"""
What of a rules file can come to no alert, in words: mostly a name that was mistyped.

Owns these sentences. What the model tells apart is known at run time only, so none of this is a
reason not to start.
"""

import difflib
from collections.abc import Collection

from audio_interaction_ros.alerts.label_rule import LabelRule
from audio_interaction_ros.alerts.rules import AlertRules

__all__ = ['list_unheard']


def list_unheard(rules: AlertRules, listened: Collection[str],
                 told_apart: Collection[str]) -> list[str]:
    """
    Return which labels no sound, intent or phrase can raise, and sounds that cannot be heard.

    ``listened`` are the classes that have a threshold now, ``told_apart`` those of the model.
    """
    chosen = {*listened, *(name for profile in rules.profiles.values() for name in profile)}
    said = [f'labels.{rule.label}.sounds: the model does not tell {sound} apart'
            + _guess(sound, told_apart)
            for rule in rules.labels.values() for sound in rule.sounds if sound not in told_apart]
    return said + [f'labels.{rule.label}: nothing raises it: it has no phrases, no intents, '
                   f'and no profile has a threshold for {" or ".join(rule.sounds)}'
                   for rule in rules.labels.values() if _is_mute(rule, chosen)]


def _is_mute(rule: LabelRule, chosen: set[str]) -> bool:
    return not (rule.en or rule.zh or rule.intents) and chosen.isdisjoint(rule.sounds)


def _guess(name: str, known: Collection[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    return f', did you mean {near[0]}' if near else ''
