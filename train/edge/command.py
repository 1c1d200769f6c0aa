r"""
``python -m train edge``: the whole recipe of the edge model, step after step.

Owns the order of the steps; how much of each is made is told by the recipe, whose resolved form
lies in the folder. A finished step leaves a mark with its commands and is not done again; a step
that was stopped goes on where it can. Read DATA's licences first: only its group ``free`` is used.
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

from audio_interaction_ros.checkpoints.config import load_config
from audio_interaction_ros.errors import ConfigurationError
from audio_interaction_ros.protocol import CHUNK_S, MEL_FRAMES_PER_CHUNK
from train.edge.layout import THRESHOLDS
from train.edge.recipe import EdgeRecipe, read_edge_recipe, scale_recipe
from train.trainer.recipe import dump_recipe

__all__ = ['RecipeStep', 'add_arguments', 'make_steps', 'run', 'work_off']

POLL_S = 0.2
PATIENCE_S = 10.0
"""So long a process may take to end before it is killed."""
TRAINED = 'trained.safetensors'
"""The weights in a model's folder."""
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


def _speech_flags(options: argparse.Namespace) -> list[object]:
    """Return the folders of utterances and the texts of real speech, as options."""
    folders = ['speech', *(['speech-zh'] if options.pairs else [])]
    return [*(part for name in folders for part in ('--speech', options.out / name)),
            '--labels', options.out / 'labels.jsonl', *_optional_flag('--pairs', options.pairs)]


def _material_steps(options: argparse.Namespace, recipe: EdgeRecipe) -> list[RecipeStep]:
    """Return the steps that make speech, streams and what the encoder hears of them."""
    out, workers = options.out, options.workers
    steps = [RecipeStep(name='speech', commands=(
        _module_command('synthesise', '--text', options.text, '--out', out / 'speech',
                        '--share', recipe.speech, '--workers', max(1, workers - 1)),
        _module_command('label', '--data', options.data, '--out', out / 'labels.jsonl')))]
    if options.pairs:
        asked = recipe.mandarin
        steps.append(RecipeStep(name='Mandarin', commands=(_module_command(
            'mandarin', '--text', options.pairs, '--out', out / 'speech-zh', '--kokoro',
            asked.kokoro, '--espeak', asked.espeak, '--validation', asked.validation,
            *_optional_flag('--kokoro-model', options.kokoro_model),
            *_optional_flag('--kokoro-voices', options.kokoro_voices), '--workers', workers),)))
    steps += [RecipeStep(name=f'scenes, {split}', commands=(_module_command(
        'scenes', '--recipe', out / 'recipe.yaml', '--data', options.data,
        *_speech_flags(options), '--split', split, '--out', out / split, '--workers', workers),))
        for split in ('train', 'validation')]
    return [*steps, RecipeStep(name='features', commands=(_module_command(
        'features', '--recipe', out / 'recipe.yaml', '--scenes', out / 'train', '--scenes',
        out / 'validation', '--workers', workers),))]


def _replies_step(options: argparse.Namespace, name: str, sound: Path, out: Path,
                  *more: object) -> RecipeStep:
    """Return a step in which decisions and words are learned, on all workers."""
    return RecipeStep(name=name, commands=((
        sys.executable, '-m', 'torch.distributed.run', '--standalone', '--nproc-per-node',
        str(options.learners or options.workers), *_module_command(
            'stage_b', '--recipe', options.out / 'recipe.yaml', '--scenes', options.out / 'train',
            '--sound', sound, '--out', out, *more)[1:]),))


def _ship_step(options: argparse.Namespace, trained: Path) -> RecipeStep:
    return RecipeStep(name='model folder', commands=(_module_command(
        'ship', '--recipe', options.out / 'recipe.yaml', '--trained', trained, '--out',
        options.out / 'model',
        *(part for lane in options.threshold for part in ('--threshold', lane))),))


def _continued_steps(options: argparse.Namespace, recipe: EdgeRecipe) -> list[RecipeStep]:
    """
    Return the steps in which a finished model learns on: sessions of all its lanes.

    What it knows of words, sounds and text it keeps; sentence pairs among the sessions see to it.
    """
    before, trained = options.begin / TRAINED, options.out / 'trained.safetensors'
    return [*_material_steps(options, recipe),
            _replies_step(options, 'sessions', before, trained, '--projector', before, '--begin',
                          before, *_optional_flag('--pairs', options.pairs)),
            _ship_step(options, trained)]


def make_steps(options: argparse.Namespace, recipe: EdgeRecipe) -> list[RecipeStep]:
    """
    Return all steps of the recipe for these options, or those in which a model learns on.

    With pairs the language model learns to translate text between two rounds of sessions: what it
    is to do with what it hears it knows before, what it knows of Chinese it needs after.
    """
    if options.begin:
        return _continued_steps(options, recipe)
    out, told = options.out, ('--recipe', options.out / 'recipe.yaml')
    projector, sound, trained, last = (
        out / f'{name}.safetensors'
        for name in ('projector', 'sound', 'trained', 'trained-three-lanes'))
    both = (*told, '--scenes', out / 'train', '--validation', out / 'validation')
    steps = [
        *_material_steps(options, recipe),
        RecipeStep(name='words and sounds', commands=(
            _module_command('stage_a', *both, '--out', projector,
                            *_optional_flag('--start', options.start)),
            _module_command('sound', *both, '--data', options.data, '--out', sound,
                            *_optional_flag('--tagger', options.tagger)))),
        _replies_step(options, 'when and what', sound, trained, '--projector', projector)]
    if options.pairs:
        text = out / 'translation'
        steps += [
            RecipeStep(name='translation of text', commands=(_module_command(
                'translate', 'fit', '--pairs', options.pairs, '--begin', trained, '--out', text,
                '--minutes', recipe.translation.minutes, '--rate', recipe.translation.rate),)),
            _replies_step(options, 'three lanes', sound, last, '--projector', trained,
                          '--begin', text / 'trained.safetensors', '--pairs', options.pairs)]
    return [*steps, _ship_step(options, last if options.pairs else trained)]


