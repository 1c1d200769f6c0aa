"""
Memory, copies and recorded work on an NVIDIA GPU, by the CUDA bindings for Python.

The only place that calls CUDA. Owns addresses and the queue (a stream), and turns its error codes
into sentences.
"""

import ctypes
from collections.abc import Callable
from typing import Any

import numpy as np

from audio_interaction_ros.errors import ModelFaultError, ResourceError
from audio_interaction_ros.runtimes.device_memory import Boxes

__all__ = ['CudaMemory', 'describe_gpu']


def describe_gpu() -> str:
    """Return name and compute capability of the GPU in use; ResourceError where there is none."""
    from cuda.bindings import runtime

    status, count = runtime.cudaGetDeviceCount()
    if int(status) or not count:
        raise ResourceError(
            f'expected an NVIDIA GPU, found none ({_text(runtime, status)}); set model.runtime to '
            'onnx, or install the driver (in a container, give it the GPU)')
    properties = _checked(runtime, runtime.cudaGetDeviceProperties(
        _checked(runtime, runtime.cudaGetDevice())))
    name = properties.name
    name = name.decode(errors='replace') if isinstance(name, bytes) else str(name)
    return f'{name.rstrip(chr(0))} (SM {properties.major}.{properties.minor})'


class CudaMemory:
    """A stream, and memory that is kept until ``free``."""

    def __init__(self) -> None:
        """Begin a stream on the GPU in use."""
        from cuda.bindings import runtime

        self._cuda = runtime
        self._stream = self._call(runtime.cudaStreamCreate())
        self.queue = int(self._stream)
        self._device: list[int] = []
        self._host: list[int] = []
        self._works: list[Any] = []

    def allocate(self, size: int) -> int:
        """Return the address of so many zeroed bytes; ResourceError where there is no room."""
        status, address = self._cuda.cudaMalloc(size)
        if int(status):
            raise ResourceError(f'expected {size / 1e6:.0f} MB free on the GPU '
                                f'({_text(self._cuda, status)}); lower model.slots, run fewer '
                                'lanes, or free memory')
        self._device.append(int(address))
        self.zero(int(address), size)
        return int(address)

    def allocate_host(self, size: int) -> np.ndarray:
        """Return zeroed bytes [size] uint8 of the host that the device reads by itself."""
        address = int(self._call(self._cuda.cudaMallocHost(size)))
        self._host.append(address)
        memory = np.ctypeslib.as_array((ctypes.c_uint8 * size).from_address(address))
        memory[:] = 0
        return memory

    def free(self) -> None:
        """Give back all that was allocated; recorded works must not be run again."""
        self.wait()
        for work in self._works:
            self._call(self._cuda.cudaGraphExecDestroy(work))
        for address in self._device:
            self._call(self._cuda.cudaFree(address))
        for address in self._host:
            self._call(self._cuda.cudaFreeHost(address))
        self._works, self._device, self._host = [], [], []

    def to_device(self, address: int, host: np.ndarray) -> None:
        """Copy an array of allocate_host, or the front of one, to the device."""
        self._copy(address, host.ctypes.data, host.nbytes, 'cudaMemcpyHostToDevice')

    def to_host(self, host: np.ndarray, address: int) -> None:
        """Copy from the device into an array of allocate_host, or the front of one."""
        self._copy(host.ctypes.data, address, host.nbytes, 'cudaMemcpyDeviceToHost')

    def copy(self, target: int, source: int, boxes: Boxes) -> None:
        """Copy boxes within an array on the device; both addresses are those of the first."""
        cuda = self._cuda
        what = cuda.cudaMemcpy3DParms()
        what.srcPtr, what.dstPtr = (self._pitched(address, boxes) for address in (source, target))
        extent = cuda.cudaExtent()
        extent.width, extent.height, extent.depth = boxes.length, boxes.rows, boxes.blocks
        what.extent = extent
        what.kind = cuda.cudaMemcpyKind.cudaMemcpyDeviceToDevice
        self._call(cuda.cudaMemcpy3DAsync(what, self._stream))

    def zero(self, address: int, size: int) -> None:
        """Zero so many bytes."""
        self._call(self._cuda.cudaMemsetAsync(address, 0, size, self._stream))

    def record(self, work: Callable[[], None]) -> Callable[[], None]:
        """Return what does again, at once, all that ``work`` puts into the queue."""
        cuda = self._cuda
        self._call(cuda.cudaStreamBeginCapture(
            self._stream, cuda.cudaStreamCaptureMode.cudaStreamCaptureModeThreadLocal))
        try:
            work()
        finally:
            graph = self._call(cuda.cudaStreamEndCapture(self._stream))
        recorded = self._call(cuda.cudaGraphInstantiate(graph, 0))
        self._call(cuda.cudaGraphDestroy(graph))
        self._works.append(recorded)
        return lambda: self._call(cuda.cudaGraphLaunch(recorded, self._stream))

    def wait(self) -> None:
        """Return when all that was queued is done."""
        self._call(self._cuda.cudaStreamSynchronize(self._stream))

    def _copy(self, target: int, source: int, size: int, kind: str) -> None:
        self._call(self._cuda.cudaMemcpyAsync(
            target, source, size, getattr(self._cuda.cudaMemcpyKind, kind), self._stream))

    def _pitched(self, address: int, boxes: Boxes) -> Any:
        place = self._cuda.cudaPitchedPtr()
        place.ptr, place.pitch = address, boxes.row_bytes
        place.xsize, place.ysize = boxes.row_bytes, boxes.rows_per_block
        return place

    def _call(self, answer: tuple[Any, ...]) -> Any:
        return _checked(self._cuda, answer)


def _checked(runtime: Any, answer: tuple[Any, ...]) -> Any:
    """Return what a call gave beside its status; ModelFaultError where that is an error."""
    status, *values = answer
    if int(status):
        raise ModelFaultError(f'the GPU failed ({_text(runtime, status)}); start again, and look '
                              'at dmesg where it comes back')
    return values[0] if values else None


def _text(runtime: Any, status: Any) -> str:
    _, text = runtime.cudaGetErrorString(status)
    return text.decode() if isinstance(text, bytes) else str(text)
