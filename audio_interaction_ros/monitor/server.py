"""
The server of the page: files, the socket on which events go out, and what a person asks for.

Owns a thread with its own event loop. Whoever may come in is the door's matter, what is told the
hub's. Nothing is logged of a request, so no token can be. Needs aiohttp
(requirements/monitor.txt); ``load`` imports this module and says so where it is missing.
"""

import asyncio
import contextlib
import errno
import json
import threading
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from aiohttp import WSMsgType, web

from audio_interaction_ros.config import MonitorConfig
from audio_interaction_ros.errors import ResourceError
from audio_interaction_ros.monitor.door import COOKIE, Door
from audio_interaction_ros.monitor.hub import Hub, Watcher

__all__ = ['PageServer', 'make_application']

Act = Callable[[str], 'Future[tuple[bool, str]]']
"""Acknowledges the alert with an id ('': all); gives whether it worked and what was answered."""

_TYPES = {'.html': 'text/html', '.css': 'text/css', '.mjs': 'text/javascript',
          '.svg': 'image/svg+xml'}
_PERIOD_S = 0.1
"""A page is told so often at most; what came meanwhile goes in one message."""
_PATIENCE_S = 5.0
_HEARTBEAT_S = 20.0
_MOST_SAID_BYTES = 4096
_HEADERS = {
    'Content-Security-Policy':
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
        "connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    'X-Content-Type-Options': 'nosniff', 'X-Frame-Options': 'DENY',
    'Referrer-Policy': 'same-origin', 'Cross-Origin-Resource-Policy': 'same-origin',
    'Cross-Origin-Opener-Policy': 'same-origin', 'Cache-Control': 'no-store'}


class _Site:
    """The handlers of one page."""

    def __init__(self, *, folder: Path, config: MonitorConfig, door: Door, hub: Hub,
                 acknowledge: Act) -> None:
        """Read the files of the page, which are few."""
        self._files = {path.name: (path.read_bytes(), _TYPES[path.suffix])
                       for path in folder.iterdir() if path.suffix in _TYPES}
        self._config, self._door, self._hub = config, door, hub
        self._acknowledge = acknowledge
        self._open: set[web.WebSocketResponse] = set()

    @web.middleware
    async def guard(self, request: web.Request,
                    handler: Callable[[web.Request], Awaitable[web.StreamResponse]],
                    ) -> web.StreamResponse:
        """Refuse foreign names; whatever is answered carries the headers that keep it in."""
        reason = self._door.refuse_host(request.headers.get('Host', ''))
        if reason:
            return web.Response(status=421, text=reason, headers=_HEADERS)
        try:
            response = await handler(request)
        except web.HTTPException as error:
            error.headers.update(_HEADERS)
            raise
        if not response.prepared:
            response.headers.update(_HEADERS)
        return response

    def is_known(self, request: web.Request) -> bool:
        """Tell whether somebody showed token or cookie, where one is asked for."""
        return not self._door.refuse_stranger(request.headers, request.cookies.get(COOKIE, ''))

    async def show_page(self, request: web.Request) -> web.StreamResponse:
        """Give the page, or the one that asks for the token."""
        return self._give('index.html' if self.is_known(request) else 'login.html')

    async def give_file(self, request: web.Request) -> web.StreamResponse:
        """Give a file of the page; there is nothing secret in them."""
        name = request.match_info['name']
        if name not in self._files or name.endswith('.html'):
            raise web.HTTPNotFound
        return self._give(name)

    def _give(self, name: str) -> web.Response:
        body, kind = self._files[name]
        return web.Response(body=body, content_type=kind, charset='utf-8')

    async def log_in(self, request: web.Request) -> web.StreamResponse:
        """Take the token that somebody typed, and give the cookie for it."""
        if self._door.refuse_origin(request.headers):
            raise web.HTTPForbidden(text=self._door.refuse_origin(request.headers))
        form = await request.post()
        reason = self._door.try_token(str(form.get('token', '')))
        if reason:
            raise web.HTTPForbidden(text=reason)
        response = web.HTTPSeeOther('/')
        response.set_cookie(COOKIE, self._door.cookie, httponly=True, samesite='Strict',
                            secure=request.headers.get('Origin', '').startswith('https:'))
        raise response

    async def watch(self, request: web.Request) -> web.StreamResponse:
        """Tell a page what happens until it leaves, and take what it asks for."""
        reason = self._door.refuse_origin(request.headers)
        if reason:
            raise web.HTTPForbidden(text=reason)
        if not self.is_known(request):
            raise web.HTTPUnauthorized(text='a token is expected')
        if len(self._open) >= self._config.clients:
            raise web.HTTPServiceUnavailable(text='too many pages are open: monitor.clients')
        socket = web.WebSocketResponse(heartbeat=_HEARTBEAT_S, max_msg_size=_MOST_SAID_BYTES,
                                       compress=False)
        self._open.add(socket)
        news = asyncio.Event()
        loop = asyncio.get_running_loop()
        watcher = None
        try:
            await socket.prepare(request)
            watcher = self._hub.join(lambda: _call_if_open(loop, news.set))
            telling = loop.create_task(self._tell(socket, watcher, news))
            try:
                await self._listen(socket, watcher)
            finally:
                telling.cancel()
        finally:
            self._open.discard(socket)
            if watcher is not None:
                self._hub.leave(watcher)
        return socket

    async def _tell(self, socket: web.WebSocketResponse, watcher: Watcher,
                    news: asyncio.Event) -> None:
        """Send what there is; a socket that is full is waited for, its queue meanwhile not."""
        while True:
            await news.wait()
            news.clear()
            events, audio = self._hub.collect(watcher)
            try:
                if events:
                    await socket.send_str(json.dumps(events, allow_nan=False,
                                                     ensure_ascii=False))
                for samples in audio:
                    await socket.send_bytes(samples)
            except ConnectionError:
                return
            await asyncio.sleep(_PERIOD_S)

    async def _listen(self, socket: web.WebSocketResponse, watcher: Watcher) -> None:
        """Take what the page asks for; one that talks nonsense is left."""
        async for message in socket:
            if message.type is not WSMsgType.TEXT:
                break
            try:
                asked = json.loads(message.data)
                wanted, what = str(asked['do']), asked.get('what')
            except (ValueError, TypeError, KeyError):
                break
            if wanted == 'acknowledge' and isinstance(what, str):
                answer = await self._answer(what)
                await socket.send_str(json.dumps([('answer', answer)]))
            elif wanted == 'hear' and self._config.raw_audio:
                watcher.hears = what is True

    async def _answer(self, alert_id: str) -> Mapping[str, Any]:
        try:
            done, said = await asyncio.wait_for(
                asyncio.wrap_future(self._acknowledge(alert_id)), _PATIENCE_S)
        except asyncio.TimeoutError:  # noqa: UP041 - of its own kind in Python 3.10
            done, said = False, 'no answer from the decoder; is it running?'
        return {'id': alert_id, 'done': done, 'message': said}

    async def close(self, _application: web.Application) -> None:
        """Take leave of every page, so that each knows at once."""
        for socket in list(self._open):
            await socket.close(code=1001, message=b'the monitor ends')


