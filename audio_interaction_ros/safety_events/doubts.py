"""
Names in a file of safety events that were probably mistyped, in words.

Owns these sentences. A decoder may have rules and intents of its own, which only it has read, so a
name that is not shipped is no fault; one that nearly is, or is of the other kind, is told.
"""

import difflib
from collections.abc import Iterable, Mapping
from typing import Any

from audio_interaction_ros.resources import shipped_path
from audio_interaction_ros.safety_events.rules_file import ANY, SafetyEventsFile
from audio_interaction_ros.strict_yaml import read_yaml

__all__ = ['list_doubts']

_NEAR = 0.8
"""Share of letters in common from which a name was probably meant."""


def list_doubts(file: SafetyEventsFile) -> list[str]:
    """Return a sentence for each doubtful name; with the shipped file there is none."""
    sounds_of = _read_shipped_labels()
    label_of = {sound: label for label, sounds in sounds_of.items() for sound in sounds}
    kinds: dict[str, tuple[Iterable[str], Mapping[str, str]]] = {
        'alerts': (sounds_of, {sound: f'is a sound; its alert is {label}'
                               for sound, label in label_of.items()}),
        'sounds': (label_of, {label: f'is an alert; its sound is {" or ".join(sounds)}'
                              for label, sounds in sounds_of.items() if sounds}),
        'intents': (_read_shipped_intents(), {})}
    return [f'rules.{name}.{kind}: {said} {doubt}'
            for name, rule in file.rules.items() for kind, (known, others) in kinds.items()
            for said in getattr(rule, kind) if (doubt := _doubt(said, list(known), others))]


def _doubt(name: str, known: list[str], others: Mapping[str, str]) -> str:
    """Return what is doubtful about a name; empty: nothing."""
    if name in (*known, ANY):
        return ''
    if name in others:
        return others[name]
    near = difflib.get_close_matches(name, known, n=1, cutoff=_NEAR)
    return f'is none that is shipped; did you mean {near[0]}' if near else ''


def _read_shipped_labels() -> dict[str, list[str]]:
    """Return label -> its sounds."""
    labels: dict[str, Any] = read_yaml(shipped_path('config/alerts.yaml'))['labels']
    return {label: said.get('sounds', []) for label, said in labels.items()}


def _read_shipped_intents() -> list[str]:
    return [rule['name'] for rule in read_yaml(shipped_path('config/intents.yaml'))['intents']]
