r"""
The whole recipe of the edge model with one command, step after step.

Owns the order of the steps and how much of each is made. A finished step leaves a mark with its
commands in the folder and is not done again; a step that was stopped goes on where it can. On two
cores all of it takes about three hours; ``--scale 0.01 --out work/try`` tries every step in a
quarter of an hour. Read DATA's licences first: only its group ``free`` is used.

    python -m train.edge --data DATA --text SENTENCES.tsv --out work/edge-model
"""

import argparse
import os
import shlex
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from train.edge.layout import THRESHOLDS

__all__ = ['RecipeStep', 'main', 'make_steps', 'work_off']

POLL_S = 0.2
PATIENCE_S = 10.0
"""So long a process may take to end before it is killed."""
MACHINE = {'--workers', '--shard', '--shards', '--nproc-per-node'}
"""Options that share the work out and do not change what is made."""


@dataclass(frozen=True, kw_only=True)
class RecipeStep:
    """Commands that run side by side; the step is over when all have ended."""

    name: str
    commands: tuple[tuple[str, ...], ...]

    @property
    def made_by(self) -> str:
        """Return its commands, one a line, without how the work is shared out."""
        lines = []
        for command in self.commands:
            parts = [part for before, part in zip(('', *command[1:]), command[1:], strict=False)
                     if part not in MACHINE and before not in MACHINE]
            lines.append(shlex.join(parts))
        return '\n'.join(dict.fromkeys(lines)) + '\n'


def _module_command(name: str, *arguments: object) -> tuple[str, ...]:
    return (sys.executable, '-m', f'train.edge.{name}', *map(str, arguments))


def _optional_flag(flag: str, value: object) -> tuple[object, ...]:
    return () if value is None else (flag, value)


def _scene_commands(options: argparse.Namespace, out: Path, kinds: dict[str, tuple[int, int]],
                    *more: object) -> tuple[tuple[str, ...], ...]:
    """Return one command per kind (its first scene and how many of them) and worker."""
    made = options.out
    return tuple(_module_command(
        'features', '--data', options.data,
        *(part for name in _speech_folders(options) for part in ('--speech', made / name)),
        '--labels', made / 'labels.jsonl', '--out', out, '--kind', kind,
        '--first', first, '--count', count, *more, '--shard', shard, '--shards', options.workers)
        for kind, (first, count) in kinds.items() for shard in range(options.workers))


def _speech_folders(options: argparse.Namespace) -> list[str]:
    """Return the folders of utterances."""
    return ['speech', *(['speech-zh'] if options.pairs else [])]


def _material_steps(options: argparse.Namespace) -> list[RecipeStep]:
    """Return the steps that make speech, texts and features."""
    def scale_count(count: int, least: int = 2) -> int:
        return max(least, round(count * options.scale))
    features, held, workers = (options.out / 'features', options.out / 'validation',
                               options.workers)
    spoken = [
        RecipeStep(name='speech', commands=(
            _module_command('synthesise', '--text', options.text, '--out', options.out / 'speech',
                            '--share', options.scale, '--workers', max(1, workers - 1)),
            _module_command('label', '--data', options.data, '--out',
                            options.out / 'labels.jsonl')))]
    kinds = {'harmless': (1_250, 150), 'alert': (1_450, 200), 'speech': (8_000, 130),
             'long': (1_150, 40)}
    if options.pairs:
        kinds['mandarin'] = (900, 60)
        spoken.append(RecipeStep(name='Mandarin', commands=(_module_command(
            'mandarin', '--text', options.pairs, '--out', options.out / 'speech-zh', '--kokoro',
            scale_count(350), '--espeak', scale_count(400), '--validation', scale_count(60),
            *_optional_flag('--kokoro-model', options.kokoro_model),
            *_optional_flag('--kokoro-voices', options.kokoro_voices), '--workers', workers),)))
    return [
        *spoken,
        *(RecipeStep(name=f'scenes, {kind}', commands=_scene_commands(
            options, features, {kind: (place * 10_000, scale_count(count))}))
          for place, (kind, (count, _)) in enumerate(kinds.items(), start=20)),
        *(RecipeStep(name=f'validation, {kind}', commands=_scene_commands(
            options, held, {kind: (place * 10_000, scale_count(count, 20))}, '--split',
            'validation'))
          for place, (kind, (_, count)) in enumerate(kinds.items(), start=30)),
    ]


def _distributed_step(options: argparse.Namespace, name: str, out: Path, count: float,
                      *more: object) -> RecipeStep:
    """Return a step of stage B, on all workers."""
    return RecipeStep(name=name, commands=((
        sys.executable, '-m', 'torch.distributed.run', '--standalone', '--nproc-per-node',
        str(options.workers), *_module_command(
            'stage_b', '--features', options.out / 'features', '--sound',
            options.out / 'sound.safetensors', '--out', out, '--minutes', count, *more)[1:]),))


