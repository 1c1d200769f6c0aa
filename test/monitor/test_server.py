"""The server of the page without a browser: files, headers, tokens, origins, slow pages."""

import asyncio
import json
import logging
import socket

import pytest

pytest.importorskip('aiohttp', reason='aiohttp is not installed: pip install -r '
                                      'requirements/monitor.txt')
from aiohttp import ClientSession, WSMsgType, WSServerHandshakeError
from aiohttp.test_utils import TestClient, TestServer

from audio_interaction_ros.errors import ConfigurationError, ResourceError
from audio_interaction_ros.monitor.door import COOKIE

pytestmark = pytest.mark.unit

TOKEN = 'a token of enough letters'


def served(page, scenario):
    """Run a scenario with a client of the page; it gets the client and the page's own Origin."""
    async def run():
        async with TestClient(TestServer(page.application(), host='127.0.0.1')) as client:
            await scenario(client, f'http://{client.host}:{client.port}')
    asyncio.run(run())


async def next_events(watching):
    message = await watching.receive(20)
    assert message.type is WSMsgType.TEXT, message
    return json.loads(message.data)


def test_the_page_and_its_modules_are_given_and_nothing_else_is(page):
    async def scenario(client, _):
        for path, kind in (('/', 'text/html'), ('/app.mjs', 'text/javascript'),
                           ('/page.css', 'text/css'), ('/icon.svg', 'image/svg+xml')):
            answer = await client.get(path)
            assert (answer.status, answer.content_type) == (200, kind)
        for path in ('/index.html', '/../README.md', '/%2e%2e/README.md', '/app.py', '/x/y'):
            assert (await client.get(path)).status == 404
    served(page, scenario)


def test_every_answer_keeps_strangers_out(page):
    async def scenario(client, _):
        for path in ('/', '/app.mjs', '/nothing', '/watch'):
            headers = (await client.get(path)).headers
            policy = headers['Content-Security-Policy']
            assert "default-src 'none'" in policy and "script-src 'self'" in policy
            assert 'unsafe' not in policy and "frame-ancestors 'none'" in policy
            assert headers['X-Content-Type-Options'] == 'nosniff'
            assert headers['Cache-Control'] == 'no-store'
            assert 'Access-Control-Allow-Origin' not in headers
        page_text = await (await client.get('/')).text()
        assert 'http:' not in page_text and 'https:' not in page_text and 'style=' not in page_text
        assert '<script type="module" src="app.mjs"></script>' in page_text
        assert page_text.count('<script') == 1
    served(page, scenario)


def test_a_foreign_name_gets_nothing(page):
    async def scenario(client, origin):
        for path in ('/', '/app.mjs', '/watch'):
            answer = await client.get(path, headers={'Host': 'evil.example'})
            assert answer.status == 421 and 'monitor.names' in await answer.text()
    served(page, scenario)


@pytest.mark.parametrize('origin', [None, 'http://evil.example', 'null'])
def test_a_foreign_origin_neither_watches_nor_acts(page, origin):
    async def scenario(client, _):
        headers = {'Origin': origin} if origin else {}
        with pytest.raises(WSServerHandshakeError) as caught:
            await client.ws_connect('/watch', headers=headers)
        assert caught.value.status == 403 and not page.acknowledged and not len(page.hub)
        assert (await client.post('/login', data={'token': 'x'}, headers=headers)).status == 403
    served(page, scenario)


def test_who_watches_is_told_and_may_acknowledge(page):
    async def scenario(client, origin):
        page.hub.tell('numbers', {'dropped': 0})
        async with client.ws_connect('/watch', headers={'Origin': origin}) as watching:
            assert await next_events(watching) == [
                ['hello', {'name': 'robot', 'raw_audio': False, 'version': '0'}],
                ['numbers', {'dropped': 0}]]
            page.hub.tell('sound', {'sound': '犬', 'began': True})
            page.hub.tell('sound', {'sound': 'bark', 'began': True})
            assert await next_events(watching) == [['sound', {'sound': '犬', 'began': True}],
                                                   ['sound', {'sound': 'bark', 'began': True}]]
            await watching.send_json({'do': 'acknowledge', 'what': 'a-1'})
            assert await next_events(watching) == [
                ['answer', {'id': 'a-1', 'done': True, 'message': 'acknowledged a-1'}]]
        assert page.acknowledged == ['a-1']
    served(page, scenario)


def test_no_audio_leaves_unless_it_was_allowed_and_asked_for(pages):
    def scenario_of(page, expected):
        async def scenario(client, origin):
            async with client.ws_connect('/watch', headers={'Origin': origin}) as watching:
                await next_events(watching)
                await watching.send_json({'do': 'hear', 'what': True})
                await watching.send_json({'do': 'acknowledge', 'what': ''})  # answers in order
                await next_events(watching)
                assert page.hub.is_heard is expected
                page.hub.play(b'abc')
                page.hub.tell('numbers', {})
                assert await next_events(watching) == [['numbers', {}]]
                if expected:
                    assert (await watching.receive(20)).data == b'abc'
        return scenario
    for allowed in (False, True):
        page = pages(raw_audio=allowed)
        served(page, scenario_of(page, allowed))


