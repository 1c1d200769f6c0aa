"""Where shipped files lie: beside the package, or in the share folder once installed."""

import os
import sys
from pathlib import Path

from audio_interaction_ros.errors import ConfigurationError

__all__ = ['shipped_path']

_PACKAGE = 'audio_interaction_ros'


def _roots() -> list[Path]:
    prefixes = [*os.environ.get('AMENT_PREFIX_PATH', '').split(os.pathsep), sys.prefix]
    return [Path(__file__).resolve().parents[1],
            *(Path(prefix) / 'share' / _PACKAGE for prefix in prefixes if prefix)]


def shipped_path(name: str) -> Path:
    """
    Return the path of a shipped file or folder, such as ``config/alerts.yaml``.

    Raises ConfigurationError naming where it was looked for.
    """
    for root in _roots():
        if (root / name).exists():
            return root / name
    raise ConfigurationError(
        f'{name}: expected it in {" or ".join(str(root) for root in _roots())}, found it in '
        f'none of these; install the package again or source its workspace')
