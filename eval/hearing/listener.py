"""
A model with its lanes, and the file of what it heard.

Owns what makes two hearings the same: model, lanes, second passes and samples. So a command that
was killed goes on where it stopped, and a sweep over thresholds needs no new pass.

Many streams are heard at once where the caller gives a pool (eval.worker_pool); what they decide
is the same but for rounding, only computing times mean nothing then and are not kept. With a
second pass of translations each process of a pool hears one stream at a time, and makes that
second pass itself.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from copy import copy
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from audio_interaction_ros.config import LaneConfig, LaneDefaults, resolve_lanes
from audio_interaction_ros.runtimes.base import Runtime, Transcriber
from eval.hearing.playing import (
    TO_ENGLISH,
    TRACE,
    StreamToHear,
    hear,
    hear_in_pool,
    is_traced,
    make_once,
)
from eval.hearing.record import Hearing
from eval.reply_probe import FLOOR
from eval.worker_pool import WorkerPool
from measure.kept_lines import KeptLines

__all__ = ['VERSION', 'Listener']

VERSION = 4
"""Part of the key of the cache; one more when a hearing changes its meaning."""
TRACE_VERSION = 5
"""The same of a lane that never replies; 3: what it would have said has its confidence."""


class Listener:
    """A model with its lanes, and the cache of what it heard."""

    def __init__(self, runtime: Runtime, lanes: Sequence[LaneConfig], *, cache: Path,
                 second_pass: Any = None, variant: str = '', crew: WorkerPool | None = None,
                 translator: Callable[[], Transcriber] | None = None,
                 to_english: str = TO_ENGLISH) -> None:
        """
        Take a running model and the file of the cache, which need not exist yet.

        Lanes take prompt, threshold and the like from the model, as on the robot; a lane
        ``NAME_trace`` takes prompt and slots of ``NAME``. ``variant`` (device, arithmetic) is
        part of the key as well.
        ``crew`` hears what ``hear_all`` is asked for; without it that is one after the other.
        ``translator`` makes the second pass of translations; every process calls it, so it must
        be a class or a function of a module. ``to_english``: as ``translation.to_english``.
        """
        self._variant, self._crew = variant, crew
        self._translator, self._to_english = translator, to_english
        self._runtime, self._second_pass = runtime, second_pass
        self.lanes = self._resolve(lanes)
        self._cache = KeptLines(cache, from_row=Hearing.from_row, to_row=asdict)

    def with_lanes(self, lanes: Sequence[LaneConfig]) -> 'Listener':
        """Return a listener with other lanes that keeps what it hears in the same cache."""
        other = copy(self)
        other.lanes = self._resolve(lanes)
        return other

    def _resolve(self, lanes: Sequence[LaneConfig]) -> tuple[LaneConfig, ...]:
        defaults = self._runtime.config.lanes
        traces = {name + TRACE: LaneDefaults(prompt=of.prompt, slots=of.slots)
                  for name, of in defaults.items()}
        return resolve_lanes(lanes, {**traces, **defaults})

    @property
    def fresh(self) -> int:
        """Hearings that were not in the cache; those of ``with_lanes`` count as well."""
        return self._cache.fresh

    @property
    def translates_again(self) -> bool:
        """Tell whether translations have a second pass."""
        return self._translator is not None

    @property
    def fingerprint(self) -> str:
        """Hash of model, lanes and second passes."""
        parts = [TRACE_VERSION if is_traced(self.lanes) else VERSION, FLOOR, self._variant,
                 self._runtime.encoder.spec.model_id, self._runtime.decoder.spec.model_id,
                 [_lane_key(lane) for lane in self.lanes], type(self._second_pass).__name__]
        if self._translator is not None:
            parts.append(getattr(self._translator, '__qualname__', repr(self._translator)))
            if self._to_english != 'model':  # hearings of before there was a choice stay valid
                parts.append(f'to English: {self._to_english}')
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]

    def hear(self, name: str, samples: np.ndarray) -> Hearing:
        """Return what the model makes of samples [n] float32 at 16 kHz, heard now or before."""
        stream = self._stream(0, name, samples)
        return self._cache.find(stream.key, lambda: hear(
            self._runtime, stream, second_pass=self._second_pass,
            translation_second_pass=make_once(self._translator), to_english=self._to_english))

    def hear_all(self, streams: Iterable[tuple[str, np.ndarray]]) -> Iterator[tuple[int, Hearing]]:
        """Yield (place, hearing) of (name, samples) as each is done, in any order."""
        if self._crew is None or self._second_pass is not None:
            yield from ((place, self.hear(*stream)) for place, stream in enumerate(streams))
            return
        there: list[tuple[int, Hearing]] = []
        # The second pass would keep all streams of a process waiting, so there is one in each.
        crew = replace(self._crew, streams=1) if self.translates_again else self._crew
        for place, hearing in crew.work(self._runtime, self._list_missing(streams, there), partial(
                hear_in_pool, translator=self._translator, to_english=self._to_english)):
            self._cache.keep(hearing.key, hearing)
            yield place, hearing
        yield from there

    def _list_missing(self, streams: Iterable[tuple[str, np.ndarray]],
                      there: list[tuple[int, Hearing]]) -> Iterator[StreamToHear]:
        """Yield what was not heard before; add the place and hearing of the others to there."""
        for place, (name, samples) in enumerate(streams):
            stream = self._stream(place, name, samples)
            if stream.key in self._cache:
                there.append((place, self._cache[stream.key]))
            else:
                yield stream

    def _stream(self, place: int, name: str, samples: np.ndarray) -> StreamToHear:
        digest = hashlib.sha256(samples.astype('<f4').tobytes()).hexdigest()[:16]
        return StreamToHear(place, f'{self.fingerprint}-{digest}', name, samples, self.lanes)


def _lane_key(lane: LaneConfig) -> dict[str, Any]:
    """Return what of a lane decides what it says; a gate that is off is left out."""
    settings = asdict(lane)
    if lane.min_confidence <= 0:
        del settings['min_confidence']  # hearings of before there was one stay valid
    if not lane.slots:
        del settings['slots']  # the same
    return settings
