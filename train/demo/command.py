"""
``python -m train demo``: about an hour of streams of all seven abilities, and a page about them.

Owns the order of the stages and what is printed. Every stage is resumable: after a stop the same
command goes on where it was.
"""

import argparse
import itertools
import json
import time
from collections.abc import Iterable
from dataclasses import asdict
from functools import partial
from pathlib import Path

from rich.console import Console

from audio_interaction_ros.errors import ConfigurationError
from audio_interaction_ros.protocol import CHUNK_S
from train.compose.command import add_chunk_argument, build_all, clips_of, mix_for
from train.compose.script import Script
from train.demo.built import Demo
from train.demo.page import write_page
from train.demo.sounds import make_clip, make_plans, packaged_clips
from train.demo.writer import Writer
from train.records import Clip, write_records
from train.speech.command import speak_all
from train.speech.engines import EngineSettings, find_present, make_engines
from train.speech.make import choose_voices, list_lines
from train.stages import StageReport, read_stage, run_stage

__all__ = ['OUT', 'add_arguments', 'build_demo', 'choose_speakers', 'make_clips', 'run']

OUT = Path('work/corpus-demo')
SPEAKERS = 8
HOURS_PUBLISHED = 302_000


def choose_speakers(settings: EngineSettings) -> list[str]:
    """Return at most eight English voices, the engines in turn; raises ConfigurationError."""
    if not settings.names:
        raise ConfigurationError('demo: no speech engine is here; run: pip install hibari-tts, '
                                 'or: sudo apt install flite espeak-ng')
    each = [choose_voices({name: engine}, 'en') for name, engine in make_engines(settings).items()]
    # the voices of an engine that differ most come first and last in its list
    spread = [[voices[i * len(voices) // 4] for i in range(min(4, len(voices)))]
              for voices in each]
    turns = itertools.chain.from_iterable(itertools.zip_longest(*spread))
    return list(dict.fromkeys(voice for voice in turns if voice))[:SPEAKERS]


def make_clips(scripts: Iterable[Script], out: Path, *, settings: EngineSettings, seed: int = 0,
               most: int | None = None, check: bool = True, workers: int = 2,
               extra: tuple[Path, ...] = (), resume: bool = True
               ) -> tuple[list[Clip], dict[str, StageReport]]:
    """
    Make what scripts are composed of: sounds, at most so many of a kind, and every line spoken.

    Paths of the clips are relative to ``out`` or absolute. Also returns what either stage did.
    """
    said = Console(stderr=True)
    plans = [plan for plan in make_plans(seed) if most is None or plan.number < most]
    said.print(f'sounds: {len(plans)}')
    sounds = run_stage('sounds-made', plans, partial(make_clip, out=out), out=out,
                       workers=workers, resume=resume, shard_size=16)
    todo = list_lines(scripts)
    said.print(f'speech: {len(todo)} lines, {len({line.voice for line in todo})} voices'
               + (', each heard by a recogniser (1.5 core-s)' if check else ''))
    spoken, speech = speak_all(todo, settings=settings, check=check, out=out,
                               workers=workers, resume=resume)
    clips = [*read_stage(Path(sounds.folder), Clip), *packaged_clips(), *clips_of(extra, ())[0],
             *spoken]
    return clips, {'sounds': sounds, 'speech': speech}


def build_demo(out: Path, *, hours: float, seed: int = 0, workers: int = 2, check: bool = True,
               names: tuple[str, ...] = (), extra: tuple[Path, ...] = (),
               resume: bool = True, chunk_s: float = CHUNK_S) -> Demo:
    """
    Build the demo corpus in a folder and return what was built.

    ``names`` are the speech engines (default: those that are here), ``extra`` are further clips
    (JSON lines), ``chunk_s`` what the model will hear at once. Raises
    ConfigurationError where nothing can speak, StageError for the disk.
    """
    began = time.perf_counter()
    out.mkdir(parents=True, exist_ok=True)
    settings = EngineSettings(names=names or find_present())
    voices = choose_speakers(settings)
    scripts = Writer(voices, seed=seed).write_hours(hours)
    write_records(out / 'scripts.jsonl', scripts)
    clips, stages = make_clips(scripts, out, settings=settings, seed=seed, check=check,
                               workers=workers, extra=extra, resume=resume)
    Console(stderr=True).print(f'streams: {len(scripts)}')
    write_records(out / 'clips.jsonl', clips)
    built = build_all(scripts, clips, root=out, out=out, mix=mix_for(chunk_s),
                      workers=workers, resume=resume)
    return Demo(out=out, built=built, scripts=scripts, voices=voices, clips=clips,
                stages={**stages, 'streams': built.report},
                seconds=time.perf_counter() - began)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument('--out', type=Path, default=OUT, help='folder (%(default)s)')
    parser.add_argument('--hours', type=float, default=1.0, help='of streams (%(default)s)')
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--workers', type=int, default=2)
    parser.add_argument('--no-check', action='store_true',
                        help='do not let a recogniser listen to the speech')
    parser.add_argument('--engine', action='append', default=[],
                        choices=('hibari', 'espeak-ng', 'flite'),
                        help='speech engines (those that are here)')
    parser.add_argument('--clips', type=Path, action='append', default=[],
                        help='further clips, JSON lines; their labels join those of the demo')
    add_chunk_argument(parser)
    parser.add_argument('--anew', action='store_true', help='do not go on with an earlier build')


def summarise(demo: Demo) -> str:
    report = demo.built.report
    whole = report.audio_hours / demo.core_hours if demo.core_hours else 0.0
    dropped = {reason: count for stage in demo.stages.values()
               for reason, count in stage.rejected.items()} | demo.built.rejections
    rows = [f'{name:8s} {stage.records_out:5d} records  {stage.core_hours * 3600:7.0f} '
            f'core-seconds  {stage.seconds:6.0f} s' for name, stage in demo.stages.items()]
    return '\n'.join([
        *rows,
        f'{len(demo.built.streams)} streams, {report.audio_hours:.2f} h, in '
        f'{demo.seconds / 60:.1f} minutes; left out: {dropped or "nothing"}',
        f'composing: {report.hours_per_core_hour:.0f} hours of stream per core-hour, so '
        f'{HOURS_PUBLISHED:,} h take {report.core_hours_for(HOURS_PUBLISHED):,.0f} core-hours; '
        f'with speech made and checked: {whole:.1f}'])


def run(options: argparse.Namespace) -> int:
    """Build, write the page, print where it is."""
    out = options.out.absolute()
    demo = build_demo(out, hours=options.hours, seed=options.seed, workers=options.workers,
                      check=not options.no_check, names=tuple(options.engine),
                      extra=tuple(options.clips), resume=not options.anew, chunk_s=options.chunk)
    page = write_page(demo)
    (out / 'demo.json').write_text(json.dumps({
        'seconds': demo.seconds, 'core_hours': demo.core_hours, 'voices': demo.voices,
        'stages': {name: asdict(stage) for name, stage in demo.stages.items()},
        'unwritten_tasks': demo.unwritten()}, indent=1), encoding='utf-8')
    print(summarise(demo))
    print(f'page: {page}')
    return 0