@pytest.mark.parametrize('nonsense', ['', '[]', '{"do": 1', '7', '{}', 'x' * 5000, b'\x00'])
def test_who_talks_nonsense_is_left(page, nonsense):
    async def scenario(client, origin):
        async with client.ws_connect('/watch', headers={'Origin': origin}) as watching:
            await next_events(watching)
            await (watching.send_bytes if isinstance(nonsense, bytes) else watching.send_str)(
                nonsense)
            assert (await watching.receive(20)).type in (WSMsgType.CLOSE, WSMsgType.CLOSED)
        assert not page.acknowledged
    served(page, scenario)


def test_no_more_pages_than_allowed(pages):
    page = pages(clients=1)

    async def scenario(client, origin):
        async with client.ws_connect('/watch', headers={'Origin': origin}) as first:
            await next_events(first)
            with pytest.raises(WSServerHandshakeError) as caught:
                await client.ws_connect('/watch', headers={'Origin': origin})
            assert caught.value.status == 503
        async with client.ws_connect('/watch', headers={'Origin': origin}) as again:
            await next_events(again)
    served(page, scenario)


def test_a_token_is_asked_for_and_remembered_by_a_cookie(pages, caplog):
    caplog.set_level(logging.DEBUG)
    page = pages(token=TOKEN)

    async def scenario(client, origin):
        own = {'Origin': origin}
        assert 'name="token"' in await (await client.get('/')).text()
        with pytest.raises(WSServerHandshakeError) as caught:
            await client.ws_connect('/watch', headers=own)
        assert caught.value.status == 401
        assert (await client.post('/login', data={'token': 'wrong'}, headers=own)).status == 403
        answer = await client.post('/login', data={'token': TOKEN}, headers=own,
                                   allow_redirects=False)
        cookie = answer.cookies[COOKIE]
        assert answer.status == 303 and cookie['httponly'] and cookie['samesite'] == 'Strict'
        assert TOKEN not in cookie.value
        with_cookie = {**own, 'Cookie': f'{COOKIE}={cookie.value}'}
        assert 'id="alerts"' in await (await client.get('/', headers=with_cookie)).text()
        async with client.ws_connect('/watch', headers=with_cookie) as watching:
            assert (await next_events(watching))[0][0] == 'hello'
        async with client.ws_connect(
                '/watch', headers={'Authorization': f'Bearer {TOKEN}'}) as program:
            assert (await next_events(program))[0][0] == 'hello'
    served(page, scenario)
    assert TOKEN not in caplog.text and page.application().middlewares


def test_a_page_that_reads_nothing_holds_up_nobody(page):
    async def scenario(client, origin):
        lazy = socket.create_connection((client.host, client.port))
        lazy.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        lazy.sendall((f'GET /watch HTTP/1.1\r\nHost: {client.host}:{client.port}\r\n'
                      f'Origin: {origin}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n'
                      f'Sec-WebSocket-Version: 13\r\n'
                      f'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n').encode())
        async with client.ws_connect('/watch', headers={'Origin': origin}) as watching:
            await next_events(watching)
            long = 'x' * 20_000
            for round_ in range(12):
                for number in range(100):
                    page.hub.tell('text', {'key': f'{number}', 'text': long})
                page.hub.tell('numbers', {'round': round_})
                await next_events(watching)
            seen = {}
            page.hub.tell('numbers', {'round': 'last'})
            while seen.get('round') != 'last':
                seen.update(next((told for kind, told in reversed(await next_events(watching))
                                  if kind == 'numbers'), {}))
            assert all(len(watcher.events) <= 300 for watcher in page.hub._watchers)
        lazy.close()
    served(page, scenario)


def test_the_server_ends_and_its_port_is_free_again(page, pages):
    address = page.start()
    port = int(address.rstrip('/').rpartition(':')[2])
    with pytest.raises(ResourceError, match=r'monitor\.port'):
        pages().start(port)

    async def watch_to_the_end():
        async with ClientSession() as session, session.ws_connect(
                f'{address}watch', headers={'Origin': address.rstrip('/')}) as watching:
            await next_events(watching)
            ended = asyncio.get_running_loop().run_in_executor(None, page.close)
            message = await watching.receive(20)
            assert (message.type, message.data) == (WSMsgType.CLOSE, 1001)
            await ended
    asyncio.run(watch_to_the_end())
    page.close()
    assert pages().start(port) == address


def test_a_host_that_is_open_to_strangers_is_refused_before_anything_listens(pages):
    with pytest.raises(ConfigurationError, match=r'monitor\.host'):
        pages(host='0.0.0.0').start()


def test_an_address_that_this_machine_does_not_have_is_named(pages):
    page = pages(host='203.0.113.7', token='a' * 16)  # RFC 5737: nobody's
    with pytest.raises(ResourceError, match=r'monitor\.host: .* an address of this machine'):
        page.start()
