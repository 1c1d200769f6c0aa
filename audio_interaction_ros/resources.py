"""Where shipped files lie: beside the package, or in the share folder once installed."""

import os
from pathlib import Path

from audio_interaction_ros.errors import ConfigurationError

__all__ = ['shipped_path']

_PACKAGE = 'audio_interaction_ros'


def _roots() -> list[Path]:
    package = Path(__file__).resolve().parent
    # A wheel puts share beside lib or, with --target, beside the package.
    installed = [package.parent, *package.parents[3:4]]
    overlays = [Path(prefix) for prefix in
                os.environ.get('AMENT_PREFIX_PATH', '').split(os.pathsep) if prefix]
    return [package.parent,
            *(prefix / 'share' / _PACKAGE for prefix in (*overlays, *installed))]


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
