"""`audio-interaction teach NAME CLIP…`: a class of its own for the sound of one device."""

import argparse
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from audio_interaction_ros.assembly import load_model
from audio_interaction_ros.cli.calibrate import describe_bound
from audio_interaction_ros.cli.embeddings import (
    embed_with,
    hear_background,
    make_hearer,
    read_clips,
)
from audio_interaction_ros.cli.numbers import above_zero
from audio_interaction_ros.cli.recording import open_recordings, print_notice
from audio_interaction_ros.cli.sounds import make_configuration
from audio_interaction_ros.errors import ConfigurationError
from audio_interaction_ros.runtimes.base import Encoder, Runtime
from audio_interaction_ros.taught.fit import Background, Lesson, count_unknown, learn, whiten
from audio_interaction_ros.taught.folder import (
    add_sound,
    export_sound,
    import_sound,
    list_sounds,
    remove_sound,
    sounds_folder,
)
from audio_interaction_ros.taught.head import TaughtSound, make_name
from audio_interaction_ros.taught.recordings import Bed, Embed, hear_recording
from audio_interaction_ros.terminal import print_result

__all__ = ['LEAST_RECALL', 'add_parser', 'teach']

LEAST_CLIPS, MOST_CLIPS = 3, 10
LEAST_RECALL = 0.5
"""Where less than half of the recordings that were left out are heard, nothing is stored."""


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Add the command's options."""
    parser = commands.add_parser(
        'teach', help='teach a sound of this home from three to ten recordings',
        description='Needs recordings of one device, and a recording of the place in which it is '
                    'not heard. The sound is then a class like any other. Its file lies in '
                    '~/.audio_interaction/sounds (AUDIO_INTERACTION_SOUNDS names another folder) '
                    'and holds no audio.')
    parser.add_argument('name', nargs='?', help='what the sound is called: "our doorbell"')
    parser.add_argument('clips', nargs='*', metavar='CLIP', help='one recording of it each')
    parser.add_argument('--background', type=Path, metavar='BAG|FOLDER|FILE',
                        help='the place without the sound: ten minutes or more')
    parser.add_argument('--rate', type=above_zero, default=1.0,
                        help='false alarms per hour (default: %(default)s)')
    parser.add_argument('--force', action='store_true',
                        help='store also what cannot be told from the background')
    for option, text, metavar in (
            ('--remove', 'forget a sound', 'NAME'),
            ('--import', 'take a sound from a file of another robot', 'FILE')):
        parser.add_argument(option, help=text, metavar=metavar, dest=option[2:] + '_')
    parser.add_argument('--export', nargs=2, metavar=('NAME', 'FILE'), dest='export_',
                        help='copy a sound to a file for another robot')
    parser.add_argument('--list', action='store_true', dest='list_', help='list what was taught')
    parser.add_argument('--config', type=Path,
                        help='YAML file of an assistant (default: config/edge.yaml)')
    parser.add_argument('--model', help='folder of a model (default: the one of --config)')
    parser.add_argument('--topic', default='', help='audio topic, where a bag has several')
    parser.set_defaults(run=_run, profile=None)


def _run(options: argparse.Namespace) -> int:
    folder = sounds_folder()
    if options.list_:
        for line in _describe_all(folder):
            print(line)
    elif options.remove_:
        print(f'removed {remove_sound(folder, options.remove_)}')
    elif options.export_:
        title, target = options.export_
        print(f'exported to {export_sound(folder, title, Path(target))}')
    elif options.import_:
        spec = load_model(make_configuration(options).model, halves=('encoder',)).encoder.spec
        sound = import_sound(folder, Path(options.import_), model_id=spec.model_id,
                             width=spec.embedding_width)
        print(f'imported {sound.title!r} as {sound.name}')
    else:
        return _teach(options, folder)
    return 0


def _describe_all(folder: Path) -> Iterator[str]:
    found = list_sounds(folder)
    if not found:
        yield f'no sound was taught ({folder})'
    for path, sound in found:
        if isinstance(sound, str):
            yield f'{path.name}: {sound}'
        else:
            yield (f'{sound.name:<24} {sound.title!r}, from {sound.made.get("clips", "?")} '
                   f'recordings, recall {sound.made.get("recall", "?")}, '
                   f'{sound.made.get("when", "")}')


