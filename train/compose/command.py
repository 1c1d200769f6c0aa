"""
``python -m train build``: streams from clips and scripts, as a stage that can be resumed.

Owns the options, the stage's function and what is written: ``streams.jsonl``, ``audio/*.flac``,
``attribution.md``, ``build.json``. Composition itself is in train.compose.mix.
"""

import argparse
import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from audio_interaction_ros.protocol import CHUNK_S, ChunkSize
from train.compose.audio import ClipError, read_clip, write_clip
from train.compose.bind import NOISE_PROBABILITY, Pool, UnboundError, bind, scripts_of
from train.compose.curated import curated_plan
from train.compose.lanes import Rules
from train.compose.mix import Mix, compose
from train.compose.script import Plan, PlanError, Script
from train.corpora.licences import check_groups, write_attribution
from train.curation.result import CurationResult
from train.records import Clip, Stream, read_records, write_records
from train.sounds.signals import LABELS
from train.stages import Rejected, StageReport, read_stage, run_stage, stable_seed
from train.tfjp import process

__all__ = ['Built', 'add_arguments', 'add_chunk_argument', 'bind_all', 'build_all',
           'compose_all', 'compose_plan', 'mix_for', 'read_cleaned', 'run']

SHARD = 16


def read_cleaned(clip: Clip, root: Path) -> np.ndarray:
    """
    Return a clip after TFJP, as the paper does at mix time.

    Left alone are generated clips, which are clean; standardised signals, whose pauses are what
    tells one from another; and steady noise, which has no core to find (rain, a vacuum cleaner).
    Raises ClipError where nothing is left.
    """
    samples = read_clip(clip, root)
    if clip.generated or clip.label in LABELS:
        return samples
    result = process(samples)
    if result.report.verdict == 'noise':
        return samples
    if result.report.verdict != 'ok':
        raise ClipError(f'clip {clip.id}: TFJP finds {result.report.verdict} '
                        f'({result.report.reason}); take it out of the manifest')
    return np.asarray(result.samples, np.float32)


def compose_plan(plan: Plan, *, root: Path, out: Path, mix: Mix,
                 clean: bool) -> Stream | Rejected:
    """Stage function: compose one stream and write its audio."""
    try:
        samples, stream = compose(plan, root=root, mix=mix,
                                  read=read_cleaned if clean else read_clip)
    except ClipError as error:
        return Rejected(reason='clip cannot be used', detail=str(error))
    except PlanError as error:
        return Rejected(reason='plan refused', detail=str(error))
    write_clip(out / stream.path, samples)
    return stream


@dataclass(frozen=True, kw_only=True)
class Built:
    """What a build made."""

    streams: list[Stream]
    report: StageReport
    unbound: list[tuple[str, str, str]]
    """Script, reason and detail of what found no clips."""

    @property
    def rejections(self) -> dict[str, int]:
        """Reason -> count, over binding and composing."""
        return dict(Counter([reason for _, reason, _ in self.unbound])
                    + Counter(self.report.rejected))


def bind_all(scripts: Iterable[Script], pool: Pool, *, noise_probability: float = NOISE_PROBABILITY
             ) -> tuple[list[Plan], list[tuple[str, str, str]]]:
    """Return plans, and for each script without one its id, reason and detail."""
    plans, unbound = [], []
    for script in scripts:
        try:
            plans.append(bind(script, pool, noise_probability=noise_probability))
        except UnboundError as error:
            unbound.append((script.id, error.reason, error.detail))
        except PlanError as error:
            unbound.append((script.id, 'plan refused', str(error)))
    return plans, unbound


def curated_plans(results: Iterable[CurationResult], pool: Pool
                  ) -> tuple[list[Plan], list[tuple[str, str, str]]]:
    """Return the plans of curated scenarios, and for each without one its reason."""
    plans, unbound = [], []
    for result in results:
        rng = np.random.default_rng(stable_seed(result.plan.id, result.plan.seed))
        room = (pool.room[int(rng.integers(len(pool.room)))],) if pool.room else ()
        try:
            plans.append(curated_plan(result, room=room))
        except UnboundError as error:
            unbound.append((result.plan.id, error.reason, error.detail))
    return plans, unbound


