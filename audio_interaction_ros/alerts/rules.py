"""
The alert rules as the policy and the detector of sounds ask for them.

Owns which words and which classes of sounds mean which label. How they are written is the matter
of ``rules_file``; what follows from a label over time is the matter of ``policy``.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from audio_interaction_ros.alerts.alert import Category, Severity
from audio_interaction_ros.alerts.denial import Answering, Negation
from audio_interaction_ros.alerts.label_rule import Detection, LabelRule, Sentences
from audio_interaction_ros.alerts.phrases import PhraseMatcher
from audio_interaction_ros.alerts.rules_file import RulesFile, read_rules_file
from audio_interaction_ros.errors import ConfigurationError
from audio_interaction_ros.stream.sound_events import SoundRule
from audio_interaction_ros.strict_yaml import parse_yaml, read_yaml

__all__ = ['AlertRules', 'load_rules', 'parse_rules']

_TAUGHT_HITS, _TAUGHT_OF = 2, 3
"""Chunks by which the threshold of a taught sound was found (taught.fit), whatever the rules ask
of others."""


@dataclass(frozen=True, kw_only=True)
class AlertRules:
    """Everything that the rules file says."""

    labels: Mapping[str, LabelRule]
    urgent: LabelRule
    """What an URGENT reply without a known label becomes."""
    negation: Negation
    answering: Answering = field(default_factory=Answering)
    """Words by which a clause of a reply tells of no sound."""
    ignored: tuple[str, ...] = ()
    profiles: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    """Name of a profile -> class of sound -> threshold."""
    default_profile: str = ''
    """Name of the one that is used unless another is asked for; empty where there is none."""
    detect: Detection = field(default_factory=Detection)
    """How a class of sound is found that no label has."""
    taught: Mapping[str, float] = field(default_factory=dict)
    """Thresholds of taught sounds, by their names."""

    @cached_property
    def _matcher(self) -> PhraseMatcher:
        phrases = {phrase: rule.label for rule in self.labels.values()
                   for phrase in (*rule.en, *rule.zh)}
        return PhraseMatcher(phrases=phrases, ignored=self.ignored, negation=self.negation,
                             answering=self.answering)

    def match(self, text: str) -> tuple[LabelRule, ...]:
        """Return the rules whose labels a reply carries, in the order of its text."""
        return tuple(self.labels[label] for label in self._matcher.find(text))

    def denies(self, text: str) -> bool:
        """Tell whether a reply speaks of labels and claims none: "no fire", "is there a fire?"."""
        return self._matcher.denies(text)

    @cached_property
    def of_sound(self) -> Mapping[str, LabelRule]:
        """Class of sound -> the label that it means."""
        return {sound: rule for rule in self.labels.values() for sound in rule.sounds}

    @cached_property
    def of_intent(self) -> Mapping[str, LabelRule]:
        """Name of an intent -> the label that it means."""
        return {intent: rule for rule in self.labels.values() for intent in rule.intents}

    @cached_property
    def covering(self) -> Mapping[str, Mapping[str, float]]:
        """Label -> labels whose open alert stands for it, each with seconds since it was heard."""
        covered = {label for rule in self.labels.values() for label in rule.covers}
        return {label: {rule.label: rule.covers[label] for rule in self.labels.values()
                        if label in rule.covers} for label in covered}

    def with_taught(self, titles: Mapping[str, str],
                    thresholds: Mapping[str, float]) -> 'AlertRules':
        """
        Return the same with taught sounds: what each is called, and its threshold, by its name.

        They count in every profile, with the threshold that was found when they were taught
        unless the profile has another. One that no label lists gets a label of its own, of
        severity INFO: who wants more writes a label that lists it.
        """
        taught = {
            name: replace(self.urgent, label=name, category=Category.UNKNOWN,
                          severity=Severity.INFO, requires_ack=False, sounds=(name,),
                          say=Sentences(en=f'I hear this: {title}.', zh=f'听到:{title}。'),
                          detect=replace(self.detect, hits=_TAUGHT_HITS, of=_TAUGHT_OF,
                                         background=0.0))
            for name, title in titles.items()
            if name not in self.of_sound and name not in (*self.labels, self.urgent.label)}
        return replace(self, labels={**self.labels, **taught}, taught=dict(thresholds))

    def rules_of_sounds(self, profile: str = '',
                        thresholds: Mapping[str, float] | None = None) -> dict[str, SoundRule]:
        """
        Return by what each class of sound begins and ends in a profile; others raise nothing.

        An empty name stands for the default profile. ``thresholds`` replace those of the profile
        and may name more classes, those of taught sounds among them. Raises ConfigurationError
        for a profile that the rules do not have.
        """
        name = profile or self.default_profile
        if name and name not in self.profiles:
            raise ConfigurationError(
                f'alerts.profile: expected one of {", ".join(self.profiles) or "none"}, which the '
                f'rules file has, found {name!r}; change it, or add it under profiles')
        chosen = {**self.taught, **self.profiles.get(name, {}), **(thresholds or {})}
        return {sound: self._find_detection(sound).with_threshold(threshold)
                for sound, threshold in chosen.items()}

    def _find_detection(self, sound: str) -> Detection:
        rule = self.of_sound.get(sound)
        return self.detect if rule is None else rule.detect


def load_rules(path: str | Path) -> AlertRules:
    """Read a rules file; raise ConfigurationError naming file and key on any fault."""
    return _make_rules(read_yaml(path), str(path))


def parse_rules(text: str, *, source: str) -> AlertRules:
    """Read rules from YAML text; ``source`` is named in errors."""
    return _make_rules(parse_yaml(text, source), source)


def _make_rules(document: Any, source: str) -> AlertRules:
    file: RulesFile = read_rules_file(document, source)
    return AlertRules(
        labels={label: file.make_rule(label, said) for label, said in file.labels.items()},
        urgent=file.make_rule(file.urgent.label, file.urgent),
        negation=file.negation.to_negation(), answering=file.answering.to_answering(),
        ignored=file.ignore.all, profiles=file.profiles,
        default_profile=file.default_profile, detect=file.defaults.detect.override(Detection()))