def _teach(options: argparse.Namespace, folder: Path) -> int:
    _check(options)
    name = make_name(options.name)
    clips = read_clips(options.clips, options.topic)
    room = open_recordings(options.background, options.topic)
    config = make_configuration(options)
    print_notice(f'loading the model {config.model.path}')
    runtime = load_model(config.model, halves=('encoder',))
    _check_name(name, runtime)
    hear, bed = make_hearer(config, runtime.encoder), Bed()
    background = hear_background(room, hear, bed)
    sound, lesson = teach(options.name, clips, whiten(background), bed.samples,
                          embed_with(hear), runtime.encoder, options.rate)
    print_result(_describe(lesson, len(clips)))
    print_result(_describe_unknown(lesson, options.rate))
    if not options.force:
        _check_lesson(options.name, lesson)
    print(f'stored in {add_sound(folder, sound)}; it is the class {name} from the next start on')
    return 0


def _check_lesson(title: str, lesson: Lesson) -> None:
    if lesson.recall < LEAST_RECALL:
        raise ConfigurationError(
            f'{title!r} cannot be told from the background: expected {LEAST_RECALL:g} of '
            f'the recordings that were left out to be heard, {lesson.recall:.2f} were; nothing is '
            'stored. Record it nearer and longer, look whether it sounds in the background, or '
            'give --force')
    if lesson.as_recorded <= LEAST_RECALL:
        raise ConfigurationError(
            f'{title!r} cannot be told from the background: it is heard when it is made '
            f'louder, but of the recordings as loud as they are {lesson.as_recorded:.2f} were '
            f'heard, expected more than {LEAST_RECALL:g}; nothing is stored. The background '
            'sounds like it: record the place without it, or give --force')


def _check(options: argparse.Namespace) -> None:
    if not options.name or not LEAST_CLIPS <= len(options.clips) <= MOST_CLIPS:
        raise ConfigurationError(
            f'expected a name and {LEAST_CLIPS} to {MOST_CLIPS} recordings of the sound, got '
            f'{repr(options.name) if options.name else "no name"} and {len(options.clips)}; add '
            'what is missing: teach "our doorbell" bell_1.wav bell_2.wav bell_3.wav --background '
            'home.wav')
    if options.background is None:
        raise ConfigurationError('expected --background, a recording of the place without the '
                                 'sound, got none; record ten minutes')


def _check_name(name: str, runtime: Runtime) -> None:
    if runtime.sounds is not None and name in runtime.sounds.classes:
        raise ConfigurationError(f'expected a name of its own, the model has a class {name}; '
                                 'choose another name')
    if not runtime.encoder.spec.embedding_width:
        raise ConfigurationError('expected a model with embeddings of sounds, this one has none; '
                                 'use the edge model')


def teach(title: str, clips: list[np.ndarray], room: Background, bed: np.ndarray, embed: Embed,
          encoder: Encoder, rate: float) -> tuple[TaughtSound, Lesson]:
    """
    Return the sound of recordings [n] each, and how well it is told from the background.

    ``bed`` [n] is of that background what they are mixed into.
    """
    recordings = [hear_recording(clip, bed, embed, seed)
                  for seed, clip in enumerate(clips)]
    lesson = replace(learn(recordings, room, rate),
                     unknown=count_unknown(recordings, room, rate))
    made = {'when': time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime()), 'clips': len(clips),
            'recall': round(lesson.recall, 3), 'as_recorded': round(lesson.as_recorded, 3),
            'background_hours': round(lesson.hours, 3),
            'false_alarms': lesson.false_alarms, 'unknown': lesson.unknown, 'rate': rate}
    return TaughtSound(
        name=make_name(title), title=title, model_id=encoder.spec.model_id, basis=room.basis,
        offset=room.offset, direction=lesson.direction, middle=lesson.middle,
        slope=lesson.slope, made=made), lesson


def _describe(lesson: Lesson, clips: int) -> str:
    return (f'each of {clips} recordings was left out once and heard in {lesson.trials // clips} '
            f'surroundings: {lesson.recall:.0%} of {lesson.trials} were heard; as loud as they '
            f'were recorded: {lesson.as_recorded:.0%} of {clips}; '
            f'{lesson.false_alarms} false alarms in {lesson.hours * 60:.1f} minutes of background')


def _describe_unknown(lesson: Lesson, rate: float) -> str:
    """Return what it costs where the background is not the one that the threshold keeps quiet."""
    if lesson.unknown is None:
        return ('less than two minutes of background do not tell how many false alarms there are '
                'in others: record ten minutes or more')
    return ('each half of the background, heard with what the other half taught: '
            + describe_bound(lesson.unknown, lesson.hours, rate))
