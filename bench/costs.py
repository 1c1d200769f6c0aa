"""
What a step costs: as it was measured, always the same, or by the roofline of a device.

Owns the three ways to know it, and the clock on which a scripted model seems to take as long.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from audio_interaction_ros.checkpoints.config import CheckpointConfig
from audio_interaction_ros.errors import ConfigurationError
from audio_interaction_ros.model.shapes import AudioTowerConfig, DecoderConfig
from audio_interaction_ros.runtimes.base import Encoding, StepRequest, StepResult
from bench.timeline import Pass, Timeline, work_of

__all__ = ['Costs', 'Device', 'FixedCosts', 'MeasuredCosts', 'Roofline', 'SlowDecoder',
           'SlowEncoder', 'StandStill', 'read_costs', 'told_costs', 'weights_read']

LANES = 3
"""transcript, translation and assistant."""
_FEW = 5
"""So many passes of a kind tell what one costs; of rarer ones the line through all does."""


class Costs(Protocol):
    """Seconds of a step."""

    def encode(self) -> float:
        """Return what a chunk takes the encoder."""
        ...

    def decode(self, work: Pass) -> float:
        """Return what a pass takes the decoder."""
        ...


@dataclass(frozen=True, kw_only=True)
class FixedCosts:
    """Always the same seconds."""

    chunk: float
    """Of the encoder."""
    listen: float
    """Of a pass in which any lane reads chunks, however many."""
    token: float
    """Of a pass in which lanes only write."""

    def encode(self) -> float:
        """Return what a chunk takes."""
        return self.chunk

    def decode(self, work: Pass) -> float:
        """Return what a pass takes."""
        return self.listen if work.chunks else self.token


class MeasuredCosts:
    """Draws from what was measured: of a pass with as many chunks and tokens, where there were."""

    def __init__(self, encoder_s: Sequence[float], passes: Sequence[tuple[Pass, float]], *,
                 seed: int = 0) -> None:
        """Take seconds of each; raises ConfigurationError where there are none."""
        if not len(encoder_s) or not passes:
            raise ConfigurationError('costs: expected seconds of chunks and passes, found none; '
                                     'measure with: python -m bench latency')
        self._rng = np.random.default_rng(seed)
        self._encoder = np.asarray(encoder_s, float)
        self._kinds: dict[Pass, list[float]] = {}
        for work, seconds in passes:
            self._kinds.setdefault(work, []).append(seconds)
        rows = np.array([[1, work.chunks, work.tokens] for work, _ in passes], float)
        spent = np.array([seconds for _, seconds in passes])
        self._line = np.linalg.lstsq(rows, spent, rcond=None)[0]
        self._off = spent / np.maximum(rows @ self._line, 1e-9)

    def encode(self) -> float:
        """Return what a chunk took, one of those measured."""
        return float(self._rng.choice(self._encoder))

    def decode(self, work: Pass) -> float:
        """Return what such a pass took, one of those measured."""
        known = self._kinds.get(work, ())
        if len(known) >= _FEW:
            return float(self._rng.choice(known))
        line = float(self._line @ (1, work.chunks, work.tokens))
        return max(0.0, line) * float(self._rng.choice(self._off))


def told_costs(seen: Timeline) -> dict[str, Any]:
    """Return what a timeline cost as plain values, which ``read_costs`` reads back."""
    return {'encoder_s': [round(each, 6) for each in seen.encoder_s],
            'passes': [[work.chunks, work.tokens, round(each, 6)] for work, each in seen.passes]}


def read_costs(told: Any, where: Path, *, seed: int = 0, slower: float = 1.0) -> MeasuredCosts:
    """Return the costs of ``told_costs``, ``slower`` times; ConfigurationError names the file."""
    try:
        return MeasuredCosts(
            [slower * float(each) for each in told['encoder_s']],
            [(Pass(int(chunks), int(tokens)), slower * float(each))
             for chunks, tokens, each in told['passes']], seed=seed)
    except (KeyError, TypeError, ValueError) as error:
        if isinstance(error, ConfigurationError):
            raise
        raise ConfigurationError(f'{where}: expected costs that python -m bench latency wrote '
                                 f'({error!r}); give another file') from error


@dataclass(frozen=True, kw_only=True)
class Device:
    """What its maker says of a device, and how much of that is taken for reachable."""

    name: str
    gb_per_s: float
    """Bandwidth of its memory."""
    tflops: float
    """Dense, 16 bit."""
    pass_ms: float
    """Of every pass beside its arithmetic: launches, copies, what the host does."""
    memory_gb: float
    """For weights, keys and values, and everything else."""


@dataclass(frozen=True, kw_only=True)
class Roofline:
    """
    Seconds from bandwidth and arithmetic: whichever takes longer, and a fixed part.

    Weights are read once a pass, keys and values of every lane that takes part.
    """

    device: Device
    config: CheckpointConfig
    weight_bits: float
    """Of the decoder's layers; head and tower have 16."""
    slots: int
    """Positions that a lane keeps."""
    reach: tuple[float, float] = (0.7, 0.4)
    """Share of bandwidth and of arithmetic that is reached."""

    def encode(self) -> float:
        """Return what a chunk takes the tower."""
        tower = self.config.audio_tower
        weights = _tower_weights(tower)
        return self._seconds(2.0 * weights, 2.0 * weights * tower.window_frames / 2)

    def decode(self, work: Pass) -> float:
        """Return what a pass takes."""
        shape = self.config.decoder
        layers, head = weights_read(shape, 1), shape.vocab_size * shape.width
        per_chunk = self.config.audio_tower.features_per_chunk + 3
        rows = work.chunks * per_chunk + work.tokens
        kept = self._cache(work.tokens + min(work.chunks, LANES))
        read = layers * self.weight_bits / 8 + 2.0 * head * bool(work.tokens) + kept
        return self._seconds(read, 2.0 * (rows * layers + work.tokens * head))

    @property
    def memory_gb(self) -> float:
        """Weights, keys and values of three lanes; nothing of what else runs there."""
        shape = self.config.decoder
        tables = shape.vocab_size * shape.width * (1 if shape.tied_head else 2)
        return (weights_read(shape, 1) * self.weight_bits / 8 + 2.0 * tables + self._cache(LANES)
                + 2.0 * _tower_weights(self.config.audio_tower)) / 1e9

    def _cache(self, lanes: int) -> float:
        """Return the bytes of keys and values of so many lanes, each number of 16 bits."""
        shape = self.config.decoder
        return 4.0 * shape.layers * shape.kv_heads * shape.head_dim * self.slots * lanes

    def _seconds(self, read: float, flops: float) -> float:
        bandwidth, arithmetic = self.reach
        return self.device.pass_ms / 1000 + max(read / (self.device.gb_per_s * 1e9 * bandwidth),
                                                flops / (self.device.tflops * 1e12 * arithmetic))


