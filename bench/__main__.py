"""`python -m bench [all|frontend|encoder|decoder|…]`, and `bench plot|latency|simulate`."""

import argparse
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

from audio_interaction_ros.config import ModelConfig
from audio_interaction_ros.errors import AudioInteractionError
from audio_interaction_ros.graphs.manifest import PRECISIONS
from audio_interaction_ros.runtimes.base import Runtime
from audio_interaction_ros.runtimes.registry import RUNTIMES
from bench import (
    compare,
    constant,
    decoder,
    encoder,
    exporting,
    frontend,
    hour,
    hush,
    latency,
    models,
    nodes,
    page,
    parts,
    plot,
    products,
    report,
    simulate,
    soak,
    stream,
)
from bench.audio import SAMPLE_SCENE
from bench.measure import Figure
from measure import machine

ROOT = Path(__file__).parents[1]
PARTS = ('frontend', 'encoder', 'decoder', 'constant', 'hour', 'nodes')
# Too long for all, or of no interest to a robot.
ALONE = ('soak', 'page', 'hush', 'parts', 'compare', 'export', 'accelerator', 'stream', 'products')


def _parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog='python -m bench', description='Measure the assistant on this machine: prints a '
        'table and writes JSON under bench/results. python -m bench plot FILE … draws '
        'it; python -m bench latency and simulate have options of their own.')
    parser.add_argument('part', nargs='?', default='all', choices=('all', *PARTS, *ALONE))
    parser.add_argument('--model', default='',
                        help='folder, shipped name or repository id; random: weights of chance in '
                             'the shape of the edge model (times are the same); random-360m: '
                             'with the next larger language model; random-3b: of the released '
                             'one, random-3b-4: with four layers; random-tiny; scripted: says '
                             'what a script says (default: edge; of "soak" scripted)')
    parser.add_argument('--runtime', default=ModelConfig.runtime, choices=sorted(RUNTIMES),
                        help='backend (default: %(default)s)')
    parser.add_argument('--device', default='cpu', help='device of the backend')
    parser.add_argument('--dtype', default='auto',
                        help='float32, bfloat16, int8, or auto, as the assistant (default)')
    parser.add_argument('--precision', default='int8', choices=sorted(PRECISIONS),
                        help='what the part "export" writes (default: int8)')
    parser.add_argument('--threads', type=int, default=2, help='CPU threads of the backend')
    parser.add_argument('--repeat', type=int, default=60, help='measurements per figure')
    parser.add_argument('--slots', type=int, default=1024, help='context positions per lane')
    parser.add_argument('--chunks', type=int, default=hour.HOUR_CHUNKS,
                        help='length of "hour" and "stream" (9,000 chunks are one hour)')
    parser.add_argument('--seconds', type=float, default=300.0,
                        help='length of the parts "nodes", "parts" and "compare", and of each '
                             'step of "page"')
    parser.add_argument('--file', type=Path,
                        help='recording that these parts play')
    parser.add_argument('--quiet', action='store_true',
                        help='the part "nodes" plays an empty room instead')
    parser.add_argument('--params-file', type=Path,
                        help='ROS parameter file for the part "nodes"')
    parser.add_argument('--hours', type=float, default=24.0, help='length of the part "soak"')
    parser.add_argument('--seed', type=int, default=0, help='of the faults in the part "soak"')
    parser.add_argument('--fault-every', type=float, default=300.0, metavar='S',
                        help='seconds of stream between two faults, on average (default: 300)')
    parser.add_argument('--realtime', action='store_true',
                        help='the part "soak" plays the sample scene in real time')
    parser.add_argument('--output', type=Path, help='where the JSON goes')
    options = parser.parse_args()
    options.model = options.model or ('edge' if options.part != 'soak' else soak.SCRIPTED)
    if options.chunks < 2 * hour.EARLY:
        parser.error(f'--chunks: expected at least {2 * hour.EARLY}, got {options.chunks}')
    return options


