"""
A model on one device: its steps beside the time that reading the weights takes, and replayed.

Meant for the released model's shape on a GPU (`--model random-3b --runtime torch --device cuda
--dtype bfloat16`), where a step is bound by the weights that it reads; tried on a CPU with small
shapes. Whatever is measured includes the copies to and from the host.
"""

from collections.abc import Callable

import numpy as np
import torch

from audio_interaction_ros.errors import ConfigurationError
from audio_interaction_ros.model.decoder import KVCache, rope_tables
from audio_interaction_ros.model.shapes import DecoderConfig
from audio_interaction_ros.runtimes.base import Runtime
from audio_interaction_ros.runtimes.torch import TorchDecoder
from bench import decoder as steps
from bench.costs import weights_read
from bench.measure import Figure, spread, time_calls

__all__ = ['FIRST_TEXT_MS', 'ROOFLINES', 'bandwidth', 'replayed', 'run', 'weights_read']

ROOFLINES = 2.0
"""A step may take so many times what reading its weights does."""
FIRST_TEXT_MS = 100.0

Call = Callable[[], object]


def run(runtime: Runtime, *, device: str, repeat: int = 60, slots: int = 1024) -> list[Figure]:
    """Return steps of one and three lanes, first text, the roofline; eager beside replayed."""
    net = runtime.decoder
    if not isinstance(net, TorchDecoder):
        raise ConfigurationError(f'expected --runtime torch, found {type(net).__name__}; the '
                                 'others are measured by the part "decoder"')
    found = {figure.what: figure for figure in steps.run(
        runtime, repeat=repeat, slots=slots, backlogs=(1, 4))}
    rate = bandwidth(device)
    read = weights_read(runtime.config.decoder, net.dtype.itemsize)
    floor = 1e3 * read / rate
    one, three = (next(figure for what, figure in found.items() if what.startswith(
        f'listening step, {lanes}')) for lanes in ('1 lane', '3 lanes'))
    text = found['first text, 1 lane, offline']
    return [
        *found.values(),
        Figure(what='first text, goal of a GPU', unit='ms', value=text.value, p95=text.p95,
               p99=text.p99, samples=text.samples, goal=FIRST_TEXT_MS),
        Figure(what='memory bandwidth, copying', unit='GB/s', value=rate / 1e9),
        Figure(what='roofline of a listening step', unit='ms', value=floor,
               note=f'{read / 1e9:.2f} GB of weights, read once'),
        Figure(what='listening step p95 / roofline, 1 lane', unit='x', samples=one.samples,
               value=(one.p95 or one.value) / floor, goal=ROOFLINES),
        Figure(what='listening step, 3 lanes / 1 lane, of medians', unit='x',
               value=three.value / one.value),
        *_eager_and_replayed(net, runtime.config.decoder, device, repeat, slots)]


def bandwidth(device: str, *, megabytes: int = 0) -> float:
    """Return the bytes per second that a device reads and writes when it copies, at its best."""
    size = (megabytes or (1024 if device.startswith('cuda') else 128)) * 10 ** 6
    source = torch.ones(size // 4, device=device)
    target = torch.empty_like(source)

    def copy() -> None:
        target.copy_(source)
        _wait(device)

    return 2 * size / (min(time_calls(copy, repeat=10)) / 1e3)


def _wait(device: str) -> None:
    if device.startswith('cuda'):
        torch.cuda.synchronize(device)


def replayed(call: Call, device: str) -> Call:
    """Return what runs a call again as a CUDA graph, from the same memory."""
    side = torch.cuda.Stream(device)
    side.wait_stream(torch.cuda.current_stream(device))
    with torch.cuda.stream(side):  # what is allocated or chosen at first use is no part of it
        for _ in range(3):
            call()
    torch.cuda.current_stream(device).wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        call()
    return graph.replay


def _eager_and_replayed(net: TorchDecoder, config: DecoderConfig, device: str, repeat: int,
                        slots: int) -> list[Figure]:
    figures = []
    for lanes, positions in ((1, 13), (3, 13), (1, 1), (3, 1)):
        shape = f'{lanes} x {positions}'
        call = _pass(net, config, device, lanes, positions, slots)
        eager = _timed(f'net alone, {shape}, eager', call, device, repeat)
        figures.append(eager)
        if device.startswith('cuda'):
            again = _timed(f'net alone, {shape}, CUDA graph', replayed(call, device), device,
                           repeat)
            figures += [again, Figure(what=f'eager / CUDA graph, {shape}', unit='x',
                                      value=eager.value / again.value)]
    return figures


def _timed(what: str, call: Call, device: str, repeat: int) -> Figure:
    def waited() -> None:
        call()
        _wait(device)

    return spread(what, time_calls(waited, repeat=repeat))


def _pass(net: TorchDecoder, config: DecoderConfig, device: str, lanes: int, time: int,
          slots: int) -> Call:
    # Fixed addresses; all lanes at the end of a full ring.
    place = np.tile(np.arange(slots - time, slots), (lanes, 1))
    cos, sin = (table.to(device) for table in rope_tables(place, config.head_dim,
                                                          config.rope_base))
    cache = KVCache(config, lanes=lanes, slots=slots, dtype=net.dtype, device=device)
    mask = torch.from_numpy(np.arange(slots) <= place[:, None, :, None]).to(device)
    embeddings = torch.zeros(lanes, time, config.width, dtype=net.dtype, device=device)
    where = torch.from_numpy(place).to(device)

    @torch.inference_mode()
    def call() -> None:
        net.module(embeddings, cos, sin, cache=cache, slots=where, mask=mask)

    return call
