"""
One careful HTTP request for planners, generators and voices.

Owns the deadline over a whole answer, the size limit and errors in words. Knows no service. Keys
travel in headers only, are never followed across a redirect and never stand in a message.
"""

import http.client
import json
import os
import re
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from typing import Any

from audio_interaction_ros.errors import AudioInteractionError

__all__ = ['WebError', 'bearer_header', 'chat_json', 'post_form', 'post_json']

_LARGEST = 64 * 1024 * 1024
_PIECE = 64 * 1024


class WebError(AudioInteractionError):
    """A service did not answer as it should; the message says what came and who must act."""

    def __init__(self, message: str, *, passing: bool) -> None:
        super().__init__(message)
        self.passing = passing
        """Whether the same request may succeed later: a time-out, 429, or 5xx."""


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        return None


_OPENER = urllib.request.build_opener(_NoRedirect)


def _read_limited(answer: Any, deadline: float, url: str) -> bytes:
    pieces, size = [], 0
    while piece := answer.read1(_PIECE):
        size += len(piece)
        pieces.append(piece)
        if size > _LARGEST:
            raise WebError(f'expected at most {_LARGEST} bytes from {url}, got more; check the '
                           'address', passing=False)
        if time.monotonic() > deadline:
            raise TimeoutError
    return b''.join(pieces)


def _read_refusal(error: urllib.error.HTTPError, headers: dict[str, str]) -> str:
    """Return the beginning of what a refusal says; some services repeat the key in it."""
    try:
        said = error.read(300).decode('utf-8', 'replace')
    except (OSError, http.client.HTTPException):
        return ''
    for name, value in headers.items():
        if name != 'Content-Type':
            said = said.replace(value.removeprefix('Bearer '), '…')
    return said


def post_json(url: str, body: dict[str, Any], *, headers: dict[str, str] | None = None,
              timeout_s: float = 60.0) -> bytes:
    """
    Send a JSON body; return the answer's bytes.

    Raises WebError for anything but status 200 within the time, redirects included.
    """
    return _post(url, json.dumps(body).encode(), {'Content-Type': 'application/json',
                                                  **(headers or {})}, timeout_s)[0]


def post_form(url: str, fields: Mapping[str, str], *,
              timeout_s: float = 60.0) -> tuple[bytes, Mapping[str, str]]:
    """Send a form; return bytes and headers of the answer. Raises WebError as post_json does."""
    return _post(url, urllib.parse.urlencode(fields).encode(), {}, timeout_s)


def _post(url: str, body: bytes, headers: dict[str, str],
          timeout_s: float) -> tuple[bytes, Mapping[str, str]]:
    if not url.startswith(('http://', 'https://')):
        raise WebError(f'expected an address that begins with http:// or https://, got {url!r}; '
                       'correct it', passing=False)
    deadline = time.monotonic() + timeout_s
    request = urllib.request.Request(url, body, headers)
    try:
        with _OPENER.open(request, timeout=timeout_s) as answer:
            return _read_limited(answer, deadline, url), answer.headers
    except urllib.error.HTTPError as error:
        said = _read_refusal(error, headers)
        raise WebError(f'expected status 200 from {url}, got {error.code}: {said!r}; check key, '
                       'model and quota', passing=error.code == 429 or error.code >= 500
                       ) from error
    except TimeoutError as error:
        raise WebError(f'expected an answer from {url} within {timeout_s:g} s, none came; check '
                       'the service or allow more time', passing=True) from error
    except (OSError, http.client.HTTPException) as error:
        raise WebError(f'expected an answer from {url}, got {error}; check address and network',
                       passing=True) from error


def bearer_header(key_variable: str) -> dict[str, str]:
    """Return the header that carries a key of the environment; none where there is no key."""
    key = os.environ.get(key_variable, '')
    return {'Authorization': f'Bearer {key}'} if key else {}


def chat_json(url: str, body: dict[str, Any], *, key_variable: str, timeout_s: float) -> Any:
    """
    Ask ``{url}/chat/completions`` and return the JSON that the model wrote, fenced or not.

    Raises WebError as post_json does; KeyError, IndexError, TypeError or ValueError for an answer
    in which no JSON stands where the OpenAI interface has it.
    """
    answer = post_json(f'{url.rstrip("/")}/chat/completions', body,
                       headers=bearer_header(key_variable),
                       timeout_s=timeout_s)
    text = json.loads(answer)['choices'][0]['message']['content']
    return json.loads(re.sub(r'^\s*```(?:json)?|```\s*$', '', text))