def make_steps(options: argparse.Namespace) -> list[RecipeStep]:
    """
    Return all steps of the recipe for these options.

    With pairs the language model learns to translate text between two rounds of sessions: what it
    is to do with what it hears it knows before, what it knows of Chinese it needs after.
    """
    out = options.out
    projector, sound, trained, last = (
        out / f'{name}.safetensors'
        for name in ('projector', 'sound', 'trained', 'trained-three-lanes'))
    both = ('--features', out / 'features', '--validation', out / 'validation')

    def scale_minutes(count: float) -> float:
        return max(0.05, count * options.scale)
    made = [
        *_material_steps(options),
        RecipeStep(name='words and sounds', commands=(
            _module_command('stage_a', *both, '--out', projector, '--minutes', scale_minutes(20),
                            *_optional_flag('--start', options.start)),
            _module_command('sound', *both, '--data', options.data, '--out', sound, '--minutes',
                            scale_minutes(6), *_optional_flag('--tagger', options.tagger)))),
        _distributed_step(options, 'when and what', trained, scale_minutes(40), '--projector',
                          projector)]
    if options.pairs:
        text = out / 'translation'
        made += [
            RecipeStep(name='translation of text', commands=(_module_command(
                'translate', 'fit', '--pairs', options.pairs, '--begin', trained, '--out', text,
                '--minutes', scale_minutes(50)),)),
            _distributed_step(options, 'three lanes', last, scale_minutes(40), '--projector',
                              trained,
                              '--begin', text / 'trained.safetensors', '--pairs', options.pairs)]
    return [*made, RecipeStep(name='model folder', commands=(_module_command(
        'ship', '--trained', last if options.pairs else trained, '--out', out / 'model',
        *(part for lane in options.threshold for part in ('--threshold', lane))),))]


def run(step: RecipeStep, environment: dict[str, str]) -> None:
    """
    Run the commands of a step side by side; SystemExit names the first that fails.

    The others are ended then, and all of them when this process is told to end.
    """
    running = [subprocess.Popen(command, env=environment, start_new_session=True)
               for command in step.commands]
    try:
        while None in (codes := [process.poll() for process in running]) and not any(codes):
            time.sleep(POLL_S)
    finally:
        _end_processes(running)
    for process, command in zip(running, step.commands, strict=True):
        if process.returncode > 0 or process.returncode not in (0, -signal.SIGTERM):
            raise SystemExit(f'{step.name}: {" ".join(command[1:4])} ended with '
                             f'{process.returncode}; correct the cause named above and give the '
                             'same command again: it goes on with this step')
    if ended := [process for process in running if process.returncode]:
        raise SystemExit(f'{step.name}: {len(ended)} processes were ended from outside; give the '
                         'same command again: it goes on with this step')


def _end_processes(running: list[subprocess.Popen[bytes]]) -> None:
    """End what still runs, with the processes that it started."""
    left = [process for process in running if process.poll() is None]
    for process in left:
        os.killpg(process.pid, signal.SIGTERM)
    for process in left:
        try:
            process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _is_done(mark: Path, step: RecipeStep) -> bool:
    """Tell whether a mark is there; SystemExit when it was left by other options."""
    if not mark.exists():
        return False
    before = mark.read_text(encoding='utf-8').partition('\n')[2]
    if before != step.made_by:
        raise SystemExit(
            f'{step.name}: was made with other options; give another --out or delete {mark} and '
            f'what that step wrote.\nbefore:\n{before}now:\n{step.made_by}')
    return True


def work_off(todo: list[RecipeStep], out: Path, environment: dict[str, str]) -> None:
    """Run the steps that have no mark in the folder yet."""
    out.mkdir(parents=True, exist_ok=True)
    for number, step in enumerate(todo, start=1):
        done = out / f'{step.name.replace(",", "").replace(" ", "-")}.done'
        begun = done.with_suffix('.begun')
        if _is_done(done, step):
            print(f'{number}/{len(todo)} {step.name}: done before', flush=True)
            continue
        print(f'{number}/{len(todo)} {step.name}'
              + (': goes on' if _is_done(begun, step) else ''), flush=True)
        begun.write_text(f'begun\n{step.made_by}', encoding='utf-8')
        begin = time.monotonic()
        run(step, environment)
        begun.write_text(f'{(time.monotonic() - begin) / 60:.1f} minutes\n{step.made_by}',
                         encoding='utf-8')
        begun.replace(done)


def _end_on_signal(number: int, _frame: object) -> None:
    raise SystemExit(128 + number)


def main() -> None:
    parser = argparse.ArgumentParser(prog='python -m train.edge',
                                     description=__doc__.splitlines()[1])
    parser.add_argument('--data', type=Path, required=True, help='folder with manifest.jsonl')
    parser.add_argument('--text', type=Path, required=True, help='TSV with a column "en"')
    parser.add_argument('--pairs', type=Path, metavar='TSV',
                        help='sentence pairs (en, zh): with a translation lane')
    parser.add_argument('--kokoro-model', type=Path, metavar='ONNX',
                        help='Kokoro-82M, for Mandarin that is not espeak-ng\'s')
    parser.add_argument('--kokoro-voices', type=Path, metavar='NPZ')
    parser.add_argument('--out', type=Path, default=Path('work/edge-model'))
    parser.add_argument('--workers', type=int, default=2, help='processes of one thread each')
    parser.add_argument('--scale', type=float, default=1.0,
                        help='share of data and minutes, to try the recipe')
    parser.add_argument('--tagger', type=Path, help='scores of a tagger on the clips')
    parser.add_argument('--start', type=Path, metavar='PROJECTOR',
                        help='projector of an earlier run that stage A goes on from')
    parser.add_argument('--threshold', action='append', metavar='LANE=P', default=[],
                        help=', '.join(f'{lane}={p}' for lane, p in THRESHOLDS.items())
                        + ' without it')
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, _end_on_signal)
    environment = {**os.environ, 'OMP_NUM_THREADS': os.environ.get('OMP_NUM_THREADS', '1')}
    work_off(make_steps(options), options.out, environment)
    print(f'model in {options.out / "model"}; try: audio-interaction stream samples/scene.flac '
          f'--model {options.out / "model"}')


if __name__ == '__main__':
    main()
