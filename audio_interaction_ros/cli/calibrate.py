"""`audio-interaction calibrate`: thresholds that keep quiet in a home where nothing happens."""

import argparse
import itertools
import json
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from audio_interaction_ros.alerts.alert import Severity
from audio_interaction_ros.alerts.calibration import (
    LEAST_RECALL_KEPT,
    Choice,
    Curves,
    bound_rate,
    choose_thresholds,
    find_refusals,
    read_curves,
)
from audio_interaction_ros.alerts.thresholds import FORMAT, ChosenThresholds, write_thresholds
from audio_interaction_ros.assembly import build_pipeline, load_model, read_rules, read_sound_rules
from audio_interaction_ros.audio.block import AudioBlock
from audio_interaction_ros.audio.devices import hear_device, sound_library
from audio_interaction_ros.checkpoints.weights import locate
from audio_interaction_ros.cli.numbers import above_zero, share
from audio_interaction_ros.cli.recording import expect_writable, open_recordings, print_notice
from audio_interaction_ros.cli.sounds import (
    add_model_arguments,
    hear_blocks,
    make_configuration,
    tell_minutes,
)
from audio_interaction_ros.config import AssistantConfig
from audio_interaction_ros.errors import ConfigurationError
from audio_interaction_ros.protocol import CHUNK_S
from audio_interaction_ros.stream.chunk import EncodedChunk
from audio_interaction_ros.stream.listening import ListeningPipeline
from audio_interaction_ros.terminal import print_result

__all__ = ['add_parser', 'describe_bound']

_MINUTES = 10.0
_CURVES = 'sounds_curves.json'


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Add the command's options."""
    parser = commands.add_parser(
        'calibrate', help='choose thresholds of sounds for this home, while nothing happens there',
        description='Hears the home with its motors, fans and voices and raises thresholds of the '
                    'profile until at most the stated number of false alarms per hour would have '
                    'come of it. Whatever is heard counts as a false alarm: let nothing happen.')
    parser.add_argument('--minutes', type=above_zero,
                        help='how long to hear (default: 10 of the microphone, all of a '
                             'recording)')
    parser.add_argument('--from', dest='source', metavar='FILE|BAG|FOLDER',
                        help='hear a recording, or all of a folder, instead of the microphone')
    parser.add_argument('--device', default='', help='input device: part of its name, or its '
                                                     'index')
    parser.add_argument('--rate', type=above_zero, default=0.5,
                        help='false alarms per hour of all sounds together (default: %(default)s)')
    parser.add_argument('--out', type=Path, default=Path('thresholds.yaml'), metavar='YAML',
                        help='where to write (default: %(default)s)')
    parser.add_argument('--keep-recall', type=share, default=LEAST_RECALL_KEPT, metavar='SHARE',
                        help='of what a critical sound hears in the profile, by the curves of '
                             'the model, it must keep this share (default: %(default)s)')
    parser.add_argument('--force', action='store_true',
                        help='write also what takes too much recall from a critical sound')
    add_model_arguments(parser)
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    expect_writable(options.out, '--out')
    streams = _open_source(options)
    config = make_configuration(options)
    rules = read_rules(config.alerts)
    sound_rules = read_sound_rules(config.alerts, rules)
    if not sound_rules:
        raise ConfigurationError('expected a profile with thresholds of sounds in the rules file, '
                                 'found none; name another in --profile')
    model_id, chunks = _hear_source(options, streams, config)
    hours = len(chunks) * CHUNK_S / 3600
    choices = choose_thresholds(
        chunks, sound_rules, allowed=int(options.rate * hours),
        curves=_read_curves(config.model.path),
        is_critical=lambda sound: (sound in rules.of_sound and
                                   rules.of_sound[sound].severity == Severity.CRITICAL))
    for line in describe(choices, hours, options.rate):
        print_result(line)
    refused = find_refusals(choices, options.keep_recall)
    if refused and not options.force:
        raise ConfigurationError(
            f'refused, nothing is written: {"; ".join(refused)}. A critical sound keeps '
            f'{options.keep_recall:.0%} of its recall or more (--keep-recall). Something in what '
            'was heard sounds like it: find and stop it, or calibrate again with --force')
    _write(options, choices, hours, model_id, refused)
    return 0


def _hear_source(options: argparse.Namespace, streams: Iterable[Iterable[AudioBlock]],
                 config: AssistantConfig) -> tuple[str, list[EncodedChunk]]:
    """Return the id of the model and the chunks that it hears."""
    print_notice(f'loading the model {config.model.path}')
    runtime = load_model(config.model, halves=('encoder',))
    pipeline = build_pipeline(config, runtime.encoder, runtime.sounds)
    chunks = _hear(_hear_all(pipeline, streams), options.minutes)
    if not chunks or not chunks[0].sounds.names:
        raise ConfigurationError('expected a model that tells sounds apart, and audio, found none '
                                 'of one; use a model folder with a file of sounds')
    return runtime.encoder.spec.model_id, chunks


