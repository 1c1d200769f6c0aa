"""
Fitting the linear tagger to labelled clips, and saying honestly how well it hears.

Owns the choice of clips, the folds and the figures. All clips of one original recording stand on
one side of a fold. Standardised signals may be added so that their labels are known; they are
never counted in the figures, which speak of real clips that the fit had not heard.
"""

import hashlib
import zlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path

import numpy as np

from audio_interaction_ros.errors import AudioFormatError, ConfigurationError
from train.curation.clips import load
from train.curation.features import find_extractor
from train.curation.tagger import FOLDS, LinearTagger, fit_linear, fold_of
from train.records import Clip
from train.sounds.signals import NAMES, SIGNALS, make

__all__ = ['Example', 'TaggerReport', 'choose_clips', 'cross_validate', 'make_examples', 'fit',
           'make_signal_examples']


@dataclass(frozen=True, kw_only=True, eq=False)
class Example:
    """One clip as the fit sees it."""

    label: str
    source: str
    """Recording; all examples of one are in the same fold."""
    vector: np.ndarray
    real: bool = True


@dataclass(frozen=True, kw_only=True)
class TaggerReport:
    """How well real clips of unheard recordings are told, over all folds."""

    labels: int
    clips: int
    recordings: int
    top1: float
    top3: float
    macro_top3: float
    """Mean over labels, so that frequent ones do not hide rare ones."""
    by_label: dict[str, tuple[int, int]]
    """Label -> (clips with it among the best three, clips)."""
    unreadable: int = 0


def choose_clips(clips: Iterable[Clip], *, rename: dict[str, str] | None = None,
                 most_per_label: int = 200, fewest_recordings: int = 4) -> list[Clip]:
    """
    Return real labelled clips of labels with enough recordings, at most so many of each.

    ``rename`` maps patterns (``speech_*``) to labels, the first that fits counts.
    """
    by_label: dict[str, list[Clip]] = defaultdict(list)
    for clip in clips:
        label = next((new for pattern, new in (rename or {}).items()
                      if fnmatchcase(clip.label, pattern)), clip.label)
        if label and not clip.generated:
            by_label[label].append(replace(clip, label=label))
    chosen = []
    for _, group in sorted(by_label.items()):
        if len({clip.source_id or clip.id for clip in group}) >= fewest_recordings:
            group.sort(key=lambda c: hashlib.blake2s(c.id.encode()).digest())
            chosen += group[:most_per_label]
    if len({clip.label for clip in chosen}) < 2:
        raise ConfigurationError(
            f'expected two labels or more with {fewest_recordings} recordings each, got '
            f'{sorted({clip.label for clip in chosen})}; give more clips')
    return chosen


def _make_example(clip: Clip, root: Path, features: str) -> Example | None:
    try:
        vector = find_extractor(features)(load(clip, root))
    except AudioFormatError:
        return None
    return Example(label=clip.label, source=clip.source_id or clip.id, vector=vector)


def make_examples(clips: Sequence[Clip], *, root: Path, features: str,
                  workers: int = 1) -> list[Example]:
    """Return the examples of clips; those that cannot be read are left out."""
    work = partial(_make_example, root=root, features=features)
    if workers > 1:
        with ProcessPoolExecutor(workers) as pool:
            made = list(pool.map(work, clips, chunksize=16))
    else:
        made = [work(clip) for clip in clips]
    return [example for example in made if example is not None]


def make_signal_examples(count: int, *, features: str) -> list[Example]:
    """Return ``count`` devices of every standardised signal, not counted as real."""
    made = []
    for name in NAMES:
        for number in range(count):
            rng = np.random.default_rng([number, zlib.crc32(name.encode())])
            sound = make(name, rng, seconds=float(rng.uniform(2.0, 8.0)))
            made.append(Example(label=SIGNALS[name].label, source=f'signal:{name}:{number}',
                                vector=find_extractor(features)(sound), real=False))
    return made


def cross_validate(given: Sequence[Example], *, features: str) -> TaggerReport:
    """Return the figures of four fits, each heard on the recordings it was not fitted to."""
    first = third = 0
    by_label: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for fold in range(FOLDS):
        kept = [e for e in given if fold_of(e.source) != fold]
        asked = [e for e in given if e.real and fold_of(e.source) == fold]
        if not asked or len({e.label for e in kept}) < 2:
            continue
        tagger = fit_linear(np.stack([e.vector for e in kept]), [e.label for e in kept],
                            features=features)
        best = np.argsort(-tagger.scores(np.stack([e.vector for e in asked])), axis=1)[:, :3]
        for example, row in zip(asked, best, strict=True):
            named = [tagger.names[i] for i in row]
            first += named[0] == example.label
            third += example.label in named
            by_label[example.label][0] += example.label in named
            by_label[example.label][1] += 1
    count = sum(n for _, n in by_label.values())
    return TaggerReport(
        labels=len(by_label), clips=count,
        recordings=len({e.source for e in given if e.real}),
        top1=first / max(count, 1), top3=third / max(count, 1),
        macro_top3=float(np.mean([good / n for good, n in by_label.values()] or [0.0])),
        by_label={label: (good, n) for label, (good, n) in sorted(by_label.items())})


def fit(clips: Sequence[Clip], *, root: Path, features: str = 'log_mel', signals: int = 12,
        workers: int = 1) -> tuple[LinearTagger, TaggerReport]:
    """
    Return a tagger fitted to all chosen clips, and the figures of its cross-validation.

    ``signals`` devices of every standardised signal are added. Raises ConfigurationError when
    nothing can be fitted.
    """
    made = make_examples(clips, root=root, features=features, workers=workers)
    labels = Counter(example.label for example in made)
    if len(labels) < 2:
        raise ConfigurationError(f'expected readable clips of two labels or more, got '
                                 f'{dict(labels)}; check the folder of the manifest')
    every = [*made, *make_signal_examples(signals, features=features)]
    report = cross_validate(every, features=features)
    tagger = fit_linear(np.stack([e.vector for e in every]), [e.label for e in every],
                        [e.source for e in every], features=features)
    return tagger, replace(report, unreadable=len(clips) - len(made))
