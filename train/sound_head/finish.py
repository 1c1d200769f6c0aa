"""
The last step of a run: calibrate, join the helpers, draw the curves and write what ships.

Owns the scores that curves are drawn of: each stream by nets that did not hear its fold.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from train.sound_head.baselines import Branch
from train.sound_head.calibration import Calibration, calibration_error, fit_calibration
from train.sound_head.choose import detection_of_alerts, recall_curves, rules_of_alerts
from train.sound_head.classes import PRESENT, UNKNOWN
from train.sound_head.curves import CheckedStream, draw_curves
from train.sound_head.dataset import Stream
from train.sound_head.files import write_json
from train.sound_head.heads import Training, score_held_out
from train.sound_head.helpers import Helpers, Shares
from train.sound_head.net import SoundNet, merge_heads, save_head
from train.sound_head.sharing import compare_sharings, say_sharings

__all__ = ['finish', 'write_alone']


def finish(training: Training, nets: Mapping[str, SoundNet], branch: Branch | None,
           out: Path, report: Callable[[str], None] | None = None) -> None:
    """Write what ships and its curves; with ``report`` also tell how alarms are best shared."""
    streams = training.dataset.choose(lambda stream: stream.kind not in training.composed)
    targets = [training.dataset.targets[stream.places].numpy() for stream in streams]
    logits = score_held_out(training, nets, streams)
    own = fit_calibration(np.concatenate(logits), np.concatenate(targets))
    seeds = [net for name, net in nets.items() if name.startswith('seed-')]
    tensors = merge_heads(seeds, own.scale, own.shift)
    logits = [one * own.scale + own.shift for one in logits]
    calibration = Calibration(np.ones_like(own.scale), np.zeros_like(own.shift))
    context = seeds[0].shape.context
    if branch:
        helpers = Helpers(branch, training.tagger, training.classes, Shares())
        logits = [helpers.join(one, training.dataset.embeddings[stream.places])
                  for one, stream in zip(logits, streams, strict=True)]
        calibration = fit_calibration(np.concatenate(logits), np.concatenate(targets))
        tensors = helpers.merge(tensors, context, calibration)
    checked = [CheckedStream(stream, calibration.apply(one), target)
               for stream, one, target in zip(streams, logits, targets, strict=True)]
    table = draw_curves(checked, training.classes, detection_of_alerts()) | {
        'calibration_error': _errors(checked, training)}
    write_json(out / 'curves.json', table)
    write_json(out / 'sounds_curves.json', recall_curves(table, rules_of_alerts()))
    save_head(tensors, training.classes.names, context, out / 'sounds.safetensors')
    if report:
        sharings = compare_sharings(checked, training.classes, detection_of_alerts())
        write_json(out / 'sharings.json', sharings)
        report(say_sharings(sharings))


def write_alone(training: Training, net: SoundNet, streams: Sequence[Stream],
                logits: Sequence[np.ndarray], path: Path) -> None:
    """Write one net without helpers as a head, calibrated on its logits of these streams."""
    targets = [training.dataset.targets[stream.places].numpy() for stream in streams]
    own = fit_calibration(np.concatenate(logits), np.concatenate(targets))
    save_head(merge_heads([net], own.scale, own.shift), training.classes.names,
              net.shape.context, path)


def _errors(checked: Sequence[CheckedStream], training: Training) -> dict[str, float]:
    """Return the calibration error of each class on held-out streams."""
    scores = np.concatenate([one.scores for one in checked])
    targets = np.concatenate([one.targets for one in checked])
    errors = {}
    for column, name in enumerate(training.classes.names):
        known = targets[:, column] != UNKNOWN
        errors[name] = round(calibration_error(scores[known, column],
                                               targets[known, column] == PRESENT), 4)
    return errors
