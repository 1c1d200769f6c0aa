"""
Planners: from a bag of annotations to a plan.

Owns the protocol that all planners follow and the offline planner that draws from a grammar.
Knows no service and no sound file. Every plan passes ``plan.check`` before it leaves.
"""

import random
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

from audio_interaction_ros.errors import AudioInteractionError
from audio_interaction_ros.strict_yaml import read_yaml
from train.curation.plan import Constraint, ScenarioPlan, SubEvent, check
from train.records import Clip

__all__ = ['GrammarPlanner', 'Planner', 'PlannerError', 'draw_bag']

_GRAMMAR = Path(__file__).with_name('grammar.yaml')
_GAP_S = 0.8
"""Room that the planner leaves after each foreground."""
_FILLED = 0.85


class PlannerError(AudioInteractionError):
    """No acceptable plan could be had; the message lists why."""


class Planner(Protocol):
    """Anything that makes plans."""

    @property
    def name(self) -> str:
        """The name that stands in plans."""
        ...

    def plan(self, annotations: Sequence[Clip], *, seconds: float, seed: int) -> ScenarioPlan:
        """Return a checked plan for a stream; PlannerError when none can be had."""
        ...


def draw_bag(clips: Sequence[Clip], *, count: int, seed: int) -> tuple[Clip, ...]:
    """Return a few clips at random, each label at most once: what a planner is inspired by."""
    by_label: dict[str, list[Clip]] = {}
    for clip in clips:
        by_label.setdefault(clip.label or clip.id, []).append(clip)
    rng = random.Random(seed)
    labels = rng.sample(sorted(by_label), min(count, len(by_label)))
    return tuple(rng.choice(sorted(by_label[label], key=lambda c: c.id)) for label in labels)


@lru_cache(maxsize=1)
def _load_grammar() -> dict[str, Any]:
    loaded: dict[str, Any] = read_yaml(_GRAMMAR)
    return loaded


class _Draft:
    """One plan in the making; all randomness comes from its own generator."""

    def __init__(self, annotations: Sequence[Clip], seconds: float, seed: int) -> None:
        self.grammar, self.seconds = _load_grammar(), seconds
        self.rng = random.Random(f'grammar {seed}')
        self.bag = {clip.label for clip in annotations if clip.label}
        self.place: dict[str, Any] = self._choose_place()
        self.events: list[SubEvent] = []
        self.constraints: list[Constraint] = []

    def _choose_place(self) -> dict[str, Any]:
        """Prefer places where what is in the bag is heard."""
        places = list(self.grammar['places'].values())
        weights = [1 + 3 * len(self.bag & {*place['foreground'], *place['background'],
                                           *place['ambient']}) for place in places]
        chosen: dict[str, Any] = self.rng.choices(places, weights)[0]
        return chosen

    def _pick(self, labels: Sequence[str], used: set[str]) -> str:
        free = [label for label in labels if label not in used] or list(labels)
        return self.rng.choices(free, [4 if label in self.bag else 1 for label in free])[0]

    def _draw_duration(self, label: str, most: float) -> float:
        low, high = self.grammar['sounds'].get(label, {}).get('seconds', (1.0, 4.0))
        return round(min(self.rng.uniform(low, high), most), 1)

    def _describe(self, label: str) -> str:
        sound = self.grammar['sounds'].get(label, {})
        words = label.removeprefix('background_').replace('_', ' ')
        return str(sound.get('say', f'the sound of {words} is heard'))

    def add(self, label: str, role: str, seconds: float) -> str:
        """Add a sub-event and return its name, which no other has."""
        taken = {event.name for event in self.events}
        name = next(n for n in (label, *(f'{label}_{i}' for i in range(2, 99))) if n not in taken)
        manner = self.rng.choice(self.grammar['manners'][
            'near' if role == 'foreground' else 'far'])
        place = self.place['place'] if role == 'ambient' else 'any'
        surface = self.rng.choice(self.grammar['surfaces'][
            self.place['place'] if self.rng.random() < 0.7 else 'any'])
        say = self._describe(label)
        words = [*label.split('_'), *say.split(), *manner.split()]
        others = self.grammar['sounds'].get(label, {}).get('as', ())
        self.events.append(SubEvent(
            name=name, role=role, rough_duration_s=seconds, place=place,
            brief_description=f'{say} {manner}', query=' '.join(words[:12]),
            caption=f'{say[0].upper()}{say[1:]} {manner}. {surface}.',
            accept_tags=(label, *others)))
        return name

    def add_ambient(self) -> None:
        self.add(self._pick(self.place['ambient'], set()), 'ambient', self.seconds)

    def add_foreground(self) -> None:
        """Fill most of the stream; now and then with sounds that follow for a reason."""
        left, used = self.seconds * _FILLED, set[str]()
        allowed = set(self.place['foreground'])
        sequences = [s for s in self.grammar['sequences'] if set(s) <= allowed]
        queue = list(self.rng.choice(sequences)) if sequences and self.rng.random() < 0.5 else []
        linked, last = set(queue), ''
        for _ in range(self.rng.randint(2, 9)):
            label = queue.pop(0) if queue else self._pick(self.place['foreground'], used)
            seconds = self._draw_duration(label, max(0.3, left - _GAP_S))
            if left - seconds - _GAP_S < 0:
                break
            name = self.add(label, 'foreground', seconds)
            if label in linked and last:
                self.constraints.append(Constraint(kind='before', first=last, second=name))
            last = name if label in linked else ''
            used.add(label)
            left -= seconds + _GAP_S

    def add_background(self) -> None:
        wanted = max(3 - len(self.events), self.rng.randint(0, 3))
        used = {event.name for event in self.events}
        for _ in range(wanted):
            label = self._pick(self.place['background'], used)
            used.add(label)
            self.add(label, 'background', self._draw_duration(label, self.seconds * 0.6))

    def write_scenario(self) -> str:
        heard = [e.brief_description for e in self.events if e.role == 'foreground']
        behind = [e.brief_description for e in self.events if e.role == 'background']
        where = self.rng.choice(self.place['where'])
        text = f'{self.rng.choice(self.grammar["times"])} {where}'
        text += f', {", then ".join(heard)}.' if heard else '.'
        return text + (f' Meanwhile {" and ".join(behind)}.' if behind else '')


class GrammarPlanner:
    """The planner that needs nothing: places, sounds and sequences from ``grammar.yaml``."""

    name = 'grammar'

    def plan(self, annotations: Sequence[Clip], *, seconds: float, seed: int) -> ScenarioPlan:
        """
        Return a checked plan; the same annotations, length and seed give the same plan.

        Labels of the annotations are preferred, places where they belong are likelier. PlanError
        for a stream outside the allowed lengths.
        """
        draft = _Draft(annotations, float(seconds), seed)
        draft.add_ambient()
        draft.add_foreground()
        draft.add_background()
        return check(ScenarioPlan(
            id=f'grammar-{seed}', seed=seed, planner=self.name, seconds=draft.seconds,
            scenario=draft.write_scenario(), sub_events=tuple(draft.events),
            constraints=tuple(draft.constraints)))
