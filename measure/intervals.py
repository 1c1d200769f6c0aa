"""
Estimates with their 95 % confidence intervals, and calibration.

Owns the statistics: Wilson for shares (E. B. Wilson, 1927), Garwood's exact interval for rates
(F. Garwood, 1936), the percentile bootstrap over clusters for everything else. A cluster is what
was drawn independently: a source recording, a speaker. Knows nothing of audio.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, TypeVar

import numpy as np
from scipy.stats import chi2

__all__ = ['Estimate', 'bootstrap', 'calibration', 'crossed_quotients', 'percentiles', 'poisson',
           'quotients', 'wilson']

T = TypeVar('T')
Z95 = 1.959964
ROUNDS = 1_000


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """A figure, its 95 % interval and what it was taken on; NaN where there is nothing."""

    value: float
    low: float
    high: float
    n: float
    """Trials, clusters or hours, as its maker says."""

    def __str__(self) -> str:
        if math.isnan(self.value):
            return '–'
        digits = 2 if self.high < 10 else 1
        return f'{self.value:.{digits}f} [{self.low:.{digits}f}, {self.high:.{digits}f}]'

    def as_json(self) -> dict[str, Any]:
        """Return plain values."""
        return asdict(self)


def wilson(successes: float, trials: float) -> Estimate:
    """
    Return a share with Wilson's interval; NaN without trials.

    Clips of one source recording are not independent: give the sum over recordings of the share
    of each, and the number of recordings.
    """
    if trials <= 0:
        return Estimate(value=math.nan, low=0.0, high=1.0, n=0)
    share, z2 = successes / trials, Z95 ** 2
    middle = (share + z2 / (2 * trials)) / (1 + z2 / trials)
    half = Z95 / (1 + z2 / trials) * math.sqrt(
        share * (1 - share) / trials + z2 / (4 * trials ** 2))
    low, high = max(0.0, middle - half), min(1.0, middle + half)
    return Estimate(value=share, low=low if successes else 0.0,
                    high=high if successes < trials else 1.0, n=trials)


def poisson(count: int, hours: float) -> Estimate:
    """Return events per hour with Garwood's exact interval; NaN without time."""
    if hours <= 0:
        return Estimate(value=math.nan, low=0.0, high=math.inf, n=0)
    low = chi2.ppf(0.025, 2 * count) / 2 if count else 0.0
    return Estimate(value=count / hours, low=float(low) / hours,
                    high=float(chi2.ppf(0.975, 2 * (count + 1))) / 2 / hours, n=hours)


def quotients(above: Any, below: Any, *, share: bool = False, rounds: int = ROUNDS,
              seed: int = 0) -> Estimate:
    """
    Return the mean over columns of sum(above) / sum(below), with a bootstrap over rows.

    Both are [clusters] or [clusters, columns]; a column without anything below is left out. One
    column: wrong words over words; a column per class: the mean over classes of their recall.
    ``share``: the figure is a share. Where all clusters agree on 0 or 1 no resampling can tell
    how sure that is; Wilson's interval over the clusters is given instead.
    """
    a, b = (np.asarray(part, float) for part in (above, below))
    if not a.size:
        return Estimate(value=math.nan, low=math.nan, high=math.nan, n=0)
    a, b = (part.reshape(len(part), -1) for part in (a, b))
    count = len(a)
    weights = np.random.default_rng(seed).multinomial(count, np.full(count, 1 / count), rounds)
    value = float(_mean_quotient(np.ones((1, count)), a, b)[0])
    drawn = _mean_quotient(weights.astype(float), a, b)
    found = _estimate(value, drawn, count)
    if share and found.low == found.high and value in (0.0, 1.0):
        return wilson(value * count, count)
    return found


def _mean_quotient(weights: np.ndarray, above: np.ndarray, below: np.ndarray) -> np.ndarray:
    """Return the figure for each row of weights [rounds, clusters]."""
    over, under = weights @ above, weights @ below
    there = under > 0
    each = np.divide(over, under, out=np.zeros_like(over), where=there)
    columns = there.sum(1)
    return np.where(columns > 0, each.sum(1) / np.maximum(columns, 1), math.nan)


