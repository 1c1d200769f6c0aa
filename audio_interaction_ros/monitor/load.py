"""Loads the server, or says what is missing for it."""

from types import ModuleType

from audio_interaction_ros.errors import MissingDependencyError

__all__ = ['load_server']


def load_server() -> ModuleType:
    """Return the module ``monitor.server``; raises MissingDependencyError without aiohttp."""
    try:
        from audio_interaction_ros.monitor import server
    except ImportError as error:
        raise MissingDependencyError(
            f'Expected the Python package aiohttp, which the page to watch needs, found {error}; '
            f"install what requirements/monitor.txt names: pip install 'aiohttp>=3.10,<4' (make "
            f'assistant MONITOR=true does so itself)') from error
    return server
