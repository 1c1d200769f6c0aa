"""ROS 2 shell: the only place that imports rclpy or messages."""

import sys
from types import TracebackType

_usual_hook = sys.excepthook


def _end_quietly(kind: type[BaseException], error: BaseException,
                 trace: TracebackType | None) -> None:
    """Say nothing of Ctrl-C while a program is still being read; ``run`` takes it from there."""
    if not issubclass(kind, KeyboardInterrupt):
        _usual_hook(kind, error, trace)


sys.excepthook = _end_quietly
