"""``python -m train fit RECIPE``: train a stage; the same command goes on after a break."""

import argparse
import dataclasses
import tempfile
from pathlib import Path

from audio_interaction_ros.model.tokenizer import Tokenizer
from train.trainer.data import Samples, is_held_out
from train.trainer.recipe import Recipe, load_recipe
from train.trainer.starting_model import Start, prepare

__all__ = ['add_arguments', 'read_samples', 'run']


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument('recipe', help='file or name of a shipped recipe, such as stage3, tiny')
    parser.add_argument('--streams', type=Path, nargs='+', metavar='FILE',
                        help='records of streams (default: data.streams of the recipe)')
    parser.add_argument('--evaluation', type=Path, nargs='+', metavar='FILE',
                        help='records of held-out streams')
    parser.add_argument('--out', type=Path, required=True, help='folder of the run')
    parser.add_argument('--set', metavar='KEY=VALUE', action='append', default=[], dest='changes',
                        help='replace one value, such as run.steps=100')
    parser.add_argument('--chunk', type=float, metavar='S',
                        help='seconds that the model hears at once, as the streams were built '
                        '(default: what its shape says); same as --set model.chunk_s=S')
    parser.add_argument('--until', type=int, metavar='STEP', help='stop there, to go on later')
    parser.add_argument('--cpu', action='store_true', help='use no GPU')


def _with_files(recipe: Recipe, options: argparse.Namespace) -> Recipe:
    data = recipe.data
    data = dataclasses.replace(
        data, streams=_resolve(options.streams) or data.streams,
        evaluation=_resolve(options.evaluation) or data.evaluation)
    return dataclasses.replace(recipe, data=data)


def _resolve(paths: list[Path] | None) -> tuple[str, ...]:
    return tuple(str(path.resolve()) for path in paths or ())


def read_samples(recipe: Recipe, start: Start, folder: Path) -> tuple[Samples, Samples]:
    """Return the samples to learn from and those held out; paths are relative to ``folder``."""
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / 'tokenizer.json'
        path.write_text(start.tokenizer_json, encoding='utf-8')
        tokenizer = Tokenizer(path, structural=start.config.token_ids.structural)
    data = recipe.data
    files = [folder / name for name in data.streams]
    common = start.config, tokenizer.encode, data
    if data.evaluation:
        held_out = [folder / name for name in data.evaluation]
        return Samples.read(files, *common), Samples.read(held_out, *common)
    share = data.evaluation_share
    return (Samples.read(files, *common, keep=lambda one: not is_held_out(one.id, share)),
            Samples.read(files, *common, keep=lambda one: is_held_out(one.id, share)))


def run(options: argparse.Namespace) -> int:
    """Train and say where the model lies."""
    from train.trainer.loop import Trainer
    chunk = [f'model.chunk_s={options.chunk}'] if options.chunk else []
    recipe, path = load_recipe(options.recipe, [*options.changes, *chunk])
    recipe = _with_files(recipe, options)
    start = prepare(recipe, path)
    samples, held_out = read_samples(recipe, start, path.parent)
    trainer = Trainer(recipe, start, samples, held_out, options.out, cpu=options.cpu)
    say = trainer.accelerator.print  # of many processes one speaks
    say(f'{len(samples)} samples, {len(held_out)} held out; left out: '
        f'{dict(samples.skipped + held_out.skipped) or "none"}')
    report = trainer.run(options.until)
    say(f'step {report.step}, loss {report.loss:.4f}; '
        + (f'model: {report.model}' if report.model else 'not over: run the same command again'))
    return 0
