"""`audio-interaction report BAG|FOLDER`: what was heard in a day: a page, a picture and JSON."""

import argparse
import contextlib
import functools
import json
import os
from collections.abc import Iterator
from pathlib import Path

from audio_interaction_ros.cli.day_page import describe_day, describe_length
from audio_interaction_ros.cli.day_picture import draw_day
from audio_interaction_ros.cli.recording import (
    each_readable,
    list_recordings,
    open_recording,
    print_notice,
)
from audio_interaction_ros.cli.sound_picture import load_pyplot
from audio_interaction_ros.cli.sounds import add_model_arguments, make_configuration
from audio_interaction_ros.errors import ConfigurationError
from audio_interaction_ros.replay.day import Day, join_days
from audio_interaction_ros.replay.day_sources import hear_day, holds_topics, recorded_day
from audio_interaction_ros.replay.listener import OfflineListener

__all__ = ['add_parser']


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Add the command's options."""
    parser = commands.add_parser(
        'report', help='tell what was heard in a day',
        description='Reads the topics that an assistant published, where a bag holds them, and '
                    'else hears the audio. Writes report.md, report.json and timeline.png: '
                    'alerts, sounds, words, quiet hours, latency and losses.')
    parser.add_argument('recording', type=Path, metavar='BAG|FOLDER|FILE',
                        help='a bag, a sound file, or a folder of them')
    parser.add_argument('--out', type=Path, default=Path('report'), metavar='FOLDER',
                        help='where to write (default: %(default)s)')
    parser.add_argument('--hear', action='store_true',
                        help='hear the audio also where a bag tells what was heard')
    parser.add_argument('--no-picture', action='store_true', help='draw no time line')
    add_model_arguments(parser)
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    path = Path(os.path.expanduser(options.recording))
    if not path.exists():
        raise ConfigurationError(f'{path}: expected a bag, a sound file or a folder, found none; '
                                 'name another')
    if not options.no_picture:
        load_pyplot('take --no-picture')  # or a day is heard in vain
    with _written_to(options.out):
        options.out.mkdir(parents=True, exist_ok=True)
    day = join_days(path.name, _make_days(options))
    _write(day, options)
    print(f'{describe_length(day.seconds)}: '
          f'{sum(one.kind == "alert" for one in day.heard)} alerts, '
          f'{sum(hour.words for hour in day.hours)} words, '
          f'{sum(hour.is_quiet for hour in day.hours)} quiet hours; {options.out / "report.md"}')
    return 0


def _make_days(options: argparse.Namespace) -> list[Day]:
    """Return what was heard of each recording; a model is loaded where one has to be heard."""
    @functools.cache
    def load_listener() -> OfflineListener:
        return OfflineListener.load(make_configuration(options), print_notice)

    def make_day(path: Path) -> Day:
        if not options.hear and holds_topics(path):
            return recorded_day(path, options.topic, print_notice)
        blocks = open_recording(path, options.topic)
        listener = load_listener()
        print_notice(f'hearing {path.name}')
        return hear_day(path.name, blocks, listener)
    return list(each_readable(list_recordings(options.recording), make_day))


def _write(day: Day, options: argparse.Namespace) -> None:
    picture = '' if options.no_picture else 'timeline.png'
    with _written_to(options.out):
        if picture:
            draw_day(day, options.out / picture)
        page = '\n'.join(describe_day(day, picture)) + '\n'
        (options.out / 'report.md').write_text(page, encoding='utf-8')
        (options.out / 'report.json').write_text(
            json.dumps(day.to_json(), ensure_ascii=False, indent=1) + '\n', encoding='utf-8')


@contextlib.contextmanager
def _written_to(folder: Path) -> Iterator[None]:
    """Say which option names a folder that cannot be written."""
    try:
        yield
    except OSError as error:
        raise ConfigurationError(f'expected to write into {folder}, cannot ({error}); name '
                                 'another folder in --out') from error
