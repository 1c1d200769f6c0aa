"""
The few exceptions that this package raises on purpose.

Every message says what was expected, what came and who must act.
"""

__all__ = [
    'AudioFormatError',
    'AudioInteractionError',
    'CheckpointError',
    'ConfigurationError',
    'ForeignModelError',
    'MissingDependencyError',
    'ModelFaultError',
    'ResourceError',
]


class AudioInteractionError(Exception):
    """Base of every error that this package raises on purpose."""


class ConfigurationError(AudioInteractionError, ValueError):
    """A configuration file or parameter is wrong; the operator must change it."""


class AudioFormatError(AudioInteractionError, ValueError):
    """An audio message or file cannot be understood; its publisher must change it."""


class CheckpointError(AudioInteractionError):
    """Weights are missing, corrupt, or of another shape than the configuration says."""


class ForeignModelError(AudioInteractionError):
    """Features of one model were given to the decoder of another."""


class ModelFaultError(AudioInteractionError):
    """A running model gave what is no number, or no pass of it succeeds any more."""


class ResourceError(AudioInteractionError):
    """The machine has no room for what was asked; it may have it later."""


class MissingDependencyError(AudioInteractionError, ImportError):
    """An optional library is needed for what was asked; the message names the install command."""
