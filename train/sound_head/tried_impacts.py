"""
Whether how an impact begins and dies away tells more than YAMNet's classes do; it does not enough.

    python -m train.sound_head.tried_impacts --data DATA --out FOLDER

A logistic regression of each impact, by scores of YAMNet and five numbers of the newest two
chunks, fitted without one group of collections (``across``) and tried on it. Owns these numbers.
"""

import argparse
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

from held_out.clips import read_manifest
from train.edge.features import make_windows
from train.sound_head.across import group_of
from train.sound_head.audible import label_chunks
from train.sound_head.checks import CONDITIONS, compose_check
from train.sound_head.choose import detection_of_alerts
from train.sound_head.classes import PRESENT, UNKNOWN, read_classes
from train.sound_head.clips import FOLDS, HELD_OUT
from train.sound_head.curves import CheckedStream
from train.sound_head.dataset import Stream
from train.sound_head.embeddings import Amounts, Workshop
from train.sound_head.forms import Form
from train.sound_head.place import count_place
from train.sound_head.promised import compare_ways, say_ways
from train.sound_head.tagger import fetch_tagger_classes
from train.sound_head.tried import FRAMES, LEAST, OFFSET, Ears

IMPACTS = ('gunshot', 'explosion', 'thud', 'glass_break', 'door_knock')
QUIET = 0.03
"""Of the summed magnitudes of a frame: below it nothing is told apart."""
DECAY = slice(10, 20)
"""Frames after the loudest one that say how fast it dies away: 0.1 to 0.2 s."""


def describe_attack(log: np.ndarray, stream: Stream) -> np.ndarray:
    """
    Return onset, rise, crest, decay and height above the place [chunks, 5] of log [frames, 64].

    Of the newest two chunks: the largest rise of all bands from frame to frame, and the loudest
    frame beside the 0.4 s before it, beside the mean, beside what follows and beside the place.
    """
    energy = np.log((np.exp(log) - OFFSET).sum(1) + QUIET)
    flux = np.concatenate([[0.0], np.maximum(log[1:] - log[:-1], 0.0).mean(1)])
    medians, lead = np.median(energy.reshape(-1, FRAMES), axis=1), count_place(stream)
    told = np.zeros((stream.chunks, 5), np.float32)
    for chunk in range(stream.chunks):
        first, last = max(0, FRAMES * (chunk - 1)), FRAMES * (chunk + 1)
        peak = first + int(energy[first:last].argmax())
        after = energy[peak:last][DECAY]
        place = np.concatenate([np.resize(medians[min(1, lead - 1):lead], 30 if lead else 0),
                                medians[:max(1, chunk - 1)]])
        told[chunk] = (flux[first:last].max(),
                       energy[peak] - np.median(energy[max(0, peak - 40):max(1, peak - 5)]),
                       energy[peak] - energy[first:last].mean(),
                       energy[peak] - after.mean() if len(after) else 0.0,
                       energy[peak] - np.median(place[-25:]))
    return told


def fit_logistic(x: np.ndarray, truth: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """Return what gives log-odds [n] of inputs [n, width], fitted by Newton's steps."""
    mean, deviation = x.mean(0), x.std(0) + 1e-6

    def widen(rows: np.ndarray) -> np.ndarray:
        return np.c_[(rows - mean) / deviation, np.ones(len(rows))]

    inputs, ridge = widen(x), np.diag([1.0] * x.shape[1] + [1e-3])
    weight = np.zeros(inputs.shape[1])
    for _ in range(12):
        p = 1 / (1 + np.exp(-np.clip(inputs @ weight, -30, 30)))
        slope = (inputs * (p * (1 - p))[:, None]).T @ inputs + ridge
        weight = weight - np.linalg.solve(slope, inputs.T @ (p - truth) + ridge @ weight)
    return lambda rows: np.asarray(widen(rows) @ weight)


def main() -> None:
    """Hear and compare."""
    parser = argparse.ArgumentParser()
    parser.add_argument('--data', type=Path, required=True)
    parser.add_argument('--out', type=Path, required=True)
    parser.add_argument('--limit', type=int, help='so many streams')
    options = parser.parse_args()
    classes = read_classes()
    shop = Workshop(options.data, lambda samples: samples)
    sources = {row['path']: row.get('source', '') for row in read_manifest(options.data)}
    ears = Ears(fetch_tagger_classes(options.out), classes)
    makers = [partial(compose_check, shop.material[check.fold], check) for check in shop.checks
              if check.fold != HELD_OUT] + shop.aside(Amounts(scenes=0, hours=3.0))
    streams, targets, said, attacks = [], [], [], []
    for make in makers[:options.limit]:
        scene = make()
        heard = label_chunks(scene.sounds, scene.power, shop.labels)
        streams.append(Stream(scene.name, scene.fold, scene.kind, 0, len(heard), scene.events))
        targets.append(classes.to_classes(heard, shop.labels))
        said.append(ears.hear(scene, streams[-1], whole=False)[1]['plain'].numpy())
        attacks.append(describe_attack(make_windows(scene.samples)[:, 80:, -FRAMES:].transpose(
            0, 2, 1).reshape(-1, 64), streams[-1]))
    groups = [group_of(sources.get(one.events[0].path, '')) if one.kind in CONDITIONS
              else one.fold for one in streams]
    columns = [classes.names.index(name) for name in IMPACTS]

    def predict(inputs: Callable[[int, int], np.ndarray]) -> list[CheckedStream]:
        odds = [np.full(target.shape, -LEAST) for target in targets]
        for column in columns:
            for group in range(FOLDS):
                own = [place for place, number in enumerate(groups) if number != group]
                x = np.concatenate([inputs(place, column) for place in own])
                y = np.concatenate([targets[place][:, column] for place in own])
                judge = fit_logistic(x[y != UNKNOWN], (y[y != UNKNOWN] == PRESENT).astype(float))
                for place in set(range(len(streams))) - set(own):
                    odds[place][:, column] = judge(inputs(place, column))
        return [CheckedStream(stream, 1 / (1 + np.exp(-one)), target)
                for stream, one, target in zip(streams, odds, targets, strict=True)]

    form, rules = Form(share=0.0), detection_of_alerts()
    print(say_ways(compare_ways({name: (predict(inputs), form) for name, inputs in {
        'five classes of YAMNet': lambda place, _: said[place][:, columns],
        'and the attack': lambda place, _: np.c_[said[place][:, columns], attacks[place]],
        'and how both go together': lambda place, column: np.c_[
            said[place][:, columns], attacks[place],
            attacks[place] * (said[place][:, [column]] + LEAST)]}.items()},
        classes, {name: rules[name] for name in IMPACTS})))


if __name__ == '__main__':
    main()
