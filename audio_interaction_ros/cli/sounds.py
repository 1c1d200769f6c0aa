"""`audio-interaction sounds FILE`: what was heard, how loud, and which threshold stopped what."""

import argparse
import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import TypeVar

import numpy as np

from audio_interaction_ros.assembly import build_pipeline, load_model, read_rules, read_sound_rules
from audio_interaction_ros.audio.block import AudioBlock
from audio_interaction_ros.cli.numbers import at_least_one
from audio_interaction_ros.cli.recording import expect_writable, open_recording, print_notice
from audio_interaction_ros.cli.sound_picture import draw_sounds, load_pyplot
from audio_interaction_ros.cli.sound_timeline import SoundTimeline, follow_sounds
from audio_interaction_ros.config import AssistantConfig
from audio_interaction_ros.parameter_file import load_configuration
from audio_interaction_ros.protocol import CHUNK_S
from audio_interaction_ros.resources import shipped_path
from audio_interaction_ros.stream.chunk import EncodedChunk
from audio_interaction_ros.stream.listening import ListeningPipeline
from audio_interaction_ros.terminal import print_result

__all__ = ['add_model_arguments', 'add_parser', 'hear_blocks', 'make_configuration',
           'tell_minutes']

_NO_FEATURES = np.empty((0, 0), np.float32)
_TOLD_EVERY = round(60 / CHUNK_S)
Heard = TypeVar('Heard')


def add_model_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of commands that listen for sounds."""
    parser.add_argument('--config', type=Path,
                        help='YAML file of an assistant (default: config/edge.yaml)')
    parser.add_argument('--model', help='folder of a model (default: the one of --config)')
    parser.add_argument('--profile', help='profile of the rules file (default: its own default)')
    parser.add_argument('--topic', default='', help='audio topic, where a bag has several')


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Add the command's options."""
    parser = commands.add_parser(
        'sounds', help='show what sounds were heard in a recording, and what stopped the others',
        description='A table per second (loudness, likeliest sounds with their scores), the '
                    'sounds that began with onset and offset, and why others did not.')
    parser.add_argument('file', metavar='FILE|-', help='a sound file, or a bag: its folder, .mcap '
                                                       'or .db3')
    add_model_arguments(parser)
    parser.add_argument('--thresholds', metavar='YAML',
                        help='file of audio-interaction calibrate, which lies over the profile')
    parser.add_argument('--top', type=at_least_one, default=5, help='likeliest sounds per second')
    parser.add_argument('--png', type=Path, metavar='PATH', help='draw the timeline as well')
    parser.add_argument('--json', action='store_true', help='one JSON object instead of a table')
    parser.set_defaults(run=_run)


def make_configuration(options: argparse.Namespace) -> AssistantConfig:
    """Return what the options of ``add_model_arguments`` say, over a configuration file."""
    config = load_configuration(options.config or shipped_path('config/edge.yaml'))
    if options.model:
        config = replace(config, model=replace(config.model, path=options.model))
    said = {'profile': options.profile, 'thresholds': getattr(options, 'thresholds', None)}
    return replace(config, alerts=replace(
        config.alerts, **{key: value for key, value in said.items() if value is not None}))


def hear_blocks(pipeline: ListeningPipeline, blocks: Iterable[AudioBlock]
                ) -> Iterator[EncodedChunk]:
    """
    Yield the chunks of a stream to its end, without their features.

    Only a decoder reads these, and those of a day take 3 GB.
    """
    for block in blocks:
        yield from map(_leave_features, pipeline.push(block))
    yield from map(_leave_features, pipeline.flush())


def tell_minutes(chunks: Iterable[Heard], minutes: float | None = None) -> Iterator[Heard]:
    """Yield what comes of each chunk, and tell every minute how far it is, of how many."""
    of = f' of {minutes:g}' if minutes is not None else ''
    for count, chunk in enumerate(chunks, 1):
        yield chunk
        if count % _TOLD_EVERY == 0:
            print_notice(f'{count * CHUNK_S / 60:.0f}{of} min heard')


def _leave_features(chunk: EncodedChunk) -> EncodedChunk:
    return replace(chunk, features=_NO_FEATURES)


def _run(options: argparse.Namespace) -> int:
    if options.png:
        load_pyplot()  # or a long recording is heard in vain
        expect_writable(options.png, '--png')
    blocks = open_recording(options.file, options.topic)
    config = make_configuration(options)
    rules = read_sound_rules(config.alerts, read_rules(config.alerts))
    print_notice(f'loading the model {config.model.path}')
    runtime = load_model(config.model, halves=('encoder',))
    pipeline = build_pipeline(config, runtime.encoder, runtime.sounds)
    timeline = follow_sounds(hear_blocks(pipeline, blocks), rules)
    if options.json:
        print_result(json.dumps(_to_json(timeline, options.top), ensure_ascii=False))
    else:
        for line in describe(timeline, options.top):
            print_result(line)
    if options.png:
        print_notice(f'drawn in {draw_sounds(timeline, options.png, Path(options.file).name)}')
    return 0


def describe(timeline: SoundTimeline, top: int) -> Iterator[str]:
    """Yield the lines of the table."""
    yield '     s   dBFS  likeliest sounds'
    for second in timeline.seconds(top):
        guesses = '  '.join(f'{name} {score:.2f}' for name, score in second.guesses)
        yield f'{second.start_s:6.0f} {second.loudness_dbfs:6.1f}  {guesses}'
    yield ''
    yield 'heard:' if timeline.heard else 'heard: nothing'
    for item in timeline.heard:
        yield (f'  {item.onset_s:7.1f} s to {item.offset_s:7.1f} s  {item.sound:<20} '
               f'{item.score:.2f} (threshold {item.threshold:.2f})')
    stopped = timeline.find_stopped()
    if stopped:
        yield 'not heard:'
    for held in stopped:
        yield f'  {held.sound:<20} {held.score:.2f} at {held.at_s:.1f} s: {held.why}'


def _to_json(timeline: SoundTimeline, top: int) -> dict[str, object]:
    return {'seconds': [asdict(second) for second in timeline.seconds(top)],
            'heard': [asdict(item) for item in timeline.heard],
            'stopped': [asdict(item) for item in timeline.find_stopped()]}
