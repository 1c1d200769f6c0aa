"""How a node gets its model: by configuration, or handed in by tests and by ``assistant``."""

import threading
from collections.abc import Callable

from audio_interaction_ros.config import ModelConfig
from audio_interaction_ros.runtimes.registry import Runtime, load_runtime

__all__ = ['RuntimeSource', 'SharedRuntime', 'load_configured']

RuntimeSource = Callable[[ModelConfig], Runtime]
"""Loads what a configuration names; called in a worker thread."""


def load_configured(model: ModelConfig) -> Runtime:
    """Load the model that a configuration names."""
    return load_runtime(model.path, runtime=model.runtime, device=model.device,
                        threads=model.threads, dtype=model.dtype)


class SharedRuntime:
    """Loads each configuration once for all nodes of a process."""

    def __init__(self) -> None:
        """Hold nothing yet."""
        self._lock = threading.Lock()
        self._loaded: dict[ModelConfig, Runtime] = {}

    def __call__(self, model: ModelConfig) -> Runtime:
        """Return the runtime of a configuration, waiting for whoever loads it."""
        with self._lock:
            if model not in self._loaded:
                self._loaded[model] = load_configured(model)
            return self._loaded[model]
