"""
How a node gets its model: by configuration, or handed in by tests and by ``assistant``.

Owns who may have a half of one: an encoder and a decoder remember one stream each.
"""

import threading
from collections.abc import Callable
from typing import ClassVar
from weakref import WeakValueDictionary, ref

from rclpy.node import Node

from audio_interaction_ros.assembly import load_model
from audio_interaction_ros.config import ModelConfig
from audio_interaction_ros.errors import ConfigurationError
from audio_interaction_ros.runtimes.base import Runtime

__all__ = ['HalfInUse', 'RuntimeSource', 'SharedRuntime', 'load_decoder', 'load_encoder']

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


class HalfInUse:
    """An encoder or a decoder at work for one node, as long as somebody keeps this."""

    _lock = threading.Lock()
    _all: ClassVar[WeakValueDictionary[int, 'HalfInUse']] = WeakValueDictionary()

    def __init__(self, half: object, node: Node) -> None:
        """Take it; ConfigurationError where another node of this process has it."""
        self._half, self._node, self._name = half, ref(node), node.get_fully_qualified_name()
        with self._lock:
            other = self._all.get(id(half))
            if other is not None and other._node() is not node:
                raise ConfigurationError(
                    f'{self._name}: expected a model of its own, got the one that {other._name} '
                    'listens with, and it remembers one stream only; give each assistant a '
                    'SharedRuntime of its own')
            self._all[id(half)] = self
