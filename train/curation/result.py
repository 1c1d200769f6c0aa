"""What became of plans: the sounds that were placed, what was refused, and counts of both."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from train.curation.plan import ScenarioPlan, SubEvent, find_problems
from train.records import Clip

__all__ = ['CurationResult', 'Placed', 'Refusal', 'summarise']


@dataclass(frozen=True, kw_only=True)
class Placed:
    """A sub-event with the clip that stands for it."""

    event: SubEvent
    clip: Clip
    how: str
    """retrieved | generated, with ``+tfjp`` when it was reprocessed."""
    heard: dict[str, float] = field(default_factory=dict)
    unverified: str = ''
    """Not empty: why identity rests on the label of the source alone."""


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """A candidate that was not taken, or a step that gave none."""

    event: str
    stage: str
    """retrieval | retrieval+tfjp | generation | generation+tfjp"""
    candidate: str
    """Id of the clip, name of the generator, or nothing."""
    checks: tuple[str, ...]
    """Checks that failed; ``missing``, ``unreadable`` or ``error`` where none was reached."""
    reasons: tuple[str, ...]


def _retell(events: Iterable[SubEvent]) -> str:
    """Return a scenario in the words of its sub-events."""
    by_role: dict[str, list[str]] = {}
    for event in events:
        by_role.setdefault(event.role, []).append(event.brief_description.rstrip('.'))
    told = [', then '.join(by_role.get('foreground', [])),
            *(f'meanwhile {text}' for text in by_role.get('background', [])),
            *(f'all the time {text}' for text in by_role.get('ambient', []))]
    text = '; '.join(part for part in told if part)
    return f'{text[:1].upper()}{text[1:]}.'


@dataclass(frozen=True, kw_only=True)
class CurationResult:
    """What became of a plan."""

    plan: ScenarioPlan
    placed: tuple[Placed, ...]
    rejections: tuple[Refusal, ...]
    dropped: tuple[str, ...] = ()
    """Sub-events that were taken out of the plan because they had no sound."""

    @property
    def missing(self) -> tuple[str, ...]:
        """Names of sub-events for which no sound was found."""
        there = {placed.event.name for placed in self.placed}
        return tuple(e.name for e in self.plan.sub_events if e.name not in there)

    @property
    def usable(self) -> bool:
        """Whether a stream can be built: an ambient sound and a foreground are there."""
        return {'ambient', 'foreground'} <= {placed.event.role for placed in self.placed}

    def prune(self) -> 'CurationResult':
        """
        Return the result without its missing sub-events, if what is left is still a plan.

        The scenario is then told anew from what is heard; a result that would be no plan any more
        is returned as it is.
        """
        gone = self.missing
        left = tuple(e for e in self.plan.sub_events if e.name not in gone)
        plan = replace(self.plan, sub_events=left, scenario=_retell(left), constraints=tuple(
            c for c in self.plan.constraints if not {c.first, c.second} & {*gone}))
        if not gone or not self.usable or find_problems(plan):
            return self
        return replace(self, plan=plan, dropped=gone)


def summarise(results: Iterable[CurationResult]) -> dict[str, Any]:
    """Return counts over many plans: what was placed how, what was refused by what."""
    results = list(results)
    placed = [p for result in results for p in result.placed]
    refused = [r for result in results for r in result.rejections]

    return {
        'plans': len(results), 'usable_plans': sum(result.usable for result in results),
        'complete_plans': sum(not result.missing for result in results),
        'pruned_plans': sum(bool(result.dropped) for result in results),
        'sub_events': sum(len(r.plan.sub_events) + len(r.dropped) for r in results),
        'placed': len(placed), 'placed_how': _tally(p.how for p in placed),
        'placed_by_role': _tally(p.event.role for p in placed),
        'identity_unverified': sum(bool(p.unverified) for p in placed),
        'generated': sum(p.clip.generated for p in placed),
        'refused': len(refused), 'refused_at': _tally(r.stage for r in refused),
        'refused_by': _tally(c for r in refused for c in r.checks),
        'missing': _tally(name for r in results for name in (*r.missing, *r.dropped))}


def _tally(items: Iterable[str]) -> dict[str, int]:
    return dict(Counter(items).most_common())
