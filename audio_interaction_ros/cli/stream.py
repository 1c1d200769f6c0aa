"""`audio-interaction stream FILE|-`: play audio through the assistant and print events."""

import argparse
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from audio_interaction_ros.audio.block import AudioBlock
from audio_interaction_ros.audio.pcm import ENCODINGS, PcmFormat
from audio_interaction_ros.audio.read_blocks import read_blocks
from audio_interaction_ros.cli.printer import JsonPrinter, TextPrinter
from audio_interaction_ros.config import AssistantConfig, LaneConfig
from audio_interaction_ros.errors import ConfigurationError
from audio_interaction_ros.offline import Assistant
from audio_interaction_ros.parameter_file import load_configuration
from audio_interaction_ros.resources import shipped_path

__all__ = ['add_parser']


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Add the command's options."""
    parser = commands.add_parser(
        'stream', help='print the events of a recording as they happen',
        description='Events are the same for any block size, with or without --realtime.')
    parser.add_argument('file', metavar='FILE|-',
                        help='wav, flac, ogg, opus, mp3, aiff, au or caf; - reads the same from '
                        'standard input, wav while it is being written')
    parser.add_argument('--raw', metavar='FORMAT',
                        help='there is no header: samples are ENCODING[:RATE[:CHANNELS]], such '
                        f'as s16le:16000:1; encodings are {", ".join(ENCODINGS)}')
    parser.add_argument('--model', help='folder or Hugging Face id of a checkpoint '
                                        '(default: the shipped edge model)')
    parser.add_argument('--config', type=Path,
                        help='YAML file of an assistant (default: config/edge.yaml)')
    parser.add_argument('--lanes', help='comma-separated names of lanes to run')
    parser.add_argument('--second-pass', choices=('none', 'whisper'),
                        help='re-read finished utterances, for final transcripts and '
                        'translations')
    parser.add_argument('--realtime', action='store_true', help='no faster than the audio plays')
    parser.add_argument('--json', action='store_true', help='one JSON object per line')
    parser.add_argument('--all', action='store_true', help='print silent decisions as well')
    parser.set_defaults(run=_run)


def _make_configuration(options: argparse.Namespace) -> AssistantConfig:
    if options.config or not options.model:
        config = load_configuration(options.config or shipped_path('config/edge.yaml'))
    else:
        config = AssistantConfig()  # another model's lanes are the default three
    if options.model:
        config = replace(config, model=replace(config.model, path=options.model))
    if options.second_pass:
        config = config.with_second_pass(options.second_pass)
    if options.lanes is not None:
        config = replace(config, lanes=_select_lanes(config.lanes, options.lanes.split(',')))
    return config


def _select_lanes(lanes: tuple[LaneConfig, ...], names: list[str]) -> tuple[LaneConfig, ...]:
    known = {lane.name: lane for lane in lanes}
    names = [name.strip() for name in names]
    for name in names:
        if name not in known:
            raise ConfigurationError(
                f'--lanes: no lane is called {name!r}; expected some of {", ".join(known)}')
    return tuple(known[name] for name in names)


def _run(options: argparse.Namespace) -> int:
    raw = PcmFormat.parse(options.raw) if options.raw is not None else None
    blocks: Iterator[AudioBlock] = read_blocks(options.file, raw=raw, warn=_print_notice)
    first = next(blocks, None)  # a wrong file is reported before a model is loaded
    configuration = _make_configuration(options)
    began = time.monotonic()
    assistant = Assistant.load(configuration, tell=_print_notice)
    _print_notice(f'listening, after {time.monotonic() - began:.1f} s of loading')
    printer = (JsonPrinter(silent_too=options.all) if options.json
               else TextPrinter(assistant, silent_too=options.all))
    pace = _realtime if options.realtime else _at_once
    for event in assistant.listen(pace(_chain(first, blocks))):
        printer.show(event)
    printer.close()
    return 0


def _print_notice(text: str) -> None:
    print(f'audio-interaction: {text}', file=sys.stderr, flush=True)


def _chain(first: AudioBlock | None, rest: Iterator[AudioBlock]) -> Iterator[AudioBlock]:
    if first is not None:
        yield first
        yield from rest


def _at_once(blocks: Iterator[AudioBlock]) -> Iterator[AudioBlock]:
    return blocks


def _realtime(blocks: Iterator[AudioBlock],
              clock: Callable[[], float] = time.monotonic,
              sleep: Callable[[float], None] = time.sleep) -> Iterator[AudioBlock]:
    """Hand out each block when its last sample would have been captured."""
    start, played_s = clock(), 0.0
    for block in blocks:
        played_s += len(block.samples) / block.sample_rate_hz
        sleep(max(0.0, start + played_s - clock()))
        yield block
