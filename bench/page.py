"""
What the page to watch costs beside the ears: its node unwatched, with one page open, with four.

Encoder and decoder run with a scripted model, which says something every few seconds, and hear the
sample scene in real time; the monitor is a process of its own, as always. Owns what is opened and
when; a page here is a connection that takes what a browser would.
"""

import asyncio
import os
import socket
import tempfile
import time
from pathlib import Path

from audio_interaction_ros.monitor.load import load_server
from bench.audio import load_scene
from bench.domain import claim_domain
from bench.measure import Figure, processor_s, resident_mib
from bench.nodes import START_TIMEOUT_S, NodesError, child_process, require_nodes, write_wav

__all__ = ['run']

_PAGES = (0, 1, 4)
_SETTLE_S = 5.0
_SPEAKS_EVERY = 12  # chunks


def run(*, seconds: float, file: Path | None) -> list[Figure]:
    """Watch for so long with each number of pages; raises NodesError where nothing comes."""
    require_nodes()
    load_server()
    needed_s = START_TIMEOUT_S + (seconds + _SETTLE_S) * len(_PAGES)
    samples, origin = load_scene(needed_s, file)
    with tempfile.TemporaryDirectory(prefix='bench-') as folder:
        path = Path(folder) / 'scene.wav'
        write_wav(path, samples)
        environment = {**os.environ, 'ROS_AUTOMATIC_DISCOVERY_RANGE': 'LOCALHOST',
                       'ROS_DOMAIN_ID': str(claim_domain()), 'EVERY': str(_SPEAKS_EVERY)}
        with (Path(folder) / 'log').open('w') as sink:
            options = {'env': environment, 'stdout': sink, 'stderr': sink}
            port = _find_port()
            with (child_process('audio_interaction_ros.nodes.scripted_process',
                                ['assistant', '--source', 'file', '--file', str(path)],
                                **options),
                  child_process('audio_interaction_ros.nodes.monitor_node',
                                ['--ros-args', '-p', f'monitor.port:={port}'],
                                **options) as monitor):
                return asyncio.run(_measure(monitor.pid, f'http://127.0.0.1:{port}', seconds,
                                            origin))


def _find_port() -> int:
    with socket.socket() as tried:
        tried.bind(('127.0.0.1', 0))
        return int(tried.getsockname()[1])


async def _measure(pid: int, address: str, seconds: float, origin: str) -> list[Figure]:
    import aiohttp
    figures: list[Figure] = []
    async with aiohttp.ClientSession() as session:
        await _wait_for_page(session, address)
        pages: list[asyncio.Task[None]] = []
        frames = [0]
        for count in _PAGES:
            pages += [asyncio.create_task(_watch(session, address, frames))
                      for _ in range(count - len(pages))]
            await asyncio.sleep(_SETTLE_S)
            frames[0], began, before = 0, time.monotonic(), processor_s(pid)
            await asyncio.sleep(seconds)
            if count and not frames[0]:
                raise NodesError('expected the page to be told something, nothing came; look at '
                                 'what python -m audio_interaction_ros.nodes.monitor_node says')
            took_s = time.monotonic() - began
            what = {0: 'unwatched', 1: 'one page'}.get(count, f'{count} pages')
            figures += [
                Figure(what=f'monitor, {what}: processor', unit='s/s', note=origin,
                       value=(processor_s(pid) - before) / took_s),
                Figure(what=f'monitor, {what}: memory', unit='MiB', value=resident_mib(pid),
                       note=f'{frames[0] / took_s:.0f} messages a second')]
        for page in pages:
            page.cancel()
    return figures


async def _wait_for_page(session: object, address: str) -> None:
    import aiohttp
    assert isinstance(session, aiohttp.ClientSession)
    until = time.monotonic() + START_TIMEOUT_S
    while True:
        try:
            async with session.get(address) as answer:
                if answer.status == 200:
                    return
        except aiohttp.ClientError:
            if time.monotonic() > until:
                raise NodesError(f'expected a page at {address}, none came in '
                                 f'{START_TIMEOUT_S:g} s; to see why, run python -m '
                                 'audio_interaction_ros.nodes.monitor_node') from None
        await asyncio.sleep(0.2)


async def _watch(session: object, address: str, frames: list[int]) -> None:
    """Take all that a page is told."""
    import aiohttp
    assert isinstance(session, aiohttp.ClientSession)
    async with session.ws_connect(f'{address}/watch', headers={'Origin': address}) as socket:
        async for _message in socket:
            frames[0] += 1
