"""``python -m train listen``: stream a built stream through the runtime and compare."""

import argparse
from pathlib import Path

from audio_interaction_ros.errors import ConfigurationError
from train.records import Stream, read_records
from train.trainer.evaluate import Counts
from train.trainer.listen import LaneOutcome, listen

__all__ = ['add_arguments', 'run']



def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument('streams', type=Path, metavar='FILE', help='records of streams')
    parser.add_argument('--model', required=True, help='folder, shipped model or repository id')
    parser.add_argument('--id', action='append', help='id of a stream (default: the first)')
    parser.add_argument('--first', type=int, default=1, metavar='N',
                        help='without --id: this many streams from the start of the file')
    parser.add_argument('--device', default='cpu')
    parser.add_argument('--threads', type=int, default=2)
    parser.add_argument('--dtype', default='auto', help='float32, bfloat16, int8 or auto')


def _choose_streams(options: argparse.Namespace) -> list[Stream]:
    streams: list[Stream] = []
    for stream in read_records(options.streams, Stream):
        if stream.id in options.id if options.id else len(streams) < options.first:
            streams.append(stream)
    if not streams:
        raise ConfigurationError(f'{options.streams}: expected a stream with id {options.id}, '
                                 'found none; name one of the file')
    return streams


def _print_lane(stream: Stream, name: str, heard: LaneOutcome) -> Counts:
    due = {reply.chunk: reply for reply in stream.lanes[name].replies}
    given = {said.chunk: said for said in heard.replies}
    for chunk in sorted(due.keys() | given.keys()):
        wanted = due[chunk].text if chunk in due else '(silence)'
        came = given[chunk].text if chunk in given else '(silence)'
        mark = '=' if wanted == came else ' '
        print(f'{(chunk + 1) * stream.chunk_s:7.1f} s  {name:<12} {mark} due: {wanted}')
        if wanted != came:
            print(f'{"":25}given: {came}')
    right = sum(chunk in due for chunk, decided in enumerate(heard.decided) if decided)
    return Counts(len(due), sum(heard.decided), right, len(heard.decided))


def run(options: argparse.Namespace) -> int:
    """Print what was due and given, then the measures of all decisions."""
    total = Counts()
    for stream in _choose_streams(options):
        print(f'{stream.id}: {stream.scenario or stream.task} ({stream.seconds:.1f} s)')
        result = listen(stream, options.streams.parent, options.model, device=options.device,
                        dtype=options.dtype, threads=options.threads)
        for name, heard in result.items():
            total += _print_lane(stream, name, heard)
    shown = ', '.join(f'{name.replace("_", " ")} {value:.3f}'
                      for name, value in total.measures().items() if value == value)
    print(f'{total.decisions} decisions: {shown}')
    return 0
