"""
``python -m train speech``: speak every sentence of some scripts, and check what was spoken.

Owns the options and the stage; the work is in train.speech.make.
"""

import argparse
from functools import partial
from pathlib import Path

from train.compose.script import Script
from train.records import Clip, read_records, write_records
from train.speech.check import Dropped
from train.speech.engines import (
    NAMES,
    EngineSettings,
    make_engines,
    make_recogniser,
    make_rewriter,
)
from train.speech.make import Line, choose_voices, clip_of, list_lines
from train.stages import Rejected, StageReport, read_stage, run_stage

__all__ = ['add_arguments', 'add_engine_arguments', 'engine_settings', 'run', 'speak_all',
           'speak_line']

BATCH = 16


def speak_line(line: Line, *, settings: EngineSettings, check: bool,
               out: Path) -> Clip | Rejected:
    """Stage function: a line becomes its clip, or is dropped."""
    listener = make_recogniser(line.language) if check else None
    try:
        return clip_of(line, make_engines(settings), listener, out,
                       rewriter=make_rewriter(settings))
    except Dropped as error:
        return Rejected(reason='not understood (WER above 0.10 three times)', detail=str(error))


def speak_all(todo: list[Line], *, settings: EngineSettings, check: bool, out: Path,
              workers: int, resume: bool = True) -> tuple[list[Clip], StageReport]:
    """Speak lines into ``out/speech`` as a stage; return the clips (paths relative to out)."""
    report = run_stage('speech-lines', todo, partial(
        speak_line, settings=settings, check=check, out=out), out=out, workers=workers,
        resume=resume, shard_size=BATCH)
    return list(read_stage(Path(report.folder), Clip)), report


def add_engine_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options that name engines and what they need."""
    parser.add_argument('--engine', action='append', choices=NAMES, default=None,
                        help='may be given several times (hibari)')
    parser.add_argument('--kokoro-model', default='', help='ONNX file of Kokoro-82M')
    parser.add_argument('--kokoro-voices', default='', help='its voices (.bin or .npz)')
    parser.add_argument('--piper-voice', action='append', default=[], help='.onnx of a voice')
    parser.add_argument('--piper-licence', default='', help='licence of these voices')
    parser.add_argument('--piper-licence-group', default='unstated')
    parser.add_argument('--cosyvoice-url', default='', help='http://host:port of its server')
    parser.add_argument('--cosyvoice-speaker', action='append', default=[])
    parser.add_argument('--cosyvoice-rate', type=int, default=22_050)
    parser.add_argument('--rewriter-url', default='',
                        help='OpenAI-compatible endpoint that rewrites to spoken style')
    parser.add_argument('--rewriter-model', default='', help='its model')


def engine_settings(options: argparse.Namespace) -> EngineSettings:
    """Return the settings that the options say."""
    return EngineSettings(
        names=tuple(options.engine or ('hibari',)), kokoro_model=options.kokoro_model,
        kokoro_voices=options.kokoro_voices, piper_voices=tuple(options.piper_voice),
        piper_licence=options.piper_licence, piper_licence_group=options.piper_licence_group,
        cosyvoice_url=options.cosyvoice_url,
        cosyvoice_speakers=tuple(options.cosyvoice_speaker),
        cosyvoice_rate=options.cosyvoice_rate, rewriter_url=options.rewriter_url,
        rewriter_model=options.rewriter_model)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument('--scripts', type=Path, help='JSON lines of scripts with their voices')
    what.add_argument('--text', type=Path, help='one sentence per line, voices in turn')
    parser.add_argument('--language', default='en', help='of --text (en)')
    parser.add_argument('--out', type=Path, required=True,
                        help='folder for clips.jsonl and speech/')
    parser.add_argument('--workers', type=int, default=2)
    parser.add_argument('--no-check', action='store_true', help='do not listen to the result')
    parser.add_argument('--anew', action='store_true', help='do not go on with an earlier run')
    add_engine_arguments(parser)


def run(options: argparse.Namespace) -> int:
    """Speak and report."""
    settings = engine_settings(options)
    if options.scripts:
        todo = list_lines(read_records(options.scripts, Script))
    else:
        voices = choose_voices(make_engines(settings), options.language)
        texts = [text.strip() for text in options.text.read_text(encoding='utf-8').splitlines()]
        todo = [Line(id=f's{index:06d}', text=text, language=options.language,
                     voice=voices[index % len(voices)])
                for index, text in enumerate(texts) if text]
    clips, report = speak_all(todo, settings=settings, check=not options.no_check,
                              out=options.out.absolute(), workers=options.workers,
                              resume=not options.anew)
    write_records(options.out / 'clips.jsonl', clips)
    print(f'{len(clips)} of {len(todo)} lines, {report.audio_hours:.3f} h of speech, '
          f'{report.core_hours * 3600:.0f} core-seconds; left out: {report.rejected or "none"}')
    return 0
