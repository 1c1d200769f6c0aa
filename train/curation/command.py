"""
``python -m train curate STEP …``: fit a tagger, draw plans, find sounds for them.

Owns the arguments, the folder that ``run`` leaves behind and the summary on the screen.
"""

import argparse
import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict
from fnmatch import fnmatchcase
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

from audio_interaction_ros.errors import ConfigurationError
from train.curation.curate import curate
from train.curation.features import EXTRACTORS
from train.curation.fit_tagger import choose_clips, fit
from train.curation.language_planner import LanguagePlanner
from train.curation.plan import ScenarioPlan
from train.curation.planner import GrammarPlanner, Planner, draw_bag
from train.curation.result import CurationResult, summarise
from train.curation.retrieve import ClipIndex
from train.curation.tagger import LinearTagger
from train.records import Clip, read_records, write_records
from train.sounds.audiox import AudioX
from train.sounds.elevenlabs import ElevenLabs
from train.sounds.generator import ChainGenerator, Generator, SignalGenerator

__all__ = ['GENERATORS', 'add_arguments', 'curate_one', 'run']

GENERATORS = {'signals': SignalGenerator, 'audiox': AudioX, 'elevenlabs': ElevenLabs}
_PLACES = {'audiox': 'audiox_url', 'elevenlabs': 'elevenlabs_url'}


def _add_clips(parser: argparse.ArgumentParser, *, leave_out: Sequence[str]) -> None:
    parser.add_argument('clips', metavar='FOLDER', type=Path, nargs='+',
                        help='folder with manifest.jsonl')
    parser.add_argument('--exclude-groups', nargs='*', default=[], metavar='GROUP',
                        help='licence groups to leave out')
    parser.add_argument('--leave-out', nargs='*', metavar='PATTERN', default=leave_out,
                        help=f'labels not to use (default: {" ".join(leave_out) or "none"})')


def _add_fit(parser: argparse.ArgumentParser) -> None:
    _add_clips(parser, leave_out=())
    parser.add_argument('--out', type=Path, required=True, help='tagger file to write (.npz)')
    parser.add_argument('--features', choices=sorted(EXTRACTORS), default='whisper',
                        help='whisper hears better, log_mel needs no torch')
    parser.add_argument('--rename', nargs='*', default=[], metavar='PATTERN=LABEL',
                        help='labels to take together')
    parser.add_argument('--most', type=int, default=200, help='clips per label at most')
    parser.add_argument('--fewest', type=int, default=4, help='recordings per label at least')
    parser.add_argument('--signals', type=int, default=12,
                        help='made devices of every standardised signal')
    parser.add_argument('--workers', type=int, default=1)


def _add_plan(parser: argparse.ArgumentParser) -> None:
    _add_clips(parser, leave_out=('speech_*',))
    parser.add_argument('--out', type=Path, required=True, help='plans to write (.jsonl)')
    parser.add_argument('--count', type=int, default=10)
    parser.add_argument('--seconds', type=float, default=40.0, help='length of each stream')
    parser.add_argument('--seed', type=int, default=0, help='number of the first plan')
    parser.add_argument('--bag', type=int, default=12, help='annotations given to the planner')
    parser.add_argument('--planner', choices=('grammar', 'language'), default='grammar')
    parser.add_argument('--url', default='http://localhost:8000/v1',
                        help='OpenAI-compatible endpoint of the language planner')
    parser.add_argument('--model', default='', help='its model')
    parser.add_argument('--json', choices=('json_schema', 'json_object'), default='json_schema',
                        help='how the endpoint is told of the form')
    parser.add_argument('--tagger', type=Path, help='refuse tags that this tagger does not know')


def _add_run(parser: argparse.ArgumentParser) -> None:
    _add_clips(parser, leave_out=('speech_*',))
    parser.add_argument('--plans', type=Path, required=True, help='plans (.jsonl)')
    parser.add_argument('--tagger', type=Path, required=True, help='tagger file (.npz)')
    parser.add_argument('--out', type=Path, required=True, help='folder to write')
    parser.add_argument('--generators', nargs='*', choices=sorted(GENERATORS), default=['signals'],
                        help='asked in this order where no clip fits')
    parser.add_argument('--whole', action='store_true',
                        help='leave plans alone whose sub-events have no sound (default: such '
                             'sub-events are taken out where a plan is left)')
    parser.add_argument('--audiox-url', default=AudioX.url)
    parser.add_argument('--elevenlabs-url', default=ElevenLabs.url)
    parser.add_argument('--workers', type=int, default=1)


