"""
Silent verification: which sounds an assistant stays silent at.

A clip is silent, respond or borderline. Silent is the default; respond needs one of four reasons;
borderline clips are thrown away. Silent clips become samples in which nothing may trigger a reply.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from train.records import Clip
from train.responses.history import P_HISTORY_REVIEW
from train.responses.language import LanguageModel, UnusableAnswerError

__all__ = ['LABELS', 'P_PROACTIVE', 'P_SILENT', 'REASONS', 'STAGE_FOUR', 'Judge', 'Judgement',
           'LanguageJudge', 'RulesJudge', 'Verified', 'draw_kind', 'draw_proactive',
           'verify_silence']

P_SILENT, P_PROACTIVE = 0.40, 0.30
STAGE_FOUR: Mapping[str, float] = {'history_review': P_HISTORY_REVIEW,
                                   'silent_verification': P_SILENT, 'proactive': P_PROACTIVE}
"""The paper's mixture of stage four."""
LABELS = ('silent', 'respond', 'borderline')
REASONS = ('distress', 'weather', 'equipment', 'environment')
"""Acute physical distress; severe weather or natural hazard; equipment damage or fire sign;
safety-critical signal of the environment. Nothing else is a reason to respond."""


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """What a clip is, and why where it is respond."""

    label: str
    """One of LABELS."""
    reason: str = ''
    """One of REASONS for respond."""


class Judge(Protocol):
    """Tells silent, respond and borderline clips apart."""

    def judge(self, clip: Clip) -> Judgement:
        """Return what a clip is."""
        ...


@dataclass(frozen=True, kw_only=True)
class Verified:
    """Clips by judgement, in the order they came."""

    silent: tuple[Clip, ...]
    respond: tuple[tuple[Clip, str], ...]
    """With the reason."""
    dropped: tuple[Clip, ...]
    """Borderline."""
    non_triggers: tuple[Clip, ...]
    """The share of the silent ones that becomes samples without a reply."""


def verify_silence(clips: Iterable[Clip], rng: np.random.Generator, *,
                   judge: Judge | None = None, probability: float = P_SILENT) -> Verified:
    """Judge clips; each silent one becomes a non-trigger sample with the probability given."""
    judge = judge or RulesJudge()
    silent, respond, dropped = [], [], []
    for clip in clips:
        judgement = judge.judge(clip)
        if judgement.label == 'respond' and judgement.reason in REASONS:
            respond.append((clip, judgement.reason))
        elif judgement.label == 'silent':
            silent.append(clip)
        else:
            dropped.append(clip)
    draws = rng.random(len(silent))
    return Verified(silent=tuple(silent), respond=tuple(respond), dropped=tuple(dropped),
                    non_triggers=tuple(clip for clip, draw in zip(silent, draws, strict=True)
                                       if draw < probability))


def draw_proactive(verified: Verified, rng: np.random.Generator, *,
                   probability: float = P_PROACTIVE) -> tuple[tuple[Clip, str], ...]:
    """Return the share of respond clips that become samples with an unasked reply."""
    draws = rng.random(len(verified.respond))
    return tuple(clip for clip, draw in zip(verified.respond, draws, strict=True)
                 if draw < probability)


def draw_kind(rng: np.random.Generator, shares: Mapping[str, float] = STAGE_FOUR) -> str:
    """Return the kind of the next sample; '' for what the shares leave over."""
    at = rng.random()
    for kind, share in shares.items():
        at -= share
        if at < 0:
            return kind
    return '' if sum(shares.values()) < 1 - 1e-9 else list(shares)[-1]


