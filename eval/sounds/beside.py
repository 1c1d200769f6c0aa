"""
Who is scored: the head of a model folder, other heads, and what stands beside them.

Owns where each scorer's numbers come from. Heads that are given by name are ablations: the same
head without YAMNet, without context, of another seed.
"""

import argparse
from pathlib import Path

from audio_interaction_ros.checkpoints.cache import cache_root
from audio_interaction_ros.checkpoints.config import load_config
from audio_interaction_ros.checkpoints.weights import locate
from audio_interaction_ros.errors import AudioInteractionError, ConfigurationError
from eval.sounds.scorers import BranchScorer, HeadScorer, Scorer, SumScorer, TaggerScorer
from train.sound_head.tagger import fetch_tagger_classes

__all__ = ['HEAD', 'add_arguments', 'make_head', 'make_scorers']

HEAD = 'sound head'
FILE = 'sounds.safetensors'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options that say who is scored."""
    parser.add_argument('--head', type=Path, metavar='FILE',
                        help=f'of evidence sounds: the sound head (default: {FILE} of --model)')
    parser.add_argument('--heads', nargs='*', default=[], metavar='NAME=FILE',
                        help='other heads beside it: ablations, other seeds')
    parser.add_argument('--alone', action='store_true',
                        help='the head only: neither the sound branch nor YAMNet beside it')


def head_path(options: argparse.Namespace) -> Path:
    """Return the file of the head that the options mean; it need not exist."""
    return options.head or locate(options.model) / FILE


def make_head(options: argparse.Namespace) -> HeadScorer:
    """Return the head; ConfigurationError where there is none."""
    path = head_path(options)
    if not path.is_file():
        raise ConfigurationError(f'{path}: expected the sound head of the model, found no file; '
                                 'give --head FILE, or --evidence model')
    return HeadScorer(path, HEAD)


def make_scorers(options: argparse.Namespace) -> list[Scorer]:
    """Return the head, if there is one, and what stands beside it; says what is missing."""
    folder = locate(options.model)
    config = load_config(folder / 'config.yaml')
    path = head_path(options)
    scorers: list[Scorer] = []
    if path.is_file() or options.head:
        scorers.append(make_head(options))
    else:
        print(f'{path}: there is no sound head; only what stands beside it is measured')
    scorers += [HeadScorer(Path(file), name) for name, file in map(_split, options.heads)]
    if options.alone:
        return scorers
    branch = BranchScorer(folder / 'trained.safetensors', config.audio_tower.sounds)
    try:
        classes = fetch_tagger_classes(cache_root() / 'eval')
    except AudioInteractionError as error:
        print(f'without YAMNet: {error}')
        return [*scorers, branch]
    tagger = TaggerScorer(classes.weight, classes.bias)
    return [*scorers, branch, tagger, SumScorer(branch, tagger)]


def _split(text: str) -> tuple[str, str]:
    name, found, file = text.partition('=')
    if not (name and found and file):
        raise ConfigurationError(f'--heads: expected NAME=FILE, found {text!r}; correct it')
    return name, file
