"""
Who may see the page: which addresses it is offered on, by which names, to whom and from where.

Three walls, each enough against one kind of stranger. The address: only this machine, unless a
token is set. The name by which the page is asked for: an address, localhost or a name that was
configured, so that a foreign name that somebody points at this machine (DNS rebinding) is refused.
The origin: whoever wants to watch or to act comes from the page itself, not from one of another
site that is open in the same browser. Knows no server.
"""

import hashlib
import hmac
import ipaddress
import time
from collections import deque
from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

from audio_interaction_ros.config import MonitorConfig, split_list
from audio_interaction_ros.errors import ConfigurationError

__all__ = ['COOKIE', 'Door', 'is_loopback', 'split_host']

COOKIE = 'audio_interaction_monitor'
_LEAST_TOKEN = 16
_TRIES, _TRIES_S = 10, 60.0


def is_loopback(host: str) -> bool:
    """Tell whether only this machine can reach an address to listen on."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == 'localhost'


def split_host(host: str) -> str:
    """Return the name of a Host header without its port; empty where it makes no sense."""
    try:
        return (urlsplit(f'//{host}').hostname or '').rstrip('.')
    except ValueError:
        return ''


class Door:
    """Answers whether a request may come in; every answer is empty, or the reason why not."""

    def __init__(self, config: MonitorConfig, *,
                 clock: Callable[[], float] = time.monotonic) -> None:
        """Take the settings; raises ConfigurationError where they would let strangers in."""
        if config.token and len(config.token) < _LEAST_TOKEN:
            raise ConfigurationError(
                f'monitor.token: expected {_LEAST_TOKEN} characters or more, found '
                f'{len(config.token)}; take a longer one, such as of `openssl rand -hex 16`')
        if not is_loopback(config.host) and not config.token:
            raise ConfigurationError(
                f'monitor.host: expected a loopback address such as 127.0.0.1, found '
                f'{config.host!r}; to offer the page to other machines set monitor.token too, or '
                f'leave it here and use `ssh -L {config.port}:127.0.0.1:{config.port} ROBOT`')
        self._token = config.token.encode()
        self._names = {'localhost', *(name.lower() for name in split_list(config.names))}
        self._clock = clock
        self._failed: deque[float] = deque(maxlen=_TRIES)

    @property
    def has_lock(self) -> bool:
        """True where a token is asked for."""
        return bool(self._token)

    @property
    def cookie(self) -> str:
        """What a browser keeps instead of the token; the same after a new start."""
        return hmac.new(self._token, b'page to watch', hashlib.sha256).hexdigest()

    def refuse_host(self, host: str) -> str:
        """Return why a page that is asked for by this Host header is refused."""
        name = split_host(host)
        try:
            ipaddress.ip_address(name)
        except ValueError:
            if name.lower() not in self._names:
                return ('this page is known by its address and as localhost; add other names to '
                        'monitor.names')
        return ''

    def refuse_origin(self, headers: Mapping[str, str]) -> str:
        """
        Return why a request to watch or to act is refused that comes from elsewhere.

        A program without an Origin must show the token, which no foreign page can make a browser
        do; without a token there is no program to serve.
        """
        origin = headers.get('Origin', '')
        if not origin:
            return '' if self._shows_token(headers) else 'an Origin is expected, none came'
        parts = urlsplit(origin)
        if parts.scheme in ('http', 'https') and parts.netloc == headers.get('Host', ''):
            return ''
        return 'this Origin is not that of the page'

    def refuse_stranger(self, headers: Mapping[str, str], cookie: str) -> str:
        """Return why somebody is refused who shows neither token nor cookie."""
        if not self._token or self._shows_token(headers) or hmac.compare_digest(
                cookie.encode(errors='replace'), self.cookie.encode()):
            return ''
        return 'a token is expected'

    def try_token(self, given: str) -> str:
        """Return why a token that somebody typed is refused; ten wrong ones a minute at most."""
        now = self._clock()
        if len(self._failed) == _TRIES and now - self._failed[0] < _TRIES_S:
            return 'too many wrong tokens; wait a minute'
        if self._token and hmac.compare_digest(given.encode(errors='replace'), self._token):
            return ''
        self._failed.append(now)
        return 'this is not the token'

    def _shows_token(self, headers: Mapping[str, str]) -> bool:
        scheme, _, given = headers.get('Authorization', '').partition(' ')
        return bool(self._token) and scheme.lower() == 'bearer' and hmac.compare_digest(
            given.strip().encode(errors='replace'), self._token)
