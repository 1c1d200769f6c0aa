"""
The parts of the CUDA bindings and of TensorRT that are used, on the host: for tests without a GPU.

Device memory is the host's; an engine is the graph that it was built of, which ONNX Runtime runs
over the addresses that it was given. As on a GPU, what is recorded is not run before it is
launched, reads what lies at its addresses then, and device memory begins as rubbish.
"""

import ctypes
import sys
import types
from collections import Counter

import numpy as np
import onnxruntime as ort

DTYPES = {'tensor(float)': np.float32, 'tensor(float16)': np.float16, 'tensor(int64)': np.int64}


class Cuda(types.ModuleType):
    """cuda.bindings.runtime."""

    def __init__(self):
        super().__init__('cuda.bindings.runtime')
        self.calls = Counter()
        self.room = 1 << 34
        self.name = b'Pretend'
        self._kept = {}
        self._recording = None
        self._graphs = {}
        self.cudaMemcpy3DParms = self.cudaPitchedPtr = self.cudaExtent = types.SimpleNamespace
        self.cudaMemcpyKind = types.SimpleNamespace(
            cudaMemcpyHostToDevice=1, cudaMemcpyDeviceToHost=2, cudaMemcpyDeviceToDevice=3)
        self.cudaStreamCaptureMode = types.SimpleNamespace(cudaStreamCaptureModeThreadLocal=1)

    def queue(self, what, work):
        """Run some work, or remember it where a recording is under way."""
        self.calls[what] += 1
        if self._recording is not None:
            self._recording.append(work)
        else:
            work()
        return (0,)

    def cudaGetDeviceCount(self):  # noqa: N802 - their names
        return 0, 1

    def cudaGetDevice(self):  # noqa: N802
        return 0, 0

    def cudaGetDeviceProperties(self, device):  # noqa: N802
        return 0, types.SimpleNamespace(name=self.name, major=8, minor=7)

    def cudaGetErrorString(self, status):  # noqa: N802
        return 0, b'out of memory'

    def cudaStreamCreate(self):  # noqa: N802
        return 0, 77

    def cudaStreamSynchronize(self, stream):  # noqa: N802
        assert self._recording is None, 'one must not wait while recording'
        return (0,)

    def cudaMalloc(self, size):  # noqa: N802
        if size > self.room:
            return 2, None
        memory = np.full(size, 0xff, np.uint8)  # NaN
        self._kept[memory.ctypes.data] = memory
        return 0, memory.ctypes.data

    cudaMallocHost = cudaMalloc  # noqa: N815

    def cudaFree(self, address):  # noqa: N802
        del self._kept[address]
        return (0,)

    cudaFreeHost = cudaFree  # noqa: N815

    def cudaMemsetAsync(self, address, value, size, stream):  # noqa: N802
        return self.queue('memset', lambda: ctypes.memset(address, value, size))

    def cudaMemcpyAsync(self, target, source, size, kind, stream):  # noqa: N802
        return self.queue('copy', lambda: ctypes.memmove(target, source, size))

    def cudaMemcpy3DAsync(self, what, stream):  # noqa: N802
        def work():
            source, target, extent = what.srcPtr, what.dstPtr, what.extent
            for z in range(extent.depth):
                for y in range(extent.height):
                    ctypes.memmove(target.ptr + (z * target.ysize + y) * target.pitch,
                                   source.ptr + (z * source.ysize + y) * source.pitch,
                                   extent.width)
        return self.queue('boxes', work)

    def cudaStreamBeginCapture(self, stream, mode):  # noqa: N802
        self._recording = []
        return (0,)

    def cudaStreamEndCapture(self, stream):  # noqa: N802
        works, self._recording = self._recording, None
        return 0, works

    def cudaGraphInstantiate(self, works, flags):  # noqa: N802
        return 0, works

    def cudaGraphDestroy(self, works):  # noqa: N802
        return (0,)

    cudaGraphExecDestroy = cudaGraphDestroy  # noqa: N815

    def cudaGraphLaunch(self, works, stream):  # noqa: N802
        self.calls['launch'] += 1
        for work in works:
            work()
        return (0,)


class Engine:
    """An engine whose content is the path of its graph."""

    num_optimization_profiles = 3

    def __init__(self, cuda, graph):
        self.cuda = cuda
        self.session = ort.InferenceSession(graph, providers=['CPUExecutionProvider'])
        self.values = {value.name: value for value in (*self.session.get_inputs(),
                                                       *self.session.get_outputs())}
        self.num_io_tensors = len(self.values)

    def get_tensor_name(self, number):
        return list(self.values)[number]

    def get_tensor_mode(self, name):
        return 'in' if name in {value.name for value in self.session.get_inputs()} else 'out'

    def create_execution_context(self):
        return Context(self)


class Context:
    def __init__(self, engine):
        self.engine = engine
        self.shapes, self.addresses = {}, {}

    def set_optimization_profile_async(self, profile, stream):
        return profile < self.engine.num_optimization_profiles

    def set_input_shape(self, name, shape):
        self.shapes[name] = shape
        return True

    def set_tensor_address(self, name, address):
        self.addresses[name] = address
        return True

    def execute_async_v3(self, stream):
        assert stream == 77
        self.engine.cuda.queue('engine', self._work(dict(self.shapes), dict(self.addresses)))
        return True

    def _work(self, shapes, addresses):
        session = self.engine.session

        def work():
            feeds = {value.name: self._at(value, addresses[value.name], shapes[value.name]).copy()
                     for value in session.get_inputs()}
            results = session.run(None, feeds)
            for value, result in zip(session.get_outputs(), results, strict=True):
                self._at(value, addresses[value.name], result.shape)[...] = result
        return work

    def _at(self, value, address, shape):
        dtype = np.dtype(DTYPES[value.type])
        size = int(np.prod(shape)) * dtype.itemsize
        return np.frombuffer((ctypes.c_uint8 * size).from_address(address),
                             dtype).reshape(shape)


def install(monkeypatch):
    """Put both libraries where imports find them; return what stands for CUDA."""
    cuda = Cuda()
    bindings = types.ModuleType('cuda.bindings')
    bindings.runtime = cuda
    package = types.ModuleType('cuda')
    package.bindings = bindings
    trt = types.ModuleType('tensorrt')
    trt.__version__ = '10.16.1'
    trt.Logger = type('Logger', (), {'ERROR': 1, '__init__': lambda self, level: None})
    trt.TensorIOMode = types.SimpleNamespace(INPUT='in')
    trt.Runtime = lambda logger: types.SimpleNamespace(deserialize_cuda_engine=lambda content: (
        Engine(cuda, content.decode()) if content else None))
    for name, module in (('cuda', package), ('cuda.bindings', bindings),
                         ('cuda.bindings.runtime', cuda), ('tensorrt', trt)):
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.delitem(sys.modules, 'audio_interaction_ros.runtimes.tensorrt', raising=False)
    return cuda
