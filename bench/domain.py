"""
Claims a ROS domain for robots that must neither hear others on this machine nor be heard.

Owns the claim. A domain that is worked out of a process id collides where containers share a
network, and then one robot answers for another; ports of that network can be had only once.
"""

import contextlib
import random
import socket
from collections.abc import Sequence

# What DDS makes of a domain's number, for discovery and for its first participant:
# https://docs.ros.org/en/rolling/Concepts/Intermediate/About-Domain-ID.html
_PORT_BASE, _PORTS_PER_DOMAIN, _FIRST_PARTICIPANT = 7400, 250, 10
# Safe on every system; in 0 are robots that nobody configured.
_SAFE_DOMAINS: Sequence[int] = range(1, 102)
_claims: list[socket.socket] = []


def claim_domain() -> int:
    """
    Return a domain that nobody else on this machine has claimed or is in; ours until we end.

    Raises:
        RuntimeError: Every safe domain is taken.
    """
    for domain in random.sample(_SAFE_DOMAINS, len(_SAFE_DOMAINS)):
        port = _PORT_BASE + _PORTS_PER_DOMAIN * domain
        if _is_free(port + _FIRST_PARTICIPANT, socket.SOCK_DGRAM) and _claim(port):
            return domain
    raise RuntimeError(f'expected a free ROS domain, found all {len(_SAFE_DOMAINS)} of '
                       f'{min(_SAFE_DOMAINS)} to {max(_SAFE_DOMAINS)} taken; end some of the '
                       'robots')


def _is_free(port: int, kind: socket.SocketKind) -> bool:
    with contextlib.suppress(OSError), socket.socket(socket.AF_INET, kind) as tried:
        tried.bind(('', port))
        return True
    return False


def _claim(port: int) -> bool:
    claim = socket.socket(socket.AF_INET, socket.SOCK_STREAM)  # DDS keeps to UDP over here
    try:
        claim.bind(('127.0.0.1', port))
    except OSError:
        claim.close()
        return False
    _claims.append(claim)
    return True