_RULES: Mapping[str, tuple[str, ...]] = {
    'distress': ('scream', 'screaming', 'pain_vocal', 'choking', 'gasping', 'groan', 'wheeze',
                 'cry_for_help'),
    'weather': ('tornado', 'hail', 'earthquake', 'avalanche', 'landslide', 'flood', 'hurricane',
                'volcano'),
    'equipment': ('fire_crackling', 'fire_ignite', 'electric_spark', 'gas_leak', 'pipe_burst',
                  'short_circuit', 'machine_failure', 'engine_knocking'),
    'environment': ('smoke_alarm', 'carbon_monoxide_alarm', 'fire_alarm', 'siren', 'siren_wail',
                    'siren_yelp', 'siren_hi_lo', 'civil_defense_siren', 'gunshot', 'explosion',
                    'glass_break', 'reversing_beep', 'train_horn', 'air_horn'),
}
_BORDERLINE = frozenset((
    'alarm', 'baby_cry', 'breathing', 'buzzer', 'car_alarm', 'car_horn', 'cough', 'crying',
    'dish_break', 'dog_growl', 'door_bang', 'fireworks', 'glass_impact', 'gun_handling',
    'impact_hard', 'other_weapon', 'other_weather', 'sneeze', 'snoring', 'thunder', 'vomiting',
    'water_flow', 'wind', 'wolf_howl'))
_WORDS: Mapping[str, str] = {
    'distress': r'scream|chok(es|ing)|gasp(s|ing) for|calls? for help|in pain|unconscious',
    'weather': r'tornado|hailstorm|earthquake|avalanche|landslide|flash flood|hurricane',
    'equipment': r'(house|building|kitchen) (is )?on fire|gas (leak|hiss)|burst pipe|'
                 r'short circuit|sparks? fly',
    'environment': r'(smoke|fire|carbon monoxide) alarm|(police|ambulance|fire engine) siren|'
                   r'gunshots?|explosion|evacuat',
}
_UNSURE = re.compile(r'\b(maybe|possibly|perhaps|distant|film|movie|toy|game|drill|test of)\b',
                     re.IGNORECASE)


class RulesJudge:
    """
    Judges by label, then by words of the caption.

    Labels that only the moment could decide (a cough, a baby, thunder) are borderline, and so is
    a respond caption that says film, toy, drill or the like.
    """

    def judge(self, clip: Clip) -> Judgement:
        """Return what a clip is."""
        for reason, labels in _RULES.items():
            if clip.label in labels:
                return self._respond_if_sure(clip, reason)
        if clip.label in _BORDERLINE:
            return Judgement(label='borderline')
        if not clip.label:
            for reason, words in _WORDS.items():
                if re.search(rf'\b({words})', clip.caption, re.IGNORECASE):
                    return self._respond_if_sure(clip, reason)
        return Judgement(label='silent')

    def _respond_if_sure(self, clip: Clip, reason: str) -> Judgement:
        if _UNSURE.search(clip.caption):
            return Judgement(label='borderline')
        return Judgement(label='respond', reason=reason)


_SYSTEM = """You decide whether an always-on assistant should speak at a sound that nobody
commented on. Default: silent. respond only for one of four reasons: distress (acute physical
distress), weather (severe weather or natural hazard), equipment (equipment damage or sign of
fire), environment (safety-critical signal of the environment). borderline when a careful person
could not say. reason is empty unless respond. Answer with JSON only."""
_SCHEMA = {
    'type': 'object', 'additionalProperties': False, 'required': ['label', 'reason'],
    'properties': {'label': {'type': 'string', 'enum': list(LABELS)},
                   'reason': {'type': 'string', 'enum': ['', *REASONS]}}}


@dataclass(frozen=True, kw_only=True)
class LanguageJudge:
    """Has a language model judge a clip by its words; what stays unclear is borderline."""

    model: LanguageModel
    attempts: int = 2

    def judge(self, clip: Clip) -> Judgement:
        """Return what a clip is."""
        heard = f'label: {clip.label}\ncaption: {clip.caption}\ntags: {", ".join(clip.tags)}'
        for attempt in range(self.attempts):
            try:
                answer = self.model.ask(_SYSTEM, heard, _SCHEMA, seed=attempt)
            except UnusableAnswerError:
                continue
            label, reason = answer['label'], answer['reason']
            if label in ('silent', 'borderline') or label == 'respond' and reason in REASONS:
                return Judgement(label=label, reason=reason if label == 'respond' else '')
        return Judgement(label='borderline')
