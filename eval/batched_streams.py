"""
Several streams through one model at the same time: their passes become one batch.

Owns the joining. Each stream runs in a thread of its own and sees an encoder and a decoder as if
it were alone; what it asks of them is answered by the one that iterates, when every stream waits:
first what belongs to one stream (encoding), then one pass of the decoder for all. A decoder reads
all its weights for a pass whatever its size, so eight streams cost much less than eight times one.
Knows no audio and no figure.
"""

import copy
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from queue import SimpleQueue
from typing import Any, TypeVar

import numpy as np

from audio_interaction_ros.errors import AudioInteractionError
from audio_interaction_ros.runtimes.base import Encoding, Runtime, StepRequest, StepResult

__all__ = ['NotAloneError', 'run_batched']

T = TypeVar('T')
R = TypeVar('R')
Ask = Callable[[str, Any], Any]


class NotAloneError(AudioInteractionError, RuntimeError):
    """Streams that share a decoder differ in what they need; the caller must separate them."""


class _SharedDecoder:
    """The decoder of all streams; opened once, with room for each."""

    def __init__(self, decoder: Any, places: int) -> None:
        self.decoder, self._places = decoder, places
        self._shape: tuple[int, int] | None = None
        self._lock = threading.Lock()

    def open(self, lanes: int, slots: int) -> None:
        with self._lock:
            if self._shape is None:
                self._shape = lanes, slots
                self.decoder.open(lanes=lanes * self._places, slots=slots)
        if self._shape != (lanes, slots):
            raise NotAloneError(f'expected streams of (lanes, slots) {self._shape}, got '
                                f'{(lanes, slots)}; the caller must hear them one by one')


class _StreamDecoder:
    """What one stream takes for its decoder (runtimes.base.Decoder)."""

    def __init__(self, shared: _SharedDecoder, place: int, ask: Ask) -> None:
        self.spec = shared.decoder.spec
        self._shared, self._place, self._ask, self._lanes = shared, place, ask, 0

    def open(self, *, lanes: int, slots: int) -> None:
        """Take this stream's share; what another stream left there is never visible."""
        self._lanes = lanes
        self._shared.open(lanes, slots)

    def forget(self, lane: int) -> None:
        """Make the cache of one of this stream's lanes as new."""
        self._shared.decoder.forget(self._place * self._lanes + lane)

    def step(self, requests: Sequence[StepRequest]) -> list[StepResult]:
        """Wait for the pass of all streams; results in the order of the requests."""
        first = self._place * self._lanes
        results: list[StepResult] = self._ask(
            'step', [replace(request, lane=first + request.lane) for request in requests])
        return results


class _StreamEncoder:
    """What one stream takes for its encoder: the same weights, left context of its own."""

    def __init__(self, encoder: Any, ask: Ask) -> None:
        # Backends replace their context and never write into it, so a shallow copy has its own.
        self.spec, self._own, self._ask = encoder.spec, copy.copy(encoder), ask
        self._own.reset()

    def encode(self, mel: np.ndarray) -> Encoding:
        """Return what mel [rows, 40] is."""
        encoding: Encoding = self._ask('do', lambda: self._own.encode(mel))
        return encoding

    def skip(self, mel: np.ndarray) -> None:
        """Take mel [rows, 40] in as left context only."""
        self._own.skip(mel)

    def reset(self) -> None:
        """Forget all left context."""
        self._own.reset()


class _Stopped(BaseException):
    """Nobody takes results any more."""


class _BatchServer:
    """Answers what the streams ask, and hands on what they found."""

    def __init__(self, decoder: Any) -> None:
        self.inbox: SimpleQueue[tuple[int, str, Any]] = SimpleQueue()
        self._decoder = decoder
        self.outboxes: dict[int, SimpleQueue[tuple[bool, Any]]] = {}

    def make_asker(self, place: int) -> Ask:
        outbox = self.outboxes[place] = SimpleQueue()

        def ask(what: str, value: Any) -> Any:
            self.inbox.put((place, what, value))
            fine, answer = outbox.get()
            if not fine:
                raise answer
            return answer
        return ask

    def serve(self, places: int) -> Iterator[Any]:
        live, waiting = places, dict[int, tuple[str, Any]]()
        while live:
            place, what, value = self.inbox.get()
            if what == 'found':
                yield value
            elif what == 'failed':
                raise value
            elif what == 'end':
                live -= 1
            else:
                waiting[place] = what, value
            if waiting and len(waiting) == live:
                self._answer_waiting(waiting)

    def _answer_waiting(self, waiting: dict[int, tuple[str, Any]]) -> None:
        # Encoding first: then all streams meet at the decoder, even after a reply of one of them.
        alone = [place for place, (what, _) in waiting.items() if what == 'do']
        for place in alone:
            self.outboxes[place].put((True, waiting.pop(place)[1]()))
        if not alone:
            results = iter(self._decoder.step(
                [request for _, requests in waiting.values() for request in requests]))
            for place, (_, requests) in waiting.items():
                self.outboxes[place].put((True, [next(results) for _ in requests]))
            waiting.clear()

    def stop(self) -> None:
        for outbox in self.outboxes.values():
            outbox.put((False, _Stopped()))


def run_batched(runtime: Runtime, tasks: Iterator[T], work: Callable[[Runtime, T], R],
                places: int) -> Iterator[R]:
    """
    Yield ``work(runtime, task)`` of each task as it is done, ``places`` of them at a time.

    Each call sees a runtime of its own and must open its decoder for as many lanes and slots as
    the others. An error in one ends all and is raised here.
    """
    answers, shared, lock = _BatchServer(runtime.decoder), _SharedDecoder(runtime.decoder,
                                                                          places), \
        threading.Lock()

    def take_task() -> T | None:
        with lock:
            return next(tasks, None)

    def serve(place: int, ask: Ask) -> None:
        mine = Runtime(encoder=_StreamEncoder(runtime.encoder, ask),
                       decoder=_StreamDecoder(shared, place, ask),
                       tokenizer=runtime.tokenizer, config=runtime.config)
        try:
            while (task := take_task()) is not None:
                answers.inbox.put((place, 'found', work(mine, task)))
            answers.inbox.put((place, 'end', None))
        except _Stopped:
            pass
        except BaseException as error:  # noqa: BLE001 - raised again by the one that iterates
            answers.inbox.put((place, 'failed', error))

    for place in range(places):
        threading.Thread(target=serve, args=(place, answers.make_asker(place)),
                         daemon=True).start()
    try:
        yield from answers.serve(places)
    finally:
        answers.stop()
