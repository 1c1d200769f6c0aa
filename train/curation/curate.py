"""
From a plan to verified sounds: retrieve, verify, reprocess once, generate where nothing fits.

Owns the order of these steps, what becomes of the files and what is refused.
Knows neither how a plan is made nor how a stream is mixed.
"""

import hashlib
import re
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from audio_interaction_ros.errors import AudioFormatError, AudioInteractionError
from train.curation.beds import fit_bed
from train.curation.clips import RATE, load, store
from train.curation.plan import ScenarioPlan, SubEvent, check
from train.curation.result import CurationResult, Placed, Refusal
from train.curation.retrieve import ClipIndex
from train.curation.tagger import Tagger
from train.curation.verify import Verdict, verify
from train.records import Clip
from train.sounds.generator import Generator, Request

__all__ = ['curate']

CANDIDATES = 3

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
            fitted = fit_bed(candidate.samples, event.rough_duration_s)
            candidate = replace(candidate, samples=fitted, changed=candidate.changed or (
                len(fitted) != len(candidate.samples)))
        verdict = self.judge(candidate, event)
        if verdict.verdict == 'reprocess':
            mended = self.mend(candidate, event)
            if mended is None:
                return False
            candidate, verdict = mended, self.judge(mended, event)
        if verdict.verdict == 'accept':
            self.keep(candidate, event, verdict)
        return verdict.verdict == 'accept'

    def mend(self, candidate: _Candidate, event: SubEvent) -> _Candidate | None:
        """Return a candidate reprocessed; None where nothing is left of it."""
        mended, stage = self.process(candidate.samples), f'{candidate.stage}+tfjp'
        if mended.report.verdict == 'silence':
            self.refuse(event, stage, candidate.clip.id, ['cleanliness'], [mended.report.reason])
            return None
        return replace(candidate, samples=mended.samples, changed=True, stage=stage)

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
            samples = _check_samples(sound.samples)
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


def _check_samples(made: Any) -> np.ndarray:
    """Return what a generator made as finite float32 [n]; AudioFormatError if it is not that."""
    samples = np.asarray(made)
    if samples.ndim != 1 or samples.dtype != np.float32 or not len(samples) or (
            not np.isfinite(samples).all()):
        raise AudioFormatError(f'expected finite float32 samples [n], got {samples.dtype} '
                               f'{list(samples.shape)}; the generator must be corrected')
    return samples


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
