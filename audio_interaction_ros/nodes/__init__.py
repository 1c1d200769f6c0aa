"""ROS 2 shell: the only place that imports rclpy or messages."""

import sys
from pathlib import Path
from types import TracebackType

_usual_hook = sys.excepthook


def _end_quietly(kind: type[BaseException], error: BaseException,
                 trace: TracebackType | None) -> None:
    """Say nothing of Ctrl-C while a program is still being read; ``run`` takes it from there."""
    if not issubclass(kind, KeyboardInterrupt):
        _usual_hook(kind, error, trace)


def _is_program() -> bool:
    """
    Tell whether this process is one of our nodes, and not a program of somebody who imports them.

    Python calls a program ``-m`` while it looks for the module of that name.
    """
    name = Path(sys.argv[0]).stem if sys.argv else ''
    return name == '-m' or bool(name) and Path(__file__).with_name(f'{name}.py').is_file()


if _is_program():
    sys.excepthook = _end_quietly
