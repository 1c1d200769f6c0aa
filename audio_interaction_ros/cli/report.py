"""`audio-interaction report BAG|FOLDER`: what was heard in a day: a page, a picture and JSON."""

import argparse
import json
from pathlib import Path

from audio_interaction_ros.cli.day_page import describe_day
from audio_interaction_ros.cli.day_picture import draw_day
from audio_interaction_ros.cli.recording import list_recordings, open_recording, print_notice
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
    path = options.recording.expanduser()
    if not path.exists():
        raise ConfigurationError(f'{path}: expected a bag, a sound file or a folder, found none; '
                                 'name another')
    if not options.no_picture:
        load_pyplot('take --no-picture')  # or a day is heard in vain
    day = join_days(path.name, _make_days(options))
    _write(day, options)
    print(f'{day.seconds / 3600:.2f} hours: '
          f'{sum(one.kind == "alert" for one in day.heard)} alerts, '
          f'{sum(hour.words for hour in day.hours)} words, '
          f'{sum(hour.is_quiet for hour in day.hours)} quiet hours; {options.out / "report.md"}')
    return 0


def _make_days(options: argparse.Namespace) -> list[Day]:
    """Return what was heard of each recording; a model is loaded where one has to be heard."""
    listener: OfflineListener | None = None
    days: list[Day] = []
    for path in _list_audio(options.recording):
        if not options.hear and holds_topics(path):
            days.append(recorded_day(path, options.topic, print_notice))
            continue
        listener = listener or OfflineListener.load(make_configuration(options), print_notice)
        print_notice(f'hearing {path.name}')
        days.append(hear_day(path.name, open_recording(path, options.topic), listener))
    return days


def _list_audio(path: Path) -> list[Path]:
    """Return the recordings of a folder; texts that lie beside them are none."""
    found = [item for item in list_recordings(path)
             if item.suffix not in ('.yaml', '.yml', '.md', '.txt', '.json', '.py', '.csv')]
    if not found:
        raise ConfigurationError(f'{path}: expected recordings in the folder, found none; name '
                                 'another')
    return found


def _write(day: Day, options: argparse.Namespace) -> None:
    picture = '' if options.no_picture else 'timeline.png'
    try:
        options.out.mkdir(parents=True, exist_ok=True)
        if picture:
            draw_day(day, options.out / picture)
        page = '\n'.join(describe_day(day, picture)) + '\n'
        (options.out / 'report.md').write_text(page, encoding='utf-8')
        (options.out / 'report.json').write_text(
            json.dumps(day.to_json(), ensure_ascii=False, indent=1) + '\n', encoding='utf-8')
    except OSError as error:
        raise ConfigurationError(f'expected to write into {options.out}, cannot ({error}); name '
                                 'another folder in --out') from error
