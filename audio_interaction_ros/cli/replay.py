"""`audio-interaction replay RECORDING`: hold what is heard of it against what was expected."""

import argparse
import json
import os
from collections.abc import Sequence
from pathlib import Path

from audio_interaction_ros.cli.numbers import above_zero
from audio_interaction_ros.cli.recording import expect_writable, holds_bag, print_notice
from audio_interaction_ros.cli.replay_sources import WAYS, choose_source
from audio_interaction_ros.cli.sounds import add_model_arguments
from audio_interaction_ros.errors import ConfigurationError
from audio_interaction_ros.replay.corpus import find_cases
from audio_interaction_ros.replay.expectation import write_expectation
from audio_interaction_ros.replay.record import record_expectation
from audio_interaction_ros.replay.report import describe, load_writer, to_json, write_junit
from audio_interaction_ros.replay.verdict import Verdict, hold_against
from audio_interaction_ros.replay.words import load_counter
from audio_interaction_ros.terminal import print_result

__all__ = ['add_parser', 'parse_speed']


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Add the command's options."""
    parser = commands.add_parser(
        'replay', help='replay recordings as regression tests',
        description='Plays a recording, or all recordings of a folder, to the assistant and holds '
                    'what it heard against files of expectations (docs/replay.md). Exit status: '
                    '0 all as expected, 1 something differs, 2 a file or an option is wrong.')
    parser.add_argument('recording', type=Path, metavar='RECORDING|FOLDER',
                        help='a sound file, a bag (its folder, .mcap or .db3), or a folder with '
                             'NAME.expect.yaml beside its recordings')
    parser.add_argument('--expect', type=Path, metavar='YAML',
                        help='what is expected (default: NAME.expect.yaml beside the recording)')
    parser.add_argument('--record', type=Path, metavar='YAML',
                        help='write what is heard as a new expectation instead')
    parser.add_argument('--through', choices=WAYS, default='offline',
                        help='offline: without ROS; nodes: encoder and decoder node; recorded: '
                             'what a robot heard, from the topics in the bag '
                             '(default: %(default)s)')
    parser.add_argument('--speed', type=parse_speed, default=0.0, metavar='X',
                        help='1 as it was recorded, 10 ten times so fast, max (default); what is '
                             'heard is the same')
    parser.add_argument('--junit', type=Path, metavar='XML', help='write JUnit XML as well')
    parser.add_argument('--json', action='store_true', help='one JSON object for each recording')
    parser.add_argument('--quiet', action='store_true', help='tell only what differs')
    add_model_arguments(parser)
    parser.set_defaults(run=_run)


def parse_speed(text: str) -> float:
    """Return how many times as fast as it was recorded; 0 for max."""
    return 0.0 if text == 'max' else above_zero(text, 'a number above 0, or max')


def _run(options: argparse.Namespace) -> int:
    if options.record is not None:
        return _record(options)
    cases = find_cases(options.recording, options.expect)
    if any(one.text for case in cases for one in case.expectation.expect):
        load_counter()  # or all is heard in vain
    if options.junit:
        load_writer()
        expect_writable(options.junit, '--junit')
    verdicts: list[Verdict] = []
    with choose_source(options) as hear:
        for case in cases:
            heard = hear(case.recording, options.topic or case.expectation.topic, options.speed)
            verdicts.append(hold_against(case.name, heard, case.expectation))
            _show(verdicts[-1], options)
    if options.junit:
        write_junit(verdicts, options.junit)
    return _conclude(verdicts, options)


def _record(options: argparse.Namespace) -> int:
    """Write what is heard of one recording as its expectation."""
    if options.expect is not None or options.junit is not None:
        raise ConfigurationError('expected --record alone, found --expect or --junit beside it; '
                                 'leave one out')
    expect_writable(options.record, '--record')
    recording = _find_recording(options)
    with choose_source(options) as hear:
        heard = hear(recording, options.topic, options.speed)
    write_expectation(options.record, record_expectation(heard, topic=options.topic))
    for one in heard:
        print(f'  {one.describe()}')
    print_notice(f'written to {options.record}: {len(heard)} expected; read it, loosen what may '
                 'vary, and delete what is wrong')
    return 0


def _find_recording(options: argparse.Namespace) -> Path:
    """Return the one recording that is asked for; raises ConfigurationError."""
    recording = Path(os.path.expanduser(options.recording))
    if not recording.exists():
        raise ConfigurationError(f'{recording}: expected a recording, found none; name another')
    if recording.is_dir() and not holds_bag(recording):
        raise ConfigurationError(f'{recording}: expected one recording or bag with --record, '
                                 'found a folder; name one of those in it')
    return recording


def _show(verdict: Verdict, options: argparse.Namespace) -> None:
    if options.json:
        print_result(json.dumps(to_json(verdict), ensure_ascii=False))
        return
    for line in describe(verdict, verbose=not options.quiet):
        print_result(line)


def _conclude(verdicts: Sequence[Verdict], options: argparse.Namespace) -> int:
    failed = [verdict for verdict in verdicts if not verdict.passed]
    if len(verdicts) > 1 and not options.json:
        print_result(f'{len(verdicts) - len(failed)} of {len(verdicts)} recordings as expected'
                     + (f'; not {", ".join(one.name for one in failed)}' if failed else ''))
    return 1 if failed else 0
