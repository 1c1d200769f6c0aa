"""``python -m export verify DIR``: written graphs against torch; 1 where one misses its bar."""

import argparse
from pathlib import Path

from audio_interaction_ros.checkpoints.weights import identify
from audio_interaction_ros.errors import CheckpointError
from audio_interaction_ros.graphs import manifest
from audio_interaction_ros.parameter_file import load_configuration
from audio_interaction_ros.resources import shipped
from audio_interaction_ros.runtimes.registry import load_runtime
from export.verify import (
    BARS,
    Verdict,
    compare_decoders,
    compare_encoders,
    compare_scenes,
    hear,
)

__all__ = ['add_arguments', 'run']


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument('folder', type=Path, metavar='DIR',
                        help='what python -m export onnx wrote')
    parser.add_argument('--model', default='edge',
                        help='the model that was exported, for torch (default: edge)')
    parser.add_argument('--scene', metavar='FILE', default='samples/scene.flac',
                        help='recording that both listen to; empty: none (default: the sample '
                             'scene)')
    parser.add_argument('--config', type=Path,
                        help='YAML file of an assistant (default: config/edge.yaml)')


def run(options: argparse.Namespace) -> int:
    """Print every comparison; 1 where one misses its bar or a file is not what it was."""
    precisions = set()
    for half in ('encoder', 'decoder'):
        said = manifest.read(options.folder / half)
        _check_source(said.model_id, options.model)
        precisions.add(said.precision)
        for name in manifest.differing_files(options.folder / half):
            raise CheckpointError(f'{options.folder / half / name}: the content is not what was '
                                  f'written; {manifest.remedy(options.folder / half)}')
    precision, = precisions
    verdicts = _verdicts(options, precision)
    for verdict in verdicts:
        print(f'{"passed" if verdict.passed else "FAILED":7s}{verdict.name:28s}'
              f'{verdict.found:10.5f}  at most {verdict.bar:g}')
    return 0 if all(verdict.passed for verdict in verdicts) else 1


def _check_source(model_id: str, model: str) -> None:
    found = identify(model).model_id
    if found != model_id:
        raise CheckpointError(f'--model {model}: expected {model_id}, found {found}; name the '
                              'model that was exported, or export it again')


def _verdicts(options: argparse.Namespace, precision: str) -> list[Verdict]:
    bar, folder = BARS[precision], str(options.folder)
    ours = load_runtime(folder, runtime='onnx')
    torchs = load_runtime(options.model, runtime='torch', dtype='float32')
    verdicts = [compare_encoders(ours.encoder, torchs.encoder, bar),
                *compare_decoders(ours.decoder, torchs.decoder, bar)]
    del ours, torchs
    if options.scene:
        config = load_configuration(options.config or shipped('config/edge.yaml'))
        scene = Path(options.scene)
        scene = scene if scene.is_file() else shipped(options.scene)
        verdicts += compare_scenes(
            hear(config, scene, runtime='onnx', model=folder, dtype='auto'),
            hear(config, scene, runtime='torch', model=options.model, dtype='float32'), bar)
    return verdicts
