"""What the assistant lane replies to streams, and what it would reply at other thresholds."""

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from audio_interaction_ros.alerts.rules import AlertRules
from audio_interaction_ros.config import LaneConfig
from audio_interaction_ros.runtimes.base import Runtime
from eval.alert_figures.outcome import StreamOutcome, end_of
from eval.hearing.listener import Listener
from eval.hearing.playing import TRACE
from eval.hearing.record import Hearing
from eval.matching import GivenReply
from eval.scenes import Scene, ScenePlan
from eval.worker_pool import WorkerPool
from measure import report

__all__ = ['LANE', 'AlertListener', 'make_lanes']

LANE = 'assistant'


def make_lanes(threshold: float = 0.0, min_confidence: float = 0.0) -> tuple[LaneConfig,
                                                                             LaneConfig]:
    """Return the assistant lane, and one that listens the same way and never replies."""
    return (LaneConfig(name=LANE, threshold=threshold, min_confidence=min_confidence, alerts=True,
                       max_reply_tokens=48),
            LaneConfig(name=LANE + TRACE, threshold=1.0, max_reply_tokens=1))


class AlertListener:
    """A model that listens twice: without ever replying, and as configured where that differs."""

    def __init__(self, runtime: Runtime, options: argparse.Namespace, cache: Path,
                 crew: WorkerPool) -> None:
        lane, trace = make_lanes(options.threshold, getattr(options, 'min_confidence', 0.0))
        self.model_id = runtime.encoder.spec.model_id
        self._trace = Listener(runtime, (trace,), cache=cache, crew=crew,
                               variant=report.describe_variant(options))
        self._lane = self._trace.with_lanes((lane,))

    @property
    def threshold(self) -> float:
        """Threshold of the lane that replies."""
        return self._lane.lanes[0].threshold

    @property
    def min_confidence(self) -> float:
        """Confidence below which that lane withholds a reply; 0: it withholds none."""
        return max(0.0, self._lane.lanes[0].min_confidence)

    @property
    def fresh(self) -> int:
        """Hearings that were not in the cache."""
        return self._trace.fresh

    def hear(self, plans: Sequence[ScenePlan], known: AlertRules) -> list[StreamOutcome]:
        """
        Hear all scenes, in their order, showing how far it is.

        A stream in which p_respond stays below the threshold is heard once: both lanes are the
        same up to the first reply.
        """
        with report.progress_bar() as bar:
            outcomes = {place: join_trace(scene, hearing, known) for place, scene, hearing
                        in _hear_scenes(bar, 'streams', self._trace, plans, range(len(plans)))}
            loud = [place for place, stream in sorted(outcomes.items())
                    if max(stream.p, default=0.0) >= self.threshold]
            for place, _, hearing in _hear_scenes(bar, 'streams with replies', self._lane, plans,
                                                  loud):
                outcomes[place] = add_replies(outcomes[place], hearing, known)
        return [outcomes[place] for place in sorted(outcomes)]


def _hear_scenes(bar: Any, what: str, listener: Listener, plans: Sequence[ScenePlan],
                 places: Sequence[int]) -> Iterator[tuple[int, Scene, Hearing]]:
    """Yield (place, scene without samples, hearing) as they are done."""
    scenes, task = [], bar.add_task(what, total=len(places))

    def streams() -> Iterator[tuple[str, np.ndarray]]:
        for place in places:
            scene = plans[place].make()
            scenes.append(replace(scene, samples=scene.samples[:0]))
            yield scene.name, scene.samples
    for index, hearing in listener.hear_all(streams()):
        yield places[index], scenes[index], hearing
        bar.advance(task)


def _make_reply(at: float, urgent: bool, text: str, known: AlertRules) -> GivenReply:
    return GivenReply(at=at, urgent=urgent, text=text,
                      labels=frozenset(rule.label for rule in known.match(text)))


def join_trace(scene: Scene, hearing: Hearing, known: AlertRules) -> StreamOutcome:
    """Join a scene with what a lane heard of it that never replies."""
    asides = tuple((chunk, _make_reply(end_of(chunk), urgent, text, known), sure)
                   for chunk, urgent, text, sure in hearing.muttered)
    return StreamOutcome(name=scene.name, kind=scene.kind, seconds=hearing.seconds,
                         events=scene.events, p=tuple(hearing.p.get(LANE + TRACE, ())),
                         asides=asides, group=scene.group, origin=scene.origin, side=scene.side,
                         condition=scene.condition, unique_s=scene.unique_s, label=scene.label)


def add_replies(stream: StreamOutcome, hearing: Hearing, known: AlertRules) -> StreamOutcome:
    """Add what the lane that replies heard of the same stream."""
    replies = hearing.replies_of(LANE)
    return replace(
        stream, raised=len(hearing.alerts),
        withheld=sum(lane == LANE for lane, *_ in hearing.withheld),
        replies=tuple(_make_reply(reply.at, reply.urgent, reply.text, known) for reply in replies),
        computing=tuple(reply.shown[0][0] if reply.shown else 0.0
                        for reply in replies) if hearing.alone else ())
