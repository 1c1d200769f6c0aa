"""
Does a model hear through the seams of its chunks? Cosines of neighbouring features, by depth.

A tower that hears each chunk for itself makes features that jump at every seam; the language
model has to mend that. The ratio is the mean cosine of pairs across a seam over that of pairs
inside a chunk: 1 means that no seam is left. Deep layers make all positions alike, which brings
the ratio near 1 for another reason; so the same is told above the cosine of features that are
half a clip apart (``excess``).
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from audio_interaction_ros.model.decoder import Decoder
from audio_interaction_ros.runtimes.base import Runtime
from eval.probes.clips import ProbeClip
from eval.probes.lived import LANES, HeardClip, Lived, listen
from eval.probes.passes import batches, layer_inputs
from held_out.clips import MaterialError, find_sounding
from measure import report
from measure.intervals import quotients

__all__ = ['PAPER', 'PairCosines', 'compare_pairs', 'measure_continuity']

PAPER = {'encoder': 0.25, 'projector': 0.25, 'layer 1': 0.80}
"""What arXiv 2606.05121 has of its 3B model; after the projector it differs by less than 0.02."""


class PairCosines(NamedTuple):
    """Mean cosines of one clip at one depth."""

    seam: float
    """Of neighbours on two sides of a seam."""
    inside: float
    """Of neighbours inside a chunk."""
    apart: float
    """Of features at the same place of chunks that are half the clip apart."""


def compare_pairs(frames: np.ndarray) -> PairCosines:
    """Return the cosines of features [chunks, features, width], two chunks of two or more."""
    chunks, count, _ = frames.shape
    unit = frames / np.maximum(np.linalg.norm(frames, axis=-1, keepdims=True), 1e-12)
    flat = unit.reshape(chunks * count, -1)
    neighbours = (flat[:-1] * flat[1:]).sum(-1)
    seams = np.arange(count - 1, len(neighbours), count)
    apart = (unit[chunks // 2:] * unit[:chunks - chunks // 2]).sum(-1)
    return PairCosines(float(neighbours[seams].mean()),
                       float(np.delete(neighbours, seams).mean()), float(apart.mean()))


def measure_continuity(runtime: Runtime, clips: Sequence[ProbeClip], lane: str,
                       batch: int) -> dict[str, Any]:
    """Return the figures of every depth: encoder, projector, each layer of one lane's decoder."""
    trimmed = [clip._replace(samples=clip.samples[slice(*find_sounding(clip.samples))])
               for clip in clips]
    lanes = [one for one in LANES if one.name == lane]
    chunk = runtime.config.audio_tower.chunk_size.samples
    heard = [listen(runtime, clip, lanes) for clip in report.track('listening', [
        clip for clip in trimmed if len(clip.samples) >= 2 * chunk])]
    if not heard:
        raise MaterialError('expected clips in which two chunks sound, found none; give '
                            'others in --data')
    counts = {clip.name: len(clip.samples) // chunk for clip in trimmed}
    depths = _compare_tower(heard, counts)
    decoder: Any = runtime.decoder  # listen() made sure that it is torch's
    depths |= _compare_layers(decoder.module, heard, counts, batch,
                              runtime.config.audio_tower.word_features)
    return {depth: _summarise(pairs) for depth, pairs in depths.items()}


def _compare_tower(heard: Sequence[HeardClip], counts: Mapping[str, int]) -> dict[
        str, list[PairCosines]]:
    return {depth: [compare_pairs(getattr(clip, depth)[:counts[clip.name]]) for clip in heard]
            for depth in ('encoder', 'projector')}


def _compare_layers(decoder: Decoder, heard: Sequence[HeardClip], counts: Mapping[str, int],
                    size: int, features: int) -> dict[str, list[PairCosines]]:
    lived = [each for clip in heard for each in clip.lanes]
    found: dict[str, list[PairCosines]] = {}
    for batch in batches(decoder, lived, size):
        for depth, x in enumerate(layer_inputs(decoder, batch)[1:], start=1):
            for row, each in enumerate(batch.lived):
                at = _feature_places(each, counts[each.clip], features)
                if len(at) >= 2:
                    found.setdefault(f'layer {depth}', []).append(
                        compare_pairs(x[row][at].float().cpu().numpy()))
    return found


def _feature_places(lived: Lived, chunks: int, features: int) -> np.ndarray:
    """Return where the word features of its first chunks stand [chunks, features]."""
    places = np.array(lived.feature_at).reshape(-1, len(lived.features[0]))
    return places[:chunks, :features]


def _summarise(pairs: Sequence[PairCosines]) -> dict[str, Any]:
    seam, inside, apart = np.array(pairs).T
    return {'ratio': quotients(seam, inside), 'excess': quotients(seam - apart, inside - apart),
            'seam': float(seam.mean()), 'inside': float(inside.mean()),
            'apart': float(apart.mean()), 'clips': len(pairs)}
