"""
The streams of each arm, and those that all arms are measured on.

Owns which scripts an arm learns from and where its clips come from. Speaking, sounds, binding and
mixing are the demo's and ``train.compose``'s. Whatever is drawn is drawn by the name of the script
or clip, so what an arm leaves alone is the same in every byte.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from train.ablate.arms import CorpusPlan
from train.ablate.recordings import record_clip
from train.compose.command import build_all, mix_for
from train.compose.script import Script, Step
from train.demo.command import choose_speakers, make_clips
from train.demo.writer import Writer
from train.records import Clip
from train.responses import P_HISTORY_REVIEW, P_SILENT
from train.speech.engines import EngineSettings, find_present
from train.stages import read_stage, run_stage, stable_seed

__all__ = ['CorpusSettings', 'build_corpora', 'deal_scenes', 'held_out_of', 'streams_of',
           'write_scripts']

VOICES_HELD_OUT = 2


@dataclass(frozen=True, kw_only=True)
class CorpusSettings:
    """How much is made, of what."""

    hours: float
    """Of streams to learn from, per corpus."""
    held_out_hours: float
    seed: int = 0
    sounds: int | None = None
    """Clips of each kind of sound; None: as many as the demo has."""


def streams_of(name: str) -> str:
    """Return the file of a corpus, relative to the folder of the run."""
    return f'streams/{name}/streams.jsonl'


def held_out_of(chunk_s: float) -> str:
    """Return the corpus that nothing is learned from, in such chunks."""
    return f'held-out-{chunk_s:g}'


def write_scripts(plan: CorpusPlan, voices: Sequence[str], settings: CorpusSettings
                  ) -> list[Script]:
    """Return the scripts of a corpus: those of the whole one, but for what the plan changes."""
    whole = Writer(voices, seed=settings.seed).write_hours(settings.hours)
    writer = Writer(voices, seed=settings.seed,
                    reviews=P_HISTORY_REVIEW if plan.reviews else 0.0,
                    silent=P_SILENT if plan.silence else 0.0)
    counts = Counter(script.ability for script in whole)
    scripts = [writer.write(ability, number) for ability, count in counts.items()
               for number in range(count)]
    return scripts if plan.curated else deal_scenes(scripts, settings.seed)


def deal_scenes(scripts: Sequence[Script], seed: int) -> list[Script]:
    """
    Return scripts whose scenes of sounds got their steps at random from all such scenes.

    Every sound and every question keeps its own answer and voice, and every scene as many steps
    as it had; what stands before and after a step is chance. Other scripts stay as they are.
    """
    scenes = [script for script in scripts if any(step.sound for step in script.steps)]
    steps = [_take_out(step, script) for script in scenes for step in script.steps]
    order = np.random.default_rng(stable_seed(seed, 'deal')).permutation(len(steps))
    dealt = iter(steps[int(place)] for place in order)
    new = {script.id: replace(script, steps=tuple(next(dealt) for _ in script.steps))
           for script in scenes}
    return [new.get(script.id, script) for script in scripts]


def _take_out(step: Step, script: Script) -> Step:
    return replace(step, review_of=None, voice=step.voice or (script.voice if step.say else ''))


def build_corpora(plans: Sequence[CorpusPlan], everything: Sequence[CorpusPlan], out: Path, *,
                  settings: CorpusSettings, workers: int) -> None:
    """
    Build the streams of some corpora and the held-out ones under ``out/streams``.

    The latter once for each size of chunks: the same sounds at the same times.

    The clips of ``everything`` are made at once, so that a corpus that is wanted later finds its
    own. Held-out streams have voices, sounds, places and noises of their own, from clips that
    were never recorded anew. Resumable; raises ConfigurationError where nothing can speak and
    StageError for another build in the folder.
    """
    engines = EngineSettings(names=find_present())
    voices = choose_speakers(engines)
    heard, unheard = voices[:-VOICES_HELD_OUT] or voices, voices[-VOICES_HELD_OUT:]
    written = {plan: write_scripts(plan, heard, settings) for plan in {*everything, *plans}}
    lines = [script for plan in everything for script in written[plan]]
    make = partial(make_clips, settings=engines, most=settings.sounds, check=False,
                   workers=workers)
    dry, _ = make(lines, out / 'clips', seed=settings.seed)
    for plan in plans:
        clips = _record(dry, out, clean=plan.tfjp, workers=workers)
        _compose(written[plan], clips, out / 'streams' / plan.name, plan.chunk_s, workers)
    other = replace(settings, hours=settings.held_out_hours, seed=settings.seed + 1)
    scripts = Writer(unheard, seed=other.seed).write_hours(other.hours)
    clips, _ = make(scripts, out / 'clips-held-out', seed=other.seed)
    clips = [replace(clip, path=str(out / 'clips-held-out' / clip.path)) for clip in clips]
    for chunk_s in dict.fromkeys(plan.chunk_s for plan in plans):
        _compose(scripts, clips, out / 'streams' / held_out_of(chunk_s), chunk_s, workers)


def _record(clips: list[Clip], out: Path, *, clean: bool, workers: int) -> list[Clip]:
    root, name = out / 'clips', 'cleaned' if clean else 'recorded'
    report = run_stage(name, clips, partial(
        record_clip, root=root, out=root / f'audio-{name}', clean=clean), out=root,
        workers=workers, shard_size=32)
    return list(read_stage(Path(report.folder), Clip))


def _compose(scripts: list[Script], clips: list[Clip], folder: Path, chunk_s: float,
             workers: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    # TFJP has been at the clips already, or is what the arm lacks.
    build_all(scripts, clips, root=Path('/'), out=folder, mix=mix_for(chunk_s), workers=workers,
              clean=False)