def run_step(step: RecipeStep, environment: dict[str, str]) -> None:
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
        run_step(step, environment)
        begun.write_text(f'{(time.monotonic() - begin) / 60:.1f} minutes\n{step.made_by}',
                         encoding='utf-8')
        begun.replace(done)


def _end_on_signal(number: int, _frame: object) -> None:
    raise SystemExit(128 + number)


def keep_recipe(recipe: EdgeRecipe, folder: Path) -> None:
    """Write the resolved recipe into a folder; SystemExit where it was begun with another."""
    path = folder / 'recipe.yaml'
    if path.exists() and read_edge_recipe(path) != recipe:
        raise SystemExit(f'{path}: the folder was begun with another recipe; give another --out, '
                         'or the recipe, --set and --scale of before')
    folder.mkdir(parents=True, exist_ok=True)
    dump_recipe(recipe, path)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument('--data', type=Path, required=True, help='folder with manifest.jsonl')
    parser.add_argument('--text', type=Path, required=True, help='TSV with a column "en"')
    parser.add_argument('--pairs', type=Path, metavar='TSV',
                        help='sentence pairs (en, zh): with a translation lane')
    parser.add_argument('--kokoro-model', type=Path, metavar='ONNX',
                        help='Kokoro-82M, for Mandarin that is not espeak-ng\'s')
    parser.add_argument('--kokoro-voices', type=Path, metavar='NPZ')
    parser.add_argument('--out', type=Path, default=Path('work/edge-model'))
    parser.add_argument('--recipe', default='edge', help='a recipe by name or path')
    parser.add_argument('--set', action='append', default=[], metavar='KEY=VALUE', dest='changes',
                        help='change a value of the recipe; may be given several times')
    parser.add_argument('--workers', type=int, default=2, help='processes of one thread each')
    parser.add_argument('--learners', type=int, metavar='N',
                        help='processes in which the language model learns, if others than '
                        '--workers; 1 uses a GPU where there is one')
    parser.add_argument('--scale', type=float, default=1.0,
                        help='share of data and minutes, to try the recipe')
    parser.add_argument('--until', metavar='STEP', help='end when this step is done')
    parser.add_argument('--tagger', type=Path, help='scores of a tagger on the clips')
    parser.add_argument('--begin', type=Path, metavar='MODEL',
                        help='folder of a finished model that learns on: only sessions')
    parser.add_argument('--start', type=Path, metavar='PROJECTOR',
                        help='projector of an earlier run that the words go on from')
    parser.add_argument('--threshold', action='append', metavar='LANE=P', default=[],
                        help=', '.join(f'{lane}={p}' for lane, p in THRESHOLDS.items())
                        + ' without it')


def check_start(model: Path, recipe: EdgeRecipe) -> None:
    """Refuse a model to begin from whose window is not that of the recipe."""
    frames = load_config(model / 'config.yaml').audio_tower.window_frames
    if frames != round(recipe.window_s / CHUNK_S * MEL_FRAMES_PER_CHUNK):
        raise ConfigurationError(
            f'--begin {model}: expected a model that hears {recipe.window_s:g} s at once, as the '
            f'recipe says, found {frames * CHUNK_S / MEL_FRAMES_PER_CHUNK:g} s; give another '
            'model, or --set window_s')


def choose_steps(steps: list[RecipeStep], until: str | None) -> list[RecipeStep]:
    """Return the steps up to one of that name, all without; ConfigurationError for no such."""
    names = [step.name for step in steps]
    if until is not None and until not in names:
        raise ConfigurationError(f'--until: expected one of {names}, got {until!r}')
    return steps[:names.index(until) + 1] if until else steps


def run(options: argparse.Namespace) -> int:
    """Make the model, or as much of it as is asked for."""
    recipe = scale_recipe(read_edge_recipe(options.recipe, tuple(options.changes)), options.scale)
    if options.begin:
        check_start(options.begin, recipe)
    steps = choose_steps(make_steps(options, recipe), options.until)
    keep_recipe(recipe, options.out)
    before = signal.signal(signal.SIGTERM, _end_on_signal)
    environment = {**os.environ, 'OMP_NUM_THREADS': os.environ.get('OMP_NUM_THREADS', '1')}
    try:
        work_off(steps, options.out, environment)
    finally:
        signal.signal(signal.SIGTERM, before)
    if options.until is None:
        print(f'model in {options.out / "model"}; try: audio-interaction stream '
              f'samples/scene.flac --model {options.out / "model"}')
    return 0