def _call_if_open(loop: asyncio.AbstractEventLoop, callback: Callable[[], None]) -> None:
    """Call in the thread of the loop; nothing where that ended meanwhile."""
    with contextlib.suppress(RuntimeError):
        loop.call_soon_threadsafe(callback)


def make_application(*, folder: Path, config: MonitorConfig, hub: Hub,
                     acknowledge: Act) -> web.Application:
    """
    Return the application; ``folder`` has the files of the page.

    Raises ConfigurationError for settings that would let strangers in.
    """
    site = _Site(folder=folder, config=config, door=Door(config), hub=hub,
                 acknowledge=acknowledge)
    application = web.Application(middlewares=[site.guard], client_max_size=_MOST_SAID_BYTES)
    application.add_routes([
        web.get('/', site.show_page), web.post('/login', site.log_in),
        web.get('/watch', site.watch), web.get('/{name}', site.give_file)])
    application.on_shutdown.append(site.close)
    return application


class PageServer:
    """Serves an application in a thread of its own, between ``start`` and ``close``."""

    def __init__(self, application: web.Application, *, host: str, port: int) -> None:
        """Do not listen yet."""
        self._application, self._host, self._port = application, host, port
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name='page', daemon=True)
        self._runner: web.AppRunner | None = None
        self.address = ''
        """Where the page is, as for a browser of this machine."""

    def start(self) -> None:
        """Listen; raises ResourceError where the address cannot be had."""
        self._thread.start()
        try:
            port = self._call(self._listen())
        except OSError as error:
            self.close()
            taken = error.errno in (errno.EADDRINUSE, errno.EACCES)
            raise ResourceError(
                f'{"monitor.port" if taken else "monitor.host"}: expected to listen on '
                f'{self._host} port {self._port}, found {error}; '
                + ('end what listens there, or set another monitor.port' if taken else
                   'set monitor.host to an address of this machine')) from error
        host = f'[{self._host}]' if ':' in self._host else self._host
        self.address = f'http://{host}:{port}/'

    def close(self) -> None:
        """Take leave of every page and end the thread. Idempotent."""
        if self._thread.is_alive():
            if self._runner is not None:
                self._call(self._runner.cleanup())
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
        if not self._loop.is_closed():
            self._loop.close()

    async def _listen(self) -> int:
        self._runner = web.AppRunner(self._application, access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        await web.TCPSite(self._runner, self._host, self._port).start()
        return int(self._runner.addresses[0][1])

    def _call(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()
