r"""
The whole recipe of the edge model with one command, step after step.

Owns the order of the steps and how much of each is made. A finished step leaves a mark in the
folder and is not done again; a step that was stopped goes on where it can. On two cores all of it
takes about three hours. Read DATA's licences first: only its group ``free`` is used.

    python -m train.edge --data DATA --text SENTENCES.tsv --out work/edge-model
"""

import argparse
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

__all__ = ['Step', 'main', 'steps']


@dataclass(frozen=True, kw_only=True)
class Step:
    """Commands that run side by side; the step is over when all have ended."""

    name: str
    commands: tuple[tuple[str, ...], ...]


def _module(name: str, *arguments: object) -> tuple[str, ...]:
    return (sys.executable, '-m', f'train.edge.{name}', *map(str, arguments))


def _scenes(common: tuple[object, ...], out: Path, kinds: dict[str, tuple[int, int]],
            *more: object) -> tuple[tuple[str, ...], ...]:
    """Return one command per kind: its first scene and how many of them."""
    return tuple(_module('features', *common, '--out', out, '--kind', kind, '--first', first,
                         '--count', count, *more) for kind, (first, count) in kinds.items())


def steps(options: argparse.Namespace) -> list[Step]:
    """Return all steps of the recipe for these options."""
    out, data, share = options.out, options.data, options.scale
    first, second, labels = out / 'speech-1', out / 'speech-2', out / 'labels.jsonl'
    features, held = out / 'features', out / 'validation'
    projector, sound, trained = (out / f'{name}.safetensors'
                                 for name in ('projector', 'sound', 'trained'))
    scenes = ('--data', data, '--speech', first, '--speech', second, '--labels', labels)

    def some(count: int) -> int:
        return max(2, round(count * share))

    def minutes(count: float) -> float:
        return max(0.05, count * share)
    return [
        Step(name='speech', commands=(
            _module('synthesise', '--text', options.text, '--out', first, '--count', some(15_000),
                    '--workers', options.workers),)),
        Step(name='more speech', commands=(
            _module('synthesise', '--text', options.text, '--out', second, '--first',
                    some(15_000), '--count', some(9_150), '--workers', options.workers),)),
        Step(name='labels', commands=(_module('label', '--data', data, '--out', labels),)),
        Step(name='sounds', commands=_scenes(scenes, features, {
            'harmless': (200_000, some(1_250)), 'alert': (210_000, some(1_450))})),
        Step(name='speech in scenes', commands=_scenes(scenes, features, {
            'speech': (400_000, some(8_000)), 'long': (410_000, some(1_150))})),
        Step(name='validation', commands=_scenes(scenes, held, {
            'harmless': (300_000, some(150)), 'alert': (310_000, some(200)),
            'speech': (320_000, some(130)), 'long': (330_000, some(40))},
            '--split', 'validation')),
        Step(name='words', commands=(
            _module('stage_a', '--features', features, '--validation', held, '--out', projector,
                    '--minutes', minutes(20)),)),
        Step(name='what sounds', commands=(
            _module('sound', '--features', features, '--validation', held, '--data', data,
                    '--out', sound, '--minutes', minutes(6)),)),
        Step(name='when and what', commands=((
            sys.executable, '-m', 'torch.distributed.run', '--standalone', '--nproc-per-node',
            str(options.workers),
            *_module('stage_b', '--features', features, '--projector', projector, '--sound',
                     sound, '--out', trained, '--minutes', minutes(40))[1:]),)),
        Step(name='model folder', commands=(
            _module('ship', '--trained', trained, '--out', out / 'model',
                    *(part for lane in options.threshold for part in ('--threshold', lane))),)),
    ]


def run(step: Step, environment: dict[str, str]) -> None:
    """Run the commands of a step side by side; SystemExit names the one that failed."""
    running = [subprocess.Popen(command, env=environment) for command in step.commands]
    for process, command in zip(running, step.commands, strict=True):
        if process.wait():
            for other in running:
                other.terminate()
            raise SystemExit(f'{step.name}: {" ".join(command[1:4])} ended with '
                             f'{process.returncode}; correct the cause named above and give the '
                             'same command again: it goes on with this step')


def work_off(todo: list[Step], out: Path, environment: dict[str, str]) -> None:
    """Run the steps that have no mark in the folder yet."""
    out.mkdir(parents=True, exist_ok=True)
    for number, step in enumerate(todo, start=1):
        mark = out / f'{step.name.replace(" ", "-")}.done'
        if mark.exists():
            print(f'{number}/{len(todo)} {step.name}: done before', flush=True)
            continue
        print(f'{number}/{len(todo)} {step.name}', flush=True)
        begin = time.monotonic()
        run(step, environment)
        mark.write_text(f'{(time.monotonic() - begin) / 60:.1f} minutes\n', encoding='utf-8')


def main() -> None:
    parser = argparse.ArgumentParser(prog='python -m train.edge',
                                     description=__doc__.splitlines()[1])
    parser.add_argument('--data', type=Path, required=True, help='folder with manifest.jsonl')
    parser.add_argument('--text', type=Path, required=True, help='TSV with a column "en"')
    parser.add_argument('--out', type=Path, default=Path('work/edge-model'))
    parser.add_argument('--workers', type=int, default=2, help='processes of one thread each')
    parser.add_argument('--scale', type=float, default=1.0,
                        help='share of data and minutes, to try the recipe')
    parser.add_argument('--threshold', action='append', default=[], metavar='LANE=P')
    options = parser.parse_args()
    options.threshold = options.threshold or ['transcript=0.5', 'assistant=0.9']
    environment = {**os.environ, 'OMP_NUM_THREADS': os.environ.get('OMP_NUM_THREADS', '1')}
    work_off(steps(options), options.out, environment)
    print(f'model in {options.out / "model"}; try: audio-interaction stream samples/scene.flac '
          f'--model {options.out / "model"}')


if __name__ == '__main__':
    main()