_STEPS = {'fit-tagger': (_add_fit, 'fit the tagger that verifies what a clip is'),
          'plan': (_add_plan, 'draw plans of scenarios'),
          'run': (_add_run, 'find, verify, mend or generate a sound for every sub-event')}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the three steps."""
    steps = parser.add_subparsers(dest='step', required=True, metavar='STEP')
    for name, (add, about) in _STEPS.items():
        add(steps.add_parser(name, help=about, description=about))


def _read_clips(options: argparse.Namespace) -> list[Clip]:
    from train.corpora.importers import read_folder
    clips: list[Clip] = []
    for folder in options.clips:
        kept, left_out = read_folder(folder, exclude_groups=options.exclude_groups)
        print(f'{folder.name}: {len(kept)} clips, {len(left_out)} left out')
        clips += kept
    return clips


def _select_sounds(options: argparse.Namespace) -> list[Clip]:
    return [clip for clip in _read_clips(options)
            if not any(fnmatchcase(clip.label, pattern) for pattern in options.leave_out)]


def _parse_renames(texts: Sequence[str]) -> dict[str, str]:
    pairs = [text.partition('=') for text in texts]
    if wrong := [text for text, (old, _, new) in zip(texts, pairs, strict=True)
                 if not old or not new]:
        raise ConfigurationError(f'expected --rename PATTERN=LABEL, got {wrong}; correct it')
    return {old: new for old, _, new in pairs}


def _fit(options: argparse.Namespace) -> None:
    chosen = choose_clips(_select_sounds(options), rename=_parse_renames(options.rename),
                          most_per_label=options.most, fewest_recordings=options.fewest)
    print(f'{len(chosen)} clips of {len({clip.label for clip in chosen})} labels')
    tagger, report = fit(chosen, root=Path(), features=options.features,
                         signals=options.signals, workers=options.workers)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    tagger.save(options.out)
    options.out.with_suffix('.json').write_text(json.dumps(asdict(report), indent=1))
    print(f'real clips of unheard recordings ({report.clips} of {report.recordings} recordings, '
          f'{report.labels} labels): first {report.top1:.1%}, among three {report.top3:.1%}, '
          f'mean over labels {report.macro_top3:.1%}')


def _make_planner(options: argparse.Namespace) -> Planner:
    if options.planner == 'grammar':
        return GrammarPlanner()
    if not options.model:
        raise ConfigurationError('expected --model for the language planner, got none; name it')
    known = LinearTagger.load(options.tagger).labels if options.tagger else frozenset[str]()
    return LanguagePlanner(url=options.url, model=options.model, structured=options.json,
                           known_tags=known)


def _plan(options: argparse.Namespace) -> None:
    clips, planner = _select_sounds(options), _make_planner(options)
    plans = [planner.plan(draw_bag(clips, count=options.bag, seed=seed), seconds=options.seconds,
                          seed=seed) for seed in range(options.seed, options.seed + options.count)]
    options.out.parent.mkdir(parents=True, exist_ok=True)
    print(f'{write_records(options.out, plans)} plans in {options.out}')


@lru_cache(maxsize=2)
def _open_tools(index: str, tagger: str) -> tuple[ClipIndex, LinearTagger]:
    return ClipIndex.open(Path(index)), LinearTagger.load(Path(tagger))


def _make_generator(names: Sequence[str], urls: dict[str, str]) -> Generator:
    return ChainGenerator([
        GENERATORS[name](**({'url': urls[name]} if name in urls else {})) for name in names])


def curate_one(plan: ScenarioPlan, *, index: str, tagger: str, generators: tuple[str, ...],
               urls: dict[str, str], out: str, whole: bool = False) -> CurationResult:
    """Curate one plan with tools that each process opens once; a function for ``run_stage``."""
    clip_index, heard = _open_tools(index, tagger)
    result = curate(plan, index=clip_index, tagger=heard,
                    generator=_make_generator(generators, urls),
                    out=Path(out))
    return result if whole else result.prune()


def _hash_of(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _run(options: argparse.Namespace) -> None:
    from train.stages import read_stage, run_stage
    LinearTagger.load(options.tagger)  # refuse before anything is built
    plans = list(read_records(options.plans, ScenarioPlan))
    out = options.out.absolute()
    out.mkdir(parents=True, exist_ok=True)
    clips = _select_sounds(options)
    ClipIndex(clips, path=out / 'clips.sqlite')
    urls = {name: getattr(options, field) for name, field in _PLACES.items()}
    work = partial(curate_one, index=str(out / 'clips.sqlite'),
                   tagger=str(options.tagger.absolute()), generators=tuple(options.generators),
                   urls=urls, out=str(out / 'sounds'), whole=options.whole)
    settings: dict[str, Any] = {
        'tagger': _hash_of(options.tagger),
        'clips': hashlib.sha256(repr(clips).encode()).hexdigest()}
    report = run_stage('curated', plans, work, out=out, workers=options.workers, shard_size=8,
                       settings=settings)
    counts = summarise(read_stage(out / 'curated', CurationResult))
    counts['plans_refused'] = report.rejected
    counts['seconds'], counts['core_hours'] = report.seconds, report.core_hours
    (out / 'report.json').write_text(json.dumps(counts, indent=1, ensure_ascii=False))
    print(json.dumps(counts, indent=1, ensure_ascii=False))


def run(options: argparse.Namespace) -> int:
    """Do the step that was asked for."""
    {'fit-tagger': _fit, 'plan': _plan, 'run': _run}[options.step](options)
    return 0
