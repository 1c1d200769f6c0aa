"""
Curated scenarios as plans: sub-events that were verified become the events of a stream.

Owns which role a sub-event plays here and which lanes listen. Knows neither how sounds were found
nor how they are mixed.
"""

from collections.abc import Iterable
from pathlib import Path

from train.compose.bind import UnboundError
from train.compose.lanes import CRITICAL, PROMPTS
from train.compose.script import LONGEST, LanePlan, Order, Plan
from train.curation.result import CurationResult
from train.records import Clip

__all__ = ['curated_plan']

REASON_TASKS = {'scream': 'human_distress', 'glass_break': 'safety_signal'}
"""Sub-task of a critical label, where it is not equipment or fire or a signal."""
FIRE = ('smoke_alarm', 'fire_alarm', 'fire_crackling')


def task_of(clips: Iterable[Clip]) -> tuple[str, str]:
    """Return ability and sub-task by the first critical sound; without one nobody may speak."""
    for clip in clips:
        if clip.label in FIRE:
            return 'proactive', 'equipment_or_fire'
        if clip.label in CRITICAL:
            return 'proactive', REASON_TASKS.get(clip.label, 'safety_signal')
    return 'environment_agent', 'silent_verification'


def curated_plan(result: CurationResult, *, noise: tuple[Clip, ...] = (),
                 room: tuple[Clip, ...] = (), root: Path | None = None) -> Plan:
    """
    Return the plan of a curated scenario: assistant alerts at what is critical, else silence.

    Every sub-event has its sound, or the stream would contradict its scenario. Raises Unbound for
    one that lacks a foreground, an ambient or any planned sub-event. ``root`` is put before
    relative paths.
    """
    if result.missing or not result.usable:
        raise UnboundError('no sound for a sub-event', ', '.join(result.missing) or 'all refused')
    by_role = {role: [placed for placed in result.placed if placed.event.role == role]
               for role in ('foreground', 'background', 'ambient')}
    if len(by_role['foreground']) > LONGEST:
        raise UnboundError('too many foregrounds', str(len(by_role['foreground'])))

    def clips_of(role: str) -> tuple[Clip, ...]:
        placed_clips = [placed.clip for placed in by_role[role]]
        return tuple(placed_clips if root is None else [
            Clip(**{**vars(clip), 'path': str(root / clip.path)}) for clip in placed_clips])
    places = {placed.event.name: index for index, placed in enumerate(
        [*by_role['foreground'], *by_role['background']])}
    orders = tuple(Order(kind=rule.kind, first=places[rule.first], second=places[rule.second])
                   for rule in result.plan.constraints
                   if rule.first in places and rule.second in places)
    foreground, background = clips_of('foreground'), clips_of('background')
    ability, task = task_of([*foreground, *background])
    return Plan(
        id=f'curated-{result.plan.id or result.plan.seed}', ability=ability, task=task,
        seed=result.plan.seed, foreground=foreground, background=background,
        ambient=clips_of('ambient'), noise=noise, room=room, orders=orders,
        scenario=result.plan.scenario,
        lanes={'assistant': LanePlan(prompt=PROMPTS['assistant'], kind='answers')})
