"""
``python -m eval probe continuity|heads``: two looks into the nets of a model.

``continuity``: do features jump at the seams of chunks, and after which layer no more?
``heads``: which attention heads decide between silence and a reply, lane by lane? Both listen to
clips as the robot does, with the torch runtime, and leave a picture and JSON.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from audio_interaction_ros.runtimes.base import Runtime
from eval.probes.clips import ProbeClip, read_clips
from eval.probes.lived import LANES
from measure import report

__all__ = ['add_arguments', 'run']


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    parser.add_argument('probe', choices=sorted(_PROBES))
    report.add_common_arguments(parser, data=False)
    parser.add_argument('--label', nargs='+', default=[], metavar='LABEL',
                        help='clips of these labels, where --data has a manifest')
    parser.add_argument('--lane', default='transcript', choices=[lane.name for lane in LANES],
                        help='whose layers continuity looks at (default: %(default)s)')
    parser.add_argument('--batch', type=int, default=4, metavar='N',
                        help='clips in one pass of continuity (default: %(default)s)')
    parser.set_defaults(runtime='torch', limit=8)


def run(options: argparse.Namespace, runtime: Runtime | None = None) -> int:
    """Probe; return 0."""
    out = report.make_folder(options, f'probe-{options.probe}')
    clips = read_clips(options.data, options.label, options.limit)
    runtime = runtime or report.load_model(options)
    figures = _PROBES[options.probe](options, runtime, clips, out)
    path = report.write(out, options.probe, options, figures, runtime.encoder.spec.model_id)
    print(f'written to {path} and {path.with_suffix(".png")}')
    return 0


def _probe_continuity(options: argparse.Namespace, runtime: Runtime, clips: Sequence[ProbeClip],
                      out: Path) -> dict[str, Any]:
    from eval.probes.continuity import PAPER, measure_continuity
    from eval.probes.pictures import draw_continuity
    depths = measure_continuity(runtime, clips, options.lane, options.batch)
    draw_continuity(out / 'continuity.png', depths, PAPER)
    report.print_table(
        f'Continuity, {len(clips)} clips, lane {options.lane}',
        ['depth', 'ratio', 'excess', 'seam', 'inside', 'apart', 'paper (3B)'],
        [(name, part['ratio'], part['excess'], part['seam'], part['inside'], part['apart'],
          PAPER.get(name)) for name, part in depths.items()])
    return depths


def _probe_heads(options: argparse.Namespace, runtime: Runtime, clips: Sequence[ProbeClip],
                 out: Path) -> dict[str, Any]:
    from eval.probes.heads import measure_heads
    from eval.probes.pictures import draw_heads
    figures = measure_heads(runtime, clips, out / 'effects', report.describe_variant(options))
    draw_heads(out / 'heads.png', figures['lanes'])
    for name, lane in figures['lanes'].items():
        asked = lane['decisions']
        report.print_table(
            f'{name}: {asked["silent"]} decisions to stay silent, {asked["respond"]} to respond',
            ['head', 'change of log-odds', 'margin lost', 'decisions kept'],
            [(head['head'], head['moved'], head['lost'], head['kept']) for head in lane['top']])
    report.print_table(
        'Rank correlation of heads', ['lanes', 'Spearman'],
        [*figures['agreement'].items(),
         *((f'{name}, half with half', lane['with itself'])
           for name, lane in figures['lanes'].items())])
    return figures


_PROBES = {'continuity': _probe_continuity, 'heads': _probe_heads}
