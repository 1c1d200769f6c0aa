"""
What a planner hands over: a scenario with its sub-events, and what makes it acceptable.

Owns the fields (those of the paper, arXiv 2606.05121 section on event curation: 3 to 15
sub-events with a role, a rough duration, a description, a query of 4 to 12 words, a caption and
accept-tags), their JSON schema and the one check that every planner's plan passes. Knows no
planner, no sound and no file.
"""

import math
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from audio_interaction_ros.errors import AudioInteractionError
from train.records import RecordError, from_dict

__all__ = ['KINDS', 'PLACES', 'ROLES', 'Constraint', 'ScenarioPlan', 'ScenarioPlanError',
           'SubEvent', 'check',
           'plan_schema', 'find_problems', 'read_plan']

ROLES = ('foreground', 'background', 'ambient')
PLACES = ('any', 'indoors', 'outdoors', 'vehicle')
KINDS = ('before', 'not_together')
FEWEST, MOST = 3, 15
SHORTEST_S, LONGEST_S = 0.2, 1_800.0
SHORTEST_STREAM_S = 4.0
SPANNING = 0.95
"""Share of the stream that an ambient sound covers to count as spanning it: rough durations."""


class ScenarioPlanError(AudioInteractionError, ValueError):
    """A plan is malformed or contradicts itself; its planner must make another."""


@dataclass(frozen=True, kw_only=True)
class SubEvent:
    """One sound of a scenario."""

    name: str
    role: str
    """One of ROLES. Foregrounds sound one after another in the order of the plan."""
    rough_duration_s: float
    brief_description: str
    query: str
    """4 to 12 words to search clips with."""
    caption: str
    """1 or 2 sentences for a generator: material, surface, intensity."""
    accept_tags: tuple[str, ...]
    """Labels in snake_case; a clip heard as one of them is the right sound."""
    place: str = 'any'
    """One of PLACES: where such a sound belongs."""


@dataclass(frozen=True, kw_only=True)
class Constraint:
    """``before``: first ends before second begins. ``not_together``: they never overlap."""

    kind: str
    first: str
    second: str


@dataclass(frozen=True, kw_only=True)
class ScenarioPlan:
    """A scenario of a given length."""

    scenario: str
    seconds: float
    sub_events: tuple[SubEvent, ...]
    constraints: tuple[Constraint, ...] = ()
    id: str = ''
    seed: int = 0
    planner: str = ''


def _text_problems(event: SubEvent) -> Iterator[str]:
    words = len(event.query.split())
    sentences = sum(bool(part.strip()) for part in re.split(
        r'[.!?]+(?:\s+|$)|[。！？]+', event.caption))
    if not event.name.strip() or not event.brief_description.strip():
        yield 'name and description must not be empty'
    if not 4 <= words <= 12:
        yield f'expected a query of 4 to 12 words, got {words}'
    if not event.caption.strip() or not 1 <= sentences <= 2:
        yield f'expected a caption of 1 or 2 sentences, got {sentences}'
    if not event.accept_tags or not all(
            re.fullmatch(r'[a-z0-9]+(_[a-z0-9]+)*', tag) for tag in event.accept_tags):
        yield f'expected accept_tags in snake_case, got {list(event.accept_tags)}'


def _event_problems(event: SubEvent, seconds: float) -> Iterator[str]:
    yield from _text_problems(event)
    if event.role not in ROLES:
        yield f'expected a role of {ROLES}, got {event.role!r}'
    if event.place not in PLACES:
        yield f'expected a place of {PLACES}, got {event.place!r}'
    length = event.rough_duration_s
    if not math.isfinite(length) or not SHORTEST_S <= length <= seconds:
        yield (f'expected a duration of {SHORTEST_S} s to the {seconds:g} s of the stream, '
               f'got {length} s')


def _stream_problems(plan: ScenarioPlan) -> Iterator[str]:
    if not plan.scenario.strip():
        yield 'the scenario is empty'
    if not math.isfinite(plan.seconds) or not SHORTEST_STREAM_S <= plan.seconds <= LONGEST_S:
        yield (f'expected a stream of {SHORTEST_STREAM_S:g} to {LONGEST_S:g} s, '
               f'got {plan.seconds} s')
    if not FEWEST <= len(plan.sub_events) <= MOST:
        yield f'expected {FEWEST} to {MOST} sub-events, got {len(plan.sub_events)}'
    for name, count in Counter(event.name for event in plan.sub_events).items():
        if count > 1:
            yield f'{count} sub-events are called {name!r}'
    if not any(event.role == 'ambient' and event.rough_duration_s >= SPANNING * plan.seconds
               for event in plan.sub_events):
        yield 'no ambient sub-event spans the stream'
    foreground = sum(e.rough_duration_s for e in plan.sub_events if e.role == 'foreground')
    if foreground > plan.seconds:
        yield (f'foregrounds of {foreground:.1f} s in sequence do not fit a stream of '
               f'{plan.seconds:g} s')


