"""
What a sound is heard as: the protocol of taggers and a linear one that this machine can fit.

Owns the file of a fitted tagger and how it turns a vector into scores. Knows no clip on disk and
no plan; how it is fitted stands in ``fit_tagger``.
"""

import hashlib
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from scipy.optimize import minimize

from audio_interaction_ros.errors import CheckpointError
from audio_interaction_ros.whole_file import open_whole
from train.curation.features import EXTRACTORS, find_extractor

__all__ = ['FOLDS', 'LinearTagger', 'Tagger', 'fit_linear', 'fold_of']

FOLDS = 4
_VERSION = 1
_COMPONENTS = 512
_STRENGTH = 1e-5
_STEPS = 80
_BASIS_GAIN = 1_024.0
"""Lifts the small numbers of the basis into what half precision holds well."""


class Tagger(Protocol):
    """Anything that says what is heard."""

    @property
    def labels(self) -> frozenset[str]:
        """Every label it can give."""
        ...

    def tags(self, samples: np.ndarray, *, source: str = '') -> dict[str, float]:
        """
        Return label -> score of 0 to 1, best first, of float32 samples [n] at 16 kHz.

        ``source`` is the original recording, for taggers that take care not to judge what they
        were fitted to.
        """
        ...


def fold_of(source: str) -> int:
    """Return which of the folds a recording belongs to."""
    return hashlib.blake2s(source.encode()).digest()[0] % FOLDS


@dataclass(frozen=True, kw_only=True, eq=False)
class LinearTagger:
    """
    Logistic regressions on one of the extractors of ``features``, one per fold.

    Each was fitted without the recordings of its fold: a clip of the very library that the tagger
    was fitted to is judged by the regression that has not heard it. Other sounds are judged by
    the mean of all.
    """

    features: str
    names: tuple[str, ...]
    mean: np.ndarray  # [width]
    basis: np.ndarray  # [width, components], scaled
    weights: np.ndarray  # [folds, components, names]
    bias: np.ndarray  # [folds, names]

    @property
    def labels(self) -> frozenset[str]:
        """Every label it can give."""
        return frozenset(self.names)

    def scores(self, vectors: np.ndarray, *, fold: int | None = None) -> np.ndarray:
        """Return probabilities [n, names] of vectors [n, width]."""
        used = slice(None) if fold is None else slice(fold, fold + 1)
        logits = (((vectors - self.mean) @ self.basis)[None] @ self.weights[used]
                  + self.bias[used, None]).mean(axis=0)
        raised = np.exp(logits - logits.max(axis=1, keepdims=True))
        shares: np.ndarray = raised / raised.sum(axis=1, keepdims=True)
        return shares

    def tags(self, samples: np.ndarray, *, source: str = '') -> dict[str, float]:
        """Return label -> probability, best first."""
        fold = fold_of(source) if source and len(self.bias) > 1 else None
        scores = self.scores(find_extractor(self.features)(samples)[None], fold=fold)[0]
        return {self.names[i]: float(scores[i]) for i in np.argsort(-scores, kind='stable')}

    def save(self, path: Path) -> None:
        """Write one ``.npz`` file, all or nothing, in half precision."""
        with open_whole(path) as file:
            np.savez_compressed(
                file, version=_VERSION, features=self.features, names=np.array(self.names),
                mean=np.float32(self.mean), basis=np.float16(self.basis * _BASIS_GAIN),
                weights=np.float32(self.weights), bias=np.float32(self.bias))

    @classmethod
    def load(cls, path: Path) -> 'LinearTagger':
        """Return the tagger of a file; CheckpointError when the file is none of ours."""
        try:
            with np.load(path, allow_pickle=False) as file:
                if int(file['version']) != _VERSION or str(file['features']) not in EXTRACTORS:
                    raise ValueError(f'version {file["version"]}, features {file["features"]}')
                tagger = cls(features=str(file['features']),
                             names=tuple(map(str, file['names'])), mean=file['mean'],
                             basis=np.float32(file['basis']) / _BASIS_GAIN,
                             weights=file['weights'], bias=file['bias'])
            tagger.scores(np.zeros((1, len(tagger.mean)), np.float32))
        except (OSError, ValueError, KeyError, EOFError, TypeError, AttributeError,
                zipfile.BadZipFile) as error:
            raise CheckpointError(f'{path.name}: expected a tagger, got {error}; fit one with '
                                  'python -m train curate fit-tagger') from error
        return tagger


def _find_basis(vectors: np.ndarray, components: int) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and scaled principal directions, from the smaller of the two Gram matrices."""
    mean = vectors.mean(axis=0)
    scale = (vectors.std(axis=0) + 1e-3) * np.sqrt(vectors.shape[1])
    scaled = (vectors - mean) / scale
    if len(scaled) < scaled.shape[1]:
        directions = scaled.T @ np.linalg.eigh(scaled @ scaled.T)[1][:, ::-1][:, :components]
    else:
        directions = np.linalg.eigh(scaled.T @ scaled)[1][:, ::-1][:, :components]
    lengths = np.linalg.norm(directions, axis=0)
    directions = directions[:, lengths > 1e-6 * lengths.max()]
    return mean, directions / np.linalg.norm(directions, axis=0) / scale[:, None]


def _regress(given: np.ndarray, wanted: np.ndarray, classes: int,
             strength: float) -> tuple[np.ndarray, np.ndarray]:
    """Return weights and bias of multinomial regression; rare classes count for more."""
    counts = np.bincount(wanted, minlength=classes)
    share = 1.0 / np.sqrt(counts[wanted])
    share /= share.sum()
    width, rows = given.shape[1], np.arange(len(wanted))

    def loss(flat: np.ndarray) -> tuple[float, np.ndarray]:
        table = flat.reshape(width + 1, classes)
        logits = given @ table[:-1] + table[-1]
        logits -= logits.max(axis=1, keepdims=True)
        log_sum = np.log(np.exp(logits).sum(axis=1))
        slope = np.exp(logits - log_sum[:, None]) * share[:, None]
        slope[rows, wanted] -= share
        value = share @ (log_sum - logits[rows, wanted]) + strength * (table[:-1] ** 2).sum()
        return float(value), np.concatenate([given.T @ slope + 2 * strength * table[:-1],
                                             slope.sum(axis=0, keepdims=True)]).ravel()

    optimum = minimize(loss, np.zeros((width + 1) * classes), jac=True, method='L-BFGS-B',
                       options={'maxiter': _STEPS}).x.reshape(width + 1, classes)
    return optimum[:-1], optimum[-1]


def fit_linear(vectors: np.ndarray, labels: Sequence[str], sources: Sequence[str] = (), *,
               features: str, strength: float = _STRENGTH,
               components: int = _COMPONENTS) -> LinearTagger:
    """
    Return a tagger fitted to vectors [n, width] of an extractor and their labels.

    With ``sources`` there is one regression per fold, without them a single one.
    """
    names = tuple(sorted(set(labels)))
    number = {name: i for i, name in enumerate(names)}
    mean, basis = _find_basis(np.asarray(vectors, np.float64), components)
    given, wanted = (vectors - mean) @ basis, np.array([number[label] for label in labels])
    folds = np.array([fold_of(source) for source in sources])
    kept = [folds != fold for fold in range(FOLDS)] if len(folds) else [np.full(len(given), True)]
    fits = [_regress(given[rows], wanted[rows], len(names), strength) for rows in kept]
    return LinearTagger(features=features, names=names, mean=mean, basis=basis,
                        weights=np.stack([weights for weights, _ in fits]),
                        bias=np.stack([bias for _, bias in fits]))
