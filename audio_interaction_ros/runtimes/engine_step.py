"""
The static form on engines: caches, inputs and outputs at addresses that never change.

So the two passes of every stream, a listening step and one position of a reply, are recorded once
with their copies and started by a single call. Owns where everything lies on the device. The
device and the engines come behind protocols, so that all of it is tried without a GPU.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from typing import Protocol

import numpy as np

from audio_interaction_ros.errors import ConfigurationError
from audio_interaction_ros.graphs.names import (
    HIDDEN_OUTPUT,
    LOGITS_OUTPUT,
    cache_names,
    written_names,
)
from audio_interaction_ros.model.shapes import DecoderConfig
from audio_interaction_ros.runtimes.device_memory import Boxes, DeviceMemory
from audio_interaction_ros.runtimes.engine_files import Room
from audio_interaction_ros.runtimes.static_decoder import PassInputs
from audio_interaction_ros.runtimes.static_pass import Move

__all__ = ['Buffer', 'Context', 'Engine', 'EngineStepDevice']


class Context(Protocol):
    """One way to run an engine: a profile, shapes and addresses."""

    def bind(self, name: str, address: int, shape: tuple[int, ...]) -> None:
        """Say where an input or output lies, and its shape from now on."""
        ...

    def run(self, queue: int) -> None:
        """Put one run into a queue of the device."""
        ...


class Engine(Protocol):
    """A graph that was built for a device."""

    def context(self, profile: int) -> Context:
        """Return a new context of this optimisation profile."""
        ...


class Buffer:
    """Memory of the device and as much of the host, for an input or an output of any length."""

    def __init__(self, memory: DeviceMemory, shape: tuple[int, ...], dtype: np.dtype) -> None:
        """Allocate what the largest shape needs."""
        self._memory = memory
        self._dtype = np.dtype(dtype)
        size = int(np.prod(shape, dtype=np.int64)) * self._dtype.itemsize
        self.address = memory.allocate(size)
        self._host = memory.allocate_host(size)

    def view(self, shape: tuple[int, ...]) -> np.ndarray:
        """Return the host's memory as an array of this shape."""
        size = int(np.prod(shape, dtype=np.int64)) * self._dtype.itemsize
        return self._host[:size].view(self._dtype).reshape(shape)

    def send(self, shape: tuple[int, ...]) -> None:
        """Queue the copy of an array of this shape to the device."""
        self._memory.to_device(self.address, self.view(shape))

    def fetch(self, shape: tuple[int, ...]) -> None:
        """Queue the copy of an array of this shape from the device."""
        self._memory.to_host(self.view(shape), self.address)


