"""
From a plan to verified sounds: retrieve, verify, reprocess once, generate where nothing fits.

Owns the order of these steps, what becomes of the files and the account of everything refused.
Knows neither how a plan is made nor how a stream is mixed.
"""

import hashlib
import re
import zlib
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from audio_interaction_ros.errors import AudioFormatError, AudioInteractionError
from train.curation.clips import RATE, load, store
from train.curation.plan import ScenarioPlan, SubEvent, check, find_problems
from train.curation.retrieve import ClipIndex
from train.curation.tagger import Tagger
from train.curation.verify import Verdict, verify
from train.records import Clip
from train.sounds.generator import Generator, Request

__all__ = ['CurationResult', 'Placed', 'Refusal', 'curate', 'summarise']

CANDIDATES = 3
_LOOP_S = 4.0
"""A bed of at least this length may be repeated."""
_FADE_S = 0.5


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


@dataclass(frozen=True, kw_only=True)
class _Candidate:
    clip: Clip
    samples: np.ndarray
    stage: str
    changed: bool = False
    """Whether the samples differ from the clip's file, so that they must be written."""


def _to_slug(text: str) -> str:
    """Return what of a text may stand in a file name: planners choose names freely."""
    return re.sub(r'[^A-Za-z0-9_-]+', '_', text)[:40].strip('_')


def _file_stem(plan: ScenarioPlan) -> str:
    """Return the beginning of the names of a plan's files, which no other plan has."""
    digest = hashlib.blake2s(repr(plan).encode(), digest_size=4).hexdigest()
    return f'{_to_slug(plan.id) or "plan"}-{digest}'


def _seed_of(plan: ScenarioPlan, event: SubEvent) -> int:
    return zlib.crc32(f'{plan.seed} {plan.id} {event.name}'.encode())