def _place_problems(plan: ScenarioPlan) -> Iterator[str]:
    """Ambient sounds fill the whole stream: two of different places cannot both be true."""
    ambient = {e.place: e.name for e in plan.sub_events if e.role == 'ambient'}
    ambient.pop('any', None)
    if len(ambient) > 1:
        yield 'ambient sub-events contradict each other: ' + ', '.join(
            f'{name!r} is {place}' for place, name in sorted(ambient.items()))


def _must_overlap(first: SubEvent, second: SubEvent, seconds: float) -> bool:
    """Tell whether two sounds must overlap, however they are placed."""
    return first.rough_duration_s + second.rough_duration_s > seconds + 1e-6


def _constraint_problems(plan: ScenarioPlan) -> Iterator[str]:
    events = {event.name: event for event in plan.sub_events}
    order = [event.name for event in plan.sub_events if event.role == 'foreground']
    before = {(c.first, c.second) for c in plan.constraints if c.kind == 'before'}
    for rule in plan.constraints:
        said = f'constraint {rule.first!r} {rule.kind} {rule.second!r}'
        unknown = [name for name in (rule.first, rule.second) if name not in events]
        if rule.kind not in KINDS:
            yield f'expected a constraint of {KINDS}, got {rule.kind!r}'
        elif unknown:
            yield f'{said} names no sub-event: {unknown}'
        elif rule.first == rule.second:
            yield f'{said} sets a sub-event against itself'
        elif _must_overlap(events[rule.first], events[rule.second], plan.seconds):
            yield f'{said} cannot hold: together they are longer than the stream'
        elif rule.kind == 'before' and (rule.second, rule.first) in before:
            yield f'{said} contradicts its opposite'
        elif (rule.kind == 'before' and rule.first in order and rule.second in order
              and order.index(rule.first) > order.index(rule.second)):
            yield f'{said} contradicts the order of the foregrounds'


def find_problems(plan: ScenarioPlan) -> list[str]:
    """Return everything that is wrong with a plan, in sentences a planner can act on."""
    texts = list(_stream_problems(plan))
    for event in plan.sub_events:
        texts += [f'{event.name!r}: {text}' for text in _event_problems(event, plan.seconds)]
    return texts + list(_place_problems(plan)) + list(_constraint_problems(plan))


def check(plan: ScenarioPlan) -> ScenarioPlan:
    """
    Return the plan.

    Raises ScenarioPlanError with every problem of one that must not be used.
    """
    if texts := find_problems(plan):
        raise ScenarioPlanError(f'expected a plan without contradictions, got {len(texts)} '
                                f'problems: {"; ".join(texts)}. Its planner must make another')
    return plan


def read_plan(values: Any, where: str = 'plan') -> ScenarioPlan:
    """
    Return the checked plan of plain JSON types.

    ScenarioPlanError for what is no plan at all.
    """
    if not isinstance(values, dict):
        raise ScenarioPlanError(f'{where}: expected a JSON object, got {type(values).__name__}; '
                                'its planner must make another')
    try:
        return check(from_dict(ScenarioPlan, values, where))
    except RecordError as error:
        raise ScenarioPlanError(str(error)) from error


def _object_schema(**properties: Any) -> dict[str, Any]:
    return {'type': 'object', 'properties': properties, 'required': list(properties),
            'additionalProperties': False}


def plan_schema() -> dict[str, dict[str, Any]]:
    """
    Return the JSON schemas of the two stages: ``scenario`` and ``queries``.

    Every property is required and no other is allowed, as strict structured output asks for;
    numbers are bounded by the check alone because not every server knows bounds.
    """
    text: dict[str, Any] = {'type': 'string'}
    event = _object_schema(name=text, role={'type': 'string', 'enum': list(ROLES)},
                           rough_duration_s={'type': 'number'}, brief_description=text,
                           place={'type': 'string', 'enum': list(PLACES)})
    rule = _object_schema(kind={'type': 'string', 'enum': list(KINDS)}, first=text, second=text)
    query = _object_schema(name=text, query=text, caption=text,
                           accept_tags={'type': 'array', 'items': text})
    return {'scenario': _object_schema(scenario=text, sub_events={'type': 'array', 'items': event},
                                       constraints={'type': 'array', 'items': rule}),
            'queries': _object_schema(sub_events={'type': 'array', 'items': query})}