class EngineStepDevice:
    """A StepDevice: caches of all lanes on a device, an engine of each graph."""

    def __init__(self, config: DecoderConfig, room: Room, *, dtype: np.dtype, step: Engine,
                 head: Engine, memory: DeviceMemory, command: str) -> None:
        """
        Take the engines and for how much they were built.

        ``dtype`` is that of keys, values and mask; ``command`` builds engines for more.
        """
        self.dtype = np.dtype(dtype)
        self.longest = room.longest
        self.times: tuple[int, ...] = (1, room.listening)
        self._config, self._room, self._command = config, room, command
        self._step, self._head, self._memory = step, head, memory
        self._cache = 0
        self._opened = False

    def open(self, *, lanes: int, slots: int) -> tuple[int, int]:
        """Make zeroed caches; ConfigurationError where the engines are for fewer or shorter."""
        room = self._room
        if lanes > room.lanes or slots > room.slots:
            raise ConfigurationError(
                f'model.slots: the engines were built for {room.lanes} lanes of {room.slots} '
                f'slots, expected {lanes} lanes of {slots}; run: {self._command} --lanes '
                f'{max(lanes, room.lanes)} --slots {max(slots, room.slots)}')
        if not self._opened:
            self._allocate()
            self._opened = True
        self._memory.zero(self._cache, self._blocks * self._block)
        return room.lanes, room.total

    @property
    def _blocks(self) -> int:
        """Keys and values of every layer, each a block."""
        return 2 * self._config.layers

    @property
    def _lane(self) -> int:
        """Bytes of a lane in a block."""
        return self._config.kv_heads * self._head_rows

    @property
    def _head_rows(self) -> int:
        """Bytes of a head of a lane in a block."""
        return self._room.total * self._slot

    @property
    def _slot(self) -> int:
        return self._config.head_dim * self.dtype.itemsize

    @property
    def _block(self) -> int:
        return self._room.lanes * self._lane

    def _shapes(self, time: int) -> Mapping[str, tuple[int, ...]]:
        config, lanes = self._config, self._room.lanes
        angles = (lanes, time, config.head_dim // 2)
        return {'embeddings': (lanes, time, config.width), 'cos': angles, 'sin': angles,
                'write_at': (lanes,), 'mask': (lanes, 1, time, self._room.total),
                HIDDEN_OUTPUT: (lanes, time, config.width)}

    def _allocate(self) -> None:
        room, memory = self._room, self._memory
        self._cache = memory.allocate(self._blocks * self._block)
        dtypes = {'write_at': np.dtype(np.int64), 'mask': self.dtype}
        self._buffers = {name: Buffer(memory, shape, dtypes.get(name, np.dtype(np.float32)))
                         for name, shape in self._shapes(room.longest).items()}
        self._scored = Buffer(memory, (room.lanes, self._config.width), np.dtype(np.float32))
        self._scores = Buffer(memory, (room.lanes, self._config.vocab_size),
                              np.dtype(np.float32))
        self._passes = {time: self._record(self._pass(self._step.context(profile), time))
                        for profile, time in enumerate(self.times)}
        self._heads = {rows: self._record(self._scoring(self._head.context(0), rows))
                       for rows in range(1, room.lanes + 1)}
        self._longer = (self._step.context(len(self.times))
                        if len(room.profiles) > len(self.times) else None)

    def _record(self, work: Callable[[], None]) -> Callable[[], None]:
        work()  # what a first run sets up must not be recorded
        self._memory.wait()
        return self._memory.record(work)

    def _pass(self, context: Context, time: int) -> Callable[[], None]:
        """Return what queues a pass of so many positions with its copies."""
        shapes = self._shapes(time)
        for name, shape in shapes.items():
            context.bind(name, self._buffers[name].address, shape)
        config = self._config
        cache = (self._room.lanes, config.kv_heads, self._room.total, config.head_dim)
        for layer, (past, written) in enumerate(zip(
                cache_names(config.layers), written_names(config.layers), strict=True)):
            for which in (0, 1):
                address = self._cache + (2 * layer + which) * self._block
                context.bind(past[which], address, cache)
                context.bind(written[which], address, cache)  # in place

        def work() -> None:
            for field in fields(PassInputs):
                self._buffers[field.name].send(shapes[field.name])
            context.run(self._memory.queue)
            self._buffers[HIDDEN_OUTPUT].fetch(shapes[HIDDEN_OUTPUT])
        return work

    def _scoring(self, context: Context, rows: int) -> Callable[[], None]:
        """Return what queues the scoring of so many hidden states with its copies."""
        hidden, scores = (rows, self._config.width), (rows, self._config.vocab_size)
        context.bind(HIDDEN_OUTPUT, self._scored.address, hidden)
        context.bind(LOGITS_OUTPUT, self._scores.address, scores)

        def work() -> None:
            self._scored.send(hidden)
            context.run(self._memory.queue)
            self._scores.fetch(scores)
        return work

    def run(self, inputs: PassInputs) -> np.ndarray:
        """Run a pass; what it returns is overwritten by the next."""
        time = inputs.embeddings.shape[1]
        for field in fields(inputs):
            array = getattr(inputs, field.name)
            self._buffers[field.name].view(array.shape)[...] = array
        if time in self._passes:
            self._passes[time]()
        else:
            assert self._longer is not None, 'expected a pass no longer than listening'
            self._pass(self._longer, time)()
        self._memory.wait()
        return self._buffers[HIDDEN_OUTPUT].view(inputs.embeddings.shape)

    def move(self, moves: Sequence[Move]) -> None:
        """Queue copies of keys and values of all layers within their lanes, one for each move."""
        for move in moves:
            lane = self._cache + move.lane * self._lane
            target, source = (lane + slot * self._slot for slot in (move.slot, move.source))
            self._memory.copy(target, source, Boxes(
                blocks=self._blocks, rows=self._config.kv_heads, row_bytes=self._head_rows,
                rows_per_block=self._room.lanes * self._config.kv_heads,
                length=move.count * self._slot))

    def forget(self, lane: int) -> None:
        """Zero the caches of a lane."""
        for block in range(self._blocks):
            self._memory.zero(self._cache + block * self._block + lane * self._lane, self._lane)

    def score(self, hidden: np.ndarray) -> np.ndarray:
        """Return the scores [R, vocab_size] of hidden states [R, width]; the next overwrites."""
        self._scored.view(hidden.shape)[...] = hidden
        self._heads[len(hidden)]()
        self._memory.wait()
        return self._scores.view((len(hidden), self._config.vocab_size))