def _open_source(options: argparse.Namespace) -> Iterator[Iterator[AudioBlock]]:
    if options.source:
        return (blocks for _, blocks in open_recordings(options.source, options.topic))
    options.minutes = options.minutes or _MINUTES
    library = sound_library()
    print_notice(f'hearing the microphone for {options.minutes:g} min; Ctrl-C writes nothing')
    return iter([hear_device(library, options.device)])


def _hear_all(pipeline: ListeningPipeline, streams: Iterable[Iterable[AudioBlock]]
              ) -> Iterator[EncodedChunk]:
    """Yield the chunks of one stream after the other; none goes over into the next."""
    for epoch, blocks in enumerate(streams):
        pipeline.reset(epoch)
        yield from hear_blocks(pipeline, blocks)


def _hear(chunks: Iterable[EncodedChunk], minutes: float | None) -> list[EncodedChunk]:
    """Return the chunks, and tell how far it is; Ctrl-C ends it with nothing written."""
    count = None if minutes is None else max(1, round(minutes * 60 / CHUNK_S))
    heard: list[EncodedChunk] = []
    try:
        for chunk in tell_minutes(itertools.islice(chunks, count), minutes):
            heard.append(chunk)
    except KeyboardInterrupt:
        print_notice(f'stopped after {len(heard) * CHUNK_S / 60:.1f} min; nothing is written')
        raise
    return heard


def _read_curves(model: str) -> Curves:
    """Return the model's own curves; none where it has no such file."""
    path = locate(model) / _CURVES
    if not path.is_file():
        print_notice(f'{path} is not there: what a threshold costs in recall is not known')
        return {}
    return read_curves(json.loads(path.read_text(encoding='utf-8')), str(path))


def describe_bound(events: int, hours: float, rate: float) -> str:
    """Return what so short a time can show of a rate, and how long it would take."""
    text = (f'{hours * 60:.1f} minutes with {events} false alarms show, with 95 % confidence, no '
            f'more than this: fewer than {bound_rate(events, hours):.1f} per hour')
    needed = bound_rate(0, 1.0) / rate
    if bound_rate(events, hours) > rate:
        text += (f'. To show {rate:g} per hour it takes {needed:.1f} hours without one: hear '
                 'longer, or take a bag of a day')
    return text


def describe(choices: list[Choice], hours: float, rate: float) -> Iterator[str]:
    """Yield the lines of the table: classes that began, or whose threshold changes."""
    shown = [choice for choice in choices if choice.events_before or choice.after > choice.before]
    yield f'heard {hours * 60:.1f} minutes, wanted: {rate:g} false alarms per hour or fewer'
    for choice in shown:
        change = (f'{choice.before:.2f} -> {choice.after:.3f}' if choice.after > choice.before
                  else f'{choice.before:.2f} stays')
        recall = ('recall unknown' if choice.recall_before is None else
                  f'recall {choice.recall_before:.2f} -> {choice.recall_after:.2f}')
        yield (f'  {choice.sound:<20} {change:<15} false alarms {choice.events_before} -> '
               f'{choice.events_after}, {recall}{", CRITICAL" if choice.critical else ""}')
    if not shown:
        yield '  no sound began: the thresholds of the profile stay'
    yield describe_bound(sum(choice.events_after for choice in choices), hours, rate)


def _write(options: argparse.Namespace, choices: list[Choice], hours: float, model_id: str,
           refused: list[str]) -> None:
    """Write the thresholds that rose; nothing where none did."""
    risen = [choice for choice in choices if choice.after > choice.before]
    if not risen:
        print_notice('nothing to write: the profile fits this home')
        return
    events = sum(choice.events_after for choice in choices)
    chosen = {
        'when': time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime()), 'model_id': model_id,
        'heard': Path(options.source).name if options.source else 'microphone',
        'minutes': round(hours * 60, 1), 'profile': options.profile or 'default',
        'false_alarms_per_hour_wanted': options.rate, 'false_alarms_left': events,
        'false_alarms_per_hour_at_most_95': round(bound_rate(events, hours), 2),
        'before': {choice.sound: choice.before for choice in risen},
        'recall': {choice.sound: [round(choice.recall_before, 3), round(choice.recall_after, 3)]
                   for choice in risen if choice.recall_before is not None
                   and choice.recall_after is not None},
        'recall_kept_at_least': options.keep_recall, 'forced': bool(refused)}
    try:
        write_thresholds(options.out, ChosenThresholds(
            format=FORMAT, chosen=chosen,
            thresholds={choice.sound: round(choice.after, 3) for choice in risen}))
    except OSError as error:
        raise ConfigurationError(f'expected to write {options.out}, cannot ({error}); name '
                                 'another file in --out') from error
    print_notice(f'written to {options.out}; name it in alerts.thresholds')
