"""How a node gets its model: by configuration, or handed in by tests and by ``assistant``."""

import threading
from collections.abc import Callable
from weakref import WeakValueDictionary

from audio_interaction_ros.assembly import load_model
from audio_interaction_ros.config import ModelConfig
from audio_interaction_ros.runtimes.base import Runtime

__all__ = ['RuntimeSource', 'SharedRuntime', 'load_decoder', 'load_encoder']

RuntimeSource = Callable[[ModelConfig], Runtime]
"""Loads what a configuration names; called in a worker thread."""


def load_encoder(model: ModelConfig) -> Runtime:
    """Load the encoder only, as an encoder_node that is a process of its own needs it."""
    return load_model(model, halves=('encoder',))


def load_decoder(model: ModelConfig) -> Runtime:
    """Load the decoder only, as a decoder_node that is a process of its own needs it."""
    return load_model(model, halves=('decoder',))


class SharedRuntime:
    """
    Loads each configuration once for all nodes of a process.

    A runtime lives as long as somebody keeps it (the Runtime itself, not only a half of it), so
    a node that is configured with another model does not leave the old one in memory.
    """

    def __init__(self) -> None:
        """Hold nothing yet."""
        self._lock = threading.Lock()
        self._loaded: WeakValueDictionary[ModelConfig, Runtime] = WeakValueDictionary()

    def __call__(self, model: ModelConfig) -> Runtime:
        """Return the runtime of a configuration, waiting for whoever loads it."""
        with self._lock:
            runtime = self._loaded.get(model)
            if runtime is None:
                runtime = self._loaded[model] = load_model(model)
            return runtime
