"""The cost of the page to watch: what is opened, and that nothing told is not taken for cheap."""

import asyncio
import os

import pytest

from bench import page
from bench.nodes import NodesError

pytestmark = pytest.mark.unit
web = pytest.importorskip('aiohttp.web', reason='aiohttp is not installed')


async def _serve(tells):
    async def watch(request):
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        while tells:
            await socket.send_str('{}')
            await asyncio.sleep(0.001)
        await socket.receive()
        return socket

    async def show(_request):
        return web.Response(text='page')

    application = web.Application()
    application.add_routes([web.get('/', show), web.get('/watch', watch)])
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, '127.0.0.1', 0).start()
    try:
        address = f'http://127.0.0.1:{runner.addresses[0][1]}'
        return await page._measure(os.getpid(), address, 0.2, 'a scene')
    finally:
        await runner.cleanup()


def test_each_number_of_pages_is_a_figure_of_its_own(monkeypatch):
    monkeypatch.setattr(page, '_SETTLE_S', 0.2)
    figures = asyncio.run(_serve(tells=True))
    assert [figure.what for figure in figures] == [
        f'monitor, {pages}: {what}' for pages in ('unwatched', 'one page', '4 pages')
        for what in ('processor', 'memory')]
    assert all(figure.value > 0 for figure in figures if figure.unit == 'MiB')
    assert figures[1].note == '0 messages a second'


def test_a_page_that_is_told_nothing_is_no_figure(monkeypatch):
    monkeypatch.setattr(page, '_SETTLE_S', 0.01)
    with pytest.raises(NodesError, match='nothing came'):
        asyncio.run(_serve(tells=False))
