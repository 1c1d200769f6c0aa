"""
How the processes of this package are reached: by UDP, not by the shared memory of Fast DDS.

Where a process is stopped (SIGSTOP) and continued while many messages come, Fast DDS may give up
the shared memory between it and another process in one direction, for good and without a word;
by UDP it goes on. Our own processes suffice: whoever is not offered shared memory is written to
by UDP. This is the only module that brings rclpy up in a process.
"""

import os
from collections.abc import MutableMapping, Sequence
from pathlib import Path
from typing import Any

from audio_interaction_ros.resources import shipped_path

__all__ = ['leave_out_shared_memory', 'start_ros']

_TRANSPORTS = 'FASTDDS_BUILTIN_TRANSPORTS'
_PROFILES, _OLDER_PROFILES = 'FASTDDS_DEFAULT_PROFILES_FILE', 'FASTRTPS_DEFAULT_PROFILES_FILE'
_WITH_OLDER_NAME = ('humble', 'iron', 'jazzy')  # Fast DDS 2; 3 warns of the older name
_IN_FOLDER = ('DEFAULT_FASTDDS_PROFILES.xml', 'DEFAULT_FASTRTPS_PROFILES.xml')
"""Files that Fast DDS reads where they lie in the working folder."""


def leave_out_shared_memory(environment: MutableMapping[str, str]) -> None:
    """
    Set what keeps Fast DDS from being reached by shared memory, unless somebody chose already.

    The first variable alone suffices only where the discovery range is not LOCALHOST: there
    rmw_fastrtps makes the transports itself (9.3.3), and only the profile is heard. Humble does
    not know the first one.
    """
    if (any(environment.get(name) for name in (_TRANSPORTS, _PROFILES, _OLDER_PROFILES))
            or any(Path(name).exists() for name in _IN_FOLDER)):
        return
    environment[_TRANSPORTS] = 'UDPv4'
    older = environment.get('ROS_DISTRO') in _WITH_OLDER_NAME
    environment[_OLDER_PROFILES if older else _PROFILES] = str(
        shipped_path('config/without_shared_memory.xml'))


def start_ros(arguments: Sequence[str] | None = None, **options: Any) -> None:
    """Bring rclpy up in this process (None: with its own command line)."""
    import rclpy  # what is above is for machines without it, too
    leave_out_shared_memory(os.environ)
    rclpy.init(args=None if arguments is None else list(arguments), **options)