def crossed_quotients(above: Any, below: Any, *, against: tuple[Any, Any] | None = None,
                      rounds: int = ROUNDS, seed: int = 0) -> Estimate:
    """
    Return the mean over columns of sum(above) / sum(below), over runs and over items.

    Both are [runs, items] or [runs, items, columns]: every run (a seed of training) was measured
    on the same items. Each round of the bootstrap draws runs and items (A. B. Owen, 2007), so the
    interval holds both, and is wide where there are few of either. ``against`` is another such
    pair over the same runs and items: then the figure is what the first has more than that,
    drawn together, so that what a run or an item does to both does not count. n is the items.
    """
    pairs = [tuple(np.atleast_3d(np.asarray(part, float)) for part in pair)
             for pair in ((above, below), *([against] if against else []))]
    runs, items, _ = pairs[0][0].shape
    if not runs * items:
        return Estimate(value=math.nan, low=math.nan, high=math.nan, n=0)
    rng = np.random.default_rng(seed)
    by_run, by_item = (np.vstack([np.ones(count), rng.multinomial(
        count, np.full(count, 1 / count), rounds)]) for count in (runs, items))
    weights = (by_run[:, :, None] * by_item[:, None, :]).reshape(rounds + 1, -1)
    drawn = [_mean_quotient(weights, *(part.reshape(runs * items, -1) for part in pair))
             for pair in pairs]
    value, *others = drawn[0] if against is None else drawn[0] - drawn[1]
    return _estimate(float(value), others, items)


def bootstrap(clusters: Sequence[T], statistic: Callable[[Sequence[T]], float], *,
              rounds: int = ROUNDS, seed: int = 0) -> Estimate:
    """Return any statistic of clusters with its percentile interval; NaN without clusters."""
    if not clusters:
        return Estimate(value=math.nan, low=math.nan, high=math.nan, n=0)
    rng = np.random.default_rng(seed)
    drawn = [statistic([clusters[i] for i in rng.integers(len(clusters), size=len(clusters))])
             for _ in range(rounds)]
    return _estimate(float(statistic(clusters)), drawn, len(clusters))


def _estimate(value: float, drawn: Iterable[float], count: int) -> Estimate:
    """Return a figure with the middle 95 % of what was drawn, where that is a number."""
    kept = [one for one in drawn if math.isfinite(one)] or [math.nan]
    low, high = np.percentile(kept, (2.5, 97.5))
    return Estimate(value=value, low=float(low), high=float(high), n=count)


def percentiles(values: Sequence[float]) -> dict[str, float]:
    """Return p50, p95 and how many; NaN for nothing."""
    if not len(values):
        return {'p50': math.nan, 'p95': math.nan, 'n': 0}
    p50, p95 = np.percentile(np.asarray(values, float), (50, 95))
    return {'p50': round(float(p50), 3), 'p95': round(float(p95), 3), 'n': len(values)}


def calibration(scores: Sequence[float], truths: Sequence[bool], bins: int = 10) -> dict[str, Any]:
    """
    Return Brier score, expected calibration error and the points of a reliability plot.

    Each point: mean score, share that was true with Wilson's interval, how many. Bins are of
    equal width; empty ones are left out.
    """
    p, y = np.asarray(scores, float), np.asarray(truths, float)
    if not len(p):
        return {'brier': math.nan, 'ece': math.nan, 'n': 0, 'points': []}
    which = np.minimum((p * bins).astype(int), bins - 1)
    points = []
    for index in sorted(set(which.tolist())):
        mine = which == index
        share = wilson(float(y[mine].sum()), int(mine.sum()))
        points.append({'score': float(p[mine].mean()), 'share': share.value, 'low': share.low,
                       'high': share.high, 'n': int(mine.sum())})
    ece = sum(point['n'] * abs(point['score'] - point['share']) for point in points) / len(p)
    return {'brier': float(((p - y) ** 2).mean()), 'ece': float(ece), 'n': len(p),
            'points': points}