def weights_read(config: DecoderConfig, size: int) -> int:
    """Return the bytes of weights that a pass reads without the head, each number of ``size``."""
    heads = config.heads * config.head_dim
    keys = config.kv_heads * config.head_dim
    bias = (heads + 2 * keys) * config.attention_bias
    layer = (config.width * (2 * heads + 2 * keys) + bias + 3 * config.width * config.mlp_width
             + 2 * config.width)
    return size * (config.layers * layer + config.width)


def _tower_weights(tower: AudioTowerConfig) -> float:
    return tower.layers * (4.0 * tower.width ** 2 + 2.0 * tower.width * tower.mlp_width)


@dataclass
class StandStill:
    """A clock that moves only when it is told to."""

    now: float = 0.0

    def __call__(self) -> float:
        """Return its second."""
        return self.now


@dataclass
class _Slow:
    inner: Any
    costs: Costs
    clock: StandStill = field(default_factory=StandStill)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)


class SlowEncoder(_Slow):
    """An encoder that seems to take what ``costs`` say."""

    def encode(self, mel: np.ndarray) -> Encoding:
        """Return what the encoder within returns."""
        self.clock.now += self.costs.encode()
        encoding: Encoding = self.inner.encode(mel)
        return encoding


class SlowDecoder(_Slow):
    """A decoder that seems to take what ``costs`` say."""

    def step(self, requests: Sequence[StepRequest]) -> list[StepResult]:
        """Return what the decoder within returns."""
        self.clock.now += self.costs.decode(work_of(requests, self.inner.spec.features_per_chunk))
        results: list[StepResult] = self.inner.step(requests)
        return results