def _make_parts(options: argparse.Namespace) -> dict[str, Callable[[], list[Figure]]]:
    @cache
    def load_runtime() -> Runtime:
        return models.load(options.model, runtime=options.runtime, threads=options.threads,
                           dtype=options.dtype, device=options.device)

    def accelerator() -> list[Figure]:
        from bench import accelerator as device  # needs torch
        return device.run(load_runtime(), device=options.device, repeat=options.repeat,
                          slots=options.slots)

    return {
        # First, so that the memory of a model does not hide its own.
        'hour': lambda: hour.run(rules_path=str(ROOT / 'config' / 'alerts.yaml'),
                                 chunks=options.chunks),
        'frontend': lambda: frontend.run(chunks=max(100, 5 * options.repeat)),
        'encoder': lambda: encoder.run(load_runtime().encoder, repeat=options.repeat),
        'decoder': lambda: decoder.run(load_runtime(),
                                       repeat=options.repeat, slots=options.slots),
        'constant': lambda: constant.run(load_runtime(), repeat=options.repeat,
                                         slots=options.slots),
        'nodes': lambda: nodes.run(
            seconds=options.seconds, file=options.file, params_file=options.params_file,
            model=options.model, runtime=options.runtime, dtype=options.dtype,
            threads=options.threads, quiet=options.quiet),
        'soak': lambda: soak.run(
            hours=options.hours, seed=options.seed, fault_every_s=options.fault_every,
            model=options.model, realtime=options.realtime),
        'page': lambda: page.run(seconds=options.seconds, file=options.file),
        'hush': lambda: hush.run(repeat=options.repeat),
        'accelerator': accelerator,
        'stream': lambda: stream.run(load_runtime(), chunks=options.chunks, device=options.device,
                                     slots=options.slots),
        'parts': lambda: parts.run(load_runtime(), file=options.file or SAMPLE_SCENE,
                                   seconds=options.seconds, threads=options.threads),
        'compare': lambda: compare.run(file=options.file or SAMPLE_SCENE,
                                       seconds=options.seconds, threads=options.threads),
        'products': lambda: products.run(models.read_shape(options.model), threads=options.threads,
                                         repeat=options.repeat),
        'export': lambda: exporting.run(model=options.model, precision=options.precision)}


def _run(command: Callable[[list[str]], int], arguments: list[str]) -> int:
    try:
        return command(arguments)
    except AudioInteractionError as error:
        print(f'error: {error}', file=sys.stderr)
        return 2


def main() -> int:
    """Measure; exit with 1 when a part could not be measured or a soak broke a promise."""
    for name, command in (('plot', plot), ('latency', latency), ('simulate', simulate)):
        if sys.argv[1:2] == [name]:
            return _run(command.main, sys.argv[2:])
    options = _parse_options()
    told = machine.describe()
    sections: dict[str, list[Figure]] = {}
    failures: dict[str, str] = {}
    for name, part in _make_parts(options).items():
        if options.part != name and (options.part != 'all' or name in ALONE):
            continue
        print(f'measuring {name} ...', file=sys.stderr, flush=True)
        try:
            sections[name] = part()
        except (AudioInteractionError, nodes.NodesError) as error:
            failures[name] = str(error)
    print(report.format_table(told, sections))
    for name, message in failures.items():
        print(f'\n{name} could not be measured: {message}', file=sys.stderr)
    plain = {key: str(value) if isinstance(value, Path) else value
             for key, value in vars(options).items()}
    path = report.write_json(options.output, command=options.part, machine=told, options=plain,
                             sections=sections, failures=failures)
    print(f'\nwritten to {path}')
    broken = any(figure.met is False for part in ('soak', 'export')
                 for figure in sections.get(part, ()))
    return 1 if failures or broken else 0


if __name__ == '__main__':
    sys.exit(main())