def _make_bed(samples: np.ndarray, seconds: float) -> np.ndarray:
    """
    Return a background or ambient sound of the planned length.

    A longer one is cut, one of at least 4 s is repeated with crossfades, a shorter one is left
    as it is: its duration will be refused.
    """
    wanted, fade = round(seconds * RATE), round(_FADE_S * RATE)
    if len(samples) > 2 * wanted:
        return samples[:wanted]
    if len(samples) >= wanted // 2 or len(samples) < _LOOP_S * RATE:
        return samples
    rise = np.sin(np.linspace(0.0, np.pi / 2, fade, dtype=np.float32))
    step = len(samples) - fade
    out = np.zeros(-(-wanted // step) * step + fade, np.float32)
    for start in range(0, len(out) - fade, step):
        piece = samples.copy()
        piece[-fade:] *= rise[::-1]
        if start:
            piece[:fade] *= rise
        out[start:start + len(samples)] += piece
    return out[:wanted]


class _Curation:
    """One plan on its way; keeps what was placed and what was refused."""

    def __init__(self, plan: ScenarioPlan, index: ClipIndex, tagger: Tagger,
                 generator: Generator | None, out: Path, root: Path,
                 process: Callable[[np.ndarray], Any]) -> None:
        self.plan, self.index, self.tagger, self.generator = plan, index, tagger, generator
        self.out, self.root, self.process = out, root, process
        self.placed: list[Placed] = []
        self.refused: list[Refusal] = []
        self.used: set[str] = set()
        self.before = ''

    def refuse(self, event: SubEvent, stage: str, candidate: str, checks: Iterable[str],
               reasons: Iterable[str]) -> None:
        self.refused.append(Refusal(event=event.name, stage=stage, candidate=candidate,
                                    checks=tuple(dict.fromkeys(checks)), reasons=tuple(reasons)))

    def judge(self, candidate: _Candidate, event: SubEvent) -> Verdict:
        clip = candidate.clip
        verdict = verify(candidate.samples, event, tagger=self.tagger,
                         label='' if clip.generated else clip.label,
                         source=clip.source_id or clip.id, before=self.before)
        if verdict.verdict != 'accept':
            self.refuse(event, candidate.stage, clip.id, (c.check for c in verdict.conflicts),
                        (c.reason for c in verdict.conflicts))
        return verdict

    def keep(self, candidate: _Candidate, event: SubEvent, verdict: Verdict) -> None:
        """Take a candidate; samples that no file holds are written."""
        clip = candidate.clip
        if candidate.changed:
            stem = f'{_file_stem(self.plan)}-{len(self.placed):02d}'
            path = (self.out / f'{stem}-{_to_slug(event.name)}.flac').absolute()
            store(candidate.samples, path)
            clip = replace(clip, id=f'{clip.id}@{stem}', path=str(path),
                           seconds=len(candidate.samples) / RATE)
        how = candidate.stage.replace('retrieval', 'retrieved').replace('generation', 'generated')
        self.placed.append(Placed(event=event, clip=clip, how=how, heard=dict(verdict.heard),
                                  unverified=verdict.unverified))
        self.used.add(clip.source_id or clip.id)
        if event.role == 'foreground':
            self.before = clip.source_id or clip.id

    def consider(self, candidate: _Candidate, event: SubEvent) -> bool:
        """Verify a candidate, reprocess it once where that may help; tell whether it is kept."""
        if event.role != 'foreground':
            fitted = _make_bed(candidate.samples, event.rough_duration_s)
            candidate = replace(candidate, samples=fitted, changed=candidate.changed or (
                len(fitted) != len(candidate.samples)))
        verdict = self.judge(candidate, event)
        if verdict.verdict == 'reprocess':
            mended = self.process(candidate.samples)
            stage = f'{candidate.stage}+tfjp'
            if mended.report.verdict == 'silence':
                self.refuse(event, stage, candidate.clip.id, ['cleanliness'],
                            [mended.report.reason])
                return False
            candidate = replace(candidate, samples=mended.samples, changed=True, stage=stage)
            verdict = self.judge(candidate, event)
        if verdict.verdict == 'accept':
            self.keep(candidate, event, verdict)
        return verdict.verdict == 'accept'

    def retrieve(self, event: SubEvent) -> bool:
        hits = self.index.search(event.query, labels=event.accept_tags, count=CANDIDATES,
                                 seconds=event.rough_duration_s, seed=_seed_of(self.plan, event),
                                 without=frozenset(self.used))
        if not hits:
            self.refuse(event, 'retrieval', '', ['missing'], ['no clip matches the query'])
        for hit in hits:
            clip = replace(hit.clip, path=str((self.root / hit.clip.path).absolute()))
            try:
                samples = load(clip, self.root)
            except AudioFormatError as error:
                self.refuse(event, 'retrieval', clip.id, ['unreadable'], [str(error)])
                continue
            if self.consider(_Candidate(clip=clip, samples=samples, stage='retrieval'), event):
                return True
        return False

    def generate(self, event: SubEvent) -> bool:
        if self.generator is None:
            return False
        seed = _seed_of(self.plan, event)
        try:
            sound = self.generator.generate(Request(
                caption=event.caption, labels=event.accept_tags,
                seconds=event.rough_duration_s, seed=seed))
            samples = np.asarray(sound.samples)
            if samples.ndim != 1 or samples.dtype != np.float32 or not len(samples) or (
                    not np.isfinite(samples).all()):
                raise AudioFormatError(f'expected finite float32 samples [n], got {samples.dtype} '
                                       f'{list(samples.shape)}; the generator must be corrected')
        except (AudioInteractionError, OSError) as error:
            self.refuse(event, 'generation', self.generator.name, ['error'], [str(error)])
            return False
        clip = Clip(id=self.generator.name, path='',
                    seconds=len(samples) / RATE, label=sound.label, caption=event.caption,
                    tags=sound.tags, source=sound.source, generated=True,
                    source_id=f'{sound.source}:{seed}', licence=sound.licence,
                    licence_group=sound.licence_group)
        return self.consider(
            _Candidate(clip=clip, samples=samples, stage='generation', changed=True), event)


def _import_tfjp() -> Callable[[np.ndarray], Any]:
    from train.tfjp import process
    return process


def curate(plan: ScenarioPlan, *, index: ClipIndex, tagger: Tagger,
           generator: Generator | None = None,
           out: Path, root: Path = Path(),
           process: Callable[[np.ndarray], Any] | None = None) -> CurationResult:
    """
    Return a sound for every sub-event where one could be had, and everything refused.

    The three best clips of the index are verified in turn, each mended once by ``process``
    (TFJP) where that may help; when none passes, the generator's sound faces the same checks.
    Clips keep their files (paths relative to ``root`` become absolute); mended, fitted and
    generated ones are written to ``out``. A recording is used once per plan. The same inputs give
    the same result. Raises PlanError for a plan that contradicts itself and OSError when
    ``out`` cannot be written.
    """
    curation = _Curation(check(plan), index, tagger, generator, out, root,
                         process or _import_tfjp())
    for event in plan.sub_events:
        if not curation.retrieve(event):
            curation.generate(event)
    return CurationResult(plan=plan, placed=tuple(curation.placed),
                          rejections=tuple(curation.refused))


def summarise(results: Iterable[CurationResult]) -> dict[str, Any]:
    """Return counts over many plans: what was placed how, what was refused by what."""
    results = list(results)
    placed = [p for result in results for p in result.placed]
    refused = [r for result in results for r in result.rejections]

    def tally(items: Iterable[str]) -> dict[str, int]:
        return dict(Counter(items).most_common())

    return {
        'plans': len(results), 'usable_plans': sum(result.usable for result in results),
        'complete_plans': sum(not result.missing for result in results),
        'pruned_plans': sum(bool(result.dropped) for result in results),
        'sub_events': sum(len(r.plan.sub_events) + len(r.dropped) for r in results),
        'placed': len(placed), 'placed_how': tally(p.how for p in placed),
        'placed_by_role': tally(p.event.role for p in placed),
        'identity_unverified': sum(bool(p.unverified) for p in placed),
        'generated': sum(p.clip.generated for p in placed),
        'refused': len(refused), 'refused_at': tally(r.stage for r in refused),
        'refused_by': tally(c for r in refused for c in r.checks),
        'missing': tally(name for r in results for name in (*r.missing, *r.dropped))}