def build_all(scripts: Iterable[Script], clips: Iterable[Clip], *, root: Path, out: Path,
              workers: int, mix: Mix | None = None, clean: bool = True, resume: bool = True,
              backend: str = 'processes',
              noise_probability: float = NOISE_PROBABILITY,
              curated: Iterable[CurationResult] = ()) -> Built:
    """
    Build the streams of scripts and curated scenarios from clips into a folder.

    Paths of clips are relative to root, or absolute.

    Raises StageError for a full disk or a folder that holds another build.
    """
    plans, unbound = bind_all(scripts, Pool.of(clips), noise_probability=noise_probability)
    more, missing = curated_plans(curated, Pool.of(clips))
    unbound = [*unbound, *missing]
    streams, report = compose_all([*plans, *more], root=root, out=out, workers=workers,
                                  mix=mix or Mix(), clean=clean, resume=resume, backend=backend)
    built = Built(streams=streams, report=report, unbound=unbound)
    (out / 'build.json').write_text(json.dumps({
        'stage': asdict(report), 'hours_per_core_hour': report.hours_per_core_hour,
        'core_hours_for_302k_hours': report.core_hours_for(302_000),
        'rejections': built.rejections, 'unbound': unbound,
        'by_ability': Counter(stream.ability for stream in streams)}, indent=1,
        ensure_ascii=False), encoding='utf-8')
    return built


def compose_all(plans: Sequence[Plan], *, root: Path, out: Path, workers: int, mix: Mix,
                clean: bool = True, resume: bool = True, backend: str = 'processes'
                ) -> tuple[list[Stream], StageReport]:
    """
    Compose plans into ``out``: audio, ``streams.jsonl`` and ``attribution.md``.

    Raises StageError for a full disk or a folder that holds another build.
    """
    report = run_stage('streams', plans, partial(
        compose_plan, root=root, out=out, mix=mix, clean=clean), out=out,
        workers=workers, resume=resume, backend=backend, shard_size=SHARD)
    streams = list(read_stage(Path(report.folder), Stream))
    write_records(out / 'streams.jsonl', streams)
    used = {event.clip.id: event.clip for stream in streams for event in stream.events}
    write_attribution(out / 'attribution.md', used.values())
    return streams, report


def add_chunk_argument(parser: argparse.ArgumentParser) -> None:
    """Add the option that says what chunks the streams are for."""
    parser.add_argument('--chunk', type=float, default=CHUNK_S, metavar='S',
                        help='seconds that the model will hear at once (default: %(default)s)')


def mix_for(chunk_s: float) -> Mix:
    """Return what composes streams of such chunks; raises ConfigurationError for odd ones."""
    return Mix(rules=Rules(chunk_size=ChunkSize.of_seconds(chunk_s)))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument('--clips', type=Path, action='append', default=[],
                        help='JSON lines of clips; may be given several times')
    parser.add_argument('--scripts', type=Path, default=None,
                        help='JSON lines of scripts; without: what the speech clips give')
    parser.add_argument('--curated', type=Path, default=None,
                        help='folder that "curate run" left: its scenarios become streams too')
    parser.add_argument('--out', type=Path, required=True)
    parser.add_argument('--workers', type=int, default=2)
    parser.add_argument('--backend', choices=('processes', 'ray'), default='processes')
    parser.add_argument('--exclude-group', action='append', default=[],
                        help='leave out a licence group; may be given several times')
    parser.add_argument('--no-tfjp', action='store_true', help='take recordings as they are')
    parser.add_argument('--noise', type=float, default=NOISE_PROBABILITY,
                        help='share of streams with a bed of noise (%(default)s; the paper: 1)')
    add_chunk_argument(parser)
    parser.add_argument('--anew', action='store_true', help='do not go on with an earlier build')


def clips_of(files: Iterable[Path], excluded: tuple[str, ...]) -> tuple[list[Clip], int]:
    """Return clips with absolute paths, and how many a licence group left out."""
    clips, left_out = [], 0
    for file in files:
        for clip in read_records(file, Clip):
            check_groups([clip.licence_group])
            if clip.licence_group in excluded:
                left_out += 1
            else:
                clips.append(replace(clip, path=str(file.parent.absolute() / clip.path)))
    return clips, left_out


def run(options: argparse.Namespace) -> int:
    """Build and report."""
    out = options.out.absolute()
    out.mkdir(parents=True, exist_ok=True)
    clips, left_out = clips_of(options.clips, check_groups(options.exclude_group))
    scripts = (list(read_records(options.scripts, Script)) if options.scripts
               else scripts_of(clips))
    curated = (list(read_stage(options.curated / 'curated', CurationResult))
               if options.curated else [])
    built = build_all(scripts, clips, root=Path('/'), out=out, mix=mix_for(options.chunk),
                      workers=options.workers,
                      clean=not options.no_tfjp, resume=not options.anew,
                      backend=options.backend, noise_probability=options.noise, curated=curated)
    report = built.report
    print(f'{len(built.streams)} streams, {report.audio_hours:.3f} h, '
          f'{report.core_hours * 3600:.0f} core-seconds: {report.hours_per_core_hour:.0f} hours '
          f'of stream per core-hour')
    print(f'left out: {built.rejections or "nothing"}; {left_out} clips by licence group')
    return 0
