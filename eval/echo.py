"""
``python -m eval echo``: what the robot hears while it speaks, with its voice taken out and not.

Each scene (``echo_scenes``) is heard several times: the other sound alone, with the robot's own
voice, and with that voice taken out by each canceller. Alerts come from sounds by the robot's
detector and policy, words from the reader that shows them while they are spoken. Leaves
``echo.json`` and, line by line, what was heard, so that a run goes on where it was stopped.
"""

import argparse
from collections.abc import Sequence
from functools import cache
from typing import Any

from audio_interaction_ros.assembly import load_model
from audio_interaction_ros.config import AssistantConfig, ModelConfig, split_list
from audio_interaction_ros.intents.barge_in import BargeIn
from audio_interaction_ros.runtimes.base import Runtime
from audio_interaction_ros.speech.engines import Hibari
from eval.echo_figures import figures, print_tables
from eval.echo_listener import HEARINGS, EchoListener
from eval.echo_material import KINDS, list_scenes
from eval.echo_scenes import ALONE_S, make_scene
from held_out.clips import RATE, read_held_out
from measure import report
from measure.kept_lines import KeptLines, keep_rows

__all__ = ['add_arguments', 'run']

DEFAULT_HEARINGS = ('alone', 'own voice', 'webrtc', 'speex')
DEFAULT_KINDS = ('alarm', 'call', 'word', 'speech', 'silence')
MONOLOGUE_S = 58.4
"""With what comes after it, a minute."""
WITH_WORDS = ('call', 'word', 'speech', 'silence')
WITH_SOUNDS = ('alarm', 'signal', 'silence', 'monologue')


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    report.add_common_arguments(parser)
    parser.add_argument('--profile', default='home', help='thresholds of sounds (home)')
    parser.add_argument('--scenes', type=int, default=36, metavar='N',
                        help=f'scenes of each kind: {", ".join(KINDS)} (36)')
    parser.add_argument('--kinds', nargs='*', default=[*DEFAULT_KINDS], choices=KINDS,
                        help=f'of scenes ({", ".join(DEFAULT_KINDS)})')
    parser.add_argument('--hearings', nargs='*', default=[*DEFAULT_HEARINGS],
                        choices=HEARINGS, metavar='HEARING',
                        help=f'in which each scene is heard: {", ".join(HEARINGS)} '
                             f'({", ".join(DEFAULT_HEARINGS)})')
    parser.add_argument('--lead', type=float, default=40.0, metavar='MS',
                        help='audio.echo_lead_ms (40)')
    parser.add_argument('--only-signs', action='store_true',
                        help='neither sounds nor words, only whether something else is noticed '
                             'beside the robot: fast')
    parser.add_argument('--duck', type=float, default=12.0, metavar='DB',
                        help='speech.duck_db, in the hearings in which the robot speaks softer '
                             '(12)')


def run(options: argparse.Namespace, runtime: Runtime | None = None) -> int:
    """Hear the scenes, measure, print and leave the figures."""
    out = report.make_folder(options, 'echo')
    items = read_held_out(options.data)
    load = cache(lambda: runtime or load_model(ModelConfig(
        path=options.model, runtime=options.runtime, device=options.device,
        dtype=options.dtype, threads=options.threads), halves=('encoder',)))
    path = out / 'echo_heard.jsonl'
    rows = keep_rows(path)
    scenes = [scene for scene in list_scenes(items, options.limit or options.scenes)
              if scene[0] in options.kinds]
    _hear_missing(scenes, rows, EchoListener(options, load), options)
    heard = [rows[key] for kind, name, *_ in scenes for which in HEARINGS
             if (key := _key(kind, name, which)) in rows]
    measured = figures(heard, BargeIn(split_list(AssistantConfig().assistant.barge_in)))
    print_tables(measured)
    model_id = '' if options.only_signs else load().encoder.spec.model_id
    print(report.write(out, 'echo', options, measured, model_id))
    return 0


def _key(kind: str, name: str, hearing: str) -> str:
    return f'{kind}: {name}: {hearing}'


def _hear_missing(scenes: Sequence[Any], rows: KeptLines[dict[str, Any]], listener: EchoListener,
                  options: argparse.Namespace) -> None:
    engine = Hibari()
    for kind, name, ratio, wanted, make in report.track('scenes', scenes):
        missing = [one for one in options.hearings if _key(kind, name, one) not in rows
                   and (HEARINGS[one].own_voice or kind not in ('silence', 'monologue'))]
        if not missing:
            continue
        scene = make_scene(f'{kind} {name}', engine, make(), ratio,
                           alone_s=MONOLOGUE_S if kind == 'monologue' else ALONE_S)
        for one in missing:
            rows.keep(_key(kind, name, one), {
                'kind': kind, 'name': name, 'hearing': one, 'ratio_db': ratio,
                'begin': scene.begin / RATE, 'end': scene.end / RATE, **wanted, **listener.hear(
                    scene, HEARINGS[one],
                    words=kind in WITH_WORDS and not options.only_signs,
                    sounds=kind in WITH_SOUNDS and not options.only_signs)})
