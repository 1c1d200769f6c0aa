"""
``python -m eval alerts``: does it answer to what matters, and is it silent otherwise?

Owns the options and the choice of who decides: the sound head (eval.sounds), the replies of the
model (eval.replies), or both of the same streams.
"""

import argparse
from collections.abc import Sequence

from audio_interaction_ros.alerts.rules import AlertRules
from audio_interaction_ros.runtimes.base import Runtime
from eval.alert_figures.outcome import StreamOutcome
from eval.alert_plans import add_plan_arguments
from eval.replies import run as replies
from eval.scenes import ScenePlan
from eval.sounds import run as sounds
from eval.worker_pool import add_pool_arguments
from measure import report

__all__ = ['add_arguments', 'run']


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    report.add_common_arguments(parser)
    add_pool_arguments(parser)
    parser.add_argument('--evidence', default='sounds', choices=('sounds', 'model', 'both'),
                        help='sounds: the sound head, detector and policy, and others beside '
                             'them; model: replies of the assistant lane; both: these two, and '
                             'sounds with replies for what no sound is heard of, all of the same '
                             'streams (default: %(default)s)')
    add_plan_arguments(parser)
    sounds.add_arguments(parser)
    replies.add_arguments(parser)


def run(options: argparse.Namespace, runtime: Runtime | None = None) -> int:
    """Measure by the evidence that is asked for; return 0."""
    if options.evidence == 'model':
        return replies.run(options, runtime)

    def hear_model(plans: Sequence[ScenePlan], known: AlertRules) -> list[StreamOutcome]:
        return replies.make_listener(options, runtime).hear(plans, known)
    return sounds.run(options, hear_model if options.evidence == 'both' else None)
