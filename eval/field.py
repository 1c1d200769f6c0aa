"""
``python -m eval field STUDY``: recordings of a real place beside a matched synthetic split.

STUDY is a folder of bags or sound files with label files (docs/field_study.md), whose names begin
with their scene: S1-01, S2-01. The twin of each is made here (``--data``, for the sounds of
alerts), or is a recording of the same name in ``--synthetic``. Both are heard by the same
assistant, and what differs is told scene by scene.
"""

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from audio_interaction_ros.cli.sounds import add_model_arguments, make_configuration
from audio_interaction_ros.config import AssistantConfig
from audio_interaction_ros.errors import AudioInteractionError
from audio_interaction_ros.offline import Assistant
from audio_interaction_ros.speech.voice import load_voice
from eval.field_study.figures import Outcome, compare, judge, score
from eval.field_study.listening import StudyListener
from eval.field_study.matched import Twin, TwinMaker
from eval.field_study.study import read_study
from held_out.clips import RATE, MaterialError, read_held_out
from measure import plots, report

__all__ = ['add_arguments', 'run']


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    parser.add_argument('study', type=Path, metavar='STUDY',
                        help='folder of bags or sound files with NAME.expect.yaml beside them')
    add_model_arguments(parser)
    parser.add_argument('--synthetic', type=Path, metavar='FOLDER',
                        help='twins of the same names; without it they are made')
    parser.add_argument('--data', type=Path, metavar='MANIFEST_FOLDER',
                        help='clips that twins are made of: held-out alarms and backgrounds')
    parser.add_argument('--out', type=Path, metavar='FOLDER', help='where results go')


def run(options: argparse.Namespace, listener: StudyListener | None = None) -> int:
    """Measure; return 0."""
    out = report.make_folder(options, 'field')
    config = make_configuration(options)
    twins = _read_twins(options, config, out)
    listener = listener or _make_listener(config, out)
    real, synthetic = [], []
    for twin in report.track('listening', twins):
        real.append(judge(twin.real, listener.hear(twin.real.samples)))
        synthetic.append(judge(twin.synthetic, listener.hear(twin.synthetic.samples)))
    figures = {scene: _describe(*_of_scene(scene, real, synthetic))
               for scene in ('all', *sorted({one.scene for one in real}))}
    figures['left out'] = {twin.real.name: [one.describe() for one in twin.left_out]
                           for twin in twins if twin.left_out}
    _show(figures)
    plots.draw_bars(out / 'field.png', {
        scene: {split: figures[scene][split]['trigger accuracy']
                for split in ('real', 'synthetic')} for scene in figures if scene != 'left out'},
        title='Decisions that are right, by scene', label='trigger accuracy')
    print(f'written to {report.write(out, "field", options, figures, config.model.path)}')
    return 0


def _read_twins(options: argparse.Namespace, config: AssistantConfig, out: Path) -> list[Twin]:
    recordings = read_study(options.study)
    if options.synthetic is None:
        clips = read_held_out(options.data) if options.data else []
        maker = TwinMaker(clips, _make_say(config))
        twins = [maker.make(one) for one in recordings]
        _keep(twins, out / 'synthetic')
        return twins
    others = {one.name: one for one in read_study(options.synthetic)}
    missing = [one.name for one in recordings if one.name not in others]
    if missing:
        raise MaterialError(f'{options.synthetic}: expected a twin of every recording, found none '
                            f'of {", ".join(missing)}; add them, or leave --synthetic out')
    return [Twin(one, others[one.name], ()) for one in recordings]


def _make_say(config: AssistantConfig) -> Callable[[str], np.ndarray | None]:
    """Return what says a text with the voice of the configuration; None where it cannot."""
    voice = load_voice(config.speech)

    def say(text: str) -> np.ndarray | None:
        try:
            return np.concatenate([part for part, _ in voice.speak(text, rate_hz=RATE)])
        except AudioInteractionError:
            return None
    return say


def _keep(twins: Sequence[Twin], folder: Path) -> None:
    """Write the twins down, to be listened to."""
    folder.mkdir(exist_ok=True)
    for twin in twins:
        soundfile.write(folder / f'{twin.synthetic.name}.flac', twin.synthetic.samples, RATE)


def _make_listener(config: AssistantConfig, out: Path) -> StudyListener:
    kinds = {lane.name: lane.kind for lane in config.lanes}
    return StudyListener(Assistant.maker(config, print), kinds, cache=out / 'heard.jsonl',
                         variant=repr(config))


def _of_scene(scene: str, *splits: Sequence[Outcome]) -> list[list[Outcome]]:
    return [[one for one in split if scene in ('all', one.scene)] for split in splits]


def _describe(real: Sequence[Outcome], synthetic: Sequence[Outcome]) -> dict[str, Any]:
    return {'real': score(real), 'synthetic': score(synthetic),
            'difference': compare(real, synthetic)}


def _show(figures: dict[str, Any]) -> None:
    for scene, part in figures.items():
        if scene == 'left out':
            continue
        real, synthetic, other = (_flatten(part[key]) for key in (
            'real', 'synthetic', 'difference'))
        report.print_table(f'Scene: {scene}', ['', 'real', 'synthetic', 'real less synthetic'], [
            (name, real.get(name), synthetic.get(name), other.get(name))
            for name in (*real, 'correlation of silence rates')])
    for name, labels in figures['left out'].items():
        print(f'{name}: left out on both sides, for nothing can be played for it: '
              f'{"; ".join(labels)}')


def _flatten(part: dict[str, Any]) -> dict[str, Any]:
    """Return figures as they are told: of several percentiles the middle one."""
    return {name: value['p50'] if isinstance(value, dict) else value
            for name, value in part.items()}
